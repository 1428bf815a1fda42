"""Whose transactions a node brings in under its own sponsor's key."""

from __future__ import annotations

import base64
import os

import pytest
from tests.api.served import UNLIMITED
from tests.world import ASSET, MINUTE_MS, key, pay

from hansa.contracts.accounts import Create
from hansa.contracts.currency import SetQuota
from hansa.kernel.authority import ALL_PURPOSES, AccountKey
from hansa.node.service import wall_clock_ms
from hansa.node.settings import Access, Limits, Settings, Sponsored
from hansa.sdk.build import sign_transaction

PATH = "/v1/transactions"


def sign(town, signers, *commands):
    """Sign, valid by the clock of the node that is served; as the API takes it."""
    until = wall_clock_ms() + 5 * MINUTE_MS
    keys = [key(name) for name in signers]
    signed = sign_transaction(town.world.network, keys, commands, until, os.urandom)
    return {"envelope": base64.b64encode(signed.envelope).decode()}


def pay_as(town, payer):
    return sign(town, [payer], pay(payer, "shop", 1, os.urandom(8).hex()))


def send(town, settings, caller, *bodies):
    """Send to a node that is served; returns statuses, titles, and how many blocks were made."""
    found = []

    async def use(client, node):
        before = node.chain.head.height
        for body in bodies:
            answer = await client.post(PATH, json=body, headers=town.sign_in(caller))
            found.append((answer.status, (await answer.json()).get("title")))
        found.append(node.chain.head.height - before)

    town.serve(use, settings, is_started=True)
    return found


def test_a_stranger_is_told_what_to_do_and_costs_no_block(own_town):
    bodies = [pay_as(own_town, "stranger")]
    settings = Settings(limits=UNLIMITED)
    assert send(own_town, settings, "anyone", *bodies) == [(401, "UNAUTHENTICATED"), 0]


@pytest.mark.parametrize("signers", [["ada"], ["officer0", "officer1"]])
def test_customers_and_members_need_no_key(own_town, signers):
    commands = {
        "ada": pay("ada", "shop", 1, "rent"),
        "officer0": SetQuota(key("north").address, ASSET, 10**15),
    }
    body = sign(own_town, signers, commands[signers[0]])
    assert send(own_town, Settings(limits=UNLIMITED), "anyone", body) == [(200, None), 1]


def test_a_known_caller_brings_in_what_it_likes(own_town):
    body = pay_as(own_town, "stranger")
    found = send(own_town, Settings(limits=UNLIMITED), "operator", body)
    assert found[0][0] in {403, 409}
    assert found[1] == 1


def test_anyone_is_sponsored_where_settings_say_so(own_town):
    settings = Settings(access=Access(sponsor_for=Sponsored.ANYONE), limits=UNLIMITED)
    assert send(own_town, settings, "anyone", pay_as(own_town, "stranger"))[1] == 1


def test_what_is_refused_costs_more(own_town):
    settings = Settings(limits=Limits(anyone_per_s=1, anyone_burst=30, refused_cost=25))
    bodies = [pay_as(own_town, "stranger") for _ in range(3)]
    found = send(own_town, settings, "anyone", *bodies)
    assert [status for status, _ in found[:-1]] == [401, 401, 429]


def test_a_customer_may_sign_with_a_key_of_its_account(own_town):
    safe = AccountKey(key("ada safe").address, int(ALL_PURPOSES))
    assert own_town.world.do(("ada", "ada safe"), Create(key("ada").address, (safe,), 1)) == ""
    body = sign(own_town, ["ada safe"], pay("ada", "shop", 1, "rent"))
    assert send(own_town, Settings(limits=UNLIMITED), "anyone", body) == [(200, None), 1]
