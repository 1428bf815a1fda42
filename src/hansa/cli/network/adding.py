"""The word that makes one more node: node new."""

from __future__ import annotations

import argparse
import json
import shlex
from functools import partial

from hansa.cli.passphrase import ask_passphrase
from hansa.cli.screen import print_json, say
from hansa.cli.source import parse_address, parse_file, parse_folder, parse_port
from hansa.node.home import Home
from hansa.node.network.places import DEFAULT_BASE, THIS_MACHINE, choose_places
from hansa.node.network.renewal import Source, add_node, describe_publish
from hansa.program import name_program


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `network`."""
    node = words.add_parser("node", help="one more node of a network")
    verbs = node.add_subparsers(dest="verb", required=True, metavar="VERB")
    new = verbs.add_parser("new", help="make its folder, with new keys of CometBFT")
    new.add_argument("--data", type=parse_folder, required=True, help="folder to make; must be new")
    new.add_argument("--genesis", type=parse_file, required=True, help="the network's genesis.bin")
    new.add_argument(
        "--sponsor-key", type=parse_file, required=True, help="key file of the member's server"
    )
    new.add_argument(
        "--member", type=parse_address, help="the member's address, if genesis does not name it"
    )
    new.add_argument(
        "--peer", action="append", default=[], metavar="ID@HOST:PORT", help="another node; repeat"
    )
    new.add_argument(
        "--from",
        dest="join_from",
        action="append",
        default=[],
        metavar="URL",
        help="a node to join by the snapshot of; repeat (default: fetch all blocks)",
    )
    new.add_argument(
        "--checkpoint",
        type=parse_file,
        metavar="FILE",
        help="with --from: follow validators from a checkpoint that you kept (default: genesis)",
    )
    new.add_argument("--host", help="under which others reach it (default: this machine alone)")
    new.add_argument(
        "--port",
        type=partial(parse_port, least=1),
        default=DEFAULT_BASE,
        help="first of its ten ports",
    )
    new.add_argument("--json", action="store_true", help="print one JSON object")
    new.set_defaults(function=_new)


def _new(options: argparse.Namespace) -> int:
    hosts = [] if options.host in (None, THIS_MACHINE) else [options.host]
    source = Source(
        options.genesis,
        options.sponsor_key,
        options.member,
        tuple(options.join_from),
        options.checkpoint,
    )
    (place,) = choose_places(1, options.port, hosts)
    publish = add_node(options.data, source, place, options.peer, ask_passphrase())
    arguments = describe_publish(publish)
    if options.json:
        print_json({"folder": str(options.data), "publish": arguments})
        return 0
    hansa, folder = name_program(), shlex.quote(str(options.data))
    say(f"The node lies in {options.data}; peers know it as {publish.peers[0].hex()}.")
    say("Others let it in once the member's officers have published it, at another node:")
    words = shlex.quote(json.dumps(arguments))
    say(f"  {hansa} tx send OFFICER.json --call nodes.publish --args {words}")
    if not options.peer:
        say("No peer is named (--peer), so it stays alone until another node names it. Put other")
        say(f"nodes, ID@HOST:PORT, as cometbft.peers into {Home(options.data).settings_path}:")
        say(f"{hansa} doctor at each of them prints its id.")
    say("Next:")
    say(f"  {hansa} doctor --data {folder}")
    say(f"  {hansa} up --data {folder}")
    return 0
