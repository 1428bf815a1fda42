"""How nodes are doing, as their API and their CometBFT say, and in words."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from msgspec.structs import replace
from tests.authority import Authority

from hansa.engine.storage import FileStorage
from hansa.node.home import Home
from hansa.node.network.folders import NodeFolder
from hansa.node.network.status import read_network
from hansa.node.settings import Listen, Settings, Tls, build_tls

NOW_MS = 1_764_000_060_000
TIME = "2025-11-24T16:00:50.123456789Z"


async def serve(stack, site_of, **answers):
    """Serve what is given, at its path; stops with the stack."""

    async def tell(request):
        return web.json_response(answers[request.path.strip("/").replace("/", "__")])

    application = web.Application()
    application.add_routes([web.get("/{path:.*}", tell)])
    runner = web.AppRunner(application)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await site_of(runner).start()
    return runner


def comet_answers(height=15, time=TIME):
    sync = {"latest_block_height": str(height), "latest_block_time": time, "catching_up": False}
    return {
        "status": {"result": {"sync_info": sync, "validator_info": {"voting_power": "100"}}},
        "net_info": {"result": {"n_peers": "3", "peers": []}},
        "validators": {"result": {"validators": [{"voting_power": "100"}] * 4}},
    }


def read(folder, *, api=True, comet=None, is_running=True, now_ms=NOW_MS, tls=None):
    async def run():
        home = Home(folder)
        home.comet.make_folders()
        settings = Settings(tls=tls or Tls(), folder=str(folder))
        async with AsyncExitStack() as stack:
            port = 1  # nobody answers there
            if api:
                runner = await serve(
                    stack,
                    lambda runner: web.TCPSite(
                        runner, "127.0.0.1", 0, ssl_context=build_tls(settings)
                    ),
                    v1__status={"height": 12},
                )
                port = runner.addresses[0][1]
            if comet is not None:
                path = str(home.comet.rpc_path)
                await serve(stack, lambda runner: web.UnixSite(runner, path), **comet)
            if is_running:
                storage = FileStorage(home.log_path)
                storage.lock()
                stack.callback(storage.unlock)
            node = NodeFolder("a", home, replace(settings, listen=Listen(port=port)))
            return await read_network([node], now_ms)

    return asyncio.run(run())


def test_a_node_that_is_well(tmp_path):
    found = read(tmp_path, comet=comet_answers())
    (node,) = found.nodes
    assert (node.height, node.consensus_height, node.peers, node.power) == (12, 15, 3, 100)
    assert found.is_well
    assert node.describe() == "up: block 12, voted block 15, 3 of 0 peers"
    assert found.describe() == (
        "Blocks come: the newest is 9 s old; the nodes here that answer have 100 of 400 votes."
    )
    assert found.to_json()["nodes"][0]["text"] == node.describe()


def test_a_network_without_blocks_for_long_is_stalled(tmp_path):
    found = read(tmp_path, comet=comet_answers(), now_ms=NOW_MS + 90_000)
    assert not found.is_well
    assert found.describe().startswith("STALLED: no block for 99 s; the nodes here")
    assert found.describe().endswith("100 of 400 votes; blocks need 267.")


def test_before_the_first_block_it_is_not_stalled(tmp_path):
    found = read(tmp_path, comet=comet_answers(0, "1970-01-01T00:00:00Z"))
    assert found.describe().startswith("No block was voted on yet; the nodes here")


def test_a_node_with_tls_is_believed_by_its_own_certificate(tmp_path):
    Authority(tmp_path).issue("server", is_server=True)
    tls = Tls(certificate="server.crt", key="server.key")
    (node,) = read(tmp_path, comet=comet_answers(), tls=tls).nodes
    assert (node.height, node.url[:8]) == (12, "https://")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"api": False, "is_running": False}, "down"),
        ({}, "runs, but its CometBFT does not answer"),
        ({"api": False, "comet": comet_answers()}, "does not answer; see node.log"),
        ({"comet": {"status": {"result": None}}}, "runs, but its CometBFT does not answer"),
    ],
)
def test_what_does_not_answer_is_said(tmp_path, more, told):
    found = read(tmp_path, **more)
    assert not found.is_well
    assert told in found.nodes[0].describe()
