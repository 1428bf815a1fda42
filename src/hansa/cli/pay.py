"""The command pay: money from the wallet of a key to another."""

from __future__ import annotations

import argparse
import secrets
from pathlib import Path

from hansa.cli.source import add_node, open_client, parse_count
from hansa.cli.tx import load_keys, tell_answer
from hansa.contracts import payments
from hansa.kernel.crypto.address import from_text
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.values import INT64_MAX

TEXT_MAX = 40
EXPONENT_MAX = 18
REFERENCE_MAX = 35
ASSET_MAX = 24


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's commands to the parser."""
    pay = commands.add_parser("pay", help="pay from the wallet of a key")
    pay.add_argument("key", type=Path, help="key file of the payer")
    pay.add_argument("payee", help="address of the payee's wallet")
    pay.add_argument("amount", help="in major units, as 12.50")
    pay.add_argument("--asset", default="MOP", help="default MOP")
    pay.add_argument(
        "--exponent", type=parse_count, default=2, help="decimals of the asset (default 2)"
    )
    pay.add_argument("--id", help="your reference, at most 35 characters (default: a random one)")
    add_node(pay)
    pay.set_defaults(function=_pay)


def parse_amount(text: str, exponent: int) -> int:
    """Parse an amount in major units into minor ones, exactly.

    >>> parse_amount("12.5", 2)
    1250

    Raises:
      Invalid: it is no positive number, has too many decimals, or is over 2^63 minor units.
    """
    whole, point, fraction = text.partition(".")
    digits = whole + fraction.ljust(exponent, "0")
    is_number = whole.isascii() and whole.isdigit() and (not point or fraction.isdigit())
    is_number = is_number and fraction.isascii() and len(text) <= TEXT_MAX
    if not is_number or len(fraction) > exponent or not 0 < int(digits) <= INT64_MAX:
        raise Invalid(
            InvalidCode.AMOUNT,
            f"{text[:TEXT_MAX]!r} is no amount: a positive number with at most {exponent} decimals",
        )
    return int(digits)


def _pay(options: argparse.Namespace) -> int:
    if options.exponent > EXPONENT_MAX:
        raise Invalid(InvalidCode.AMOUNT, f"an asset has at most {EXPONENT_MAX} decimals")
    amount_minor = parse_amount(options.amount, options.exponent)
    payee = from_text(options.payee)
    reference = f"pay-{secrets.token_hex(8)}" if options.id is None else options.id
    _check_length("--id", reference, REFERENCE_MAX)
    _check_length("--asset", options.asset, ASSET_MAX)
    (key,) = load_keys([options.key])
    transfer = payments.Transfer(key.address, payee, options.asset, amount_minor, reference)
    with open_client(options) as client:
        answer = client.send([key], [transfer])
    return tell_answer(answer, is_json=options.json, end_to_end_id=reference)


def _check_length(what: str, text: str, most: int) -> None:
    if not 1 <= len(text) <= most:
        raise Invalid(InvalidCode.ARGUMENTS, f"{what} {text[:80]!r}: 1 to {most} characters")
