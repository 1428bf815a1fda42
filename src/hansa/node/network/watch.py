"""How the network does, as this node sees it: validators, peers, and a stall in words.

A quiet network is no stalled one: without transactions a block comes as seldom as the heartbeat. It
stalls where a heartbeat is overdue, or where validators are at a vote that does not end.

Source: CometBFT v0.38, consensus/types/round_state.go (steps).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, Literal

from hansa.contracts.activations import Activations
from hansa.contracts.members import Member
from hansa.contracts.nodes import Peer, UsedKey
from hansa.engine.chain import Chain
from hansa.engine.ordering import Engine, SeenConsensus
from hansa.kernel.calendar import format_iso
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import NotFound, Unavailable
from hansa.node.network.peers import find_suspension
from hansa.node.network.rules import describe_rules
from hansa.sdk.consensus import Consensus, PeerSeen, Rules, ValidatorSeen

State = Literal["sealed", "voting", "stalled", "catching_up", "suspended", "silent"]

KEPT_S: Final = 1.0
PATIENCE_MS: Final = 10_000
"""What a vote may take, or a heartbeat be late, before the network is called stalled."""
SETTLE_MS: Final = 3_000
"""For so long after validators went a block may come yet on which they had voted."""
LAG_PATIENCE_MS: Final = 60_000
"""What the next block may take a node that is behind, before it is said to get none."""
VOTING_STEPS: Final = range(3, 8)
_STEPS: Final = (
    "",
    "waiting for late votes",
    "waiting for transactions",
    "waiting for a proposal",
    "first vote",
    "first vote, undecided",
    "second vote",
    "second vote, undecided",
    "committing",
)
_ALARMS = logging.getLogger("hansa.alarms")
NEEDED: Final = "more than two thirds must be there."
STRANGER: Final = "not on the ledger"
SEALED: Final = (
    "One node orders and seals all blocks of this network: there are no validators to wait for."
)


class Watch:
    """Says how the network of one node does.

    Args:
      chain: of the node; knows who has which keys.
      engine: of the node.
      clock_ms: the wall clock.
      clock_s: a clock that never goes back.
      member: whose node it is; None where nobody needs to be told of its suspension.
    """

    def __init__(
        self,
        chain: Chain,
        engine: Engine,
        clock_ms: Callable[[], int],
        clock_s: Callable[[], float] = time.monotonic,
        *,
        member: bytes | None = None,
    ) -> None:
        self._chain = chain
        self._engine = engine
        self._clock_ms = clock_ms
        self._clock_s = clock_s
        self._member = member
        self._suspension = ""
        """What was found last: its member's, in words."""
        self._kept: Consensus | None = None
        self._kept_s = 0.0
        self._reading: asyncio.Task[Consensus] | None = None
        """Under way, for all who ask meanwhile."""
        self._vote: tuple[int, float] | None = None
        """Of a vote at work: the height it is about, and since when it has been seen."""
        self._gone: tuple[frozenset[str], int] = frozenset(), 0
        """Keys of validators whom this node calls and is not connected to, and since when."""
        self._lag: tuple[int, float] | None = None
        """Of a node that is behind: where it stands, and since when it has been seen there."""

    async def read(self) -> Consensus:
        """Read how it does; the engine is not asked anew within a second, nor twice at a time."""
        if self._reading is None:
            if self._kept is not None and self._clock_s() - self._kept_s < KEPT_S:
                return self._kept
            self._reading = asyncio.create_task(self._read_anew())
        return await asyncio.shield(self._reading)  # who gives up does not end it for others

    async def _read_anew(self) -> Consensus:
        try:
            self._kept = await self._read()
            self._kept_s = self._clock_s()
            return self._kept
        finally:
            self._reading = None

    async def require_well(self) -> None:
        """Raise `Unavailable`, in words, where blocks do not come or this node lags behind."""
        found = await self.read()
        if not found.is_well:
            raise Unavailable(found.text)

    def note_suspension(self) -> str:
        """Say in words that the node's member is suspended, or nothing; also in the log, once."""
        if self._member is None or not self._chain.network.genesis.is_voted:
            return ""
        row = self._chain.machine.state.load(Member, Member.key(self._member))
        if row is None or not row.suspended:
            if self._suspension:
                _ALARMS.warning("%s was reinstated", row and row.name)
            self._suspension = ""
        elif not self._suspension:
            self._suspension = find_suspension(self._chain, self._member)
            _ALARMS.warning("%s", self._suspension)
        return self._suspension

    async def explain_missing(self, missing: NotFound) -> NotFound:
        """Say what it means that no block here holds a transaction: elsewhere one may.

        To be called at once when it was looked for, as blocks come meanwhile.
        """
        passed_ms = self._engine.passed_ms
        found = await self.read()
        if found.state == "sealed":
            return missing
        passed = format_iso(passed_ms, 0)
        if found.is_well:
            text = (
                f"this node has all blocks up to {passed}: what was valid until an earlier time "
                "never will be in one, and what is valid for longer may be yet"
            )
        else:
            text = (
                f"this node has the blocks up to {passed} only, and is behind or cut off: for what "
                "is valid for longer its answer proves nothing, and others may have confirmed it, "
                f"so do not send it anew, but ask another node. {found.text}"
            )
        return NotFound(f"{missing.message}; {text}", **missing.facts)

    async def _read(self) -> Consensus:
        try:
            seen = await self._engine.fetch_consensus()
        except Unavailable as error:
            return self._describe_none("silent", error.message)
        if seen is None:
            return self._describe_none("sealed", SEALED)
        peers = self._describe_peers(seen)
        validators = self._describe_validators(seen, peers)
        silent_ms = self._find_stall(seen, is_possible=self._is_block_possible(seen, validators))
        state: State = "stalled" if silent_ms is not None else "voting"
        stuck_ms = self._find_stuck(seen)
        if suspension := self.note_suspension():
            state, text = "suspended", suspension
        elif seen.is_catching_up:
            state = "catching_up" if stuck_ms < LAG_PATIENCE_MS else "stalled"
            text = _tell_lag(seen, len(peers), self._clock_ms(), stuck_ms)
        elif silent_ms is not None:
            text = _tell_stall(seen, validators, silent_ms)
        else:
            text = _tell_voting(seen, validators, self._clock_ms())
        return Consensus(
            state=state,
            text=text,
            height=self._chain.confirmed_height,
            consensus_height=seen.height,
            round=seen.round,
            step=_STEPS[seen.step] if seen.step < len(_STEPS) else str(seen.step),
            block_ms=seen.block_ms or None,
            started_ms=seen.started_ms,
            heartbeat_ms=seen.heartbeat_ms,
            power=sum(each.power for each in validators),
            present_power=sum(each.power for each in validators if each.is_connected),
            own_power=sum(each.power for each in validators if each.is_here),
            validators=validators,
            peers=peers,
            rules=self._describe_rules(),
        )

    def _describe_none(self, state: State, text: str) -> Consensus:
        return Consensus(
            state=state,
            text=text,
            height=self._chain.confirmed_height,
            consensus_height=None,
            round=None,
            step=None,
            block_ms=None,
            started_ms=None,
            heartbeat_ms=None,
            power=0,
            present_power=0,
            own_power=0,
            validators=[],
            peers=[],
            rules=self._describe_rules(),
        )

    def _describe_rules(self) -> Rules:
        row = self._chain.machine.state.load(Activations, Activations.key())
        return describe_rules(() if row is None else row.entries, self._chain.confirmed_height)

    def _is_block_possible(self, seen: SeenConsensus, validators: Sequence[ValidatorSeen]) -> bool:
        """Say whether a block may come: power enough is there, or may be, unseen from here.

        Of validators whom this node does not call it knows only that no line leads to them; and a
        block that came later than those went whom it calls has come through others.
        """
        rows = [self._chain.machine.state.load(Peer, Peer.key(each)) for each in seen.called]
        called = {to_text(row.member) for row in rows if row is not None}
        gone = [each for each in validators if not each.is_connected and each.member in called]
        keys, now_ms = frozenset(each.consensus_key for each in gone), self._clock_ms()
        before, since_ms = self._gone
        if not keys <= before:
            since_ms = now_ms
        self._gone = keys, since_ms
        if _are_enough(validators, gone) or seen.block_ms > since_ms + SETTLE_MS:
            return True
        return now_ms <= max(seen.block_ms + SETTLE_MS, seen.started_ms + PATIENCE_MS)

    def _find_stall(self, seen: SeenConsensus, *, is_possible: bool) -> int | None:
        """Find since how many milliseconds the network has stalled; None if it has not."""
        now_s, now_ms = self._clock_s(), self._clock_ms()
        is_vote = seen.round > 0 or seen.step in VOTING_STEPS
        if not is_vote:
            self._vote = None
        elif self._vote is None or self._vote[0] != seen.height:
            self._vote = (seen.height, now_s)
        begun_ms = max(seen.block_ms, seen.started_ms, seen.committed_ms)
        is_late = now_ms - begun_ms > seen.heartbeat_ms + PATIENCE_MS
        is_stuck = self._vote is not None and (now_s - self._vote[1]) * 1_000 > PATIENCE_MS
        if is_late or is_stuck or not is_possible:
            return max(now_ms - (seen.block_ms or seen.started_ms), 0)
        return None

    def _find_stuck(self, seen: SeenConsensus) -> int:
        """Find for how many milliseconds a node that is behind has been seen to get no block."""
        now_s = self._clock_s()
        if not seen.is_catching_up:
            self._lag = None
        elif self._lag is None or self._lag[0] != seen.height:
            self._lag = (seen.height, now_s)
        return 0 if self._lag is None else round((now_s - self._lag[1]) * 1_000)

    def _describe_peers(self, seen: SeenConsensus) -> list[PeerSeen]:
        peers = []
        for each in seen.peers:
            row = self._chain.machine.state.load(Peer, Peer.key(each.peer))
            member, name = self._name(None if row is None else row.member)
            peers.append(
                PeerSeen(
                    peer=each.peer.hex(),
                    member=member,
                    name=name,
                    is_outbound=each.is_outbound,
                    since_ms=each.since_ms,
                )
            )
        return sorted(peers, key=lambda each: (each.name, each.peer))

    def _describe_validators(
        self, seen: SeenConsensus, peers: Sequence[PeerSeen]
    ) -> list[ValidatorSeen]:
        connected = {peer.member for peer in peers if peer.member is not None}
        validators = []
        for each in seen.validators:
            row = self._chain.machine.state.load(UsedKey, UsedKey.key(each.consensus_key))
            member, name = self._name(None if row is None else row.member)
            is_here = each.consensus_key == seen.own_key
            validators.append(
                ValidatorSeen(
                    member=member,
                    name=name,
                    consensus_key=each.consensus_key.hex(),
                    power=each.power,
                    is_here=is_here,
                    is_connected=is_here or member in connected or each.is_voting,
                    has_voted=bool(each.voted_height) and each.voted_height >= seen.height - 1,
                    voted_height=each.voted_height or None,
                    voted_ms=each.voted_ms or None,
                    is_voting=each.is_voting,
                )
            )
        return sorted(validators, key=lambda each: (each.name, each.consensus_key))

    def _name(self, address: bytes | None) -> tuple[str | None, str]:
        """Name a member: its address as text, and what it is called."""
        if address is None:
            return None, STRANGER
        row = self._chain.machine.state.load(Member, Member.key(address))
        text = to_text(address)
        return text, text if row is None else row.name


