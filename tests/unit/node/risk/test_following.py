"""What others paid, as blocks show it: taken in once, in their order, whatever fails meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from tests.deciding_desk import NORTH, Bank, Losing, make_founded
from tests.simulation.disk import SimulatedDisk
from tests.voted_world import make_voted_genesis
from tests.world import ASSET, key, open_world, pay

from hansa.contracts import payments, wallets
from hansa.kernel.errors import Corrupt, Unavailable
from hansa.kernel.transaction import compute_tx_id, decode_envelope
from hansa.node.risk.audit.repeating import repeat
from hansa.node.risk.clerk.clerk import Clerk
from hansa.node.risk.clerk.judging import Answering
from hansa.node.risk.clerk.memory import Memory, restore
from hansa.node.risk.clerk.placing import InThread
from hansa.node.risk.following import Follower
from hansa.node.risk.reading import Intended, find_paid
from hansa.node.sponsor.desk import Asked, Ruling
from hansa.risk.intake.describing import FEATURES
from hansa.risk.intake.intake import Intake
from hansa.risk.packing import unpack


@pytest.fixture
def bank(tmp_path):
    bank = Bank(tmp_path, attested_from_minor=0)
    bank.fund("ann", "bob", "shop")
    return bank


def get_clerk(desk):
    return desk._clerk.clerk  # noqa: SLF001 - nobody else has it


async def decide(bank, node, desk, amount_minor, note):
    """Have a payment of ann's decided on; returns what is kept of it."""
    envelope = bank.sign("ann", pay("ann", "shop", amount_minor, note))
    await node.desk.submit(envelope)
    body = decode_envelope(envelope)[0].body
    kept = await desk.get_decision(compute_tx_id(bank.world.network, body))
    return kept.payments[0]


def bring(bank, node, note):
    """Bring a payment of bob's into a block, past the desk, as another node would."""
    return node.engine.submit(bank.world.batch(bank.sign("bob", pay("bob", "shop", 7, note))))


def test_what_blocks_show_is_taken_in_once_and_known_after_a_start(bank):
    assert bank.world.do("bob", pay("bob", "shop", 7, "before")) == ""

    async def play(note):
        async with bank.running() as (node, desk):
            first = await decide(bank, node, desk, 5, note)
            await bring(bank, node, f"{note} of bob")
            await desk.follow()
            second = await decide(bank, node, desk, 6, f"{note} again")
            await bring(bank, node, f"{note} of bob, at the end")
            await desk.follow()
            restored, _ = restore(get_clerk(desk).journal)
            assert repeat(get_clerk(desk).journal).is_identical
            return first.number, second.number, restored.next_number

    assert asyncio.run(play("one")) == (1, 3, 4)  # the last one is not written yet
    assert asyncio.run(play("two")) == (5, 7, 8)


def test_what_could_not_be_described_is_taken_in_once_it_was_paid(bank):
    mule = wallets.Open(key("mule").address, NORTH, wallets.Category.IV)
    opening = bank.world.sign([key("north")], mule)
    both = [pay("ann", payee, 5, f"to {payee}") for payee in ("shop", "mule")]

    async def play():
        async with bank.running() as (node, desk):
            envelope = bank.sign("ann", *both)
            await asyncio.gather(*map(node.desk.enqueue, (opening, envelope)))
            await desk.follow()
            body = decode_envelope(envelope)[0].body
            kept = await desk.get_decision(compute_tx_id(bank.world.network, body))
            assert [each.number for each in kept.payments] == [0, -1]
            return (await decide(bank, node, desk, 6, "later")).number

    assert asyncio.run(play()) == 2


def test_what_was_released_to_a_wallet_that_was_opened_meanwhile_is_taken_in(bank):
    mule = wallets.Open(key("mule").address, NORTH, wallets.Category.IV)

    async def play():
        async with bank.running() as (node, desk):
            sent = node.desk.enqueue(bank.sign("ann", pay("ann", "mule", 1_000, "to mule")))
            async with asyncio.timeout(60):
                while True:
                    if desk.list_open():
                        break
                    await asyncio.sleep(0.005)
            await node.desk.submit(bank.world.sign([key("north")], mule))
            await desk.answer(desk.list_open()[0].tx_id, Answering.RELEASED, "officer 7")
            assert (await sent).receipt
            await desk.follow()
            return (await decide(bank, node, desk, 6, "later")).number

    assert asyncio.run(play()) == 1


