"""What CometBFT is shown while it joins: what members show and sign, and no more than it asks."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import ClientSession, UnixConnector
from msgspec.structs import replace
from tests.channels import play
from tests.comet_rpc import write_signed_header
from tests.unit.node.joining.members import NETWORK, Member

from hansa.engine.cometbft.home import CometHome
from hansa.engine.cometbft.rpc.client import CometRpc, RpcError
from hansa.engine.cometbft.rpc.light import (
    fetch_light_block,
    fetch_signed_header,
    fetch_validators,
    read_signed_header,
)
from hansa.kernel.errors import Invalid, Unavailable
from hansa.node.joining.relay import Relay
from hansa.node.joining.trust import ANSWER_S
from hansa.node.network.voting import write_first_block


def make_relay(*members, tell=lambda _: None):
    names = ("a", "b", "c")
    sources = [member.as_source(name) for member, name in zip(members, names, strict=False)]
    return Relay(sources, NETWORK, tell)


def fetch(relay, height, wait_s=10):
    return asyncio.run(relay.fetch(height, wait_s))


def test_a_light_client_gets_what_it_asks_for_on_a_socket(tmp_path):
    member, told = Member(), []

    async def use():
        relay = make_relay(member, tell=told.append)
        async with relay.serving(tmp_path / "light.sock"):
            rpc = CometRpc(tmp_path / "light.sock")
            signed = await fetch_signed_header(rpc, 21)
            validators = await fetch_validators(rpc, 21)
            for method, parameter in (("status", {}), ("commit", {}), ("commit", {"height": "x"})):
                with pytest.raises(RpcError):
                    await rpc.call(method, **parameter)
            with pytest.raises(RpcError, match="height 99"):
                await rpc.call("commit", height="99")
            await rpc.close()
        return signed, validators

    signed, validators = asyncio.run(use())
    assert signed.header.validators_hash == validators.compute_hash()
    assert member.comet.asked.count("commit") == 2  # once of each height that it was asked for
    assert any("shows CometBFT's height 99" in line for line in told)
    assert not (tmp_path / "light.sock").exists()


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b'{"method": "\xc1"}', b"[" * 100_000, b'{"id": ' + b"[" * 100_000]
)
def test_what_is_no_request_is_refused_as_one(tmp_path, raw):
    async def ask():
        path = tmp_path / "light.sock"
        async with (
            make_relay(Member()).serving(path),
            ClientSession(connector=UnixConnector(str(path))) as session,
            session.post("http://light/", data=raw) as answer,
        ):
            return await answer.json()

    assert asyncio.run(ask())["error"]


def test_nobody_chooses_the_parameters_that_a_node_begins_with(tmp_path):
    """They are those of the genesis that CometBFT would begin with; no hash covers most of them."""

    def choose(found):
        found["parameters"] = {"consensus_params": {"validator": {"pub_key_types": ["secp256k1"]}}}

    comet = CometHome(tmp_path)
    write_first_block(comet, NETWORK)
    request = {"id": 1, "method": "consensus_params", "params": {"height": "21"}}
    for relay in (make_relay(lie(Member(), choose), Member()), make_relay()):
        found = asyncio.run(relay.answer(request))["result"]
        assert found["block_height"] == "21"
        genesis = json.loads(comet.genesis_path.read_bytes())
        assert found["consensus_params"] == genesis["consensus_params"]


def lie(member, change):
    """Have a member answer something else."""

    async def get(path):
        found = (await fetch_light_block(member.comet, int(path.split("/")[-1])))._asdict()
        change(found)
        return found

    member.get = get
    return member


def forge(found):
    signed = read_signed_header(found["commit"])
    found["commit"] = write_signed_header(replace(signed, round=signed.round + 1))


def shift(found):
    found["commit"]["signed_header"]["header"]["height"] = "7"


@pytest.mark.parametrize("change", [dict.clear, forge, shift])
def test_what_is_not_signed_is_not_passed_on(change):
    assert fetch(make_relay(lie(Member(), change), Member()), 5) == fetch(make_relay(Member()), 5)
    with pytest.raises(Unavailable, match=r"no node of .* shows"):
        fetch(make_relay(lie(Member(), change)), 5)


def test_whose_turn_it_is_is_compared_as_nobody_signs_it():
    def turn(found):
        found["validators"]["validators"][0]["proposer_priority"] = "1"

    with pytest.raises(Invalid, match=r"https://a.example and https://b.example show different"):
        fetch(make_relay(Member(), lie(Member(), turn)), 5)


def test_one_that_hangs_is_waited_for_once():
    told, asked = [], []

    async def hang(path):
        asked.append(path)
        await asyncio.Event().wait()

    hanging = Member()
    hanging.get = hang
    relay = make_relay(hanging, Member(), tell=told.append)

    async def run():
        for height in (5, 6, 7):
            await relay.fetch(height)
        assert asyncio.get_running_loop().time() == pytest.approx(ANSWER_S, abs=1)

    play(run)
    assert asked == ["/v1/consensus/5"]
    assert told == [f"https://a.example: no answer within {ANSWER_S} s; going on with the others"]


def test_a_height_that_is_about_to_come_is_waited_for():
    member = Member()
    member.comet.late = {30: 2}
    assert read_signed_header(fetch(make_relay(member), 30).commit).header.height == 30
    member.comet.late = {31: 1_000}
    with pytest.raises(Unavailable, match="must be less than"):
        fetch(make_relay(member), 31, wait_s=0.1)
