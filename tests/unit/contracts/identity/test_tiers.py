"""Tiers: what lifts a wallet, for how long, and what one person cannot lift twice."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.contracts.harness import (
    DAY_MS,
    HOUR_MS,
    START_MS,
    Harness,
    make_address,
    make_genesis,
    make_member,
)

from hansa.contracts import members, policy, wallets
from hansa.contracts.identity import tiers
from hansa.contracts.identity.tiers import Code, Lift, Lower, Nullifier, Raise, Reason, Sweep
from hansa.contracts.members import Role
from hansa.contracts.wallets import Category, Wallet
from hansa.kernel.authority import AuthorityCode

OPERATOR, OTHER = make_address("operator"), make_address("other")
ANN, BEN, CLEO = make_address("ann"), make_address("ben"), make_address("cleo")
BANK = (Role.CENTRAL_BANK, Role.VALIDATOR)
PERSON, SHOWN, SHOWN_LATER = (bytes([number]) * 32 for number in (1, 2, 3))
UNTIL_MS = START_MS + 100 * DAY_MS
RAISE = Raise(ANN, OPERATOR, Category.III, PERSON, SHOWN, START_MS + HOUR_MS, UNTIL_MS)


def changed(command, **fields):
    return msgspec.structs.replace(command, **fields)


@pytest.fixture
def harness():
    people = [
        make_member("bank", *BANK, weight=1),
        make_member("operator", Role.OPERATOR),
        make_member("other", Role.OPERATOR),
        make_member("office", Role.DEPARTMENT),
    ]
    harness = Harness(
        make_genesis(people, policy={"tiers.days_max": (200,)}), members.install, policy.install
    )
    for wallet, keeper in ((ANN, "operator"), (BEN, "operator"), (CLEO, "other")):
        command = wallets.Open(wallet, make_address(keeper), Category.IV)
        harness.do(wallets.open_wallet, command, keeper)
    return harness


def find_category(harness, wallet=ANN):
    return wallets.get_category(harness.get(Wallet, wallet), harness.time_ms)


def lift(harness, command=RAISE):
    harness.do(tiers.raise_wallet, command, "operator")


def refuse(harness, **fields):
    return harness.refuse(tiers.raise_wallet, changed(RAISE, **fields), "operator")


def test_a_presentation_lifts_a_wallet_until_its_time_is_over(harness):
    assert find_category(harness) is Category.IV
    (event,) = harness.do(tiers.raise_wallet, RAISE, "operator")
    told = (event.category, event.nullifier, event.presentation_hash, event.until_ms)
    assert told == (Category.III, PERSON, SHOWN, UNTIL_MS)
    row = harness.get(Lift, ANN)
    assert (row.nullifier, row.since_ms, row.presented_until_ms) == (
        PERSON,
        START_MS,
        START_MS + HOUR_MS,
    )
    assert find_category(harness) is Category.III
    harness.time_ms = UNTIL_MS
    assert find_category(harness) is Category.III
    harness.time_ms += 1
    assert find_category(harness) is Category.IV
    assert harness.get(Wallet, ANN).category is Category.IV


def test_only_the_wallets_own_operator_in_standing_lifts_and_lowers(harness):
    refused = harness.refuse
    raised = tiers.raise_wallet
    assert refused(raised, RAISE, "other") == AuthorityCode.NOT_AUTHORIZED
    assert refused(raised, changed(RAISE, operator=OTHER), "other") == Code.NOT_ITS_OPERATOR
    office = changed(RAISE, operator=make_address("office"))
    assert refused(raised, office, "office") == members.Code.WRONG_ROLE
    unknown = changed(RAISE, wallet=make_address("nobody"))
    assert refused(raised, unknown, "operator") == wallets.Code.UNKNOWN_WALLET
    lift(harness)
    lower = Lower(ANN, OTHER, Reason.REVOKED)
    assert refused(tiers.lower_wallet, lower, "other") == Code.NOT_ITS_OPERATOR
    harness.do(members.suspend, OPERATOR)
    lower = Lower(ANN, OPERATOR, Reason.REVOKED)
    assert refused(tiers.lower_wallet, lower, "operator") == AuthorityCode.NOT_AUTHORIZED
    assert refused(raised, changed(RAISE, wallet=BEN), "operator") == members.Code.SUSPENDED


def test_the_central_bank_lowers_for_an_operator_that_is_suspended(harness):
    """Else a revoked credential lifts for a year, and nobody can end it."""
    lift(harness)
    lower = Lower(ANN, OPERATOR, Reason.REVOKED)
    assert harness.refuse(tiers.lower_wallet, lower, "bank") == AuthorityCode.NOT_AUTHORIZED
    harness.do(members.suspend, OPERATOR)
    for signer in ("other", "office", "ann"):
        assert harness.refuse(tiers.lower_wallet, lower, signer) == AuthorityCode.NOT_AUTHORIZED
    wrong = changed(lower, operator=make_address("office"))
    assert harness.refuse(tiers.lower_wallet, wrong, "bank") == Code.NOT_ITS_OPERATOR
    harness.do(tiers.lower_wallet, lower, "bank")
    assert find_category(harness) is Category.IV
    assert harness.get(Nullifier, OPERATOR, PERSON) is None


def test_what_was_shown_too_long_ago_or_for_too_long_lifts_nothing(harness):
    now_ms = harness.time_ms
    assert refuse(harness, presented_until_ms=now_ms - 1) == Code.STALE
    assert refuse(harness, presented_until_ms=now_ms + DAY_MS + 1) == Code.STALE
    assert refuse(harness, until_ms=now_ms) == Code.WRONG_TIME
    assert refuse(harness, until_ms=now_ms + 200 * DAY_MS + 1) == Code.WRONG_TIME
    lift(harness, changed(RAISE, presented_until_ms=now_ms, until_ms=now_ms + 200 * DAY_MS))


def test_a_lift_is_at_most_a_year_where_policy_says_nothing():
    people = [make_member("bank", *BANK, weight=1), make_member("operator", Role.OPERATOR)]
    harness = Harness(make_genesis(people), members.install, policy.install)
    harness.do(wallets.open_wallet, wallets.Open(ANN, OPERATOR, Category.IV), "operator")
    latest_ms = START_MS + tiers.DAYS_MAX * DAY_MS
    assert refuse(harness, until_ms=latest_ms + 1) == Code.WRONG_TIME
    lift(harness, changed(RAISE, until_ms=latest_ms))


def test_a_wallet_rises_and_never_falls_by_a_credential(harness):
    assert refuse(harness, category=Category.IV) == Code.NOT_BETTER
    lift(harness, changed(RAISE, category=Category.II))
    assert refuse(harness, category=Category.III, nullifier=bytes(32)) == Code.NOT_BETTER
    lift(harness, changed(RAISE, category=Category.I, nullifier=SHOWN))
    assert find_category(harness) is Category.I
    assert harness.get(Nullifier, OPERATOR, PERSON) is None


def test_one_person_lifts_one_wallet_of_an_operator_to_a_category(harness):
    lift(harness)
    assert refuse(harness, wallet=BEN) == Code.NULLIFIER_USED
    assert harness.facts["wallet"] == ANN
    cleo = changed(RAISE, wallet=CLEO, operator=OTHER)
    harness.do(tiers.raise_wallet, cleo, "other")  # no operator takes another's away


def test_a_renewed_credential_lifts_the_same_wallet_on(harness):
    lift(harness)
    harness.pass_time(90 * DAY_MS)
    later_ms = harness.time_ms + 150 * DAY_MS
    renewed = changed(
        RAISE,
        presentation_hash=SHOWN_LATER,
        presented_until_ms=harness.time_ms,
        until_ms=later_ms,
    )
    lift(harness, renewed)
    harness.time_ms = later_ms
    assert find_category(harness) is Category.III
    assert harness.get(Lift, ANN).presentation_hash == SHOWN_LATER


def test_a_lowered_wallet_has_its_category_again_and_frees_the_nullifier(harness):
    lift(harness)
    lower = Lower(ANN, OPERATOR, Reason.REQUESTED)
    (event,) = harness.do(tiers.lower_wallet, lower, "operator")
    assert event.reason is Reason.REQUESTED
    assert find_category(harness) is Category.IV
    assert harness.get(Lift, ANN) is None
    assert harness.refuse(tiers.lower_wallet, lower, "operator") == Code.NOT_LIFTED
    lift(harness, changed(RAISE, wallet=BEN))


def test_a_lift_that_is_over_frees_the_nullifier_and_its_rows_are_swept(harness):
    assert harness.refuse(tiers.sweep, Sweep(ANN), "anybody") == Code.NOT_LIFTED
    lift(harness)
    assert harness.refuse(tiers.sweep, Sweep(ANN), "anybody") == Code.STILL_IN_TIME
    harness.time_ms = UNTIL_MS + 1
    lower = Lower(ANN, OPERATOR, Reason.EXPIRED)
    assert harness.refuse(tiers.lower_wallet, lower, "operator") == Code.NOT_LIFTED
    now_ms = harness.time_ms
    lift(harness, changed(RAISE, wallet=BEN, presented_until_ms=now_ms, until_ms=now_ms + DAY_MS))
    harness.do(tiers.sweep, Sweep(ANN), "anybody")
    assert harness.get(Lift, ANN) is None
    assert harness.get(Nullifier, OPERATOR, PERSON).wallet == BEN  # it lifts another one by now
    assert find_category(harness, BEN) is Category.III


def test_a_closed_wallet_frees_the_nullifier(harness):
    lift(harness)
    harness.do(wallets.close, wallets.Close(ANN), "ann")
    assert refuse(harness, category=Category.II) == wallets.Code.CLOSED
    lift(harness, changed(RAISE, wallet=BEN))
    harness.do(tiers.sweep, Sweep(ANN), "anybody")
    assert harness.get(Nullifier, OPERATOR, PERSON).wallet == BEN


def test_what_the_operator_gives_counts_beside_the_lift(harness):
    lift(harness)
    worse = wallets.SetCategory(ANN, Category.IV)
    harness.do(wallets.set_category, worse, "operator")
    assert find_category(harness) is Category.III
    better = wallets.SetCategory(ANN, Category.II)
    harness.do(wallets.set_category, better, "operator")
    assert find_category(harness) is Category.II
    harness.do(tiers.lower_wallet, Lower(ANN, OPERATOR, Reason.MISTAKEN), "operator")
    assert find_category(harness) is Category.II


def test_policy_says_which_categories_take_a_credential():
    people = [make_member("bank", *BANK, weight=1), make_member("operator", Role.OPERATOR)]
    genesis = make_genesis(people, policy={"wallet.unproven_category": (3,)})
    harness = Harness(genesis, members.install, policy.install)
    opening = wallets.Open(ANN, OPERATOR, Category.II)
    code = harness.refuse(wallets.open_wallet, opening, "operator")
    assert code == wallets.Code.UNPROVEN_CATEGORY
    assert harness.facts == {"category": "II", "best": "III"}
    harness.do(wallets.open_wallet, changed(opening, category=Category.IV), "operator")
    raising = wallets.SetCategory(ANN, Category.II)
    code = harness.refuse(wallets.set_category, raising, "operator")
    assert code == wallets.Code.UNPROVEN_CATEGORY
    harness.do(wallets.set_category, changed(raising, category=Category.III), "operator")
    lift(harness, changed(RAISE, category=Category.II))
    assert find_category(harness) is Category.II


def test_what_a_wallet_has_when_policy_changes_may_stay():
    people = [make_member("bank", *BANK, weight=1), make_member("operator", Role.OPERATOR)]
    harness = Harness(make_genesis(people), members.install, policy.install)
    harness.do(wallets.open_wallet, wallets.Open(ANN, OPERATOR, Category.I), "operator")
    change = ("wallet.unproven_category", START_MS + 1, (4,))
    harness.do(lambda view, context, values: policy.schedule(view, context, *values), change)
    harness.pass_time(1)
    harness.do(wallets.set_category, wallets.SetCategory(ANN, Category.I), "operator")
    harness.do(wallets.set_category, wallets.SetCategory(ANN, Category.II), "operator")
    back = wallets.SetCategory(ANN, Category.I)
    code = harness.refuse(wallets.set_category, back, "operator")
    assert code == wallets.Code.UNPROVEN_CATEGORY
