"""Nodes: which consensus key, peers and channel key belong to which member.

A member publishes its node; its weight stays a matter of governance. Together they say who votes
on blocks (CometBFT) and with how much power: at most 128 validators of at most 2**40 each, 2**47
in all, far below the 2**60 (an eighth of the largest 64-bit integer) that CometBFT can count.
A consensus key serves once: of two members with the same key one vote would count twice, and one
that comes back may be a copy that signed meanwhile, or be in the hands of a thief.

Source: docs/ARCHITECTURE.md; CometBFT v0.38, spec/core/data_structures.md, types/validator_set.go.
Units: power is votes; heights are Hansa's.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from hansa.contracts import members
from hansa.kernel.authority import Purpose
from hansa.kernel.contract import NO_MONEY, Command, Event, Function
from hansa.kernel.crypto.possession import KeyProof, is_proven
from hansa.kernel.errors import Invalid, Refused
from hansa.kernel.genesis import Genesis, check_node
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row
from hansa.kernel.values import (
    NODE_PEERS_MAX,
    Address,
    Hash,
    KeyOrNone,
    NonNegative,
    PeerId,
    PeerIds,
    Url,
)

NAME = "nodes"
VERSION = 1

Validators = tuple[tuple[bytes, int], ...]
"""(consensus key, power) of each validator, sorted by key, power at least 1."""
KEY_CHANGE_MS = 86_400_000
"""Between two new keys of one validator: who follows validators from genesis needs each of them."""
ValidatorRows = tuple[Row | None, ...]
KeyProofs = Annotated[tuple[KeyProof, ...], Meta(max_length=NODE_PEERS_MAX + 1)]


class Code(StrEnum):
    """Refusals, in order of precedence."""

    UNSOUND = "nodes.UNSOUND"
    KEY_NEEDED = "nodes.KEY_NEEDED"
    KEY_USED = "nodes.KEY_USED"
    KEY_RECENT = "nodes.KEY_RECENT"
    PEER_TAKEN = "nodes.PEER_TAKEN"
    UNPROVEN = "nodes.UNPROVEN"
    LAST_VALIDATOR = "nodes.LAST_VALIDATOR"


class Node(Row, frozen=True, array_like=True):
    """The node of one member, as the member last published it."""

    TABLE: ClassVar[bytes] = b"nd"
    KEY: ClassVar[tuple[str, ...]] = ("member",)

    member: Address
    consensus_key: KeyOrNone
    """Ed25519; empty for a node that follows and does not vote."""
    peers: PeerIds
    channel_key: KeyOrNone
    """X25519; empty if it takes no messages."""
    url: Url
    since_height: NonNegative
    """Of the block that published it; 0 for genesis."""


class UsedKey(Row, frozen=True, array_like=True):
    """A consensus key and the one member that ever has it; stays for ever."""

    TABLE: ClassVar[bytes] = b"nk"
    KEY: ClassVar[tuple[str, ...]] = ("consensus_key",)

    consensus_key: Hash
    member: Address


class Peer(Row, frozen=True, array_like=True):
    """A peer, and in whose name it connects; stays when it may not any more."""

    TABLE: ClassVar[bytes] = b"np"
    KEY: ClassVar[tuple[str, ...]] = ("peer",)

    peer: PeerId
    member: Address
    revoked: bool
    """Whether the member has taken it out: who has its key may not connect."""


class BlockPower(Row, frozen=True, array_like=True):
    """How power on blocks moved within the last window; there once the network is assembled."""

    TABLE: ClassVar[bytes] = b"nb"

    changes: tuple[members.PowerChange, ...] = ()


class KeyChange(Row, frozen=True, array_like=True):
    """When a member last put a consensus key with power in the place of another."""

    TABLE: ClassVar[bytes] = b"nc"
    KEY: ClassVar[tuple[str, ...]] = ("member",)

    member: Address
    time_ms: NonNegative


class Publish(Command, frozen=True, array_like=True):
    """Say which node is one's own, instead of what was said before."""

    member: Address
    consensus_key: KeyOrNone
    peers: PeerIds
    channel_key: KeyOrNone
    url: Url
    proofs: KeyProofs = ()
    """By the consensus key and the node keys of peers, each that the member did not have before."""


