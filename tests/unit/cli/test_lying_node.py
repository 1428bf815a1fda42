"""Commands that were told the genesis, against a node that lies with what it honestly has."""

from __future__ import annotations

import base64
import json

import msgspec
import pytest
from aiohttp import web
from tests.faked import BASE, GENESIS, NETWORK, answer_json, make_done, make_status, name_sent
from tests.played import CHEAP, PASSPHRASE
from tests.running import run_fake, run_played
from tests.world import key, pay

from hansa.cli.main import main
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.transaction import decode_envelope
from hansa.node.service import wall_clock_ms
from hansa.sdk.client import Client
from hansa.sdk.keys import save_key


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with run_played(tmp_path_factory.mktemp("honest") / "node") as running:
        yield running


@pytest.fixture(scope="module")
def honest(running):
    with Client(running.url, api_key=running.token) as client:
        yield client


@pytest.fixture
def ada(tmp_path, monkeypatch):
    """A key file, and the environment that opens it."""
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    save_key(tmp_path / "ada", key("ada"), PASSPHRASE, cost=CHEAP)
    return tmp_path / "ada"


def run(capsys, *words, code=0):
    assert main([*map(str, words), "--json"]) == code, capsys.readouterr().err
    out, err = capsys.readouterr()
    return json.loads(out or err)


def test_the_receipt_of_another_payment_is_not_saved(honest, capsys, tmp_path):
    paid = honest.send([key("ada")], [pay("ada", "shop", 1, "another")]).require_ok()
    receipt = honest.fetch_receipt(bytes.fromhex(paid.tx_id))
    genesis, file = honest.get_network().genesis_hash.hex(), tmp_path / "receipt.bin"

    async def other(_):
        return web.Response(body=receipt)

    with run_fake(*BASE, web.get("/v1/receipts/{id}", other)) as url:
        words = ("--node", url, "--genesis", genesis)
        found = run(capsys, "receipt", "save", "ab" * 32, file, *words, code=2)
        assert f"answers with the receipt of {paid.tx_id}" in found["message"]
        assert not file.exists()
        assert run(capsys, "receipt", "save", paid.tx_id, file, *words)["height"] == paid.height
    assert file.read_bytes() == receipt


def test_decimals_that_are_not_proved_are_not_believed(honest, ada, capsys):
    """A hundred times the amount would be signed, where two decimals are said to be four."""
    absent = honest.get("/v1/proofs/assets/HKD")
    (asset,) = honest.get("/v1/assets")["assets"]
    sent = []

    async def prove(_):
        return answer_json(200, absent)

    async def say(_):
        return answer_json(200, {"assets": [{**asset, "asset": "HKD", "exponent": 4}]})

    async def take(request):
        sent.append(await request.read())
        return answer_json(200, make_done(name_sent(sent[-1])))

    routes = (
        web.get("/v1/proofs/assets/{name}", prove),
        web.get("/v1/assets", say),
        web.post("/v1/transactions", take),
    )
    shop = key("shop").address_text
    with run_fake(*BASE, *routes) as url:
        words = ("pay", ada, shop, "12.50", "--asset", "HKD", "--node", url)
        genesis = ("--genesis", NETWORK.genesis_hash.hex())
        assert "--exponent N" in run(capsys, *words, *genesis, code=5)["message"]
        assert "at most 8" in run(capsys, *words, *genesis, "--exponent", 9, code=2)["message"]
        assert sent == []
        for more, amount_minor in (((*genesis, "--exponent", 2), 1_250), ((), 125_000)):
            run(capsys, *words, *more)
            envelope = base64.b64decode(json.loads(sent[-1])["envelope"])
            (call,) = decode_envelope(envelope)[1].calls
            assert msgspec.msgpack.decode(call.arguments)[3] == amount_minor


def test_nothing_is_signed_by_a_clock_a_day_ahead(ada, capsys):
    valid_until = []

    async def say(_):
        return answer_json(200, make_status(wall_clock_ms() + DAY_MS))

    async def take(request):
        raw = await request.read()
        envelope = base64.b64decode(json.loads(raw)["envelope"])
        valid_until.append(decode_envelope(envelope)[1].valid_until_ms)
        return answer_json(200, make_done(name_sent(raw)))

    routes = (web.get("/v1/status", say), web.post("/v1/transactions", take))
    with run_fake(GENESIS, *routes) as url:
        words = ("wallet", "freeze-own", ada, "--node", url)
        assert "--node-clock" in run(capsys, *words, code=2)["message"]
        assert valid_until == []
        run(capsys, *words, "--node-clock")
    assert valid_until[0] > wall_clock_ms() + DAY_MS
