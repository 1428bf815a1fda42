"""Other people's software in a process of its own, which answers questions."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from base64 import urlsafe_b64decode
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

FOLDER = Path(__file__).parent
TIMEOUT_S = 60


class ForeignError(Exception):
    """The other side refused, in its words."""


class Foreign:
    """A program of `programs/` that runs until it is closed."""

    def __init__(self, program: str) -> None:
        node = shutil.which("node")
        if node is None or not (FOLDER / "node_modules" / ".hansa-lock").exists():
            pytest.skip("the foreign clients are not installed: make clients")
        self._process = subprocess.Popen(
            [node, f"programs/{program}.mjs"],
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def ask(self, action: str, **options: Any) -> Any:
        """Ask for an action and wait for what comes of it.

        Raises:
          ForeignError: the other side refused.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        stdin.write(json.dumps({"action": action, **options}) + "\n")
        stdin.flush()
        watchdog = Timer(TIMEOUT_S, self._process.kill)
        watchdog.start()
        try:
            line = stdout.readline()
        finally:
            watchdog.cancel()
        assert line, "the foreign program ended: what it said stands in the test's output"
        answer = json.loads(line)
        if "error" in answer:
            raise ForeignError(answer["error"])
        return answer["result"]

    async def ask_beside(self, action: str, **options: Any) -> Any:
        """The same beside a server of ours that runs in this thread's loop."""
        return await asyncio.to_thread(self.ask, action, **options)

    def close(self) -> None:
        """End the program, which ends by itself when nobody asks any more."""
        with self._process as process:
            process.stdin.close()
            process.wait(TIMEOUT_S)


def read_token(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read header and claims of a token, unverified."""
    parts = token.split(".")[:2]
    header, claims = (json.loads(urlsafe_b64decode(f"{part}==")) for part in parts)
    return header, claims


def run_foreign(program: str) -> Any:
    """A fixture that runs a program for a whole file of tests."""

    @pytest.fixture(scope="module")
    def foreign():
        made = Foreign(program)
        yield made
        made.close()

    return foreign
