"""Commands of a person with a key: key, wallet, pay."""

from __future__ import annotations

import argparse
import getpass
import os
import secrets
import sys
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

from hansa.cli import api_key
from hansa.cli.screen import print_json, print_table
from hansa.contracts import payments
from hansa.kernel.crypto.address import from_text
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.sdk.client import Client
from hansa.sdk.keys import KeyPair, load_key, save_key

DEFAULT_NODE = "http://127.0.0.1:8460"
PASSPHRASE_VARIABLE = "HANSA_PASSPHRASE"  # noqa: S105 - the name of a variable
EXIT_REFUSED = 3


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's commands to the parser."""
    key = commands.add_parser("key", help="make or show a key file")
    words = key.add_subparsers(dest="word", required=True, metavar="WORD")
    for word, function, text in (
        ("new", _new_key, "make a key, encrypted under a passphrase"),
        ("show", _show_key, "show a key file's address"),
    ):
        command = words.add_parser(word, help=text)
        command.add_argument("file", type=Path)
        command.add_argument("--json", action="store_true", help="print one JSON object")
        command.set_defaults(function=function)
    api_key.add_commands(words)
    wallet = commands.add_parser("wallet", help="show a wallet and its balances")
    wallet.add_argument("address")
    wallet.set_defaults(function=_wallet)
    pay = commands.add_parser("pay", help="pay from the wallet of a key")
    pay.add_argument("key", type=Path, help="key file of the payer")
    pay.add_argument("payee", help="address of the payee's wallet")
    pay.add_argument("amount", help="in major units, as 12.50")
    pay.add_argument("--asset", default="MOP")
    pay.add_argument("--exponent", type=int, default=2, help="decimals of the asset (default 2)")
    pay.add_argument("--id", help="your reference, at most 35 characters (default: a random one)")
    pay.set_defaults(function=_pay)
    for command in (wallet, pay):
        command.add_argument("--node", default=DEFAULT_NODE, help=f"default {DEFAULT_NODE}")
        command.add_argument("--json", action="store_true", help="print one JSON object")


def ask_passphrase() -> str:
    """Get the passphrase from HANSA_PASSPHRASE, or ask at the terminal.

    Raises:
      Invalid: neither is there.
    """
    found = os.environ.get(PASSPHRASE_VARIABLE)
    if found is not None:
        return found
    if not sys.stdin.isatty():
        raise Invalid(
            InvalidCode.UNAUTHENTICATED,
            f"no passphrase: set {PASSPHRASE_VARIABLE}, or run this at a terminal",
        )
    return getpass.getpass("Passphrase: ")


def parse_amount(text: str, exponent: int) -> int:
    """Parse an amount in major units into minor ones; raises `Invalid` if it is not exact."""
    try:
        scaled = Decimal(text).scaleb(exponent)
        is_good = scaled == scaled.to_integral_value() and scaled > 0
    except (InvalidOperation, ValueError):
        is_good = False
    if not is_good:
        raise Invalid(
            InvalidCode.AMOUNT,
            f"{text!r} is no amount: a positive number with at most {exponent} decimals",
        )
    return int(scaled)


def _new_key(options: argparse.Namespace) -> int:
    key = KeyPair.generate()
    save_key(options.file, key, ask_passphrase())
    _print({"file": str(options.file), "address": key.address_text}, is_json=options.json)
    return 0


def _show_key(options: argparse.Namespace) -> int:
    key = load_key(options.file, ask_passphrase())
    found = {
        "file": str(options.file),
        "address": key.address_text,
        "suite": key.suite.name.swapcase(),
        "public_key": key.public_key.hex(),
    }
    _print(found, is_json=options.json)
    return 0


def _wallet(options: argparse.Namespace) -> int:
    found = Client(options.node).get_wallet(from_text(options.address))
    _print(found, is_json=options.json)
    return 0


def _pay(options: argparse.Namespace) -> int:
    amount_minor = parse_amount(options.amount, options.exponent)
    key = load_key(options.key, ask_passphrase())
    reference = options.id or f"pay-{secrets.token_hex(8)}"
    transfer = payments.Transfer(
        key.address, from_text(options.payee), options.asset, amount_minor, reference
    )
    found = Client(options.node).send([key], [transfer])
    _print({**found, "end_to_end_id": reference}, is_json=options.json)
    return 0 if found["status"] == "OK" else EXIT_REFUSED


def _print(found: Mapping[str, object], *, is_json: bool) -> None:
    if is_json:
        print_json(found)
    else:
        print_table(found)
