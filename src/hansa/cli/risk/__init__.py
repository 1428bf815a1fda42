"""Commands of risk control: `hansa risk`."""

from __future__ import annotations

import argparse

from hansa.cli.risk import evaluating, models, training


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `risk` with all its words to the parser."""
    risk = commands.add_parser("risk", help="models that decide on payments, and how good they are")
    words = risk.add_subparsers(dest="word", required=True, metavar="WORD")
    models.add_words(words)
    evaluating.add_words(words)
    training.add_words(words)