class NodePublished(Event, frozen=True, array_like=True):
    """The node of a member is this from here on."""

    member: Address
    consensus_key: KeyOrNone
    peers: PeerIds
    channel_key: KeyOrNone
    url: Url


def publish(view: View, context: Context, command: Publish) -> list[NodePublished]:
    """Publish a member's node; a new consensus key votes in the place of the old one.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.member, Purpose.MANAGE)
    member = members.require_active(view, command.member)
    _require_sound(command)
    before = view.get(Node, command.member)
    old_key = b"" if before is None else before.consensus_key
    if old_key and not command.consensus_key and member.weight > 0:
        raise Refused(Code.KEY_NEEDED, member=command.member, weight=member.weight)
    is_new_key = command.consensus_key not in (b"", old_key)
    if is_new_key and view.get(UsedKey, command.consensus_key) is not None:
        raise Refused(Code.KEY_USED, consensus_key=command.consensus_key)
    changes_validators = is_new_key and bool(old_key) and members.compute_power(member) > 0
    if changes_validators:
        _require_key_of_a_day(view, context, command.member)
    old_peers = () if before is None else before.peers
    new_peers = [peer for peer in command.peers if peer not in old_peers]
    for peer in new_peers:
        found = view.get(Peer, peer)
        if found is not None and not found.revoked:
            raise Refused(Code.PEER_TAKEN, peer=peer)
    _require_proven(context, command, [*[command.consensus_key] * is_new_key, *new_peers])
    power, has_key = members.compute_power(member), bool(command.consensus_key)
    block_power = plan_power(view, context, command.member, power, has_key=has_key)
    # CHANGE
    keep_power(view, block_power)
    fields = (command.consensus_key, command.peers, command.channel_key, command.url)
    view.put(Node(command.member, *fields, since_height=context.height))
    if is_new_key:
        view.put(UsedKey(command.consensus_key, command.member))
    if changes_validators:
        view.put(KeyChange(command.member, context.time_ms))
    for peer in new_peers:
        view.put(Peer(peer, command.member, revoked=False))
    for peer in old_peers:
        if peer not in command.peers:
            view.put(Peer(peer, command.member, revoked=True))
    # TELL
    return [NodePublished(NO_MONEY, command.member, *fields)]


def get_node(view: View, member: bytes) -> Node | None:
    """Get the node that a member published last; None if it has none."""
    return view.get(Node, member)


def find_peer(view: View, peer: bytes) -> bytes | None:
    """Find the member that may connect as this peer, suspended or not; None for strangers."""
    found = view.get(Peer, peer)
    return None if found is None or found.revoked else found.member


def list_validators(view: View) -> Validators:
    """List who votes on blocks: each validator with a weight whose node has a consensus key.

    The others' weight counts in votes on proposals alone. Costs a read a validator and two more.
    """
    return compute_validators(get_validator_rows(view))


def get_validator_rows(view: View) -> ValidatorRows:
    """Get the rows from which the validators follow: the roster, then a node for each entry.

    Rows that did not change are the same objects as a rule, so comparing costs next to nothing.
    """
    roster = members.get_roster(view)
    if roster is None:
        return ()
    return (roster, *(view.get(Node, entry.address) for entry in roster.entries))


def compute_validators(rows: ValidatorRows) -> Validators:
    """Compute the validators from what `get_validator_rows` got."""
    keys = {row.member: row.consensus_key for row in rows if isinstance(row, Node)}
    entries = [entry for row in rows if isinstance(row, members.Roster) for entry in row.entries]
    powers = [(keys.get(entry.address, b""), entry.weight) for entry in entries]
    return tuple(sorted(item for item in powers if item[0]))


def require_another(view: View, member: bytes) -> None:
    """Refuse to take the power of the only validator left: no block could follow.

    Raises:
      Refused: `LAST_VALIDATOR`.
    """
    node = view.get(Node, member)
    left = list_validators(view)
    if node is not None and len(left) == 1 and left[0][0] == node.consensus_key:
        raise Refused(Code.LAST_VALIDATOR, member=member)


def plan_power(
    view: View, context: Context, member: bytes, power: int, *, has_key: bool | None = None
) -> BlockPower | None:
    """Check how much power on blocks would have moved within a day, if a member had this power.

    It moves by weights and by first keys; a key in the place of another is the same member's. No
    more than `members` allows of all voting power, so that whoever knew a day ago who votes on
    blocks knows more than two thirds of it still. This holds once the network is **assembled**:
    validators with more than two thirds of the voting power had a key, and for ever from then on.
    Before, those of them who have a key yet may be so few that no other could begin.

    `power` is the member's own after the change, and `has_key` whether its node has a consensus key
    then, None for as now. Returns the row that `keep_power` puts with the change, or None while the
    network is being assembled.

    Raises:
      Refused: `members.POWER_CHANGE`.
    """
    roster = members.get_roster(view)
    weights = {} if roster is None else {each.address: each.weight for each in roster.entries}
    keyed = {address: weight for address, weight in weights.items() if _has_key(view, address)}
    held = keyed.get(member, 0)
    taken = power if (_has_key(view, member) if has_key is None else has_key) else 0
    before, after = sum(keyed.values()), sum(keyed.values()) - held + taken
    row = view.get(BlockPower)
    if row is None:
        total = sum(weights.values()) - weights.get(member, 0) + power
        return BlockPower() if _is_assembled(after, total) else None
    if taken == held:
        return row
    change = members.PowerChange(context.time_ms, abs(taken - held), before)
    return BlockPower(members.add_power_change(row.changes, change, after))


def keep_power(view: View, power: BlockPower | None) -> None:
    """Put what `plan_power` has planned."""
    if power is not None:
        view.put(power)


def install(view: View, genesis: Genesis) -> None:
    """Write the nodes of genesis, which decoding it has checked."""
    for item in genesis.nodes:
        fields = (item.consensus_key, item.peers, item.channel_key, item.url)
        view.put(Node(item.member, *fields, since_height=0))
        if item.consensus_key:
            view.put(UsedKey(item.consensus_key, item.member))
        for peer in item.peers:
            view.put(Peer(peer, item.member, revoked=False))
    roster = members.get_roster(view)
    present = sum(power for _, power in list_validators(view))
    if roster is not None and _is_assembled(present, roster.total):
        view.put(BlockPower())


def _is_assembled(present: int, total: int) -> bool:
    """Whether so much power on blocks, of all voting power, makes blocks the network's own."""
    return 3 * present > 2 * total


