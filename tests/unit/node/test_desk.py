"""The sponsor desk: what it brings in fits into a batch of its network."""

from __future__ import annotations

import asyncio

from tests.simulation.disk import SimulatedDisk
from tests.world import MINUTE_MS, key, make_genesis, open_world, pay

from hansa.engine.store import MemoryStore
from hansa.engine.verification import InlineVerifier
from hansa.kernel.errors import InvalidCode, Unavailable
from hansa.kernel.genesis import VALIDITY_MAX_MS
from hansa.kernel.transaction import Signature, build_body, build_envelope
from hansa.node.service import Node, wall_clock_ms
from hansa.node.sponsor.desk import Ruling
from hansa.node.verify import verify

LARGE = 16_000


def make_large(network, number):
    """Make an envelope near the bound of one, of a contract that nobody has."""
    stranger = key("stranger")
    until = wall_clock_ms() + 60_000
    calls = [("x", "y", [bytes(LARGE)])]
    body = build_body([stranger.address], number.to_bytes(16, "big"), until, calls)
    signature = stranger.sign(network.tx_prefix + body)
    return build_envelope(body, [Signature(stranger.suite, stranger.public_key, signature)])


def test_large_envelopes_leave_in_batches_that_every_verifier_accepts():
    world = open_world(SimulatedDisk(1), make_genesis())
    network = world.network
    node = Node(world.chain, InlineVerifier(network), key("north").address, key("north server"))
    envelopes = [make_large(network, number) for number in range(300)]
    assert sum(map(len, envelopes)) > network.limits.batch_bytes

    async def send():
        node.engine.start()
        answers = await asyncio.gather(*map(node.desk.submit, envelopes))
        await node.engine.stop()
        return answers

    answers = asyncio.run(send())
    assert all(answer.error is None and answer.receipt for answer in answers)
    batches = [raw for record in world.chain.iterate_records(1) for raw in record.batches]
    assert len(batches) > 1
    assert max(map(len, batches)) <= network.limits.batch_bytes
    found = verify(world.chain.iterate_records(0), network, MemoryStore(), processes=1)
    assert found.verify_ok, found.findings


def test_a_repetition_costs_no_block_and_is_answered_even_after_its_validity():
    world = open_world(SimulatedDisk(1), make_genesis())
    world.fund("ann", "shop")
    world.time_ms = wall_clock_ms()
    envelope = world.sign([key("ann")], pay("ann", "shop", 5, "once"))
    node = Node(
        world.chain, InlineVerifier(world.network), key("north").address, key("north server")
    )

    async def send():
        node.engine.start()
        first = await node.desk.submit(envelope)
        height = world.chain.head.height
        copies = await asyncio.gather(*(node.desk.submit(envelope) for _ in range(40)))
        assert world.chain.head.height == height
        return first, copies

    async def stop():
        await node.engine.stop()

    async def play():
        first, copies = await send()
        assert first.receipt
        assert set(copies) == {first}
        await stop()

    asyncio.run(play())
    world.time_ms += 3_600_000
    assert world.do("ann", pay("ann", "shop", 5, "an hour later")) == ""

    async def ask_again():
        again = Node(
            world.chain, InlineVerifier(world.network), key("south").address, key("south server")
        )
        return await again.desk.submit(envelope)

    assert asyncio.run(ask_again()).receipt


def test_what_is_stale_is_answered_alone_and_in_nobodys_batch():
    """In a batch it would be charged to its sponsor, and keep that from every block."""
    world = open_world(SimulatedDisk(1), make_genesis())
    world.fund("ann", "shop")
    world.time_ms = now_ms = wall_clock_ms()
    ends = {
        "old": world.chain.head.time_ms - 1,
        "good": now_ms + MINUTE_MS,
        "far": now_ms + VALIDITY_MAX_MS + MINUTE_MS,
    }
    envelopes = [
        world.sign([key("ann")], pay("ann", "shop", 5, note), until_ms=end)
        for note, end in ends.items()
    ]
    node = Node(
        world.chain, InlineVerifier(world.network), key("north").address, key("north server")
    )

    async def send():
        node.engine.start()
        answers = await asyncio.gather(*map(node.desk.submit, envelopes))
        await node.engine.stop()
        return answers

    old, good, far = asyncio.run(send())
    assert (old.error.code, far.error.code) == (InvalidCode.EXPIRED, InvalidCode.TOO_FAR_AHEAD)
    assert "sign it with an earlier end" in far.error.message
    assert good.receipt
    assert world.chain.get_record(good.height).dropped == ()


