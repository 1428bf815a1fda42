"""What CometBFT says of its network, read from answers as it gives them."""

from __future__ import annotations

import asyncio
from base64 import b64encode

import pytest

from hansa.engine.cometbft.home import address_of_key
from hansa.engine.cometbft.protocol import abci_pb2 as abci
from hansa.engine.cometbft.rpc.status import Attendance, read_consensus
from hansa.engine.ordering import SeenPeer
from hansa.kernel.errors import Unavailable

KEYS = [bytes([number]) * 32 for number in range(1, 5)]
NOW_MS = 1_764_000_060_000
BLOCK_MS = 1_764_000_050_123
VOTED_AT = "2025-11-24T16:00:50.123456789Z"


def write_key(key):
    return {"type": "tendermint/PubKeyEd25519", "value": b64encode(key).decode()}


def write_votes(round_, prevotes=(), precommits=()):
    """Write the votes of a round as CometBFT does, which lists one round more than it is at."""
    votes = {"round": round_}
    for kind, name, cast in ((1, "Prevote", prevotes), (2, "Precommit", precommits)):
        text = f"16/0{round_}/SIGNED_MSG_TYPE_{name.upper()}({name}) 4D3AB1079821 A39C71E47B66"
        at = "000000000000 @ 2026-11-29T10:51:14.907355353Z"
        votes[f"{name.lower()}s"] = [
            f"Vote{{{index}:2283562B116{kind} {text} {at}}}" if index in cast else "nil-Vote"
            for index in range(4)
        ]
        marks = "".join("x" if index in cast else "_" for index in range(4))
        share = f"{100 * len(cast)}/400 = {len(cast) / 4:.2f}"
        votes[f"{name.lower()}s_bit_array"] = f"BA{{4:{marks}}} {share}"
    return votes


def write_commit(key, timestamp=VOTED_AT):
    address = address_of_key(key).hex().upper()
    return {"block_id_flag": 2, "validator_address": address, "timestamp": timestamp}


class SaidRpc:
    """Answers what is written down."""

    def __init__(self, **changes):
        signed = [
            write_commit(KEYS[0]),
            {"block_id_flag": 1, "validator_address": "", "timestamp": "0001-01-01T00:00:00Z"},
        ]
        peer = {
            "node_info": {"id": "ab" * 20},
            "is_outbound": True,
            "connection_status": {"Duration": "5000000000"},
        }
        self.answers = {
            "status": {
                "sync_info": {
                    "latest_block_height": "15",
                    "latest_block_time": "2025-11-24T16:00:20.000000000Z",
                    "catching_up": False,
                },
                "validator_info": {"pub_key": write_key(KEYS[0])},
            },
            "net_info": {"peers": [peer]},
            "consensus_state": {
                "round_state": {
                    "height/round/step": "16/1/6",
                    "height_vote_set": [
                        write_votes(0, prevotes=(0, 1, 2, 3), precommits=(0, 1, 2, 3)),
                        write_votes(1, prevotes=(1,), precommits=(2,)),
                        write_votes(2),
                    ],
                }
            },
            "commit": {"signed_header": {"commit": {"signatures": signed}}},
            **changes,
        }

    async def call(self, method, **parameters):
        sync = self.answers["status"]["sync_info"]
        if method == "validators" and sync["catching_up"] and sync["latest_block_height"] == "0":
            raise Unavailable("could not find validator set for height #0")
        if method == "validators":
            page = int(parameters["page"])
            shown = KEYS[2 * page - 2 : 2 * page]  # as if a page were of two
            found = [{"pub_key": write_key(key), "voting_power": "100"} for key in shown]
            return {"validators": found, "total": str(len(KEYS))}
        answer = self.answers[method]
        if isinstance(answer, Exception):
            raise answer
        return answer


def read(rpc, attendance=None, times_ms=(NOW_MS - 100_000, 0)):
    return asyncio.run(read_consensus(rpc, attendance or Attendance(), NOW_MS, times_ms, 30_000))


def test_heights_rounds_and_peers_are_read():
    seen = read(SaidRpc())
    assert (seen.height, seen.round, seen.step, seen.is_catching_up) == (15, 1, 6, False)
    assert (seen.block_ms, seen.heartbeat_ms, seen.own_key) == (BLOCK_MS, 30_000, KEYS[0])
    assert seen.peers == (SeenPeer(b"\xab" * 20, is_outbound=True, since_ms=NOW_MS - 5_000),)


def test_all_pages_of_validators_are_read_with_their_votes():
    validators = read(SaidRpc()).validators
    assert [each.consensus_key for each in validators] == KEYS
    assert [each.voted_height for each in validators] == [15, 0, 0, 0]
    assert [each.is_voting for each in validators] == [False, False, True, False]


