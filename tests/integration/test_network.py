"""Four institutions' nodes on one machine, from the command line: made, run, killed, stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.conftest import HANSA
from tests.integration.network_process import (
    NAMES,
    PASSPHRASE,
    WITHIN_S,
    find_base,
    find_child,
    found,
    network_up,
    run,
)

from hansa.cli.main import main
from hansa.contracts.members import Role
from hansa.node.description import MemberDescription, NetworkDescription
from hansa.node.home import Home, open_chain_read_only


@pytest.fixture(autouse=True)
def passphrase(monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)


def publish(capsys, folder, base, arguments):
    """Let the officer of operator-1 publish its node, at the node of another one."""
    key = folder / "operator-1" / "keys" / "operator-1-officer-1.json"
    words = ("tx", "send", key, "--call", "nodes.publish", "--args", json.dumps(arguments))
    run(capsys, *words, "--node", f"http://127.0.0.1:{base + 20}")


def wait_for_powers(capsys, folder, powers):
    """Ask until all are well and have these powers: one that was started last may be on its way."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        status = run(capsys, "network", "status", "--dir", folder, code=None)
        told = [node["power"] for node in status["nodes"]]
        if status["ok"] and told == powers:
            return status
        assert time.monotonic() < deadline, status


def test_a_network_is_made_run_killed_and_given_a_new_key(cometbft, tmp_path, capsys):
    base, folder = find_base(), tmp_path / "net"
    made = found(folder, base)
    genesis = Home(folder / "operator-1").load_network().genesis
    ours = next(node for node in genesis.nodes if node.url.endswith(str(base + 10)))
    arguments = {
        "member": made["operator-1"]["member"],
        "consensus_key": ours.consensus_key.hex(),
        "peers": [peer.hex() for peer in ours.peers],
        "channel_key": ours.channel_key.hex(),
        "url": "https://operator.example",
    }
    with network_up(folder) as up:
        publish(capsys, folder, base, arguments)
        status = wait_for_powers(capsys, folder, [100] * 4)
        assert status["ok"], status
        assert all(node["peers"] > 0 for node in status["nodes"])  # some may still be dialled
        kill_one_process_of_each_kind(up, status)
        run(capsys, "network", "stop", "--dir", folder)
    check_that_all_agree(folder)
    assert run(capsys, "network", "status", "--dir", folder, code=1)["nodes"][0]["pid"] is None
    vote_with_a_new_key(capsys, folder, base)


def kill_one_process_of_each_kind(up, status):
    """Both processes of a node start together again, whichever was killed."""
    os.kill(status["nodes"][2]["pid"], signal.SIGKILL)
    told = up.read("answers", "operator-2")
    assert "ended by signal 9" in told[0]["text"]
    os.kill(find_child(status["nodes"][3]["pid"], "cometbft"), signal.SIGKILL)
    told = up.read("answers", "regulator")
    assert "with exit code 5: CometBFT ended by signal 9" in told[0]["text"]


def check_that_all_agree(folder, names=NAMES):
    """All nodes have the same blocks, as far as each of them got before it was stopped."""
    with ExitStack() as stack:
        chains = [open_chain_read_only(Home(folder / name)) for name in names]
        for chain in chains:
            stack.callback(chain.close)
        height = min(chain.head.height for chain in chains)
        assert height >= 1
        assert len({chain.get_header(height).encoded() for chain in chains}) == 1


def vote_with_a_new_key(capsys, folder, base):
    """A node that lost what it signed follows, and votes once its new key is published."""
    home = Home(folder / "operator-1")
    home.comet.signing_state_path.unlink()
    arguments = run(capsys, "network", "key", "new", "--data", home.path)["publish"]
    assert arguments["url"] == "https://operator.example"
    with network_in_background(capsys, folder):
        wait_for_powers(capsys, folder, [100, 0, 100, 100])
        publish(capsys, folder, base, arguments)
        for name in ("one", "two"):  # a new validator votes two blocks later
            publish(capsys, folder, base, arguments | {"url": f"https://{name}.example"})
        wait_for_powers(capsys, folder, [100] * 4)
    check_that_all_agree(folder)


@contextmanager
def network_in_background(capsys, folder):
    """Run a network that is stopped from elsewhere; it is not started twice."""
    command = [HANSA, "network", "up", "--dir", str(folder), "--detach", "--json"]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    try:
        again = subprocess.run(command, capture_output=True, check=False, text=True)
        assert again.returncode == 5
        assert f"runs already, as process {told['pid']}" in again.stderr
        yield
    finally:
        assert run(capsys, "network", "stop", "--dir", folder) == {"pid": told["pid"]}
    assert "central-bank: started as process" in Path(told["log"]).read_text()


MEMBERS = (
    MemberDescription("Central Bank", (Role.CENTRAL_BANK,), weight=100),
    MemberDescription("Regulator", (Role.REGULATOR,)),
)
"""The second is an observer."""


def test_a_member_without_a_vote_follows_and_takes_transactions(cometbft, tmp_path, capsys):
    base, folder = find_base(), tmp_path / "net"
    found(folder, base, NetworkDescription(members=MEMBERS))
    names = ("central-bank", "regulator")
    with network_up(folder, names):
        wait_for_powers(capsys, folder, [100, 0])
        key = folder / "regulator" / "keys" / "regulator-officer-1.json"
        node = ("--node", f"http://127.0.0.1:{base + 10}")
        address = run(capsys, "key", "show", key)["address"]
        arguments = {"member": address, "consensus_key": "", "peers": [], "channel_key": ""}
        words = ("--call", "nodes.publish", "--args", json.dumps(arguments | {"url": ""}))
        sent = run(capsys, "tx", "send", key, *words, *node)
        assert run(capsys, "tx", sent["tx_id"], *node)["height"] == 1
    check_that_all_agree(folder, names)
    lose_a_machine(capsys, folder, base, names)
    bring_back_old_signing_state(capsys, Home(folder / "central-bank"))


def lose_a_machine(capsys, folder, base, names):
    """A node of another folder takes the place of one that is gone."""
    (folder / "regulator").rename(folder.parent / "gone")
    keys = folder.parent / "gone" / "keys"
    bank = Home(folder / "central-bank")
    peer = f"{bank.comet.load_node_key().address.hex()}@127.0.0.1:{base + 6}"
    words = ("--genesis", bank.genesis_path, "--sponsor-key", keys / "sponsor.json")
    place = ("--port", base + 10, "--peer", peer)
    new = ("network", "node", "new", "--data", folder / "regulator")
    arguments = run(capsys, *new, *words, *place)["publish"]
    with network_up(folder, names):
        send = (
            "tx",
            "send",
            keys / "regulator-officer-1.json",
            "--call",
            "nodes.publish",
            "--args",
        )
        for port, url in ((base, "https://a.example"), (base + 10, "https://b.example")):
            words = (json.dumps(arguments | {"url": url}), "--node", f"http://127.0.0.1:{port}")
            run(capsys, *send, *words)  # the second one through the node that was let in
    check_that_all_agree(folder, names)


def bring_back_old_signing_state(capsys, home):
    """A vote that lies in the folder tells that the copy is old."""
    home.comet.signing_state_path.write_text('{"height": "0", "round": 0, "step": 0}')
    assert main(["up", "--data", str(home.path)]) == 2
    assert "it is an old copy" in capsys.readouterr().err
