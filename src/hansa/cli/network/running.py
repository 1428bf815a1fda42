"""The words that run a network's nodes on this machine: up, status, stop, logs."""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hansa.cli.passphrase import ask_passphrase
from hansa.cli.screen import flush, print_json, print_table, say
from hansa.cli.source import parse_count, parse_folder
from hansa.engine.cometbft.child.binary import find_binary
from hansa.kernel.errors import Unavailable
from hansa.node.home import SPONSOR_KEY
from hansa.node.network.folders import NodeFolder, choose_nodes, list_nodes
from hansa.node.network.logs import LogFile, list_files
from hansa.node.network.status import read_network
from hansa.node.network.stopping import find_owner, start_node, stop_network, stop_node
from hansa.node.network.supervision import Event, Supervisor
from hansa.node.running import stopped_by_signals
from hansa.node.service import wall_clock_ms
from hansa.program import PASSPHRASE_VARIABLE, name_program

EXIT_FINDINGS = 1
STOP_WITHIN_S = 90
DEFAULT_LINES = 20
FOLLOW_S = 0.5
DETACH_S = 0.05
OUTPUT_NAME = "network.log"
"""Where the events go of a network that runs in the background."""


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `network`."""
    up = words.add_parser("up", help="run all nodes of a folder on this machine, until Ctrl-C")
    up.add_argument("--detach", action="store_true", help="run in the background")
    up.set_defaults(function=_up)
    status = words.add_parser("status", help="how each node is doing, and whether blocks come")
    status.set_defaults(function=_status)
    stop = words.add_parser("stop", help="stop all nodes that network up runs, or one of them")
    stop.add_argument("--node", metavar="NAME", help="only this one; the others go on")
    stop.set_defaults(function=_stop)
    start = words.add_parser("start", help="start a node again that network stop --node stopped")
    start.add_argument("--node", metavar="NAME", required=True, help="which one")
    start.set_defaults(function=_start)
    logs = words.add_parser("logs", help="what nodes and their CometBFT have said")
    logs.add_argument("--node", metavar="NAME", help="only of this node (default: all)")
    logs.add_argument("--follow", action="store_true", help="go on until Ctrl-C")
    logs.add_argument(
        "--lines", type=parse_count, default=DEFAULT_LINES, help="last lines of each (default 20)"
    )
    logs.set_defaults(function=_logs)
    for word in (up, status, stop, start, logs):
        word.add_argument(
            "--dir", type=parse_folder, required=True, help="folder that network init made"
        )
    for word in (up, status, stop, start):
        word.add_argument("--json", action="store_true", help="print JSON objects")


def _up(options: argparse.Namespace) -> int:
    nodes = list_nodes(options.dir)
    find_binary()
    for node in nodes:  # told once, not by each node
        node.home.comet.require_socket_paths()
    passphrase = ask_passphrase()
    nodes[0].home.load_key(SPONSOR_KEY, passphrase)  # so is a wrong one
    os.environ[PASSPHRASE_VARIABLE] = passphrase
    if (owner := find_owner(options.dir)) is not None:
        raise Unavailable(f"the network in {options.dir} runs already, as process {owner}")
    if options.detach:
        return _detach(options)

    def tell(event: Event) -> None:
        with suppress(Unavailable):  # a full disk, say: nodes do not end for it
            if options.json:
                print_json(event.to_json())
            else:
                say(f"{time.strftime('%H:%M:%S')}  {event.node}: {event.text}")
            flush()

    supervisor = Supervisor(options.dir, nodes, _build_command, tell)
    asyncio.run(_run(supervisor))
    if not options.json:
        say("Stopped; everything that was confirmed is on disk.")
    return 0


async def _run(supervisor: Supervisor) -> None:
    with stopped_by_signals() as stopped:
        await supervisor.run(stopped)


def _build_command(node: NodeFolder) -> list[str]:
    quiet = ("-W", "ignore:resource_tracker")  # what Python says of a node that was killed
    return [sys.executable, *quiet, "-m", "hansa", "up", "--data", str(node.home.path), "--json"]


def _detach(options: argparse.Namespace) -> int:
    """Start the same command in the background, and wait until it has the folder.

    Its passphrase comes in the environment.
    """
    path: Path = options.dir / OUTPUT_NAME
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "hansa", "network", "up", "--dir", str(options.dir)],
        stdin=subprocess.DEVNULL,
        stdout=descriptor,
        stderr=descriptor,
        start_new_session=True,
    )
    os.close(descriptor)
    while find_owner(options.dir) != process.pid:
        if process.poll() is not None:
            said = LogFile("", path).read_last(1)
            raise Unavailable(f"it ended at once: {'; '.join(said)} (see {path})", path=str(path))
        time.sleep(DETACH_S)
    if options.json:
        print_json({"pid": process.pid, "log": str(path)})
        return 0
    folder = shlex.quote(str(options.dir))
    say(f"Runs in the background as process {process.pid}; what happens goes to {path}.")
    say(f"  {name_program()} network status --dir {folder}")
    say(f"  {name_program()} network stop --dir {folder}")
    return 0


def _status(options: argparse.Namespace) -> int:
    found = asyncio.run(read_network(list_nodes(options.dir), wall_clock_ms()))
    if options.json:
        print_json(found.to_json())
    else:
        print_table([(node.name, node.describe()) for node in found.nodes])
        say(found.describe())
    return 0 if found.is_well else EXIT_FINDINGS


def _stop(options: argparse.Namespace) -> int:
    nodes = list_nodes(options.dir)
    if options.node is not None:
        (node,) = choose_nodes(nodes, options.node)
        stop_node(node, STOP_WITHIN_S)
        if options.json:
            print_json({"node": node.name})
        else:
            where = f"--dir {shlex.quote(str(options.dir))} --node {node.name}"
            say(f"Stopped, and not started again before {name_program()} network start {where}.")
        return 0
    pid = stop_network(options.dir, STOP_WITHIN_S)
    if options.json:
        print_json({"pid": pid})
    else:
        say("Stopped; everything that was confirmed is on disk.")
    return 0


def _start(options: argparse.Namespace) -> int:
    (node,) = choose_nodes(list_nodes(options.dir), options.node)
    start_node(node)
    if options.json:
        print_json({"node": node.name})
    else:
        say(f"{node.name} starts.")
    return 0


def _logs(options: argparse.Namespace) -> int:
    nodes = choose_nodes(list_nodes(options.dir), options.node)
    files = list(list_files(nodes))
    if options.node is None:
        files.insert(0, LogFile("network", options.dir / OUTPUT_NAME))
    for file in files:
        for line in file.read_last(options.lines):
            say(f"{file.name}  {line}")
    for file, line in _follow(files) if options.follow else ():
        say(f"{file.name}  {line}")
    return 0


def _follow(files: list[LogFile]) -> Iterator[tuple[LogFile, str]]:
    """Give new lines as they come, for ever."""
    while True:
        for file in files:
            for line in file.read_new():
                yield file, line
        flush()
        time.sleep(FOLLOW_S)
