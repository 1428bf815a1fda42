"""A fifth institution joins four others from a snapshot, by the commands that its operator has."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest
from tests.authority import Authority
from tests.conftest import HANSA
from tests.integration.network_process import NAMES, find_base, network_up, run
from tests.played import CHEAP

from hansa.contracts import governance
from hansa.contracts.actions import Action, AdmitMember
from hansa.contracts.members import Role
from hansa.engine.cometbft.rpc.client import CometRpc
from hansa.kernel.authority import ALL_PURPOSES, AccountKey, Purpose
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Unavailable
from hansa.node.description import NetworkDescription
from hansa.node.home import Home
from hansa.node.network.founding import describe_institutions, found_voted_network
from hansa.node.network.places import choose_places
from hansa.node.records import open_log, read_record
from hansa.node.service import wall_clock_ms
from hansa.sdk.arguments import parse_command
from hansa.sdk.client import Client
from hansa.sdk.keys import KeyPair, save_key

pytestmark = pytest.mark.integration

PASSPHRASE = "of five institutions"
WITHIN_S = 90
HISTORY = """
[history]
snapshot_every = 6
"""
KEEPING = NAMES[:3]
"""Whose nodes keep snapshots; the first two are asked, by HTTPS."""
TLS = """
[tls]
certificate = "server.crt"
key = "server.key"
"""


class Newcomer:
    """A member that is about to be admitted: its keys, and the node at which it sends."""

    def __init__(self, founded, client) -> None:
        self._founded = founded
        self._client = client
        self.officer, self.server = KeyPair.generate(), KeyPair.generate()
        self.address = self.officer.address

    def send(self, command, *signers):
        """Send a command, signed by officers of members, or by the newcomer's own."""
        return self._client.send(signers or [self.officer], [command]).require_ok()

    def be_admitted(self):
        """Two members vote besides the one that proposes; the newcomer carries it out."""
        keys = (
            AccountKey(self.address, int(ALL_PURPOSES & ~Purpose.SPONSOR)),
            AccountKey(self.server.address, int(Purpose.SPONSOR)),
        )
        admission = AdmitMember(self.address, "South Bank", (Role.DEPARTMENT,), 0, keys, 1)
        members = [(node.member.officers[0], self._load_officers(node)) for node in self._founded]
        (first, officers), *others = members
        proposal = governance.Propose(first, Action.of("admit_member", admission))
        self.send(proposal, *officers)
        for member, voters in others[:2]:
            self.send(governance.Vote(1, member, approve=True), *voters)
        return self.send(governance.Execute(1))

    def _load_officers(self, node):
        names = sorted(name for name in node.keys if "-officer-" in name)
        return [node.home.load_key(name, PASSPHRASE) for name in names[:2]]

    def go_on_until_snapshot(self, command):
        """Have blocks made until there is a snapshot that knows of what was sent before."""
        due = self._client.get_status().height
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            offered = self._client.get("/v1/snapshots")["snapshots"]
            if offered and offered[-1]["height"] >= due:
                return offered[-1]["height"]
            self.send(command)
        raise AssertionError("no snapshot was made")


def make_four(folder, base):
    """Make the folders of four institutions that decide on members at once."""
    description = NetworkDescription(
        members=describe_institutions(len(NAMES)),
        policy={"governance.membership": (2, 3, 0, 7 * DAY_MS)},
    )
    places = choose_places(len(NAMES), base, [])
    founded = found_voted_network(
        folder, description, places, PASSPHRASE, wall_clock_ms(), cost=CHEAP
    )
    authority = Authority(folder.parent)
    authority.issue("server", is_server=True)
    for name in KEEPING:
        with Home(folder / name).settings_path.open("a") as settings:
            settings.write(HISTORY)
    for name in KEEPING[:2]:
        home = Home(folder / name)
        with home.settings_path.open("a") as settings:
            settings.write(TLS)
        for path in (*authority.folder.glob("server.*"), authority.folder / "ca.crt"):
            shutil.copy(path, home.path)
    return founded


@contextmanager
def node_up(folder):
    """Run a node by `hansa up`; yields what it printed, and what it said while it joined."""
    command = [HANSA, "up", "--data", str(folder), "--json"]
    errors = folder.with_suffix(".err")
    with (
        errors.open("w") as told,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told, text=True) as process,
    ):
        try:
            line = process.stdout.readline()
            assert line, errors.read_text()
            yield json.loads(line), errors.read_text()
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
            assert process.wait(WITHIN_S) == 0, errors.read_text()


