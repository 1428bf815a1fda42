"""An application of CometBFT behind its socket, and a connection to it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

from tests.voted import make_voted_genesis
from tests.world import ASSET, START_MS, key

from hansa.contracts import currency, payments, wallets
from hansa.contracts.registry import Registry
from hansa.engine.chain import Chain, NobodySeals
from hansa.engine.cometbft.application import (
    Application,
)
from hansa.engine.cometbft.batches import Verdicts
from hansa.engine.cometbft.home import CometKey
from hansa.engine.cometbft.protocol import abci_pb2 as abci
from hansa.engine.cometbft.server import Server, frame, read_frame
from hansa.engine.log import BlockLog
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.engine.verification import InlineVerifier
from hansa.kernel.genesis import Network
from hansa.kernel.light.trail import compute_chain_id
from hansa.node.network.peers import build_peer_rules

KEYS = [(CometKey(bytes([n]) * 32), CometKey(bytes([n + 100]) * 32)) for n in range(1, 5)]
SECOND = 1_000
NOW_MS = START_MS + 20 * SECOND
NOW = {"seconds": NOW_MS // 1_000}


class Asked:
    """An application behind its socket, and one connection to it."""

    def __init__(self, chain, application, reader, writer):
        self.chain, self.application = chain, application
        self._reader, self._writer = reader, writer

    async def send(self, raw):
        self._writer.write(raw)
        return await read_frame(self._reader)

    async def ask(self, **request):
        name = next(iter(request))
        answer = abci.Response.FromString(await self.send(frame(abci.Request(**request))))
        if answer.WhichOneof("value") == "exception":
            raise AssertionError(answer.exception.error)
        return getattr(answer, name)

    async def admits(self, *txs, time_ms=NOW_MS):
        """Whether a block of these batches is accepted; and what is proposed of them."""
        time = {"seconds": time_ms // 1000, "nanos": time_ms % 1000 * 1_000_000}
        asked = abci.RequestProcessProposal(txs=txs, height=9, time=time)
        status = (await self.ask(process_proposal=asked)).status
        wanted = abci.RequestPrepareProposal(txs=txs, max_tx_bytes=10**6, height=9, time=time)
        for _ in range(2):  # what was not verified the first time is the second
            proposed = list((await self.ask(prepare_proposal=wanted)).txs)
        return status == abci.ResponseProcessProposal.ACCEPT, proposed

    async def block(self, height, *txs, time_ms=START_MS + SECOND):
        """Have a block executed and committed; returns FinalizeBlock's answer."""
        time = {"seconds": time_ms // 1000, "nanos": time_ms % 1000 * 1_000_000}
        asked = abci.RequestFinalizeBlock(txs=txs, height=height, time=time)
        answer = await self.ask(finalize_block=asked)
        await self.ask(commit=abci.RequestCommit())
        return answer


@asynccontextmanager
async def asking(folder, policy=None, genesis=None):
    """Serve a new chain in a folder, and connect to it."""
    network = Network.of(genesis or make_voted_genesis(KEYS, policy=policy))
    log = BlockLog.open(FileStorage(folder / "log"))
    chain = Chain.open(log, MemoryStore(), network, Registry(network.genesis), NobodySeals())
    confirmed, dropped = [], []
    verdicts = Verdicts(InlineVerifier(network))
    application = Application(
        chain,
        verdicts,
        build_peer_rules(chain, ()).may_connect,
        confirmed.append,
        lambda: NOW_MS,
        dropped=lambda key, error: dropped.append((key, getattr(error, "code", None))),
    )
    server = Server(application)
    await server.start(folder / "abci.sock")
    reader, writer = await asyncio.open_unix_connection(folder / "abci.sock")
    asked = Asked(chain, application, reader, writer)
    asked.server, asked.confirmed, asked.folder = server, confirmed, folder
    asked.dropped = dropped
    try:
        yield asked
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        await server.close()
        chain.close()


def in_a_chain(play):
    """Make a test of a coroutine that is given an `Asked`."""

    def test(tmp_path, caplog):
        async def run():
            async with asking(tmp_path) as asked:
                asked.caplog = caplog
                await play(asked)

        asyncio.run(run())

    test.__name__ = play.__name__
    test.__doc__ = play.__doc__
    return test


def fund(world):
    north = key("north").address
    commands = [
        currency.SetQuota(north, ASSET, 10**12),
        currency.Issue(north, ASSET, 10**9),
    ]
    opened = [
        world.sign(
            [key("north")],
            wallets.Open(key(name).address, north, wallets.Category(1)),
            payments.CashIn(north, key(name).address, ASSET, 1_000, f"in-{name}"),
        )
        for name in ("ann", "bob")
    ]
    return world.batch(world.sign([key("officer0")], *commands), *opened)


def flip(raw):
    """Break a batch's signature."""
    return raw[:-1] + bytes([raw[-1] ^ 1])


def make_init(network, **changed):
    validators = [
        abci.ValidatorUpdate(pub_key=abci.PublicKey(ed25519=each.public_key), power=10)
        for _, each in KEYS
    ]
    fields = {
        "chain_id": compute_chain_id(network.genesis_hash),
        "validators": validators,
        "initial_height": 1,
        **changed,
    }
    return abci.RequestInitChain(**fields)
