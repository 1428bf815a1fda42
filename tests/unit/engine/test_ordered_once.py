"""A batch is ordered once, and who sends it again is told what became of it."""

from __future__ import annotations

import asyncio
import threading

import pytest
from tests.embedded import TIMEOUT_S, run
from tests.simulation.disk import SimulatedDisk
from tests.world import key, pay

from hansa.engine.embedded import EmbeddedEngine
from hansa.engine.verification import InlineVerifier
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.kernel.genesis import VALIDITY_MAX_MS


async def reach(chain, height):
    """Wait until a block is executed; it need not be confirmed."""
    async with asyncio.timeout(TIMEOUT_S):
        while chain.head.height < height:  # noqa: ASYNC110 - a chain tells nobody
            await asyncio.sleep(0)


def tell(answers):
    """What a batch's sender is told: receipt, or code and message, by item."""
    return [
        (answer.receipt, answer.error and answer.error.code, str(answer.error))
        for answer in answers
    ]


class HeldDisk(SimulatedDisk):
    """A disk whose syncs take as long as a test says."""

    def __init__(self):
        super().__init__(1)
        self.goes_on = threading.Event()
        self.goes_on.set()

    def sync_file(self, name, node):
        self.goes_on.wait(TIMEOUT_S)
        super().sync_file(name, node)


class HeldVerifier(InlineVerifier):
    """Verifies the first batch at once, and those after it when a test says."""

    def __init__(self, network):
        super().__init__(network)
        self.goes_on = asyncio.Event()
        self.asked = 0

    async def check_batch(self, raw):
        self.asked += 1
        if self.asked > 1:
            await self.goes_on.wait()
        return await super().check_batch(raw)


def test_what_does_not_say_to_be_valid_is_not_ordered():
    async def play(node):
        world = node.world
        height, used = world.chain.head.height, node.read_usage()
        answers = await node.engine.submit(world.batch(b"rubbish", bytes(40_000)))
        codes = [InvalidCode.MALFORMED, InvalidCode.TOO_LARGE]
        assert [answer.error.code for answer in answers] == codes
        assert (world.chain.head.height, node.read_usage()) == (height, used)

    run(play)


def test_a_batch_that_comes_again_is_ordered_and_charged_once():
    async def play(node):
        world, engine = node.world, node.engine
        payment = world.sign([key("ann")], pay("ann", "shop", 1, "once"))
        world.nonces -= 1
        other_body = world.sign([key("ann")], pay("ann", "shop", 2, "again"))
        raw = world.batch(payment, node.spoil(40_000), other_body)
        height = world.chain.head.height
        first, second = await asyncio.gather(engine.submit(raw), engine.submit(raw))
        assert tell(first) == tell(second)
        codes = [code for _, code, _ in tell(first)]
        assert codes == [None, InvalidCode.TOO_LARGE, InvalidCode.NONCE_USED]
        used = node.read_usage()
        other = EmbeddedEngine(world.chain, InlineVerifier(world.network), node.clock)
        for asked in (engine, other):  # who has read the batch in a block, and after a start
            other.start()
            assert tell(await asked.submit(raw)) == tell(first)
        await other.stop()
        assert world.chain.head.height == height + 1
        assert world.chain.get_record(height + 1).batches == (raw,)
        assert node.read_usage() == used

    run(play)


def test_a_batch_that_comes_again_is_told_the_same_where_no_quota_is_left_for_it():
    async def play(node):
        left = 4 - node.read_usage().envelopes
        raws = [
            node.world.batch(node.world.sign([key("ann")], pay("ann", "shop", 1, f"q{number}")))
            for number in range(left)
        ]
        first = [await node.engine.submit(raw) for raw in raws]
        with pytest.raises(Invalid, match="4 envelopes a day"):
            await node.pay()
        assert [await node.engine.submit(raw) for raw in raws] == first

    run(play, policy={"sponsor.quota": (65_536, 4, 4, 100)})


