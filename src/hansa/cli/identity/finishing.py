"""Finishing what `id evidence notarise` had begun when something ended it.

The signed transaction lies beside the salts before it is sent, so that what was begun is sent
again as the same bytes, which count once, and nothing goes on record twice.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from hansa.cli.identity.notarising import (
    DOCUMENT_BYTES_MAX,
    PENDING_SUFFIX,
    Pending,
    Terms,
    load_pending,
    place_evidence,
)
from hansa.cli.identity.reading import read_content
from hansa.cli.tx import await_well, submit_signed
from hansa.kernel.calendar import format_iso
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, NotFound, Unavailable
from hansa.kernel.trees.merkle import Digest
from hansa.program import name_program
from hansa.sdk.answers import Transaction, TransactionResult
from hansa.sdk.build import SignedTransaction
from hansa.sdk.client import Client
from hansa.sdk.evidence import EvidenceBatch, hash_document
from hansa.sdk.identity.questions import EvidenceQuestion


def find_pending(documents: Sequence[Path], folder: Path | None) -> tuple[Path, Pending] | None:
    """Find what an earlier try left of these documents, whose evidence files go to `folder`.

    Raises:
      Invalid: it left some of them together with others.
    """
    wanted = {str(place_evidence(each, folder)) for each in documents}
    places = {folder} if folder is not None else {each.parent for each in documents}
    names = [each.name for each in documents]
    for path in sorted(found for place in places for found in place.glob(f"*{PENDING_SUFFIX}")):
        if path.name.startswith(tuple(f"{name}-" for name in names)) and not path.stat().st_size:
            path.unlink(missing_ok=True)  # its name was taken, and nothing written, nor sent
            continue
        try:
            pending = load_pending(path)
        except HansaError:  # somebody's file with such a name
            continue
        files = {item.file for item in pending.items}
        if files == wanted:
            return path, pending
        if files & wanted:
            raise _unfinished(path, "with others")
    return None


def require_same(
    begun: tuple[Path, Pending],
    documents: Sequence[Path],
    folder: Path | None,
    terms: Terms,
    digest: Digest,
) -> None:
    """Check that the same is to be done as what was begun.

    Raises:
      Invalid: it is not: a document was changed since, or the options were.
    """
    path, pending = begun
    _require_known(path, pending)
    if pending.terms != terms:
        raise _unfinished(path, "by other options")
    items = {item.file: item for item in pending.items}
    for document in documents:
        item = items[str(place_evidence(document, folder))]
        content = read_content(document, DOCUMENT_BYTES_MAX)
        if hash_document(content, bytes.fromhex(item.salt), digest).hex() != item.hash:
            raise _unfinished(path, "as it was before a change")


def finish(
    client: Client, options: argparse.Namespace, path: Path, pending: Pending
) -> TransactionResult | Transaction | None:
    """Find what became of what was signed, and send it again if that is open.

    Returns None if it is not on record and never will be.

    Raises:
      Invalid: it is of another network, or of an earlier version that did not keep it.
      NotFound: it is on record, and this node no longer has the transaction.
      Unavailable: that is not known yet.
      Sent: what became of it is not known.
    """
    _require_known(path, pending)
    network = client.get_network()
    if bytes.fromhex(pending.genesis) != network.genesis_hash:
        raise Invalid(InvalidCode.ARGUMENTS, f"{path} is of another network than this node's")
    await_well(client, is_json=options.json)
    is_over = _is_over(client, pending.valid_until_ms)
    tx_id = bytes.fromhex(pending.tx_id)
    try:
        return client.get_transaction(tx_id)
    except NotFound:
        if is_over:
            _require_absent(client, pending)
            return None
    signed = SignedTransaction(bytes.fromhex(pending.envelope), tx_id)
    try:
        return submit_signed(client, options, signed, pending=str(path))
    except Invalid as error:
        if error.code is not InvalidCode.EXPIRED:
            raise
        raise Unavailable(
            f"whether {pending.tx_id} is on record is not certain yet: it was valid until "
            f"{format_iso(pending.valid_until_ms, 0)}. Repeat this in a minute"
        ) from None


def _require_known(path: Path, pending: Pending) -> None:
    if not pending.tx_id:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"{path} is of an earlier version, and does not say of which transaction: "
            f"{name_program()} id evidence collect {shlex.quote(str(path))} ID, or delete it if "
            "there is none",
        )


def _is_over(client: Client, valid_until_ms: int) -> bool:
    """Whether what is on no record by now never will be: ledger time does not go back.

    A node that makes all blocks takes nothing by its clock that is over.
    """
    status = client.get_status()
    is_voted = client.get_network().genesis.is_voted
    return valid_until_ms < (status.time_ms if is_voted else status.clock_ms)


def _require_absent(client: Client, pending: Pending) -> None:
    """Check that the evidence is not on record all the same: an old block may be forgotten."""
    hashes = [bytes.fromhex(item.hash) for item in pending.items]
    digest = client.get_network().digest
    named = EvidenceBatch.of(hashes, digest).root if pending.is_batch else hashes[0]
    notary = bytes.fromhex(pending.terms.notary)
    if client.identity.ask(EvidenceQuestion(notary, named)).answer.evidence is not None:
        raise NotFound(
            f"the evidence is on record, but this node no longer has the transaction "
            f"{pending.tx_id}: collect it from a node that keeps all blocks"
        )


def _unfinished(path: Path, how: str) -> Invalid:
    return Invalid(
        InvalidCode.ARGUMENTS,
        f"one of the documents is being notarised {how}, and that is not finished: first "
        f"{name_program()} id evidence collect {shlex.quote(str(path))}",
    )
