"""What words of `hansa pair` share: the agreement that is meant, who signs, names of members."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from hansa.cli.source import add_signing, parse_file, parse_hash
from hansa.kernel.crypto.address import from_text
from hansa.sdk.client import Client
from hansa.sdk.reconciliation.pair_answers import PairDetails

Names = Mapping[str, str]
"""Names of members, by address."""


def add_agreement(command: argparse.ArgumentParser) -> None:
    """Add the name of an agreement."""
    command.add_argument("agreement", help="its id, 64 hexadecimal digits")


def add_officers(command: argparse.ArgumentParser) -> None:
    """Add the options of a command that officers of a bank sign."""
    command.add_argument(
        "--key",
        type=parse_file,
        action="append",
        required=True,
        dest="keys",
        metavar="KEYFILE",
        help="of an officer; repeat where several sign together",
    )
    add_signing(command)


def parse_agreement(options: argparse.Namespace) -> bytes:
    """Parse the id of the agreement that is meant; raises `Invalid`."""
    return parse_hash(options.agreement, "id of an agreement")


def get_own(pair: PairDetails) -> bytes:
    """Get the party whose node was asked."""
    return from_text(pair.terms.left if pair.place == "left" else pair.terms.right)


def list_names(client: Client) -> Names:
    """List the members' names, by their addresses."""
    return {each.address: each.name for each in client.list_members()}


def name(names: Names, address: str) -> str:
    """Name a member; whom the ledger does not know, by the address."""
    return names.get(address, address)
