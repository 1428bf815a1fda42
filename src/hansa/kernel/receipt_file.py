"""Receipt files: one transaction, what became of it, and the proof, checkable by a stranger.

A file carries the genesis document, so it needs no node, no network and no state. What it proves
is "the sealers whom this genesis names, or the validators who follow from it, put this receipt into
this block"; that the genesis is the right one is for the verifier to know, by its hash.

Source: docs/reference/receipt-file.md; RFC 6962 section 2.1.1 for the paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from hansa.kernel.block import (
    HEADER_VERSION,
    BlockRecord,
    Header,
    Receipt,
    check_seals,
    decode_header,
    decode_receipt,
)
from hansa.kernel.calendar import format_iso
from hansa.kernel.crypto.signatures import verify_many
from hansa.kernel.encoding import DECODE_ERRORS, Decoder, Document, encode, tell_fault
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import Network, decode_genesis
from hansa.kernel.light.trail import Checkpoint, Trail
from hansa.kernel.light.votes import Votes, check_hand_overs, check_votes
from hansa.kernel.transaction import Body, check_envelope, decode_envelope
from hansa.kernel.trees.merkle import compute_path, compute_root_from_path
from hansa.kernel.values import Hash, NonNegative

FORMAT = "hansa-receipt"
SEALED_VERSION = 1
VOTED_VERSION = 2
FILE_BYTES_MAX = 4 << 20
PATH_LENGTH_MAX = 64


class _SealedFile(Document, frozen=True, array_like=True):
    """Version 1: of a network that names sealers."""

    format: str
    version: NonNegative
    genesis: bytes
    hand_overs: tuple[bytes, ...]
    """None: sealers are those of genesis."""
    header: bytes
    seals: tuple[tuple[int, bytes, bytes], ...]
    """(suite, public key, signature) over the header, in the order of the block."""
    index: NonNegative
    envelope: bytes
    tx_path: tuple[Hash, ...]
    receipt: bytes
    receipt_path: tuple[Hash, ...]


class _VotedFile(Document, frozen=True, array_like=True):
    """Version 2: of a network whose validators vote."""

    format: str
    version: NonNegative
    genesis: bytes
    header: bytes
    votes: Votes
    index: NonNegative
    envelope: bytes
    tx_path: tuple[Hash, ...]
    receipt: bytes
    receipt_path: tuple[Hash, ...]


class _Beginning(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What every version begins with; tells how to read the rest."""

    format: str
    version: NonNegative


_ReceiptFile = _SealedFile | _VotedFile


def _check_voted(file: _VotedFile) -> None:
    check_hand_overs(file.votes)


_SEALED: Decoder[_SealedFile] = Decoder(_SealedFile, "receipt file")
_VOTED: Decoder[_VotedFile] = Decoder(_VotedFile, "receipt file", _check_voted)
_decode_beginning = msgspec.msgpack.Decoder(_Beginning).decode


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """What a receipt file proves."""

    network: str
    genesis_hash: bytes
    is_genesis_trusted: bool
    """Whether the verifier named this genesis; if not, the hash must still be compared."""
    header: Header
    header_hash: bytes
    index: int
    """Of the transaction in its block."""
    tx_id: bytes
    body: Body
    receipt: Receipt
    raw: bytes
    """The file itself, to be kept."""
    trail: Trail | None
    """How the validators who signed follow from what is trusted; None on a sealed network."""
    is_from_checkpoint: bool
    """Whether a checkpoint was trusted, and not genesis."""
    hash: str
    """Name of the network's hash."""

    def describe_trust(self) -> str:
        """Say in words as of which genesis or checkpoint the proof holds."""
        if self.is_from_checkpoint and self.trail is not None:
            start = self.trail.start
            time = format_iso(start.time.time_ms, 0)
            return f"your checkpoint at CometBFT's height {start.height}, {time}"
        if self.is_genesis_trusted:
            return "the genesis that you named"
        return "the genesis in the file; compare its hash with the network's own"


def build_receipt_file(
    network: Network,
    record: BlockRecord,
    envelopes: Sequence[bytes],
    index: int,
    votes: Votes | None = None,
) -> bytes:
    """Build the receipt file of one transaction.

    Args:
      network: the network of the block.
      record: the block.
      envelopes: those of the block's transactions, in order (`engine.chain.list_envelopes`).
      index: of the transaction in the block.
      votes: on the block, where the network is voted; None where it is sealed.

    Raises:
      Invalid: the block has no transaction `index`.
    """
    digest = network.digest
    hashes = [digest(envelope) for envelope in envelopes]
    tx_path = tuple(compute_path(hashes, index, digest))
    receipt_path = tuple(compute_path(record.receipts, index, digest))
    place = (index, envelopes[index], tx_path, record.receipts[index], receipt_path)
    genesis, header = network.genesis.encoded(), record.header
    if votes is None:
        seals = record.signatures
        return encode(_SealedFile(FORMAT, SEALED_VERSION, genesis, (), header, seals, *place))
    return encode(_VotedFile(FORMAT, VOTED_VERSION, genesis, header, votes, *place))


