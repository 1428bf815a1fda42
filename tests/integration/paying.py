"""Clients that pay all the while, whatever happens to the nodes, and what must come of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random

from tests.integration.voted_processes import PASSPHRASE, RunningNetwork, RunningNode
from tests.world import ASSET, key, pay

from hansa.contracts import currency, payments, wallets
from hansa.contracts.balances import Balance
from hansa.kernel.block import decode_receipt
from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.node.audit import audit_folder
from hansa.node.home import open_chain_read_only
from hansa.sdk.keys import KeyPair

PEOPLE = 8
GIVEN_MINOR = 1_000_000
WITHIN_S = 120


def load_keys(node: RunningNode) -> list[KeyPair]:
    """Load the keys of a member's officers."""
    paths = sorted((node.home.path / "keys").glob("*-officer-*.json"))
    return [node.home.load_key(path.stem, PASSPHRASE) for path in paths]


async def give_money(network: RunningNetwork) -> None:
    """Issue money, and open a wallet with some of it for each person."""
    bank, operator = network.nodes[:2]
    officers, (clerk,) = load_keys(bank), load_keys(operator)
    issued = (
        currency.SetQuota(clerk.address, ASSET, 10**12),
        currency.Issue(clerk.address, ASSET, PEOPLE * GIVEN_MINOR),
    )
    (await bank.client.send(officers, issued)).require_ok()
    for number in range(PEOPLE):
        wallet = key(f"p{number}").address
        opened = (
            wallets.Open(wallet, clerk.address, wallets.Category(1)),
            payments.CashIn(clerk.address, wallet, ASSET, GIVEN_MINOR, f"in-{number}"),
        )
        (await operator.client.send([clerk], opened)).require_ok()


@dataclass
class Load:
    """What people paid, and what they were told of it."""

    network: RunningNetwork
    random: Random
    confirmed: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """Height and index by transaction, as a client was told."""
    unknown: set[bytes] = field(default_factory=set)
    """Given up: they may be in a block or not."""
    repeated: int = 0
    """How often something was sent once more."""
    told: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def height(self) -> int:
        """The highest block that anybody was told of."""
        return max((height for height, _ in self.confirmed.values()), default=0)

    async def go_on(self, blocks: int) -> None:
        """Wait until payments were confirmed in later blocks."""
        due = self.height + blocks
        async with asyncio.timeout(WITHIN_S + blocks), self.told:
            await self.told.wait_for(lambda: self.height >= due)

    @asynccontextmanager
    async def paying(self):
        """Have all people pay for as long as this lasts, and on until each has its answer."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as people:
            for number in range(PEOPLE):
                people.create_task(self._pay(number, over))
            yield self
            over.set()

    async def _pay(self, number: int, over: asyncio.Event) -> None:
        person = f"p{number}"
        for turn in count():
            if over.is_set():
                return
            node = await self._choose()
            command = pay(person, f"p{(number + 1) % PEOPLE}", 1, f"{person}-{turn}")
            try:
                signed = await node.client.sign([key(person)], [command])
            except Unavailable:
                continue
            await self._send(signed.envelope, signed.tx_id, node)

    async def _send(self, envelope: bytes, tx_id: bytes, node: RunningNode) -> None:
        """Send the same bytes to one node after the other, until one says what came of them."""
        while True:
            try:
                result = await node.client.submit(envelope)
            except Unavailable:
                self.repeated += 1
                node = await self._choose()
            except Invalid as error:
                if error.code is not InvalidCode.EXPIRED:
                    raise
                self.unknown.add(tx_id)
                return
            else:
                self.confirmed[tx_id] = (result.require_ok().height, result.index)
                async with self.told:
                    self.told.notify_all()
                return

    async def _choose(self) -> RunningNode:
        """Choose a node that answers; waits for one where none does."""
        while not (answering := [n for n in self.network.nodes if n.answers.is_set()]):
            waiting = [asyncio.create_task(each.answers.wait()) for each in self.network.nodes]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for each in waiting:
                each.cancel()
        return self.random.choice(answering)


def check_node(node: RunningNode, load: Load) -> dict[int, bytes]:
    """Check a stopped node's books against what clients were told; returns its headers."""
    chain = open_chain_read_only(node.home)
    try:
        records = [chain.get_record(height) for height in range(chain.head.height + 1)]
        found: Counter[bytes] = Counter()
        for record in records:
            for raw in record.receipts:
                receipt = decode_receipt(raw)
                found[receipt.tx_id] += receipt.code == ""
        for tx_id, place in load.confirmed.items():
            assert found[tx_id] == 1, f"{node.name} has {tx_id.hex()} {found[tx_id]} times"
            assert chain.find_position(tx_id) == place
        assert max(found.values()) == 1
        paid = set(found) - set(load.confirmed) - load.unknown
        assert len(paid) == 1 + PEOPLE  # what gave the money
        total = 0
        for number in range(PEOPLE):
            address = key(f"p{number}").address
            balance = chain.machine.state.load(Balance, Balance.key(address, ASSET))
            total += balance.available_minor + balance.held_minor
        assert total == PEOPLE * GIVEN_MINOR
        headers = {height: record.header for height, record in enumerate(records)}
    finally:
        chain.close()
    report = audit_folder(node.home.log_path, node.home.store_path, node.home.load_network())
    assert (report.findings, report.supply_ok) == ([], True), node.name
    return headers


def check_all(load: Load) -> int:
    """Check all nodes, which are stopped; returns the height that all have."""
    all_headers = [check_node(node, load) for node in load.network.nodes]
    height = min(max(headers) for headers in all_headers)
    assert height >= load.height
    for at in range(height + 1):
        assert len({headers[at] for headers in all_headers}) == 1, f"block {at} differs"
    return height
