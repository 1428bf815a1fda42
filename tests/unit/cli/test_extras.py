"""The command without the packages of an extra: all but what needs them works."""

from __future__ import annotations

import subprocess
import sys

import pytest

BARE = """
import sys
sys.modules["pyarrow"] = None  # as if it were not installed
from hansa.cli.main import main
sys.exit(main())
"""


def run(*words):
    return subprocess.run(
        [sys.executable, "-c", BARE, *words], capture_output=True, text=True, check=False
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
