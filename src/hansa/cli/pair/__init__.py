"""Commands of two banks that reconcile as entries arrive: `hansa pair`."""

from __future__ import annotations

import argparse

from hansa.cli.pair import agreements


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `pair` with all its words to the parser."""
    pair = commands.add_parser("pair", help="reconcile with another bank as entries arrive")
    words = pair.add_subparsers(dest="word", required=True, metavar="WORD")
    agreements.add_words(words)
