"""Commands for the API keys of a node: key api new, list, revoke."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping

from hansa.cli.screen import print_json, print_table, say
from hansa.cli.source import parse_file, parse_folder
from hansa.contracts.members import Member
from hansa.contracts.members import Role as LedgerRole
from hansa.kernel.calendar import DAY_MS, format_iso
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.kernel.genesis import GenesisMember
from hansa.node.api.keys import ApiKey, add_key, list_keys, read_certificate, revoke_key
from hansa.node.api.rights import GRANTED, MEMBER_ROLES, Right, Role, find_lack
from hansa.node.home import Home, open_chain_read_only
from hansa.node.tables import Tables
from hansa.program import name_program
from hansa.sdk.arguments import is_unicode

DAYS_MAX = 36_500
"""A hundred years."""
NAMED_MAX = 5
"""How many institutions an error names at most."""


def add_commands(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `api` to the words of the command `key`."""
    api = words.add_parser("api", help="keys with which callers show who they are to a node")
    verbs = api.add_subparsers(dest="verb", required=True, metavar="VERB")
    new = verbs.add_parser("new", help="make a key; it is printed once and not kept")
    new.add_argument("name", help="who or what will use it")
    roles = [role.value for role in Role if role is not Role.ANYONE]
    new.add_argument("--role", required=True, choices=roles)
    new.add_argument("--member", help="address of the institution (all roles but customer)")
    new.add_argument("--wallet", action="append", default=[], help="a customer's wallet; repeat")
    new.add_argument(
        "--right",
        action="append",
        default=[],
        choices=[right.value for right in GRANTED],
        help="what no role may: answer for customers, or as officers, or attest; repeat",
    )
    new.add_argument(
        "--days",
        type=_count_days,
        default=365,
        help=f"until it ends, at most {DAYS_MAX}; 0 for never",
    )
    new.add_argument("--certificate", type=parse_file, help="PEM client certificate, not a secret")
    new.set_defaults(function=_new)
    show = verbs.add_parser("list", help="show the keys, without their secrets")
    show.set_defaults(function=_list)
    revoke = verbs.add_parser("revoke", help="end a key at once, also in a running node")
    revoke.add_argument("id")
    revoke.set_defaults(function=_revoke)
    for command in (new, show, revoke):
        command.add_argument(
            "--data", type=parse_folder, required=True, help="data folder of a node"
        )
        command.add_argument("--json", action="store_true", help="print one JSON object")


def _count_days(text: str) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(DAYS_MAX))
    if not is_number or int(text) > DAYS_MAX:
        raise argparse.ArgumentTypeError(
            f"{text[:80]!r} is no number of days from 0 to {DAYS_MAX}; 0 is for a key without end"
        )
    return int(text)


def _find_home(options: argparse.Namespace, *, is_changed: bool = False) -> Home:
    home = Home(options.data)
    if is_changed:
        home.require_no_backup()
    home.read_genesis()  # says what to do where there is no node
    return home


def _new(options: argparse.Namespace) -> int:
    now_ms = time.time_ns() // 1_000_000
    if not is_unicode(options.name):
        raise Invalid(
            InvalidCode.ARGUMENTS, f"the name {options.name!r:.80} is no text: say it in UTF-8"
        )
    home, role = _find_home(options, is_changed=True), Role(options.role)
    if options.member is not None and role in MEMBER_ROLES:
        _require_standing(home, role, from_text(options.member))
    key, token = add_key(
        home.api_keys_path,
        name=options.name,
        role=role,
        now_ms=now_ms,
        member=options.member,
        wallets=options.wallet,
        rights=[Right(each) for each in options.right],
        expires_ms=now_ms + options.days * DAY_MS if options.days else 0,
        certificate=None if options.certificate is None else read_certificate(options.certificate),
    )
    found = _describe(key, now_ms) | ({"key": token} if token else {})
    if options.json:
        print_json(found)
        return 0
    print_table(found)
    if token:
        say("Keep the key now: the node has only its hash. Send it as Authorization: Bearer KEY.")
    return 0


