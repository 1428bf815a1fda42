"""Commands for wallets and their money: pay; wallet show, open, freeze-own and so on."""

from __future__ import annotations

import argparse
import secrets
import time

import msgspec

from hansa.cli.screen import print_found
from hansa.cli.source import (
    add_signing,
    add_source,
    open_client,
    open_home,
    parse_count,
    parse_file,
)
from hansa.cli.tx import load_keys, send
from hansa.contracts import payments, wallets
from hansa.contracts.currency import EXPONENT_MAX, Asset
from hansa.kernel.contract import Command
from hansa.kernel.crypto.address import from_text
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.kernel.values import INT64_MAX
from hansa.node.api.handlers.accounts import read_wallet
from hansa.node.home import Home, open_chain_read_only
from hansa.node.tables import Tables
from hansa.sdk import answers
from hansa.sdk.arguments import is_unicode
from hansa.sdk.client import Client

TEXT_MAX = 40
DIGITS_MAX = 20
"""One more than the largest amount has: what has as many is too large, whatever comes after."""
REFERENCE_MAX = 35
ASSET_MAX = 24
WORDS = ("show", "open", "set-category", "freeze-own", "unfreeze-own", "close")
CATEGORIES = tuple(category.name for category in wallets.Category)
OWN = {
    "freeze-own": (wallets.SelfFreeze, "freeze the wallet of a key, as after losing a phone"),
    "unfreeze-own": (wallets.SelfUnfreeze, "end one's own freeze"),
    "close": (wallets.Close, "close the empty wallet of a key"),
}


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's commands to the parser."""
    _add_pay(commands)
    wallet = commands.add_parser("wallet", help="show a wallet; open, freeze or close one")
    words = wallet.add_subparsers(dest="word", required=True, metavar="WORD")
    show = words.add_parser("show", help="show a wallet and its balances; wallet ADDRESS is enough")
    show.add_argument("address")
    add_source(show)
    show.set_defaults(function=_show)
    for word, text in (
        ("open", "open a wallet, as its operator"),
        ("set-category", "raise or lower a wallet's category, as its operator"),
    ):
        command = words.add_parser(word, help=text)
        command.add_argument("key", type=parse_file, help="key file of the operator")
        command.add_argument("address", help="of the wallet: that of its holder's key")
        command.add_argument("--category", choices=CATEGORIES, required=True)
        if word == "open":
            command.add_argument("--operator", help="its address (default: that of the key)")
        add_signing(command)
        command.set_defaults(function=_open if word == "open" else _set_category)
    for word, (_, text) in OWN.items():
        command = words.add_parser(word, help=text)
        command.add_argument("key", type=parse_file, help="key file of the holder")
        command.add_argument("--address", help="of the wallet (default: that of the key)")
        add_signing(command)
        command.set_defaults(function=_change_own)


