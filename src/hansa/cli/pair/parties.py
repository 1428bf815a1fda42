"""Who acts in words of `hansa pair`: officers by their key files, and for which bank."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from hansa.cli.source import add_signing, find_member, parse_file, parse_hash
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.sdk.answers import read
from hansa.sdk.client import Client
from hansa.sdk.keys import KeyPair
from hansa.sdk.reconciliation.answers import Agreement


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
    command.add_argument(
        "--bank",
        help="for which of the two they sign, by name or address, if it is not plain from the key",
    )
    add_signing(command)


def parse_agreement(options: argparse.Namespace) -> bytes:
    """Parse the id of the agreement that is meant; raises `Invalid`."""
    return parse_hash(options.agreement, "id of an agreement")


def get_agreement(client: Client, agreement: bytes) -> Agreement:
    """Get an agreement as it stands on the ledger.

    Raises:
      NotFound: there is none of the caller's.
      Invalid: the node does not know who asks.
    """
    path = f"/v1/reconciliation/agreements/{agreement.hex()}"
    return read(Agreement, client.get(path), "the node")


def find_bank(
    client: Client,
    options: argparse.Namespace,
    parties: Sequence[bytes],
    keys: Sequence[KeyPair],
) -> bytes:
    """Find for which party officers sign: the one that is named, or whose address a key has.

    Args:
      client: of a node, which knows members by their names.
      options: of the command.
      parties: whose turn it can be; of one alone, nobody is asked.
      keys: of who signs.

    Raises:
      NotFound: no member has that name.
      Invalid: it is not plain which is meant.
    """
    if options.bank is not None:
        return find_member(client, options.bank)
    addresses = {key.address for key in keys}
    found = [each for each in parties if each in addresses or len(parties) == 1]
    if len(found) != 1:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            "no key has the address of just one of the parties, so say which one they sign for: "
            + " or ".join(f"--bank {to_text(each)}" for each in parties),
        )
    return found[0]


def list_parties(row: Agreement) -> list[bytes]:
    """List both parties of an agreement, the left one first."""
    return [from_text(row.left), from_text(row.right)]
