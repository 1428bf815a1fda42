"""docs/reference/contracts.md against the code: nothing missing, nothing left over, same order."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

import pytest
from tests.unit.contracts.checklist import find_codes, list_classes

from hansa.contracts.registry import MODULES, PARTS
from hansa.kernel import authority
from hansa.kernel.authority import Account, AuthorityCode
from hansa.kernel.contract import Event
from hansa.kernel.errors import InvalidCode
from hansa.kernel.machine import execution, state
from hansa.kernel.machine.execution import ExecutionCode
from hansa.kernel.quota import SponsorUsage
from hansa.kernel.rows import Row, StateCode

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "contracts.md"
KERNEL_CODES: tuple[type[StrEnum], ...] = (AuthorityCode, ExecutionCode, StateCode)
FAILED = "kernel.FAILED"
"""Of a receipt whose contract raised what it should not; no enumeration has it."""


def read_section(heading: str) -> str:
    found = re.search(
        rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"the page has no section {heading}"
    return found.group(1)


def read_rows(section: str, head: str) -> list[list[str]]:
    """Read the cells of the table under this head; without backticks and anchors."""
    found = re.search(rf"^\| {head} \|.*\n\|[-|]+\n((?:\|.*\n)*)", section, re.MULTILINE)
    if found is None:
        return []
    plain = re.sub(r"<a id=\"[^\"]*\"></a>|`", "", found.group(1))
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in plain.splitlines()]


def list_modules(module):
    return (module, *PARTS.get(module.NAME, ()))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.NAME)
def test_commands_are_listed_with_their_arguments(module):
    commands = [
        [f"{module.NAME}.{word}", ", ".join(command.__struct_fields__)]
        for word, (command, _) in module.COMMANDS.items()
    ]
    rows = read_rows(read_section(module.NAME), "command")
    assert [row[:2] for row in rows] == commands
    assert all(len(row[2]) > 5 for row in rows), "who may send it is not said"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.NAME)
def test_events_are_listed_with_their_fields(module):
    events = {
        f"{module.NAME}.{event.__name__}": ", ".join(event.__struct_fields__[1:])
        for event in list_classes(list_modules(module), Event)
    }
    rows = read_rows(read_section(module.NAME), "event")
    assert {name: fields for name, fields, _ in rows} == events
    assert all(row[2] for row in rows), "what it says is not said"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.NAME)
def test_codes_are_listed_by_precedence_with_what_to_do(module):
    rows = read_rows(read_section(module.NAME), "code")
    code = find_codes(list_modules(module))
    assert [row[0] for row in rows] == [each.value for each in code]
    assert all(row[1] and row[2] for row in rows)


def test_codes_of_the_kernel_are_listed():
    rows = read_rows(read_section("Kernel"), "code")
    assert [row[0] for row in rows] == [each.value for c in KERNEL_CODES for each in c] + [FAILED]
    rows = read_rows(read_section("Invalid input"), "code")
    assert [row[0] for row in rows] == [each.value for each in InvalidCode]
    for module in (authority, state, execution):
        own = [value for value in vars(module).values() if isinstance(value, type)]
        for value in own:
            is_code = issubclass(value, StrEnum) and value.__name__.endswith("Code")
            assert not is_code or value in (*KERNEL_CODES, InvalidCode)


def test_every_code_has_an_anchor_of_its_own():
    """Problem documents name them: `contracts.md#balances.INSUFFICIENT_FUNDS`."""
    text = PAGE.read_text()
    anchors = re.findall(r"<a id=\"([^\"]*)\"></a>`([^`]*)`", text)
    assert all(anchor == code for anchor, code in anchors)
    assert len({anchor for anchor, _ in anchors}) == len(anchors) == text.count("<a id=")
    codes = [code for module in MODULES for code in find_codes(list_modules(module))]
    assert len(anchors) == len(codes) + sum(map(len, KERNEL_CODES)) + 1 + len(InvalidCode)


def test_every_table_has_a_bound():
    rows = {
        row.TABLE.decode(): [module.NAME, row.__name__, ", ".join(row.KEY) or "one row"]
        for module in MODULES
        for row in list_classes(list_modules(module), Row)
    }
    for row, contract in ((Account, "accounts"), (SponsorUsage, "kernel")):
        rows[row.TABLE.decode()] = [contract, row.__name__, ", ".join(row.KEY)]
    listed = read_rows(read_section("Tables"), "table")
    assert {table: rest[:3] for table, *rest in listed} == rows
    assert all(row[4] for row in listed)
