"""Commands of risk control: `hansa risk`."""

from __future__ import annotations

import argparse

from hansa.cli.risk import desk, evaluating, journals, models, opening, screening, training


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `risk` with all its words to the parser."""
    risk = commands.add_parser(
        "risk", help="what decides on payments: models, what waits, decisions opened"
    )
    words = risk.add_subparsers(dest="word", required=True, metavar="WORD")
    models.add_words(words)
    evaluating.add_words(words)
    training.add_words(words)
    desk.add_words(words)
    opening.add_words(words)
    journals.add_words(words)
    screening.add_words(words)
