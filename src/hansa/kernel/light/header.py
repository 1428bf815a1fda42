"""The header of a CometBFT block, its hash, and the bytes that a validator signs for it.

Source: CometBFT v0.38, spec/core/data_structures.md and proto/tendermint/types; RFC 6962 for the
tree; docs/reference/light.md.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated

from msgspec import Meta

from hansa.kernel.encoding import Document
from hansa.kernel.light.protobuf import (
    write_bytes,
    write_delimited,
    write_fixed,
    write_message,
    write_number,
)
from hansa.kernel.trees.merkle import compute_root
from hansa.kernel.values import Hash, NonNegative, Positive

BLOCK_VERSION = 11
"""Of CometBFT's blocks; another may be hashed in another way."""

_PRECOMMIT = 2

ShortBytes = Annotated[bytes, Meta(max_length=32)]
"""A hash, or the empty bytes that CometBFT writes where there is nothing to be hashed yet."""

ChainId = Annotated[str, Meta(min_length=1, max_length=50)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Seconds = Annotated[int, Meta(ge=-62_135_596_800, le=253_402_300_799)]
"""The years 1 to 9999, which is what CometBFT takes: nothing keeps a validator's vote from bearing
a time of long ago, or of long from now, and it counts all the same."""
Nanoseconds = Annotated[int, Meta(ge=0, le=999_999_999)]


class Moment(Document, frozen=True, array_like=True):
    """A time of CometBFT, to the nanosecond."""

    seconds: Seconds
    """Since 1970-01-01T00:00:00Z; negative before."""
    nanoseconds: Nanoseconds

    @staticmethod
    def of_ms(time_ms: int) -> Moment:
        """Build the moment of a time of Hansa, in milliseconds since 1970."""
        return Moment(time_ms // 1000, time_ms % 1000 * 1_000_000)

    @property
    def time_ms(self) -> int:
        """This moment in milliseconds since 1970, rounded down."""
        return self.seconds * 1000 + self.nanoseconds // 1_000_000

    def encoded(self) -> bytes:
        """Encode as google.protobuf.Timestamp."""
        return write_number(1, self.seconds) + write_number(2, self.nanoseconds)


class Parts(Document, frozen=True, array_like=True):
    """The pieces in which CometBFT sends a block around: how many, and the root over them."""

    total: Count
    hash: ShortBytes


class BlockId(Document, frozen=True, array_like=True):
    """What names a block to CometBFT."""

    hash: ShortBytes
    parts: Parts

    def encoded(self) -> bytes:
        """Encode as BlockID, and as CanonicalBlockID, whose bytes are the same."""
        parts = write_number(1, self.parts.total) + write_bytes(2, self.parts.hash)
        return write_bytes(1, self.hash) + write_message(2, parts)


class ConsensusHeader(Document, frozen=True, array_like=True):
    """The header of a CometBFT block, in CometBFT's order of fields."""

    block_version: NonNegative
    app_version: NonNegative
    chain_id: ChainId
    height: Positive
    time: Moment
    last_block: BlockId
    last_commit_hash: ShortBytes
    data_hash: ShortBytes
    validators_hash: Hash
    """Of the set that signs this block."""
    next_validators_hash: Hash
    """Of the set that signs the next one."""
    consensus_hash: ShortBytes
    app_hash: ShortBytes
    """After the block before this one: the hash of Hansa's newest header then."""
    last_results_hash: ShortBytes
    evidence_hash: ShortBytes
    proposer_address: ShortBytes

    def compute_hash(self) -> bytes:
        """Compute what names the block: the root of the RFC 6962 tree over its 14 fields."""
        version = write_number(1, self.block_version) + write_number(2, self.app_version)
        fields = (
            version,
            write_bytes(1, self.chain_id.encode()),
            write_number(1, self.height),
            self.time.encoded(),
            self.last_block.encoded(),
            write_bytes(1, self.last_commit_hash),
            write_bytes(1, self.data_hash),
            write_bytes(1, self.validators_hash),
            write_bytes(1, self.next_validators_hash),
            write_bytes(1, self.consensus_hash),
            write_bytes(1, self.app_hash),
            write_bytes(1, self.last_results_hash),
            write_bytes(1, self.evidence_hash),
            write_bytes(1, self.proposer_address),
        )
        return compute_root(fields, digest)


def build_vote(header: ConsensusHeader, round_: int, block: BlockId, time: Moment) -> bytes:
    """Build what a validator signs when it commits to a block: a CanonicalVote behind its length.

    Args:
      header: of the block; its height and chain id are signed.
      round_: of consensus, at that height.
      block: what is voted for, with `header`'s hash.
      time: that this validator gave its vote.
    """
    return write_delimited(
        write_number(1, _PRECOMMIT)
        + write_fixed(2, header.height)
        + write_fixed(3, round_)
        + write_message(4, block.encoded())
        + write_message(5, time.encoded())
        + write_bytes(6, header.chain_id.encode())
    )


def digest(data: bytes) -> bytes:
    """Compute CometBFT's hash, SHA-256, whatever hash the network's own profile has."""
    return sha256(data).digest()
