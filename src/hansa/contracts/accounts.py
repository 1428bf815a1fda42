"""Accounts: the keys that govern an address, their rotation, and recovery by guardians.

An address without an account is governed by the one key it is the hash of. A new set of keys
always proves itself: its managing keys sign the change up to the new threshold, besides the old
ones up to the old threshold. So no change locks its owner out, and a change of the threshold
needs the higher of the two. Recovery is for lost keys: guardians begin it, the owner may veto it
during a delay, then anyone completes it. What governed an account at any time stays on record.
Units: weights of keys; milliseconds of ledger time.

Source: docs/decisions/0002-governance.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import msgspec

from hansa.kernel.authority import ALL_PURPOSES, Account, AccountKey, AuthorityCode, Purpose
from hansa.kernel.contract import NO_MONEY, Command, Event, Function
from hansa.kernel.errors import Corrupt, Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row, Rows, find_version
from hansa.kernel.values import Address, NonNegative, Positive, TimeMs

NAME = "accounts"
VERSION = 1

KEYS_MAX = 16
GUARDIANS_MAX = 16
RECOVERY_DELAY_MIN_MS = 24 * 3_600_000
RECOVERY_DELAY_MAX_MS = 366 * 24 * 3_600_000


class Code(StrEnum):
    """Refusals, in order of precedence; `kernel.NOT_AUTHORIZED` comes before them."""

    ACCOUNT_EXISTS = "accounts.ACCOUNT_EXISTS"
    NO_ACCOUNT = "accounts.NO_ACCOUNT"
    WRONG_STATE = "accounts.WRONG_STATE"
    RECOVERY_PENDING = "accounts.RECOVERY_PENDING"
    TOO_EARLY = "accounts.TOO_EARLY"
    NOT_GUARDIANS = "accounts.NOT_GUARDIANS"
    UNKNOWN_KEY = "accounts.UNKNOWN_KEY"
    TOO_MANY_KEYS = "accounts.TOO_MANY_KEYS"
    DUPLICATE_KEY = "accounts.DUPLICATE_KEY"
    WRONG_PURPOSES = "accounts.WRONG_PURPOSES"
    LOCKED_OUT = "accounts.LOCKED_OUT"
    NEW_KEYS_NOT_SIGNED = "accounts.NEW_KEYS_NOT_SIGNED"
    WRONG_GUARDIANS = "accounts.WRONG_GUARDIANS"
    WRONG_DELAY = "accounts.WRONG_DELAY"


class RecoveryState(StrEnum):
    """Where a recovery stands; an account has one at a time."""

    NONE = "none"
    PENDING = "pending"
    VETOED = "vetoed"
    COMPLETED = "completed"


class Recovery(Row, frozen=True, array_like=True):
    """The latest recovery of an account: the keys that guardians want to put in place."""

    TABLE: ClassVar[bytes] = b"rc"
    KEY: ClassVar[tuple[str, ...]] = ("address",)

    address: Address
    state: RecoveryState
    keys: tuple[AccountKey, ...]
    threshold: Positive
    complete_from_ms: TimeMs


class Guardians(Row, frozen=True, array_like=True):
    """Who may recover an account; a row of its own, since who resolves its keys need not see it."""

    TABLE: ClassVar[bytes] = b"ag"
    KEY: ClassVar[tuple[str, ...]] = ("address",)

    address: Address
    guardians: tuple[Address, ...] = ()
    threshold: NonNegative = 0
    """How many of them it takes."""
    delay_ms: NonNegative = 0
    """The owner's time to veto."""


class PastAccount(Row, frozen=True, array_like=True):
    """An account as it was before a change; never changed, and never removed."""

    TABLE: ClassVar[bytes] = b"ah"
    KEY: ClassVar[tuple[str, ...]] = ("address", "version")
    CACHED: ClassVar[bool] = False

    address: Address
    version: Positive
    account: Account
    until_ms: TimeMs
    """When the next version came in force."""


class Create(Command, frozen=True, array_like=True):
    """Put several keys in the place of the one that an address is the hash of."""

    address: Address
    keys: tuple[AccountKey, ...]
    threshold: Positive


class SetKeys(Command, frozen=True, array_like=True):
    """Replace all keys of an account and its threshold."""

    address: Address
    keys: tuple[AccountKey, ...]
    threshold: Positive


