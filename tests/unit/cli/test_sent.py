"""What was sent is told: also where nothing can be printed, or nobody answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest
from aiohttp import web
from tests.conftest import HANSA
from tests.faked import BASE, answer_json, make_done, make_whole, name_sent
from tests.played import CHEAP, PASSPHRASE, make_folder
from tests.running import run_fake, run_folder, run_played
from tests.voted import make_voted_genesis
from tests.world import ASSET, key, pay

from hansa.cli.main import main
from hansa.cli.tx import await_well
from hansa.engine.cometbft.home import CometKey
from hansa.kernel.errors import Unavailable
from hansa.sdk.client import Client
from hansa.sdk.keys import save_key

FIELDS = {"payer": key("ada").address_text, "payee": key("shop").address_text, "asset": ASSET}
ARGUMENTS = json.dumps({**FIELDS, "amount_minor": "1", "end_to_end_id": "invoice 7"})
SEND = ("--call", "payments.transfer", "--args", ARGUMENTS)


@pytest.fixture
def ada(tmp_path, monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    save_key(tmp_path / "ada", key("ada"), PASSPHRASE, cost=CHEAP)
    return str(tmp_path / "ada")


@pytest.fixture
def sent():
    return []


@pytest.fixture
def url(sent, monkeypatch):
    """A node that confirms whatever it is sent."""

    async def take(request):
        sent.append(name_sent(await request.read()))
        return answer_json(200, make_done(sent[-1]))

    with run_fake(*BASE, web.post("/v1/transactions", take)) as url:
        monkeypatch.setenv("HANSA_NODE", url)
        yield url


@pytest.mark.parametrize("knows", [True, False])
def test_a_refusal_of_several_reasons_says_which_it_was(ada, sent, capsys, knows):
    refused = {"status": "REFUSED", "code": "members.POWER_CHANGE"}

    async def refuse(request):
        sent.append(name_sent(await request.read()))
        return answer_json(200, {**make_done(sent[-1]), **refused})

    async def show(_):
        facts = {"facts": {"moved": "200", "total": "400"}}
        return answer_json(200, {**make_whole(sent[-1]), **refused, **facts})

    shown = [web.get("/v1/transactions/{id}", show)] if knows else []
    with run_fake(*BASE, web.post("/v1/transactions", refuse), *shown) as url:
        assert main(["tx", "send", ada, *SEND, "--node", url, "--json"]) == 3
        meaning = json.loads(capsys.readouterr().out)["meaning"]
        assert ("200 of a voting power of 400" in meaning) is knows
        assert ("or it would have changed more than 64 times" in meaning) is not knows
        if knows:
            assert main(["tx", sent[0], "--node", url, "--json"]) == 0
            assert json.loads(capsys.readouterr().out)["meaning"] == meaning


@pytest.mark.parametrize(("balance", "word"), [(None, "withheld"), ("5", "5")])
def test_a_balance_that_the_caller_may_not_read_is_told_to_be_withheld(capsys, balance, word):
    moved = {"ledger": "wallet", "owner": FIELDS["payer"], "asset": ASSET, "amount_minor": "-1"}
    change = {**moved, "balance_minor": balance}

    async def show(_):
        return answer_json(200, {**make_whole("ab" * 32), "changes": [change]})

    with run_fake(*BASE, web.get("/v1/transactions/{id}", show)) as url:
        ask = ["tx", "ab" * 32, "--node", url]
        assert main(ask) == 0
        assert f"balance_minor {word}" in capsys.readouterr().out
        assert main([*ask, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["changes"] == [change]


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_what_was_sent_and_cannot_be_printed_is_told(url, ada, sent, capsys, monkeypatch, more):
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        monkeypatch.setattr("sys.stdout", full)
        assert main(["tx", "send", ada, *SEND, *more]) == 6
    (tx_id,) = sent
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"hansa tx {tx_id}" in err
    assert "sent and confirmed" in err
    assert "No space left" in err


def test_a_reader_who_has_gone_is_no_reason_to_send_again(url, ada, sent, capsys, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        monkeypatch.setattr("sys.stdout", gone)
        assert main(["wallet", "freeze-own", ada]) == 6
    assert f"hansa tx {sent[0]}" in capsys.readouterr().err


def test_what_cannot_be_printed_is_an_error_of_other_commands(capsys, monkeypatch):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        monkeypatch.setattr("sys.stdout", full)
        assert main(["tx", "commands"]) == 5
    assert "cannot print on standard output: No space left" in capsys.readouterr().err


def test_where_nothing_can_be_printed_at_all_the_exit_code_tells():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        words = [HANSA, "tx", "commands"]
        done = subprocess.run(words, stdout=full, stderr=full, check=False, timeout=60)
    assert done.returncode == 5


def test_what_nobody_answers_is_told_with_its_id(ada, capsys):
    sent = []

    async def lose(request):
        sent.append(name_sent(await request.read()))
        request.transport.close()
        return web.Response()

    with run_fake(*BASE, web.post("/v1/transactions", lose)) as url:
        assert main(["tx", "send", ada, *SEND, "--node", url, "--validity", "60", "--json"]) == 6
    found = json.loads(capsys.readouterr().err)
    assert found["error"] == "Sent"
    assert {found["tx_id"]} == set(sent)
    assert f"hansa tx {found['tx_id']} --node {url}" in found["message"]
    assert "What is not there after 20" in found["message"]


def serve_voted(*states, text=""):
    """Routes of a node of a voted network: what it says of the network, answer by answer."""
    keys = [(CometKey.generate(), CometKey.generate()) for _ in range(4)]
    genesis = make_voted_genesis(keys).encoded()
    counts = {"height": 0, "power": 40, "present_power": 10, "own_power": 10}
    absent = dict.fromkeys(("consensus_height", "round", "step", "block_ms", "heartbeat_ms"))
    absent["started_ms"] = None
    rules = {"in_force": 1, "known": {}, "scheduled": [], "text": ""}
    seen = {"text": text, "validators": [], "peers": [], "rules": rules}
    coming = list(states)

    async def found(_):
        return web.Response(body=genesis)

    async def consensus(_):
        state = coming.pop(0) if len(coming) > 1 else coming[0]
        return answer_json(200, {**counts, **absent, **seen, "state": state})

    return web.get("/v1/genesis", found), web.get("/v1/consensus", consensus), BASE[1]


def test_where_validators_vote_only_a_node_that_is_far_enough_proves_that_it_is_lost(ada, capsys):
    async def refuse(_):
        return answer_json(503, {"detail": "cut off"}, **{"Retry-After": "0"})

    routes = (*serve_voted("voting"), web.post("/v1/transactions", refuse))
    with run_fake(*routes) as url:
        assert main(["tx", "send", ada, *SEND, "--node", url, "--json"]) == 6
    told = json.loads(capsys.readouterr().err)["message"]
    assert "It is valid until 20" in told
    assert "all blocks up to a later time never will be" in told
    assert "s from now" not in told


def test_nothing_is_sent_to_a_node_that_could_not_confirm_it(capsys):
    text = "No block for 41 s: 3 of 4 validators are not connected to this node."
    with (
        run_fake(*serve_voted("stalled", text=text)) as url,
        Client(url) as client,
        pytest.raises(Unavailable, match=f"nothing was sent.*: {text}"),
    ):
        await_well(client, is_json=False, patience_s=0)
    with run_fake(*serve_voted("stalled", "voting", text=text)) as url, Client(url) as client:
        await_well(client, is_json=False)
        assert capsys.readouterr().err == f"Nothing is sent yet, for up to 30 s: {text}\n"
    with run_fake(*serve_voted("voting")) as url, Client(url) as client:
        await_well(client, is_json=False, patience_s=0)
    assert capsys.readouterr().err == ""


def test_whoever_stops_the_wait_is_told_what_was_sent(ada, capsys):
    sent = []

    async def stop(request):
        sent.append(name_sent(await request.read()))
        os.kill(os.getpid(), signal.SIGINT)
        return answer_json(200, {**make_done(sent[-1]), "status": "PENDING"})

    async def absent(_):
        return answer_json(404, {"type": "x", "title": "x", "status": 404, "detail": "none"})

    routes = (
        web.post("/v1/transactions", stop),
        web.get("/v1/transactions/{id}", absent),
    )
    with run_fake(*BASE, *routes) as url:
        assert main(["tx", "send", ada, *SEND, "--node", url]) == 6
    assert f"hansa tx {sent[0]}" in capsys.readouterr().err


def test_a_payment_is_told_with_its_reference(ada, capsys, monkeypatch, tmp_path):
    with run_played(tmp_path / "node") as node:
        monkeypatch.setenv("HANSA_API_KEY", node.token)
        words = ("pay", ada, key("shop").address_text, "0.07", "--node", node.url, "--json")
        with open("/dev/full", "w") as full, monkeypatch.context() as patch:  # noqa: PTH123
            patch.setattr("sys.stdout", full)
            assert main(words) == 6
        told = json.loads(capsys.readouterr().err)
        assert told["end_to_end_id"] in told["message"]
        assert main(["tx", told["tx_id"], "--node", node.url, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["status"] == told["status"] == "OK"
        assert main([*words, "--id", told["end_to_end_id"]]) == 3, "made once with its reference"


def test_a_node_whose_server_key_was_replaced_says_that_its_operator_must_act(
    ada, capsys, monkeypatch, tmp_path
):
    """The sender did nothing wrong, and may send the same money through another node."""
    home = make_folder(tmp_path / "node")
    old = key("north server before")
    save_key(home.key_path("sponsor"), old, PASSPHRASE, cost=CHEAP, replace=True)
    with run_folder(home) as node:
        monkeypatch.setenv("HANSA_API_KEY", node.token)
        assert main(["tx", "send", ada, *SEND, "--node", node.url, "--json"]) == 5
        told = json.loads(capsys.readouterr().err)["message"]
        assert told.startswith("nothing was ordered: this node can bring nothing in")
        assert old.address_text in told
        assert "operator must put the new sponsor.json in place and start it again" in told
        with Client(node.url, api_key=node.token) as client:
            signed = client.sign([key("ada")], [pay("ada", "shop", 5, "r")])
            (found,) = client.submit_many([signed.envelope])
    assert isinstance(found, Unavailable)
    assert found.message in told


@pytest.mark.parametrize(
    ("status", "code"), [(503, "UNKNOWN_SPONSOR"), (400, "QUOTA"), (403, "api.FORBIDDEN")]
)
def test_after_a_lost_answer_it_is_not_said_that_nothing_was_ordered(ada, capsys, status, code):
    """The first try may have been confirmed: to pay again, or elsewhere, would pay twice."""
    sent = []

    async def lose_then_refuse(request):
        sent.append(name_sent(await request.read()))
        if len(sent) == 1:
            request.transport.close()
        refusal = {"title": code, "detail": "why it is refused"}
        return answer_json(status, refusal, **{"Retry-After": "0"})

    with run_fake(*BASE, web.post("/v1/transactions", lose_then_refuse)) as url:
        assert main(["tx", "send", ada, *SEND, "--node", url, "--json"]) == 6
    told = json.loads(capsys.readouterr().err)["message"]
    assert "whether it was confirmed is not known" in told
    assert "why it is refused" in told
    assert {*sent} == {sent[0]}