def test_a_batch_for_which_those_before_it_leave_no_quota_is_not_ordered_and_may_come_again():
    async def play(node):
        world, engine = node.world, node.engine
        midnight_ms = DAY_MS * (node.clock.time_ms // DAY_MS + 1)
        until_ms = midnight_ms + 300_000
        node.clock.time_ms = midnight_ms - 60_000
        for _ in range(3 - node.read_usage().envelopes):
            await node.pay(until_ms=until_ms)
        raws = [
            world.batch(
                world.sign([key("ann")], pay("ann", "shop", 1, reference), until_ms=until_ms)
            )
            for reference in ("last", "too late")
        ]
        last, late = await asyncio.gather(*map(engine.submit, raws), return_exceptions=True)
        assert last[0].error is None
        assert late.code is InvalidCode.QUOTA
        assert world.chain.get_record(world.chain.head.height).batches == (raws[0],)
        node.clock.time_ms = midnight_ms
        assert (await engine.submit(raws[1]))[0].error is None

    run(play, policy={"sponsor.quota": (65_536, 4, 4, 100)})


def test_what_is_executed_and_not_durable_yet_is_not_said_to_be_over():
    disk = HeldDisk()

    async def play(node):
        world, engine = node.world, node.engine
        until_ms = node.clock.time_ms + 50
        raw = world.batch(
            world.sign([key("ann")], pay("ann", "shop", 1, "rent"), until_ms=until_ms)
        )
        height = world.chain.head.height
        disk.goes_on.clear()
        first = asyncio.ensure_future(engine.submit(raw))
        await reach(world.chain, height + 1)
        node.clock.time_ms = until_ms + 100
        other = asyncio.ensure_future(node.pay(until_ms=until_ms + 60_000))
        await reach(world.chain, height + 2)
        again = asyncio.ensure_future(engine.submit(raw))
        for _ in range(9):
            await asyncio.sleep(0)
        disk.goes_on.set()
        answers = await first
        assert answers[0].error is None
        assert await again == answers
        await other

    run(play, disk=disk)


def test_what_was_executed_is_told_to_who_brought_it_in_again_too_late():
    disk = HeldDisk()

    async def play(node):
        world, engine = node.world, node.engine
        until_ms = node.clock.time_ms + 50
        rent = world.sign([key("ann")], pay("ann", "shop", 1, "rent"), until_ms=until_ms)
        other = world.sign([key("ann")], pay("ann", "shop", 1, "r"), until_ms=until_ms + 60_000)
        height = world.chain.head.height
        disk.goes_on.clear()
        first = asyncio.ensure_future(engine.submit(world.batch(rent)))
        await reach(world.chain, height + 1)
        again = world.batch(rent, other)
        node.clock.time_ms = until_ms
        second = asyncio.ensure_future(engine.submit(again))
        await reach(world.chain, height + 2)
        assert world.chain.head.time_ms > until_ms
        disk.goes_on.set()
        (paid,) = await first
        assert (paid.error, paid.height) == (None, height + 1)
        assert (await second)[0] == paid
        assert await engine.submit(again) == await second

    run(play, disk=disk)


def test_who_asks_again_while_the_engine_fails_is_told():
    async def play(node):
        verifier = node.engine.verifier
        raw = node.world.batch(node.world.sign([key("ann")], pay("ann", "shop", 1, "once")))
        node.disk.fail_next_sync = True
        first = asyncio.ensure_future(node.engine.submit(raw))
        again = asyncio.ensure_future(node.engine.submit(raw))
        for each in (first, again):
            with pytest.raises(Unavailable, match="the disk reports an error"):
                await each
            verifier.goes_on.set()

    run(play, verifier=HeldVerifier)


@pytest.mark.parametrize("is_over", [False, True])
def test_payments_of_many_blocks_that_come_again_are_told_of_their_blocks(is_over):
    async def play(node):
        world, engine = node.world, node.engine
        until_ms = node.clock.time_ms + 60_000
        groups = [
            [
                world.sign([key("ann")], pay("ann", "shop", 1, f"{a}-{b}"), until_ms=until_ms)
                for b in range(5)
            ]
            for a in range(3)
        ]
        first = [(await engine.submit(world.batch(*group))) for group in groups]
        if is_over:
            node.clock.time_ms = until_ms + 1
            await node.pay(until_ms=until_ms + 60_000)
        pairs = zip(*groups, strict=True)
        mixed = world.batch(*(envelope for group in pairs for envelope in group))
        expected = [answer for group in zip(*first, strict=True) for answer in group]
        assert await engine.submit(mixed) == expected
        assert await engine.find_answers([bytes(32)]) == {}

    run(play)


def test_a_node_that_keeps_not_all_blocks_does_not_say_that_there_is_no_receipt():
    async def play(node):
        world, chain = node.world, node.world.chain
        raw = world.batch(world.sign([key("ann")], pay("ann", "shop", 1, "once")))
        (answer,) = await node.engine.submit(raw)
        node.clock.time_ms += 2 * VALIDITY_MAX_MS
        chain.begin_forgetting(answer.height + 1)
        chain.forget(answer.height)
        for _ in range(2):
            node.clock.time_ms += 2_000
            await node.pay(until_ms=node.clock.time_ms + 60_000)
        (told,) = await node.engine.submit(raw)
        assert told.error.code is InvalidCode.EXPIRED
        assert f"the oldest of which is {answer.height + 1}: ask a node that keeps all" in str(
            told.error
        )

    run(play)


def test_a_batch_that_comes_again_long_after_is_over():
    async def play(node):
        raw = node.world.batch(node.world.sign([key("ann")], pay("ann", "shop", 1, "once")))
        first = await node.engine.submit(raw)
        node.clock.time_ms += 2 * VALIDITY_MAX_MS
        await node.pay(until_ms=node.clock.time_ms + 60_000)
        height = node.world.chain.head.height
        assert await node.engine.submit(raw) == first
        assert node.world.chain.head.height == height

    run(play)
