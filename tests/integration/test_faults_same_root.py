"""What four validators recorded, executed anew without CometBFT: the same bytes, at size."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import pytest
from tests.faulted import PEOPLE, FaultedNetwork
from tests.integration.test_cometbft_engine import execute_embedded, flip, list_records
from tests.voted import open_signer, wall_clock_ms
from tests.world import ASSET, MINUTE_MS, key, pay

from hansa.contracts import governance, payments, wallets
from hansa.contracts.actions import Action, SetPolicy
from hansa.kernel.block import decode_receipt

pytestmark = pytest.mark.integration

PER_BATCH = 200
IN_FLIGHT = 4
"""Batches, one at each node."""
DAY_MS = 86_400_000
MEMBERS = ("officer0", "north", "south", "department0")


class Mixture:
    """Signs transactions of every kind, chosen by a seed; many of them must be refused."""

    def __init__(self, chain, seed):
        self._world = open_signer(chain)
        self._world.nonces = 10**9
        self._random = Random(seed)
        self._count = 0

    def sign_batch(self):
        """Sign a batch by one of its sponsors."""
        self._world.time_ms = wall_clock_ms()
        items = [self._sign() for _ in range(PER_BATCH)]
        return self._world.batch(*items, sponsor=self._random.choice(("north", "south")))

    def _sign(self):
        self._count += 1
        kinds = [self._pay, self._pay_much, self._hold, self._end, self._open, self._govern]
        sign = self._random.choices(kinds, (60, 5, 10, 10, 10, 5))[0]
        names, command = sign(f"m-{self._count}")
        envelope = self._world.sign([key(names)], command)
        return flip(envelope) if self._random.random() < 0.02 else envelope

    def _choose_two(self):
        payer, payee = self._random.sample(range(PEOPLE), 2)
        return f"p{payer}", f"p{payee}"

    def _pay(self, reference):
        payer, payee = self._choose_two()
        return payer, pay(payer, payee, self._random.randrange(1, 100), reference)

    def _pay_much(self, reference):
        payer, payee = self._choose_two()
        return payer, pay(payer, payee, 10**9, reference)

    def _hold(self, _):
        payer, payee = self._choose_two()
        until = self._world.time_ms + 10 * MINUTE_MS
        addresses = (key(payer).address, key(payee).address)
        name = f"hold-{self._random.randrange(50)}"
        return payer, payments.Hold(*addresses, ASSET, 50, name, until)

    def _end(self, _):
        payer, payee = self._choose_two()
        name = f"hold-{self._random.randrange(50)}"
        if self._random.random() < 0.5:
            return payee, payments.Post(key(payer).address, name, 20)
        return payee, payments.Void(key(payer).address, name)

    def _open(self, reference):
        wallet = key(f"new-{reference}").address
        return "north", wallets.Open(wallet, key("north").address, wallets.Category(1))

    def _govern(self, _):
        member = self._random.choice(MEMBERS)
        address = key(member).address
        if self._random.random() < 0.3:
            days = (self._random.randrange(1, 180),)
            policy = SetPolicy("payments.refund_days", self._world.time_ms + 30 * DAY_MS, days)
            return member, governance.Propose(address, Action.of("set_policy", policy))
        number = self._random.randrange(1, 30)
        return member, governance.Vote(number, address, self._random.random() < 0.7)


async def play(network, count):
    """Have so many mixed transactions ordered through all nodes; returns how often what came."""
    await network.start(0, 1, 2, 3)
    await network.fund()
    mixture = Mixture(network.engines[0].chain, seed=4)
    rest = iter(range(count // PER_BATCH))
    found = Counter()

    async def send(number):
        for _ in rest:
            for answer in await network.engines[number].submit(mixture.sign_batch()):
                if answer.error is None:
                    network.told.append(answer)
                    found[decode_receipt(answer.receipt).code or "confirmed"] += 1
                else:
                    found[str(answer.error.code)] += 1

    await asyncio.gather(*(send(number) for number in range(IN_FLIGHT)))
    network.happened["mixed transactions"] = found.total()
    network.happened["of them refused or invalid"] = found.total() - found["confirmed"]
    network.happened["codes"] = len(found) - 1
    await network.finish("the same root")
    return found


def test_mixed_transactions_have_the_same_roots_without_cometbft(cometbft, soak, tmp_path):
    count = 100_000 if soak else 2_000

    async def run():
        network = FaultedNetwork(tmp_path)
        try:
            found = await play(network, count)
            logs = [list_records(network.engines[number].chain) for number in range(4)]
        finally:
            await network.close()
        return found, logs, network.nodes[0].network

    found, logs, network = asyncio.run(run())
    assert logs[0] == logs[1] == logs[2] == logs[3]
    assert found.total() == count
    assert found["confirmed"] > count // 2
    assert {code.partition(".")[0] for code in found} >= {"balances", "payments", "governance"}
    again = execute_embedded(network, logs[0], tmp_path / "again")
    assert again == [(record.header, record.receipts, record.dropped) for record in logs[0]]
