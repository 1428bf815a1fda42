"""Members: the institutions of a network, their roles, and the voting power of validators.

Changes come from governance, which has established the authority. There is one central bank, fixed
by genesis. Less than a third of the voting power changes within any 24 hours, so that whoever
knew the validators a day ago still knows more than two thirds of the power.

Source: docs/decisions/0002-governance.md. Units: weights are votes; milliseconds of ledger time.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar

import msgspec

from hansa.contracts import accounts
from hansa.kernel.contract import NO_MONEY, Command, Event, Function
from hansa.kernel.errors import Corrupt, Invalid, InvalidCode, Refused
from hansa.kernel.genesis import Genesis, GenesisMember
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row
from hansa.kernel.values import Address, Name, NonNegative, Positive, TimeMs

NAME = "members"
VERSION = 1

MEMBERS_MAX = 4_096
VALIDATORS_MAX = 128
WEIGHT_MAX = 2**40
ROSTERS_KEPT = 64
POWER_WINDOW_MS = 24 * 3_600_000
POWER_CHANGES_MAX = 64
"""Changes of voting power within one window."""


class Role(StrEnum):
    """What an institution does on the network; it may have several roles."""

    CENTRAL_BANK = "central_bank"
    OPERATOR = "operator"
    VALIDATOR = "validator"
    DEPARTMENT = "department"
    ACQUIRER = "acquirer"
    REGULATOR = "regulator"


class Code(StrEnum):
    """Refusals, in order of precedence."""

    NOT_A_MEMBER = "members.NOT_A_MEMBER"
    SUSPENDED = "members.SUSPENDED"
    WRONG_ROLE = "members.WRONG_ROLE"
    ALREADY_MEMBER = "members.ALREADY_MEMBER"
    NOT_SUSPENDED = "members.NOT_SUSPENDED"
    CENTRAL_BANK_FIXED = "members.CENTRAL_BANK_FIXED"
    WEIGHT_NEEDS_VALIDATOR = "members.WEIGHT_NEEDS_VALIDATOR"
    WEIGHT_TOO_LARGE = "members.WEIGHT_TOO_LARGE"
    TOO_MANY_MEMBERS = "members.TOO_MANY_MEMBERS"
    TOO_MANY_VALIDATORS = "members.TOO_MANY_VALIDATORS"
    POWER_CHANGE = "members.POWER_CHANGE"


class Member(Row, frozen=True, array_like=True):
    """An institution, named by the address of its account."""

    TABLE: ClassVar[bytes] = b"me"
    KEY: ClassVar[tuple[str, ...]] = ("address",)

    address: Address
    name: Name
    roles: tuple[Role, ...]
    """Sorted, each once."""
    weight: NonNegative
    """Voting power while it is a validator and not suspended."""
    suspended: bool
    since_height: NonNegative


class RosterEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The voting power of one validator."""

    address: Address
    weight: Positive


class Roster(Row, frozen=True, array_like=True):
    """All voting power as it was at one version; never changed, kept for 64 versions."""

    TABLE: ClassVar[bytes] = b"ro"
    KEY: ClassVar[tuple[str, ...]] = ("version",)

    version: Positive
    entries: tuple[RosterEntry, ...]
    """Sorted by address."""
    since_ms: TimeMs

    @property
    def total(self) -> int:
        """All weights together."""
        return sum(entry.weight for entry in self.entries)


class PowerChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How much voting power moved at a moment, and how much there was before."""

    time_ms: TimeMs
    moved: Positive
    total_before: NonNegative


class Register(Row, frozen=True, array_like=True):
    """The one row that says who the central bank is and which roster is in force."""

    TABLE: ClassVar[bytes] = b"mr"

    central_bank: Address
    version: Positive
    members: Positive
    changes: tuple[PowerChange, ...] = ()
    """Those of the last window."""


class MemberAdmitted(Event, frozen=True, array_like=True):
    """An institution joined."""

    address: Address
    name: Name
    roles: tuple[Role, ...]
    weight: NonNegative


class MemberSuspended(Event, frozen=True, array_like=True):
    """An institution may not act in its roles for now."""

    address: Address


class MemberReinstated(Event, frozen=True, array_like=True):
    """A suspension ended."""

    address: Address


class RolesSet(Event, frozen=True, array_like=True):
    """An institution has these roles now."""

    address: Address
    roles: tuple[Role, ...]


class WeightSet(Event, frozen=True, array_like=True):
    """A validator has this voting power now."""

    address: Address
    weight: NonNegative


class RosterChanged(Event, frozen=True, array_like=True):
    """The validators and their power are these from here on."""

    version: Positive
    entries: tuple[RosterEntry, ...]


def get_member(view: View, address: bytes) -> Member | None:
    """Get an institution by its address."""
    return view.get(Member, address)


def require_active(view: View, address: bytes) -> Member:
    """Refuse unless `address` is an institution that is not suspended.

    Raises:
      Refused: `NOT_A_MEMBER` or `SUSPENDED`.
    """
    member = _known_member(view, address)
    if member.suspended:
        raise Refused(Code.SUSPENDED, member=address)
    return member


def require_role(view: View, address: bytes, role: Role) -> Member:
    """Refuse unless `address` is an institution in this role and not suspended.

    Raises:
      Refused: `NOT_A_MEMBER`, `SUSPENDED` or `WRONG_ROLE`.
    """
    member = require_active(view, address)
    if role not in member.roles:
        raise Refused(Code.WRONG_ROLE, member=address, role=role.value)
    return member


def is_active(view: View, address: bytes, role: Role) -> bool:
    """Whether `address` is an institution in this role and not suspended."""
    member = view.get(Member, address)
    return member is not None and not member.suspended and role in member.roles


def get_central_bank(view: View) -> bytes:
    """Get the address of the central bank."""
    return _register(view).central_bank


def get_roster(view: View, version: int | None = None) -> Roster | None:
    """Get the voting power now, or at a version; None if that is no longer kept."""
    return view.get(Roster, _register(view).version if version is None else version)


def admit(
    view: View,
    context: Context,
    address: bytes,
    name: str,
    roles: tuple[Role, ...],
    weight: int,
) -> list[Event]:
    """Let an institution join.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    if view.get(Member, address) is not None:
        raise Refused(Code.ALREADY_MEMBER, member=address)
    roles = _sorted_roles(roles)
    if Role.CENTRAL_BANK in roles:
        raise Refused(Code.CENTRAL_BANK_FIXED, member=address)
    event = MemberAdmitted(NO_MONEY, address, name, roles, weight)
    after = Member(address, name, roles, weight, suspended=False, since_height=context.height)
    return _replace(view, context, after, event, joining=1)


def suspend(view: View, context: Context, address: bytes) -> list[Event]:
    """Take an institution's roles and voting power away until it is reinstated.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    member = _known_member(view, address)
    if member.suspended:
        raise Refused(Code.SUSPENDED, member=address)
    if Role.CENTRAL_BANK in member.roles:
        raise Refused(Code.CENTRAL_BANK_FIXED, member=address)
    after = msgspec.structs.replace(member, suspended=True)
    return _replace(view, context, after, MemberSuspended(NO_MONEY, address))


def reinstate(view: View, context: Context, address: bytes) -> list[Event]:
    """End a suspension.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    member = _known_member(view, address)
    if not member.suspended:
        raise Refused(Code.NOT_SUSPENDED, member=address)
    after = msgspec.structs.replace(member, suspended=False)
    return _replace(view, context, after, MemberReinstated(NO_MONEY, address))


