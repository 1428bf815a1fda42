"""The word for CometBFT's keys of a node: key new."""

from __future__ import annotations

import argparse
import json
import shlex

from hansa.cli.screen import print_json, say
from hansa.cli.source import parse_folder
from hansa.node.home import Home
from hansa.node.network.renewal import describe_publish, renew_keys
from hansa.program import name_program


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `network`."""
    key = words.add_parser("key", help="the keys of a node that votes")
    verbs = key.add_subparsers(dest="verb", required=True, metavar="VERB")
    new = verbs.add_parser(
        "new", help="make new keys where they, or what was signed, are lost or damaged"
    )
    new.add_argument("--data", type=parse_folder, required=True, help="data folder of the node")
    new.add_argument(
        "--replace", action="store_true", help="the consensus key also where nothing is lost"
    )
    new.add_argument("--json", action="store_true", help="print one JSON object")
    new.set_defaults(function=_new)


def _new(options: argparse.Namespace) -> int:
    home = Home(options.data)
    renewed = renew_keys(home, replace=options.replace)
    arguments = describe_publish(renewed.publish)
    if options.json:
        found = {
            "publish": arguments,
            "new_consensus_key": renewed.is_new_consensus_key,
            "new_peer": renewed.is_new_node_key,
        }
        print_json(found)
        return 0
    hansa, folder = name_program(), shlex.quote(str(options.data))
    words = shlex.quote(json.dumps(arguments))
    if renewed.is_new_consensus_key:
        say(f"The node has a new consensus key, {arguments['consensus_key']}.")
    else:
        say("It keeps its consensus key, which knows what it signed.")
    if renewed.is_new_node_key:
        say(f"It is a new peer, {renewed.publish.peers[0].hex()}: other nodes let it in once")
        say("the member's officers have published it, at another node of the network:")
    else:
        say("It follows without a vote until the member's officers have published it:")
    say(f"  {hansa} tx send OFFICER.json --call nodes.publish --args {words}")
    say("Next:")
    say(f"  {hansa} up --data {folder}")
    return 0
