"""What costs the loop that makes blocks more than a moment is paused in, and charged."""

from __future__ import annotations

import asyncio
import base64
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from tests.api.served import ADA
from tests.world import MINUTE_MS, key, pay

from hansa.kernel.errors import Unavailable
from hansa.node.api.routes import WALK_PER_COST
from hansa.node.service import wall_clock_ms
from hansa.node.settings import Limits, Settings

HISTORY = f"/v1/wallets/{ADA}/transactions"
BURST = 200


class Read(NamedTuple):
    """The reading of a block: which, by whom, in which turn of the event loop."""

    height: int
    task: asyncio.Task
    turn: int


class WatchedLog:
    """A block log that notes what is read of it; the console reads the past meanwhile."""

    def __init__(self, log) -> None:
        self._log = log
        self.turn = 0
        self.reads = []

    def __getattr__(self, name):
        return getattr(self._log, name)

    def read(self, height: int) -> bytes:
        """Read a block."""
        self.reads.append(Read(height, asyncio.current_task(), self.turn))
        return self._log.read(height)

    async def count_turns(self) -> None:
        """Count turns for ever."""
        while True:
            self.turn += 1
            await asyncio.sleep(0)

    def list_turns(self, heights) -> list:
        """List the turns in which blocks were read, with who read."""
        return [read[1:] for read in self.reads if read.height in heights]


@asynccontextmanager
async def watched(town):
    """Watch the log of a town that is served."""
    log = town.world.chain.log = WatchedLog(town.world.chain.log)
    counting = asyncio.create_task(log.count_turns())
    yield log
    counting.cancel()


async def count_left(client, path, **kind):
    """Count what a caller may still ask for, while its bucket does not fill."""
    count = 0
    while (await client.get(path, **kind)).status == 200:
        count += 1
    return count


def test_no_two_blocks_of_a_history_are_read_in_one_turn(own_town):
    async def use(client, _):
        async with watched(own_town) as log:
            answer = await client.get(HISTORY, headers=own_town.sign_in("customer"))
        heights = {entry["height"] for entry in (await answer.json())["transactions"]}
        turns = log.list_turns(heights)
        assert len(turns) >= len(heights) > 3
        assert len(set(turns)) == len(turns)

    own_town.serve(use)


def test_no_two_repetitions_are_looked_up_in_one_turn(own_town):
    world, until = own_town.world, wall_clock_ms() + 5 * MINUTE_MS
    envelopes = [
        world.sign([key("cleo")], pay("cleo", "shop", 1, f"again-{n}"), until_ms=until)
        for n in range(6)
    ]
    world.time_ms = wall_clock_ms()
    for envelope in envelopes:
        world.send(envelope)

    async def use(_, node):
        async with watched(own_town) as log:
            found = await asyncio.gather(*map(node.desk.submit, envelopes))
        turns = log.list_turns({answer.height for answer in found if answer.receipt})
        assert len(turns) >= len(envelopes)
        assert len(set(turns)) == len(turns)

    own_town.serve(use, is_started=True)


def test_a_block_that_is_asked_for_again_is_not_read_again(own_town):
    async def use(client, _):
        async with watched(own_town) as log:
            for _ in range(5):
                assert (await client.get("/v1/blocks/3")).status == 200
        assert len(log.list_turns({3})) <= 2  # one may be the console's

    own_town.serve(use)


def test_a_history_is_charged_by_its_entries(town):
    async def use(client, _):
        kind = {"headers": town.sign_in("customer")}
        answer = await client.get(HISTORY, **kind)
        entries = len((await answer.json())["transactions"])
        assert entries > 3
        assert await count_left(client, "/v1/status", **kind) == BURST - entries

    town.serve(use, Settings(limits=Limits(known_per_s=1, known_burst=BURST)))


@pytest.mark.parametrize(
    ("path", "caller", "cost"),
    [
        ("/v1/receipts/{tx_id}", "anyone", 1 + 2),
        ("/v1/blocks/{height}", "regulator", 1 + 2),
        ("/v1/blocks/{height}", "anyone", 1),
        ("/v1/transactions/{tx_id}", "anyone", 1),
    ],
)
def test_a_block_is_charged_by_what_is_looked_at(own_town, path, caller, cost):
    world = own_town.world
    world.send(
        *(
            world.sign([key("cleo")], pay("cleo", "shop", 1, f"many-{number}"))
            for number in range(2 * WALK_PER_COST)
        )
    )
    height = world.chain.confirmed_height

    async def use(client, _):
        kind = {"headers": own_town.sign_in(caller)}
        url = path.format(tx_id=own_town.last_tx_id, height=height)
        assert (await client.get(url, **kind)).status == 200
        assert await count_left(client, "/v1/status", **kind) == BURST - cost

    limits = Limits(anyone_per_s=1, anyone_burst=BURST, known_per_s=1, known_burst=BURST)
    own_town.serve(use, Settings(limits=limits))


