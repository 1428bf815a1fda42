"""The command without packages that it may lack or should not load: all else works."""

from __future__ import annotations

import subprocess
import sys

import pytest

BARE = """
import sys
for name in {missing}:
    sys.modules[name] = None  # as if it were not installed
from hansa.cli.main import main
sys.exit(main())
"""


def run(*words, missing=("pyarrow",)):
    return subprocess.run(
        [sys.executable, "-c", BARE.format(missing=missing), *words],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [("--version",), ("tx", "commands", "payments.transfer")])
def test_other_commands_need_no_extra(words):
    done = run(*words)
    assert (done.returncode, done.stderr) == (0, "")


def test_replay_says_which_extra_it_needs(tmp_path):
    done = run("replay", str(tmp_path / "payments.csv"))
    assert done.returncode == 5
    assert "pip install 'hansa[data]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("word", ["", "id"])
def test_help_loads_nothing_that_only_some_words_need(word):
    done = run(*word.split(), "--help", missing=("segno", "jsonschema"))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["key", "message", "tx", "verify", "wallet"])
def test_commands_without_identity_load_none_of_it(command):
    done = run(command, "--help", missing=("hansa.identity", "hansa.cli.identity"))
    assert (done.returncode, done.stderr) == (0, "")
