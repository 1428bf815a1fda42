"""Messages between real nodes that are killed meanwhile: each arrives once, in order."""

from __future__ import annotations

import os
import signal

import pytest
from tests.integration.network_process import find_base, network_up, run

from hansa.kernel.crypto.address import from_text
from hansa.sdk.client import Client

pytestmark = pytest.mark.integration
TOPICS = ("reconcile.case", "reconcile.books")
ROUNDS = 6
WITHIN_S = 90


@pytest.fixture(autouse=True)
def passphrase(monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", "of four institutions")


def open_client(folder, base, number):
    """Open a client of an operator's node, with that operator's API key."""
    token = (folder / f"operator-{number}" / "api.key").read_text().strip()
    return Client(f"http://127.0.0.1:{base + 10 * number}", api_key=token, attempts=8)


def test_messages_outlive_the_death_of_either_node(cometbft, tmp_path, capsys):
    base, folder = find_base(), tmp_path / "net"
    made = run(capsys, "network", "init", "--dir", folder, "--port", base)
    to = from_text(made["nodes"]["operator-2"]["member"])
    sent = []
    with (
        network_up(folder) as up,
        open_client(folder, base, 1) as sender,
        open_client(folder, base, 2) as reader,
    ):
        for number in range(ROUNDS):
            killed = f"operator-{2 - number % 2}"
            found = run(capsys, "network", "status", "--dir", folder)
            pids = {node["name"]: node["pid"] for node in found["nodes"]}
            if number in (1, 2):
                os.kill(pids[killed], signal.SIGKILL)
            for topic in TOPICS:
                content = f"{topic} {number}".encode()
                sent.append(sender.messages.send(to, topic, content))
            if number in (1, 2):
                up.read("answers", killed)
        for item in sent:
            done = sender.messages.wait_for(bytes.fromhex(item.id), WITHIN_S)
            assert done.state == "delivered"
        for topic in TOPICS:
            listed = reader.messages.list_received(topic)
            assert [item.id for item in listed] == [item.id for item in sent if item.topic == topic]
            for number, item in enumerate(listed):
                whole = reader.messages.get_received(item.number)
                assert whole.content == f"{topic} {number}".encode()
                reader.messages.take(item.number)
        assert reader.messages.list_received() == []
