"""The engine when something fails: everybody is told at once, and nothing goes on."""

from __future__ import annotations

import asyncio

import pytest
from tests.embedded import TIMEOUT_S, Node, run
from tests.simulation.disk import SimulatedDisk
from tests.world import key, make_genesis, open_world, pay

from hansa.engine.embedded import BLOCK_BYTES, QUEUE_BYTES, EmbeddedEngine
from hansa.engine.store import MemoryStore
from hansa.engine.verification import InlineVerifier
from hansa.kernel.errors import Corrupt, Invalid, InvalidCode, Unavailable
from hansa.kernel.genesis import CHECKPOINT_INTERVAL_MS, VALIDITY_MAX_MS
from hansa.kernel.quota import SponsorUsage


async def expect_stopped(node, match, error=Unavailable):
    """The engine takes nothing more, and `stop` and `wait` say why."""
    with pytest.raises(Unavailable, match=match):
        await node.pay()
    for end in (node.engine.wait, node.engine.stop):
        with pytest.raises(error):
            await end()


def test_a_failed_sync_is_told_at_once_though_no_other_block_follows():
    async def play(node):
        assert (await node.pay())[0].error is None
        node.disk.fail_next_sync = True
        with pytest.raises(Unavailable, match="the disk reports an error"):
            await node.pay()
        with pytest.raises(Unavailable, match="the disk reports an error"):
            await node.engine.wait()
        await expect_stopped(node, "the disk reports an error")
        node.world.chain.close(is_failed=True)
        assert not node.disk.is_locked

    run(play)


