"""Evidence: many hashes notarised by one, and files that prove a hash offline.

A document is hashed behind a salt of its own, since a hash of little text can be guessed. The root
of the Merkle tree over many such hashes goes on the ledger in one transaction; each hash then has a
file of its own, with its path to the root and the transaction's receipt file, which needs no node.

Source: docs/reference/evidence-file.md; RFC 6962 section 2.1.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from hansa.contracts.identity.evidence import (
    LEAVES_MAX,
    Leaves,
    ManyNotarised,
    Notarise,
    Notarised,
)
from hansa.contracts.identity.evidence import NAME as CONTRACT
from hansa.kernel.crypto.hashing import HASH_BYTES, crypto_profile
from hansa.kernel.encoding import DECODE_ERRORS
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.light.trail import Checkpoint
from hansa.kernel.receipt_file import VerifiedReceipt, verify_receipt_file
from hansa.kernel.trees.merkle import Digest, MerkleTree, compute_root_from_path
from hansa.shapes import tell_unread

FILE_BYTES_MAX = 6 << 20
EVIDENCE_SUFFIX = ".evidence.json"
"""Of the name of the file that lies beside a document, after the document's own."""
SALT_BYTES = 16
PATH_LENGTH_MAX = 32

HexHash = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
HexSalt = Annotated[str, Meta(pattern=r"\A([0-9a-f]{32})?\Z")]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON object."""

    format: Literal["hansa-evidence"]
    version: Literal[1]
    hash: HexHash
    salt: HexSalt
    index: Leaves
    leaves: Leaves
    path: Annotated[tuple[HexHash, ...], Meta(max_length=PATH_LENGTH_MAX)]
    receipt: str


_decode = msgspec.json.Decoder(_File).decode


@dataclass(frozen=True, slots=True)
class EvidenceBatch:
    """Hashes that are notarised together, in this order, by the root of the tree over them."""

    hashes: tuple[bytes, ...]
    tree: MerkleTree

    @classmethod
    def of(cls, hashes: Sequence[bytes], digest: Digest) -> EvidenceBatch:
        """Build the tree over salted hashes (`hash_document`) by the network's hash.

        Cost: two hashes each, and 64 bytes of memory beside them.

        Raises:
          Invalid: there are none, or too many, or one is not 32 bytes.
        """
        if not 0 < len(hashes) <= LEAVES_MAX:
            raise Invalid(
                InvalidCode.TOO_MANY, f"a batch has 1 to {LEAVES_MAX} hashes, not {len(hashes)}"
            )
        for index, each in enumerate(hashes):
            if len(each) != HASH_BYTES:
                raise Invalid(
                    InvalidCode.MALFORMED,
                    f"hash {index} of the batch has {len(each)} bytes, not 32",
                )
        return cls(tuple(hashes), MerkleTree(hashes, digest))

    @property
    def root(self) -> bytes:
        """What goes on the ledger."""
        return self.tree.root

    def notarise(self, notary: bytes, cosigners: tuple[bytes, ...] = ()) -> Notarise:
        """Make the command that puts the batch on record."""
        return Notarise(notary, self.root, len(self.hashes), cosigners)

    def build_file(self, index: int, receipt: bytes, salt: bytes = b"") -> bytes:
        """Build the evidence file of one hash.

        Args:
          index: of the hash in the batch.
          receipt: the receipt file of the transaction that notarised the batch.
          salt: of the document, for whoever is to see that the hash is its; the file is then as
            confidential as the document.

        Raises:
          Invalid: there is no such hash.
        """
        path = self.tree.path(index)
        return _encode(self.hashes[index], salt, (index, len(self.hashes)), path, receipt)


@dataclass(frozen=True, slots=True)
class VerifiedEvidence:
    """What an evidence file proves: that its notary put the hash on record at that time."""

    receipt: VerifiedReceipt
    notary: bytes
    evidence_hash: bytes
    """What is on the ledger: the hash, or the root that it leads to."""
    cosigners: tuple[bytes, ...]
    """Who was asked to sign, too; whether they have, only the ledger tells."""
    hash: bytes
    leaves: int
    """0 for a hash that stands for itself."""
    index: int
    salt: bytes

    @property
    def time_ms(self) -> int:
        """When it was put on record."""
        return self.receipt.header.time_ms

    def is_of(self, document: bytes) -> bool:
        """Whether this is the document whose hash was put on record, by the salt in the file."""
        digest = crypto_profile(self.receipt.hash).digest
        return bool(self.salt) and hash_document(document, self.salt, digest) == self.hash


def hash_document(document: bytes, salt: bytes, digest: Digest) -> bytes:
    """Hash a document behind its salt.

    Args:
      document: any bytes.
      salt: 16 random bytes (`secrets.token_bytes(16)`), others for each document, kept with it.
      digest: the network's hash (`Network.digest`).

    Raises:
      Invalid: the salt has another length.
    """
    if len(salt) != SALT_BYTES:
        raise Invalid(
            InvalidCode.MALFORMED, f"a salt has {SALT_BYTES} random bytes, not {len(salt)}"
        )
    return digest(salt + document)


def build_evidence_file(evidence_hash: bytes, receipt: bytes, salt: bytes = b"") -> bytes:
    """Build the evidence file of a hash that was notarised for itself, alone or with others."""
    return _encode(evidence_hash, salt, (0, 0), (), receipt)


def verify_evidence_file(
    raw: bytes,
    trusted_genesis_hash: bytes | None = None,
    checkpoint: Checkpoint | None = None,
) -> VerifiedEvidence:
    """Verify an evidence file, alone with what it holds; what is trusted as for receipt files.

    What happened after the transaction it cannot know: a revocation, notes, cosignatures.

    Raises:
      Invalid: it is none, or does not prove what it says.
    """
    file, raw_receipt = _open(raw)
    receipt = verify_receipt_file(raw_receipt, trusted_genesis_hash, checkpoint)
    leaf = bytes.fromhex(file.hash)
    root = leaf
    if file.leaves:
        path = [bytes.fromhex(node) for node in file.path]
        digest = crypto_profile(receipt.hash).digest
        root = compute_root_from_path(leaf, file.index, file.leaves, path, digest)
    elif file.path or file.index:
        raise _no_evidence("a hash that stands for itself has neither path nor place")
    notary, cosigners = _find_notary(receipt, root, file.leaves)
    place = (leaf, file.leaves, file.index, bytes.fromhex(file.salt))
    return VerifiedEvidence(receipt, notary, root, cosigners, *place)


def _encode(
    leaf: bytes, salt: bytes, place: tuple[int, int], path: Sequence[bytes], receipt: bytes
) -> bytes:
    file = _File(
        format="hansa-evidence",
        version=1,
        hash=leaf.hex(),
        salt=salt.hex(),
        index=place[0],
        leaves=place[1],
        path=tuple(node.hex() for node in path),
        receipt=base64.b64encode(receipt).decode(),
    )
    return msgspec.json.format(msgspec.json.encode(file)) + b"\n"


def _open(raw: bytes) -> tuple[_File, bytes]:
    """Read the file's fields, and the receipt file in it."""
    if len(raw) > FILE_BYTES_MAX:
        raise Invalid(
            InvalidCode.TOO_LARGE,
            f"an evidence file has at most {FILE_BYTES_MAX} bytes",
            size=len(raw),
        )
    try:
        file = _decode(raw)
        receipt = base64.b64decode(file.receipt, validate=True)
    except DECODE_ERRORS as error:
        raise _no_evidence(tell_unread(error)) from None
    names = json.loads(raw, object_pairs_hook=lambda pairs: [name for name, _ in pairs])
    if len(set(names)) < len(names):
        raise _no_evidence("a member stands there twice, and readers may differ on which counts")
    return file, receipt


