"""Accounts: keys sign for themselves, nobody is locked out, guardians recover with a delay."""

from __future__ import annotations

import pytest
from tests.unit.contracts.harness import START_MS, Harness, make_address, make_key

from hansa.contracts import accounts
from hansa.contracts.accounts import (
    RECOVERY_DELAY_MIN_MS,
    RECOVERY_LIFE,
    BeginRecovery,
    Code,
    CompleteRecovery,
    Create,
    Guardians,
    PastAccount,
    Recovery,
    RecoveryState,
    Rotate,
    SetGuardians,
    SetKeys,
    VetoRecovery,
)
from hansa.kernel.authority import Account, AuthorityCode, Purpose
from hansa.kernel.contract import NO_MONEY, Command
from hansa.kernel.errors import Corrupt
from hansa.kernel.machine.state import State, View
from hansa.kernel.rows import StateCode

OWNER = make_address("owner")
PAIR = (make_key("owner"), make_key("phone"))
LOST = (make_key("new"),)
GUARDIANS = tuple(make_address(name) for name in ("anna", "bela", "carl"))
DELAY_MS = 2 * RECOVERY_DELAY_MIN_MS


def make_guarded() -> Harness:
    """Make an account of two keys, either of which suffices, with guardians two of three."""
    harness = Harness()
    harness.do(accounts.create, Create(OWNER, PAIR, 1), "owner")
    command = SetGuardians(OWNER, GUARDIANS, 2, DELAY_MS)
    harness.do(accounts.set_guardians, command, "phone")
    return harness


def make_recovering() -> Harness:
    harness = make_guarded()
    harness.do(accounts.begin_recovery, BeginRecovery(OWNER, LOST, 1), "anna", "carl", "new")
    return harness


def is_governed_by(harness: Harness, *signers: str) -> bool:
    context = harness.context(*signers)
    try:
        context.require(OWNER, Purpose.PAY)
    except accounts.Refused:
        return False
    return True


def test_a_single_key_becomes_several_with_purposes_and_a_threshold() -> None:
    harness = Harness()
    keys = (make_key("owner"), make_key("phone", Purpose.PAY, limit_minor=500), make_key("safe"))
    events = harness.do(accounts.create, Create(OWNER, keys, 1), "owner", "safe")
    assert events == [accounts.KeysSet(NO_MONEY, OWNER, keys, 1)]
    assert harness.get(Account, OWNER) == Account(OWNER, keys, 1, since_ms=START_MS)
    assert is_governed_by(harness, "phone")


def test_a_change_of_threshold_needs_the_higher_of_old_and_new() -> None:
    harness = Harness()
    harness.do(accounts.create, Create(OWNER, PAIR, 1), "owner")
    both = SetKeys(OWNER, PAIR, 2)
    assert harness.refuse(accounts.set_keys, both, "owner") == Code.NEW_KEYS_NOT_SIGNED
    harness.do(accounts.set_keys, both, "owner", "phone")
    one = SetKeys(OWNER, PAIR, 1)
    assert harness.refuse(accounts.set_keys, one, "owner") == AuthorityCode.NOT_AUTHORIZED
    harness.do(accounts.set_keys, one, "owner", "phone")


def test_a_key_is_replaced_by_one_that_signs_too() -> None:
    harness = Harness()
    keys = (make_key("owner"), make_key("phone", Purpose.PAY, weight=2, limit_minor=500))
    harness.do(accounts.create, Create(OWNER, keys, 1), "owner")
    command = Rotate(OWNER, make_address("phone"), make_address("watch"))
    events = harness.do(accounts.rotate, command, "owner", "watch")
    assert events == [accounts.KeyRotated(NO_MONEY, OWNER, command.old_key, command.new_key)]
    row = harness.get(Account, OWNER)
    assert row is not None
    assert row.keys[1] == make_key("watch", Purpose.PAY, weight=2, limit_minor=500)
    assert not is_governed_by(harness, "phone")


def test_guardians_recover_lost_keys_after_the_delay() -> None:
    harness = make_recovering()
    harness.pass_time(DELAY_MS - 1)
    command = CompleteRecovery(OWNER)
    assert harness.refuse(accounts.complete_recovery, command) == Code.TOO_EARLY
    assert is_governed_by(harness, "phone")
    harness.pass_time(1)
    harness.do(accounts.complete_recovery, command, "anybody")
    assert is_governed_by(harness, "new")
    assert not is_governed_by(harness, "phone")
    assert harness.get(Guardians, OWNER) == Guardians(OWNER, GUARDIANS, 2, DELAY_MS)


