"""Four nodes, each of two real processes, under payments: killed, cut off, full, all stopped.

Whatever happens, no payment that a client was told of is lost or done twice, and all nodes have
the same blocks. Under HANSA_SOAK=1 for ten minutes, and with a node behind by an hour of blocks.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections import Counter
from random import Random

import pytest
from tests.conftest import IS_SOAK
from tests.integration.paying import Load, check_all, give_money
from tests.integration.small_disk import mount
from tests.integration.voted_processes import found_network, running_network

from hansa.node.home import Home

pytestmark = pytest.mark.integration

SEED = 4
KILLING_S = 600
BLOCKS_BEHIND = 3_600 if IS_SOAK else 10
SILENCE_S = 5
DISK_KB = 131_072


def tell(capsys, load, height, done):
    """Print what was done, also of a test that passes."""
    what = ", ".join(f"{count} × {name}" for name, count in sorted(done.items()))
    with capsys.disabled():
        sys.stdout.write(
            f"\n  {what}: {len(load.confirmed)} payments confirmed, {load.repeated} sent again, "
            f"{len(load.unknown)} given up; {height + 1} blocks equal on four nodes, all audited\n"
        )


async def live(nodes, faults):
    """Run the network under payments through faults; returns what clients were told."""
    async with running_network(nodes) as network:
        load = Load(network, Random(SEED))
        await give_money(network)
        async with load.paying():
            await load.go_on(2)
            done = await faults(network, load)
            await load.go_on(2)
        await asyncio.gather(*(node.reach(load.height) for node in nodes))
    return load, done


def play(folder, faults, capsys):
    """Play faults on a new network, check all its nodes, and tell."""
    nodes = found_network(folder / "net")
    load, done = asyncio.run(live(nodes, faults))
    tell(capsys, load, check_all(load), done)


async def kill_some(network, load):
    """Kill either process of any node, and start it again; in `make soak` for ten minutes."""
    done, random = Counter(), Random(SEED)
    clock = asyncio.get_running_loop().time
    end_s = clock() + (KILLING_S if IS_SOAK else 0)
    for number, child in ((1, False), (3, True)):
        await kill(network.nodes[number], load, done, child=child)
    while clock() < end_s:
        await kill(random.choice(network.nodes), load, done, child=random.random() < 0.5)
    return done


async def kill(node, load, done, *, child):
    """Kill one process of a node; others go on without it, and it comes back."""
    await node.kill(child=child)
    await load.go_on(2)
    await node.start()
    await load.go_on(1)
    done["CometBFT killed" if child else "node killed"] += 1


async def fall_behind(network, load):
    """Stop a validator for many blocks, and have it back."""
    node = network.nodes[2]
    await node.stop()
    await load.go_on(BLOCKS_BEHIND)
    height = load.height
    await node.start()
    await node.reach(height)
    return Counter({f"validator {BLOCKS_BEHIND} blocks behind": 1})


async def stop_all(network, load):
    """Kill all nodes at once, and start them again."""
    await asyncio.gather(*(node.kill(child=n % 2 == 1) for n, node in enumerate(network.nodes)))
    await asyncio.gather(*(node.start() for node in network.nodes))
    await load.go_on(2)
    return Counter({"all four killed at once": 1})


async def part(network, load):
    """Cut one node off, and the others go on; then two from two, and nobody does."""
    network.part((0, 1, 2), (3,))
    await load.go_on(5)
    before = (await network.nodes[3].client.get_status()).height
    await load.go_on(3)
    assert (await network.nodes[3].client.get_status()).height == before
    network.heal()
    await network.nodes[3].reach(load.height)
    network.part((0, 1), (2, 3))
    # What was under way may still come; then there is silence.
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SILENCE_S):
            await load.go_on(3)
    heights = [(await node.client.get_status()).height for node in network.nodes]
    assert max(heights) - min(heights) <= 1
    network.heal()
    await load.go_on(3)
    return Counter({"partition 3|1": 1, "partition 2|2": 1})


async def in_turn(network, load):
    """Do one fault after another."""
    done = Counter()
    for faults in (kill_some, fall_behind, part, stop_all):
        done += await faults(network, load)
    return done


def test_a_network_killed_cut_and_stopped_loses_nothing(cometbft, tmp_path, capsys):
    play(tmp_path, in_turn, capsys)


async def fill_the_disk(network, load):
    """Fill one node's disk, which ends it; with room again it goes on."""
    node = network.nodes[3]
    ballast = node.home.path.parent / "ballast"
    fill(ballast)
    assert await node.end() == 5, node.read_error()
    await load.go_on(3)
    ballast.unlink()
    await node.start()
    await node.reach(load.height)
    return Counter({"full disk": 1})


def fill(path):
    """Write until the disk takes no more."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            return


def test_a_node_whose_disk_is_full_ends_and_goes_on_with_room(cometbft, tmp_path, capsys):
    disk = tmp_path / "disk"
    with mount(disk, DISK_KB):
        nodes = found_network(tmp_path / "net")
        shutil.move(nodes[3].home.path, disk / "node")
        nodes[3].home = Home(disk / "node")
        load, done = asyncio.run(live(nodes, fill_the_disk))
        tell(capsys, load, check_all(load), done)
