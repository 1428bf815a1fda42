"""What lies in a wallet: id wallet new, list, show, history, delete."""

from __future__ import annotations

import argparse
import secrets
import shlex
import sys
from typing import TYPE_CHECKING, Any

from hansa.cli.identity.wallet.opening import (
    add_folder,
    add_json,
    add_reach,
    build_carrier,
    describe_holding,
    opened,
)
from hansa.cli.identity.wallet.presenting import build_checker
from hansa.cli.passphrase import ask_new_passphrase
from hansa.cli.screen import ask, print_found, print_json, print_table, say
from hansa.cli.source import add_node
from hansa.identity.sd_jwt.paths import show_place
from hansa.identity.wallet.holdings import find_expiry_ms, find_type
from hansa.identity.wallet.requests import read_transaction
from hansa.identity.wallet.telling import name_holding, write_time
from hansa.kernel.calendar import format_iso
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.program import name_program

if TYPE_CHECKING:
    from hansa.node.identity.holder.vault import Contents, Kept, Shown


EXIT_TAKEN_BACK = 1
"""A copy is suspended or revoked."""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's verbs to `id wallet`."""
    new = verbs.add_parser("new", help="make an empty wallet")
    listing = verbs.add_parser("list", help="list its credentials, and those it waits for")
    show = verbs.add_parser("show", help="show all that a credential says")
    show.add_argument("id", help="as `list` names it")
    show.add_argument(
        "--status", action="store_true", help="ask whether its issuer has taken it back"
    )
    history = verbs.add_parser("history", help="what was shown to whom and when, oldest first")
    delete = verbs.add_parser("delete", help="forget a credential with its keys, or stop waiting")
    delete.add_argument("id", help="as `list` names it")
    delete.add_argument("--yes", action="store_true", help="do it without asking, as in a script")
    functions = (
        (new, _new),
        (listing, _list),
        (show, _show),
        (history, _history),
        (delete, _delete),
    )
    for command, function in functions:
        add_folder(command)
        if command is show:
            add_reach(command)
            add_node(command)
        else:
            add_json(command)
        command.set_defaults(function=function)


def _new(options: argparse.Namespace) -> int:
    from hansa.node.identity.holder.vault import create_vault  # noqa: PLC0415 - loads a client

    create_vault(options.data, ask_new_passphrase(), secrets.token_bytes)
    if options.json:
        print_json({"data": str(options.data)})
        return 0
    folder = shlex.quote(str(options.data))
    say(f"An empty wallet in {folder}. To put a credential into it:")
    say(f"  {name_program()} id wallet receive --data {folder} OFFER")
    return 0


def _list(options: argparse.Namespace) -> int:
    with opened(options) as vault:
        contents = vault.contents
    held = [_sum_up(copies) for copies in contents.group().values()]
    waiting = [
        {
            "id": each.id,
            "credential": each.configuration_id,
            "from": each.issuer.credential_issuer,
            "since": format_iso(each.since_ms, 0),
        }
        for each in contents.waiting
    ]
    if options.json:
        print_json({"credentials": held, "waiting": waiting})
        return 0
    for found in held:
        until = f", expires {found['expires']}" if found["expires"] else ""
        say(f"{found['id']}  {found['name'] or found['type']}, from {found['from']}{until}")
    for owed in waiting:
        say(f"{owed['id']}  waits for {owed['credential']}, from {owed['from']}")
    if not held and not waiting:
        say("This wallet is empty.")
    return 0


def _sum_up(copies: list[Kept]) -> dict[str, Any]:
    holding = copies[0].holding
    return {
        "id": copies[0].batch,
        "name": name_holding(holding),
        "type": find_type(holding),
        "from": holding.issuer,
        "expires": write_time(find_expiry_ms(holding)),
        "copies": len(copies),
    }


def _show(options: argparse.Namespace) -> int:
    with opened(options) as vault:
        copies = _find(vault.contents, options.id)
    found = {"id": options.id, "copies": len(copies), **describe_holding(copies[0].holding)}
    is_good = True
    if options.status:
        checker = build_checker(build_carrier(options), options)
        status = checker.check([each.holding for each in copies])
        found["status"], found["status_as_of"] = status.text, write_time(status.as_of_ms)
        is_good = status.is_valid
    if options.json:
        print_json(found)
    else:
        claims = found.pop("claims")
        print_table(found)
        say("It says:")
        print_table(claims)
    return 0 if is_good else EXIT_TAKEN_BACK


def _history(options: argparse.Namespace) -> int:
    with opened(options) as vault:
        shown = [_describe(each) for each in vault.contents.shown]
    if options.json:
        print_json({"history": shown})
        return 0
    for each in shown:
        say(f"{each['time']}  {each['verifier']}")
        rows = ("type", "id", "claims", "transactions", "outcome")
        print_table({name: each[name] for name in rows if each[name]})
    if not shown:
        say("Nothing was shown to anybody.")
    return 0


def _describe(shown: Shown) -> dict[str, Any]:
    disclosure = shown.disclosure
    return {
        "time": format_iso(disclosure.time_ms, 0),
        "verifier": disclosure.verifier,
        "id": disclosure.holding_id.partition(".")[0],
        "type": shown.type,
        "claims": [show_place(path) for path in disclosure.paths],
        "transactions": [read_transaction(each) for each in disclosure.transactions],
        "outcome": shown.outcome,
    }


def _delete(options: argparse.Namespace) -> int:
    with opened(options) as vault:
        contents = vault.contents
        is_waiting = any(each.id == options.id for each in contents.waiting)
        if not is_waiting:
            _find(contents, options.id)
        if not options.yes:
            _ask_consent(options)
        vault.save(contents.drop(options.id))
    print_found({"id": options.id, "state": "deleted"}, is_json=options.json)
    return 0


def _ask_consent(options: argparse.Namespace) -> None:
    if options.json or not sys.stdin.isatty():
        raise Invalid(
            InvalidCode.ARGUMENTS, f"{options.id} would be gone for good: say --yes if you mean it"
        )
    if not ask(f"Delete {options.id} for good? Type yes: "):
        raise Invalid(InvalidCode.ARGUMENTS, f"nothing was done: {options.id} is kept")


def _find(contents: Contents, batch: str) -> list[Kept]:
    copies = contents.group().get(batch)
    if copies is None:
        raise NotFound(f"this wallet holds no credential {batch!r}: see `list`")
    return copies