def test_too_many_reads_are_no_missing_guardian() -> None:
    """The bound on what a transaction reads holds while guardians are looked for."""
    harness = make_guarded()
    command = BeginRecovery(OWNER, LOST, 1)
    harness.view = View(harness.state, 4, 100)
    code = harness.refuse(accounts.begin_recovery, command, "anna", "bela", "new")
    assert code == StateCode.TOO_MANY_READS


def test_the_owner_vetoes_and_guardians_may_begin_again() -> None:
    harness = make_recovering()
    harness.do(accounts.veto_recovery, VetoRecovery(OWNER), "phone")
    harness.pass_time(DELAY_MS)
    command = CompleteRecovery(OWNER)
    assert harness.refuse(accounts.complete_recovery, command) == Code.WRONG_STATE
    harness.do(accounts.begin_recovery, BeginRecovery(OWNER, LOST, 1), "anna", "bela", "new")
    harness.do(accounts.veto_recovery, VetoRecovery(OWNER), "phone")
    harness.do(accounts.set_guardians, SetGuardians(OWNER, (), 0, 0), "phone")
    again = BeginRecovery(OWNER, LOST, 1)
    assert harness.refuse(accounts.begin_recovery, again, "anna", "bela") == Code.NOT_GUARDIANS


def test_governance_replaces_keys_and_ends_a_pending_recovery() -> None:
    harness = make_recovering()
    harness.do(
        lambda view, *_: accounts.replace_keys(view, START_MS, OWNER, (make_key("office"),), 1),
        VetoRecovery(OWNER),
    )
    assert is_governed_by(harness, "office")
    recovery = harness.get(Recovery, OWNER)
    assert recovery is not None
    assert recovery.state is RecoveryState.VETOED
    unsound = harness.refuse(
        lambda view, *_: accounts.replace_keys(view, START_MS, OWNER, (), 1), VetoRecovery(OWNER)
    )
    assert unsound == Code.LOCKED_OUT


def _keys(count: int) -> tuple[accounts.AccountKey, ...]:
    return tuple(make_key(f"key {number}") for number in range(count))


def test_every_change_leaves_on_record_what_was_before() -> None:
    harness = make_guarded()
    harness.pass_time(1_000)
    rotation = Rotate(OWNER, make_address("phone"), make_address("watch"))
    harness.do(accounts.rotate, rotation, "owner", "watch")
    first = Account(OWNER, PAIR, 1, 1, START_MS)
    keys = (PAIR[0], make_key("watch"))
    assert harness.get(PastAccount, OWNER, 1) == PastAccount(OWNER, 1, first, START_MS + 1_000)
    assert harness.get(Account, OWNER) == Account(OWNER, keys, 1, 2, START_MS + 1_000)


def test_an_account_is_found_as_it_was_at_any_time() -> None:
    harness = Harness()
    harness.pass_time(10)
    harness.do(accounts.create, Create(OWNER, PAIR, 1), "owner")
    kept = {harness.time_ms: harness.get(Account, OWNER)}
    for number in range(9):
        harness.pass_time(10 * (number % 3))
        keys = (PAIR[0], make_key(f"phone {number}"))
        harness.do(accounts.set_keys, SetKeys(OWNER, keys, 1), "owner")
        kept[harness.time_ms] = harness.get(Account, OWNER)
    harness.view.begin()
    assert accounts.find_account(harness.view, OWNER, START_MS + 9) is None
    assert accounts.find_account(harness.view, make_address("anna"), START_MS) is None
    for start_ms, row in kept.items():
        for time_ms in (start_ms, start_ms + 9):
            assert accounts.find_account(harness.view, OWNER, time_ms) == row
    harness.view.begin()
    accounts.find_account(harness.view, OWNER, START_MS + 10)
    assert harness.view.reads <= 6


def test_a_hole_in_the_record_is_no_answer() -> None:
    harness = make_guarded()
    harness.pass_time(10)
    harness.do(accounts.set_keys, SetKeys(OWNER, PAIR, 1), "owner")
    del harness.rows[PastAccount.key(OWNER, 1)]
    harness.view = View(State(harness.rows), 99, 99)
    with pytest.raises(Corrupt, match="version 1 of the account"):
        accounts.find_account(harness.view, OWNER, START_MS)


