"""Headers, receipts and block records: what a block leaves behind, byte for byte.

Source: docs/reference/wire.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Annotated, Any, Final

from msgspec import Meta

from hansa.kernel.crypto.hashing import HASH_BYTES
from hansa.kernel.crypto.signatures import SignatureCheck, verify_many
from hansa.kernel.encoding import Decoder, Document, check_plain, encode
from hansa.kernel.errors import Corrupt, Invalid, InvalidCode, Refused
from hansa.kernel.genesis import Network
from hansa.kernel.values import Hash, NonNegative, TimeMs

HEADER_VERSION = 1
POSITION_SHIFT = 20
"""A position is height << 20 | index of the transaction in its block."""

POSITION_MASK = (1 << POSITION_SHIFT) - 1
ENTRIES_MAX = 1 << POSITION_SHIFT
"""Of each list in a block's record: all that positions can tell apart. A list is refused before
it is read, so that few bytes of a stranger's block cannot become many objects."""


PlainFact = str | int | bool | None
"""A fact about a refusal; byte strings stand as hexadecimal text."""


class Status(IntEnum):
    """How a transaction ended."""

    OK = 0
    REFUSED = 1
    FAILED = 2


class Header(Document, frozen=True, array_like=True):
    """What a block commits to; its hash chains the blocks."""

    version: NonNegative
    height: NonNegative
    time_ms: TimeMs
    previous_hash: Hash
    tx_root: Hash
    receipt_root: Hash
    write_set_hash: Hash
    checkpoint_height: NonNegative
    state_root: Hash
    """Root of the state tree as of `checkpoint_height`, this block's included if it is one."""
    tx_count: NonNegative
    batch_root: Hash
    """Over the hashes of the block's batches, whatever became of them."""

    def encoded(self) -> bytes:
        """Encode canonically: the bytes that are hashed and signed."""
        return encode(self)


class Receipt(Document, frozen=True, array_like=True):
    """What became of one transaction."""

    tx_id: Hash
    status: Status
    code: str
    """Empty if ok; else `<contract>.<CODE>`."""
    call: NonNegative
    """Index of the call that was refused or failed; 0 if ok."""
    events: list[tuple[str, str, list[Any]]]
    """(contract, name, fields); the first field is the list of balance deltas."""


def _check_plain_events(receipt: Receipt) -> None:
    for _, _, fields in receipt.events:
        check_plain(fields, "an event")


class Drop(Document, frozen=True, array_like=True):
    """An item of a batch that got no receipt: invalid, or a repetition."""

    batch: NonNegative
    item: NonNegative
    code: str
    message: str


_Entries = Meta(max_length=ENTRIES_MAX)


UPDATES_UNKNOWN: Final = ((b"", 0),)


class BlockRecord(Document, frozen=True, array_like=True):
    """One block as the log keeps it. Header, batches and order are truth, the rest follows."""

    header: bytes
    signatures: Annotated[tuple[tuple[int, bytes, bytes], ...], _Entries]
    """(suite, public key, signature) of the sealers over the header."""
    batches: Annotated[tuple[bytes, ...], _Entries]
    receipts: Annotated[tuple[bytes, ...], _Entries]
    dropped: Annotated[tuple[Drop, ...], _Entries]
    facts: Annotated[tuple[tuple[int, tuple[tuple[str, PlainFact], ...]], ...], _Entries]
    """For people, not hashed: facts of refusals by index of the receipt."""
    consensus_height: NonNegative = 0
    """Height of the block of CometBFT that brought the batches; 0 on the embedded engine."""
    validator_updates: Annotated[tuple[tuple[bytes, NonNegative], ...], _Entries] = ()
    """(consensus key, power) as CometBFT was told after the block; power 0 removes. In a block that
    came with a snapshot `UPDATES_UNKNOWN`: no hash covers them, so a snapshot has none."""

    def encoded(self) -> bytes:
        """Encode for the log.

        Raises:
          Corrupt: nobody could decode it; what may stand in a block keeps it from coming to that.
        """
        for name in _LISTS:
            count = len(getattr(self, name))
            if count > ENTRIES_MAX:
                raise Corrupt(
                    f"a block has {count} {name}: a record holds at most {ENTRIES_MAX}, so it is "
                    "not written"
                )
        return encode(self)


