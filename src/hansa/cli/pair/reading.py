"""Words that tell how agreements stand: list, show."""

from __future__ import annotations

import argparse
import datetime as dt
from typing import Any

import msgspec

from hansa.cli.pair.parties import Names, add_agreement, list_names, name, parse_agreement
from hansa.cli.screen import print_json, print_table, say
from hansa.cli.source import add_node, open_client, parse_count
from hansa.kernel.calendar import format_iso
from hansa.sdk.reconciliation.pair_answers import Pair, PairDetails, PairWindow

WINDOWS = 7
EPOCH = dt.date(1970, 1, 1)


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `pair`."""
    listing = words.add_parser("list", help="agreements of one's own bank, and how far they are")
    add_node(listing)
    listing.set_defaults(function=_list)
    show = words.add_parser("show", help="one agreement, its newest windows, or its rules")
    add_agreement(show)
    show.add_argument(
        "--windows",
        type=parse_count,
        default=WINDOWS,
        metavar="N",
        help=f"how many, the newest first (default {WINDOWS})",
    )
    show.add_argument(
        "--rules", action="store_true", help="print the rule file, and nothing beside it"
    )
    add_node(show)
    show.set_defaults(function=_show)


def _list(options: argparse.Namespace) -> int:
    with open_client(options) as client:
        pairs = client.pairs.list()
        names = list_names(client) if pairs else {}
    if options.json:
        print_json({"pairs": [_describe(each, names) for each in pairs]})
    elif pairs:
        print_table([(each.agreement, _describe_in_lines(each, names)) for each in pairs])
    else:
        say("There are no agreements yet.")
    return 0


def _show(options: argparse.Namespace) -> int:
    agreement = parse_agreement(options)
    with open_client(options) as client:
        pair = client.pairs.get(agreement, 0 if options.rules else options.windows)
        names = list_names(client)
    if options.json:
        print_json(_describe(pair, names))
    elif options.rules:
        for line in pair.terms.rules.splitlines():
            say(line)
    else:
        print_table(_describe_for_people(pair, names))
        print_table([(f"window {each.window}", _tell_window(pair, each)) for each in pair.windows])
    return 0


def _describe(pair: Pair, names: Names) -> dict[str, Any]:
    return {**msgspec.to_builtins(pair), "other_name": names.get(pair.other)}


def _describe_in_lines(pair: Pair, names: Names) -> list[str]:
    lines = [f"{pair.name}, with {name(names, pair.other)}: {tell_state(pair, names)}"]
    row = pair.on_ledger
    if row is not None and row.state != "proposed":
        lines.append(f"windows closed: {row.closed}, agreed: {row.agreed}")
    return [*lines, *([f"trouble: {pair.trouble}"] if pair.trouble else [])]


def tell_state(pair: Pair, names: Names) -> str:
    """Say where an agreement stands, and whose turn it is."""
    row = pair.on_ledger
    if row is None:
        return "terms are shared, and not proposed on the ledger"
    if row.state != "proposed":
        return row.state.replace("_", " ")
    if row.proposer == pair.other:
        return f"proposed by {name(names, pair.other)}; an officer of yours may accept"
    return f"proposed; {name(names, pair.other)} has yet to accept"


def _describe_for_people(pair: PairDetails, names: Names) -> dict[str, Any]:
    terms, row = pair.terms, pair.on_ledger
    found: dict[str, Any] = {
        "agreement": pair.agreement,
        "rules": pair.name,
        "with": f"{name(names, pair.other)} ({pair.other})",
        "own side": f"the {pair.place} one{', which leads' if pair.place == 'left' else ''}",
        "state": tell_state(pair, names),
    }
    if row is not None:
        found["since"] = format_iso(row.since_ms, 0)
    found |= {
        "first day": _tell_day(terms.from_day),
        "days of a window": terms.window_days,
        "days kept": terms.keep_days,
        "settled in": ", ".join(terms.assets) or "nothing",
        "windows complete": pair.completed,
    }
    if row is not None:
        theirs = row.right_watermark if pair.place == "left" else row.left_watermark
        found |= {"at the other bank": theirs, "windows agreed": row.agreed}
    return {**found, **({"trouble": pair.trouble} if pair.trouble else {})}


def _tell_window(pair: Pair, item: PairWindow) -> list[str]:
    """Tell of a window whose days it has, what is in it, and what came out."""
    days = (
        item.from_date if item.from_date == item.to_date else f"{item.from_date} to {item.to_date}"
    )
    row, outcome = item.on_ledger, item.outcome
    waiting = f", {item.waiting} wait to be posted" if item.waiting else ""
    if row is None:
        return [f"{days}: nothing is posted{waiting}"]
    own, other = (row.left, row.right) if pair.place == "left" else (row.right, row.left)
    state = "agreed" if row.agreed_ms else "not agreed yet"
    posted = f"own {own.entries} entries, {own.open} open; other {other.entries}, {other.open} open"
    lines = [f"{days}: {posted}; {state}{waiting}"]
    if outcome is not None:
        found = {**outcome.matches, **{f"breaks {each}": n for each, n in outcome.breaks.items()}}
        lines.append(", ".join(f"{each} {n}" for each, n in found.items()) or "all by equal tags")
    return lines


def _tell_day(day: int) -> str:
    return str(EPOCH + dt.timedelta(days=day))
