"""Payments at their edges: what a life cycle forgets, what limits add up to, who decided."""

from __future__ import annotations

import pytest
from tests.mixed_risk import add_officer
from tests.world import ASSET, MINUTE_MS, START_MS, key, make_genesis, open_world, pay

from hansa.contracts import accounts, currency, payments, wallets
from hansa.contracts.risk import risk
from hansa.contracts.risk.in_force import Basis
from hansa.engine.storage import FileStorage
from hansa.kernel.authority import ALL_PURPOSES, AccountKey, Purpose
from hansa.kernel.block import decode_receipt
from hansa.node.audit import audit
from hansa.sdk.build import sign_batch

DAY_MS = 86_400_000
ANN, SHOP = key("ann").address, key("shop").address


@pytest.fixture
def world(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())
    world.fund("ann", "bob", "shop")
    yield world
    world.chain.close()


def test_what_is_spent_in_a_day_may_exceed_all_the_money_there_is(tmp_path):
    """The counters of an unlimited wallet stop at the largest amount instead of overflowing."""
    world = open_world(FileStorage(tmp_path), make_genesis())
    world.fund("ann", "bob", amount_minor=1)
    north, much = key("north").address, 2**63 - 3
    officers = ("officer0", "officer1")
    quota, issue = currency.SetQuota(north, ASSET, 2**63 - 1), currency.Issue(north, ASSET, much)
    assert world.do(officers, quota, issue) == ""
    assert world.do("north", payments.CashIn(north, ANN, ASSET, much, "much")) == ""
    for turn in range(6):
        payer, payee = ("ann", "bob") if turn % 2 == 0 else ("bob", "ann")
        assert world.do(payer, pay(payer, payee, much, f"turn {turn}")) == ""
    assert world.balance("ann") == (much + 1, 0)
    world.chain.close()


def test_a_payment_whose_time_is_over_is_gone_whether_swept_or_not(world):
    """Expiry is evaluated when read: nothing may hang on who sweeps when."""
    assert world.do("ann", pay("ann", "shop", 10, "p")) == ""
    assert world.do("ann", pay("ann", "shop", 20, "q")) == ""
    world.time_ms += 366 * DAY_MS
    assert world.do("shop", payments.Sweep(ANN, "p")) == ""
    for reference in ("p", "q"):
        refund = payments.Refund(ANN, reference, 1, f"r{reference}")
        assert world.do("shop", refund) == "payments.UNKNOWN_PAYMENT"
        assert world.do("ann", pay("ann", "shop", 30, reference)) == ""
        assert world.do("ann", pay("ann", "shop", 30, reference)) == "payments.ID_USED"


def test_a_hold_stays_on_record_however_long_it_lasts(world):
    until = world.time_ms + MINUTE_MS
    assert world.do("ann", payments.Hold(ANN, SHOP, ASSET, 10, "h", until)) == ""
    world.time_ms += 800 * DAY_MS
    assert world.do("bob", payments.Sweep(ANN, "h")) == "payments.STILL_ON_RECORD"
    assert world.do("ann", pay("ann", "shop", 10, "h")) == "payments.ID_USED"
    assert world.do("bob", payments.Void(ANN, "h")) == ""
    assert world.balance("ann") == (100_000, 0)


def test_a_running_hold_is_given_back_by_its_payee_alone(world):
    until = world.time_ms + MINUTE_MS
    assert world.do("ann", payments.Hold(ANN, SHOP, ASSET, 10, "h", until)) == ""
    for stranger in ("ann", "bob", "north"):
        assert world.do(stranger, payments.Void(ANN, "h")) == "kernel.NOT_AUTHORIZED"
    assert world.do("shop", payments.Void(ANN, "h")) == ""


def test_a_refund_has_an_id_of_its_own_that_no_other_payment_uses(world):
    assert world.do("ann", pay("ann", "shop", 10, "p")) == ""
    assert world.do("shop", pay("shop", "bob", 1, "r")) == ""
    assert world.do("shop", payments.Refund(ANN, "p", 5, "r")) == "payments.ID_USED"
    assert world.do("shop", payments.Refund(ANN, "p", 5, "s")) == ""
    assert world.do("shop", pay("shop", "bob", 1, "s")) == "payments.ID_USED"
    assert world.do("ann", payments.Refund(SHOP, "s", 5, "t")) == "payments.WRONG_STATE"


