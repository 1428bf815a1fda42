"""Four nodes, each of two real processes, under payments: killed, cut off, full, all stopped.

The faults follow one another on one network that runs on. After each, all that clients were told is
in every node's log, once and in its place, all blocks are equal, and `hansa audit` finds nothing.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random

import pytest
from tests.conftest import IS_SOAK
from tests.integration.paying import Load, check_all
from tests.integration.small_disk import leave_room, resize, try_to_mount
from tests.integration.voted_processes import ENVIRONMENT, found_network, running_network

from hansa.node.home import Home

pytestmark = pytest.mark.integration

SEED = 4
KILLING_S = 600
HOUR_S = 3_600
PACED_BLOCKS = 40
BLOCKS_BEHIND = 8
PATIENCE = "CMT_CONSENSUS_TIMEOUT_PROPOSE"
"""How long others wait for a proposer that is away, otherwise three seconds."""
PACE = ENVIRONMENT if IS_SOAK else ENVIRONMENT | {PATIENCE: "1s"}
HURRY = ENVIRONMENT | {PATIENCE: "200ms"}
SPLITS = (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2)))
SILENCES_S = (5, 75, 15, 30, 5, 90, 15, 30, 5, 75) if IS_SOAK else (5,)
FULL = "the disk is full: free some space"
DISK_KB = 1 << 22
ROOM_KB = 256


@dataclass
class Town:
    """Four nodes and the people who pay through them, between two faults."""

    runner: asyncio.Runner
    load: Load

    @property
    def nodes(self):
        return self.load.network.nodes

    def suffer(self, fault, capsys):
        """Have people pay through a fault and beyond, check all nodes, and tell what was done."""
        load = self.load
        before = len(load.confirmed), load.repeated, len(load.unknown), load.height
        done = self.runner.run(self._live(fault))
        height = check_all(load)
        after = len(load.confirmed), load.repeated, len(load.unknown), load.height
        paid, repeated, unknown, blocks = (
            new - old for old, new in zip(before, after, strict=True)
        )
        what = ", ".join(f"{count} × {name}" for name, count in sorted(done.items()))
        with capsys.disabled():
            sys.stdout.write(
                f"\n  {what}: in {blocks} blocks {paid} payments confirmed, 0 lost, 0 doubled; "
                f"{repeated} sent again, {unknown} given up; {height + 1} blocks equal on four "
                "nodes, all audited\n"
            )

    async def _live(self, fault):
        load = self.load
        await load.network.make_whole()
        async with load.paying():
            await load.go_on(2)
            done = await fault(load.network, load)
            await load.go_on(2)
        await asyncio.gather(*(node.reach(load.height) for node in self.nodes))
        return done


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A disk of its own for the last node; None where none can be mounted."""
    folder = tmp_path_factory.mktemp("disk") / "disk"
    with try_to_mount(folder, DISK_KB) as is_mounted:
        yield folder if is_mounted else None


@pytest.fixture(scope="module")
def town(cometbft, disk, tmp_path_factory):
    nodes = found_network(tmp_path_factory.mktemp("town") / "net")
    for node in nodes:
        node.environment = PACE
    if disk is not None:
        shutil.move(nodes[3].home.path, disk / "node")
        nodes[3].home = Home(disk / "node")
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        network = runner.run(stack.enter_async_context(running_network(nodes)))
        try:
            load = Load(network, Random(SEED))
            runner.run(load.give_money())
            yield Town(runner, load)
        finally:
            runner.run(stack.aclose())


def test_whichever_process_is_killed_the_node_comes_back(town, capsys):
    async def kill_some(network, load):
        """Kill one process of one node or of two; in `make soak` for ten minutes."""
        done, random = Counter(), Random(SEED)
        clock = asyncio.get_running_loop().time
        end_s = clock() + KILLING_S
        await kill(load, done, {network.nodes[1]: False})
        await kill(load, done, {network.nodes[3]: True})
        while IS_SOAK and clock() < end_s:
            victims = random.sample(network.nodes, random.choice((1, 1, 1, 2)))
            await kill(load, done, {node: random.random() < 0.5 for node in victims})
        return done

    town.suffer(kill_some, capsys)


