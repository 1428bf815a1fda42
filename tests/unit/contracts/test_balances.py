"""Balances: limits are a wallet's, over all money of a currency, whoever is liable for it."""

from __future__ import annotations

import pytest
from tests.world import ASSET, MINUTE_MS, key, make_genesis, open_world, pay

from hansa.contracts import currency, payments
from hansa.contracts.balances import Balance
from hansa.contracts.identity import tiers
from hansa.contracts.wallets import Category
from hansa.engine.storage import FileStorage
from hansa.kernel.rows import decode_row
from hansa.node.audit import audit

NORTH, SOUTH = key("north").address, key("south").address
DEPOSITS = {"north": "MOP.north", "south": "MOP.south"}
LIMITS = {"wallet.limits.4": (1_000, 200, 500, 900)}
SMALL, SHOP = key("small").address, key("shop").address


@pytest.fixture
def world(tmp_path):
    """A wallet with M0 and deposits of two banks, under limits that all of it shares."""
    world = open_world(FileStorage(tmp_path), make_genesis(LIMITS))
    world.fund("shop", amount_minor=100_000)
    world.fund("small", amount_minor=400, category=4)
    for name, asset in DEPOSITS.items():
        bank = key(name).address
        define = currency.Define(asset, "MOP", bank, currency.Regime.DEPOSIT, 2)
        quota = currency.SetQuota(bank, asset, 10**9)
        assert world.do(("officer0", "officer1"), define, quota) == ""
        issue = currency.Issue(bank, asset, 10**6)
        for wallet, amount_minor in ((SHOP, 10_000), (SMALL, 300)):
            cash = payments.CashIn(bank, wallet, asset, amount_minor, f"{wallet.hex()[:8]}")
            assert world.do(name, issue, cash) == ""
    yield world
    world.time_ms += 2_000
    assert world.do("shop", pay("shop", "small", 10**9, "checkpoint")) != ""
    report = audit(world.chain.iterate_records(0), world.network, world.chain.iterate_rows)
    assert report.findings == []
    world.chain.close()


def test_the_balance_limit_counts_all_money_of_the_currency(world):
    for asset in (ASSET, *DEPOSITS.values()):
        assert world.do("shop", pay("shop", "small", 1, asset, asset)) == "balances.BALANCE_LIMIT"
    assert world.do("small", pay("small", "shop", 100, "x", "MOP.north")) == ""
    assert world.do("shop", pay("shop", "small", 101, "y", "MOP.south")) == "balances.BALANCE_LIMIT"
    assert world.do("shop", pay("shop", "small", 100, "y", ASSET)) == ""


def test_limits_are_those_to_which_a_credential_lifts_a_wallet_and_only_while_it_does(world):
    """No command is needed at its end: ledger time is enough."""
    pay_more = pay("small", "shop", 300, "more")
    assert world.do("small", pay_more) == "balances.SINGLE_LIMIT"
    until_ms = world.time_ms + 10 * MINUTE_MS
    shown = (bytes([1]) * 32, bytes([2]) * 32, world.time_ms + MINUTE_MS, until_ms)
    lift = tiers.Raise(SMALL, NORTH, Category.III, *shown)
    assert world.do("north", lift) == ""
    assert world.do("small", pay_more) == ""
    assert world.do("shop", pay("shop", "small", 2_000, "back")) == ""
    world.time_ms = until_ms + 1
    assert world.do("small", pay("small", "shop", 300, "again")) == "balances.SINGLE_LIMIT"
    assert world.do("shop", pay("shop", "small", 1, "back 2")) == "balances.BALANCE_LIMIT"
    assert world.balance("small") == (2_100, 0)  # what it has above the limit stays


def test_day_and_year_limits_count_all_money_of_the_currency(world):
    assert world.do("small", pay("small", "shop", 200, "1", ASSET)) == ""
    assert world.do("small", pay("small", "shop", 200, "2", "MOP.north")) == ""
    for asset in (ASSET, "MOP.south"):
        assert world.do("small", pay("small", "shop", 101, "3", asset)) == "balances.DAY_LIMIT"
    until = world.time_ms + MINUTE_MS
    hold = payments.Hold(SMALL, SHOP, "MOP.south", 100, "3", until)
    assert world.do("small", hold) == ""
    assert world.do("shop", payments.Post(SMALL, "3", 60)) == ""
    assert world.do("small", payments.CashOut(SMALL, "MOP.south", 1, "4")) == "balances.DAY_LIMIT"
    world.time_ms += 86_400_000
    assert world.do("small", payments.CashOut(SMALL, "MOP.south", 200, "4")) == ""
    assert world.do("small", pay("small", "shop", 200, "5", ASSET)) == ""
    assert world.do("small", pay("small", "shop", 1, "6", "MOP.north")) == "balances.YEAR_LIMIT"
    assert world.do("shop", payments.Refund(SMALL, "5", 200, "back")) == ""
    assert world.do("small", pay("small", "shop", 1, "6", ASSET)) == "balances.YEAR_LIMIT"


def test_the_counted_deposits_are_those_of_the_rows(world):
    assert world.do("small", pay("small", "shop", 150, "1", "MOP.north")) == ""
    until = world.time_ms + MINUTE_MS
    for reference in ("2", "3"):
        hold = payments.Hold(SMALL, SHOP, "MOP.south", 100, reference, until)
        assert world.do("small", hold) == ""
    assert world.do("shop", payments.Post(SMALL, "2", 70)) == ""
    assert world.do("shop", payments.Refund(SMALL, "2", 20, "back")) == ""
    world.time_ms += 2_000
    assert world.do("shop", payments.Void(SMALL, "3")) == ""
    rows = [decode_row(Balance, raw) for _, raw in world.chain.iterate_rows(b"wb")]
    for wallet in (SMALL, SHOP):
        mine = {row.asset: row for row in rows if row.wallet == wallet}
        deposits = [mine[asset] for asset in DEPOSITS.values()]
        total = sum(row.available_minor + row.held_minor for row in deposits)
        assert mine[ASSET].deposits_minor == total
