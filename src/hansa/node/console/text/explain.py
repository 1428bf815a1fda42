"""Receipts in words: commands, events and refusals as sentences with parties, money and moments.

A sentence is a tuple of fragments; the template knows how each kind of fragment looks.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from string import Formatter
from typing import Any

import msgspec

from hansa.contracts.actions import ACTIONS
from hansa.contracts.registry import MODULES, PARTS
from hansa.kernel.contract import Command, Event
from hansa.kernel.crypto.address import ADDRESS_BYTES
from hansa.kernel.encoding import DECODE_ERRORS
from hansa.node.console.text import words
from hansa.node.console.text.formatting import Money
from hansa.sdk.arguments import is_address

LONG_TEXT = 64


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who acts: a wallet, a member, a key."""

    address: bytes


@dataclass(frozen=True, slots=True)
class Moment:
    """A point of ledger time."""

    time_ms: int


@dataclass(frozen=True, slots=True)
class Code:
    """A reference, hash or number, to be read as it stands."""

    text: str


Fragment = str | Party | Money | Moment | Code
Sentence = tuple[Fragment, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one balance."""

    ledger: str
    owner: bytes
    asset: str
    amount_minor: int
    balance_minor: int
    previous: int

    @property
    def before_minor(self) -> int:
        """The balance before the change."""
        return self.balance_minor - self.amount_minor


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact about a refusal."""

    name: str
    value: Fragment


def _find_events() -> dict[tuple[str, str], type[Event]]:
    """Find the event classes of all contracts, by contract and name."""
    found = {}
    for module in MODULES:
        for part in (module, *PARTS.get(module.NAME, ())):
            for name, value in inspect.getmembers(part, inspect.isclass):
                is_own = value.__module__ == part.__name__
                if is_own and issubclass(value, Event) and value is not Event:
                    found[module.NAME, name] = value
    return found


EVENT_TYPES = _find_events()
_OWNERS: dict[str, str] = {}
for _contract, _name in EVENT_TYPES:
    _OWNERS[_name] = "" if _name in _OWNERS else _contract
"""The contract that defines an event, by the event's name; empty where several do."""
COMMAND_TYPES: dict[tuple[str, str], type[Command]] = {
    (module.NAME, word): command
    for module in MODULES
    for word, (command, _) in module.COMMANDS.items()
}


def list_changes(events: Sequence[tuple[str, str, Sequence[Any]]]) -> list[Change]:
    """List all balance changes of a receipt, in order."""
    return [Change(*delta) for _, _, fields in events for delta in fields[0]]


def describe_event(contract: str, name: str, fields: Sequence[Any]) -> Sentence:
    """Say what happened.

    Args:
      contract: that was called; governance tells the events of what it carries out as its own.
      name: of the event.
      fields: of the event.
    """
    changes = [Change(*delta) for delta in fields[0]]
    template = words.EVENTS.get(f"{_find_owner(contract, name)}.{name}")
    event = read_event(contract, name, fields)
    if template is None or event is None:
        return (f"{contract}: {name}.",)
    return _fill(template, {**_name_sides(changes), **_read_fields(event)}, _find_asset(changes))


def read_event(contract: str, name: str, fields: Sequence[Any]) -> Event | None:
    """Read an event as `describe_event` is given it; None if this program has no such one."""
    event_type = EVENT_TYPES.get((_find_owner(contract, name), name))
    if event_type is None:
        return None
    try:
        return msgspec.convert(fields, event_type)
    except msgspec.ValidationError:  # an older version of the contract had other fields
        return None


def describe_call(contract: str, command: str, arguments: bytes, asset: str = "") -> Sentence:
    """Say what was asked for; `asset` is that of amounts where the command does not name one."""
    template = words.COMMANDS.get(f"{contract}.{command}")
    decoded = decode_call(contract, command, arguments)
    if template is None or decoded is None:
        return (f"Call {command} of the contract {contract}",)
    return _fill(template, _read_fields(decoded), asset)


def describe_action(kind: str, arguments: bytes) -> Sentence:
    """Say what a proposal would do."""
    template, entry = words.ACTIONS.get(kind), ACTIONS.get(kind)
    if template is None or entry is None:
        return (kind,)
    try:
        action = msgspec.msgpack.decode(arguments, type=entry.action)
    except DECODE_ERRORS:
        return (kind,)
    return _fill(template, _read_fields(action), "")


def decode_call(contract: str, command: str, arguments: bytes) -> Command | None:
    """Decode the arguments of a call; None if this program has no such command."""
    command_type = COMMAND_TYPES.get((contract, command))
    if command_type is None:
        return None
    try:
        return msgspec.msgpack.decode(arguments, type=command_type)
    except DECODE_ERRORS:
        return None


def describe_facts(facts: Sequence[tuple[str, Any]], asset: str) -> list[Fact]:
    """Name and format the facts that came with a refusal; bytes stand there as hexadecimal."""
    return [Fact(_name_fact(name), _read_fact(name, value, asset)) for name, value in facts]


def find_moved(changes: Sequence[Change]) -> Money | None:
    """Find how much a transaction moved: the largest amount that arrived or was reserved."""
    arrived = [change for change in changes if change.amount_minor > 0]
    if not arrived:
        return None
    largest = max(arrived, key=lambda change: change.amount_minor)
    return Money(largest.amount_minor, largest.asset)


def _find_owner(contract: str, name: str) -> str:
    """Find the contract that defines an event."""
    return contract if (contract, name) in EVENT_TYPES else _OWNERS.get(name) or contract


def _name_fact(name: str) -> str:
    if name in words.FACTS:
        return words.FACTS[name]
    for ending in ("_minor", "_ms"):
        name = name.removesuffix(ending)
    return name.replace("_", " ").capitalize()


def _read_fact(name: str, value: Any, asset: str) -> Fragment:  # noqa: ANN401 - as recorded
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if is_number and name.endswith("_minor") and asset:
        return Money(value, asset)
    if is_number and name.endswith("_ms"):
        return Moment(value)
    if isinstance(value, str) and len(value) == 2 * ADDRESS_BYTES:
        try:
            raw = bytes.fromhex(value)
            return Party(raw) if is_address(name, raw) else Code(value)
        except ValueError:
            return Code(value)
    return Code(f"{value:,}" if is_number else str(value))


def _name_sides(changes: Sequence[Change]) -> dict[str, Fragment]:
    """Name who gave, who got, and how much: of changes that sum to zero or to an issue."""
    sides: dict[str, Fragment] = {}
    gave = [change for change in changes if change.amount_minor < 0]
    got = [change for change in changes if change.amount_minor > 0]
    if gave:
        sides["from"] = Party(gave[0].owner)
        sides["moved"] = Money(-gave[0].amount_minor, gave[0].asset)
    if got:
        sides["to"] = Party(got[-1].owner)
    return sides


def _find_asset(changes: Sequence[Change]) -> str:
    return changes[0].asset if changes else ""


def _read_fields(value: msgspec.Struct) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def _fill(template: str, fields: Mapping[str, Any], asset: str) -> Sentence:
    asset = fields.get("asset", asset)
    return tuple(_fill_parts(template, fields, asset))


def _fill_parts(template: str, fields: Mapping[str, Any], asset: str) -> Iterator[Fragment]:
    for text, name, _, _ in Formatter().parse(template):
        if text:
            yield text
        if name is not None:
            yield _to_fragment(name, fields.get(name, ""), asset)


def _to_fragment(name: str, value: Any, asset: str) -> Fragment:  # noqa: ANN401 - any field
    if isinstance(value, Party | Money):
        return value
    if isinstance(value, bytes):
        return Party(value) if is_address(name, value) else Code(value.hex())
    if isinstance(value, Enum):
        return value.name if isinstance(value, int) else str(value.value)
    if isinstance(value, int) and name.endswith("_minor"):
        return Money(value, asset)
    if isinstance(value, int) and name.endswith("_ms"):
        return Moment(value)
    if isinstance(value, int):
        return f"{value:,}"
    return Code(str(value)[:LONG_TEXT]) if name.endswith("_id") or name == "key" else str(value)