def make_fifth(capsys, fifth, founded, newcomer, base, checkpoint):
    """Make the newcomer's node by the command that its operator has; returns what to publish."""
    server = fifth.with_name("server.json")
    save_key(server, newcomer.server, PASSPHRASE, cost=CHEAP)
    words = ["--genesis", founded.nodes[0].home.genesis_path, "--sponsor-key", server]
    words += ["--checkpoint", checkpoint]
    for node in founded.nodes[:3]:
        peer = node.home.comet.load_node_key().address.hex()
        words += ["--peer", f"{peer}@{node.place.host}:{node.place.peer_port}"]
    for node in founded.nodes[:2]:
        words += ["--from", f"https://localhost:{node.place.port}"]
    place = ("--data", fifth, "--port", base + 40, "--member", to_text(newcomer.address))
    made = run(capsys, "network", "node", "new", *place, *words)
    with Home(fifth).settings_path.open("a") as settings:
        settings.write(f'\n[channel]\nca = "{fifth.with_name("ca.crt")}"\n')
    return parse_command("nodes.publish", made["publish"])


def keep_checkpoint(capsys, sent, node, folder):
    """Keep whom a receipt leads to, as an auditor does."""
    receipt, checkpoint = folder / "receipt", folder / "checkpoint"
    run(capsys, "receipt", "save", sent.tx_id, receipt, "--node", node.place.url)
    genesis = node.home.load_network().genesis_hash.hex()
    run(capsys, "receipt", "checkpoint", receipt, checkpoint, "--genesis", genesis)
    return checkpoint


async def ask_comet(home, method):
    """Ask the CometBFT of a node that runs."""
    rpc = CometRpc(home.comet.rpc_path)
    try:
        return await rpc.call(method)
    finally:
        await rpc.close()


def find_earliest(home):
    """Find the first block that the CometBFT of a node that runs has."""
    return int(asyncio.run(ask_comet(home, "status"))["sync_info"]["earliest_block_height"])


def list_parameters(*homes):
    """List the consensus parameters by which the CometBFTs of nodes that run go on."""
    return [asyncio.run(ask_comet(home, "consensus_params"))["consensus_params"] for home in homes]


def find_consensus_height(home, height):
    """Find the block of CometBFT that brought one of ours."""
    reader = open_log(home.log_path)
    try:
        return read_record(reader.read(height), height).consensus_height
    finally:
        reader.close()


def carry(capsys, home, checkpoint, folder):
    """Make a snapshot beside a node that runs, and restore it where no node answers."""
    carried, other, trust = folder / "carried", folder / "other", ("--checkpoint", checkpoint)
    made = run(capsys, "snapshot", "make", carried, "--data", home.path)
    restored = run(capsys, "snapshot", "restore", carried, "--data", other, *trust)
    assert restored["hash"] == made["hash"]
    audited = run(capsys, "audit", "--data", other, *trust)
    assert audited["audit_ok"]
    assert audited["voted_height"] == audited["height"] == made["height"]


def tell_lack(client, sent):
    """Tell why a node that has a transaction has not the votes on it."""
    with pytest.raises(Unavailable) as lack:
        client.get_receipt(bytes.fromhex(sent.tx_id))
    return lack.value.message


def test_a_fifth_institution_joins_from_a_snapshot_and_is_audited(
    cometbft, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    base, folder, fifth = find_base(nodes=5), tmp_path / "net", tmp_path / "fifth"
    founded = make_four(folder, base)
    node = founded.nodes[2]
    api_key = (node.home.path / "api.key").read_text().strip()
    with network_up(folder), Client(node.place.url, api_key=api_key) as client:
        newcomer = Newcomer(founded.nodes, client)
        admitted = newcomer.be_admitted()
        checkpoint = keep_checkpoint(capsys, admitted, node, tmp_path)
        publish = make_fifth(capsys, fifth, founded, newcomer, base, checkpoint)
        newcomer.send(publish)
        newcomer.go_on_until_snapshot(publish)
        with node_up(fifth) as (started, said):
            begun = int(re.search(r"joining from the snapshot of block (\d+)", said)[1])
            sent = newcomer.send(publish)
            with Client(started["url"]) as ours:
                found = ours.wait_for(bytes.fromhex(sent.tx_id), WITHIN_S)
            with Client(started["url"], attempts=1) as ours:
                told = tell_lack(ours, admitted)
            assert f"began with a snapshot: it has those from block {begun} on" in told
            assert (found.status, found.height) == ("OK", sent.height)
            earliest = find_earliest(Home(fifth))
            ours, theirs = list_parameters(Home(fifth), node.home)
            assert ours == theirs
        carry(capsys, node.home, checkpoint, tmp_path)
    assert earliest > find_consensus_height(node.home, begun) > 1  # it executed none before
    audited = run(capsys, "audit", "--data", fifth, "--checkpoint", checkpoint)
    assert audited["audit_ok"]
    assert audited["height"] >= sent.height
    assert audited["voted_height"] > begun
