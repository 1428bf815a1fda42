"""What a node answers about its network: validators, peers, a stall in words, and the rules."""

from __future__ import annotations

import zlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hansa.sdk.answers import AddressText, Answer, Count, HashText, TimeMs


class ValidatorSeen(Answer, frozen=True, kw_only=True):
    """Who votes on blocks, as the node that answers sees it."""

    member: AddressText | None
    """Null for a key that the ledger does not know."""
    name: str
    consensus_key: HashText
    power: Count
    is_here: bool
    """Whether it is the node that answers."""
    is_connected: bool
    """Whether the node that answers is connected to it, or hears its votes through others."""
    has_voted: bool
    """On the newest block or the one before: late votes stand in the next block."""
    voted_height: Count | None
    """The last consensus block that it voted on; null for none since the node started."""
    voted_ms: TimeMs | None
    is_voting: bool
    """Whether its vote on the next block has come that the round at work waits for."""


class PeerSeen(Answer, frozen=True, kw_only=True):
    """A node that the one that answers is connected to."""

    peer: Annotated[str, Meta(pattern="^[0-9a-f]{40}$")]
    member: AddressText | None
    """Null for one that only this node's operator has named."""
    name: str
    is_outbound: bool
    """Whether the node that answers called it."""
    since_ms: TimeMs


class RulesVersion(Answer, frozen=True, kw_only=True):
    """A version of the kernel's rules that comes into force."""

    version: Count
    from_height: Count
    source_hash: HashText
    is_known: bool
    """Whether the program of the node that answers has it; it stops before that block if not."""


class Rules(Answer, frozen=True, kw_only=True):
    """Which versions of the kernel's rules there are."""

    in_force: Count
    """Of the next block."""
    known: dict[str, HashText]
    """The versions that the node's program has, with what validators report of each."""
    scheduled: list[RulesVersion]
    text: str
    """The same in words."""

    @property
    def is_known(self) -> bool:
        """Whether the node's program has what is in force and what is decided."""
        return str(self.in_force) in self.known and all(each.is_known for each in self.scheduled)


class Consensus(Answer, frozen=True, kw_only=True):
    """How the network comes to a block, as one node sees it."""

    state: Literal["sealed", "voting", "stalled", "catching_up", "suspended", "silent"]
    """Silent where CometBFT does not answer; sealed where one node alone makes all blocks;
    suspended where the member is whose node it is, so that it gets no blocks."""
    text: str
    """The same in words."""
    height: Count
    """Newest confirmed block of the ledger."""
    consensus_height: Count | None
    """Newest block that was voted on, of which empty ones make none of the ledger."""
    round: Count | None
    """Of the vote at work: 0 unless an earlier one came to nothing."""
    step: str | None
    block_ms: TimeMs | None
    """When the newest block that was voted on came to the node that answers; if it had come before
    that node started, as they say who voted on it. Null before the first."""
    started_ms: TimeMs | None
    """Since when the node that answers has followed, without a break."""
    heartbeat_ms: Count | None
    """A block without transactions comes so often."""
    power: Count
    """Of all validators."""
    present_power: Count
    """Of those that this node is or is connected to; more than two thirds are needed."""
    own_power: Count
    """Of this node; 0 for one that follows without a vote."""
    validators: list[ValidatorSeen]
    peers: list[PeerSeen]
    rules: Rules

    @property
    def is_well(self) -> bool:
        """Whether blocks come, and this node has the newest."""
        return self.state in ("sealed", "voting")

    @property
    def has_new_block(self) -> bool:
        """Whether a block has come since the node that answers started."""
        return self.block_ms is not None and self.block_ms >= (self.started_ms or 0)

    @property
    def is_power_enough(self) -> bool:
        """Whether those that this node is connected to suffice for a block."""
        return 3 * self.present_power > 2 * self.power

    @property
    def is_getting_blocks(self) -> bool:
        """Whether it has the newest blocks, or is getting them from somebody."""
        return self.is_well or (self.state == "catching_up" and bool(self.peers))

    @property
    def silent(self) -> list[ValidatorSeen]:
        """List whose vote has not come: in a stall on the next block, else on the two newest."""
        if self.state == "stalled":
            return [each for each in self.validators if not each.is_voting]
        return [each for each in self.validators if not each.has_voted]

    @property
    def mark(self) -> str:
        """A short text that changes with whatever is worth being shown anew."""
        seen = [
            (each.is_connected, each.has_voted, each.is_voting, each.power)
            for each in self.validators
        ]
        found = (self.text, self.consensus_height, self.round, self.step, seen)
        peers = [each.peer for each in self.peers]
        return f"{zlib.crc32(msgspec.json.encode((found, peers))):08x}"
