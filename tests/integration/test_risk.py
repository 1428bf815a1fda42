"""A node that decides, as a process: killed between decisions, which are opened afterwards."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import urllib.request

import pytest
from tests.conftest import HANSA
from tests.deciding_desk import NORTH, Bank, make_founded
from tests.integration.deciding_processes import find_clerks
from tests.played import CHEAP, PASSPHRASE, open_folder
from tests.world import MINUTE_MS, key, pay

from hansa.cli.main import main
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Unavailable
from hansa.node.api.keys import add_key
from hansa.node.api.rights import Right, Role
from hansa.node.home import Home, backup_home, restore_home
from hansa.node.risk.clerk.journal import Journal
from hansa.node.service import wall_clock_ms
from hansa.sdk.client import Client

ENVIRONMENT = {**os.environ, "HANSA_PASSPHRASE": PASSPHRASE}
VALIDITY_MS = 5 * MINUTE_MS
"""A node starts twice meanwhile."""
AMOUNTS = {"allowed": 300, "stepped": 450, "reviewed": 700, "blocked": 5_000}
BLOCKED = f"50.00 MOP from {to_text(key('ann').address)} to {to_text(key('shop').address)}"


@pytest.fixture
def home(tmp_path):
    """A folder whose node decides: a model that two officers approved and declared in force."""
    home = Home(tmp_path / "node")
    with open_folder(home.path, make_founded()) as world:
        home.risk_path.mkdir(mode=0o700)
        Bank(home.risk_path, world=world).fund("ann", "shop")
    home.settings_path.write_text("[risk]\ndecides = true\n")
    Journal.open(home.risk_path / "decisions.db", PASSPHRASE, cost=CHEAP).close()
    fields = {"role": Role.OPERATOR, "member": to_text(NORTH), "now_ms": wall_clock_ms()}
    for name, right in (("cases", Right.RISK_RELEASE), ("app", Right.RISK_CONFIRM)):
        _, token = add_key(home.api_keys_path, name=name, rights=(right,), **fields)
        path = tmp_path / name
        path.write_text(token)
        path.chmod(0o600)
    return home


class Node:
    """A running node, and the commands beside it."""

    def __init__(self, home, capsys):
        self.home, self.capsys = home, capsys
        self.process = subprocess.Popen(
            [HANSA, "up", "--data", str(home.path), "--port", "0", "--json"],
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        line = self.process.stdout.readline()
        assert line, "it ended before it answered"
        self.url = json.loads(line)["url"]

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.stdout.close()
        self.process.wait(timeout=60)

    def post(self, envelope):
        """Send without waiting for what becomes of it."""
        body = {"envelope": base64.b64encode(envelope).decode(), "device": "ann's phone"}
        request = urllib.request.Request(  # noqa: S310 - a node's own address
            f"{self.url}/v1/transactions?wait_ms=0",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:  # noqa: S310
            return json.load(response)["status"]

    def ask(self, *words, by="cases", code=0):
        """Run a command of the desk, by the officers' key or the app's."""
        token = self.home.path.parent / by
        return run(self.capsys, *words, "--node", self.url, "--api-key-file", token, code=code)


def run(capsys, *words, code=0):
    capsys.readouterr()
    assert main(["risk", *map(str, words), "--json"]) == code, capsys.readouterr()
    out, err = capsys.readouterr()
    return json.loads(out or err)


def wait_until_waiting(node, count):
    while len(found := node.ask("waiting")["transactions"]) < count:
        assert node.process.poll() is None
    return found


def wait_for_checkpoint(client, height):
    """Wait until what a block did is proved to who asks."""
    for block in client.stream_blocks():
        if block.checkpoint_height >= height:
            return


@pytest.mark.integration
def test_decisions_outlive_a_kill_and_are_opened_and_decided_again(home, capsys, monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    node = Node(home, capsys)
    with Client(node.url) as client:
        signed = {
            name: client.sign([key("ann")], [pay("ann", "shop", amount_minor, name)], VALIDITY_MS)
            for name, amount_minor in AMOUNTS.items()
        }
        assert client.submit(signed["allowed"].envelope, device="ann's phone").is_ok
        for name in ("stepped", "reviewed", "blocked"):
            assert node.post(signed[name].envelope) == "PENDING"
    waiting = wait_until_waiting(node, 2)
    assert [each["verdict"] for each in waiting] == ["step_up", "review"]
    ids = {name: each.tx_id.hex() for name, each in signed.items()}
    before = {name: node.ask("decision", tx_id) for name, tx_id in ids.items()}
    node.end(signal.SIGKILL)

    node = Node(home, capsys)
    assert {name: node.ask("decision", tx_id) for name, tx_id in ids.items()} == before
    assert node.post(signed["stepped"].envelope) == "PENDING"
    assert [each["tx_id"] for each in wait_until_waiting(node, 2)] == [
        ids["stepped"],
        ids["reviewed"],
    ]
    node.ask("answer", ids["stepped"], "confirmed", by="app")
    node.ask("answer", ids["reviewed"], "released", "--by", "Ms Lei")
    with Client(node.url) as client:
        heights = [client.wait_for(signed[name].tx_id).height for name in ("stepped", "reviewed")]
        wait_for_checkpoint(client, max(heights))
    states = {each["tx_id"]: each["state"] for each in node.ask("held")["transactions"]}
    assert [states.get(tx_id) for tx_id in ids.values()] == [
        None,
        "confirmed",
        "released",
        "blocked",
    ]
    opened = {name: node.ask("open", tx_id) for name, tx_id in ids.items()}
    check_openings(opened)
    assert node.ask("label", ids["reviewed"], "fraud")["payments"] == 1
    kill_who_decides(node)
    with Client(node.url) as client:
        after = client.sign([key("ann")], [pay("ann", "shop", 300, "after")], VALIDITY_MS)
        assert submit_until_there(client, after.envelope).is_ok
    assert node.ask("reload")["is_scored"]
    assert node.ask("standing")["events"] == 8
    check_told_why(node, opened["allowed"]["model"])
    check_told_amounts(node, ids["blocked"])
    restored = Home(home.path.parent / "restored")
    backup_home(home, home.path.parent / "backup", with_keys=True)  # while it runs
    restore_home(home.path.parent / "backup", restored.path)
    node.end()

    assert list_files(restored.risk_path) == list_files(home.risk_path)
    assert run(capsys, "open", ids["reviewed"], "--data", restored.path) == opened["reviewed"]
    check_opened_offline(home, capsys, ids, opened)
    again = run(capsys, "replay", "--data", home.path)
    assert (again["events"], again["rows_compared"], again["identical"]) == (8, 5, True)
    tried = run(capsys, "backtest", home.risk_path / "rules.toml", "--data", home.path)
    assert (tried["payments"], tried["alerts"], tried["frauds"], tried["caught"]) == (5, 3, 1, 1)
    (home.risk_path / "models" / f"{opened['allowed']['model']}.model").write_bytes(b"other")
    broken = run(capsys, "open", ids["allowed"], "--data", home.path, code=1)
    assert [each["claim"] for each in broken["claims"] if each["holds"] is False] == ["basis"]


def list_files(folder):
    """What is there, and of what time those are that people put there: it says how old they are.

    Without the index and what is remembered, which are made anew from the journal.
    """
    return {
        each.relative_to(folder): each.stat().st_mtime_ns if each.suffix == ".toml" else None
        for each in folder.rglob("*.*")
        if not {"decisions.places", "decisions.memory"} & {*each.relative_to(folder).parts}
    }


def check_opened_offline(home, capsys, ids, opened):
    """The folder says what the node said."""
    for name, tx_id in ids.items():
        assert run(capsys, "open", tx_id, "--data", home.path) == opened[name]
    assert main(["risk", "open", ids["blocked"], "--data", str(home.path)]) == 0
    assert BLOCKED in capsys.readouterr().out


def kill_who_decides(node):
    """Kill the process that decides: the node has another one, and loses nothing."""
    (clerk,) = find_clerks(node.process.pid, node.home)
    os.kill(clerk, signal.SIGKILL)


def submit_until_there(client, envelope):
    """Send again while the node says that it is not there."""
    while True:
        try:
            return client.submit(envelope)
        except Unavailable as error:
            assert "decide" in error.message  # noqa: PT017 - of nothing else


def check_told_why(node, model):
    """Where no model decides, people are told why, and what to type."""
    assert node.ask("standing")["obstacle"] is None
    run(node.capsys, "model", "stop", "--data", node.home.path)
    asked = ["risk", "standing", "--node", node.url]
    assert main([*asked, "--api-key-file", str(node.home.path.parent / "cases")]) == 0
    told = node.capsys.readouterr().out
    assert "Models were stopped here" in told
    assert told.endswith(f"  next            hansa risk model promote {model} --data FOLDER\n")
    run(node.capsys, "model", "promote", "--data", node.home.path, model)


def check_openings(opened):
    """All is sound, and was decided again; what was blocked never came to the ledger."""
    assert all(each["is_sound"] and each["is_replayed"] for each in opened.values())
    told = {each["claim"]: each["holds"] for each in opened["reviewed"]["claims"]}
    assert set(told.values()) == {True}
    assert {"attested", "commitment", "policy_in_force", "answer", "row", "replay"} <= set(told)
    assert [each["verdict"] for each in opened.values()] == ["allow", "step_up", "review", "block"]
    assert re.fullmatch(r"cases \([0-9a-f]{8}\): Ms Lei", opened["reviewed"]["answer"]["by"])
    assert opened["blocked"]["executed"] is None


def check_told_amounts(node, tx_id):
    """People are told amounts in major units."""
    asked = ["--node", node.url, "--api-key-file", str(node.home.path.parent / "cases")]
    for words in (["held"], ["decision", tx_id], ["open", tx_id]):
        assert main(["risk", *words, *asked]) == 0
        assert BLOCKED in node.capsys.readouterr().out
