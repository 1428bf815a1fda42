"""Every command succeeds in some test of this folder, and every code refuses in one.

Reached is what really came back, as the harness and `World` note it. Asked only where the whole
folder runs: a test alone reaches little.
"""

from __future__ import annotations

from enum import StrEnum

import pytest
from tests import reached

from hansa.contracts.registry import MODULES, PARTS
from hansa.kernel.authority import AuthorityCode


def list_codes() -> set[str]:
    parts = [part for module in MODULES for part in (module, *PARTS.get(module.NAME, ()))]
    codes: set[type[StrEnum]] = {vars(part)["Code"] for part in parts if "Code" in vars(part)}
    return {code.value for each in (*codes, AuthorityCode) for code in each}


def test_every_command_succeeded_in_a_test(is_whole):
    if not is_whole:
        pytest.skip("only part of the contracts' tests runs")
    commands = {command for module in MODULES for command, _ in module.COMMANDS.values()}
    assert {command.__qualname__ for command in commands - reached.COMMANDS} == set()


def test_every_code_refused_in_a_test(is_whole):
    if not is_whole:
        pytest.skip("only part of the contracts' tests runs")
    assert list_codes() - reached.CODES == set()
