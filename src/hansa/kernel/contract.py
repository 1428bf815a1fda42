"""What a contract is to the kernel: a name, a version, and one function per command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from hansa.kernel.encoding import DECODE_ERRORS, encode, tell_fault
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import RowId
from hansa.kernel.values import Address, AssetCode, NonNegative, Signed


class Ledger(StrEnum):
    """Where money can be. issued = vault + wallet + held, per asset, at every position."""

    ISSUED = "issued"
    """What the liable issuer owes; the owner is the issuer."""
    VAULT = "vault"
    """An operator's own stock."""
    WALLET = "wallet"
    """Free to be spent by a wallet."""
    HELD = "held"
    """Reserved in a wallet by holds."""


class Delta(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One change of one balance, enough for an audit to rebuild all balances from receipts."""

    ledger: str
    owner: Address
    asset: AssetCode
    amount_minor: Signed
    balance_minor: NonNegative
    """The balance after the change."""
    previous: NonNegative
    """Position of the transaction that changed this balance before, 0 if none did."""


class Command(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """Arguments of a call, imperative; travels as an array of its fields."""


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What happened, past tense; travels as an array of its fields, deltas first."""

    deltas: tuple[Delta, ...]


NO_MONEY: tuple[Delta, ...] = ()

Function = Callable[[View, Context, Any], Sequence[Event]]
ListReads = Callable[[Any], Sequence[RowId]]
"""Lists rows that a command is going to read, so that a block's are fetched from the store
together. What it leaves out is fetched when it is read."""


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """One command of a contract: how its arguments decode, and the function that executes it."""

    command: type[Command]
    decode: Callable[[bytes], Any]
    function: Function
    list_reads: ListReads | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """One version of one contract, as registered by this node's code."""

    name: str
    version: int
    source_hash: bytes
    commands: Mapping[str, CommandEntry]

    @staticmethod
    def build(
        name: str,
        version: int,
        source_hash: bytes,
        commands: Mapping[str, tuple[type[Command], Function]],
        reads: Mapping[type[Command], ListReads] | None = None,
    ) -> Contract:
        """Build the entry for one version from its table of commands and what they read."""
        entries = {
            word: CommandEntry(
                command,
                msgspec.msgpack.Decoder(command).decode,
                function,
                (reads or {}).get(command),
            )
            for word, (command, function) in commands.items()
        }
        return Contract(name, version, source_hash, entries)


def decode_arguments(contract: Contract, word: str, entry: CommandEntry, raw: bytes) -> Any:  # noqa: ANN401
    """Decode the arguments of a call; raises `Invalid` with `AMOUNT` or `ARGUMENTS`."""
    try:
        command = entry.decode(raw)
        if encode(command) == raw:
            return command
        detail = "not in canonical form, or fields are missing"
        code = InvalidCode.ARGUMENTS
    except DECODE_ERRORS as error:
        detail = tell_fault(error)
        code = _code_of_field(entry.command, detail)
    raise Invalid(
        code,
        f"{contract.name}.{word}: {_name_field(entry.command, detail)}",
        contract=contract.name,
        command=word,
    )


def _field_at(command: type[Command], detail: str) -> str | None:
    """Find the field that msgspec's message points at with `$[i]`."""
    start = detail.rfind("`$[")
    if start < 0:
        return None
    end = detail.find("]", start)
    index = detail[start + 3 : end]
    names = command.__struct_fields__
    return names[int(index)] if index.isdigit() and int(index) < len(names) else None


def _code_of_field(command: type[Command], detail: str) -> InvalidCode:
    field = _field_at(command, detail)
    is_amount = field is not None and field.endswith("_minor")
    return InvalidCode.AMOUNT if is_amount else InvalidCode.ARGUMENTS


def _name_field(command: type[Command], detail: str) -> str:
    field = _field_at(command, detail)
    return f"{field}: {detail}" if field else detail
