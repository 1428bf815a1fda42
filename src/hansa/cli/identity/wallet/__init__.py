"""Commands of a holder: id wallet new, receive, list, show, present, desk and more."""

from __future__ import annotations

import argparse

from hansa.cli.identity.wallet import desk, keeping, presenting, receiving


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands of holders."""
    wallet = words.add_parser("wallet", help="hold credentials, and show the least that will do")
    verbs = wallet.add_subparsers(dest="verb", required=True, metavar="VERB")
    keeping.add_verbs(verbs)
    receiving.add_verbs(verbs)
    presenting.add_verbs(verbs)
    desk.add_verbs(verbs)
