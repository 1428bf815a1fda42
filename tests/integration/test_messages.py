"""Messages between real nodes: killed meanwhile, each comes once; none comes from strangers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time

import pytest
from tests.integration.network_process import PASSPHRASE, find_base, found, network_up, run

from hansa.contracts.members import Role
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Refused
from hansa.kernel.genesis import Network
from hansa.node.channel.format import VERSION, Header, compute_commitment, seal_message
from hansa.node.channel.http import HttpCarrier
from hansa.node.description import MemberDescription, NetworkDescription
from hansa.node.home import SPONSOR_KEY, Home
from hansa.sdk.client import Client
from hansa.sdk.keys import KeyPair

pytestmark = pytest.mark.integration
TOPICS = ("reconcile.case", "reconcile.books")
ROUNDS = 6
WITHIN_S = 90


@pytest.fixture(autouse=True)
def passphrase(monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)


def open_client(folder, base, number):
    """Open a client of an operator's node, with that operator's API key."""
    token = (folder / f"operator-{number}" / "api.key").read_text().strip()
    return Client(f"http://127.0.0.1:{base + 10 * number}", api_key=token, attempts=10)


DESCRIPTION = NetworkDescription(
    members=(
        MemberDescription("Central Bank", (Role.CENTRAL_BANK,), weight=100),
        MemberDescription("Operator 1", (Role.OPERATOR,)),
        MemberDescription("Operator 2", (Role.OPERATOR,)),
    ),
    policy={"governance.membership": (2, 3, 0, 604_800_000)},
)
"""One votes, and what it decides on members is in force at once."""


@pytest.fixture(scope="module")
def running(cometbft, tmp_path_factory):
    """A network of three nodes: its folder, its first port, and what tells how they do."""
    base, folder = find_base(), tmp_path_factory.mktemp("messages") / "net"
    names = tuple(found(folder, base, DESCRIPTION))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
        with network_up(folder, names) as up:
            yield folder, base, up


def load_members(folder):
    """Load the members' addresses, in order."""
    return [node.member for node in Home(folder / "operator-1").load_network().genesis.nodes]


def test_messages_outlive_the_death_of_either_node(running, capsys):
    folder, base, up = running
    to = load_members(folder)[2]
    sent = []
    with open_client(folder, base, 1) as sender, open_client(folder, base, 2) as reader:
        for number in range(ROUNDS):
            killed = f"operator-{2 - number % 2}"
            status = run(capsys, "network", "status", "--dir", folder, code=None)  # may be young
            pids = {node["name"]: node["pid"] for node in status["nodes"]}
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


def test_neither_strangers_nor_the_suspended_are_heard(running, capsys):
    folder, base, _ = running
    addresses = load_members(folder)
    stranger, home = KeyPair.generate(), Home(folder / "operator-1")
    network, server_key = home.load_network(), home.load_key(SPONSOR_KEY, PASSPHRASE)
    with open_client(folder, base, 1) as one, open_client(folder, base, 2) as two:
        assert "is no member of this network" in knock(network, stranger.address, stranger)
        decide(capsys, folder, "suspend_member", addresses, 2)
        assert "Operator 1 is suspended" in knock(network, addresses[1], server_key)
        with pytest.raises(Refused) as refused:
            two.messages.send(addresses[1], "case", b"to the suspended")
        assert "Operator 1 is suspended" in refused.value.message
        assert two.messages.list_received() == []
        decide(capsys, folder, "reinstate_member", addresses, 1, 2)
        sent = one.messages.send(addresses[2], "case", b"may again")
        assert one.messages.wait_for(bytes.fromhex(sent.id), WITHIN_S).state == "delivered"
        assert [item.id for item in two.messages.list_received()] == [sent.id]


def knock(network: Network, member: bytes, key: KeyPair) -> str:
    """Bring a message of `member` to the node of operator-2; returns why it is refused."""
    node, salt, content = network.genesis.nodes[2], bytes(32), b"let me in"
    commitment = compute_commitment(network, salt, content)
    expires_ms = time.time_ns() // 1_000_000 + 60_000
    fields = ("case", bytes(16), 1, expires_ms, node.channel_key, commitment)
    header = Header(VERSION, member, node.member, *fields)
    message = seal_message(network, key, header, salt, content)

    async def bring():
        carrier = HttpCarrier()
        try:
            await carrier.carry(node.url, message)
        finally:
            await carrier.close()

    with pytest.raises(Refused) as refused:
        asyncio.run(bring())
    return refused.value.message


def decide(capsys, folder, kind, addresses, *numbers):
    """Have the central bank decide on operator-1, and wait until the nodes so numbered know."""
    key = folder / "central-bank" / "keys" / "central-bank-officer-1.json"
    bank, member = map(to_text, addresses[:2])
    nodes = Home(folder / "central-bank").load_network().genesis.nodes
    node = ("--node", nodes[0].url)
    action = {"kind": kind, "arguments": {"address": member}}
    arguments = json.dumps({"proposer": bank, "action": action})
    run(capsys, "tx", "send", key, *node, "--call", "governance.propose", "--args", arguments)
    number = run(capsys, "network", "proposals", *node)["proposals"][0]["number"]
    arguments = json.dumps({"number": number})
    words = ("--call", "governance.execute", "--args", arguments)
    sent = run(capsys, "tx", "send", key, *node, *words)
    for each in numbers:  # without a key: that of a suspended member opens nothing
        with Client(nodes[each].url) as client:
            client.wait_for(bytes.fromhex(sent["tx_id"]), WITHIN_S)
