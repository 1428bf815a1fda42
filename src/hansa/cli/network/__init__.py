"""Commands about a network: making it, running its nodes, and what it has agreed on."""

from __future__ import annotations

import argparse

from hansa.cli.network import adding, agreed, keys, making, proposals, running


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `network` with all its words to the parser."""
    network = commands.add_parser(
        "network", help="make and run a network of several nodes; members, policy, proposals"
    )
    words = network.add_subparsers(dest="word", required=True, metavar="WORD")
    making.add_words(words)
    running.add_words(words)
    keys.add_words(words)
    adding.add_words(words)
    agreed.add_words(words)
    proposals.add_words(words)
