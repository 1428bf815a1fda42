"""The nodes of several institutions as `hansa network up` runs them, for tests."""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import HANSA
from tests.played import CHEAP

from hansa.cli.main import main
from hansa.node.description import NetworkDescription
from hansa.node.network.founding import describe_institutions, found_voted_network
from hansa.node.network.places import choose_places
from hansa.node.service import wall_clock_ms

WITHIN_S = 120
PASSPHRASE = "of four institutions"
NAMES = ("central-bank", "operator-1", "operator-2", "regulator")


def find_base(nodes=4):
    """Find ten ports a node of which those that nodes listen on are free.

    Below those that the system gives to whoever connects; by chance, as others may look as well.
    """
    for base in random.sample(range(20_000, 32_760 - 10 * nodes, 10 * nodes), 200):
        try:
            for port in (
                base + 10 * number + offset for number in range(nodes) for offset in (0, 6)
            ):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return base
    raise AssertionError("no ports are free")


def found(folder, base, description=None):
    """Make the folders of four institutions, or of others, as `hansa network init` does.

    Their key files open quickly; returns what that command tells of each node.
    """
    description = description or NetworkDescription(members=describe_institutions(4))
    places = choose_places(len(description.members), base, [])
    made = found_voted_network(folder, description, places, PASSPHRASE, wall_clock_ms(), cost=CHEAP)
    return made.to_json()["nodes"]


def find_child(pid, name):
    """Find the child of a process by the name of its program."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if Path(f"/proc/{child}/exe").resolve().name == name:
            return int(child)
    raise AssertionError(f"{pid} has no child {name}")


def run(capsys, *words, code=0):
    """Run a command in this process; returns its JSON. It may end with any code if that is None."""
    capsys.readouterr()
    ended = main([*map(str, words), "--json"])
    assert code in (None, ended), capsys.readouterr()
    return json.loads(capsys.readouterr().out)


class Up:
    """`hansa network up`, and the events that it tells."""

    def __init__(self, process):
        self.process = process

    def read(self, event, *nodes):
        """Read events until each of these nodes had one of this kind; returns all of them."""
        told, missing = [], set(nodes)
        while missing:
            line = self.process.stdout.readline()
            assert line, f"it ended; {missing} never had {event}; told was {told}"
            told.append(json.loads(line))
            if told[-1]["event"] == event:
                missing.discard(told[-1]["node"])
        return told


@contextmanager
def network_up(folder, names=NAMES):
    command = [HANSA, "network", "up", "--dir", str(folder), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            up = Up(process)
            up.read("answers", *names)
            yield up
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
            assert process.wait(WITHIN_S) == 0