def test_no_path_debits_a_frozen_wallet(world):
    """A hold made before, a refund, a conversion, closing: none of them."""
    regulator, until = key("regulator").address, world.time_ms + MINUTE_MS
    assert world.do("ann", payments.Hold(ANN, SHOP, ASSET, 10, "h", until)) == ""
    assert world.do("bob", pay("bob", "ann", 10, "paid")) == ""
    assert world.do("regulator", wallets.Freeze(ANN, regulator, bytes(32))) == ""
    attempts = [
        ("ann", pay("ann", "shop", 1, "x")),
        ("ann", payments.Hold(ANN, SHOP, ASSET, 1, "x", until)),
        ("shop", payments.Post(ANN, "h", 10)),
        ("ann", payments.Refund(key("bob").address, "paid", 10, "x")),
        ("ann", payments.CashOut(ANN, ASSET, 1, "x")),
        ("ann", wallets.Close(ANN)),
        ("bob", pay("bob", "ann", 1, "x")),
        ("north", payments.CashIn(key("north").address, ANN, ASSET, 1, "x")),
    ]
    for signer, command in attempts:
        assert world.do(signer, command) == "wallets.FROZEN", command
    assert world.do("shop", payments.Void(ANN, "h")) == ""
    assert world.balance("ann") == (100_010, 0)


@pytest.fixture
def attested(tmp_path):
    world = open_world(
        FileStorage(tmp_path), make_genesis({"payments.attestation_from_minor": (100,)})
    )
    world.fund("ann", "shop", amount_minor=10_000)
    yield world
    world.chain.close()


def send(world, signer, command, commitment, sponsor="north"):
    """Send one transaction with an attestation; returns its receipt."""
    envelope = world.sign([key(signer)], command)
    items = [(envelope, commitment)]
    batch = sign_batch(world.network, key(sponsor).address, key(f"{sponsor} server"), items)
    result = world.apply(batch)
    return decode_receipt(result.receipts[result.outcomes[0][0]])


def test_every_debit_of_a_wallet_binds_its_operators_decision(attested):
    """Transfers, holds, refunds and cash-outs, each in its event; from that operator alone."""
    world, mark = attested, bytes([7]) * 32
    until = world.time_ms + MINUTE_MS
    debits = [
        ("ann", pay("ann", "shop", 100, "p")),
        ("ann", payments.Hold(ANN, SHOP, ASSET, 100, "h", until)),
        ("shop", payments.Refund(ANN, "p", 100, "r")),
        ("ann", payments.CashOut(ANN, ASSET, 100, "o")),
    ]
    for signer, command in debits:
        for given, sponsor in ((None, "north"), (mark, "south")):
            receipt = send(world, signer, command, given, sponsor)
            assert receipt.code == "risk.ATTESTATION_REQUIRED"
        receipt = send(world, signer, command, mark)
        assert (receipt.code, receipt.events[0][2][-1]) == ("", mark)
    world.time_ms += 2_000
    assert world.do("ann", pay("ann", "shop", 1, "checkpoint")) == ""
    report = audit(world.chain.iterate_records(0), world.network, world.chain.iterate_rows)
    assert report.findings == []


def test_what_stays_below_the_threshold_needs_no_decision(attested):
    assert send(attested, "ann", payments.CashOut(ANN, ASSET, 99, "o"), None).code == ""


def test_a_model_that_is_suspended_within_a_block_lets_no_later_payment_pass(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis({"payments.model_from_minor": (100,)}))
    world.fund("ann", "shop", amount_minor=10_000)
    north, model, mark = key("north").address, bytes([1]) * 32, bytes([7]) * 32
    assert send(world, "ann", pay("ann", "shop", 99, "a"), None).code == ""
    assert send(world, "ann", pay("ann", "shop", 100, "b"), mark).code == "risk.NO_MODEL_IN_FORCE"
    assert world.do("north", add_officer("north")) == ""
    assert world.do("north", risk.Propose(north, model)) == ""
    assert world.do("north officer", risk.Approve(north, model)) == ""
    declaration = risk.Declare(north, (Basis(model, mark),))
    assert world.do(("north", "north officer"), declaration) == ""
    calls = [
        ("ann", pay("ann", "shop", 100, "b")),
        ("north officer", risk.Suspend(north, model)),
        ("ann", pay("ann", "shop", 100, "c")),
    ]
    items = [(world.sign([key(name)], call), mark) for name, call in calls]
    result = world.apply(sign_batch(world.network, north, key("north server"), items))
    codes = [decode_receipt(raw).code for raw in result.receipts]
    assert codes == ["", "", "risk.NO_MODEL_IN_FORCE"]
    world.chain.close()