def _tell_voting(seen: SeenConsensus, validators: Sequence[ValidatorSeen], now_ms: int) -> str:
    missing = [each for each in validators if not each.is_connected]
    there = _tell_missing(validators, missing) if missing else "every validator is connected"
    if seen.block_ms < seen.started_ms:
        told = (
            f"No block has come since this node started {_tell_age(now_ms - seen.started_ms)} ago"
        )
        if missing and not _are_enough(validators, missing):
            return f"{told}: {there}; {NEEDED}"
        if seen.height:
            every = _tell_age(seen.heartbeat_ms)
            return f"{told}: {there}; without transactions one comes every {every}."
    if not seen.height:
        return "The first block has not been voted on yet."
    troubles = [_tell_missing(validators, missing)] if missing else []
    silent = [each for each in validators if each.is_connected and not each.has_voted]
    if silent:
        troubles.append(f"the two newest have no vote of {_list_names(silent)} (connected)")
    if not troubles:
        return "Blocks come, and every validator is connected and votes."
    return f"Blocks come, though {', and '.join(troubles)}."


def _are_enough(validators: Sequence[ValidatorSeen], missing: Sequence[ValidatorSeen]) -> bool:
    """Say whether without those missing there is power enough for a block."""
    power = sum(each.power for each in validators)
    return 3 * (power - sum(each.power for each in missing)) > 2 * power


