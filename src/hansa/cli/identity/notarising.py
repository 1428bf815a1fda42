"""Notarising documents: their salts are on the disk before anything is sent.

A hash on record whose salt is lost proves nothing for ever. So the salts lie in a file until the
evidence files that hold them are written, whatever happens in between; and beside them what was
signed, so that what was cut off goes on where it was (see `finishing`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from hansa.cli.identity.reading import read_content
from hansa.contracts.identity.evidence import HASHES_MAX, Notarise, NotariseMany
from hansa.kernel.encoding import DECODE_ERRORS
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import Network
from hansa.kernel.transaction import decode_envelope
from hansa.kernel.trees.merkle import Digest
from hansa.sdk.build import SignedTransaction
from hansa.sdk.evidence import (
    EVIDENCE_SUFFIX,
    FILE_BYTES_MAX,
    SALT_BYTES,
    EvidenceBatch,
    build_evidence_file,
    hash_document,
    verify_evidence_file,
)
from hansa.sdk.files import write_file
from hansa.shapes import tell_unread

DOCUMENT_BYTES_MAX = 1 << 30
PENDING_BYTES_MAX = 1 << 28
PENDING_SUFFIX = ".pending.json"
PRIVATE = 0o600

HexHash = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
HexSalt = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A document that is being notarised."""

    file: str
    """Where its evidence file goes."""
    hash: HexHash
    salt: HexSalt


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose evidence it becomes; addresses are hexadecimal."""

    notary: str = ""
    cosigners: tuple[str, ...] = ()
    is_batch: bool = False


class Pending(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept until the evidence files are written; bytes are hexadecimal."""

    is_batch: bool
    items: Annotated[tuple[Item, ...], Meta(min_length=1)]
    terms: Terms = Terms()
    tx_id: Annotated[str, Meta(pattern=r"\A([0-9a-f]{64})?\Z")] = ""
    """Empty in a file of an earlier version; so is what follows."""
    envelope: str = ""
    valid_until_ms: int = 0
    genesis: str = ""


_decode = msgspec.json.Decoder(Pending).decode


def prepare(  # noqa: PLR0913 - one call
    documents: Sequence[Path],
    notary: bytes,
    cosigners: tuple[bytes, ...],
    digest: Digest,
    entropy: Callable[[int], bytes],
    *,
    folder: Path | None,
    is_batch: bool,
) -> tuple[Pending, Notarise | NotariseMany]:
    """Hash documents behind new salts; returns what to keep, and the command to send.

    Args:
      documents: files.
      notary: whose evidence it becomes.
      cosigners: who is to sign, too; of one document, or of a batch.
      digest: the network's hash.
      entropy: gives salts.
      folder: where evidence files go; beside the documents if None.
      is_batch: whether they go on record by one root.

    Raises:
      Invalid: there are too many, an evidence file is there already, or two have one name.
    """
    if not is_batch and len(documents) > 1 and cosigners:
        raise Invalid(
            InvalidCode.ARGUMENTS, "--cosigner goes with one document, or with --batch for many"
        )
    if not is_batch and len(documents) > HASHES_MAX:
        raise Invalid(
            InvalidCode.TOO_MANY,
            f"{len(documents)} documents do not fit in a transaction, {HASHES_MAX} do: say --batch",
        )
    items = tuple(_hash(document, digest, entropy, folder) for document in documents)
    if len({item.file for item in items}) < len(items):
        raise Invalid(InvalidCode.ARGUMENTS, "two of the documents have the same name")
    hashes = [bytes.fromhex(item.hash) for item in items]
    terms = Terms(notary.hex(), tuple(each.hex() for each in cosigners), is_batch)
    pending = Pending(is_batch, items, terms)
    if is_batch:
        return pending, EvidenceBatch.of(hashes, digest).notarise(notary, cosigners)
    if len(hashes) == 1:
        return pending, Notarise(notary, hashes[0], 0, cosigners)
    return pending, NotariseMany(notary, tuple(hashes))


def _hash(
    document: Path, digest: Digest, entropy: Callable[[int], bytes], folder: Path | None
) -> Item:
    """Hash one document behind a new salt."""
    file = place_evidence(document, folder)
    if file.exists():
        raise Invalid(
            InvalidCode.ARGUMENTS, f"{file} is there already: {document} was notarised before"
        )
    salt = entropy(SALT_BYTES)
    hashed = hash_document(read_content(document, DOCUMENT_BYTES_MAX), salt, digest)
    return Item(str(file), hashed.hex(), salt.hex())


def place_evidence(document: Path, folder: Path | None) -> Path:
    """Where the evidence file of a document goes: into a folder, or beside it."""
    return ((folder or document.parent) / f"{document.name}{EVIDENCE_SUFFIX}").absolute()


def add_signed(pending: Pending, signed: SignedTransaction, network: Network) -> Pending:
    """Add what is signed, by which the same can be sent again."""
    return msgspec.structs.replace(
        pending,
        tx_id=signed.tx_id.hex(),
        envelope=signed.envelope.hex(),
        valid_until_ms=decode_envelope(signed.envelope)[1].valid_until_ms,
        genesis=network.genesis_hash.hex(),
    )


def save_pending(pending: Pending, first: Path, folder: Path | None) -> Path:
    """Write what is kept beside the evidence files to come; returns where."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    name = f"{first.name}-{secrets.token_hex(4)}{PENDING_SUFFIX}"
    path = (folder or first.parent) / name
    write_file(path, msgspec.json.encode(pending), mode=PRIVATE)
    return path


def load_pending(path: Path) -> Pending:
    """Load what was kept; raises `Invalid` if it is none."""
    try:
        return _decode(read_content(path, PENDING_BYTES_MAX))
    except DECODE_ERRORS as error:
        raise Invalid(
            InvalidCode.MALFORMED, f"{path} is no file of what is pending: {tell_unread(error)}"
        ) from None


def collect(pending: Pending, receipt: bytes, network: Network) -> list[Path]:
    """Write the evidence files, each verified before; those that are there already stay.

    Raises:
      Invalid: the receipt is of another transaction.
    """
    hashes = [bytes.fromhex(item.hash) for item in pending.items]
    batch = EvidenceBatch.of(hashes, network.digest) if pending.is_batch else None
    files = []
    for index, item in enumerate(pending.items):
        salt = bytes.fromhex(item.salt)
        raw = (
            build_evidence_file(hashes[index], receipt, salt)
            if batch is None
            else batch.build_file(index, receipt, salt)
        )
        if index == 0:  # the others rest on the same receipt
            verify_evidence_file(raw, network.genesis_hash)
        path = Path(item.file)
        if not path.exists():
            write_file(path, raw, mode=PRIVATE)
        files.append(path)
    return files


def read_name(path: Path, genesis_hash: bytes) -> tuple[bytes, bytes]:
    """Read notary and hash from an evidence file, verified for this network.

    Raises:
      Invalid: it is none; or it is no file, but a hash alone.
      NotFound: there is no such file.
    """
    if len(path.name) == len(str(path)) == 2 * len(genesis_hash) and not path.exists():
        raise Invalid(InvalidCode.ARGUMENTS, "a hash goes with --notary: whose evidence is it?")
    found = verify_evidence_file(read_content(path, FILE_BYTES_MAX), genesis_hash)
    return found.notary, found.evidence_hash
