"""What readers are told of is durable: no answer leaves before the blocks it may show."""

from __future__ import annotations

import asyncio
import threading

import pytest
from tests.api.served import ADA, NORTH, UNLIMITED
from tests.world import ASSET, key

from hansa.contracts.currency import SetQuota
from hansa.contracts.wallets import SelfFreeze
from hansa.kernel.errors import Unavailable
from hansa.node.service import wall_clock_ms
from hansa.node.settings import Access, LoopbackReads, Settings

OPEN = Settings(limits=UNLIMITED, access=Access(loopback=LoopbackReads.EVERYTHING))
READERS = (
    "/v1/assets",
    "/v1/members",
    "/v1/policy",
    f"/v1/wallets/{ADA}",
    f"/v1/vaults/{NORTH}",
    "/v1/proposals",
    "/",
    "/members",
    f"/wallets/{ADA}",
)
TIMELESS = ("/healthz", "/readyz", "/metrics", "/openapi.json")


class SlowLog:
    """A block log whose disk takes its time: `sync` waits for the gate, or fails."""

    def __init__(self, log) -> None:
        self._log = log
        self.gate = threading.Event()
        self.begun = threading.Event()
        self.error = None

    def __getattr__(self, name):
        return getattr(self._log, name)

    def sync(self) -> None:
        """Sync once the gate is open."""
        self.begun.set()
        assert self.gate.wait(60)
        if self.error is not None:
            raise self.error
        self._log.sync()


def change(town):
    """A transaction that most readers would show."""
    signers = [key("officer0"), key("officer1"), key("ada")]
    calls = (
        SetQuota(key("north").address, ASSET, 10**15),
        SelfFreeze(key("ada").address),
    )
    return town.world.sign(signers, *calls, until_ms=wall_clock_ms() + 60_000)


async def execute(town, node, log):
    """Have it executed, and its sync begun; returns its future answer."""
    done = node.desk.enqueue(change(town), None)
    assert await asyncio.to_thread(log.begun.wait, 60)
    return done


def test_no_reader_is_told_of_a_block_before_it_is_durable(own_town):
    log = own_town.world.chain.log = SlowLog(own_town.world.chain.log)

    async def use(client, node):
        done = await execute(own_town, node, log)
        early = [asyncio.create_task(client.get(path)) for path in READERS]
        for path in TIMELESS:
            assert (await client.get(path)).status == 200, path
        ended, _ = await asyncio.wait(early, timeout=0.2)
        assert not ended
        assert node.chain.confirmed_height < node.chain.head.height
        log.gate.set()
        height = (await done).height
        for answer in await asyncio.gather(*early):
            assert answer.status == 200, answer.url
        assert node.chain.confirmed_height == height
        assert (await (await client.get(f"/v1/wallets/{ADA}")).json())["is_frozen"]

    own_town.serve(use, OPEN, is_started=True)


def test_a_block_that_will_never_be_durable_is_told_to_nobody(own_town):
    log = own_town.world.chain.log = SlowLog(own_town.world.chain.log)
    log.error = Unavailable("the disk refuses: no space left")

    async def use(client, node):
        done = await execute(own_town, node, log)
        early = [asyncio.create_task(client.get(path)) for path in READERS]
        await asyncio.wait(early, timeout=0.1)
        log.gate.set()
        with pytest.raises(Unavailable):
            await done
        late = [client.get(path) for path in READERS]
        for answer in await asyncio.gather(*early, *late):
            assert answer.status == 503, answer.url
            assert "the disk refuses" in await answer.text()

    with pytest.raises(Unavailable):
        own_town.serve(use, OPEN, is_started=True)
