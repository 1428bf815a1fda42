"""Positions: signed alike by both, settled with the money or not at all."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.contracts.harness import DAY_MS, Harness
from tests.unit.contracts.reconciliation.pair import (
    ASSET,
    DIGEST,
    KEEP_DAYS,
    LEFT,
    OTHER,
    PAIR,
    RIGHT,
    THIRD,
    advance,
    agree_on,
    found,
    pass_keep_time,
    post,
    state,
)

from hansa.contracts import currency
from hansa.contracts.reconciliation import agreements, positions, windows
from hansa.contracts.reconciliation.positions import (
    Code,
    Position,
    Settle,
    Settled,
    Sign,
    Signed,
    Sweep,
    Swept,
    compute_commitment,
)
from hansa.kernel.contract import NO_MONEY

SALT = bytes([7]) * 32
SETTLE = Settle(PAIR, 0, ASSET, LEFT, 500, SALT)
COMMITMENT = compute_commitment(SETTLE, DIGEST)
SIGN = Sign(PAIR, LEFT, 0, ASSET, COMMITMENT)
PAID = currency.VaultMoved(NO_MONEY, LEFT, RIGHT, ASSET, 500)


def changed(command, **changes):
    return msgspec.structs.replace(command, **changes)


@pytest.fixture
def harness() -> Harness:
    """Two windows that are agreed on."""
    harness = agree_on(found())
    post(harness, "left", 0, 1)
    advance(harness, 2)
    state(harness, 0)
    return harness


def sign(harness, opening=SETTLE):
    commitment = compute_commitment(opening, DIGEST)
    for name, bank in (("left", LEFT), ("right", RIGHT)):
        command = Sign(PAIR, bank, opening.window, ASSET, commitment)
        events = harness.do(positions.sign, command, name)
    return events


def test_both_sign_the_same_or_again(harness):
    wrong = changed(SIGN, commitment=OTHER)
    signed = harness.do(positions.sign, wrong, "left")
    assert signed == [Signed(NO_MONEY, PAIR, LEFT, 0, ASSET, OTHER, is_agreed=False)]
    harness.do(positions.sign, changed(SIGN, bank=RIGHT), "right")
    assert not harness.get(Position, PAIR, 0, ASSET).is_agreed
    assert harness.refuse(positions.settle, SETTLE, "left1") == Code.NOT_SIGNED_BY_BOTH
    assert harness.do(positions.sign, SIGN, "left")[0].is_agreed
    assert harness.refuse(positions.sign, wrong, "left") == Code.ALREADY_SIGNED_BY_BOTH


def test_signing_is_refused_by_the_first_rule_that_applies(harness):
    wrong = Sign(OTHER, THIRD, 1, "EUR", COMMITMENT)
    refused = [agreements.Code.UNKNOWN_AGREEMENT, "kernel.NOT_AUTHORIZED"]
    assert harness.refuse(positions.sign, wrong, "left") == refused[0]
    wrong = changed(wrong, agreement=PAIR)
    assert harness.refuse(positions.sign, wrong, "left") == refused[1]
    assert harness.refuse(positions.sign, wrong, "third") == agreements.Code.NOT_A_PARTY
    wrong = changed(wrong, bank=LEFT)
    assert harness.refuse(positions.sign, wrong, "left") == currency.Code.UNKNOWN_ASSET
    for window in (1, 9):
        wrong = changed(wrong, asset=ASSET, window=window)
        assert harness.refuse(positions.sign, wrong, "left") == Code.WINDOW_NOT_AGREED


def test_a_position_is_settled_with_the_money(harness):
    sign(harness)
    events = harness.do(positions.settle, SETTLE, "left1", earlier_events=[PAID])
    assert events == [Settled(NO_MONEY, PAIR, 0, ASSET, LEFT, RIGHT, 500)]
    row = harness.get(Position, PAIR, 0, ASSET)
    assert (row.is_settled, row.settled_minor) == (True, 500)
    again = harness.refuse(positions.settle, SETTLE, "left1", earlier_events=[PAID])
    assert again == Code.ALREADY_SETTLED


def test_settling_takes_the_payer_the_opening_and_all_of_the_money(harness):
    unknown = changed(SETTLE, payer=RIGHT, amount_minor=1)
    assert harness.refuse(positions.settle, unknown, "left1") == "kernel.NOT_AUTHORIZED"
    assert harness.refuse(positions.settle, unknown, "right1") == Code.UNKNOWN_POSITION
    sign(harness)
    for wrong in (
        {"amount_minor": 499},
        {"salt": OTHER},
        {"payer": RIGHT},
    ):
        command = changed(SETTLE, **wrong)
        assert harness.refuse(positions.settle, command, "left1", "right1") == Code.WRONG_OPENING
    for events in (
        [],
        [changed(PAID, amount_minor=499)],
        [changed(PAID, payer=RIGHT, payee=LEFT)],
        [changed(PAID, payee=THIRD)],
        [changed(PAID, asset="MOP.x")],
    ):
        code = harness.refuse(positions.settle, SETTLE, "left1", earlier_events=events)
        assert code == Code.NOT_PAID


def test_what_paid_for_one_position_does_not_pay_for_another(harness):
    state(harness, 1)
    later = changed(SETTLE, window=1, amount_minor=300)
    sign(harness)
    sign(harness, later)
    before = Settled(NO_MONEY, PAIR, 0, ASSET, LEFT, RIGHT, 500)
    code = harness.refuse(positions.settle, later, "left1", earlier_events=[PAID, before])
    assert code == Code.NOT_PAID
    assert harness.facts["moved_minor"] == 0
    more = changed(PAID, amount_minor=300)
    harness.do(positions.settle, later, "left1", earlier_events=[PAID, before, more])


def test_a_commitment_is_good_for_its_own_window_alone(harness):
    state(harness, 1)
    for name, bank in (("left", LEFT), ("right", RIGHT)):
        harness.do(positions.sign, changed(SIGN, bank=bank, window=1), name)
    command = changed(SETTLE, window=1)
    code = harness.refuse(positions.settle, command, "left1", earlier_events=[PAID])
    assert code == Code.WRONG_OPENING


def test_nothing_is_settled_by_nothing(harness):
    nothing = changed(SETTLE, amount_minor=0)
    sign(harness, nothing)
    assert harness.do(positions.settle, nothing, "left1")[0].amount_minor == 0


def test_a_position_is_swept_after_it_was_settled_or_its_agreement_is_over(harness):
    state(harness, 1)
    sign(harness)
    harness.do(positions.sign, changed(SIGN, window=1), "left")
    pass_keep_time(harness)
    sweep, other = Sweep(PAIR, 0, ASSET), Sweep(PAIR, 1, ASSET)
    assert harness.refuse(positions.sweep, Sweep(PAIR, 9, ASSET), "eve") == Code.UNKNOWN_POSITION
    assert harness.refuse(positions.sweep, sweep, "eve") == Code.STILL_ON_RECORD
    harness.do(positions.settle, SETTLE, "left1", earlier_events=[PAID])
    harness.pass_time(KEEP_DAYS * DAY_MS)
    assert harness.refuse(positions.sweep, sweep, "eve") == Code.STILL_ON_RECORD
    harness.pass_time(1)
    assert harness.do(positions.sweep, sweep, "eve") == [Swept(NO_MONEY, PAIR, 0, ASSET)]
    harness.do(agreements.end, agreements.End(PAIR, LEFT), "left1")
    assert harness.refuse(positions.sweep, other, "eve") == Code.STILL_ON_RECORD
    pass_keep_time(harness)
    harness.do(positions.sweep, other, "eve")
    assert windows.find_progress(harness.view, PAIR).rows == 2  # its windows