def _has_key(view: View, member: bytes) -> bool:
    node = view.get(Node, member)
    return node is not None and node.consensus_key != b""


def _require_sound(command: Publish) -> None:
    try:
        check_node(command.consensus_key, command.peers, command.channel_key, command.url)
    except Invalid as fault:
        raise Refused(Code.UNSOUND, detail=fault.message) from None


def _require_key_of_a_day(view: View, context: Context, member: bytes) -> None:
    """Refuse the second new key within a day; whose weight governance took changes keys freely."""
    last = view.get(KeyChange, member)
    if last is not None and context.time_ms - last.time_ms < KEY_CHANGE_MS:
        raise Refused(Code.KEY_RECENT, until_ms=last.time_ms + KEY_CHANGE_MS)


def _require_proven(context: Context, command: Publish, new: list[bytes]) -> None:
    """Refuse a consensus key or a peer whose key has not signed that it is the member's.

    Else a member could publish another's, who then could not, and would be known by its name.
    """
    proven: set[bytes] = set()
    for proof in command.proofs if new else ():
        if is_proven(proof, context.genesis_hash, command.member):
            proven |= {proof.public_key, proof.peer}
    for each in new:
        if each not in proven:
            raise Refused(Code.UNPROVEN, key=each)


COMMANDS: dict[str, tuple[type[Command], Function]] = {"publish": (Publish, publish)}
