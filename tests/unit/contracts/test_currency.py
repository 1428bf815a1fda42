"""Currency: who may make and end money, in whose name, within which quota."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.contracts.harness import Harness, make_address, make_genesis, make_key, make_member

from hansa.contracts import currency, members
from hansa.contracts.currency import Asset, Code, Regime, Vault
from hansa.contracts.members import Role
from hansa.kernel.authority import AuthorityCode
from hansa.kernel.errors import Invalid
from hansa.kernel.genesis import GenesisAsset
from hansa.kernel.values import INT64_MAX

BANK, NORTH, SOUTH = make_address("bank"), make_address("north"), make_address("south")
OFFICERS = ("osk", "ida")
M0, DEPOSIT = "MOP", "MOP.north"


def make_harness(*assets: GenesisAsset) -> Harness:
    people = [
        make_member(
            "bank",
            Role.CENTRAL_BANK,
            Role.VALIDATOR,
            weight=1,
            keys=[make_key(officer) for officer in OFFICERS],
            threshold=2,
        ),
        make_member("north", Role.OPERATOR),
        make_member("south", Role.OPERATOR),
        make_member("office", Role.DEPARTMENT),
    ]
    assets = assets or (GenesisAsset(M0, "MOP", BANK, "m0"),)
    return Harness(make_genesis(people, assets=assets), members.install, currency.install)


@pytest.fixture
def harness():
    harness = make_harness()
    define = currency.Define(DEPOSIT, "MOP", NORTH, Regime.DEPOSIT, 2)
    harness.do(currency.define, define, *OFFICERS)
    for operator, asset in ((NORTH, M0), (SOUTH, M0), (NORTH, DEPOSIT)):
        harness.do(currency.set_quota, currency.SetQuota(operator, asset, 1_000), *OFFICERS)
    return harness


def suspend(harness, name):
    harness.do(members.suspend, make_address(name))


def test_a_suspended_issuer_makes_and_ends_no_money(harness):
    harness.do(currency.issue, currency.Issue(NORTH, DEPOSIT, 10), "north")
    suspend(harness, "north")
    attempts = [
        (currency.issue, currency.Issue(NORTH, DEPOSIT, 1)),
        (currency.issue, currency.Issue(SOUTH, DEPOSIT, 1)),
        (currency.redeem, currency.Redeem(NORTH, DEPOSIT, 1)),
        (currency.destroy, currency.Destroy(DEPOSIT, 1)),
    ]
    for function, command in attempts:
        assert harness.refuse(function, command, "north") == members.Code.SUSPENDED


def test_a_suspended_operators_quota_goes_down_only(harness):
    suspend(harness, "south")
    for quota_minor in (1_000, 1_001):
        quota = currency.SetQuota(SOUTH, M0, quota_minor)
        assert harness.refuse(currency.set_quota, quota, *OFFICERS) == members.Code.SUSPENDED
    harness.do(currency.set_quota, currency.SetQuota(SOUTH, M0, 0), *OFFICERS)
    assert harness.get(Vault, SOUTH, M0).quota_minor == 0


def test_an_institution_that_is_no_operator_any_more_issues_nothing(harness):
    harness.do(
        lambda view, context, address: members.set_roles(
            view, context, address, (Role.DEPARTMENT,)
        ),
        NORTH,
    )
    issue = currency.Issue(NORTH, DEPOSIT, 1)
    assert harness.refuse(currency.issue, issue, "north") == members.Code.WRONG_ROLE


def test_the_central_bank_winds_up_a_suspended_operator_with_it(harness):
    """Its M0 is the central bank's liability; both still have to agree."""
    harness.do(currency.issue, currency.Issue(NORTH, M0, 10), *OFFICERS)
    suspend(harness, "north")
    redeem = currency.Redeem(NORTH, M0, 10)
    assert harness.refuse(currency.redeem, redeem, *OFFICERS) == AuthorityCode.NOT_AUTHORIZED
    assert harness.refuse(currency.redeem, redeem, "north") == AuthorityCode.NOT_AUTHORIZED
    harness.do(currency.redeem, redeem, *OFFICERS, "north")
    move = currency.MoveVault(SOUTH, NORTH, M0, 1)
    assert harness.refuse(currency.move_vault, move, "south") == members.Code.SUSPENDED


def test_money_returned_to_the_central_bank_is_destroyed_there(harness):
    harness.do(currency.issue, currency.Issue(NORTH, M0, 10), *OFFICERS)
    harness.do(currency.move_vault, currency.MoveVault(NORTH, BANK, M0, 7), "north")
    too_much = currency.Destroy(M0, 8)
    assert harness.refuse(currency.destroy, too_much, *OFFICERS) == Code.INSUFFICIENT_VAULT
    destroy = currency.Destroy(M0, 5)
    assert harness.refuse(currency.destroy, destroy, OFFICERS[0]) == AuthorityCode.NOT_AUTHORIZED
    harness.do(currency.destroy, destroy, *OFFICERS)
    harness.do(currency.move_vault, currency.MoveVault(BANK, SOUTH, M0, 2), *OFFICERS)
    assert harness.get(Asset, M0).issued_minor == 5
    assert harness.get(Vault, SOUTH, M0).balance_minor == 2
    other = currency.MoveVault(NORTH, make_address("office"), M0, 1)
    assert harness.refuse(currency.move_vault, other, "north") == members.Code.WRONG_ROLE
    same = currency.MoveVault(NORTH, NORTH, M0, 1)
    assert harness.refuse(currency.move_vault, same, "north") == Code.SAME_VAULT


