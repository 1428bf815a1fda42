"""What CometBFT's RPC answers, as it was recorded, becomes documents; anything else is told."""

from __future__ import annotations

import asyncio
import copy
import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.comet_rpc import FakeRpc
from tests.vectors.voting import make_voted

from hansa.engine.cometbft.rpc.light import fetch_light_block, read_signed_header, read_validators
from hansa.kernel.errors import Unavailable
from hansa.kernel.light.header import BlockId, Moment, Parts, build_vote

CASES = json.loads(
    (Path(__file__).resolve().parents[4] / "vectors" / "light" / "recorded.json").read_text()
)


def test_only_votes_for_the_block_are_taken():
    for case in CASES:
        signed = read_signed_header(case["input"]["commit"])
        votes = case["input"]["commit"]["signed_header"]["commit"]["signatures"]
        meant = [at for at, vote in enumerate(votes) if vote["block_id_flag"] == 2]
        assert [each.index for each in signed.signatures] == meant


TIMES = json.loads((Path(__file__).resolve().parents[4] / "vectors/light/times.json").read_text())


@pytest.mark.parametrize("case", TIMES, ids=lambda case: case["name"])
def test_a_vote_may_bear_any_time_of_the_years_1_to_9999(case):
    answer = copy.deepcopy(CASES[0]["input"]["commit"])
    answer["signed_header"]["commit"]["signatures"][0]["timestamp"] = case["input"]["time"]
    time = read_signed_header(answer).signatures[0].time
    assert [time.seconds, time.nanoseconds] == case["post"]["moment"]
    header = replace(read_signed_header(answer).header, chain_id="hansa-test", height=7)
    block = BlockId(b"\1" * 32, Parts(1, b"\2" * 32))
    assert build_vote(header, 1, block, time).hex() == case["post"]["signed"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timestamp", "0000-01-01T00:00:00Z"),
        ("timestamp", "10000-01-01T00:00:00Z"),
        ("timestamp", "2026-13-01T00:00:00Z"),
        ("signature", "AAAA"),
        ("signature", "A"),
    ],
)
def test_a_vote_that_cannot_be_held_does_not_spoil_the_others(name, value):
    answer = copy.deepcopy(CASES[0]["input"]["commit"])
    before = read_signed_header(answer).signatures
    answer["signed_header"]["commit"]["signatures"][0][name] = value
    assert read_signed_header(answer).signatures == before[1:]
    answer["signed_header"]["commit"]["signatures"][0][name] = None
    with pytest.raises(Unavailable, match="/commit"):
        read_signed_header(answer)


def test_times_are_read_to_the_nanosecond():
    answer = copy.deepcopy(CASES[0]["input"]["commit"])
    for text, moment in (
        ("1970-01-01T00:00:00Z", Moment(0, 0)),
        ("2026-11-29T03:40:14.1Z", Moment(1_795_923_614, 100_000_000)),
        ("2026-11-29T03:40:14.152996306Z", Moment(1_795_923_614, 152_996_306)),
    ):
        answer["signed_header"]["header"]["time"] = text
        assert read_signed_header(answer).header.time == moment


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time", "yesterday"),
        ("time", "2026-11-29T03:40:14+01:00"),
        ("time", None),
        ("height", "-1"),
        ("app_hash", "zz"),
        ("validators_hash", "00"),
        ("version", {}),
        ("last_block_id", []),
        ("chain_id", 7),
    ],
)
def test_an_odd_header_is_told(name, value):
    answer = copy.deepcopy(CASES[0]["input"]["commit"])
    answer["signed_header"]["header"][name] = value
    with pytest.raises(Unavailable, match="/commit"):
        read_signed_header(answer)


def test_odd_validators_are_told():
    good = CASES[0]["input"]["validators"]
    key = {**good["validators"][0], "pub_key": {"type": "tendermint/PubKeySecp256k1", "value": ""}}
    for odd in ({}, {**good, "total": "5"}, {**good, "validators": [key], "total": "1"}):
        with pytest.raises(Unavailable, match="/validators"):
            read_validators(odd)


def test_a_light_block_has_all_validators_in_one_page():
    rpc = FakeRpc(make_voted(), 9)
    found = asyncio.run(fetch_light_block(rpc, 4))
    assert read_signed_header(found.commit).header.height == 4
    assert found.validators["count"] == found.validators["total"]
    assert len(read_validators(found.validators).validators) == int(found.validators["total"])
    with pytest.raises(Unavailable, match="not available"):
        asyncio.run(fetch_light_block(rpc, 10))
