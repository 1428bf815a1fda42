"""The contract of the kernel's vectors: it counts, and does everything a contract can do wrong.

The vectors run on this contract, not on money's, so that they say what the kernel does and stay
as they are while contracts change. `tests/vectors/README.md` describes it for other languages.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from hansa.kernel.authority import Account, AccountKey, Purpose
from hansa.kernel.contract import NO_MONEY, Command, Contract, Delta, Event
from hansa.kernel.errors import Refused
from hansa.kernel.genesis import Genesis
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.quota import Quota
from hansa.kernel.rows import Row
from hansa.kernel.values import INT64_MAX, Address, Name, NonNegative, Positive

NAME = "tally"
SUSPENDED = "suspended"


class Code(StrEnum):
    FULL = "tally.FULL"
    UNKNOWN = "tally.UNKNOWN"


class Tally(Row, frozen=True, array_like=True):
    """An account's sum under a name."""

    TABLE: ClassVar[bytes] = b"ta"
    KEY: ClassVar[tuple[str, ...]] = ("account", "name")

    account: Address
    name: Name
    value_minor: NonNegative
    previous: NonNegative = 0


class Mark(Row, frozen=True, array_like=True):
    """A row under a number; there to be many."""

    TABLE: ClassVar[bytes] = b"tm"
    KEY: ClassVar[tuple[str, ...]] = ("number",)

    number: NonNegative


class Add(Command):
    account: Address
    name: Name
    amount_minor: Positive


class Drop(Command):
    account: Address
    name: Name


class Bind(Command):
    address: Address
    keys: tuple[AccountKey, ...]
    threshold: Positive


class MarkMany(Command):
    first: NonNegative
    count: NonNegative


class Look(Command):
    count: NonNegative


class Tell(Command):
    count: NonNegative


class Fail(Command):
    pass


class Added(Event, frozen=True, array_like=True):
    name: Name
    earlier: NonNegative


class Dropped(Event, frozen=True, array_like=True):
    name: Name


class Bound(Event, frozen=True, array_like=True):
    address: Address


class Told(Event, frozen=True, array_like=True):
    number: NonNegative


def add(view: View, context: Context, command: Add) -> list[Added]:
    context.require(command.account, Purpose.PAY, command.amount_minor)
    row = view.get(Tally, command.account, command.name) or Tally(command.account, command.name, 0)
    value = row.value_minor + command.amount_minor
    if value > INT64_MAX:
        raise Refused(Code.FULL)
    view.put(Tally(command.account, command.name, value, context.position))
    delta = Delta("wallet", command.account, "TAL", command.amount_minor, value, row.previous)
    return [Added((delta,), command.name, len(context.earlier_events))]


def drop(view: View, context: Context, command: Drop) -> list[Dropped]:
    context.require(command.account, Purpose.MANAGE)
    if view.get(Tally, command.account, command.name) is None:
        raise Refused(Code.UNKNOWN)
    view.delete(Tally, command.account, command.name)
    return [Dropped(NO_MONEY, command.name)]


def bind(view: View, context: Context, command: Bind) -> list[Bound]:
    context.require(command.address, Purpose.MANAGE)
    view.put(Account(command.address, command.keys, command.threshold))
    return [Bound(NO_MONEY, command.address)]


def mark(view: View, _context: Context, command: MarkMany) -> list[Event]:
    for number in range(command.first, command.first + command.count):
        view.put(Mark(number))
    return []


def look(view: View, _context: Context, command: Look) -> list[Event]:
    for number in range(command.count):
        view.get(Mark, number)
    return []


def tell(_view: View, _context: Context, command: Tell) -> list[Told]:
    return [Told(NO_MONEY, number) for number in range(command.count)]


def fail(_view: View, _context: Context, _command: Fail) -> list[Event]:
    raise LookupError("this contract has a bug")


COMMANDS = {
    "add": (Add, add),
    "drop": (Drop, drop),
    "bind": (Bind, bind),
    "mark": (MarkMany, mark),
    "look": (Look, look),
    "tell": (Tell, tell),
    "fail": (Fail, fail),
}
TALLY = Contract.build(NAME, 1, bytes(32), COMMANDS)


class Rules:
    """Members are those of genesis; one whose `suspended` tally is not zero is none."""

    def __init__(self, genesis: Genesis) -> None:
        self._genesis = genesis
        self._members = {member.address for member in genesis.members}
        self._quotas = {
            value.key.removeprefix("sponsor.quota."): Quota(*value.values)
            for value in genesis.policy
        }

    def install(self, view: View) -> None:
        for member in self._genesis.members:
            view.put(Account(member.address, member.keys, member.threshold))

    def active_contracts(self, _view: View, _height: int) -> Mapping[str, Contract]:
        return {NAME: TALLY}

    def sponsor_quota(self, view: View, sponsor: bytes, _time_ms: int) -> Quota | None:
        if sponsor not in self._members or view.get(Tally, sponsor, SUSPENDED) is not None:
            return None
        return self._quotas[sponsor.hex()]

    def validators(self, _view: View) -> tuple[tuple[bytes, int], ...]:
        return ()

    def written_once(self) -> list[bytes]:
        return []
