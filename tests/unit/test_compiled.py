"""The compiled state machine is used as long as it was made from the sources that lie there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hansa.compiled import FOLDER, MANIFEST, SWITCH, hash_sources, read_manifest
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


@pytest.fixture
def copied(compiled, tmp_path):
    return shutil.copytree(FOLDER, tmp_path / "made")


def test_what_was_made_is_whole(copied):
    made = read_manifest(copied)
    assert made == read_manifest()
    assert "hansa.kernel.machine.execution" in made.modules
    assert set(made.modules.values()) == set(made.hashes)


@pytest.mark.parametrize("text", ["", "{}", "[]", "nothing", '{"sources": 1}'])
def test_a_manifest_that_cannot_be_read_is_as_if_nothing_were_there(copied, text):
    (copied / MANIFEST).write_text(text)
    assert read_manifest(copied) is None
    (copied / MANIFEST).unlink()
    assert read_manifest(copied) is None


def test_a_file_that_is_missing_or_damaged_is_not_loaded(copied):
    made = read_manifest(copied)
    for file in made.hashes:
        path = copied / file
        whole = path.read_bytes()
        for damaged in (whole[:-1], whole[:9_999], b"", whole[:50] + b"?" + whole[51:]):
            path.write_bytes(damaged)
            assert read_manifest(copied) is None
        path.unlink()
        assert read_manifest(copied) is None
        path.write_bytes(whole)
    assert read_manifest(copied) == made


def test_the_hash_is_of_names_and_contents(tmp_path):
    (tmp_path / "a.py").write_text("x")
    first = hash_sources(tmp_path)
    (tmp_path / "a.py").write_text("y")
    second = hash_sources(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert len({first, second, hash_sources(tmp_path)}) == 3


def test_these_tests_run_what_nodes_run(compiled):
    """So that all others check what was compiled, unless it was switched off for them."""
    is_compiled = "hansa_compiled" in str(sys.modules[compute_root.__module__].__file__)
    assert is_compiled == (os.environ.get(SWITCH) != "0")