_LISTS = ("signatures", "batches", "receipts", "dropped", "facts", "validator_updates")
"""Of a record, each of `_Entries`."""

_decode_header: Decoder[Header] = Decoder(Header, "block header")
_decode_receipt: Decoder[Receipt] = Decoder(Receipt, "receipt", _check_plain_events)
_decode_record: Decoder[BlockRecord] = Decoder(BlockRecord, "block record")

_STATUS_AT = 35
"""In a receipt: behind the array's byte, two of the id's header, and the id."""
_STATUSES = tuple(Status)

decode_header = _decode_header.decode
decode_receipt = _decode_receipt.decode
decode_record = _decode_record.decode_trusted
decode_record_strictly = _decode_record.decode


def read_tx_id(receipt: bytes) -> bytes:
    """Read the id of a receipt that this node made, without decoding the rest."""
    return receipt[_STATUS_AT - HASH_BYTES : _STATUS_AT]


def read_status(receipt: bytes) -> Status:
    """Read the status of a receipt that this node made, without decoding the rest."""
    return _STATUSES[receipt[_STATUS_AT]]


class Repeated:
    """An envelope whose nonce was seen: answered by the first receipt if it is the same one."""

    __slots__ = ("tx_id",)

    def __init__(self, tx_id: bytes) -> None:
        self.tx_id = tx_id


Outcome = int | Invalid | Repeated
"""What became of a batch's item: the index of its receipt in the block, or why it has none."""


def tell_plain(refusal: Refused) -> tuple[tuple[str, PlainFact], ...]:
    """Write the facts of a refusal as records keep them."""
    return tuple(
        (name, fact.hex() if isinstance(fact, bytes) else fact)
        for name, fact in refusal.facts.items()
    )


def compute_position(height: int, index: int) -> int:
    """Compute the position that names the transaction for ever."""
    return height << POSITION_SHIFT | index


def split_position(position: int) -> tuple[int, int]:
    """Split a position into height and index."""
    return position >> POSITION_SHIFT, position & POSITION_MASK


def check_seals(network: Network, header: bytes, seals: Sequence[tuple[int, bytes, bytes]]) -> None:
    """Check that each seal is a good one of another sealer; one is enough on this engine.

    A bad seal beside a good one is refused, too: whoever passed the block on has added it.

    Raises:
      Invalid: `SIGNATURE`; also on a voted network, whose blocks have votes and no seals.
    """
    if network.genesis.is_voted:
        raise Invalid(
            InvalidCode.SIGNATURE,
            "this network is voted: its validators sign blocks of CometBFT, and nobody seals one",
        )
    allowed = {(sealer.suite, sealer.public_key) for sealer in network.genesis.sealers}
    keys = [(suite, public_key) for suite, public_key, _ in seals]
    if not keys or len(set(keys)) != len(keys) or not allowed.issuperset(keys):
        raise Invalid(
            InvalidCode.SIGNATURE, "the block is not sealed once each by keys that genesis names"
        )
    message = network.header_prefix + header
    checks = [SignatureCheck(suite, key, signature, message) for suite, key, signature in seals]
    if not all(verify_many(checks)):
        raise Invalid(
            InvalidCode.SIGNATURE,
            "a seal of the block does not verify: something was changed since, or it is of another "
            "network",
        )


def is_sealed(network: Network, header: bytes, seals: Sequence[tuple[int, bytes, bytes]]) -> bool:
    """Whether the seals are those of `check_seals`."""
    try:
        check_seals(network, header, seals)
    except Invalid:
        return False
    return True