def _tell_missing(validators: Sequence[ValidatorSeen], missing: Sequence[ValidatorSeen]) -> str:
    """Say which validators are not there, and how much that weighs."""
    power = sum(each.power for each in validators)
    gone = sum(each.power for each in missing)
    verb = "is" if len(missing) == 1 else "are"
    return (
        f"{len(missing)} of {len(validators)} validators (power {gone:,} of {power:,}) {verb} not "
        f"connected to this node: {_list_names(missing)}"
    )


def _list_names(validators: Sequence[ValidatorSeen]) -> str:
    return ", ".join(each.name for each in validators)


def _tell_stall(seen: SeenConsensus, validators: Sequence[ValidatorSeen], silent_ms: int) -> str:
    missing = [each for each in validators if not each.is_connected]
    power = sum(each.power for each in validators)
    gone = sum(each.power for each in missing)
    begun = f"No block for {_tell_age(silent_ms)}"
    if _are_enough(validators, missing):
        there = f"{power - gone:,} of {power:,}"
        voting = {each.consensus_key.hex() for each in seen.validators if each.is_voting}
        silent = [each.name for each in validators if each.consensus_key not in voting]
        text = (
            f"{begun}, though validators with power {there} are connected; the vote on block "
            f"{seen.height + 1} stands at round {seen.round}, {_STEPS[seen.step]}"
        )
        if voting and silent:
            return (
                f"{text}, and none has come from {', '.join(silent)}: look into cometbft.log "
                "there, and at the clock."
            )
        return f"{text}: look into cometbft.log and at the clocks of the nodes."
    text = f"{begun}: {_tell_missing(validators, missing)}; {NEEDED}"
    if 3 * gone > 2 * power:
        text += " They may go on without this node: look at its own connection first."
    return text


