"""Commands that reconcile the books of two sides, and verify what came of it."""

from __future__ import annotations

import argparse

from hansa.cli.reconcile import running, verifying


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands of this package to the parser."""
    running.add_commands(commands)
    verifying.add_commands(commands)
