"""Commands in messages begin as their reader called the program, so that they can be typed."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hansa
from hansa.cli.main import build_parser
from hansa.program import name_program

SOURCE = Path(hansa.__file__).parent
INSTALLED = Path(sys.executable).parent / "hansa"
(COMMANDS,) = (
    action.choices
    for action in build_parser()._actions  # noqa: SLF001 - argparse shows them nowhere else
    if isinstance(action.choices, dict)
)
BARE = re.compile(rf"(?<![\w/.'-])hansa (?:{'|'.join(COMMANDS)})\b")
"""A command as if `hansa` were on everybody's PATH."""

MAY_BE_BARE = {
    "SETTINGS": "a comment in node.toml, read by whoever administers the node later",
    "ANSWER": "on a page, read on a machine that may have its own",
    "CONFIRM": "likewise",
    "SEND": "likewise",
    "SEND_BY_TWO": "likewise",
    "LOCAL": "likewise",
    "RELOAD": "likewise",
}


@pytest.fixture
def called(tmp_path):
    """The program under a path of its own, which is not on PATH."""
    (tmp_path / "my env").symlink_to(INSTALLED.parent.parent)
    return tmp_path / "my env" / "bin" / "hansa"


def test_on_the_path_it_is_called_by_its_name(monkeypatch, called):
    monkeypatch.setenv("PATH", f"{INSTALLED.parent}:/usr/bin")
    assert name_program(str(INSTALLED)) == "hansa"
    assert name_program(str(called)) == "hansa", "another name of the same file"


def test_elsewhere_it_is_called_by_its_whole_path(monkeypatch, tmp_path, called):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert name_program(str(called)) == f"'{called}'"
    monkeypatch.chdir(tmp_path)
    assert name_program("my env/bin/hansa") == f"'{called}'", "it can be typed from any folder"


def test_another_program_of_this_name_on_the_path_is_not_meant(monkeypatch, tmp_path):
    other = tmp_path / "hansa"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert name_program(str(INSTALLED)) == str(INSTALLED)


def test_a_module_is_called_as_one():
    assert name_program(str(SOURCE / "__main__.py")) == f"{sys.executable} -m hansa"


def list_texts(tree):
    """List (line, text) of all strings that are no docstrings."""
    docs = {
        id(statement.value)
        for node in ast.walk(tree)
        if isinstance(getattr(node, "body", None), list)
        for statement in node.body
        if isinstance(statement, ast.Expr)
    }
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        is_exempt = any(
            isinstance(target, ast.Name) and target.id in MAY_BE_BARE for target in targets
        )
        if is_exempt:
            docs |= {id(each) for each in ast.walk(node)}
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value


@pytest.mark.parametrize("package", ["cli", "node", "sdk", "engine"])
def test_no_message_names_a_command_of_a_bare_hansa(package):
    found = [
        f"{path.relative_to(SOURCE)}:{line}: {text}"
        for path in sorted((SOURCE / package).rglob("*.py"))
        for line, text in list_texts(ast.parse(path.read_text()))
        if BARE.search(text)
    ]
    assert found == [], "begin the command with hansa.program.name_program()"


def test_what_it_prints_begins_as_it_was_called(called, tmp_path):
    """Commands that end with a hint, and errors that do, run by a path that PATH does not have."""
    environment = {**os.environ, "PATH": "/usr/bin:/bin", "HANSA_PASSPHRASE": "a long passphrase"}
    printed = []
    for words, code in (
        ("doctor --data node", 1),
        ("init --data node --officers 1:1", 0),
        ("key api list --data node", 0),
        ("backup archive --data node", 0),
        ("restore archive --data other", 0),
        ("pay", 2),
    ):
        done = subprocess.run(
            [called, *words.split()],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        text = done.stdout + done.stderr
        assert done.returncode == code, (words, text)
        is_silent = words.startswith("backup ")
        assert is_silent or f"'{called}' " in text, (words, text)
        printed.append(text)
    assert BARE.findall("\n".join(printed)) == []
