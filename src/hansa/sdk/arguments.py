"""Commands from JSON: the named fields of any contract's command, checked against their types.

Addresses are bech32m text, other byte strings hexadecimal, numbers and amounts decimal strings of
minor units (or JSON integers), choices their names. What is wrong is said by field.
"""

from __future__ import annotations

import json
from enum import Enum, IntEnum, IntFlag
from typing import Any, Final, NoReturn

import msgspec
from msgspec import inspect

from hansa.contracts.actions import ACTIONS, Action
from hansa.contracts.identity.documents import Delegate, Method, Relationship
from hansa.contracts.registry import MODULES
from hansa.kernel.authority import AccountKey, Purpose
from hansa.kernel.contract import Command
from hansa.kernel.crypto.address import ADDRESS_BYTES, from_text
from hansa.kernel.errors import Invalid, InvalidCode

DIGITS_MAX = 19
FLAGS: dict[tuple[type[msgspec.Struct], str], type[IntFlag]] = {
    (AccountKey, "purposes"): Purpose,
    (Method, "relationships"): Relationship,
    (Delegate, "relationships"): Relationship,
}
"""Fields that travel as bits and are given as a list of their names."""
COMMANDS: dict[str, type[Command]] = {
    f"{module.NAME}.{word}": command
    for module in MODULES
    for word, (command, _) in module.COMMANDS.items()
}
"""Every command of every contract, by `contract.command`."""


HASHES: Final = (
    *("_hash", "agreement", "case_id", "terms", "result", "commitment", "model", "policy"),
    *("consent_id", "nullifier", "salt", "parent"),
)
"""How names of fields end that hold what is as long as an address, and nobody's."""


def is_address(name: str, value: bytes) -> bool:
    """Whether the bytes of a field of this name are an address, and no hash."""
    return len(value) == ADDRESS_BYTES and not name.endswith(HASHES)


