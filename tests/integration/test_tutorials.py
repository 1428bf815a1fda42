"""The tutorial of the first network, run as it stands: its commands, and what they print.

Thirty processes take half a minute, so `make soak` runs it. `make test` checks that the commands
and options exist (test_docs.py).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorials" / "first-network.md"
MARK = "\x1e"

SERVE = """\
mkfifo said
hansa up --data first --port 0 --json > said &
trap 'kill $!; wait $!' EXIT
exec 3< said
read -r line <&3
export HANSA_NODE=$(printf '%s' "$line" | field url)
"""
"""In place of the second terminal: any free port, and wait until the node answers."""


def read_steps() -> list[tuple[str, str]]:
    """Read (commands, what they print or nothing) of the page, in order."""
    blocks = re.findall(r"^```(sh|text)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    steps: list[tuple[str, str]] = []
    for language, body in blocks:
        if language == "sh":
            steps.append((body, ""))
        else:
            assert steps[-1][1] == "", "two outputs of one block"
            steps[-1] = (steps[-1][0], body)
    return steps


def build_pattern(shown: str) -> re.Pattern[str]:
    """Build the pattern of an output: `…` is the rest of a line, or alone any number of lines."""
    lines = [
        "(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + " *\n"
        for line in shown.splitlines()
    ]
    return re.compile("".join(lines))


@pytest.mark.soak
def test_the_first_network_is_founded_and_pays_as_the_tutorial_shows(tmp_path):
    steps = read_steps()
    commands = [SERVE if body == "hansa up --data first\n" else body for body, _ in steps]
    assert SERVE in commands
    script = "set -e\n" + "printf '\\036'\n".join(commands)
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # as a terminal shows both
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout
    printed = done.stdout.split(MARK)
    assert len(printed) == len(steps)
    for (body, shown), found in zip(steps, printed, strict=True):
        assert not shown or build_pattern(shown).fullmatch(found), f"{body}\nprinted\n{found}"
