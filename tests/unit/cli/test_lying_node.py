"""Commands that were told the genesis, against a node that lies with what it honestly has."""

from __future__ import annotations

import json

import pytest
from aiohttp import web
from tests.faked import BASE
from tests.running import run_fake, run_played
from tests.world import key, pay

from hansa.cli.main import main
from hansa.sdk.client import Client


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with run_played(tmp_path_factory.mktemp("honest") / "node") as running:
        yield running


@pytest.fixture(scope="module")
def honest(running):
    with Client(running.url, api_key=running.token) as client:
        yield client


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