def set_roles(view: View, context: Context, address: bytes, roles: tuple[Role, ...]) -> list[Event]:
    """Give an institution these roles and no others; who is the central bank cannot change.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    member = _known_member(view, address)
    roles = _sorted_roles(roles)
    if (Role.CENTRAL_BANK in roles) is not (Role.CENTRAL_BANK in member.roles):
        raise Refused(Code.CENTRAL_BANK_FIXED, member=address)
    after = msgspec.structs.replace(member, roles=roles)
    return _replace(view, context, after, RolesSet(NO_MONEY, address, roles))


def set_weight(view: View, context: Context, address: bytes, weight: int) -> list[Event]:
    """Give a validator this voting power.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    member = _known_member(view, address)
    after = msgspec.structs.replace(member, weight=weight)
    return _replace(view, context, after, WeightSet(NO_MONEY, address, weight))


def add_power_change(
    changes: tuple[PowerChange, ...], change: PowerChange, total: int
) -> tuple[PowerChange, ...]:
    """Add a change to those of the window that ends with it; `total` is all power after it.

    A third of the larger of both totals, so that a suspended fourth can also come back; more
    than two thirds of the old power and of the new then belong to validators of both.

    Raises:
      Refused: `POWER_CHANGE` if a third of the power would have moved since the window's start;
        `ready_ms` tells from when on it would not, and is left out if that is never.
    """
    window = (*_list_recent(changes, change.time_ms), change)
    if _is_too_fast(window, total):
        moved, before = _sum_moved(window), window[0].total_before
        ready_ms = _find_ready(window, total)
        ready = {} if ready_ms is None else {"ready_ms": ready_ms}
        raise Refused(Code.POWER_CHANGE, moved=moved, total=max(before, total), **ready)
    return window


def compute_power(member: Member | None) -> int:
    """Compute the voting power that counts: none of a stranger, a suspended or another member."""
    return 0 if member is None else sum(entry.weight for entry in _power(member))


def install(view: View, genesis: Genesis) -> None:
    """Write the members of genesis and the keys of their accounts.

    Raises:
      Invalid: not exactly one central bank, no voting power, or an unsound member.
    """
    seen: dict[bytes, Member] = {}
    for item in genesis.members:
        if item.address in seen:
            raise _invalid(item, "is named twice")
        seen[item.address] = _found_member(item)
    banks = [member for member in seen.values() if Role.CENTRAL_BANK in member.roles]
    entries = _roster_entries({member.address: member for member in seen.values()})
    if len(banks) != 1 or not 0 < len(entries) <= VALIDATORS_MAX or len(seen) > MEMBERS_MAX:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"genesis names {len(banks)} central banks, {len(entries)} validators with a weight "
            f"and {len(seen)} members: there must be 1, 1 to {VALIDATORS_MAX}, "
            f"and at most {MEMBERS_MAX}",
        )
    for item in genesis.members:
        view.put(seen[item.address])
        if item.keys:
            accounts.replace_keys(view, genesis.time_ms, item.address, item.keys, item.threshold)
    view.put(Roster(1, entries, genesis.time_ms))
    view.put(Register(banks[0].address, 1, len(seen)))


def _found_member(item: GenesisMember) -> Member:
    known = {role.value for role in Role}
    if not known.issuperset(item.roles):
        raise _invalid(item, f"has an unknown role: use {sorted(known)}")
    roles = _sorted_roles(tuple(Role(role) for role in item.roles))
    if item.weight > (WEIGHT_MAX if Role.VALIDATOR in roles else 0):
        raise _invalid(item, "has a weight but is no validator, or one that is too large")
    fault = accounts.find_fault(item.keys, item.threshold) if item.keys else None
    if fault is not None:
        raise _invalid(item, f"has unsound keys: {fault.value}")
    return Member(item.address, item.name, roles, item.weight, suspended=False, since_height=0)


def _invalid(item: GenesisMember, what: str) -> Invalid:
    return Invalid(InvalidCode.MALFORMED, f"genesis member {item.name!r} {what}", member=item.name)


