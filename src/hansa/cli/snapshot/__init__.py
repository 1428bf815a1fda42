"""Commands about snapshots: which a node keeps, one to carry elsewhere, and a folder made of it."""

from __future__ import annotations

import argparse
import shlex

from hansa.cli.care import list_own_keys
from hansa.cli.screen import ProgressBar, print_found, print_json, print_table, say
from hansa.cli.source import parse_file, parse_folder, parse_hash
from hansa.node.home import Home
from hansa.node.joining.carrying import list_kept, make_carried, restore_carried
from hansa.node.joining.checkpoints import describe_trail, read_checkpoint
from hansa.program import name_program


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `snapshot` with all its words to the parser."""
    snapshot = commands.add_parser("snapshot", help="the state at a block: list, make, restore")
    words = snapshot.add_subparsers(dest="word", required=True, metavar="WORD")
    listed = words.add_parser("list", help="list the snapshots that a node keeps")
    listed.set_defaults(function=_list)
    make = words.add_parser("make", help="make one of the newest checkpoint, to carry elsewhere")
    make.add_argument("target", type=parse_folder, help="folder to make: new or empty")
    make.set_defaults(function=_make)
    restore = words.add_parser("restore", help="make a node's folder of one that was carried")
    restore.add_argument("snapshot", type=parse_folder, help="folder of the snapshot")
    restore.add_argument(
        "--data", type=parse_folder, required=True, help="data folder to make: new or empty"
    )
    trust = restore.add_mutually_exclusive_group(required=True)
    trust.add_argument("--genesis", metavar="HASH", help="genesis hash of the network you mean")
    trust.add_argument(
        "--checkpoint",
        type=parse_file,
        metavar="FILE",
        help="checkpoint that you kept: validators are followed from there, not from genesis",
    )
    restore.set_defaults(function=_restore)
    for command in (listed, make):
        command.add_argument(
            "--data", type=parse_folder, required=True, help="data folder of the node, read beside"
        )
    for command in (listed, make, restore):
        command.add_argument("--json", action="store_true", help="print one JSON object")


def _list(options: argparse.Namespace) -> int:
    found = [kept.to_json() for kept in list_kept(Home(options.data))]
    if options.json:
        print_json({"snapshots": found})
        return 0
    for each in found:
        print_table(each)
    if not found:
        say("The node keeps none: history.snapshot_every of its node.toml has it make some.")
    return 0


def _make(options: argparse.Namespace) -> int:
    kept = make_carried(Home(options.data), options.target)
    print_found({"folder": str(options.target), **kept.to_json()}, is_json=options.json)
    return 0


def _restore(options: argparse.Namespace) -> int:
    bar = ProgressBar()
    genesis = None if options.genesis is None else parse_hash(options.genesis, "genesis hash")
    start = None if options.checkpoint is None else read_checkpoint(options.checkpoint)
    home = Home(options.data)
    restored = restore_carried(
        options.snapshot,
        home.path,
        genesis,
        start,
        lambda done, total: bar.show("chunks", done, total),
    )
    told = {
        "folder": str(home.path),
        "genesis_hash": home.load_network().genesis_hash.hex(),
        **restored.kept.to_json(),
        "votes": describe_trail(restored.trail) or None,
    }
    print_found(told, is_json=options.json)
    if not options.json:
        say("Everything in it follows from its last block. It can be read, audited and verified:")
        say(f"  {name_program()} audit --data {shlex.quote(str(home.path))}")
    if not options.json and not home.load_network().genesis.is_voted:
        say("To run it in the place of a node that is lost, and never beside it, put its key files")
        say("back, from where they were kept:")
        for line in list_own_keys(home):
            say(line)
    return 0