async def kill(load, done, victims):
    """Kill one process of each, perhaps the child; three go on without one; all come back."""
    await asyncio.gather(*(node.kill(child=child) for node, child in victims.items()))
    if len(victims) == 1:
        await load.go_on(2)
    await asyncio.gather(*(node.start() for node in victims))
    await load.go_on(2)
    for child in victims.values():
        done["CometBFT killed" if child else "node killed"] += 1
    if len(victims) > 1:
        done["of these two at once"] += 1


def test_a_validator_that_was_stopped_for_many_blocks_catches_up(town, capsys):
    """In `make soak` for as many as an hour brings without it, made faster."""

    async def fall_behind(network, load):
        away, *others = network.nodes
        await away.stop()
        first = load.height
        if IS_SOAK:
            await go_on_for_an_hour(others, load)
        else:
            await load.go_on(BLOCKS_BEHIND)
        height = load.height
        await away.start()
        await away.reach(height)
        return Counter({f"validator {height - first} blocks behind": 1})

    town.suffer(fall_behind, capsys)


async def go_on_for_an_hour(nodes, load):
    """Wait for as many blocks as an hour brings; the nodes wait less for the one that is away."""
    clock = asyncio.get_running_loop().time
    start = clock()
    await load.go_on(PACED_BLOCKS)
    blocks = round(HOUR_S / (clock() - start) * PACED_BLOCKS)
    for environment, count in ((HURRY, blocks), (PACE, 2)):
        for node in nodes:
            await node.stop()
            node.environment = environment
            await node.start()
        await load.go_on(count)


def test_three_go_on_without_one_that_is_cut_off(town, capsys):
    """In turn a node's cables are pulled, and others refuse it."""

    async def cut_one_off(network, load):
        done = Counter()
        for turn in range(10 if IS_SOAK else 1):
            alone = (turn + 3) % 4
            node = network.nodes[alone]
            network.part(set(range(4)) - {alone}, (alone,), refuses=turn % 2 == 1)
            await load.go_on(4)
            before = (await node.client.get_status()).height
            await load.go_on(3)
            assert (await node.client.get_status()).height == before
            network.heal()
            await node.reach(load.height)
            done["partition 3|1"] += 1
        return done

    town.suffer(cut_one_off, capsys)


def test_halves_stop_and_go_on_once_they_meet(town, capsys):
    """In turn they refuse one another, and their cables are pulled."""

    async def halve(network, load):
        done = Counter()
        for turn, silence_s in enumerate(SILENCES_S):
            network.part(*SPLITS[turn % len(SPLITS)], refuses=turn % 2 == 0)
            # What was under way may still come; then there is silence.
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(silence_s):
                    await load.go_on(3)
            heights = [(await node.client.get_status()).height for node in network.nodes]
            assert max(heights) - min(heights) <= 1
            network.heal()
            await load.go_on(3)
            done["partition 2|2"] += 1
        return done

    town.suffer(halve, capsys)


def test_all_four_are_killed_at_once_and_go_on(town, capsys):
    async def stop_all(network, load):
        done = Counter()
        for turn in range(20 if IS_SOAK else 1):
            kills = (node.kill(child=n % 2 == turn % 2) for n, node in enumerate(network.nodes))
            await asyncio.gather(*kills)
            await asyncio.gather(*(node.start() for node in network.nodes))
            await load.go_on(2)
            done["all four killed at once"] += 1
        return done

    town.suffer(stop_all, capsys)


def test_a_node_whose_disk_is_full_says_so_and_goes_on_with_room(town, disk, capsys):
    if disk is None:
        pytest.skip("a disk in memory can be mounted by root only")

    async def fill_the_disk(network, load):
        node, done = network.nodes[3], Counter()
        for _ in range(10 if IS_SOAK else 1):
            leave_room(disk, ROOM_KB)
            assert await node.end() == 5, node.read_error()
            assert FULL in node.read_error(), node.read_error()
            await load.go_on(3)
            resize(disk, DISK_KB)
            await node.start()
            await node.reach(load.height)
            done["full disk"] += 1
        return done

    town.suffer(fill_the_disk, capsys)
