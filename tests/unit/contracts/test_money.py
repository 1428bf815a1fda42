"""Money on the ledger: every rule that a payer, merchant, operator or central bank meets."""

from __future__ import annotations

import pytest
from tests.world import ASSET, MINUTE_MS, START_MS, key, make_genesis, open_world, pay

from hansa.contracts import currency, governance, payments, wallets
from hansa.contracts.actions import Action
from hansa.engine.storage import FileStorage

DAY_MS = 86_400_000


@pytest.fixture
def world(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())
    world.fund("ann", "bob", "shop")
    yield world
    world.chain.close()


def test_a_transfer_moves_money(world):
    assert world.do("ann", pay("ann", "shop", 250, "1")) == ""
    assert world.balance("ann") == (99_750, 0)
    assert world.balance("shop") == (100_250, 0)


@pytest.mark.parametrize(
    ("signer", "command", "code"),
    [
        ("bob", pay("ann", "shop", 1, "x"), "kernel.NOT_AUTHORIZED"),
        ("ann", pay("ann", "ann", 1, "x"), "payments.SAME_WALLET"),
        ("ann", pay("ann", "nobody", 1, "x"), "wallets.UNKNOWN_WALLET"),
        ("ann", pay("ann", "shop", 100_001, "x"), "balances.INSUFFICIENT_FUNDS"),
        ("ann", pay("ann", "shop", 1, "x", "ABC"), "balances.INSUFFICIENT_FUNDS"),
        ("ann", payments.Post(key("ann").address, "none", 1), "payments.UNKNOWN_PAYMENT"),
        ("ann", wallets.SelfUnfreeze(key("ann").address), "wallets.NOT_FROZEN"),
        ("ann", wallets.Close(key("ann").address), "wallets.NOT_EMPTY"),
    ],
)
def test_a_rule_refuses_and_nothing_changes(world, signer, command, code):
    root = world.chain.head.state_root
    before = [world.balance(name) for name in ("ann", "bob", "shop")]
    assert world.do(signer, command) == code
    assert [world.balance(name) for name in ("ann", "bob", "shop")] == before
    assert world.chain.head.state_root == root or world.results[-1].committed is not None


@pytest.mark.parametrize("amount", [0, -1, 2**63])
def test_an_amount_that_is_none_is_invalid(world, amount):
    assert world.do("ann", pay("ann", "shop", amount, "x")) == "AMOUNT"


def test_an_end_to_end_id_is_accepted_once_per_payer(world):
    assert world.do("ann", pay("ann", "shop", 1, "same")) == ""
    assert world.do("ann", pay("ann", "shop", 1, "same")) == "payments.ID_USED"
    assert world.do("bob", pay("bob", "shop", 1, "same")) == ""


def test_calls_of_a_transaction_succeed_or_fail_together(world):
    code = world.do("ann", pay("ann", "shop", 10, "1"), pay("ann", "shop", 100_000, "2"))
    assert code == "balances.INSUFFICIENT_FUNDS"
    assert world.balance("ann") == (100_000, 0)
    assert world.do("ann", pay("ann", "shop", 10, "1"), pay("ann", "bob", 20, "2")) == ""
    assert world.balance("ann") == (99_970, 0)


def test_a_hold_is_posted_once_and_the_rest_returns(world):
    ann, shop = key("ann").address, key("shop").address
    until = world.time_ms + DAY_MS
    assert world.do("ann", payments.Hold(ann, shop, ASSET, 500, "h", until)) == ""
    assert world.balance("ann") == (99_500, 500)
    assert world.do("ann", payments.Post(ann, "h", 1)) == "kernel.NOT_AUTHORIZED"
    assert world.do("ann", payments.Void(ann, "h")) == "kernel.NOT_AUTHORIZED"
    assert world.do("shop", payments.Post(ann, "h", 501)) == "payments.OVER_HOLD"
    assert world.do("shop", payments.Post(ann, "h", 300)) == ""
    assert world.balance("ann") == (99_700, 0)
    assert world.balance("shop") == (100_300, 0)
    assert world.do("shop", payments.Post(ann, "h", 1)) == "payments.WRONG_STATE"
    assert world.do("shop", payments.Void(ann, "h")) == "payments.WRONG_STATE"


def test_an_expired_hold_is_anyones_to_void_and_nobodys_to_post(world):
    ann, shop = key("ann").address, key("shop").address
    hold = payments.Hold(ann, shop, ASSET, 500, "h", world.time_ms + 5 * MINUTE_MS)
    assert world.do("ann", hold) == ""
    world.time_ms += 6 * MINUTE_MS
    assert world.do("shop", payments.Post(ann, "h", 1)) == "payments.HOLD_EXPIRED"
    assert world.do("bob", payments.Void(ann, "h")) == ""
    assert world.balance("ann") == (100_000, 0)


def test_refunds_never_exceed_the_payment(world):
    ann = key("ann").address
    assert world.do("ann", pay("ann", "shop", 400, "p")) == ""
    assert world.do("bob", payments.Refund(ann, "p", 1, "r")) == "kernel.NOT_AUTHORIZED"
    assert world.do("shop", payments.Refund(ann, "p", 401, "r")) == "payments.OVER_REFUND"
    assert world.do("shop", payments.Refund(ann, "p", 150, "r1")) == ""
    assert world.do("shop", payments.Refund(ann, "p", 251, "r2")) == "payments.OVER_REFUND"
    assert world.do("shop", payments.Refund(ann, "p", 250, "r2")) == ""
    assert world.do("shop", payments.Refund(ann, "p", 1, "r3")) == "payments.WRONG_STATE"
    assert world.balance("ann") == (100_000, 0)


