"""Members: who is one, in which role, and how slowly voting power moves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.unit.contracts.harness import (
    START_MS,
    Harness,
    make_address,
    make_genesis,
    make_key,
    make_member,
)

from hansa.contracts import accounts, members
from hansa.contracts.members import Code, Role
from hansa.kernel.authority import Account
from hansa.kernel.contract import NO_MONEY, Command, Event
from hansa.kernel.errors import Corrupt, Invalid
from hansa.kernel.genesis import GenesisMember
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View

BANK, OPERATOR, FIRST, SECOND = (
    make_address(name) for name in ("bank", "operator", "first", "second")
)
GENESIS = (
    make_member("bank", Role.CENTRAL_BANK),
    make_member("operator", Role.OPERATOR),
    make_member("first", Role.VALIDATOR, Role.REGULATOR, weight=100),
    make_member("second", Role.VALIDATOR, weight=100),
    make_member("third", Role.VALIDATOR, weight=100),
    make_member("fourth", Role.VALIDATOR, weight=100),
)

Change = Callable[[View, Context], list[Event]]


class Nothing(Command, frozen=True, array_like=True):
    """Changes of members come from governance: the test calls them directly."""


def make_harness() -> Harness:
    return Harness(make_genesis(GENESIS), members.install)


def change(harness: Harness, step: Change) -> list[Event]:
    return harness.do(lambda view, context, _: step(view, context), Nothing())


def refuse(harness: Harness, step: Change) -> str:
    return harness.refuse(lambda view, context, _: step(view, context), Nothing())


def weights(harness: Harness, version: int | None = None) -> dict[bytes, int]:
    roster = members.get_roster(harness.view, version)
    return {} if roster is None else {entry.address: entry.weight for entry in roster.entries}


def test_genesis_names_members_keys_and_voting_power() -> None:
    harness = make_harness()
    assert members.get_central_bank(harness.view) == BANK
    assert harness.get(Account, BANK) == Account(BANK, (make_key("bank"),), 1, since_ms=START_MS)
    roster = members.get_roster(harness.view)
    assert roster is not None
    assert (roster.version, roster.total, roster.since_ms) == (1, 400, START_MS)
    first = members.get_member(harness.view, FIRST)
    assert first is not None
    assert first.roles == (Role.REGULATOR, Role.VALIDATOR)
    assert members.is_active(harness.view, OPERATOR, Role.OPERATOR)
    assert not members.is_active(harness.view, OPERATOR, Role.VALIDATOR)
    assert not members.is_active(harness.view, make_address("nobody"), Role.OPERATOR)
    assert members.require_role(harness.view, OPERATOR, Role.OPERATOR).name == "operator"


def test_an_institution_joins_and_gains_power_with_a_new_roster() -> None:
    harness = make_harness()
    new = make_address("new")
    events = change(
        harness,
        lambda view, context: members.admit(
            view, context, new, "New Bank", (Role.VALIDATOR, Role.OPERATOR), 50
        ),
    )
    roles = (Role.OPERATOR, Role.VALIDATOR)
    assert events[0] == members.MemberAdmitted(NO_MONEY, new, "New Bank", roles, 50)
    assert isinstance(events[1], members.RosterChanged)
    assert events[1].version == 2
    assert weights(harness)[new] == 50
    assert new not in weights(harness, 1)
    assert [entry.address for entry in events[1].entries] == sorted(weights(harness))


def test_a_suspended_member_has_no_role_and_no_power_until_it_is_reinstated() -> None:
    harness = make_harness()
    change(harness, lambda view, context: members.suspend(view, context, FIRST))
    assert FIRST not in weights(harness)
    assert not members.is_active(harness.view, FIRST, Role.REGULATOR)
    assert refuse(harness, lambda view, _: _role(view, FIRST, Role.REGULATOR)) == Code.SUSPENDED
    harness.pass_time(members.POWER_WINDOW_MS)
    change(harness, lambda view, context: members.reinstate(view, context, FIRST))
    assert weights(harness)[FIRST] == 100


def test_roles_change_without_touching_the_roster() -> None:
    harness = make_harness()
    roles = (Role.OPERATOR, Role.ACQUIRER)
    events = change(
        harness, lambda view, context: members.set_roles(view, context, OPERATOR, roles)
    )
    assert events == [
        members.RolesSet(NO_MONEY, OPERATOR, (Role.ACQUIRER, Role.OPERATOR)),
    ]
    assert members.is_active(harness.view, OPERATOR, Role.ACQUIRER)


def test_less_than_a_third_of_the_power_moves_in_any_window() -> None:
    harness = make_harness()

    def raise_to(weight: int) -> Change:
        return lambda view, context: members.set_weight(view, context, FIRST, weight)

    assert refuse(harness, raise_to(300)) == Code.POWER_CHANGE
    change(harness, raise_to(200))
    harness.pass_time(members.POWER_WINDOW_MS - 1)
    assert refuse(harness, raise_to(300)) == Code.POWER_CHANGE
    change(harness, raise_to(299))
    assert refuse(harness, raise_to(298)) == Code.POWER_CHANGE
    harness.pass_time(1)
    change(harness, raise_to(298))
    harness.pass_time(members.POWER_WINDOW_MS)
    assert refuse(harness, raise_to(98)) == Code.POWER_CHANGE
    change(harness, raise_to(100))


def test_a_refusal_tells_when_enough_of_the_window_is_over() -> None:
    harness, day_ms = make_harness(), members.POWER_WINDOW_MS

    def set_weight(weight: int) -> Change:
        return lambda view, context: members.set_weight(view, context, FIRST, weight)

    def tell_ready(weight: int) -> object:
        assert refuse(harness, set_weight(weight)) == Code.POWER_CHANGE
        return harness.facts.get("ready_ms")

    for weight in (140, 180):
        change(harness, set_weight(weight))
        harness.pass_time(day_ms // 4)
    assert tell_ready(110) == START_MS + day_ms, "once the first is over"
    assert tell_ready(60) == START_MS + day_ms + day_ms // 4, "once both are"
    assert tell_ready(0) is None, "never, in one step"
    harness.pass_time(day_ms // 2 - 1)
    assert tell_ready(110) == harness.time_ms + 1
    harness.pass_time(1)
    change(harness, set_weight(110))


def test_changes_of_one_moment_leave_the_window_together() -> None:
    harness = make_harness()

    def set_weight(weight: int) -> Change:
        return lambda view, context: members.set_weight(view, context, FIRST, weight)

    for weight in (140, 180):
        change(harness, set_weight(weight))
    harness.pass_time(1)
    assert refuse(harness, set_weight(60)) == Code.POWER_CHANGE
    assert harness.facts["ready_ms"] == START_MS + members.POWER_WINDOW_MS
    harness.pass_time(members.POWER_WINDOW_MS - 1)
    change(harness, set_weight(60))


def test_old_rosters_are_dropped() -> None:
    harness = make_harness()
    for step in range(members.ROSTERS_KEPT):
        weight = 101 + step % 2
        change(harness, lambda view, context, w=weight: members.set_weight(view, context, FIRST, w))
        harness.pass_time(members.POWER_WINDOW_MS)
    assert members.get_roster(harness.view, 1) is None
    assert members.get_roster(harness.view, 2) is not None
    rows = [key for key in harness.rows if key.startswith(members.Roster.TABLE)]
    assert len(rows) == members.ROSTERS_KEPT


def _role(view: View, address: bytes, role: Role) -> list[Event]:
    members.require_role(view, address, role)
    return []


def _admit(name: str, *roles: Role, weight: int = 0) -> Change:
    address = make_address(name)
    return lambda view, context: members.admit(view, context, address, name, roles, weight)


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (lambda v, _: _role(v, make_address("nobody"), Role.OPERATOR), Code.NOT_A_MEMBER),
        (lambda v, c: members.suspend(v, c, make_address("nobody")), Code.NOT_A_MEMBER),
        (lambda v, _: _role(v, OPERATOR, Role.VALIDATOR), Code.WRONG_ROLE),
        (_admit("operator", Role.OPERATOR), Code.ALREADY_MEMBER),
        (lambda v, c: members.reinstate(v, c, OPERATOR), Code.NOT_SUSPENDED),
        (_admit("new", Role.CENTRAL_BANK), Code.CENTRAL_BANK_FIXED),
        (lambda v, c: members.suspend(v, c, BANK), Code.CENTRAL_BANK_FIXED),
        (lambda v, c: members.set_roles(v, c, BANK, ()), Code.CENTRAL_BANK_FIXED),
        (
            lambda v, c: members.set_roles(v, c, OPERATOR, (Role.CENTRAL_BANK,)),
            Code.CENTRAL_BANK_FIXED,
        ),
        (_admit("new", Role.OPERATOR, weight=1), Code.WEIGHT_NEEDS_VALIDATOR),
        (lambda v, c: members.set_roles(v, c, FIRST, ()), Code.WEIGHT_NEEDS_VALIDATOR),
        (
            lambda v, c: members.set_weight(v, c, FIRST, members.WEIGHT_MAX + 1),
            Code.WEIGHT_TOO_LARGE,
        ),
        (_admit("new", Role.VALIDATOR, weight=200), Code.POWER_CHANGE),
    ],
)
def test_refusals(step: Change, code: Code) -> None:
    assert refuse(make_harness(), step) == code


def test_there_is_room_for_128_validators() -> None:
    crowd = [
        make_member(f"v{number}", Role.VALIDATOR, weight=10)
        for number in range(members.VALIDATORS_MAX)
    ]
    harness = Harness(make_genesis([GENESIS[0], *crowd]), members.install)
    step = _admit("new", Role.VALIDATOR, weight=1)
    assert refuse(harness, step) == Code.TOO_MANY_VALIDATORS


def test_there_is_room_for_4096_members() -> None:
    harness = make_harness()
    register = harness.get(members.Register)
    assert register is not None
    full = members.Register(BANK, 1, members.MEMBERS_MAX)
    harness.do(lambda view, *_: view.put(full) or [], Nothing())
    assert refuse(harness, _admit("new", Role.OPERATOR)) == Code.TOO_MANY_MEMBERS


@pytest.mark.parametrize(
    ("people", "match"),
    [
        ((GENESIS[2],), "0 central banks"),
        ((GENESIS[0], make_member("other", Role.CENTRAL_BANK), GENESIS[2]), "2 central banks"),
        ((GENESIS[0], GENESIS[1]), "0 validators"),
        ((GENESIS[0], GENESIS[0]), "named twice"),
        ((make_member("odd", "emperor"),), "unknown role"),
        ((make_member("odd", Role.OPERATOR, weight=1),), "no validator"),
        ((make_member("odd", Role.OPERATOR, threshold=2),), "accounts.LOCKED_OUT"),
    ],
)
def test_a_genesis_with_unsound_members_is_invalid(
    people: tuple[GenesisMember, ...], match: str
) -> None:
    with pytest.raises(Invalid, match=match):
        Harness(make_genesis(people), members.install)


def test_a_member_without_keys_is_governed_by_its_address() -> None:
    single = GenesisMember(make_address("single"), "single", (Role.OPERATOR,), 0, (), 1)
    harness = Harness(make_genesis((*GENESIS, single)), members.install)
    assert accounts.get_account(harness.view, single.address) is None


def test_a_state_without_members_is_corrupt() -> None:
    with pytest.raises(Corrupt, match="never installed"):
        members.get_central_bank(Harness().view)
