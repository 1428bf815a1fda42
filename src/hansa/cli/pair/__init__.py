"""Commands of two banks that reconcile as entries arrive: `hansa pair`."""

from __future__ import annotations

import argparse

from hansa.cli.pair import agreements, breaks, cases, feeding, proposing, reading, settling


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `pair` with all its words to the parser."""
    pair = commands.add_parser("pair", help="reconcile with another bank as entries arrive")
    words = pair.add_subparsers(dest="word", required=True, metavar="WORD")
    proposing.add_words(words)
    agreements.add_words(words)
    reading.add_words(words)
    feeding.add_words(words)
    breaks.add_words(words)
    cases.add_words(words)
    settling.add_words(words)
