"""`hansa pair`: two banks from terms to a settled position, as their officers type it."""

from __future__ import annotations

import json

import pytest
from tests.played import CHEAP, PASSPHRASE, open_folder
from tests.running import run_folder
from tests.world import key

from hansa.cli.main import main
from hansa.contracts.reconciliation import agreements
from hansa.node.home import Home
from hansa.sdk.client import Client
from hansa.sdk.keys import save_key

NORTH, SOUTH = key("north").address, key("south").address
PROPOSE = agreements.Propose(NORTH, NORTH, SOUTH, bytes([1]) * 32, 20_000, 1, 30)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    path = tmp_path_factory.mktemp("pair") / "node"
    with open_folder(path):
        pass
    with run_folder(Home(path)) as node:
        yield node


@pytest.fixture
def run(node, tmp_path, monkeypatch, capsys):
    """Run `hansa pair`; gives code, JSON and what was complained of."""
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("HANSA_API_KEY", node.token)
    for name in ("north", "south"):
        save_key(tmp_path / f"{name}.json", key(name), PASSPHRASE, cost=CHEAP)

    def call(*words, by=None):
        keys = [] if by is None else ["--key", str(tmp_path / f"{by}.json")]
        code = main(["pair", *words, *keys, "--node", node.url, "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else {}, err

    return call


def test_an_agreement_is_accepted_ended_or_declined(run, node):
    with Client(node.url) as client:
        network = client.get_network()
        agreement = agreements.compute_id(PROPOSE, network.digest).hex()
        client.send([key("north")], [PROPOSE]).require_ok()
        assert run("decline", agreement, by="north")[0] == 0
        client.send([key("north")], [PROPOSE]).require_ok()
    code, _, complaint = run("accept", agreement, by="north")
    assert (code, "kernel.NOT_AUTHORIZED" in complaint) == (3, True)
    code, _, complaint = run("accept", agreement, "--bank", "north", by="north")
    assert (code, "agreements.NOT_YOURS_TO_ACCEPT" in complaint) == (3, True)
    code, found, _ = run("accept", agreement, by="south")
    assert (code, found["status"]) == (0, "OK")
    assert run("end", agreement, by="north")[0] == 0
    code, _, complaint = run("end", agreement, "--bank", "south", by="south")
    assert (code, "agreements.WRONG_STATE" in complaint) == (3, True)


@pytest.mark.parametrize(
    ("words", "by", "code", "told"),
    [
        (("accept", "12"), "south", 2, "no id of an agreement"),
        (("accept", "12" * 32), "south", 4, "no agreement"),
        (("accept", "12" * 32), None, 2, "--key"),
    ],
)
def test_mistakes_say_what_to_do(run, words, by, code, told):
    found, _, complaint = run(*words, by=by)
    assert (found, told in complaint) == (code, True), complaint