class Rotate(Command, frozen=True, array_like=True):
    """Replace one key by another, with the same purposes, weight and limit."""

    address: Address
    old_key: Address
    new_key: Address


class SetGuardians(Command, frozen=True, array_like=True):
    """Say who may recover an account, how many of them it takes, and the owner's time to veto."""

    address: Address
    guardians: tuple[Address, ...]
    guardian_threshold: NonNegative
    recovery_delay_ms: NonNegative


class BeginRecovery(Command, frozen=True, array_like=True):
    """Announce new keys for an account whose keys are lost; its guardians sign together."""

    address: Address
    keys: tuple[AccountKey, ...]
    threshold: Positive


class VetoRecovery(Command, frozen=True, array_like=True):
    """End a pending recovery, as the owner."""

    address: Address


class CompleteRecovery(Command, frozen=True, array_like=True):
    """Put the announced keys in place once the delay has passed; anyone may send it."""

    address: Address


class KeysSet(Event, frozen=True, array_like=True):
    """An account was created, or all its keys were replaced."""

    address: Address
    keys: tuple[AccountKey, ...]
    threshold: Positive


class KeyRotated(Event, frozen=True, array_like=True):
    """One key took the place of another."""

    address: Address
    old_key: Address
    new_key: Address


class GuardiansSet(Event, frozen=True, array_like=True):
    """An account has these guardians now."""

    address: Address
    guardians: tuple[Address, ...]
    guardian_threshold: NonNegative
    recovery_delay_ms: NonNegative


class RecoveryBegun(Event, frozen=True, array_like=True):
    """Guardians announced new keys; the owner has until then to veto."""

    address: Address
    complete_from_ms: TimeMs
    keys: tuple[AccountKey, ...]
    threshold: Positive


class RecoveryVetoed(Event, frozen=True, array_like=True):
    """The owner ended a recovery, or governance replaced the keys first."""

    address: Address


RECOVERY_LIFE: dict[tuple[RecoveryState, type[Command]], RecoveryState] = {
    (RecoveryState.NONE, BeginRecovery): RecoveryState.PENDING,
    (RecoveryState.VETOED, BeginRecovery): RecoveryState.PENDING,
    (RecoveryState.COMPLETED, BeginRecovery): RecoveryState.PENDING,
    (RecoveryState.PENDING, VetoRecovery): RecoveryState.VETOED,
    (RecoveryState.PENDING, CompleteRecovery): RecoveryState.COMPLETED,
}


def create(view: View, context: Context, command: Create) -> list[Event]:
    """Give an address several keys; its first key and the new ones sign.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.address, Purpose.MANAGE)
    if view.get(Account, command.address) is not None:
        raise Refused(Code.ACCOUNT_EXISTS, account=command.address)
    _check_keys(context, command.keys, command.threshold)
    # CHANGE
    _put(view, context.time_ms, None, Account(command.address, command.keys, command.threshold))
    # TELL
    return [KeysSet(NO_MONEY, command.address, command.keys, command.threshold)]


def set_keys(view: View, context: Context, command: SetKeys) -> list[Event]:
    """Replace the keys; the old ones sign up to the old threshold, the new to the new.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    account = _managed_account(view, context, command.address)
    _check_keys(context, command.keys, command.threshold)
    # CHANGE
    changed = msgspec.structs.replace(account, keys=command.keys, threshold=command.threshold)
    _put(view, context.time_ms, account, changed)
    # TELL
    return [KeysSet(NO_MONEY, command.address, command.keys, command.threshold)]