def _add_pay(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    pay = commands.add_parser("pay", help="pay from the wallet of a key")
    pay.add_argument("key", type=parse_file, help="key file of the payer")
    pay.add_argument("payee", help="address of the payee's wallet")
    pay.add_argument("amount", help="in major units, as 12.50")
    pay.add_argument("--asset", default="MOP", help="default MOP")
    pay.add_argument("--id", help="your reference, at most 35 characters (default: a random one)")
    pay.add_argument(
        "--exponent",
        type=parse_count,
        metavar="N",
        help="decimals of the asset, where the ledger cannot prove them yet",
    )
    add_signing(pay)
    pay.set_defaults(function=_pay)


def _show(options: argparse.Namespace) -> int:
    address = from_text(options.address)
    if options.data is not None:
        found = _read_wallet(open_home(options), address)
    else:
        with open_client(options) as client:
            found = client.get_wallet(address)
    told = msgspec.to_builtins(found)
    if found.lift is None and not options.json:
        told["lift"] = "none"
    print_found(told, is_json=options.json)
    return 0


def _read_wallet(home: Home, address: bytes) -> answers.Wallet:
    chain = open_chain_read_only(home)
    try:
        return read_wallet(chain, Tables(chain, time.monotonic), address)
    finally:
        chain.close()


def _open(options: argparse.Namespace) -> int:
    wallet = from_text(options.address)
    operator = from_text(options.operator) if options.operator else None
    (key,) = load_keys([options.key])
    category = wallets.Category[options.category]
    command = wallets.Open(wallet, operator or key.address, category)
    with open_client(options) as client:
        return send(client, options, [key], [command])


def _set_category(options: argparse.Namespace) -> int:
    command = wallets.SetCategory(from_text(options.address), wallets.Category[options.category])
    (key,) = load_keys([options.key])
    with open_client(options) as client:
        return send(client, options, [key], [command])


def _change_own(options: argparse.Namespace) -> int:
    address = from_text(options.address) if options.address else None
    (key,) = load_keys([options.key])
    kind: type[Command] = OWN[options.word][0]
    with open_client(options) as client:
        return send(client, options, [key], [kind(address or key.address)])


def parse_amount(text: str, exponent: int) -> int:
    """Parse an amount in major units into minor ones, exactly.

    >>> parse_amount("12.5", 2)
    1250

    Raises:
      Invalid: it is no positive number, has too many decimals, or is over 2^63 minor units.
    """
    return _read_amount(text, exponent, f"a positive number with at most {exponent} decimals")


def _read_amount(text: str, exponent: int, wanted: str) -> int:
    amount_minor = _convert(text, exponent)
    if amount_minor is None:
        raise Invalid(InvalidCode.AMOUNT, f"{text[:TEXT_MAX]!r} is no amount: {wanted}")
    if amount_minor > INT64_MAX:
        raise _too_large(text, exponent)
    return amount_minor


def _convert(text: str, exponent: int) -> int | None:
    """Convert an amount, however large; None if it is none."""
    whole, point, fraction = text.partition(".")
    is_number = whole.isascii() and whole.isdigit() and (not point or fraction.isdigit())
    if not (is_number and fraction.isascii() and len(fraction) <= exponent):
        return None
    digits = (whole + fraction.ljust(exponent, "0")).lstrip("0")
    return int(digits[:DIGITS_MAX]) if digits else None


def _too_large(text: str, exponent: int) -> Invalid:
    whole, fraction = divmod(INT64_MAX, 10**exponent)
    most = f"{whole}.{fraction:0{exponent}}" if exponent else f"{whole}"
    return Invalid(
        InvalidCode.AMOUNT,
        f"{text[:TEXT_MAX]!r} is too large: an amount with {exponent} decimals is at most {most}",
    )


def _check_amount(text: str) -> None:
    """Refuse what is an amount of no asset, however many decimals it has."""
    exponent = min(len(text.partition(".")[2]), EXPONENT_MAX)
    _read_amount(text, exponent, "a positive number, as 12 or 12.50")


def _pay(options: argparse.Namespace) -> int:
    payee = from_text(options.payee)
    reference = f"pay-{secrets.token_hex(8)}" if options.id is None else options.id
    _check_length("--id", reference, REFERENCE_MAX)
    _check_length("--asset", options.asset, ASSET_MAX)
    _check_amount(options.amount)
    (key,) = load_keys([options.key])
    with open_client(options) as client:
        amount_minor = parse_amount(options.amount, _find_exponent(client, options))
        transfer = payments.Transfer(key.address, payee, options.asset, amount_minor, reference)
        return send(client, options, [key], [transfer], end_to_end_id=reference)


def _find_exponent(client: Client, options: argparse.Namespace) -> int:
    """Find how many decimals an asset has: the ledger proves it, or whoever pays says it.

    A node that was told which network is meant is not believed without a proof: with another
    exponent a hundred times the amount would be signed.

    Raises:
      Invalid: `--exponent` is not what the ledger proves.
      NotFound: there is no such asset; names those that there are.
      Unavailable: the asset is newer than the last checkpoint.
    """
    asset, said = options.asset, options.exponent
    proven = client.prove_row("assets", asset)
    if isinstance(proven.row, Asset):
        if said not in (None, proven.row.exponent):
            raise Invalid(
                InvalidCode.AMOUNT,
                f"--exponent {said}: the ledger proves that {asset} has {proven.row.exponent}",
            )
        return proven.row.exponent
    if said is not None:
        return _check_exponent(said)
    known = {item.asset: item.exponent for item in client.list_assets()}  # since the checkpoint
    if asset not in known:
        raise NotFound(
            f"there is no asset {asset[:80]!r}: this network has {', '.join(sorted(known))}"
        )
    if options.genesis is not None:
        raise Unavailable(
            f"how many decimals {asset} has is not proved: as of the checkpoint at block "
            f"{proven.header.height} there is no such asset. If it is new, try again after the "
            "next checkpoint, or say with --exponent N how many it has"
        )
    return known[asset]


def _check_exponent(said: int) -> int:
    if said > EXPONENT_MAX:
        raise Invalid(InvalidCode.AMOUNT, f"--exponent {said}: at most {EXPONENT_MAX} decimals")
    return said


def _check_length(what: str, text: str, most: int) -> None:
    if not 1 <= len(text) <= most or not is_unicode(text):
        raise Invalid(InvalidCode.ARGUMENTS, f"{what} {text[:80]!r}: 1 to {most} characters")