def test_what_came_through_another_node_just_before_is_not_taken_in_twice(bank):
    envelope = bank.sign("bob", pay("bob", "shop", 7, "through two nodes"))
    tx_id = compute_tx_id(bank.world.network, decode_envelope(envelope)[0].body)

    async def play():
        async with bank.running() as (node, desk):
            await node.engine.submit(bank.world.batch(envelope))
            await desk.follow()
            # As if it had been looked up before that block came.
            asked = Asked(envelope, tx_id, "", asyncio.get_running_loop().create_future())
            assert await desk.decide([asked]) == [Ruling()]
            assert (await node.desk.submit(envelope)).receipt
            return (await decide(bank, node, desk, 6, "later")).number

    assert asyncio.run(play()) == 1


def test_who_is_paid_by_others_is_known_to_be(bank):
    async def play():
        async with bank.running() as (node, desk):
            for number in range(3):
                await bring(bank, node, f"of bob {number}")
            await desk.follow()
            return await decide(bank, node, desk, 5, "of ann")

    row = dict(zip(FEATURES, unpack(asyncio.run(play()).row), strict=True))
    assert row["payee_count_1d"] == 3
    assert row["payer_count_1d"] == 0


def test_what_could_not_be_written_is_shown_again(bank):
    async def play():
        async with bank.running() as (node, desk):
            await bring(bank, node, "one")
            await desk.follow()
            journal = get_clerk(desk).journal._file.connection  # noqa: SLF001 - it cannot be written
            journal.execute("PRAGMA query_only = 1")
            with pytest.raises(Unavailable):
                await decide(bank, node, desk, 5, "refused")
            journal.execute("PRAGMA query_only = 0")
            await bring(bank, node, "two")
            await desk.follow()
            return (await decide(bank, node, desk, 6, "taken")).number

    assert asyncio.run(play()) == 2


def test_a_follower_shows_blocks_that_nobody_told_it_of(bank):
    for number in range(3):
        assert bank.world.do("bob", pay("bob", "shop", 7, f"bob {number}")) == ""

    async def play():
        desk = bank.open_desk()
        follower = Follower(bank.world.chain, desk._clerk)  # noqa: SLF001 - that of the desk
        await follower.begin()
        memory: Memory = get_clerk(desk)._deciding.memory  # noqa: SLF001 - nothing else tells
        assert memory.height == bank.world.chain.confirmed_height
        bank.world.time_ms += 31 * 86_400_000
        assert bank.world.do("bob", pay("bob", "shop", 7, "a month later")) == ""
        later = Follower(bank.world.chain, desk._clerk)  # noqa: SLF001 - the same
        await later.begin()
        assert memory.open().next_number == 4
        desk.close()

    asyncio.run(play())


def test_a_follower_goes_on_whatever_failed_and_where_the_log_was_pruned(tmp_path):
    world = open_world(SimulatedDisk(1), make_founded(0), segment_bytes=2_000)
    bank = Bank(tmp_path, world=world)
    bank.place = Losing
    bank.fund("bob", "shop")

    async def play():
        desk = bank.open_desk()
        follower = Follower(world.chain, desk._clerk)  # noqa: SLF001 - that of the desk
        await follower.begin()
        for number in range(9):
            assert world.do("bob", pay("bob", "shop", 7, f"bob {number}")) == ""
        kept = world.chain.confirmed_height - 3
        asyncio.get_running_loop().call_soon(world.chain.log.prune, kept)
        await follower.catch_up()
        assert 0 < world.chain.log.height_min <= kept
        memory: Memory = get_clerk(desk)._deciding.memory  # noqa: SLF001 - nothing else tells
        assert 3 <= memory.open().next_number < 9

        count = memory.open().next_number
        running = asyncio.create_task(follower.run())
        lost = desk._clerk.lost  # noqa: SLF001 - as the clerk raises it
        lost[Clerk.see] = Corrupt("a block is damaged")
        follower.note(world.apply(world.batch(bank.sign("bob", pay("bob", "shop", 7, "later")))))
        async with asyncio.timeout(60):
            while True:
                if memory.height == world.chain.confirmed_height and not lost:
                    break
                await asyncio.sleep(0.01)
        assert memory.open().next_number == count + 1
        assert not running.done()
        running.cancel()
        desk.close()

    asyncio.run(play())


class Meanwhile(InThread):
    """A clerk that is shown blocks just when something happens."""

    happens = staticmethod(lambda: None)

    async def ask(self, work, /, *arguments, **named):
        if work is Clerk.see:
            self.happens()
        return await super().ask(work, *arguments, **named)