def test_a_repetition_is_charged_for_the_reading_of_its_block(own_town):
    world, until = own_town.world, wall_clock_ms() + 5 * MINUTE_MS
    envelope = world.sign([key("cleo")], pay("cleo", "shop", 1, "again"), until_ms=until)
    world.time_ms = wall_clock_ms()
    world.send(envelope)

    async def use(client, _):
        body = {"transactions": [{"envelope": base64.b64encode(envelope).decode()}] * 2}
        for sent, cost in ((body, 2 * 5), (body["transactions"][0], 5)):
            before = BURST - cost
            assert (await client.post("/v1/transactions", json=sent)).status == 200
            assert await count_left(client, "/v1/status") == before
            own_town.clock.s += BURST

    own_town.serve(
        use, Settings(limits=Limits(anyone_per_s=1, anyone_burst=BURST)), is_started=True
    )


def test_a_batch_is_charged_for_each_block_that_is_read_to_answer_for_it(own_town):
    world, until = own_town.world, wall_clock_ms() + 5 * MINUTE_MS

    def sign(number):
        return world.sign([key("cleo")], pay("cleo", "shop", 1, f"b{number}"), until_ms=until)

    old = [sign(number) for number in range(2)]
    world.time_ms = wall_clock_ms()
    for envelope in old:
        world.send(envelope)

    forged = [sign(4) + b"forged"]

    async def use(client, _):
        left = []
        for envelopes in ((sign(2), sign(3)), old, old, forged, forged):
            headers = {"Content-Type": "application/msgpack"}
            raw = world.batch(*envelopes)
            sent = await client.post("/v1/transactions", data=raw, headers=headers)
            assert sent.status == 200
            left.append(await count_left(client, "/v1/status"))
            own_town.clock.s += BURST
        new, first, again, dropped, known = left
        assert (new - first, new - again) == (2 * 4, 2 * 4)
        assert dropped - known == 4, "also where nothing in it got a receipt"

    own_town.serve(
        use, Settings(limits=Limits(anyone_per_s=1, anyone_burst=BURST)), is_started=True
    )


@pytest.mark.parametrize("is_list", [False, True])
def test_who_waits_for_no_answer_is_charged_as_who_does(own_town, is_list):
    world, until = own_town.world, wall_clock_ms() + 5 * MINUTE_MS
    again = world.sign([key("cleo")], pay("cleo", "shop", 1, "again"), until_ms=until)
    refused = world.sign([key("cleo")], pay("cleo", "shop", 10**12, "dear"), until_ms=until)
    late = world.sign([key("cleo")], pay("cleo", "shop", 1, "late"), until_ms=1)
    world.time_ms = wall_clock_ms()
    world.send(again)
    limits = Limits(anyone_per_s=1, anyone_burst=BURST)

    async def use(client, node):
        for envelope, cost in ((again, 4), (refused, 25), (late, 25)):
            item = {"envelope": base64.b64encode(envelope).decode()}
            body = {"transactions": [item]} if is_list else item
            sent = await client.post("/v1/transactions?wait_ms=0", json=body)
            assert sent.status == 202
            await node.desk.submit(envelope)
            assert await count_left(client, "/v1/status") == BURST - 1 - cost
            own_town.clock.s += BURST

    own_town.serve(use, Settings(limits=limits), is_started=True)


def test_nobody_is_charged_for_what_the_node_cannot_take(own_town):
    world, until = own_town.world, wall_clock_ms() + 5 * MINUTE_MS
    envelope = world.sign([key("cleo")], pay("cleo", "shop", 1, "x"), until_ms=until)

    async def use(client, node):
        node.engine.fail(Unavailable("the disk is full"))
        body = {"transactions": [{"envelope": base64.b64encode(envelope).decode()}]}
        sent = await client.post("/v1/transactions", json=body)
        (found,) = (await sent.json())["results"]
        assert found["error"]["title"] == "UNAVAILABLE"
        assert await count_left(client, "/v1/genesis") == BURST - 1

    limits = Limits(anyone_per_s=1, anyone_burst=BURST)
    with pytest.raises(Unavailable, match="the disk is full"):
        own_town.serve(use, Settings(limits=limits), is_started=True)
