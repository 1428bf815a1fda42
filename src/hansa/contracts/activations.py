"""Activations: which version of which contract is in force, and who reported to have its code.

Part of the contract `governance`, kept apart for reading. A version comes into force at a height
ahead, once validators with more than two thirds of the voting power report to have its source.

Source: docs/reference/governance.md.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from hansa.contracts import members
from hansa.contracts.proposals import Code
from hansa.kernel.authority import Purpose
from hansa.kernel.contract import NO_MONEY, Command, Event
from hansa.kernel.errors import Refused
from hansa.kernel.genesis import Genesis
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row
from hansa.kernel.values import Address, Hash, Name, NonNegative, Positive

CONTRACTS_MAX = 64
PENDING_MAX = 4
"""Versions of one contract that may wait for their height at once."""


class Activation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A version of a contract, in force from a height on."""

    contract: Name
    version: Positive
    source_hash: Hash
    from_height: NonNegative


class Activations(Row, frozen=True, array_like=True):
    """All contracts in force or about to be, sorted by name, then by height."""

    TABLE: ClassVar[bytes] = b"al"

    entries: tuple[Activation, ...]


class CodeReport(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The newest version of a contract that a validator has."""

    contract: Name
    version: Positive
    source_hash: Hash


class CodeReports(Row, frozen=True, array_like=True):
    """What code a validator reported to have, one entry a contract, sorted by name."""

    TABLE: ClassVar[bytes] = b"gc"
    KEY: ClassVar[tuple[str, ...]] = ("validator",)

    validator: Address
    entries: tuple[CodeReport, ...]


class ActivateContract(Command, frozen=True, array_like=True):
    """Put a version of a contract in force from a height on."""

    contract: Name
    version: Positive
    source_hash: Hash
    from_height: Positive


class ReportCode(Command, frozen=True, array_like=True):
    """Say which version of a contract a validator's program has."""

    validator: Address
    contract: Name
    version: Positive
    source_hash: Hash


class CodeReported(Event, frozen=True, array_like=True):
    """A validator reported its code."""

    validator: Address
    contract: Name
    version: Positive
    source_hash: Hash


class ContractActivated(Event, frozen=True, array_like=True):
    """A version of a contract will be in force from a height on."""

    contract: Name
    version: Positive
    source_hash: Hash
    from_height: Positive


def get_activations(view: View) -> Activations | None:
    """Get all contracts in force or about to be, or None before genesis."""
    return view.get(Activations)


def report_code(view: View, context: Context, command: ReportCode) -> list[Event]:
    """Record which version of a contract a validator has; its latest report counts.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.validator, Purpose.REPORT)
    members.require_role(view, command.validator, members.Role.VALIDATOR)
    row = view.get(CodeReports, command.validator)
    report = CodeReport(command.contract, command.version, command.source_hash)
    others = () if row is None else row.entries
    others = tuple(entry for entry in others if entry.contract != command.contract)
    if len(others) >= CONTRACTS_MAX:
        raise Refused(Code.TOO_MANY_CONTRACTS, contracts_max=CONTRACTS_MAX)
    # CHANGE
    entries = tuple(sorted((*others, report), key=lambda entry: entry.contract))
    view.put(CodeReports(command.validator, entries))
    # TELL
    fields = (command.validator, command.contract, command.version, command.source_hash)
    return [CodeReported(NO_MONEY, *fields)]


def activate(view: View, context: Context, action: ActivateContract) -> list[Event]:
    """Put a version in force from a height on; older versions that are over are dropped.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    if action.from_height <= context.height:
        raise Refused(Code.HEIGHT_NOT_AHEAD, from_height=action.from_height, height=context.height)
    row = view.get(Activations)
    entries = () if row is None else row.entries
    same = [entry for entry in entries if entry.contract == action.contract]
    if any(
        entry.version >= action.version or entry.from_height >= action.from_height for entry in same
    ):
        raise Refused(Code.VERSION_NOT_NEWER, contract=action.contract, version=action.version)
    begun = [entry for entry in same if entry.from_height <= context.height]
    pending = [entry for entry in same if entry.from_height > context.height]
    names = {entry.contract for entry in entries} | {action.contract}
    if len(pending) >= PENDING_MAX or len(names) > CONTRACTS_MAX:
        raise Refused(Code.TOO_MANY_CONTRACTS, contracts_max=CONTRACTS_MAX, pending=len(pending))
    _check_reported(view, action)
    # CHANGE
    added = Activation(action.contract, action.version, action.source_hash, action.from_height)
    over = begun[:-1]
    kept = (*(entry for entry in entries if entry not in over), added)
    view.put(Activations(_in_order(kept)))
    # TELL
    fields = (action.contract, action.version, action.source_hash, action.from_height)
    return [ContractActivated(NO_MONEY, *fields)]


def install(view: View, genesis: Genesis) -> None:
    """Put the contracts of genesis in force from the start."""
    entries = tuple(
        Activation(item.name, item.version, item.source_hash, 0) for item in genesis.contracts
    )
    view.put(Activations(_in_order(entries)))


def _check_reported(view: View, action: ActivateContract) -> None:
    """Refuse unless more than two thirds of the voting power now report to have this code."""
    roster = members.get_roster(view)
    wanted = CodeReport(action.contract, action.version, action.source_hash)
    reported = total = 0
    for entry in roster.entries if roster else ():
        total += entry.weight
        row = view.get(CodeReports, entry.address)
        if row is not None and wanted in row.entries:
            reported += entry.weight
    if 3 * reported <= 2 * total:
        raise Refused(Code.CODE_NOT_REPORTED, reported=reported, total=total)


def _in_order(entries: tuple[Activation, ...]) -> tuple[Activation, ...]:
    return tuple(sorted(entries, key=lambda entry: (entry.contract, entry.from_height)))
