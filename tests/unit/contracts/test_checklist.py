"""Every contract passes the check list, and the check list finds what is planted."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from enum import StrEnum

import pytest
from tests.unit.contracts.checklist import check_contract
from tests.unit.contracts.examples import licences, licences_2

from hansa.contracts.registry import MODULES, PARTS

CHECKED = (*MODULES, licences)


def list_modules(module):
    return (module, *PARTS.get(module.NAME, ()))


@pytest.mark.parametrize("module", CHECKED, ids=lambda module: module.NAME)
def test_contracts_pass_the_check_list(module):
    others = tuple(part for other in MODULES if other is not module for part in list_modules(other))
    assert check_contract(module, PARTS.get(module.NAME, ()), others) == []


def test_a_newer_version_passes_with_the_rows_and_codes_of_the_older():
    assert check_contract(licences_2, (licences,)) == []


def plant(tmp_path, old, new):
    """Load the example contract with one thing changed."""
    text = inspect.getsource(licences)
    assert old in text
    path = tmp_path / "planted.py"
    path.write_text(text.replace(old, new))
    name = f"planted_{len(sys.modules)}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLE = 'COMMANDS: dict[str, tuple[type[Command], Function]] = {"grant": (Grant, grant)}\n'
CODES = [
    f'    {code} = "licences.{code}"\n' for code in ("ALREADY_GRANTED", "FEE_NOT_PAID", "TOO_LATE")
]
ROW = "    number: EndToEndId\n    holder: Address\n\n\nclass Grant(Command"
ARGUMENTS = "    number: EndToEndId\n    holder: Address\n    asset: AssetCode\n"


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("Licences: an example contract", "Licences: a contract", "names no source"),
        ('"licences.FEE_NOT_PAID"', '"FEE_NOT_PAID"', "travels as FEE_NOT_PAID"),
        (CODES[1], CODES[2] + CODES[1], "nothing refuses with TOO_LATE"),
        (CODES[0] + CODES[1], CODES[1] + CODES[0], "refuses with FEE_NOT_PAID after ALREADY_GRA"),
        ('b"li"', 'b"wb"', "is that of Balance"),
        ('b"li"', 'b"lic"', "not two letters"),
        ('("department", "number")', '("department", "id")', "none of its fields"),
        ("    # CHECK\n", "    # CHECK\n    view.delete(Licence, b'', '')\n", "writes before all"),
        ("    # TELL\n", "    # TELL\n    context.require(b'', Purpose.PAY)\n", "checks after"),
        ("    # TELL\n", "", "its paragraphs are CHECK, CHANGE"),
        (TABLE, TABLE + "def late():\n    pass\n", "a function stands after a commands"),
        (ARGUMENTS, ARGUMENTS.replace("EndToEndId", "str"), "no text as number is accepted"),
        (ARGUMENTS, ARGUMENTS + "    fee_minor: int\n", "amount -1 as fee_minor is accepted"),
        (ROW, "    uses: int\n" + ROW, "Licence.uses is an integer without bounds"),
    ],
)
def test_what_is_planted_is_found(tmp_path, old, new, finding):
    module = plant(tmp_path, old, new)
    others = tuple(part for other in MODULES for part in list_modules(other))
    findings = check_contract(module, (), others)
    assert any(finding in text for text in findings), findings


def test_codes_of_all_contracts_are_their_own():
    """No two contracts share a code, and each code begins with its contract's name."""
    seen = {}
    for module in MODULES:
        for part in list_modules(module):
            for value in vars(part).values():
                if isinstance(value, type) and issubclass(value, StrEnum):
                    for code in value:
                        if "." in code.value:
                            assert seen.setdefault(code.value, value) is value
    assert len(seen) > 50