def rotate(view: View, context: Context, command: Rotate) -> list[Event]:
    """Put a new key, which signs too, in the place of an old one.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    account = _managed_account(view, context, command.address)
    if all(key.address != command.old_key for key in account.keys):
        raise Refused(Code.UNKNOWN_KEY, key=command.old_key)
    if any(key.address == command.new_key for key in account.keys):
        raise Refused(Code.DUPLICATE_KEY, key=command.new_key)
    if command.new_key not in context.signers:
        raise Refused(Code.NEW_KEYS_NOT_SIGNED, key=command.new_key)
    keys = tuple(
        msgspec.structs.replace(key, address=command.new_key)
        if key.address == command.old_key
        else key
        for key in account.keys
    )
    # CHANGE
    _put(view, context.time_ms, account, msgspec.structs.replace(account, keys=keys))
    # TELL
    return [KeyRotated(NO_MONEY, command.address, command.old_key, command.new_key)]


def set_guardians(view: View, context: Context, command: SetGuardians) -> list[Event]:
    """Name the guardians of an account, or none.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    _managed_account(view, context, command.address)
    guardians = command.guardians
    is_sound = (
        len(set(guardians)) == len(guardians) <= GUARDIANS_MAX
        and command.address not in guardians
        and (1 if guardians else 0) <= command.guardian_threshold <= len(guardians)
    )
    if not is_sound:
        raise Refused(Code.WRONG_GUARDIANS, account=command.address)
    delay_ms = command.recovery_delay_ms
    if guardians and not RECOVERY_DELAY_MIN_MS <= delay_ms <= RECOVERY_DELAY_MAX_MS:
        raise Refused(Code.WRONG_DELAY, recovery_delay_ms=delay_ms, min_ms=RECOVERY_DELAY_MIN_MS)
    # CHANGE
    view.put(Guardians(command.address, guardians, command.guardian_threshold, delay_ms))
    # TELL
    fields = (command.address, guardians, command.guardian_threshold, delay_ms)
    return [GuardiansSet(NO_MONEY, *fields)]


def begin_recovery(view: View, context: Context, command: BeginRecovery) -> list[Event]:
    """Announce new keys; as many guardians as the account asks for sign, and the new keys.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    if view.get(Account, command.address) is None:
        raise Refused(Code.NO_ACCOUNT, account=command.address)
    state = _next_state(view.get(Recovery, command.address), command)
    found = view.get(Guardians, command.address) or Guardians(command.address)
    signed = sum(_is_signed_by(context, guardian) for guardian in found.guardians)
    if not found.guardians or signed < found.threshold:
        raise Refused(Code.NOT_GUARDIANS, signed=signed, threshold=found.threshold)
    _check_keys(context, command.keys, command.threshold)
    complete_from_ms = context.time_ms + found.delay_ms
    # CHANGE
    view.put(Recovery(command.address, state, command.keys, command.threshold, complete_from_ms))
    # TELL
    fields = (command.address, complete_from_ms, command.keys, command.threshold)
    return [RecoveryBegun(NO_MONEY, *fields)]


def veto_recovery(view: View, context: Context, command: VetoRecovery) -> list[Event]:
    """End a pending recovery: the owner still has the keys.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.address, Purpose.MANAGE)
    recovery = view.get(Recovery, command.address)
    state = _next_state(recovery, command)
    # CHANGE
    if recovery is not None:
        view.put(msgspec.structs.replace(recovery, state=state))
    # TELL
    return [RecoveryVetoed(NO_MONEY, command.address)]


def complete_recovery(view: View, context: Context, command: CompleteRecovery) -> list[Event]:
    """Put the announced keys in place; the owner had the whole delay to veto.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    account = view.get(Account, command.address)
    recovery = view.get(Recovery, command.address)
    if account is None or recovery is None:
        raise Refused(Code.WRONG_STATE, account=command.address, state=RecoveryState.NONE.value)
    state = _next_state(recovery, command)
    if context.time_ms < recovery.complete_from_ms:
        raise Refused(Code.TOO_EARLY, complete_from_ms=recovery.complete_from_ms)
    # CHANGE
    changed = msgspec.structs.replace(account, keys=recovery.keys, threshold=recovery.threshold)
    _put(view, context.time_ms, account, changed)
    view.put(msgspec.structs.replace(recovery, state=state))
    # TELL
    return [KeysSet(NO_MONEY, command.address, recovery.keys, recovery.threshold)]


def replace_keys(
    view: View, time_ms: int, address: bytes, keys: tuple[AccountKey, ...], threshold: int
) -> list[Event]:
    """Put keys in place without the old ones; for genesis and governance, which may say so.

    A pending recovery ends; guardians stay. They govern from `time_ms`, the present, on.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    fault = find_fault(keys, threshold)
    if fault is not None:
        raise Refused(fault, account=address)
    account = view.get(Account, address)
    recovery = find_pending(view, address)
    # CHANGE
    before = account or Account(address, keys, threshold)
    changed = msgspec.structs.replace(before, keys=keys, threshold=threshold)
    _put(view, time_ms, account, changed)
    events: list[Event] = [KeysSet(NO_MONEY, address, keys, threshold)]
    if recovery is not None:
        view.put(msgspec.structs.replace(recovery, state=RecoveryState.VETOED))
        events.append(RecoveryVetoed(NO_MONEY, address))
    # TELL
    return events


