"""Commands that set a node up and run it: init, up."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping

import msgspec

from hansa.cli.passphrase import ask_new_passphrase, ask_passphrase, taking_passphrase
from hansa.cli.screen import complain, print_json, say
from hansa.cli.source import parse_file, parse_folder, parse_port
from hansa.contracts.members import Role
from hansa.kernel.authority import Purpose
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import GenesisMember
from hansa.node.description import (
    DEFAULT_MEMBERS,
    MemberDescription,
    NetworkDescription,
    explain_fault,
    read_description,
)
from hansa.node.founding import Founded, found_network, join_network
from hansa.node.home import CHANNEL_KEY, NODE_KEY, SPONSOR_KEY
from hansa.node.service import wall_clock_ms
from hansa.node.settings import DEFAULT_HOST, DEFAULT_PORT
from hansa.program import name_program

BLOCKS_DIGITS_MAX = 15
HOST_LETTERS_MAX = 253
SETTINGS = f"""# Settings of this node; all of them: docs/reference/settings.md
[listen]
host = "{DEFAULT_HOST}"
port = {DEFAULT_PORT}

# What callers on this machine may read without an API key: "anyone" (what is public) or
# "everything". For others make keys with: hansa key api new
[access]
loopback = "anyone"
"""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's commands to the parser."""
    init = commands.add_parser("init", help="make a new network, or a node of an existing one")
    init.add_argument(
        "--data", type=parse_folder, required=True, help="folder to make; must be new"
    )
    init.add_argument(
        "--spec", type=parse_file, help="TOML or JSON file that describes the network"
    )
    init.add_argument("--network", help="its name (default hansa)")
    init.add_argument("--hash", choices=("sha256", "sm3"), help="crypto profile (default sha256)")
    init.add_argument("--suite", choices=("ed25519", "p256", "secp256k1"), help="of the keys made")
    init.add_argument("--officers", type=_read_officers, metavar="M:N", help="M of N (default 2:3)")
    init.add_argument("--operator", action="append", metavar="NAME", help="an operator; repeatable")
    init.add_argument("--regulator", metavar="NAME", help="the regulator (default Regulator)")
    init.add_argument("--genesis", type=parse_file, help="join: the network's genesis.bin")
    init.add_argument("--node-key", type=parse_file, help="join: key file that seals blocks")
    init.add_argument("--sponsor-key", type=parse_file, help="join: key file that signs batches")
    init.add_argument("--json", action="store_true", help="print one JSON object")
    init.set_defaults(function=_init)
    up = commands.add_parser("up", help="run a node: API and console, until Ctrl-C or SIGTERM")
    up.add_argument("--data", type=parse_folder, required=True, help="data folder of the node")
    up.add_argument(
        "--host",
        type=read_host,
        help=f"address to listen on (default: node.toml, else {DEFAULT_HOST})",
    )
    up.add_argument(
        "--port", type=parse_port, help=f"0 for any (default: node.toml, else {DEFAULT_PORT})"
    )
    up.add_argument("--rebuild", action="store_true", help="make the state store anew from the log")
    up.add_argument(
        "--retain-blocks",
        type=read_blocks,
        metavar="N",
        help="prune all but the newest N blocks and a base (default: node.toml, else keep all)",
    )
    up.add_argument("--json", action="store_true", help="print one JSON object once it answers")
    up.set_defaults(function=_up)


def read_blocks(text: str) -> int:
    """Read a number of blocks; 0 keeps all."""
    if not text.isascii() or not text.isdigit() or len(text) > BLOCKS_DIGITS_MAX:
        raise argparse.ArgumentTypeError(
            f"{text[:80]!r} is no number of blocks: name one, as 100000, or 0 to keep all"
        )
    return int(text)


def read_host(text: str) -> str:
    """Read an address; an empty one would mean all of them to the operating system."""
    if not text or not text.isprintable() or " " in text or len(text) > HOST_LETTERS_MAX:
        raise argparse.ArgumentTypeError(
            f"{text[:80]!r} is no address: name one, as {DEFAULT_HOST}, or 0.0.0.0 for all"
        )
    return text


def _up(options: argparse.Namespace) -> int:
    from hansa.node.running import Started, run_node  # noqa: PLC0415 - loads a server

    def tell(started: Started) -> None:
        if options.json:
            print_json(started.to_json())
        else:
            say(f"Network {started.network}, block {started.height}, data in {options.data}")
            say(f"Console at {started.url}/ and API under /v1. Ctrl-C ends it.")
        sys.stdout.flush()

    with taking_passphrase() as take_passphrase:
        run_node(
            options.data,
            take_passphrase,
            tell,
            host=options.host,
            port=options.port,
            rebuild=options.rebuild,
            retain_blocks=options.retain_blocks,
            note=complain,
        )
    if not options.json:
        say("Stopped; everything that was confirmed is on disk.")
    return 0