REFUSALS = [
    (Create(OWNER, PAIR, 1), ("phone",), AuthorityCode.NOT_AUTHORIZED),
    (Create(OWNER, PAIR, 1), ("owner",), Code.ACCOUNT_EXISTS),
    (SetKeys(make_address("other"), PAIR, 1), ("other",), Code.NO_ACCOUNT),
    (BeginRecovery(make_address("other"), PAIR, 1), ("other",), Code.NO_ACCOUNT),
    (VetoRecovery(OWNER), ("owner",), Code.WRONG_STATE),
    (CompleteRecovery(OWNER), (), Code.WRONG_STATE),
    (BeginRecovery(OWNER, LOST, 1), ("anna", "new"), Code.NOT_GUARDIANS),
    (Rotate(OWNER, make_address("lost"), OWNER), ("owner",), Code.UNKNOWN_KEY),
    (SetKeys(OWNER, _keys(17), 1), ("owner",), Code.TOO_MANY_KEYS),
    (SetKeys(OWNER, (PAIR[0], PAIR[0]), 1), ("owner",), Code.DUPLICATE_KEY),
    (Rotate(OWNER, OWNER, make_address("phone")), ("owner", "phone"), Code.DUPLICATE_KEY),
    (SetKeys(OWNER, (make_key("owner", 1024),), 1), ("owner",), Code.WRONG_PURPOSES),
    (SetKeys(OWNER, (make_key("owner", 0),), 1), ("owner",), Code.WRONG_PURPOSES),
    (SetKeys(OWNER, (make_key("owner", Purpose.PAY),), 1), ("owner",), Code.LOCKED_OUT),
    (SetKeys(OWNER, PAIR, 3), ("owner", "phone"), Code.LOCKED_OUT),
    (SetKeys(OWNER, LOST, 1), ("owner",), Code.NEW_KEYS_NOT_SIGNED),
    (Rotate(OWNER, OWNER, make_address("new")), ("owner",), Code.NEW_KEYS_NOT_SIGNED),
    (BeginRecovery(OWNER, LOST, 1), ("anna", "bela"), Code.NEW_KEYS_NOT_SIGNED),
    (SetGuardians(OWNER, GUARDIANS, 4, DELAY_MS), ("owner",), Code.WRONG_GUARDIANS),
    (SetGuardians(OWNER, GUARDIANS, 0, DELAY_MS), ("owner",), Code.WRONG_GUARDIANS),
    (SetGuardians(OWNER, GUARDIANS[:1] * 2, 1, DELAY_MS), ("owner",), Code.WRONG_GUARDIANS),
    (SetGuardians(OWNER, (OWNER,), 1, DELAY_MS), ("owner",), Code.WRONG_GUARDIANS),
    (
        SetGuardians(OWNER, GUARDIANS, 2, RECOVERY_DELAY_MIN_MS - 1),
        ("owner",),
        Code.WRONG_DELAY,
    ),
]
PENDING_REFUSALS = [
    (SetKeys(OWNER, PAIR, 1), ("owner",), Code.RECOVERY_PENDING),
    (SetGuardians(OWNER, (), 0, 0), ("owner",), Code.RECOVERY_PENDING),
    (BeginRecovery(OWNER, LOST, 1), ("anna", "bela", "new"), Code.WRONG_STATE),
    (CompleteRecovery(OWNER), (), Code.TOO_EARLY),
]


def _refuse(harness: Harness, command: Command, signers: tuple[str, ...]) -> str:
    functions = dict(accounts.COMMANDS.values())
    return harness.refuse(functions[type(command)], command, *signers)


@pytest.mark.parametrize(("command", "signers", "code"), REFUSALS)
def test_refusals(command: Command, signers: tuple[str, ...], code: str) -> None:
    harness = Harness() if code == AuthorityCode.NOT_AUTHORIZED else make_guarded()
    assert _refuse(harness, command, signers) == code


@pytest.mark.parametrize(("command", "signers", "code"), PENDING_REFUSALS)
def test_refusals_while_a_recovery_is_pending(
    command: Command, signers: tuple[str, ...], code: str
) -> None:
    assert _refuse(make_recovering(), command, signers) == code


def test_every_code_has_a_test() -> None:
    assert set(Code) <= {code for _, _, code in REFUSALS + PENDING_REFUSALS}


def test_a_recovery_has_every_step_it_needs_and_no_other() -> None:
    steps = (BeginRecovery, VetoRecovery, CompleteRecovery)
    allowed = {
        state: [step for step in steps if (state, step) in RECOVERY_LIFE] for state in RecoveryState
    }
    assert allowed == {
        RecoveryState.NONE: [BeginRecovery],
        RecoveryState.PENDING: [VetoRecovery, CompleteRecovery],
        RecoveryState.VETOED: [BeginRecovery],
        RecoveryState.COMPLETED: [BeginRecovery],
    }
