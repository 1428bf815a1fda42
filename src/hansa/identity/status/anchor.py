"""Status lists that are on the ledger: made of its rows, and held to its root.

Source: `hansa.contracts.identity.status`.
"""

from __future__ import annotations

from collections.abc import Sequence

from hansa.contracts.identity.status import CHUNK_BYTES, StatusList, compute_root
from hansa.identity.faults import Fault, Unsound
from hansa.identity.status.entries import Entries
from hansa.kernel.trees.merkle import Digest


def join_chunks(found: StatusList, chunks: Sequence[bytes]) -> Entries:
    """Make the list that is served of a row and its chunks (`list_chunks`)."""
    return Entries(found.bits, b"".join(chunks))


def verify_anchor(entries: Entries, found: StatusList, digest: Digest) -> None:
    """Verify that a list which somebody serves is the one on the ledger.

    `digest` is the network's hash; the row comes with a proof, or from a node that is believed.

    Raises:
      Unsound: `STATUS`.
    """
    content = entries.content
    chunks = [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)]
    if entries.bits is not found.bits or compute_root(chunks, digest) != found.root:
        raise Unsound(
            Fault.STATUS,
            f"the status list is not version {found.version} of list {found.number} on the ledger",
        )
