"""What CometBFT's RPC answers, as it was recorded, becomes documents; anything else is told."""

from __future__ import annotations

import asyncio
import copy
import json
from pathlib import Path

import pytest
from tests.comet_rpc import FakeRpc
from tests.vectors.voting import make_voted

from hansa.engine.cometbft.light import fetch_light_block, read_signed_header, read_validators
from hansa.kernel.errors import Unavailable
from hansa.kernel.light.header import Moment

CASES = json.loads(
    (Path(__file__).resolve().parents[3] / "vectors" / "light" / "recorded.json").read_text()
)


def test_only_votes_for_the_block_are_taken():
    for case in CASES:
        signed = read_signed_header(case["input"]["commit"])
        votes = case["input"]["commit"]["signed_header"]["commit"]["signatures"]
        meant = [at for at, vote in enumerate(votes) if vote["block_id_flag"] == 2]
        assert [each.index for each in signed.signatures] == meant


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
    assert found.parameters["block_height"] == "4"
    with pytest.raises(Unavailable, match="not available"):
        asyncio.run(fetch_light_block(rpc, 10))