def verify_receipt_file(
    raw: bytes,
    trusted_genesis_hash: bytes | None = None,
    checkpoint: Checkpoint | None = None,
) -> VerifiedReceipt:
    """Verify a receipt file, alone with what it holds.

    Args:
      raw: the file.
      trusted_genesis_hash: of the network the verifier means; without it the answer holds as of
        the genesis in the file, and says so.
      checkpoint: of a voted network, from an earlier verification; it names the genesis, too, and
        who signed before it does not matter.

    Raises:
      Invalid: anything in the file is not exactly what was signed.
    """
    file = _open(raw)
    network = Network.of(decode_genesis(file.genesis))
    is_trusted = trusted_genesis_hash is not None
    if trusted_genesis_hash is not None:
        _check_genesis(network, trusted_genesis_hash, "not to")
    header = check_header(file.header)
    trail = _check_authority(file, network, checkpoint)
    tx_id = _check_envelope(file, network, header)
    receipt = _check_receipt(file, network, header, tx_id)
    return VerifiedReceipt(
        network.genesis.network,
        network.genesis_hash,
        is_trusted or checkpoint is not None,
        header,
        network.digest(network.header_prefix + file.header),
        file.index,
        tx_id,
        decode_envelope(file.envelope)[1],
        receipt,
        raw,
        trail,
        checkpoint is not None,
        network.genesis.hash,
    )


def _open(raw: bytes) -> _ReceiptFile:
    if len(raw) > FILE_BYTES_MAX:
        raise Invalid(
            InvalidCode.TOO_LARGE,
            f"a receipt file has at most {FILE_BYTES_MAX} bytes",
            size=len(raw),
        )
    file = _decode(raw)
    if isinstance(file, _SealedFile) and file.hand_overs:
        raise Invalid(
            InvalidCode.UNSUPPORTED_VERSION,
            "the receipt file hands over to sealers that genesis does not name: "
            "a newer program is needed to follow them",
        )
    if max(len(file.tx_path), len(file.receipt_path)) > PATH_LENGTH_MAX:
        raise Invalid(InvalidCode.TOO_MANY, "a path of the receipt file is too long")
    return file


def _decode(raw: bytes) -> _ReceiptFile:
    try:
        beginning = _decode_beginning(raw)
    except DECODE_ERRORS as error:
        raise _no_receipt_file(InvalidCode.MALFORMED, tell_fault(error)) from None
    if beginning.format != FORMAT:
        raise _no_receipt_file(InvalidCode.MALFORMED, "another format")
    if beginning.version not in (SEALED_VERSION, VOTED_VERSION):
        raise Invalid(
            InvalidCode.UNSUPPORTED_VERSION,
            f"the receipt file has version {beginning.version}: this program reads "
            f"{SEALED_VERSION} and {VOTED_VERSION}",
        )
    try:
        return (_VOTED if beginning.version == VOTED_VERSION else _SEALED).decode(raw)
    except Invalid as error:
        raise _no_receipt_file(error.code, error.message) from None


def _no_receipt_file(code: InvalidCode, detail: str) -> Invalid:
    return Invalid(code, "it is no receipt file, or it is damaged", detail=detail)


def _check_genesis(network: Network, trusted_hash: bytes, relation: str) -> None:
    """Check that the genesis in the file is the one that is trusted."""
    if network.genesis_hash != trusted_hash:
        raise Invalid(
            InvalidCode.SIGNATURE,
            "the receipt file is damaged, or of another network: its genesis hashes to "
            f"{network.genesis_hash.hex()}, {relation} {trusted_hash.hex()}",
            genesis_hash=network.genesis_hash,
        )


def _check_authority(
    file: _ReceiptFile, network: Network, checkpoint: Checkpoint | None
) -> Trail | None:
    """Check that those who may have signed the header; the trail to them on a voted network."""
    if isinstance(file, _VotedFile):
        if checkpoint is not None:
            _check_genesis(network, checkpoint.genesis_hash, "and the checkpoint names")
        return check_votes(network, file.header, file.votes, checkpoint)
    if checkpoint is not None:
        raise Invalid(
            InvalidCode.SIGNATURE,
            "the receipt is of a sealed network: a checkpoint is of one whose validators vote",
        )
    check_seals(network, file.header, file.seals)
    return None


def check_header(raw: bytes) -> Header:
    """Decode a block header of a version that this program reads; raises `Invalid`."""
    header = decode_header(raw)
    if header.version != HEADER_VERSION:
        raise Invalid(
            InvalidCode.UNSUPPORTED_VERSION,
            f"the block header has version {header.version}: this program reads {HEADER_VERSION}",
        )
    return header


def _check_envelope(file: _ReceiptFile, network: Network, header: Header) -> bytes:
    """Check the transaction and its place in the block; returns its id."""
    ids, checks = check_envelope(file.envelope, network)
    if not all(verify_many(checks)):
        raise _bad_signature("a signature of the transaction")
    tx_id, envelope_hash = ids[:32], ids[32:]
    count, path = header.tx_count, file.tx_path
    root = compute_root_from_path(envelope_hash, file.index, count, path, network.digest)
    if root != header.tx_root:
        raise _not_in_block("transaction", file.index, header)
    return tx_id


def _check_receipt(file: _ReceiptFile, network: Network, header: Header, tx_id: bytes) -> Receipt:
    """Check the receipt and its place in the block."""
    receipt = decode_receipt(file.receipt)
    if receipt.tx_id != tx_id:
        raise Invalid(
            InvalidCode.MALFORMED, "the receipt is of another transaction", tx_id=receipt.tx_id
        )
    count, path = header.tx_count, file.receipt_path
    root = compute_root_from_path(file.receipt, file.index, count, path, network.digest)
    if root != header.receipt_root:
        raise _not_in_block("receipt", file.index, header)
    return receipt


def _bad_signature(what: str) -> Invalid:
    return Invalid(
        InvalidCode.SIGNATURE,
        f"{what} does not verify: something was changed since, or it is of another network",
    )


def _not_in_block(what: str, index: int, header: Header) -> Invalid:
    return Invalid(
        InvalidCode.MALFORMED,
        f"the {what} does not stand at place {index} of block {header.height}",
        index=index,
        height=header.height,
    )
