"""Commands of risk control: `hansa risk`."""

from __future__ import annotations

import argparse

from hansa.cli.risk import models


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `risk` with all its words to the parser."""
    risk = commands.add_parser("risk", help="what decides on the risk of payments: its models")
    words = risk.add_subparsers(dest="word", required=True, metavar="WORD")
    models.add_words(words)