def _init(options: argparse.Namespace) -> int:
    founded = _found(options) if options.genesis is None else _join(options)
    if options.json:
        print_json(founded.to_json())
        return 0
    for line in describe_founded(founded):
        say(line)
    return 0


def _found(options: argparse.Namespace) -> Founded:
    if options.node_key or options.sponsor_key:
        raise Invalid(
            InvalidCode.MALFORMED, "--node-key and --sponsor-key go with --genesis: name it, too"
        )
    description = describe_network(options)
    return found_network(
        options.data, description, ask_new_passphrase(), wall_clock_ms(), settings=SETTINGS
    )


def _join(options: argparse.Namespace) -> Founded:
    others = ("spec", "network", "hash", "suite", "officers", "operator", "regulator")
    surplus = [f"--{name}" for name in others if getattr(options, name) is not None]
    if surplus:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"--genesis says what the network is: leave {', '.join(surplus)} out",
        )
    if options.node_key is None or options.sponsor_key is None:
        raise Invalid(InvalidCode.MALFORMED, "--genesis needs --node-key and --sponsor-key, too")
    paths = {NODE_KEY: options.node_key, SPONSOR_KEY: options.sponsor_key}
    return join_network(options.data, options.genesis, paths, ask_passphrase(), settings=SETTINGS)


def describe_network(options: argparse.Namespace) -> NetworkDescription:
    """Describe a network by the file or the defaults, changed by what the options say.

    Raises:
      Invalid: they contradict one another, or describe no network.
    """
    found = NetworkDescription() if options.spec is None else read_description(options.spec)
    changed: dict[str, object] = {
        name: getattr(options, name)
        for name in ("network", "hash", "suite")
        if getattr(options, name) is not None
    }
    if options.officers or options.operator or options.regulator is not None:
        if options.spec is not None:
            raise Invalid(
                InvalidCode.MALFORMED,
                "--officers, --operator and --regulator do not go with --spec: say it in the file",
            )
        changed["members"] = _list_members(options)
    return change_description(found, changed)


def change_description(
    found: NetworkDescription, changed: Mapping[str, object]
) -> NetworkDescription:
    """Change a description by what options say; raises `Invalid` if that describes no network."""
    try:
        fields = {**msgspec.structs.asdict(found), **changed}
        return msgspec.convert(msgspec.to_builtins(fields), NetworkDescription)
    except msgspec.ValidationError as error:
        text = f"this is no network: {explain_fault(str(error), fields)}"
        raise Invalid(InvalidCode.MALFORMED, text) from None


def _list_members(options: argparse.Namespace) -> tuple[MemberDescription, ...]:
    bank, operator, regulator = DEFAULT_MEMBERS
    threshold, count = options.officers or (bank.threshold, bank.officers)
    names = options.operator or [operator.name]
    return (
        MemberDescription(bank.name, bank.roles, count, threshold, bank.weight),
        *(MemberDescription(name, (Role.OPERATOR,), 1, 1, operator.weight) for name in names),
        MemberDescription(
            regulator.name if options.regulator is None else options.regulator, regulator.roles
        ),
    )


def describe_founded(founded: Founded) -> list[str]:
    """Say what was made, and what to do next."""
    genesis, folder = founded.network.genesis, shlex.quote(str(founded.home.path))
    hansa = name_program()
    members = [
        f"  {member.name}: {', '.join(member.roles)}; "
        f"{member.threshold} of {_count_officers(member)} officers sign together"
        for member in genesis.members
    ]
    keys = [f"  {founded.home.key_path(name)}  {text}" for name, text in founded.keys.items()]
    keys.append(f"  {founded.home.key_path(CHANNEL_KEY)}  opens messages of other members")
    kept = (NODE_KEY, SPONSOR_KEY, CHANNEL_KEY)
    away = [name for name in founded.keys if name not in kept]
    return [
        f"Network {genesis.network}, crypto profile {genesis.hash}, genesis hash",
        f"  {founded.network.genesis_hash.hex()}",
        "  Tell it to everybody who is to verify receipts: it names the network.",
        "Members:",
        *members,
        "Key files, each encrypted under the passphrase:",
        *keys,
        "Next:",
        *([f"  move all but {', '.join(kept)} to their owners, off this machine"] * bool(away)),
        f"  {hansa} doctor --data {folder}",
        f"  {hansa} up --data {folder}",
    ]


def _count_officers(member: GenesisMember) -> int:
    return sum(bool(key.purposes & Purpose.MANAGE) for key in member.keys)


def _read_officers(text: str) -> tuple[int, int]:
    """Read `2:3`, or `3` for three of three."""
    needed, _, count = text.partition(":")
    try:
        found = int(needed), int(count or needed)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 2:3, two of three") from None
    if not 1 <= found[0] <= found[1]:
        raise argparse.ArgumentTypeError(f"{text!r}: 1 or more, and no more than there are")
    return found
