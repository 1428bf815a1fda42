"""What a node says of its network: to the API's callers, to Prometheus, and to who asks /readyz."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.api.served import UNLIMITED
from tests.voted import make_voted_genesis
from tests.watched import PREVOTE, WatchedEngine, make_seen
from tests.world import key

from hansa.contracts.registry import Registry
from hansa.engine.chain import Chain, NobodySeals
from hansa.engine.cometbft.home import CometKey
from hansa.engine.log import BlockLog
from hansa.engine.ordering import LightBlock
from hansa.engine.snapshots.keeping import Keeper, Retention
from hansa.engine.snapshots.making import make_snapshot
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.engine.verification import InlineVerifier
from hansa.kernel.genesis import Network
from hansa.node.network.watch import SEALED
from hansa.node.records import open_log
from hansa.node.service import Node, wall_clock_ms
from hansa.node.serving.app import create_app
from hansa.node.settings import Settings
from hansa.sdk.async_client import AsyncClient
from hansa.sdk.consensus import Consensus


@pytest.fixture
def serve(tmp_path):
    """A function that serves a node which sees four validators, and uses it."""
    keys = [(CometKey.generate(), CometKey.generate()) for _ in range(4)]
    network = Network.of(make_voted_genesis(keys))
    log = BlockLog.open(FileStorage(tmp_path / "log"))
    chain = Chain.open(log, MemoryStore(), network, Registry(network.genesis), NobodySeals())
    verifier = InlineVerifier(network)
    engine = WatchedEngine(chain, verifier, wall_clock_ms)
    shelf = Shelf(FileStorage(tmp_path / "snapshots"))

    def see(peers=(1, 2, 3), **more):
        voting = [consensus.public_key for _, consensus in keys]
        connected = [keys[at][0].address for at in peers]
        engine.seen = make_seen(voting, connected, wall_clock_ms(), **more)

    def make_keeper():
        make_snapshot(shelf, open_log(tmp_path / "log"), 0, chain.iterate_rows(b""))
        retention = Retention(snapshot_every=1, snapshots=1, blocks=0)
        return Keeper(chain, shelf, lambda: open_log(tmp_path / "log"), retention)

    def use_served(use, **more):
        async def run():
            server = key("north server")
            node = Node(chain, verifier, key("north").address, server, engine=engine, keeper=keeper)
            app = create_app(node, Settings(limits=UNLIMITED))
            async with TestClient(TestServer(app)) as client:
                await use(client)

        engine.light_blocks = more.pop("light_blocks", {})
        keeper = make_keeper() if more.pop("keeps", False) else None
        if more.pop("answers", True):
            see(**more)
        asyncio.run(run())

    return use_served


def stall():
    """What is seen where one of the others alone is connected, and no block comes."""
    return {"peers": (1,), "block_ms": wall_clock_ms() - 41_000, "step": PREVOTE, "round": 2}


async def read_figures(client):
    lines = (await (await client.get("/metrics")).text()).splitlines()
    return dict(line.split() for line in lines if not line.startswith("#"))


def test_the_api_and_the_sdk_tell_validators_and_peers(serve):
    async def use(client):
        async with AsyncClient(str(client.make_url("/"))) as sdk:
            found = await sdk.get_consensus()
        assert (found.state, found.power, found.own_power) == ("voting", 400, 100)
        assert {each.name for each in found.peers} == {"north", "south", "department0"}
        assert (found.rules.in_force, found.rules.scheduled, found.rules.is_known) == (1, [], True)
        response = await client.get("/v1/consensus")
        msgspec.json.decode(await response.read(), type=Consensus)
        assert (await client.get("/readyz")).status == 200
        figures = await read_figures(client)
        assert figures["hansa_consensus_well"] == "1"
        assert (figures["hansa_peers"], figures["hansa_validators_missing"]) == ("3", "0")
        assert figures["hansa_consensus_height"] == "20"

    serve(use)


def test_a_node_is_not_ready_while_the_network_stalls(serve):
    async def use(client):
        response = await client.get("/readyz")
        assert response.status == 503
        detail = (await response.json())["detail"]
        assert "2 of 4 validators (power 200 of 400) are not connected" in detail
        assert (await client.get("/healthz")).status == 200
        figures = await read_figures(client)
        assert (figures["hansa_stalled"], figures["hansa_consensus_round"]) == ("1", "2")
        assert figures["hansa_power_present"] == "200"
        assert (figures["hansa_validators_missing"], figures["hansa_validators_silent"]) == (
            "2",
            "3",
        )

    serve(use, **stall(), voting=(0,))


def test_a_node_is_not_ready_while_it_catches_up(serve):
    async def use(client):
        response = await client.get("/readyz")
        assert response.status == 503
        assert "This node is catching up" in (await response.json())["detail"]
        assert (await read_figures(client))["hansa_catching_up"] == "1"

    serve(use, is_catching_up=True)


def test_where_cometbft_does_not_answer_the_rest_is_answered(serve):
    async def use(client):
        assert (await client.get("/readyz")).status == 503
        assert (await client.get("/v1/status")).status == 200
        found = await (await client.get("/v1/consensus")).json()
        assert (found["state"], found["consensus_height"]) == ("silent", None)
        assert (await read_figures(client))["hansa_consensus_well"] == "0"

    serve(use, answers=False)


def test_what_a_light_client_asks_for_is_passed_on(serve):
    parts = {"commit": {"canonical": True}, "validators": {"total": "0"}}

    async def use(client):
        found = await (await client.get("/v1/consensus/7")).json()
        assert found == parts
        response = await client.get("/v1/consensus/8")
        assert response.status == 503
        assert "must be less than" in (await response.json())["detail"]
        assert (await client.get("/v1/consensus/0")).status == 400

    serve(use, light_blocks={7: LightBlock(**parts)})


def test_snapshots_are_told_with_the_header_that_proves_them(serve):
    async def use(client):
        assert await (await client.get("/v1/snapshots")).json() == {"snapshots": []}

    serve(use)

    async def use_kept(client):
        (found,) = (await (await client.get("/v1/snapshots")).json())["snapshots"]
        status = await (await client.get("/v1/status")).json()
        assert (found["height"], found["header_hash"]) == (0, status["hash"])
        assert (found["consensus_height"], found["chunks"]) == (0, 1)

    serve(use_kept, keeps=True)


def test_where_one_node_seals_that_is_said(town):
    async def use(client, _):
        found = await (await client.get("/v1/consensus")).json()
        assert (found["state"], found["text"], found["validators"]) == ("sealed", SEALED, [])
        assert "hansa_validators" not in await (await client.get("/metrics")).text()

    town.serve(use)
