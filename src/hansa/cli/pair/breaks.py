"""The word that lists what does not match: breaks; and how a break is told."""

from __future__ import annotations

import argparse
from typing import get_args

import msgspec

from hansa.cli.pair.parties import add_agreement, list_names, name, parse_agreement
from hansa.cli.screen import print_json, print_table, say
from hansa.cli.source import add_node, open_client, parse_count
from hansa.reconcile.currencies import write_amount
from hansa.sdk.client import Client
from hansa.sdk.reconciliation.pair_answers import Break, BreakKind, PairEntry

PAGE = 100

Sides = tuple[str, str]
"""Names of the left bank and the right one."""


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `pair`."""
    breaks = words.add_parser("breaks", help="what is open as of the last window that is known")
    add_agreement(breaks)
    breaks.add_argument(
        "--class",
        dest="kind",
        choices=get_args(BreakKind),
        metavar="NAME",
        help="of this class alone: " + ", ".join(get_args(BreakKind)),
    )
    breaks.add_argument("--currency", metavar="CODE", help="of this currency alone")
    breaks.add_argument(
        "--age",
        type=parse_count,
        metavar="DAYS",
        help="of at least so many business days alone",
    )
    breaks.add_argument("--case", choices=("with", "without"), help="with, or without a case alone")
    add_node(breaks)
    breaks.set_defaults(function=_list)


def _list(options: argparse.Namespace) -> int:
    agreement = parse_agreement(options)
    with open_client(options) as client:
        window, breaks = _list_all(client, agreement, options)
        sides = ("", "") if options.json else name_sides(client, agreement)
    if options.json:
        print_json({"window": window, "breaks": msgspec.to_builtins(breaks)})
    elif window is None:
        say("No window is closed yet, of which all is known.")
    elif not breaks:
        say(f"Nothing of that is open as of window {window}.")
    else:
        say(f"Open as of window {window}:")
        print_table([(each.id, describe_break(each, sides)) for each in breaks])
    return 0


def _list_all(
    client: Client, agreement: bytes, options: argparse.Namespace
) -> tuple[int | None, list[Break]]:
    """List all pages; the window is that of the last."""
    breaks: list[Break] = []
    after: int | None = 0
    window = None
    while after is not None:
        page = client.pairs.list_breaks(
            agreement,
            kind=options.kind,
            currency=options.currency,
            age_days=options.age,
            case=options.case,
            after=after,
            limit=PAGE,
        )
        window, after = page.window, page.next
        breaks += page.breaks
    return window, breaks


def name_sides(client: Client, agreement: bytes) -> Sides:
    """Name the bank of the left side and that of the right one."""
    names, terms = list_names(client), client.pairs.get(agreement).terms
    return name(names, terms.left), name(names, terms.right)


def describe_break(item: Break, sides: Sides) -> list[str]:
    """Describe a break in lines: what it is, and the entries of both banks."""
    age = "" if item.age_days is None else f", {item.age_days} days old"
    case = "no case" if item.case is None else f"case {item.case.state}"
    lines = [f"{item.kind}{age}, priority {item.priority}; {case}: {item.reason}"]
    for side, entries in zip(sides, (item.left, item.right), strict=True):
        lines += [f"{side}: {_describe_entry(each)}" for each in entries]
    return lines


def _describe_entry(item: PairEntry) -> str:
    amount = write_amount(int(item.amount_minor), item.currency)
    date = item.booking_date or item.value_date or "no date"
    said = (item.reference or item.bank_reference, item.counterparty, item.text)
    return " · ".join([amount, date, *(each for each in said if each)])
