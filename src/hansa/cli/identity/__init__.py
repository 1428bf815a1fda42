"""Commands about identity: issuers of credentials and those who verify them."""

from __future__ import annotations

import argparse

from hansa.cli.identity import issuer


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `id` with all its words to the parser."""
    identity = commands.add_parser("id", help="issue and verify credentials")
    words = identity.add_subparsers(dest="word", required=True, metavar="WORD")
    issuer.add_words(words)