@pytest.mark.parametrize(
    ("step", "voting"),
    [(4, [False, True, True, False]), (5, [False, True, True, False])]
    + [(step, [False, False, True, False]) for step in (6, 7, 8)],
)
def test_who_voted_first_and_was_then_stopped_is_waited_for_at_the_second_vote(step, voting):
    """Its first vote stays in the round, also where it comes back and votes no more."""
    votes = [write_votes(0, prevotes=(1,), precommits=(2,)), write_votes(1)]
    state = {"height/round/step": f"16/0/{step}", "height_vote_set": votes}
    seen = read(SaidRpc(consensus_state={"round_state": state}))
    assert [each.is_voting for each in seen.validators] == voting


def test_before_a_vote_of_a_round_nobody_is_voting():
    state = {"height/round/step": "16/0/1", "height_vote_set": [write_votes(0)]}
    seen = read(SaidRpc(consensus_state={"round_state": state}))
    assert not any(each.is_voting for each in seen.validators)


def test_when_a_validator_voted_last_is_remembered_from_the_blocks():
    attendance = Attendance()
    for height, flags in ((9, (2, 2, 1, 3)), (10, (2, 1, 1, 1))):
        request = abci.RequestFinalizeBlock(height=height)
        request.time.FromMilliseconds(height * 1_000)
        for key, flag in zip(KEYS, flags, strict=True):
            vote = request.decided_last_commit.votes.add(block_id_flag=flag)
            vote.validator.address = address_of_key(key)
        attendance.note(request)
    found = [(each.voted_height, each.voted_ms) for each in read(SaidRpc(), attendance).validators]
    assert found == [(15, BLOCK_MS), (8, 9_000), (0, 0), (0, 0)]


def test_right_after_a_start_the_votes_on_the_block_before_count_too():
    class TwoCommits(SaidRpc):
        async def call(self, method, **parameters):
            answer = await super().call(method, **parameters)
            if parameters != {"height": "14"}:
                return answer
            late = write_commit(KEYS[2])
            return {"signed_header": {"commit": {"signatures": [late]}}}

    heights = [each.voted_height for each in read(TwoCommits()).validators]
    assert heights == [15, 0, 14, 0]


def test_a_block_came_when_it_was_committed_here():
    assert read(SaidRpc(), times_ms=(1, NOW_MS - 3_000)).block_ms == NOW_MS - 3_000


def test_a_block_of_before_the_start_came_when_it_was_voted_on():
    """CometBFT commits it anew as it starts; when it was made is that of the block before."""
    signed = [
        write_commit(KEYS[0], "2025-11-24T15:59:11.000Z"),
        write_commit(KEYS[1], "2025-11-24T15:59:12.000Z"),
        write_commit(KEYS[2], "2025-11-24T19:00:00.000Z"),
    ]
    commit = {"signed_header": {"commit": {"signatures": signed}}}
    seen = read(SaidRpc(commit=commit), times_ms=(NOW_MS - 2_000, NOW_MS - 1_000))
    assert NOW_MS - seen.block_ms == 108_000
    assert seen.committed_ms == NOW_MS - 1_000


def test_a_block_that_a_node_catches_up_on_came_when_it_was_voted_on():
    said = SaidRpc()
    said.answers["status"]["sync_info"]["catching_up"] = True
    assert read(said, times_ms=(1, NOW_MS - 1_000)).block_ms == BLOCK_MS


def test_before_the_first_block_no_commit_is_asked_for():
    status = {
        "sync_info": {
            "latest_block_height": "0",
            "latest_block_time": "1970-01-01T00:00:00Z",
            "catching_up": True,
        },
        "validator_info": {"pub_key": write_key(KEYS[0])},
    }
    seen = read(SaidRpc(status=status, commit=Unavailable("no commit yet")))
    assert (seen.height, seen.block_ms, seen.is_catching_up) == (0, 0, True)
    assert seen.validators == ()


@pytest.mark.parametrize("wrong", [{}, {"peers": [{}]}, {"peers": None}])
def test_what_cannot_be_read_is_said(wrong):
    with pytest.raises(Unavailable, match="does not read"):
        read(SaidRpc(net_info=wrong))


@pytest.mark.parametrize("method", ["status", "net_info", "consensus_state", "commit"])
@pytest.mark.parametrize("wrong", [{}, None, [], "", {"sync_info": None}, {"signed_header": []}])
def test_no_answer_is_so_odd_that_anything_but_words_comes_of_it(method, wrong):
    rpc = SaidRpc()
    answers = {**rpc.answers, method: wrong}

    class OddRpc:
        async def call(self, asked, **parameters):
            return answers[asked] if asked != "validators" else await rpc.call(asked, **parameters)

    with pytest.raises(Unavailable, match="does not read"):
        read(OddRpc())
