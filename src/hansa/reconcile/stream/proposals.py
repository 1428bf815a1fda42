"""Proposals: how a break is to be resolved, as one bank tells the other in words.

The ledger has a commitment to each; the words go between the banks alone.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from hansa.contracts.reconciliation.cases import Kind
from hansa.kernel.encoding import Decoder, Document, encode
from hansa.kernel.trees.merkle import Digest
from hansa.kernel.values import Hash, Signed

WORDS_MAX = 2_000


class Proposal(Document, frozen=True, array_like=True):
    """What one bank proposes."""

    version: Literal[1]
    agreement: Hash
    case_id: Hash
    kind: Kind
    words: Annotated[str, Meta(min_length=1, max_length=WORDS_MAX)]
    """What is to be done, by whom and until when."""
    amount_minor: Signed
    """What it is about, as the left bank's books have it; 0 where it is no amount."""
    salt: Hash

    def compute_terms(self, digest: Digest) -> bytes:
        """Compute the commitment that stands on the ledger."""
        return digest(b"hansa\x00proposal\x00" + encode(self))


decode_proposal = Decoder[Proposal](Proposal, "proposal").decode