def _find_notary(
    receipt: VerifiedReceipt, evidence_hash: bytes, leaves: int
) -> tuple[bytes, tuple[bytes, ...]]:
    """Find who put a hash on record in this transaction, and who was asked to sign."""
    for contract, name, fields in receipt.receipt.events:
        if contract != CONTRACT:
            continue
        event = _read_event(name, fields)
        if isinstance(event, Notarised):
            if (event.evidence_hash, event.leaves) == (evidence_hash, leaves):
                return event.notary, event.cosigners
        elif event is not None and not leaves and evidence_hash in event.hashes:
            return event.notary, ()
    raise Invalid(
        InvalidCode.MALFORMED,
        "the evidence file does not prove what it says: the transaction in it put no such hash on "
        "record, or was refused",
        evidence_hash=evidence_hash,
        leaves=leaves,
    )


def _read_event(name: str, fields: list[Any]) -> Notarised | ManyNotarised | None:
    """Read an event by which a hash is put on record; None for others, and for unknown forms."""
    try:
        if name == Notarised.__name__:
            return msgspec.convert(fields, Notarised)
        if name == ManyNotarised.__name__:
            return msgspec.convert(fields, ManyNotarised)
    except msgspec.ValidationError:  # of a later version of the contract
        pass
    return None


def _no_evidence(detail: str) -> Invalid:
    return Invalid(
        InvalidCode.MALFORMED, f"it is no evidence file, or it is damaged: {detail}", detail=detail
    )