def test_a_hold_ends_within_what_policy_allows(world):
    for until in (world.time_ms, world.time_ms + 30 * DAY_MS + 1):
        hold = payments.Hold(ANN, SHOP, ASSET, 10, "h", until)
        assert world.do("ann", hold) == "payments.WRONG_EXPIRY"


def test_limits_add_up_over_the_calls_of_a_transaction_and_a_days_border(tmp_path):
    limits = {"wallet.limits.4": (50_000, 200, 500, 900), "zone.offset_minutes": (480,)}
    world = open_world(FileStorage(tmp_path), make_genesis(limits))
    world.fund("small", amount_minor=40_000, category=4)
    world.fund("shop")
    calls = [pay("small", "shop", 200, f"{number}") for number in range(3)]
    assert world.do("small", *calls) == "balances.DAY_LIMIT"
    assert world.do("small", *calls[:2]) == ""
    small = key("small").address
    out, until = payments.CashOut(small, ASSET, 101, "out"), world.time_ms + MINUTE_MS
    assert world.do("small", out) == "balances.DAY_LIMIT"
    hold = payments.Hold(small, SHOP, ASSET, 100, "h", until)
    assert world.do("small", hold) == ""
    assert world.do("shop", payments.Void(small, "h")) == ""
    assert world.do("small", pay("small", "shop", 1, "x")) == "balances.DAY_LIMIT"
    zone_ms = 8 * 60 * MINUTE_MS
    midnight = (START_MS + zone_ms) // DAY_MS * DAY_MS + DAY_MS - zone_ms
    world.time_ms = midnight - 1
    assert world.do("small", pay("small", "shop", 1, "x")) == "balances.DAY_LIMIT"
    world.time_ms = midnight
    assert world.do("small", pay("small", "shop", 1, "x")) == ""
    world.chain.close()


def test_a_key_with_a_limit_pays_up_to_it(world):
    """A phone's key for small change beside the owner's own; the limit is of one payment."""
    keys = (AccountKey(ANN, ALL_PURPOSES), AccountKey(key("phone").address, Purpose.PAY, 1, 50))
    assert world.do("ann", accounts.Create(ANN, keys, 1)) == ""
    assert world.do("phone", pay("ann", "shop", 50, "1")) == ""
    assert world.do("phone", pay("ann", "shop", 51, "2")) == "kernel.OVER_KEY_LIMIT"
    hold = payments.Hold(ANN, SHOP, ASSET, 51, "3", world.time_ms + MINUTE_MS)
    assert world.do("phone", hold) == "kernel.OVER_KEY_LIMIT"
    assert world.do("phone", payments.CashOut(ANN, ASSET, 51, "4")) == "kernel.OVER_KEY_LIMIT"
    assert world.do("phone", accounts.SetKeys(ANN, keys, 1)) == "kernel.NOT_AUTHORIZED"
    assert world.do("ann", pay("ann", "shop", 51, "2")) == ""


def test_a_keys_limit_holds_for_money_that_is_ended_as_for_money_that_is_moved(world):
    north, clerk = key("north").address, key("clerk").address
    keys = (
        AccountKey(north, ALL_PURPOSES),
        AccountKey(key("north server").address, Purpose.SPONSOR),
        AccountKey(clerk, Purpose.OPERATE, 1, 10),
    )
    assert world.do("north", accounts.SetKeys(north, keys, 1)) == ""
    officers = ("officer0", "officer1")
    assert world.do(officers, currency.Issue(north, ASSET, 100)) == ""
    signers = (*officers, "clerk")
    assert world.do(signers, currency.Redeem(north, ASSET, 11)) == "kernel.OVER_KEY_LIMIT"
    assert world.do(signers, currency.Redeem(north, ASSET, 10)) == ""
    assert world.do((*officers, "north"), currency.Redeem(north, ASSET, 11)) == ""