def test_a_block_that_was_read_before_it_was_noted_is_not_kept(bank):
    bank.place = Meanwhile

    async def play():
        desk = bank.open_desk()
        follower = Follower(bank.world.chain, desk._clerk)  # noqa: SLF001 - that of the desk
        await follower.begin()
        envelopes = [bank.sign("bob", pay("bob", "shop", 7, note)) for note in ("one", "two")]
        body = decode_envelope(envelopes[0])[0].body  # decided on, for all that is told
        follower.leave_out(compute_tx_id(bank.world.network, body))
        result = bank.world.apply(bank.world.batch(*envelopes))
        desk._clerk.happens = lambda: follower.note(result)  # noqa: SLF001 - durable first, then told
        await follower.catch_up()
        assert follower._noted == {}  # noqa: SLF001 - or it fills up
        assert get_clerk(desk)._deciding.memory.open().next_number == 1  # noqa: SLF001
        desk.close()

    asyncio.run(play())


def test_where_the_ledger_was_put_back_other_blocks_are_taken_in_too(bank, tmp_path):
    for number in range(5):
        assert bank.world.do("bob", pay("bob", "shop", 7, f"lost {number}")) == ""

    async def play(bank, count):
        async with bank.running() as (node, desk):
            await bring(bank, node, f"{count} of bob")
            await desk.follow()
            return get_clerk(desk)._deciding.memory.open().next_number  # noqa: SLF001

    assert asyncio.run(play(bank, 1)) == 6
    other = Bank(tmp_path, attested_from_minor=0)  # of the same genesis
    other.fund("ann", "bob", "shop")
    assert other.world.chain.confirmed_height < bank.world.chain.confirmed_height
    assert asyncio.run(play(other, 2)) == 7
    assert asyncio.run(play(other, 3)) == 8


def test_where_validators_vote_the_same_blocks_come_again(tmp_path):
    worlds = [open_world(SimulatedDisk(1), make_voted_genesis()) for _ in range(2)]
    bank = Bank(tmp_path, world=worlds[0], models=(), is_declared=False)
    for world in worlds:
        world.fund("bob", "shop")
    batches = [
        worlds[0].batch(bank.sign("bob", pay("bob", "shop", 7, f"bob {number}")))
        for number in range(4)
    ]

    async def play():
        desk = bank.open_desk()
        taken = []
        for world, some in ((worlds[0], batches[:3]), (worlds[1], batches)):
            follower = Follower(world.chain, desk._clerk)  # noqa: SLF001 - that of the desk
            await follower.begin()
            for batch in some:
                follower.note(world.apply(batch))
            await follower.catch_up()
            taken.append(get_clerk(desk)._deciding.memory.open().next_number)  # noqa: SLF001
        desk.close()
        return taken

    assert asyncio.run(play()) == [3, 4]


def test_where_memory_has_no_room_for_what_others_paid_that_is_told_once(bank, monkeypatch, caplog):
    def refuse(*_):
        raise Unavailable("features remember at most 2 payments")

    async def play():
        async with bank.running() as (node, desk):
            await desk.follow()
            with monkeypatch.context() as patched:
                patched.setattr(Intake, "take", refuse)
                for note in ("one", "two"):
                    await bring(bank, node, note)
                    await desk.follow()
            await bring(bank, node, "three")
            await desk.follow()
            return get_clerk(desk)._deciding.memory.open().next_number  # noqa: SLF001

    assert asyncio.run(play()) == 1
    (record,) = caplog.records
    assert "what others paid is not taken in: features remember" in record.getMessage()


def test_receipts_tell_out_of_whose_wallet_money_went(bank):
    world = bank.world
    hold_ms = world.time_ms + 60_000
    ann, bob = key("ann").address, key("bob").address
    commands = {
        ("ann",): [pay("ann", "bob", 5, "paid")],
        ("bob",): [payments.Refund(ann, "paid", 2, "back")],
        ("ann", "x"): [payments.Hold(ann, bob, ASSET, 9, "held", hold_ms)],
        ("bob", "x"): [payments.Post(ann, "held", 4)],
        ("ann", "y"): [payments.CashOut(ann, ASSET, 3, "out")],
        ("north",): [payments.CashIn(NORTH, ann, ASSET, 3, "in")],
    }
    found = []
    for signers, some in commands.items():
        (receipt,) = world.send(world.sign([key(signers[0])], *some))
        found.append(find_paid(receipt))
    assert found == [
        [Intended(ann, bob, ASSET, 5)],
        [Intended(bob, ann, ASSET, 2)],
        [Intended(ann, bob, ASSET, 9)],
        [],
        [Intended(ann, NORTH, ASSET, 3)],
        [],
    ]
    refused = world.send(world.sign([key("ann")], pay("ann", "bob", 10**9, "too much")))
    assert find_paid(refused[0]) == []