def test_a_quota_is_not_evaded_by_redeeming_and_moving(harness):
    """What is outstanding never exceeds the sum of quotas, however it is moved about."""
    for name, operator in (("north", NORTH), ("south", SOUTH)):
        harness.do(currency.issue, currency.Issue(operator, M0, 1_000), *OFFICERS)
        more = currency.Issue(operator, M0, 1)
        assert harness.refuse(currency.issue, more, *OFFICERS) == Code.OVER_QUOTA, name
    harness.do(currency.move_vault, currency.MoveVault(NORTH, SOUTH, M0, 600), "north")
    harness.do(currency.redeem, currency.Redeem(SOUTH, M0, 600), *OFFICERS, "south")
    more = currency.Issue(NORTH, M0, 1)
    assert harness.refuse(currency.issue, more, *OFFICERS) == Code.OVER_QUOTA
    harness.do(currency.issue, currency.Issue(SOUTH, M0, 600), *OFFICERS)
    more = currency.Issue(SOUTH, M0, 1)
    assert harness.refuse(currency.issue, more, *OFFICERS) == Code.OVER_QUOTA
    assert harness.get(Asset, M0).issued_minor == 2_000


def test_more_money_than_can_be_counted_is_refused(harness):
    for operator in (NORTH, SOUTH):
        quota = currency.SetQuota(operator, M0, INT64_MAX)
        harness.do(currency.set_quota, quota, *OFFICERS)
    harness.do(currency.issue, currency.Issue(NORTH, M0, INT64_MAX), *OFFICERS)
    more = currency.Issue(SOUTH, M0, 1)
    assert harness.refuse(currency.issue, more, *OFFICERS) == Code.OVERFLOW


@pytest.mark.parametrize(
    ("define", "code"),
    [
        (currency.Define(M0, "MOP", BANK, Regime.M0, 2), Code.ASSET_EXISTS),
        (currency.Define("EURO", "EUR", BANK, Regime.M0, 2), Code.WRONG_NAME),
        (currency.Define("EUR", "EU1", BANK, Regime.M0, 2), Code.WRONG_NAME),
        (currency.Define("EUR", "MOP", BANK, Regime.M0, 2), Code.WRONG_NAME),
        (currency.Define("MOP", "MOP", SOUTH, Regime.DEPOSIT, 2), Code.ASSET_EXISTS),
        (currency.Define("EUR", "EUR", SOUTH, Regime.DEPOSIT, 2), Code.WRONG_NAME),
        (currency.Define("MOP.", "MOP", SOUTH, Regime.DEPOSIT, 2), Code.WRONG_NAME),
        (currency.Define("MOP.s\u00fcd", "MOP", SOUTH, Regime.DEPOSIT, 2), Code.WRONG_NAME),
        (currency.Define("MOP.South", "MOP", SOUTH, Regime.DEPOSIT, 2), Code.WRONG_NAME),
        (currency.Define("EUR", "EUR", SOUTH, Regime.M0, 2), Code.WRONG_ISSUER),
        (currency.Define("MOP.bank", "MOP", BANK, Regime.DEPOSIT, 2), Code.WRONG_ISSUER),
        (
            currency.Define("MOP.x", "MOP", make_address("office"), Regime.DEPOSIT, 2),
            members.Code.WRONG_ROLE,
        ),
    ],
)
def test_an_asset_is_named_by_its_currency_and_issuer(harness, define, code):
    assert harness.refuse(currency.define, define, *OFFICERS) == code


def test_an_asset_without_sense_is_not_decoded():
    raw = currency.Define("MOP.x", "MOP", NORTH, Regime.DEPOSIT, 19)
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(raw), type=currency.Define)


@pytest.mark.parametrize(
    "asset",
    [
        GenesisAsset("MOP", "MOP", NORTH, "m0"),
        GenesisAsset("MOP", "MOP", BANK, "gold"),
        GenesisAsset("PATACA", "MOP", BANK, "m0"),
        GenesisAsset("MOP.office", "MOP", make_address("office"), "deposit"),
        GenesisAsset("MOP", "MOP", BANK, "m0", 99),
    ],
)
def test_genesis_with_an_unsound_asset_is_invalid(asset):
    with pytest.raises(Invalid, match="genesis asset"):
        make_harness(asset)


def test_genesis_names_an_asset_once():
    asset = GenesisAsset(M0, "MOP", BANK, "m0")
    with pytest.raises(Invalid, match="genesis asset"):
        make_harness(asset, asset)


def test_no_money_of_an_asset_that_is_not_there(harness):
    for function, command in (
        (currency.issue, currency.Issue(NORTH, "XTS", 1)),
        (currency.set_quota, currency.SetQuota(NORTH, "XTS", 1)),
    ):
        assert harness.refuse(function, command, *OFFICERS) == Code.UNKNOWN_ASSET
