"""Words that show what a network has agreed on: members, policy, assets."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import msgspec

from hansa.cli.screen import print_json, print_table, say
from hansa.cli.source import add_node, open_client
from hansa.kernel.calendar import format_iso
from hansa.sdk.answers import Asset, Member, PolicyValue
from hansa.sdk.client import Client


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `network`."""
    for word, function, text in (
        ("members", _list_members, "institutions, their roles and voting power"),
        ("assets", _list_assets, "money of the network, and how much is issued"),
        ("policy", _list_policy, "policy values, past and to come"),
    ):
        command = words.add_parser(word, help=text)
        add_node(command)
        command.set_defaults(function=_show, read=function)


Lines = list[tuple[str, str]]
"""Names and what is said of each; members may share a name."""


def _show(options: argparse.Namespace) -> int:
    read: Callable[[Client], tuple[list[Any], Lines]] = options.read
    with open_client(options) as client:
        items, lines = read(client)
    if options.json:
        print_json({options.word: msgspec.to_builtins(items)})
    elif lines:
        print_table(lines)
    else:
        say(f"There are no {options.word} yet.")
    return 0


def _list_members(client: Client) -> tuple[list[Any], Lines]:
    items = client.list_members()
    return items, [(item.name, _describe_member(item)) for item in items]


def _describe_member(item: Member) -> str:
    suspended = ", SUSPENDED" if item.is_suspended else ""
    return f"{', '.join(item.roles)}; weight {item.weight}{suspended}; {item.address}"


def _list_assets(client: Client) -> tuple[list[Any], Lines]:
    items = client.list_assets()
    return items, [(item.asset, _describe_asset(item)) for item in items]


def _describe_asset(item: Asset) -> str:
    return (
        f"{item.currency}, {item.regime}, {item.exponent} decimals, "
        f"issued {item.issued_minor} minor units by {item.issuer}"
    )


def _list_policy(client: Client) -> tuple[list[Any], Lines]:
    items = client.list_policy()
    return items, [(item.name, _describe_policy(item)) for item in items]


def _describe_policy(item: PolicyValue) -> str:
    return "; ".join(
        f"from {format_iso(entry.effective_ms, 0)}: {', '.join(map(str, entry.values))}"
        for entry in item.entries
    )
