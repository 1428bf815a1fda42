"""What a node tells of reconciliation: to the parties, and who may read the whole ledger."""

from __future__ import annotations

import pytest
from tests.world import key

from hansa.contracts.reconciliation import agreements, cases, positions, reconciliation
from hansa.contracts.reconciliation.reconciliation import Advance, Item, Post
from hansa.kernel.crypto.address import to_text

NORTH, SOUTH, BANK = (key(name).address for name in ("north", "south", "officer0"))
TAG, HASH = bytes(16), bytes([5]) * 32
ROOT = "/v1/reconciliation/agreements"


@pytest.fixture
def pair(own_town) -> str:
    """A window of which `north` posted an entry, and `south` none; a case and a position."""
    world = own_town.world
    proposal = agreements.Propose(NORTH, NORTH, SOUTH, HASH, 20_000, 1, 30)
    named = agreements.compute_id(proposal, world.network.digest)
    steps = [
        ("north", proposal),
        ("south", agreements.Accept(named, SOUTH)),
        ("north", Post(named, NORTH, 0, (Item(TAG, HASH),))),
        ("north", Advance(named, NORTH, 1)),
        ("south", Advance(named, SOUTH, 1)),
        ("north", cases.Open(named, NORTH, 0, HASH)),
        ("north", reconciliation.Agree(named, NORTH, 0, 1, 0, HASH, ())),
        ("south", reconciliation.Agree(named, SOUTH, 0, 1, 0, HASH, ())),
        ("north", positions.Sign(named, NORTH, 0, "MOP", HASH)),
    ]
    for name, command in steps:
        assert world.do(name, command) == "", command
    world.time_ms += 2_000
    assert world.do("north", agreements.Accept(bytes(32), NORTH)) != ""  # a checkpoint
    world.time_ms += 2_000
    assert world.do("south", agreements.Accept(bytes(32), SOUTH)) != ""
    return named.hex()


def test_parties_and_the_ledgers_readers_see_all_of_an_agreement(own_town, pair):
    callers = ("anyone", "customer", "operator", "other_operator", "member", "central_bank")
    own = f"{ROOT}/{pair}"

    async def use(client, _):
        for caller in callers:
            headers = own_town.sign_in(caller)
            found = {}
            for path in (
                *("", "/windows/0", f"/windows/0/tags/{TAG.hex()}", "/cases"),
                *(f"/cases/{HASH.hex()}", "/positions/0/MOP"),
            ):
                response = await client.get(own + path, headers=headers)
                found[path] = response
            status = {"anyone": 401, "customer": 404}.get(caller, 200)
            assert {each.status for each in found.values()} == {status}, caller
            if status == 200:
                told = [await each.json() for each in found.values()]
                check(told, pair)
                every = await (await client.get(ROOT, headers=headers)).json()
                assert [each["id"] for each in every["agreements"]] == [pair]
        headers = own_town.sign_in("operator")
        for path in ("/windows/1", "/windows/0/tags/" + "ff" * 16, "/positions/1/MOP"):
            assert (await client.get(own + path, headers=headers)).status == 404

    own_town.serve(use)


def check(told, pair):
    agreement, window, tag, listed, case, position = told
    assert (agreement["id"], agreement["left"]) == (pair, to_text(NORTH))
    assert (agreement["state"], agreement["closed"], agreement["agreed"]) == ("in_force", 1, 1)
    assert (window["left"]["open"], window["right"]["entries"]) == (1, 0)
    assert window["result"] == HASH.hex()
    assert tag["left"]["entries"] == 1
    assert listed["cases"] == [case]
    assert (case["state"], case["kind"], case["opener"]) == ("open", None, to_text(NORTH))
    assert (position["left"], position["is_agreed"]) == (HASH.hex(), False)
    assert position["settled_minor"] is None
