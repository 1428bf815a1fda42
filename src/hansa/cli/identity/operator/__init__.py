"""Commands of an operator that lifts wallets: `hansa id tier`."""

from __future__ import annotations

import argparse

from hansa.cli.identity.operator import asking, serving


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands of operators."""
    tier = words.add_parser("tier", help="lift wallets to better categories by credentials")
    verbs = tier.add_subparsers(dest="verb", required=True, metavar="VERB")
    serving.add_verbs(verbs)
    asking.add_verbs(verbs)
