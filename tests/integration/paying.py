"""Clients that pay all the while, whatever happens to the nodes, and what must come of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, asynccontextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from itertools import count
from random import Random

from tests.alike import check_alike
from tests.integration.network_process import PASSPHRASE
from tests.integration.voted_processes import RunningNetwork, RunningNode
from tests.world import ASSET, key, pay

from hansa.cli.main import main
from hansa.contracts import currency, payments, wallets
from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.node.home import open_chain_read_only
from hansa.sdk.answers import TransactionResult
from hansa.sdk.keys import KeyPair

PEOPLE = 8
GIVEN_MINOR = 1_000_000
WITHIN_S = 300
PATIENCE_S = 5
"""After so long without an answer people ask another node."""


def load_keys(node: RunningNode) -> list[KeyPair]:
    """Load the keys of a member's officers."""
    paths = sorted((node.home.path / "keys").glob("*-officer-*.json"))
    return [node.home.load_key(path.stem, PASSPHRASE) for path in paths]


@dataclass
class Load:
    """What people paid, and what they were told of it."""

    network: RunningNetwork
    random: Random
    people: int = PEOPLE
    height: int = 0
    """The highest block that anybody was told of."""
    confirmed: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """Height and index by transaction, as a client was told."""
    unknown: set[bytes] = field(default_factory=set)
    """Under way, or given up: they may be in a block or not."""
    repeated: int = 0
    """How often something was sent once more."""
    turns: Iterator[int] = field(default_factory=count)
    told: asyncio.Condition = field(default_factory=asyncio.Condition)

    def note(self, result: TransactionResult) -> None:
        """Note what a client was told."""
        result.require_ok()
        self.confirmed[bytes.fromhex(result.tx_id)] = (result.height, result.index)
        self.height = max(self.height, result.height)

    async def give_money(self) -> None:
        """Issue money, and open a wallet with some of it for each person."""
        bank, operator = self.network.nodes[:2]
        officers, (clerk,) = load_keys(bank), load_keys(operator)
        issued = (
            currency.SetQuota(clerk.address, ASSET, 10**12),
            currency.Issue(clerk.address, ASSET, self.people * GIVEN_MINOR),
        )
        self.note(await bank.client.send(officers, issued))
        for number in range(self.people):
            wallet = key(f"p{number}").address
            opened = (
                wallets.Open(wallet, clerk.address, wallets.Category(1)),
                payments.CashIn(clerk.address, wallet, ASSET, GIVEN_MINOR, f"in-{number}"),
            )
            self.note(await operator.client.send([clerk], opened))

    async def go_on(self, blocks: int) -> None:
        """Wait until payments were confirmed in later blocks; fails where none come any more."""
        due = self.height + blocks
        async with self.told:
            while self.height < due:
                async with asyncio.timeout(WITHIN_S):
                    await self.told.wait()

    @asynccontextmanager
    async def paying(self):
        """Have all people pay for as long as this lasts, and on until each has its answer."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as people:
            for number in range(self.people):
                people.create_task(self._pay(number, over))
            yield self
            over.set()

    async def _pay(self, number: int, over: asyncio.Event) -> None:
        person = f"p{number}"
        while not over.is_set():
            node = await self._choose()
            command = pay(person, f"p{(number + 1) % self.people}", 1, f"{next(self.turns)}")
            try:
                signed = await node.client.sign([key(person)], [command])
            except Unavailable:
                continue
            await self._send(signed.envelope, signed.tx_id, node)

    async def _send(
        self, envelope: bytes, tx_id: bytes, node: RunningNode, *others: RunningNode
    ) -> None:
        """Send the same bytes to one node after the other, until one says what came of them.

        To any node, or where others are named, then to one of these.
        """
        self.unknown.add(tx_id)
        while True:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    result = await node.client.submit(envelope)
            except (Unavailable, TimeoutError):
                self.repeated += 1
                node = await self._choose(*others)
            except Invalid as error:
                if error.code is not InvalidCode.EXPIRED:
                    raise
                return
            else:
                self.note(result)
                self.unknown.discard(tx_id)
                async with self.told:
                    self.told.notify_all()
                return

    async def _choose(self, *among: RunningNode) -> RunningNode:
        """Choose a node that answers, of all or of some; waits for one where none does."""
        nodes = among or self.network.nodes
        while not (answering := [n for n in nodes if n.answers.is_set()]):
            waiting = [asyncio.create_task(each.answers.wait()) for each in nodes]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for each in waiting:
                each.cancel()
        return self.random.choice(answering)


def check_all(load: Load) -> int:
    """Check all nodes, which run or are stopped; returns the height that all have."""
    homes = [node.home for node in load.network.nodes]
    with ExitStack() as stack:
        chains = [open_chain_read_only(home) for home in homes]
        for chain in chains:
            stack.callback(chain.close)
        height = check_alike(chains, load.confirmed, load.unknown)
    for home in homes:
        said = StringIO()
        with redirect_stdout(said):
            code = main(["audit", "--data", str(home.path), "--json"])
        found = json.loads(said.getvalue())
        assert (code, found["audit_ok"], found["supply_ok"]) == (0, True, True), found
        assert found["voted_height"] is not None
    return height
