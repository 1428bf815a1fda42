"""What who waits is told by the engine, beside a CometBFT that says always the same."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import asynccontextmanager

import pytest
from tests.asked import KEYS, Asked, fund
from tests.voted import make_voted_genesis
from tests.world import World, key, pay

from hansa.contracts.registry import Registry
from hansa.engine.chain import Chain, NobodySeals
from hansa.engine.cometbft.engine import CometEngine
from hansa.engine.cometbft.home import CometHome
from hansa.engine.cometbft.protocol import abci_pb2 as abci
from hansa.engine.log import BlockLog
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.engine.verification import InlineVerifier
from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.kernel.genesis import Network
from hansa.node.network.peers import build_peer_rules

TIMEOUT_S = 30
MINUTE_MS = 60_000
TAKEN = {"result": {"code": 0, "log": "", "hash": ""}}
KNOWN = {"error": {"data": "tx already exists in cache"}}
COMETBFT = f"""#!{sys.executable}
import asyncio, json, sys

ANSWERS = {{"health": {{"result": {{}}}}, "broadcast_tx_sync": TOLD}}

async def answer(reader, writer):
    head = (await reader.readuntil(b"\\r\\n\\r\\n")).lower()
    size = int(head.partition(b"content-length:")[2].split()[0])
    asked = await reader.readexactly(size)
    path = head.split()[1].decode().strip("/")
    method = path or json.loads(asked)["method"]
    raw = json.dumps(ANSWERS.get(method, {{"error": {{"data": "no"}}}})).encode()
    head = f"HTTP/1.1 200 OK\\r\\nContent-Length: {{len(raw)}}\\r\\nConnection: close\\r\\n\\r\\n"
    writer.write(head.encode() + raw)
    await writer.drain()
    writer.close()

async def serve():
    server = await asyncio.start_unix_server(answer, sys.argv[-1] + "/rpc.sock")
    await server.serve_forever()

asyncio.run(serve())
"""


def wall_clock_ms():
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def running(folder, kind=CometEngine, told=TAKEN):
    """Run an engine beside a CometBFT that tells this of batches; yields what asks it, too."""
    network = Network.of(make_voted_genesis(KEYS))
    home = CometHome(folder / "c")
    home.create_keys(*KEYS[0])
    binary = folder / "cometbft"
    binary.write_text(COMETBFT.replace("TOLD", repr(told)))
    binary.chmod(0o700)
    log = BlockLog.open(FileStorage(folder / "log"))
    chain = Chain.open(log, MemoryStore(), network, Registry(network.genesis), NobodySeals())
    rules = build_peer_rules(chain, ())
    engine = kind(chain, InlineVerifier(network), wall_clock_ms, home, binary, rules)
    engine.start()
    writer = None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await engine.ready()
            reader, writer = await asyncio.open_unix_connection(home.abci_path)
            yield engine, Asked(chain, engine.application, reader, writer)
    finally:
        if writer is not None:
            writer.close()
        await engine.stop()
        chain.close()


async def begin(engine, raw):
    """Hand a batch in, and wait until it waits for a block."""
    sent = asyncio.ensure_future(engine.submit(raw))
    while not engine.queued and not sent.done():  # noqa: ASYNC110 - an engine tells nobody
        await asyncio.sleep(0)
    return sent


def test_what_a_block_left_out_and_is_valid_still_is_not_said_to_be_over(tmp_path):
    """More than two thirds of the power decided a block of a time at which it may not stand."""

    async def run():
        async with running(tmp_path) as (engine, asked):
            now_ms = wall_clock_ms()
            raw = fund(World(engine.chain, now_ms))
            sent = await begin(engine, raw)
            answer = await asked.block(2, raw, time_ms=now_ms - 60 * MINUTE_MS)
            assert [each.code for each in answer.tx_results] == [1]
            with pytest.raises(Unavailable, match="send the same again"):
                await sent
            again = await begin(engine, raw)
            await asked.block(3, raw, time_ms=now_ms)
            assert [(each.error, each.height) for each in await again] == [(None, 1)] * 3

    asyncio.run(run())


def test_of_a_network_that_stalled_it_is_not_said_that_nothing_was_ordered(tmp_path):
    """A block that was being decided when it stalled has the time of then, and is decided yet."""

    class Impatient(CometEngine):
        order_s = 0.1

    async def run():
        async with running(tmp_path, Impatient) as (engine, asked):
            now_ms = wall_clock_ms()
            raw = fund(World(engine.chain, now_ms))
            with pytest.raises(Unavailable) as error:
                await engine.submit(raw)
            assert "may still be in its next block" in error.value.message
            await asked.block(2, raw, time_ms=now_ms)
            assert [each.height for each in await engine.submit(raw)] == [1] * 3

    asyncio.run(run())


def test_who_handed_in_what_is_known_already_is_told_that_it_is_refused(tmp_path):
    """CometBFT knows a batch while CheckTx is asked about it, for whoever handed it in first."""

    async def run():
        async with running(tmp_path, told=KNOWN) as (engine, asked):
            now_ms = wall_clock_ms()
            world = World(engine.chain, now_ms)
            payment = pay("ann", "bob", 1, "far ahead")
            raw = world.batch(world.sign([key("ann")], payment, until_ms=now_ms + 20 * MINUTE_MS))
            sent = await begin(engine, raw)
            assert (await asked.ask(check_tx=abci.RequestCheckTx(tx=raw))).code
            with pytest.raises(Invalid) as error:
                await sent
            assert (error.value.code, engine.queued) == (InvalidCode.TOO_FAR_AHEAD, 0)

    asyncio.run(run())
