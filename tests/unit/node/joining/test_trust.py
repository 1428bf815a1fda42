"""Where a node may begin is verified by itself; whom it asks does not matter."""

from __future__ import annotations

import asyncio

import pytest
from tests.channels import play
from tests.unit.node.joining.members import NETWORK, Member
from tests.vectors.voting import in_force, make_set

from hansa.kernel.errors import Invalid, NotFound, Unavailable
from hansa.kernel.genesis import Network
from hansa.kernel.light.header import Moment
from hansa.kernel.light.trail import Checkpoint, encode_checkpoint
from hansa.kernel.light.votes import begin
from hansa.node.joining.trust import ANSWER_S, OFFERS_MAX, find_trusts, load_start
from hansa.node.settings import parse_settings


def find_all(*members, start=None, tell=lambda _: None):
    names = ("a", "b", "c")
    sources = [member.as_source(name) for member, name in zip(members, names, strict=False)]
    return asyncio.run(find_trusts(sources, NETWORK, start or begin(NETWORK), tell))


def find(*members, start=None, tell=lambda _: None):
    return find_all(*members, start=start, tell=tell)[0]


def test_the_newest_that_anybody_offers_is_verified_from_genesis_on():
    trust = find(Member(7, 25), Member(), Member(33))
    assert (trust.snapshot_height, trust.height) == (33, 34)
    assert trust.trail.start == begin(NETWORK)
    assert trust.hash == trust.votes.signed_header.header.compute_hash()


def test_each_node_is_followed_to_its_newest_and_the_newest_of_all_comes_first():
    found = find_all(Member(7, 25), Member(33), Member(20, 25))
    assert [trust.snapshot_height for trust in found] == [33, 25]


def test_one_that_lies_is_passed_over():
    liar, forger, honest = Member(35), Member(34), Member(25, 33)
    liar.headers[35] = b"another header"  # which validators did not sign
    forger.comet.changes[35] = {"signers": ["north"]}
    assert find(liar, forger, honest).snapshot_height == 33
    with pytest.raises(Unavailable, match="is shown to be signed") as told:
        find(liar, forger)
    assert "block 35 at https://a.example: " in told.value.message
    assert "more than two thirds are needed" in told.value.message


def test_who_could_not_be_asked_is_told_while_others_are_left():
    silent, liar, told = Member(9), Member(35), []
    silent.get = silent_get
    liar.headers[35] = b"another header"
    assert find(silent, liar, Member(33), tell=told.append).snapshot_height == 33
    down, lie = told
    assert down == "https://a.example cannot be asked: it is down; going on with the others"
    assert lie.startswith("block 35 at https://b.example: ")
    assert lie.endswith("; going on with the others")


class Hanging(Member):
    """Offers a thousand snapshots, and shows the block of none."""

    asked = 0

    async def get(self, path):
        assert path == "/v1/snapshots"
        known = await super().get(path)
        return {"snapshots": [known["snapshots"][0] | {"height": 40 + n} for n in range(1_000)]}

    async def get_block(self, _):
        self.asked += 1
        await asyncio.Event().wait()


class Lagging(Member):
    """Has no votes yet on the blocks of its newest snapshots."""

    asked = 0

    async def fetch_votes(self, height):
        self.asked += 1
        if height > 30:
            raise Unavailable("validators have not signed it yet")
        return await super().fetch_votes(height)


def test_one_that_hangs_keeps_nobody_from_what_another_shows():
    hanging = Hanging(20)

    async def run():
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        sources = [hanging.as_source("a"), Member(33).as_source("b")]
        (found,) = await find_trusts(sources, NETWORK, begin(NETWORK), print)
        assert found.snapshot_height == 33
        assert loop.time() - began_s == pytest.approx(ANSWER_S)

    play(run)
    assert hanging.asked == 1


def test_a_few_of_one_node_are_tried_where_votes_are_not_there_yet():
    assert find(Lagging(25, 31, 32)).snapshot_height == 25
    lagging = Lagging(25, *range(31, 31 + OFFERS_MAX))
    with pytest.raises(Unavailable, match="have not signed it yet"):
        find(lagging)
    assert lagging.asked == OFFERS_MAX


def test_validators_are_followed_from_a_checkpoint(tmp_path):
    sets = make_set(in_force(25))
    kept = Checkpoint(NETWORK.genesis_hash, 25, Moment(1, 0), sets)
    (tmp_path / "kept").write_bytes(encode_checkpoint(kept))
    text = b'[cometbft]\njoin_checkpoint = "kept"\n'
    settings = parse_settings(text, tmp_path / "node.toml")
    start = load_start(settings, NETWORK)
    assert start == kept
    assert find(Member(33), start=start).trail.hand_overs == 2
    with pytest.raises(Unavailable, match="from before the validators known at height 25"):
        find(Member(20), start=start)
    other = Network.of(NETWORK.genesis.__class__(**{**fields(NETWORK.genesis), "network": "x"}))
    with pytest.raises(Invalid, match="is of another network"):
        load_start(settings, other)
    (tmp_path / "kept").unlink()
    with pytest.raises(NotFound):
        load_start(settings, NETWORK)


def fields(struct):
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def test_where_nobody_offers_one_that_is_told_with_what_to_do():
    silent = Member(9)
    silent.get = silent_get
    with pytest.raises(Unavailable) as told:
        find(Member(), silent)
    said = told.value.message
    assert "https://a.example keeps none; https://b.example cannot be asked: it is down" in said
    assert "history.snapshot_every" in said


async def silent_get(_):
    raise Unavailable("it is down; is it running there?")
