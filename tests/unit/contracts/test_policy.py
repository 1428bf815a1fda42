"""Policy is effective-dated, keeps its history, and takes known keys and sane values only."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from tests.unit.contracts.harness import DAY_MS, MINUTE_MS, START_MS, Harness, make_genesis

from hansa.contracts import policy
from hansa.kernel.contract import Command, Event
from hansa.kernel.errors import Invalid
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View

KEY = "payments.refund_days"


class Schedule(Command, frozen=True, array_like=True):
    """What governance passes on, as a command of the test."""

    key: str
    effective_ms: int
    values: tuple[int, ...]


def schedule(view: View, context: Context, command: Schedule) -> Sequence[Event]:
    return policy.schedule(view, context, command.key, command.effective_ms, command.values)


def test_values_count_from_their_effective_time() -> None:
    harness = Harness(make_genesis(policy={KEY: (30,)}), policy.install)
    harness.do(schedule, Schedule(KEY, START_MS + DAY_MS, (60,)))
    assert policy.get_policy(harness.view, KEY, START_MS) == (30,)
    assert policy.get_policy(harness.view, KEY, START_MS + DAY_MS - 1) == (30,)
    assert policy.get_policy(harness.view, KEY, START_MS + DAY_MS) == (60,)
    assert policy.get_policy(harness.view, "payments.hold_days_max", START_MS) is None


def test_a_correction_of_a_pending_value_is_a_new_entry_that_counts() -> None:
    harness = Harness(make_genesis(policy={KEY: (30,)}), policy.install)
    harness.do(schedule, Schedule(KEY, START_MS + DAY_MS, (60,)))
    harness.do(schedule, Schedule(KEY, START_MS + DAY_MS, (45,)))
    assert policy.get_policy(harness.view, KEY, START_MS + DAY_MS) == (45,)
    row = harness.get(policy.Policy, KEY)
    assert row is not None
    assert [entry.values for entry in row.entries] == [(30,), (60,), (45,)]


def test_entries_may_be_recorded_out_of_their_order_in_time() -> None:
    harness = Harness()
    harness.do(schedule, Schedule(KEY, START_MS + 3 * DAY_MS, (3,)))
    harness.do(schedule, Schedule(KEY, START_MS + DAY_MS, (1,)))
    found = [policy.get_policy(harness.view, KEY, START_MS + day * DAY_MS) for day in range(5)]
    assert found == [None, (1,), (1,), (3,), (3,)]


def test_old_entries_are_pruned_and_the_last_quarter_of_an_hour_never_changes() -> None:
    harness = Harness(make_genesis(policy={KEY: (300,)}), policy.install)
    for days in range(1, 201):
        harness.do(schedule, Schedule(KEY, harness.time_ms + 1, (days,)))
        before = policy.get_policy(harness.view, KEY, harness.time_ms)
        harness.pass_time(MINUTE_MS)
        assert policy.get_policy(harness.view, KEY, harness.time_ms - MINUTE_MS) == before
    row = harness.get(policy.Policy, KEY)
    assert row is not None
    assert len(row.entries) == policy.ENTRIES_MAX


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (Schedule("payments.refund", START_MS + 1, (1,)), policy.Code.UNKNOWN_KEY),
        (Schedule("sponsor.quota.ab", START_MS + 1, (1, 1, 1, 1)), policy.Code.UNKNOWN_KEY),
        (Schedule(KEY, START_MS + 1, ()), policy.Code.VALUES_OUT_OF_RANGE),
        (Schedule(KEY, START_MS + 1, (-1,)), policy.Code.VALUES_OUT_OF_RANGE),
        (Schedule("wallet.limits.4", START_MS + 1, (1, 1, 1)), policy.Code.VALUES_OUT_OF_RANGE),
        (Schedule("wallet.limits.4", START_MS + 1, (-1, 1, 1, 1)), policy.Code.VALUES_OUT_OF_RANGE),
        (Schedule("zone.offset_minutes", START_MS + 1, (841,)), policy.Code.VALUES_OUT_OF_RANGE),
        (
            Schedule("governance.policy", START_MS + 1, (4, 3, 0, 1)),
            policy.Code.VALUES_OUT_OF_RANGE,
        ),
        (
            Schedule("governance.policy", START_MS + 1, (1, 2, 0, 1)),
            policy.Code.VALUES_OUT_OF_RANGE,
        ),
        (
            Schedule("governance.policy", START_MS + 1, (2, 3, 0, 0)),
            policy.Code.VALUES_OUT_OF_RANGE,
        ),
        (Schedule(KEY, START_MS, (1,)), policy.Code.NOT_IN_FUTURE),
    ],
)
def test_refusals(command: Schedule, code: policy.Code) -> None:
    assert Harness().refuse(schedule, command) == code


def test_too_many_entries_ahead_are_refused() -> None:
    harness = Harness()
    for minute in range(policy.ENTRIES_MAX):
        harness.do(schedule, Schedule(KEY, START_MS + (minute + 1) * MINUTE_MS, (1,)))
    command = Schedule(KEY, START_MS + DAY_MS, (1,))
    assert harness.refuse(schedule, command) == policy.Code.TOO_MANY_ENTRIES


def test_a_sponsor_has_its_own_key() -> None:
    key = "sponsor.quota." + "0f" * 32
    harness = Harness()
    least = policy.QUOTA_MIN
    harness.do(schedule, Schedule(key, START_MS + 1, least))
    assert policy.get_policy(harness.view, key, START_MS + 1) == least
    for place in range(len(least)):
        less = (*least[:place], least[place] - 1, *least[place + 1 :])
        command = Schedule(key, START_MS + 1, less)
        assert harness.refuse(schedule, command) == policy.Code.VALUES_OUT_OF_RANGE


def test_genesis_with_bad_policy_is_invalid() -> None:
    with pytest.raises(Invalid, match=r"policy\.VALUES_OUT_OF_RANGE"):
        Harness(make_genesis(policy={KEY: (1, 2)}), policy.install)
    doubled = make_genesis(policy={KEY: (1,)})
    doubled = msgspec.structs.replace(doubled, policy=doubled.policy * 2)
    with pytest.raises(Invalid, match="named twice"):
        Harness(doubled, policy.install)


def test_policy_has_no_commands_of_its_own() -> None:
    assert policy.COMMANDS == {}