def get_account(view: View, address: bytes) -> Account | None:
    """Get the keys of an address, or None if it is governed by the one it is the hash of."""
    return view.get(Account, address)


def find_account(rows: Rows, address: bytes, time_ms: int) -> Account | None:
    """Find the account as it was at a time; None if the address had none then.

    Costs O(log versions) reads, one where nothing changed since.
    """
    account = rows.get(Account, address)
    if account is None or account.since_ms <= time_ms:
        return account
    version = find_version(
        account.version, lambda number: _get_past(rows, address, number).until_ms, time_ms
    )
    found = account if version == account.version else _get_past(rows, address, version).account
    return found if found.since_ms <= time_ms else None


def get_version(rows: Rows, address: bytes, version: int) -> Account | None:
    """Get one version of an account, or None if there is none of this number."""
    account = rows.get(Account, address)
    if account is None or account.version == version:
        return account
    past = rows.get(PastAccount, address, version)
    return None if past is None else past.account


def find_pending(rows: Rows, address: bytes) -> Recovery | None:
    """Find the recovery of an account that is under way."""
    recovery = rows.get(Recovery, address)
    return recovery if recovery and recovery.state is RecoveryState.PENDING else None


def find_fault(keys: tuple[AccountKey, ...], threshold: int) -> Code | None:
    """Find what is wrong with a set of keys, whoever signed."""
    if len(keys) > KEYS_MAX:
        return Code.TOO_MANY_KEYS
    if len({key.address for key in keys}) < len(keys):
        return Code.DUPLICATE_KEY
    if not all(0 < key.purposes <= ALL_PURPOSES for key in keys):
        return Code.WRONG_PURPOSES
    managing = sum(key.weight for key in keys if key.purposes & Purpose.MANAGE)
    return Code.LOCKED_OUT if managing < threshold else None


def _get_past(rows: Rows, address: bytes, version: int) -> PastAccount:
    past = rows.get(PastAccount, address, version)
    if past is None:
        raise Corrupt(f"version {version} of the account {address.hex()} is not on record")
    return past


def _put(view: View, time_ms: int, before: Account | None, changed: Account) -> None:
    """Put an account in force from now on, and on record what it was before."""
    version = 1
    if before is not None:
        view.put(PastAccount(before.address, before.version, before, time_ms))
        version = before.version + 1
    view.put(msgspec.structs.replace(changed, version=version, since_ms=time_ms))


def _check_keys(context: Context, keys: tuple[AccountKey, ...], threshold: int) -> None:
    """Refuse a set of keys that is unsound, or that cannot show it works."""
    fault = find_fault(keys, threshold)
    if fault is not None:
        raise Refused(fault, keys_max=KEYS_MAX)
    signed = sum(
        key.weight
        for key in keys
        if key.purposes & Purpose.MANAGE and key.address in context.signers
    )
    if signed < threshold:
        raise Refused(Code.NEW_KEYS_NOT_SIGNED, weight=signed, threshold=threshold)


def _managed_account(view: View, context: Context, address: bytes) -> Account:
    """Get an account whose managing keys signed and which is not being recovered."""
    context.require(address, Purpose.MANAGE)
    account = view.get(Account, address)
    if account is None:
        raise Refused(Code.NO_ACCOUNT, account=address)
    if find_pending(view, address) is not None:
        raise Refused(Code.RECOVERY_PENDING, account=address)
    return account


def _next_state(recovery: Recovery | None, command: Command) -> RecoveryState:
    state = RecoveryState.NONE if recovery is None else recovery.state
    following = RECOVERY_LIFE.get((state, type(command)))
    if following is None:
        raise Refused(Code.WRONG_STATE, state=state.value)
    return following


def _is_signed_by(context: Context, address: bytes) -> bool:
    """Whether the signing keys may act for a guardian."""
    try:
        context.require(address, Purpose.MANAGE)
    except Refused as refusal:
        if not isinstance(refusal.code, AuthorityCode):
            raise
        return False
    return True


COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "create": (Create, create),
    "set_keys": (SetKeys, set_keys),
    "rotate": (Rotate, rotate),
    "set_guardians": (SetGuardians, set_guardians),
    "begin_recovery": (BeginRecovery, begin_recovery),
    "veto_recovery": (VetoRecovery, veto_recovery),
    "complete_recovery": (CompleteRecovery, complete_recovery),
}