class SlowControl:
    """Decides on a batch only once the next one was asked of, and has decided on that already."""

    def __init__(self):
        self.begun, self.decided = asyncio.Event(), []
        self._second = asyncio.Event()

    def note(self, result):
        """It follows no blocks."""

    async def decide(self, asked):
        if self.begun.is_set():
            self._second.set()
        else:
            self.begun.set()
            await self._second.wait()
            await asyncio.sleep(0.01)
        self.decided.append([each.envelope for each in asked])
        return [Ruling()] * len(asked)


def open_controlled(control):
    """Open a node that asks this risk control; returns it, and three payments to send to it."""
    world = open_world(SimulatedDisk(1), make_genesis())
    world.fund("ann", "shop")
    world.time_ms = wall_clock_ms()
    envelopes = [world.sign([key("ann")], pay("ann", "shop", 5, note)) for note in "abc"]
    member, signer = key("north").address, key("north server")
    return Node(world.chain, InlineVerifier(world.network), member, signer, risk=control), envelopes


def test_the_next_batch_is_asked_of_while_one_is_decided_on_and_overtakes_none():
    control = SlowControl()
    node, envelopes = open_controlled(control)

    async def send():
        node.engine.start()
        async with asyncio.timeout(60):
            first = node.desk.enqueue(envelopes[0])
            await control.begun.wait()
            rest = [node.desk.enqueue(each) for each in envelopes[1:]]
            answers = await asyncio.gather(first, *rest)
        await node.engine.stop()
        return control.decided, answers

    decided, answers = asyncio.run(send())
    assert decided == [envelopes[1:], envelopes[:1]]
    assert all(answer.receipt for answer in answers)
    places = [(answer.height, answer.place) for answer in answers]
    assert places == sorted(places)


class FailingControl(SlowControl):
    """Fails over the second batch, while it decides on the first."""

    def __init__(self):
        super().__init__()
        self.failed = asyncio.Event()

    async def decide(self, asked):
        if self.begun.is_set() and not self.failed.is_set():
            self.failed.set()
            raise Unavailable("not now")
        return await super().decide(asked)


def test_a_batch_that_fails_lets_the_next_overtake_none():
    control = FailingControl()
    node, envelopes = open_controlled(control)

    async def send():
        node.engine.start()
        async with asyncio.timeout(60):
            sent = []
            for envelope, passed in zip(
                envelopes, (control.begun, control.failed, control.begun), strict=True
            ):
                sent.append(node.desk.enqueue(envelope))
                await passed.wait()
            answers = await asyncio.gather(*sent, return_exceptions=True)
        await node.engine.stop()
        return answers

    first, failed, last = asyncio.run(send())
    assert isinstance(failed, Unavailable)
    assert (first.height, first.place) < (last.height, last.place)


def test_a_contract_that_failed_raises_an_alarm_with_its_transaction(caplog):
    world = open_world(SimulatedDisk(1), make_genesis())
    world.fund("ann")
    node = Node(
        world.chain, InlineVerifier(world.network), key("north").address, key("north server")
    )
    result = world.results[-1]._replace(failures=[(0, ZeroDivisionError("by a contract"))])

    async def confirm():
        node._note_block(result)  # noqa: SLF001 - as the engine tells it
        await asyncio.sleep(0)

    asyncio.run(confirm())
    [alarm] = caplog.records
    assert alarm.name == "hansa.alarms"
    assert result.tx_ids[0].hex() in alarm.getMessage()
    assert "ZeroDivisionError: by a contract" in caplog.text