def test_limits_are_those_of_the_category_by_day_and_year(tmp_path):
    limits = {"wallet.limits.4": (50_000, 200, 500, 900)}
    world = open_world(FileStorage(tmp_path), make_genesis(limits))
    world.fund("small", amount_minor=40_000, category=4)
    world.fund("shop")
    assert world.do("small", pay("small", "shop", 201, "a")) == "balances.SINGLE_LIMIT"
    assert world.do("small", pay("small", "shop", 200, "b")) == ""
    assert world.do("small", pay("small", "shop", 200, "c")) == ""
    assert world.do("small", pay("small", "shop", 101, "d")) == "balances.DAY_LIMIT"
    world.time_ms += DAY_MS
    assert world.do("small", pay("small", "shop", 200, "e")) == ""
    assert world.do("small", pay("small", "shop", 200, "f")) == ""
    world.time_ms += DAY_MS
    assert world.do("small", pay("small", "shop", 101, "g")) == "balances.YEAR_LIMIT"
    assert world.do("small", pay("small", "shop", 100, "h")) == ""
    assert world.do("shop", pay("shop", "small", 20_000, "i")) == "balances.BALANCE_LIMIT"
    world.chain.close()


def test_no_debit_after_a_freeze(world):
    ann, regulator = key("ann").address, key("regulator").address
    order = wallets.Freeze(ann, regulator, bytes(32))
    assert world.do("north", order) == "kernel.NOT_AUTHORIZED"
    assert world.do("regulator", order) == ""
    assert world.do("ann", pay("ann", "shop", 1, "x")) == "wallets.FROZEN"
    assert world.do("ann", wallets.SelfFreeze(ann)) == ""
    assert world.do("regulator", wallets.Unfreeze(ann, regulator)) == ""
    assert world.do("ann", pay("ann", "shop", 1, "x")) == "wallets.FROZEN"
    assert world.do("ann", wallets.SelfUnfreeze(ann)) == ""
    assert world.do("ann", pay("ann", "shop", 1, "x")) == ""


def test_money_ends_where_it_began(world):
    ann, north = key("ann").address, key("north").address
    assert world.do("ann", payments.CashOut(ann, ASSET, 100_000, "out")) == ""
    assert world.do("ann", wallets.Close(ann)) == ""
    assert world.do("bob", pay("bob", "ann", 1, "x")) == "wallets.CLOSED"
    redeem = currency.Redeem(north, ASSET, 100_000)
    assert world.do(("officer0", "north"), redeem) == "kernel.NOT_AUTHORIZED"
    assert world.do(("officer0", "officer1"), redeem) == "kernel.NOT_AUTHORIZED"
    assert world.do(("officer0", "officer2", "north"), redeem) == ""
    code = world.do(("officer0", "officer1", "north"), currency.Redeem(north, ASSET, 1))
    assert code == "currency.INSUFFICIENT_VAULT"


def test_only_officers_issue_and_within_quota(world):
    north = key("north").address
    issue = currency.Issue(north, ASSET, 10**12)
    assert world.do("officer0", issue) == "kernel.NOT_AUTHORIZED"
    assert world.do(("officer0", "officer1"), issue) == "currency.OVER_QUOTA"
    assert world.do("north", currency.Issue(north, ASSET, 1)) == "kernel.NOT_AUTHORIZED"


def test_a_payment_that_policy_wants_attested_is_refused_without(tmp_path):
    policy = {"payments.attestation_from_minor": (100,)}
    world = open_world(FileStorage(tmp_path), make_genesis(policy))
    world.fund("ann", "shop")
    assert world.do("ann", pay("ann", "shop", 99, "a")) == ""
    assert world.do("ann", pay("ann", "shop", 100, "b")) == "risk.ATTESTATION_REQUIRED"
    world.chain.close()


def test_a_payment_is_swept_when_its_time_is_over(world):
    ann = key("ann").address
    assert world.do("ann", pay("ann", "shop", 1, "p")) == ""
    assert world.do("bob", payments.Sweep(ann, "p")) == "payments.STILL_ON_RECORD"
    world.time_ms = START_MS + 400 * DAY_MS
    assert world.do("bob", payments.Sweep(ann, "p")) == ""
    assert world.do("bob", payments.Sweep(ann, "p")) == "payments.UNKNOWN_PAYMENT"


def test_a_vote_of_officers_redeems_only_what_the_operator_gives_up(world):
    north, bank = key("north").address, key("officer0").address
    world.do("ann", payments.CashOut(key("ann").address, ASSET, 100_000, "out"))
    redeem = Action.of("redeem", currency.Redeem(north, ASSET, 500))
    officers = ("officer0", "officer1")
    assert world.do(officers, governance.Propose(bank, redeem)) == ""
    world.time_ms += DAY_MS
    assert world.do("ann", governance.Execute(1)) == "kernel.NOT_AUTHORIZED"
    assert world.do("north", governance.Execute(1)) == ""


def test_a_vote_of_officers_issues_no_money_of_another_issuer(world):
    north, bank = key("north").address, key("officer0").address
    officers = ("officer0", "officer1")
    define = currency.Define("MOP.north", "MOP", north, currency.Regime.DEPOSIT, 2)
    quota = currency.SetQuota(north, "MOP.north", 1_000)
    assert world.do(officers, define, quota) == ""
    issue = Action.of("issue", currency.Issue(north, "MOP.north", 10))
    assert world.do(officers, governance.Propose(bank, issue)) == ""
    world.time_ms += DAY_MS
    assert world.do("north", governance.Execute(1)) == "currency.WRONG_ISSUER"
    assert world.do("north", currency.Issue(north, "MOP.north", 1_001)) == "currency.OVER_QUOTA"
    assert world.do("north", currency.Issue(north, "MOP.north", 1_000)) == ""
