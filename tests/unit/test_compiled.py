"""The compiled state machine is used as long as it was made from the sources that lie there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hansa.compiled import SWITCH, hash_sources
from hansa.kernel.trees.merkle import compute_root

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import hansa.compiled
import hansa.kernel.machine.execution as execution
import hansa.kernel.trees.state_tree as state_tree
print(hansa.compiled.is_in_use(), execution.__file__, state_tree.__file__)
"""


@pytest.fixture
def sources(tmp_path):
    return shutil.copytree(ROOT / "src" / "hansa", tmp_path / "hansa")


def look(sources: Path, switch: str = "") -> list[str]:
    """Tell whether a process that imports these sources runs the compiled state machine."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": str(sources.parent), SWITCH: switch},
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split()


def test_it_is_used_for_the_sources_that_it_was_made_from(compiled, sources):
    is_used, *files = look(sources)
    assert is_used == "True"
    assert all("hansa_compiled" in file for file in files)


@pytest.mark.parametrize("name", ["values.py", "machine/state.py", "crypto/hashing.py"])
def test_a_changed_source_of_the_kernel_turns_it_off(compiled, sources, name):
    with (sources / "kernel" / name).open("a") as file:
        file.write("\n# changed\n")
    is_used, *files = look(sources)
    assert is_used == "False"
    assert all(file.startswith(str(sources)) for file in files)


def test_a_new_source_of_the_kernel_turns_it_off(compiled, sources):
    (sources / "kernel" / "more.py").write_text("")
    assert look(sources)[0] == "False"


def test_it_can_be_switched_off(sources):
    is_used, *files = look(sources, "0")
    assert is_used == "False"
    assert all(file.startswith(str(sources)) for file in files)


def test_the_hash_is_of_names_and_contents():
    assert len(hash_sources()) == 64
    assert hash_sources() == hash_sources()


def test_these_tests_run_what_nodes_run(compiled):
    """So that all others check what was compiled, unless it was switched off for them."""
    is_compiled = "hansa_compiled" in str(sys.modules[compute_root.__module__].__file__)
    assert is_compiled == (os.environ.get(SWITCH) != "0")
