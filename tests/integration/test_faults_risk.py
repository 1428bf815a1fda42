"""Risk control of two operators on four nodes that vote, under payments and faults.

Customers of both pay one another; small payments through any node, others through that of their
operator, which decides and attests. What is not allowed waits for the customer or an officer. After
all faults each operator has remembered every payment once: of its own customers what was tried, of
the other's what blocks show, in their order; and taking all of it in anew gives the same, bit for
bit.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from random import Random

import pytest
from tests.integration.deciding_customers import PEOPLE, Customers, check_journal
from tests.integration.deciding_processes import Operator, found_deciding
from tests.integration.network_process import PASSPHRASE, find_child, run
from tests.integration.paying import check_all
from tests.integration.voted_processes import ENVIRONMENT, running_network

pytestmark = [pytest.mark.integration, pytest.mark.soak]

SEED = 5
ROUNDS = 5
KILLS = 3
BLOCKS_AWAY = 8
BLOCKS_FAR = 60
"""The node fetches them before it votes, and executes them one right after the other."""
HURRY = ENVIRONMENT | {"CMT_CONSENSUS_TIMEOUT_PROPOSE": "500ms"}
OPENED = 20
"""Decisions of each operator that are opened by the command."""


async def kill_clerk(customers, random):
    """Kill the process that decides, and the one that is started in its place."""
    operator = random.choice(customers.operators)
    for _ in range(KILLS):
        await operator.kill_clerk()
        await customers.go_on(1)


async def kill_node(customers, random):
    """Kill an operator's node; it is back while its peers wait for it, or after they went on."""
    node = random.choice(customers.operators).node
    await node.kill(child=random.random() < 0.3)
    await customers.go_on(random.choice((0, 2, BLOCKS_AWAY)))
    await node.start()
    await customers.go_on(2)


async def kill_both(customers, random):
    """Kill the nodes of both operators; the two others cannot go on without them."""
    del random
    nodes = [operator.node for operator in customers.operators]
    await asyncio.gather(*(node.kill() for node in nodes))
    await asyncio.gather(*(node.start() for node in nodes))
    await customers.go_on(2)


async def freeze_comet(customers, random):
    """Stop the CometBFT of any node for some blocks, as if its machine hung."""
    node = random.choice(customers.network.nodes)
    comet = find_child(node.process.pid, "cometbft")
    os.kill(comet, signal.SIGSTOP)
    try:
        await customers.go_on(BLOCKS_AWAY)
    finally:
        os.kill(comet, signal.SIGCONT)
    await node.reach(customers.height)


async def fall_behind(customers, random):
    """Stop an operator's node in good order; then many blocks come at once."""
    node = random.choice(customers.operators).node
    await node.stop()
    await customers.go_on(BLOCKS_FAR)
    height = customers.height
    await node.start()
    await node.reach(height)
    await customers.go_on(2)


FAULTS = (kill_clerk, kill_node, kill_both, freeze_comet, fall_behind)


async def live(customers, faults, random):
    """Have people pay through faults, and desks answer, until all nodes are alike."""
    desks = [asyncio.create_task(customers.answer(each)) for each in customers.operators]
    async with customers.paying():
        await customers.go_on(3)
        for fault in faults:
            await fault(customers, random)
        await customers.go_on(3)
    for desk in desks:
        desk.cancel()
    await asyncio.gather(*desks, return_exceptions=True)
    await asyncio.gather(*(node.reach(customers.height) for node in customers.network.nodes))


async def end(network):
    """Stop all nodes, once more after a start: by then all that blocks showed is taken in."""
    for is_over in (False, True):
        await asyncio.gather(*(node.stop() for node in network.nodes))
        if not is_over:
            await network.make_whole()


def check(customers, capsys):
    """Check ledgers and journals; returns a summary."""
    height = check_all(customers)
    told = [f"{len(customers.confirmed)} payments confirmed in {height + 1} blocks"]
    for operator in customers.operators:
        found = check_journal(operator, customers)
        told.append(f"{operator.node.name}: {found}")
        for tx_id in (*found.held, *found.attested)[:OPENED]:
            opened = run(capsys, "risk", "open", tx_id.hex(), "--data", operator.node.home.path)
            assert opened["is_sound"], opened
        again = run(capsys, "risk", "replay", "--data", operator.node.home.path)
        assert again["identical"], again
    return "; ".join(told)


def test_each_payment_is_remembered_once_whatever_fails(cometbft, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    nodes = found_deciding(tmp_path / "net")
    for node in nodes:
        node.environment = HURRY
    operators = tuple(Operator(node) for node in nodes[1:3])
    random = Random(SEED)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        network = runner.run(stack.enter_async_context(running_network(nodes)))
        for operator in operators:
            stack.push_async_callback(operator.close)
        try:
            customers = Customers(network, Random(SEED), PEOPLE, operators=operators)
            runner.run(customers.give_money())
            for _ in range(ROUNDS):
                runner.run(network.make_whole())
                faults = random.sample(FAULTS, len(FAULTS))
                runner.run(live(customers, faults, random))
                runner.run(end(network))
                words = ", ".join(fault.__name__ for fault in faults)
                told = check(customers, capsys)
                with capsys.disabled():
                    sys.stdout.write(f"\n  {words}: {told}\n")
        finally:
            runner.run(stack.aclose())
