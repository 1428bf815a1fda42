"""The word that makes a network: init."""

from __future__ import annotations

import argparse
import shlex
from functools import partial

from hansa.cli.passphrase import ask_new_passphrase
from hansa.cli.screen import ProgressBar, print_json, say
from hansa.cli.setup import change_description
from hansa.cli.source import parse_file, parse_folder, parse_port
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.node.description import NetworkDescription, read_description
from hansa.node.home import CHANNEL_KEY, SPONSOR_KEY
from hansa.node.network.founding import (
    API_KEY_NAME,
    VALIDATORS_MAX,
    FoundedNetwork,
    FoundedNode,
    describe_institutions,
    found_voted_network,
)
from hansa.node.network.places import DEFAULT_BASE, PORTS_EACH, choose_places
from hansa.node.service import wall_clock_ms
from hansa.program import name_program

DEFAULT_VALIDATORS = 4


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `network`."""
    init = words.add_parser("init", help="make a network of several institutions and their nodes")
    init.add_argument("--dir", type=parse_folder, required=True, help="folder to make; must be new")
    who = init.add_mutually_exclusive_group()
    who.add_argument(
        "--validators",
        type=_count_nodes,
        metavar="N",
        help=f"institutions, each with one node that votes (default {DEFAULT_VALIDATORS})",
    )
    who.add_argument("--spec", type=parse_file, help="TOML or JSON file that describes the network")
    init.add_argument(
        "--observers",
        type=_count_nodes,
        metavar="N",
        help="institutions besides, each with one node that follows without a vote (default none)",
    )
    init.add_argument("--network", help="its name (default hansa)")
    init.add_argument("--hash", choices=("sha256", "sm3"), help="crypto profile (default sha256)")
    init.add_argument("--suite", choices=("ed25519", "p256", "secp256k1"), help="of members' keys")
    init.add_argument(
        "--port",
        type=partial(parse_port, least=1),
        default=DEFAULT_BASE,
        help=f"first port of the first node; each has {PORTS_EACH} (default {DEFAULT_BASE})",
    )
    init.add_argument(
        "--host",
        action="append",
        default=[],
        help="host of the next node, where each has a machine of its own; repeat for each",
    )
    init.add_argument("--json", action="store_true", help="print one JSON object")
    init.set_defaults(function=_init)


def _count_nodes(text: str) -> int:
    is_number = text.isascii() and text.isdecimal()
    if not is_number or not 1 <= int(text) <= VALIDATORS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r:.80} is no number from 1 to {VALIDATORS_MAX}")
    return int(text)


def _init(options: argparse.Namespace) -> int:
    description = _describe(options)
    places = choose_places(len(description.members), options.port, options.host)
    founded = found_voted_network(
        options.dir,
        description,
        places,
        ask_new_passphrase(),
        wall_clock_ms(),
        note=partial(ProgressBar().show, "nodes with their keys"),
    )
    if options.json:
        print_json(founded.to_json())
        return 0
    for line in _describe_founded(founded):
        say(line)
    return 0


def _describe(options: argparse.Namespace) -> NetworkDescription:
    if options.spec is None:
        members = describe_institutions(
            options.validators or DEFAULT_VALIDATORS, options.observers or 0
        )
        found = NetworkDescription(members=members)
    else:
        if options.observers is not None:
            raise Invalid(
                InvalidCode.ARGUMENTS,
                "--observers goes with --validators: in a spec, a member without a weight is one",
            )
        found = read_description(options.spec)
        if found.sponsor:
            raise Invalid(
                InvalidCode.ARGUMENTS,
                f"{options.spec} names a sponsor, but each member gets a node here: leave it out",
            )
    names = ("network", "hash", "suite")
    changed = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return change_description(found, changed)


def _describe_founded(founded: FoundedNetwork) -> list[str]:
    """Say what was made, and what to do next."""
    genesis = founded.network.genesis
    is_here = all(node.place.is_here for node in founded.nodes)
    folder = shlex.quote(str(founded.path))
    up = [
        f"  {name_program()} network up --dir {folder}",
        f"  {name_program()} network status --dir {folder}",
    ]
    move = [
        "  move each node's folder to its institution's machine, and nothing but it; there:",
        f"  {name_program()} up --data FOLDER",
    ]
    kept = f"{SPONSOR_KEY}.json and {CHANNEL_KEY}.json"
    return [
        f"Network {genesis.network}, crypto profile {genesis.hash}, genesis hash",
        f"  {founded.network.genesis_hash.hex()}",
        "  Tell it to everybody who is to verify receipts: it names the network.",
        "Nodes, each with keys of its own, encrypted under the passphrase:",
        *(line for node in founded.nodes for line in _describe_node(node)),
        "Next:",
        f"  where money is at stake, move all key files but {kept} to their owners",
        *(up if is_here else move),
    ]


def _describe_node(node: FoundedNode) -> list[str]:
    member, place = node.member, node.place
    votes = f"votes with {member.weight}" if member.weight else "follows without a vote"
    officers = f"{member.threshold} of {len(member.officers)} officers sign together"
    return [
        f"  {node.home.path}",
        f"    {member.name}: {', '.join(member.roles)}; {votes}; {officers}",
        f"    {place.url}, peers at port {place.peer_port}, API key in {API_KEY_NAME}",
    ]
