"""Wallets: who may freeze and lift, and what an order outlives."""

from __future__ import annotations

import pytest
from tests.unit.contracts.harness import Harness, make_address, make_genesis, make_member

from hansa.contracts import members, policy, wallets
from hansa.contracts.members import Role
from hansa.contracts.wallets import Category, Code, Wallet
from hansa.kernel.authority import AuthorityCode

ANN = make_address("ann")
COURT, POLICE, OFFICE = make_address("court"), make_address("police"), make_address("office")
ORDER, OTHER_ORDER = bytes([1]) * 32, bytes([2]) * 32


@pytest.fixture
def harness():
    people = [
        make_member("bank", Role.CENTRAL_BANK, Role.VALIDATOR, weight=1),
        make_member("operator", Role.OPERATOR),
        make_member("court", Role.REGULATOR),
        make_member("police", Role.REGULATOR),
        make_member("office", Role.DEPARTMENT),
    ]
    harness = Harness(make_genesis(people), members.install, policy.install)
    command = wallets.Open(ANN, make_address("operator"), Category.IV)
    harness.do(wallets.open_wallet, command, "operator")
    return harness


def suspend(harness, name):
    harness.do(members.suspend, make_address(name))


def test_only_regulators_order(harness):
    order = wallets.Freeze(ANN, OFFICE, ORDER)
    assert harness.refuse(wallets.freeze, order, "office") == members.Code.WRONG_ROLE
    order = wallets.Freeze(ANN, COURT, ORDER)
    assert harness.refuse(wallets.freeze, order, "police") == AuthorityCode.NOT_AUTHORIZED
    suspend(harness, "court")
    assert harness.refuse(wallets.freeze, order, "court") == members.Code.SUSPENDED


def test_each_authority_lifts_its_own_order_and_the_last_one_frees(harness):
    harness.do(wallets.freeze, wallets.Freeze(ANN, COURT, ORDER), "court")
    again = wallets.Freeze(ANN, COURT, OTHER_ORDER)
    assert harness.refuse(wallets.freeze, again, "court") == Code.FROZEN
    harness.do(wallets.freeze, wallets.Freeze(ANN, POLICE, OTHER_ORDER), "police")
    lift = wallets.Unfreeze(ANN, COURT)
    assert harness.refuse(wallets.unfreeze, lift, "police") == AuthorityCode.NOT_AUTHORIZED
    harness.do(wallets.unfreeze, lift, "court")
    row = harness.get(Wallet, ANN)
    assert (row.authority, row.order_hash) == (POLICE, OTHER_ORDER)
    assert harness.refuse(wallets.unfreeze, lift, "court") == Code.NOT_FROZEN
    harness.do(wallets.unfreeze, wallets.Unfreeze(ANN, POLICE), "police")
    assert not harness.get(Wallet, ANN).authority


def test_orders_on_one_wallet_are_bounded(harness):
    places = [make_address(f"court {number}") for number in range(wallets.ORDERS_MAX + 1)]
    for number, place in enumerate(places):
        name = f"court {number}"
        harness.do(
            lambda view, context, address: members.admit(
                view, context, address, "court", (Role.REGULATOR,), 0
            ),
            place,
        )
        order = wallets.Freeze(ANN, place, ORDER)
        if number < wallets.ORDERS_MAX:
            harness.do(wallets.freeze, order, name)
        else:
            assert harness.refuse(wallets.freeze, order, name) == Code.TOO_MANY_ORDERS


def test_a_suspended_authority_lifts_nothing_and_the_central_bank_may(harness):
    """Else its order could be lifted by nobody, or by one who may no longer act."""
    harness.do(wallets.freeze, wallets.Freeze(ANN, COURT, ORDER), "court")
    lift = wallets.Unfreeze(ANN, COURT)
    assert harness.refuse(wallets.unfreeze, lift, "bank") == AuthorityCode.NOT_AUTHORIZED
    suspend(harness, "court")
    assert harness.refuse(wallets.unfreeze, lift, "court") == AuthorityCode.NOT_AUTHORIZED
    harness.do(wallets.unfreeze, lift, "bank")
    assert not harness.get(Wallet, ANN).authority


def test_an_operator_that_is_suspended_opens_and_raises_nothing(harness):
    operator = make_address("operator")
    suspend(harness, "operator")
    opening = wallets.Open(make_address("ben"), operator, Category.I)
    assert harness.refuse(wallets.open_wallet, opening, "operator") == members.Code.SUSPENDED
    raising = wallets.SetCategory(ANN, Category.I)
    assert harness.refuse(wallets.set_category, raising, "operator") == members.Code.SUSPENDED


def test_a_wallet_is_opened_once_and_its_category_changes(harness):
    again = wallets.Open(ANN, make_address("operator"), Category.I)
    assert harness.refuse(wallets.open_wallet, again, "operator") == Code.WALLET_EXISTS
    raising = wallets.SetCategory(ANN, Category.II)
    assert harness.refuse(wallets.set_category, raising, "ann") == AuthorityCode.NOT_AUTHORIZED
    harness.do(wallets.set_category, raising, "operator")
    assert harness.get(Wallet, ANN).category is Category.II


def test_an_owner_freezes_once_and_frees_once(harness):
    freeze, free = wallets.SelfFreeze(ANN), wallets.SelfUnfreeze(ANN)
    assert harness.refuse(wallets.self_unfreeze, free, "ann") == Code.NOT_FROZEN
    harness.do(wallets.self_freeze, freeze, "ann")
    assert harness.refuse(wallets.self_freeze, freeze, "ann") == Code.FROZEN
    assert harness.refuse(wallets.close, wallets.Close(ANN), "ann") == Code.FROZEN
    harness.do(wallets.self_unfreeze, free, "ann")
    harness.do(wallets.close, wallets.Close(ANN), "ann")
    assert harness.refuse(wallets.self_freeze, freeze, "ann") == Code.CLOSED
    nobody = wallets.SelfFreeze(make_address("nobody"))
    assert harness.refuse(wallets.self_freeze, nobody, "nobody") == Code.UNKNOWN_WALLET
