"""Words about what one bank owes the other: positions, settle."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from hansa.cli.pair.parties import (
    Names,
    add_agreement,
    add_officers,
    get_own,
    list_names,
    name,
    parse_agreement,
)
from hansa.cli.screen import print_json, print_table, say
from hansa.cli.source import add_node, open_client, parse_count
from hansa.cli.tx import load_keys, send
from hansa.contracts.currency import MoveVault
from hansa.contracts.reconciliation.positions import Settle
from hansa.kernel.contract import Command
from hansa.kernel.crypto.address import from_text
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.currencies import write_amount
from hansa.sdk.client import Client
from hansa.sdk.reconciliation.pair_answers import PairPosition

PAGE = 100
SETTLED = "settled"


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `pair`."""
    listing = words.add_parser("positions", help="who owes whom what, window by window")
    add_agreement(listing)
    add_node(listing)
    listing.set_defaults(function=_list)
    settle = words.add_parser("settle", help="pay a net position, in one transaction with it")
    add_agreement(settle)
    settle.add_argument("window", type=parse_count, help="number of the window")
    settle.add_argument("asset", help="currency of the central bank, as positions lists it")
    add_officers(settle)
    settle.set_defaults(function=_settle)


def _list(options: argparse.Namespace) -> int:
    agreement = parse_agreement(options)
    with open_client(options) as client:
        listed = _list_all(client, agreement)
        names = list_names(client) if listed else {}
    if options.json:
        print_json({"positions": [_describe(each, names) for each in listed]})
    elif listed:
        rows = [(f"{each.window} {each.asset}", _describe_in_line(each, names)) for each in listed]
        print_table(rows)
    else:
        say("No window is agreed yet in which anything matched.")
    return 0


def _list_all(client: Client, agreement: bytes) -> list[PairPosition]:
    listed: list[PairPosition] = []
    after: int | None = 0
    while after is not None:
        page = client.pairs.list_positions(agreement, after, PAGE)
        listed += page.positions
        after = page.next
    return listed


def _settle(options: argparse.Namespace) -> int:
    agreement = parse_agreement(options)
    keys = load_keys(options.keys)
    with open_client(options) as client:
        pair = client.pairs.get(agreement)
        found = client.pairs.get_position(agreement, options.window, options.asset)
        own, payer, payee = get_own(pair), from_text(found.payer), from_text(pair.other)
        if _tell_state(found) == SETTLED:
            raise Invalid(InvalidCode.ARGUMENTS, f"window {found.window} is settled already")
        if payer != own:
            raise Invalid(
                InvalidCode.ARGUMENTS,
                f"{name(list_names(client), found.payer)} owes it: an officer of theirs settles it",
            )
        amount_minor = int(found.amount_minor)
        key = (agreement, found.window, found.asset)
        opening = Settle(*key, payer, amount_minor, bytes.fromhex(found.salt))
        paying = [MoveVault(payer, payee, found.asset, amount_minor)] if amount_minor else []
        commands: list[Command] = [*paying, opening]
        amount = write_amount(amount_minor, found.asset)
        return send(client, options, keys, commands, payee=pair.other, amount=amount)


def _describe(item: PairPosition, names: Names) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(item)
    return {**found, "state": _tell_state(item), "payer_name": names.get(item.payer)}


def _describe_in_line(item: PairPosition, names: Names) -> str:
    amount = write_amount(int(item.amount_minor), item.asset)
    return f"{name(names, item.payer)} owes {amount}, of {item.entries} matches; " + _tell_state(
        item
    )


def _tell_state(item: PairPosition) -> str:
    row = item.on_ledger
    if row is None:
        return "not signed"
    if row.settled_minor is not None:
        return SETTLED
    return "signed by both" if row.is_agreed else "signed by one"