def _list(options: argparse.Namespace) -> int:
    now_ms = time.time_ns() // 1_000_000
    home = _find_home(options)
    listed = list_keys(home.api_keys_path)
    is_asked = any(key.member is not None and key.is_usable(now_ms) for key in listed)
    members = _read_members(home) if is_asked else {}
    keys = [(key, _describe_in(members, key, now_ms)) for key in listed]
    if options.json:
        print_json({"keys": [found for _, found in keys]})
        return 0
    for key, found in keys:
        line = f"{key.id}  {found['state']:8} {key.role:12} {key.name}"
        more = f" ({', '.join(key.rights)})" if key.rights else ""
        lack = f": its institution {found['lacks']}; it works when governance changes that"
        say(line + more + (lack if found["lacks"] else ""))
    if not keys:
        say(f"There is no API key yet: {name_program()} key api new makes one.")
    return 0


def _revoke(options: argparse.Namespace) -> int:
    now_ms = time.time_ns() // 1_000_000
    home = _find_home(options, is_changed=True)
    key = revoke_key(home.api_keys_path, options.id, now_ms)
    if options.json:
        print_json(_describe(key, now_ms))
    else:
        say(f"The API key {key.id} ({key.name}) does not work any more.")
    return 0


def _require_standing(home: Home, role: Role, address: bytes) -> None:
    """Let only an institution have a key that the node would let in.

    Raises:
      Invalid: it is no member, is suspended or has not the role; names those that could have it.
    """
    members = _read_members(home)
    member = members.get(address)
    lack = find_lack(role, member)
    if not lack:
        return
    able = [row for row in members.values() if not find_lack(role, row)]
    named = ", ".join(f"{row.name} ({to_text(row.address)})" for row in able[:NAMED_MAX])
    more = f" and {len(able) - NAMED_MAX} more" if len(able) > NAMED_MAX else ""
    raise Invalid(
        InvalidCode.ARGUMENTS,
        f"{to_text(address) if member is None else member.name} {lack}, so that a key of role "
        f"{role} would not work: "
        + (f"give --member one that can have it: {named}{more}, or " if able else "")
        + "let governance change that first",
    )


def _read_members(home: Home) -> dict[bytes, Member]:
    """Read the institutions from the data folder, beside a node that runs; by address."""
    try:
        chain = open_chain_read_only(home)
    except NotFound:  # no block yet: those of genesis are all there are
        rows = [_found_member(item) for item in home.load_network().genesis.members]
    else:
        try:
            rows = Tables(chain, time.monotonic).load_all(Member)
        finally:
            chain.close()
    return {row.address: row for row in rows}


def _found_member(item: GenesisMember) -> Member:
    roles = tuple(map(LedgerRole, item.roles))
    return Member(item.address, item.name, roles, item.weight, suspended=False, since_height=0)


def _describe_in(members: Mapping[bytes, Member], key: ApiKey, now_ms: int) -> dict[str, object]:
    """Describe a key as a node takes it now: one that is usable may be of who lacks something."""
    found = _describe(key, now_ms)
    lack = ""
    if key.member is not None and key.is_usable(now_ms):
        lack = find_lack(key.role, members.get(from_text(key.member)))
    return found | {"state": "barred" if lack else found["state"], "lacks": lack}


def _describe(key: ApiKey, now_ms: int) -> dict[str, object]:
    state = "usable" if key.is_usable(now_ms) else "revoked" if key.revoked_ms else "expired"
    return {
        "id": key.id,
        "name": key.name,
        "role": key.role.value,
        "state": state,
        "shows": "certificate" if key.certificate_sha256 else "secret",
        "member": key.member or "",
        "wallets": list(key.wallets),
        "rights": [right.value for right in key.rights],
        "expires": _write_end(key.expires_ms) if key.expires_ms else "",
    }


def _write_end(time_ms: int) -> str:
    """Write when a key ends; a list made elsewhere may name what is no date."""
    try:
        return format_iso(time_ms, 0)
    except Invalid:
        return f"{time_ms} ms since 1970, which no date can name"
