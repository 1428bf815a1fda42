"""Words that show what members vote on: what a proposal does, in words and by its fields."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from hansa.cli.screen import print_json, print_table, say
from hansa.cli.source import add_node, open_client, parse_count
from hansa.cli.transactions import describe_fields
from hansa.contracts.actions import Action, decode_action
from hansa.kernel.calendar import format_iso
from hansa.kernel.contract import Command
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.errors import Refused
from hansa.node.console.text.explain import Code, Fragment, Moment, Party, describe_action
from hansa.node.console.text.formatting import Money
from hansa.sdk.answers import Proposal
from hansa.sdk.client import Client

Names = Mapping[str, str]
"""Names of members, by address."""


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `network`."""
    listing = words.add_parser("proposals", help="proposals and their votes, newest first")
    add_node(listing)
    listing.set_defaults(function=_list)
    show = words.add_parser("proposal", help="one proposal: what it does, and who voted how")
    show.add_argument("number", type=parse_count)
    add_node(show)
    show.set_defaults(function=_show)


def _list(options: argparse.Namespace) -> int:
    with open_client(options) as client:
        items = client.list_proposals()
        names = _list_names(client) if items else {}
    if options.json:
        print_json({"proposals": [_describe(item, names) for item in items]})
    elif items:
        print_table([(str(item.number), _describe_in_line(item, names)) for item in items])
    else:
        say("There are no proposals yet.")
    return 0


def _show(options: argparse.Namespace) -> int:
    with open_client(options) as client:
        item = client.get_proposal(options.number)
        names = _list_names(client)
    if options.json:
        print_json(_describe(item, names))
    else:
        print_table(_describe_for_people(item, names))
    return 0


def _list_names(client: Client) -> Names:
    return {member.address: member.name for member in client.list_members()}


def _describe(item: Proposal, names: Names) -> dict[str, Any]:
    """Describe a proposal as the node does, with what it means and the names of members."""
    action = _read_action(item)
    found: dict[str, Any] = msgspec.to_builtins(item)
    for elector in found["electors"]:
        elector["name"] = names.get(elector["address"])
    return {
        **found,
        "what": _say_what(item, names),
        "fields": None if action is None else describe_fields(action),
        "proposer_name": names.get(item.proposer),
    }


def _describe_for_people(item: Proposal, names: Names) -> dict[str, Any]:
    """Describe a proposal with names beside addresses, and moments as dates."""
    action = _read_action(item)
    name_party = partial(_name_party, names)
    found: dict[str, Any] = {
        "number": item.number,
        "what": _say_what(item, names),
        "kind": item.kind,
        "arguments": item.arguments if action is None else describe_fields(action, name_party),
        "group": item.group,
        "proposer": _name_party(names, from_text(item.proposer)),
        "state": item.state,
        "votes": _count_votes(item),
        "objected": item.objected,
    }
    for name in ("opened_ms", "closes_ms", "ready_ms", "expires_ms"):
        time_ms = getattr(item, name)
        found[name.removesuffix("_ms")] = format_iso(time_ms, 0) if time_ms else "not yet"
    found["electors"] = [
        {
            "elector": _name_party(names, from_text(elector.address)),
            "weight": elector.weight,
            "approves": "not voted" if elector.approves is None else elector.approves,
            "objects": elector.objects,
        }
        for elector in item.electors
    ]
    return found


def _describe_in_line(item: Proposal, names: Names) -> str:
    what = _say_what(item, names)
    return f"{what}; {item.kind} ({item.group}): {item.state}; {_count_votes(item)}"


def _count_votes(item: Proposal) -> str:
    return f"{item.approved} for and {item.rejected} against of {item.total}, needs {item.needed}"


def _say_what(item: Proposal, names: Names) -> str:
    """Say what a proposal does, in the console's words."""
    sentence = describe_action(item.kind, bytes.fromhex(item.arguments))
    return "".join(_write(fragment, names) for fragment in sentence)


def _write(fragment: Fragment, names: Names) -> str:
    match fragment:
        case Party(address):
            return _name_party(names, address)
        case Money(amount_minor, asset):
            return f"{amount_minor:,} minor units of {asset}"
        case Moment(time_ms):
            return format_iso(time_ms, 0)
        case Code(text):
            return text
        case _:
            return fragment


def _read_action(item: Proposal) -> Command | None:
    """Read what is proposed; None if this program does not know it."""
    raw = msgspec.Raw(bytes.fromhex(item.arguments))
    try:
        return decode_action(Action(item.kind, raw))
    except Refused:
        return None


def _name_party(names: Names, address: bytes) -> str:
    """Name a member with its address, since two may have one name; of others, the address."""
    text = to_text(address)
    return f"{names[text]} ({text})" if text in names else text
