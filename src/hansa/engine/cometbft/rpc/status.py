"""What CometBFT knows of its network: the round at work, who votes, and which peers are connected.

Source: CometBFT v0.38, rpc/openapi/openapi.yaml (status, net_info, validators, commit,
consensus_state); consensus/types/height_vote_set.go, round_state.go (steps).
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hansa.engine.cometbft.home import address_of_key
from hansa.engine.cometbft.protocol import abci_pb2 as abci
from hansa.engine.cometbft.rpc.answers import (
    FOR_THE_BLOCK,
    UNREADABLE,
    Rpc,
    fetch_validators,
    read_time,
)
from hansa.engine.ordering import SeenConsensus, SeenPeer, SeenValidator
from hansa.kernel.errors import Unavailable

FETCH_S: Final = 5
"""After so long CometBFT is taken not to answer: it does so in milliseconds."""
SECOND_VOTE: Final = 6
"""The step from which a round waits for precommits; before it, for prevotes."""
_NO_VOTE: Final = "nil-Vote"
_NS_PER_MS: Final = 1_000_000


class Attendance:
    """Remembers when each validator voted last, as the blocks themselves say."""

    def __init__(self) -> None:
        self.height = 0
        """The last block whose votes are known; 0 for none since this node started."""
        self._last: dict[bytes, tuple[int, int]] = {}

    def note(self, request: abci.RequestFinalizeBlock) -> None:
        """Take notice of the votes on the block before, which a decided block carries."""
        time_ms = request.time.seconds * 1_000 + request.time.nanos // _NS_PER_MS
        self.height = request.height - 1
        last = (self.height, time_ms)
        for vote in request.decided_last_commit.votes:
            if vote.block_id_flag == FOR_THE_BLOCK:
                self._last[vote.validator.address] = last

    def get(self, address: bytes) -> tuple[int, int]:
        """Get height and time of a validator's last vote since this node started; else zeros."""
        return self._last.get(address, (0, 0))


async def read_consensus(
    rpc: Rpc, attendance: Attendance, now_ms: int, times_ms: tuple[int, int], heartbeat_ms: int
) -> SeenConsensus:
    """Ask CometBFT how its network is doing.

    Args:
      rpc: of this node.
      attendance: of the blocks so far.
      now_ms: the wall clock.
      times_ms: when this node began to follow, and when it committed a block last, be it an old
        one, or 0.
      heartbeat_ms: how often a block comes without transactions.

    Raises:
      Unavailable: it does not answer, or not what it should.
    """
    try:
        async with asyncio.timeout(FETCH_S):
            return await _read(rpc, attendance, now_ms, times_ms, heartbeat_ms)
    except TimeoutError:
        raise Unavailable(f"CometBFT does not answer within {FETCH_S} s") from None
    except UNREADABLE as error:
        raise Unavailable(f"CometBFT answers what this program does not read: {error!r}") from None


async def _read(
    rpc: Rpc, attendance: Attendance, now_ms: int, times_ms: tuple[int, int], heartbeat_ms: int
) -> SeenConsensus:
    status, network, state = await asyncio.gather(
        rpc.call("status"), rpc.call("net_info"), rpc.call("consensus_state")
    )
    sync = status["sync_info"]
    height = int(sync["latest_block_height"])
    # Of a height that it has not come to CometBFT knows no validators.
    is_new = sync["catching_up"] and not height
    listed = [] if is_new else (await fetch_validators(rpc))["validators"]
    committed, came_ms = await _list_committed(rpc, height, attendance)
    started_ms, committed_ms = times_ms
    # A node that was started again, or is behind, commits blocks that others had before.
    has_come_here = not sync["catching_up"] and came_ms >= started_ms
    block_ms = (has_come_here and committed_ms) or came_ms
    _, round_, step = map(int, state["round_state"]["height/round/step"].split("/"))
    voting = _list_voting(state, round_, step)
    return SeenConsensus(
        height,
        block_ms if height else 0,
        started_ms,
        heartbeat_ms,
        round_,
        step,
        bool(sync["catching_up"]),
        b64decode(status["validator_info"]["pub_key"]["value"]),
        _describe_validators(listed, attendance, committed, voting, block_ms),
        tuple(_read_peer(each, now_ms) for each in network["peers"]),
        committed_ms,
    )


def _describe_validators(
    listed: Sequence[Mapping[str, Any]],
    attendance: Attendance,
    committed: Mapping[bytes, int],
    voting: Sequence[bool],
    block_ms: int,
) -> tuple[SeenValidator, ...]:
    validators = []
    for index, each in enumerate(listed):
        key = b64decode(each["pub_key"]["value"])
        address = address_of_key(key)
        last = attendance.get(address)
        if committed.get(address, 0) > last[0]:
            last = committed[address], block_ms
        is_voting = index < len(voting) and voting[index]
        validators.append(SeenValidator(key, int(each["voting_power"]), *last, is_voting))
    return tuple(validators)


async def _list_committed(
    rpc: Rpc, height: int, attendance: Attendance
) -> tuple[dict[bytes, int], int]:
    """List of each address whose vote on the newest block has come in the height of that block.

    With it comes when that was, which half of those votes say; 0 before the first block.
    A vote that came too late for that stands in the block after it. As long as this node has seen
    none of the votes on the block before, since it has just started, those count instead.
    """
    found: dict[bytes, int] = {}
    came_ms = 0
    wanted = [height] if attendance.height >= height - 1 else [height - 1, height]
    for each in wanted:
        if each < 1:
            continue
        try:
            answer = await rpc.call("commit", height=str(each))
        except Unavailable:
            if each == height:
                raise
            continue  # the node began with the newest block, from a snapshot
        signatures = answer["signed_header"]["commit"]["signatures"]
        votes = [vote for vote in signatures if vote["block_id_flag"] == FOR_THE_BLOCK]
        found |= {bytes.fromhex(vote["validator_address"]): each for vote in votes}
        times_ms = sorted(_read_time_ms(vote["timestamp"]) for vote in votes)
        came_ms = times_ms[len(times_ms) // 2]
    return found, came_ms


def _list_voting(state: Mapping[str, Any], round_: int, step: int) -> list[bool]:
    """List of each validator whether the vote has come in that a round waits for at a step.

    The second vote is not taken from the first: one that was stopped in between, or that came back
    and hangs, is waited for. CometBFT tells of all rounds up to the one after that at work, for
    which votes may come early.
    """
    return [
        second != _NO_VOTE or (step < SECOND_VOTE and first != _NO_VOTE)
        for votes in state["round_state"]["height_vote_set"]
        if votes["round"] == round_
        for first, second in zip(votes["prevotes"], votes["precommits"], strict=True)
    ]


def _read_peer(found: Mapping[str, Any], now_ms: int) -> SeenPeer:
    age_ms = int(found["connection_status"]["Duration"]) // _NS_PER_MS
    return SeenPeer(
        bytes.fromhex(found["node_info"]["id"]), bool(found["is_outbound"]), now_ms - age_ms
    )


def _read_time_ms(text: str) -> int:
    """Read a time; 0 for one before 1970, as Go writes that of no block."""
    moment = read_time(text)
    return max(0, moment.seconds * 1_000 + moment.nanoseconds // _NS_PER_MS)