def _tell_lag(seen: SeenConsensus, peers: int, now_ms: int, stuck_ms: int) -> str:
    if not peers:
        return (
            "This node is connected to no other, so it cannot know the newest blocks; it holds "
            f"those up to {seen.height} of the consensus."
        )
    from_whom = f"{peers} {'peer' if peers == 1 else 'peers'}"
    if stuck_ms >= LAG_PATIENCE_MS:
        return (
            f"This node is behind and has got no block for {_tell_age(stuck_ms)}, though it is "
            f"connected to {from_whom}: it holds those up to {seen.height} of the consensus; look "
            "into cometbft.log."
        )
    behind = f", {_tell_age(now_ms - seen.block_ms)} old" if seen.block_ms else ""
    return (
        f"This node is catching up: it holds the blocks up to {seen.height} of the consensus"
        f"{behind}, and gets the rest from {from_whom}."
    )


def _tell_age(ms: int) -> str:
    """Say how long something takes.

    >>> [_tell_age(ms) for ms in (41_000, 150_000, 7_300_000, 200_000_000)]
    ['41 s', '2 min', '2 h', '2 days']
    """
    seconds = max(ms, 0) // 1_000
    for size, unit in ((172_800, "days"), (7_200, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds // {'days': 86_400, 'h': 3_600, 'min': 60}[unit]} {unit}"
    return f"{seconds} s"