def _replace(
    view: View, context: Context, after: Member, event: Event, joining: int = 0
) -> list[Event]:
    """Put a member's new row, and the roster that follows from it, after the common checks."""
    # CHECK
    register = _register(view)
    before = view.get(Roster, register.version)
    old = () if before is None else before.entries
    if after.weight > 0 and Role.VALIDATOR not in after.roles:
        raise Refused(Code.WEIGHT_NEEDS_VALIDATOR, member=after.address)
    if after.weight > WEIGHT_MAX:
        raise Refused(Code.WEIGHT_TOO_LARGE, weight_max=WEIGHT_MAX)
    if register.members + joining > MEMBERS_MAX:
        raise Refused(Code.TOO_MANY_MEMBERS, members_max=MEMBERS_MAX)
    others = tuple(entry for entry in old if entry.address != after.address)
    entries = tuple(sorted((*others, *_power(after)), key=lambda entry: entry.address))
    if len(entries) > VALIDATORS_MAX:
        raise Refused(Code.TOO_MANY_VALIDATORS, validators_max=VALIDATORS_MAX)
    changes = _check_power(register, context.time_ms, old, entries)
    # CHANGE
    view.put(after)
    version = register.version + (entries != old)
    members = register.members + joining
    view.put(msgspec.structs.replace(register, version=version, members=members, changes=changes))
    if version == register.version:
        return [event]
    view.put(Roster(version, entries, context.time_ms))
    if version > ROSTERS_KEPT:
        view.delete(Roster, version - ROSTERS_KEPT)
    # TELL
    return [event, RosterChanged(NO_MONEY, version, entries)]


def _check_power(
    register: Register,
    time_ms: int,
    old: tuple[RosterEntry, ...],
    new: tuple[RosterEntry, ...],
) -> tuple[PowerChange, ...]:
    """Refuse if a third of the power would have moved since the window's start."""
    before = {entry.address: entry.weight for entry in old}
    after = {entry.address: entry.weight for entry in new}
    moved = sum(
        abs(after.get(address, 0) - before.get(address, 0))
        for address in sorted(before.keys() | after.keys())
    )
    if moved == 0:
        return _list_recent(register.changes, time_ms)
    change = PowerChange(time_ms, moved, sum(before.values()))
    return add_power_change(register.changes, change, sum(after.values()))


def _is_too_fast(window: tuple[PowerChange, ...], total: int) -> bool:
    is_third = 3 * _sum_moved(window) >= max(window[0].total_before, total)
    return is_third or len(window) > POWER_CHANGES_MAX


def _sum_moved(window: tuple[PowerChange, ...]) -> int:
    return sum(item.moved for item in window)


def _find_ready(window: tuple[PowerChange, ...], total: int) -> int | None:
    """Find from when on a window's last change can be made, if there is no other meanwhile."""
    *earlier, change = window
    for item in earlier:
        ready_ms = item.time_ms + POWER_WINDOW_MS
        if not _is_too_fast((*_list_recent(earlier, ready_ms), change), total):
            return ready_ms
    return None


def _list_recent(changes: Sequence[PowerChange], time_ms: int) -> tuple[PowerChange, ...]:
    return tuple(item for item in changes if item.time_ms > time_ms - POWER_WINDOW_MS)


def _power(member: Member) -> tuple[RosterEntry, ...]:
    is_voting = Role.VALIDATOR in member.roles and not member.suspended and member.weight > 0
    return (RosterEntry(member.address, member.weight),) if is_voting else ()


def _roster_entries(members: dict[bytes, Member]) -> tuple[RosterEntry, ...]:
    return tuple(entry for address in sorted(members) for entry in _power(members[address]))


def _sorted_roles(roles: tuple[Role, ...]) -> tuple[Role, ...]:
    return tuple(sorted(set(roles)))


def _known_member(view: View, address: bytes) -> Member:
    member = view.get(Member, address)
    if member is None:
        raise Refused(Code.NOT_A_MEMBER, member=address)
    return member


def _register(view: View) -> Register:
    register = view.get(Register)
    if register is None:
        raise Corrupt("the members of genesis were never installed in this state")
    return register


COMMANDS: dict[str, tuple[type[Command], Function]] = {}