def parse_json(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Read JSON strictly: no NaN, no name twice.

    Raises:
      Invalid: `ARGUMENTS`.
    """
    try:
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_read_object)
    except (ValueError, RecursionError) as error:
        raise Invalid(InvalidCode.ARGUMENTS, f"the arguments are no JSON: {error}") from None


def parse_command(name: str, arguments: object) -> Command:
    """Make a command from its name and the named fields of its arguments.

    >>> parse_command("governance.vote", {"number": "7", "voter": "00" * 32, "approve": True})
    ... # doctest: +ELLIPSIS
    Vote(number=7, voter=b'...', approve=True)

    Raises:
      Invalid: `ARGUMENTS`, or `AMOUNT` for a field in minor units; the message names the field.
    """
    command = COMMANDS.get(name)
    if command is None:
        raise Invalid(InvalidCode.ARGUMENTS, _tell_unknown(name))
    found = _read_struct(command, arguments, name)
    assert isinstance(found, Command)  # noqa: S101 - what COMMANDS holds
    return found


def is_unicode(text: str) -> bool:
    """Whether text can be encoded: JSON and command lines can hold halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def describe_command(name: str) -> dict[str, str]:
    """Describe the fields of a command, by name.

    Raises:
      Invalid: there is no such command.
    """
    if name not in COMMANDS:
        raise Invalid(InvalidCode.ARGUMENTS, _tell_unknown(name))
    return _describe_fields(COMMANDS[name])


def describe_action(kind: str) -> dict[str, str]:
    """Describe the fields of what a proposal can do, by the action's kind."""
    if kind not in ACTIONS:
        raise Invalid(InvalidCode.ARGUMENTS, f"kind: use one of {', '.join(sorted(ACTIONS))}")
    return _describe_fields(ACTIONS[kind].action)


def _tell_unknown(name: str) -> str:
    contract = name.partition(".")[0]
    near = [word for word in COMMANDS if word.startswith(f"{contract}.")] or list(COMMANDS)
    return f"there is no command {name!r}: use one of {', '.join(near)}"


def _refuse(text: str) -> NoReturn:
    message = f"{text} is no number of JSON"
    raise ValueError(message)


def _read_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "a name stands twice in one object"
        raise ValueError(message)
    return found


def _read_struct(kind: type[msgspec.Struct], value: object, where: str) -> msgspec.Struct:
    if not isinstance(value, dict):
        _fail(where, f"must be an object with {', '.join(kind.__struct_fields__)}")
    if kind is Action:
        return _read_action(value, where)
    found: dict[str, object] = {}
    fields = [field for field in msgspec.structs.fields(kind) if field.name != "deltas"]
    surplus = sorted(set(value) - {field.name for field in fields})
    if surplus:
        known = ", ".join(field.name for field in fields) or "none"
        _fail(f"{where}: {surplus[0]}", f"there is no such field; there are {known}")
    for field in fields:
        if field.name in value:
            at, given = f"{where}: {field.name}", value[field.name]
            if (kind, field.name) in FLAGS:
                given = _read_flags(FLAGS[kind, field.name], given, at)
            found[field.name] = _read(inspect.type_info(field.type), given, at)
        elif field.required:
            _fail(f"{where}: {field.name}", f"is missing ({_describe(field.type)})")
    return kind(**found)


def _read_action(value: dict[str, object], where: str) -> Action:
    """Read what a proposal would do: its kind, and arguments of that kind."""
    if set(value) != {"kind", "arguments"}:
        _fail(where, "must be an object with kind and arguments")
    kind = value["kind"]
    if not isinstance(kind, str) or kind not in ACTIONS:
        _fail(f"{where}: kind", f"use one of {', '.join(sorted(ACTIONS))}")
    arguments = _read_struct(ACTIONS[kind].action, value["arguments"], f"{where}: {kind}")
    assert isinstance(arguments, Command)  # noqa: S101 - what ACTIONS holds
    return Action.of(kind, arguments)


def _read_flags(kind: type[IntFlag], value: object, where: str) -> int:
    """Read bits from their names, or as the number that travels; `ALL` is all of them."""
    everything = sum(kind)
    if not isinstance(value, list):
        return int(_read_integer(inspect.IntType(ge=1, le=everything), value, where))
    found = 0
    for name in value:
        if name == "ALL":
            found = everything
        elif isinstance(name, str) and name in kind.__members__:
            found |= kind[name]
        else:
            _fail(where, f"{name!r} is none of {', '.join(kind.__members__)}, ALL")
    return found


def _read(kind: inspect.Type, value: object, where: str) -> object:
    match kind:
        case inspect.BoolType():
            if not isinstance(value, bool):
                _fail(where, "must be true or false")
            return value
        case inspect.IntType():
            return _read_integer(kind, value, where)
        case inspect.StrType():
            if not isinstance(value, str) or not is_unicode(value):
                _fail(where, "must be text")
            _check_length(kind.min_length, kind.max_length, len(value), where, "characters")
            return value
        case inspect.BytesType():
            return _read_bytes(kind, value, where)
        case inspect.EnumType():
            return _read_choice(kind.cls, value, where)
        case inspect.VarTupleType():
            if not isinstance(value, list):
                _fail(where, "must be an array")
            return tuple(
                _read(kind.item_type, item, f"{where}[{at}]") for at, item in enumerate(value)
            )
        case inspect.StructType():
            return _read_struct(kind.cls, value, where)
        case inspect.Metadata():
            return _read(kind.type, value, where)
        case _:
            return _fail(where, "cannot be given as JSON")


def _read_integer(kind: inspect.IntType, value: object, where: str) -> int:
    """Read an integer from a decimal string or a JSON integer."""
    if isinstance(value, str):
        digits = value.removeprefix("-")
        is_number = digits.isascii() and digits.isdigit() and len(digits) <= DIGITS_MAX
        number = int(value) if is_number else None
    else:
        number = value if isinstance(value, int) and not isinstance(value, bool) else None
    low, high = kind.ge, kind.le
    if number is None or (low is not None and number < low) or (high is not None and number > high):
        unit = " of minor units" if where.endswith("_minor") else ""
        _fail(where, f"must be a whole number{unit} from {low} to {high}, as decimal text")
    return number


def _read_bytes(kind: inspect.BytesType, value: object, where: str) -> bytes:
    """Read an address from its text, any other byte string from hexadecimal digits."""
    if not isinstance(value, str):
        _fail(where, "must be text: an address, or hexadecimal digits")
    if kind.min_length == ADDRESS_BYTES and value[:6].lower() == "hansa1":
        try:
            return from_text(value)
        except Invalid as error:
            _fail(where, error.message)
    try:
        found = bytes.fromhex(value)
    except ValueError:
        _fail(where, f"{value[:80]!r} is neither an address nor hexadecimal")
    _check_length(kind.min_length, kind.max_length, len(found), where, "bytes")
    return found


def _read_choice(kind: type[Enum], value: object, where: str) -> Enum:
    """Read a choice by its name, or by the value that travels."""
    if isinstance(value, str) and issubclass(kind, IntEnum) and value in kind.__members__:
        return kind[value]
    if isinstance(value, bool) or not isinstance(value, str | int):
        _fail(where, f"must be one of {_list_choices(kind)}")
    try:
        return kind(int(value) if issubclass(kind, IntEnum) else value)
    except ValueError:
        _fail(where, f"must be one of {_list_choices(kind)}")


def _list_choices(kind: type[Enum]) -> str:
    return ", ".join(item.name if isinstance(item, IntEnum) else str(item.value) for item in kind)


def _check_length(least: int | None, most: int | None, length: int, where: str, unit: str) -> None:
    if (least is not None and length < least) or (most is not None and length > most):
        span = f"{least}" if least == most else f"{least or 0} to {most}"
        _fail(where, f"has {length} {unit}, must have {span}")


def _describe_fields(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {
        field.name: _describe(field.type) + ("" if field.required else ", may be left out")
        for field in msgspec.structs.fields(kind)
    }


def _describe(kind: Any) -> str:  # noqa: ANN401 - a type expression
    """Say how a value of a type is written."""
    match inspect.type_info(kind):
        case inspect.Metadata(type=under):
            return _describe_plain(under)
        case found:
            return _describe_plain(found)


def _describe_plain(kind: inspect.Type) -> str:
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "whole number as decimal text"
        case inspect.StrType():
            return f"text, at most {kind.max_length} characters" if kind.max_length else "text"
        case inspect.BytesType():
            is_address = kind.min_length == ADDRESS_BYTES
            return "address, or 32 bytes as hexadecimal" if is_address else "hexadecimal"
        case inspect.EnumType():
            return f"one of {_list_choices(kind.cls)}"
        case inspect.VarTupleType():
            return f"array of: {_describe_plain(kind.item_type)}"
        case inspect.StructType(cls=found) if found is Action:
            return f"object: kind (one of {', '.join(sorted(ACTIONS))}), arguments"
        case inspect.StructType():
            return f"object: {', '.join(field.name for field in kind.fields)}"
        case _:
            return "object"


def _fail(where: str, what: str) -> NoReturn:
    code = InvalidCode.AMOUNT if where.endswith("_minor") else InvalidCode.ARGUMENTS
    raise Invalid(code, f"{where}: {what}")