def test_a_full_disk_stops_the_engine_and_all_who_wait_are_told():
    async def play(node):
        node.disk.capacity = 0
        results = await asyncio.gather(*(node.pay() for _ in range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [Unavailable] * 3
        await expect_stopped(node, "the disk is full")

    run(play)


def test_a_fault_of_ours_stops_the_engine_and_leaves_nobody_waiting():
    async def play(node):
        node.clock.calls_left = 1  # for the door, none for the block
        with pytest.raises(Unavailable, match="a fault of this program"):
            await node.pay()
        assert isinstance(node.engine.failure, Corrupt)
        await expect_stopped(node, "a fault of this program", ZeroDivisionError)

    run(play)


def test_a_failing_listener_stops_the_engine_after_the_answers():
    async def play(node):
        node.engine.listen(lambda result: 1 // 0)
        assert (await node.pay())[0].error is None
        with pytest.raises(ZeroDivisionError):
            await node.engine.wait()
        await expect_stopped(node, "a fault of this program", ZeroDivisionError)

    run(play)


def test_a_stopped_engine_has_answered_everybody():
    async def play(node):
        paying = [asyncio.ensure_future(node.pay()) for _ in range(5)]
        await asyncio.sleep(0)
        await node.engine.stop()
        await node.engine.wait()
        assert [(await done)[0].error for done in paying] == [None] * 5
        with pytest.raises(Unavailable, match="is stopping"):
            await node.pay()

    run(play)


def test_a_batch_that_is_over_or_in_part_too_far_ahead_is_not_ordered():
    """Whoever has an old batch could else have its sponsor charged for it again and again."""

    async def play(node):
        world, now_ms = node.world, node.world.time_ms
        far_ms = now_ms + VALIDITY_MAX_MS + 120_000

        def sign(until_ms):
            return world.sign([key("ann")], pay("ann", "shop", 1, "r"), until_ms=until_ms)

        paid = world.sign([key("ann")], pay("ann", "shop", 1, "r"), until_ms=now_ms + 1_000)
        raw = world.batch(paid, sign(now_ms))
        first = await node.engine.submit(raw)
        assert [each.error and each.error.code for each in first] == [None, InvalidCode.EXPIRED]
        node.clock.time_ms += 60_000
        assert (await node.pay(node.clock.time_ms + 1_000))[0].error is None
        height = world.chain.head.height
        again = await node.engine.submit(raw)
        assert again[0] == first[0], "what was executed is answered by its first receipt"
        assert again[1].error.code is InvalidCode.EXPIRED
        for ends in ((now_ms - 1, far_ms), (node.clock.time_ms + 1_000, far_ms)):
            with pytest.raises(Invalid, match="so the whole batch is not taken"):
                await node.engine.submit(world.batch(*map(sign, ends)))
        assert world.chain.head.height == height

    run(play)


class DiskWithoutSync(SimulatedDisk):
    """Refuses to sync blocks while it is broken."""

    is_broken = True

    def sync_file(self, name, node):
        if self.is_broken and name.endswith(".log"):
            raise Unavailable(f"cannot sync {name}: the disk reports an error")
        super().sync_file(name, node)


def test_the_store_is_never_ahead_of_a_log_that_could_not_be_synced():
    disk, store = DiskWithoutSync(1), MemoryStore()
    with pytest.raises(Unavailable, match="the disk reports an error"):
        open_world(disk, make_genesis(), store)
    store.close()
    disk.unlock()
    disk.is_broken = False
    disk.reboot()
    world = open_world(disk, make_genesis(), store.reopened())
    assert world.chain.confirmed_height == 0
    world.chain.close()


def test_what_a_reader_finds_damaged_stops_the_engine():
    async def play(node):
        node.engine.fail(Corrupt("block 3 is damaged", height=3))
        await expect_stopped(node, "block 3 is damaged", Corrupt)

    run(play)


class LeapingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock is set on by hand."""

    leapt_s = 0.0

    def time(self):
        return super().time() + self.leapt_s


def test_a_block_closes_a_while_after_its_first_transaction_came_not_after_it_was_looked_at():
    """What came in while the block before was executed has waited long enough already."""

    async def play():
        loop = asyncio.get_running_loop()
        node = Node()
        engine = EmbeddedEngine(
            node.world.chain,
            InlineVerifier(node.world.network),
            node.clock,
            block_wait_ms=3_600_000,
        )
        node.engine = engine
        paying = asyncio.ensure_future(node.pay())
        for _ in range(10):  # until it is verified and in the line
            await asyncio.sleep(0)
        loop.leapt_s += 3_600
        engine.start()
        async with asyncio.timeout(TIMEOUT_S):
            assert (await paying)[0].error is None
        await engine.stop()

    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        runner.run(play())


def test_a_block_does_not_wait_when_enough_is_there():
    async def play():
        node = Node()
        engine = node.engine = EmbeddedEngine(
            node.world.chain,
            InlineVerifier(node.world.network),
            node.clock,
            block_transactions=3,
            block_wait_ms=3_600_000,
        )
        engine.start()
        async with asyncio.timeout(TIMEOUT_S):
            two = [asyncio.ensure_future(node.pay()) for _ in range(2)]
            for _ in range(100):
                await asyncio.sleep(0)
            assert not any(each.done() for each in two)
            assert (await node.pay())[0].height == (await two[0])[0].height
        await engine.stop()

    asyncio.run(play())


def test_answers_go_out_while_a_block_is_executed():
    async def play(node):
        waiting = [asyncio.ensure_future(node.pay()) for _ in range(3)]
        seen = []
        stepwise = node.world.chain.execute_stepwise

        def watch(time_ms, batches):
            for result in stepwise(time_ms, batches):
                seen.append("done" if result else "batch")
                asyncio.get_running_loop().call_soon(seen.append, "others")
                yield result

        node.world.chain.execute_stepwise = watch
        await asyncio.gather(*waiting)
        assert seen[:7] == ["batch", "others"] * 3 + ["done"]

    run(play)


def test_nothing_is_appended_after_a_failure_in_a_pause():
    async def play(node):
        chain, engine = node.world.chain, node.engine
        stepwise, height = chain.execute_stepwise, chain.log.height_max
        told = []
        engine.listen(told.append)

        def watch(time_ms, batches):
            for result in stepwise(time_ms, batches):
                if result is None:
                    engine.fail(Corrupt("a reader met damage"))
                yield result

        chain.execute_stepwise = watch
        with pytest.raises(Unavailable, match="a reader met damage"):
            await node.pay()
        await expect_stopped(node, "a reader met damage", Corrupt)
        assert (chain.log.height_max, told) == (height, [])

    run(play)


def test_what_would_go_over_the_sponsors_quota_is_refused_at_the_door_and_costs_no_log():
    async def begin():
        node = Node({"sponsor.quota": (65_536, 4, 4, 100)})
        world, engine = node.world, node.engine
        engine.start()
        height = world.chain.head.height
        many = [
            world.sign([key("ann")], pay("ann", "shop", 1, f"m{number}")) for number in range(9)
        ]
        with pytest.raises(Invalid) as refusal:
            await engine.submit(world.batch(*many))
        assert refusal.value.code is InvalidCode.QUOTA
        with pytest.raises(Invalid) as refusal:
            await engine.submit(world.batch(node.spoil(70_000)))
        assert refusal.value.code is InvalidCode.QUOTA
        assert world.chain.head.height == height
        await engine.stop()

    asyncio.run(begin())


def test_rubbish_counts_its_bytes_against_its_sponsor():
    async def begin():
        node = Node({"sponsor.quota": (100_000, 100, 100, 100)})
        world, engine = node.world, node.engine
        engine.start()
        for _ in range(2):
            answers = await engine.submit(world.batch(node.spoil(40_000)))
            assert answers[0].error.code is InvalidCode.TOO_LARGE
        with pytest.raises(Invalid, match="bytes a day"):
            await engine.submit(world.batch(node.spoil(40_000)))
        await engine.stop()

    asyncio.run(begin())


def test_a_block_is_bounded_in_bytes_too():
    async def begin():
        node = Node()
        world, engine = node.world, node.engine
        big = [node.spoil(3_000_000) for _ in range(12)]
        paying = [asyncio.ensure_future(engine.submit(world.batch(raw))) for raw in big]
        for _ in range(30):  # until they are verified and in the line
            await asyncio.sleep(0)
        height = world.chain.head.height
        engine.start()
        await asyncio.gather(*paying)
        await engine.stop()
        assert world.chain.head.height - height == 3
        for at in range(height + 1, height + 4):
            size = sum(map(len, world.chain.get_record(at).batches))
            assert size <= BLOCK_BYTES

    asyncio.run(begin())


def test_more_bytes_than_may_wait_are_not_taken():
    async def begin():
        node = Node()
        world, engine = node.world, node.engine
        raws = [world.batch(node.spoil(4_000_000)) for _ in range(20)]
        paying = [asyncio.ensure_future(engine.submit(raw)) for raw in raws]
        engine.start()
        found = await asyncio.gather(*paying, return_exceptions=True)
        await engine.stop()
        kept = [answers for answers in found if isinstance(answers, list)]
        assert 0 < len(kept) <= QUEUE_BYTES // 4_000_000
        assert all(isinstance(error, Unavailable) for error in found if error not in kept)

    asyncio.run(begin())


def test_what_a_quiet_ledger_says_last_is_proved_as_well():
    """A second after the last transaction an empty block closes as a checkpoint, and no other."""

    async def play(node):
        chain, closed = node.world.chain, asyncio.Event()
        node.engine.listen(lambda result: None if result.receipts else closed.set())
        await node.pay()
        await node.pay()
        assert chain.head.checkpoint_height < chain.head.height
        said_last = chain.head.height
        node.clock.time_ms += CHECKPOINT_INTERVAL_MS
        await closed.wait()
        assert chain.head.checkpoint_height == chain.head.height == said_last + 1
        assert chain.head.tx_count == 0
        assert chain.prove_row(SponsorUsage.key(key("north").address)).value is not None
        assert not (await node.pay())[0].error
        await node.engine.stop()
        record = chain.get_record(said_last + 1)
        assert not record.receipts

    run(play)
