"""What a node tells of reconciliation: to the parties, and who may read the whole ledger."""

from __future__ import annotations

import pytest
from tests.world import key

from hansa.contracts.reconciliation import agreements, cases, positions, reconciliation
from hansa.contracts.reconciliation.reconciliation import Advance, Item, Post
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, NotFound
from hansa.kernel.machine.state import Reader
from hansa.sdk.async_client import AsyncClient
from hansa.sdk.identity.questions import DidQuestion
from hansa.sdk.reconciliation.questions import (
    AgreementQuestion,
    CaseQuestion,
    PositionQuestion,
    TagQuestion,
    WindowQuestion,
)

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


def test_a_client_reads_agreements_and_has_their_rows_proved(own_town, pair):
    agreement = bytes.fromhex(pair)
    questions = [
        AgreementQuestion(agreement),
        WindowQuestion(agreement, 0),
        TagQuestion(agreement, 0, TAG),
        CaseQuestion(agreement, HASH),
        PositionQuestion(agreement, 0, "MOP"),
        WindowQuestion(agreement, 1),
    ]

    async def use(server, node):
        url, state = str(server.make_url("/")).rstrip("/"), Reader(node.chain.machine.state)
        async with AsyncClient(url, api_key=own_town.tokens["operator"]) as client:
            ledger = client.reconciliation
            [listed] = await ledger.list_agreements()
            assert listed == await ledger.get_agreement(agreement)
            assert (await ledger.get_window(agreement, 0)).result == HASH.hex()
            assert (await ledger.get_tag(agreement, 0, TAG)).left.entries == 1
            assert await ledger.list_cases(agreement) == [await ledger.get_case(agreement, HASH)]
            assert (await ledger.get_position(agreement, 0, "MOP")).left == HASH.hex()
            for proven, question in zip(await ledger.ask_many(questions), questions, strict=True):
                assert proven.answer == question.read(state)
            assert proven.answer is None
            with pytest.raises(NotFound):
                await ledger.ask(AgreementQuestion(HASH))
            with pytest.raises(Invalid, match="array of 1 to 256 questions"):
                await ledger.ask_many([DidQuestion(NORTH)])
        for caller, error in (("customer", NotFound), ("anyone", Invalid)):
            async with AsyncClient(url, api_key=own_town.tokens.get(caller)) as client:
                with pytest.raises(error):
                    await client.reconciliation.ask(questions[1])

    own_town.serve(use)
