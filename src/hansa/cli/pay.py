"""Commands of a person with a key: wallet, pay."""

from __future__ import annotations

import argparse
import secrets
from decimal import Decimal, InvalidOperation
from pathlib import Path

from hansa.cli.passphrase import ask_passphrase
from hansa.cli.screen import print_found
from hansa.contracts import payments
from hansa.kernel.crypto.address import from_text
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.sdk.client import Client
from hansa.sdk.keys import load_key

DEFAULT_NODE = "http://127.0.0.1:8460"
EXIT_REFUSED = 3


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's commands to the parser."""
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


def _wallet(options: argparse.Namespace) -> int:
    found = Client(options.node).get_wallet(from_text(options.address))
    print_found(found, is_json=options.json)
    return 0


def _pay(options: argparse.Namespace) -> int:
    amount_minor = parse_amount(options.amount, options.exponent)
    key = load_key(options.key, ask_passphrase())
    reference = options.id or f"pay-{secrets.token_hex(8)}"
    transfer = payments.Transfer(
        key.address, from_text(options.payee), options.asset, amount_minor, reference
    )
    found = Client(options.node).send([key], [transfer])
    print_found({**found, "end_to_end_id": reference}, is_json=options.json)
    return 0 if found["status"] == "OK" else EXIT_REFUSED
