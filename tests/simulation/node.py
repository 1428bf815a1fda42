"""A whole node in one thread on the simulated disk, its clients, and an auditor outside of it.

The clients keep what they sent and what they were told; the auditor holds a reopened node to it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from random import Random

from tests.simulation.disk import SimulatedDisk
from tests.simulation.loop import SimulatedLoop
from tests.simulation.store import SimulatedStore
from tests.world import ASSET, MINUTE_MS, OPERATORS, START_MS, key, make_genesis, pay

from hansa.contracts import currency, payments, wallets
from hansa.contracts.registry import Registry
from hansa.engine.chain import Chain
from hansa.engine.embedded import EmbeddedEngine
from hansa.engine.log import BlockLog
from hansa.engine.ordering import Answer
from hansa.engine.store import MemoryStore
from hansa.engine.verification import InlineVerifier
from hansa.kernel.block import decode_header, decode_receipt
from hansa.kernel.contract import Command
from hansa.kernel.errors import Invalid
from hansa.kernel.genesis import Genesis, Network
from hansa.kernel.machine.execution import BlockResult
from hansa.node.audit import audit
from hansa.node.home import KeySealer
from hansa.node.verify import verify
from hansa.sdk.build import sign_batch, sign_transaction

SEGMENT_BYTES = 5_000
PEOPLE = ("ada", "ben", "cleo", "shop")
VALIDITY_MS = 5 * MINUTE_MS
PAUSES_S = (0.0, 0.005, 0.021, 0.04, 0.2)
CLOCK_STEPS_MS = (0, 40, 300, 700, 1_100, 2_500, -3_600_000, 20 * MINUTE_MS)

key = cache(key)


@cache
def network() -> Network:
    """The network of all simulated nodes."""
    genesis: Genesis = make_genesis()
    return Network.of(genesis)


class FlushingChain(Chain):
    """A chain that flushes its store often, also while it is opened."""

    flush_transactions = 5


@dataclass(frozen=True)
class Parts:
    """What a node is made of; a planted bug replaces one of them."""

    disk: type[SimulatedDisk] = SimulatedDisk
    store: type[SimulatedStore] = SimulatedStore
    log: type[BlockLog] = BlockLog
    chain: type[Chain] = FlushingChain
    engine: type[EmbeddedEngine] = EmbeddedEngine


def open_chain(disk: SimulatedDisk, parts: Parts) -> Chain:
    """Open as `hansa.node.home.open_chain` does."""
    store = parts.store(disk)
    log = parts.log.open(
        disk,
        trusted_height=store.height if store.height >= 0 else None,
        segment_bytes=SEGMENT_BYTES,
    )
    sealer = KeySealer(key("sealer"))
    try:
        chain = parts.chain.open(log, store, network(), Registry(network().genesis), sealer)
    except BaseException:
        log.close()
        store.close()
        raise
    return chain


@dataclass
class Sent:
    """An envelope and what its sender was told about it, in order."""

    envelope: bytes
    tx_id: bytes
    name: str
    """Of the first signer."""
    nonce: int
    """Of all envelopes with this first signer and nonce one at most is executed."""
    until_ms: int
    told: list[Answer] = field(default_factory=list)

    def copy(self) -> Sent:
        return replace(self, told=list(self.told))


@dataclass
class Clients:
    """Everybody outside of the node: what they sent, and what they know for certain."""

    sent: list[Sent] = field(default_factory=list)
    headers: dict[int, bytes] = field(default_factory=dict)
    """Of blocks that listeners were told of as confirmed."""
    ledger_ms: int = START_MS
    clock_ms: int = START_MS
    nonces: int = 0

    def fork(self) -> Clients:
        """What they know at this moment."""
        sent = [each.copy() for each in self.sent]
        return Clients(sent, dict(self.headers), self.ledger_ms, self.clock_ms, self.nonces)

    @property
    def now_ms(self) -> int:
        """Ledger time of a block made now."""
        return max(self.clock_ms, self.ledger_ms)

    def sign(
        self, names: Sequence[str], *commands: Command, nonce: int = 0, valid_ms: int = VALIDITY_MS
    ) -> Sent:
        """Sign a transaction, with a nonce of its own if none is given."""
        self.nonces += 1
        nonce = nonce or self.nonces
        until = self.now_ms + valid_ms
        keys = [key(name) for name in names]
        signed = sign_transaction(
            network(), keys, commands, until, lambda size: nonce.to_bytes(size, "big")
        )
        sent = Sent(signed.envelope, signed.tx_id, names[0], nonce, until)
        self.sent.append(sent)
        return sent

    def note_block(self, result: BlockResult) -> None:
        """Listen to the engine."""
        self.headers[result.header.height] = result.header.encoded()
        self.ledger_ms = result.header.time_ms


async def submit(engine: EmbeddedEngine, *items: Sent) -> None:
    """Bring envelopes in one batch, or each alone if it is refused whole; note the answers."""
    north = key("north").address
    pairs = [(item.envelope, None) for item in items]
    raw = sign_batch(network(), north, key("north server"), pairs)
    try:
        answers = await engine.submit(raw)
    except Invalid as error:  # one of them is too far ahead, by a clock that was set back
        if len(items) > 1:
            for item in items:
                await submit(engine, item)
            return
        answers = [Answer(b"", 0, 0, error)]
    for item, answer in zip(items, answers, strict=True):
        item.told.append(answer)


def fund(clients: Clients) -> list[list[Sent]]:
    """Issue money and open wallets: batches, each of which needs the one before."""
    north = key("north").address
    total = 100_000 * len(PEOPLE)
    quotas = [currency.SetQuota(key(name).address, ASSET, 10**9) for name in OPERATORS]
    issue = currency.Issue(north, ASSET, total)
    opened = []
    for name in PEOPLE:
        wallet = key(name).address
        cash_in = payments.CashIn(north, wallet, ASSET, 100_000, f"in-{name}")
        opened.append([wallets.Open(wallet, north, wallets.Category(1)), cash_in])
    first = [clients.sign(("officer0", "officer1"), *quotas, issue)]
    return [first, [clients.sign(("north",), *commands) for commands in opened]]


def act(clients: Clients, random: Random) -> Sent:
    """Sign, or send again, one thing that somebody might do."""
    payer, payee = random.sample(PEOPLE[:3], 2)
    clients.nonces += 1
    reference = f"r{clients.nonces}"
    shop = key("shop").address
    until = clients.now_ms + 10 * MINUTE_MS
    kind = random.randrange(12)
    if kind == 0:
        return random.choice(clients.sent)  # the same again
    if kind == 1:  # the same nonce, another body
        used = random.choice(clients.sent)
        return clients.sign((used.name,), pay(payer, payee, 7, reference), nonce=used.nonce)
    if kind == 2:
        return clients.sign((payer,), pay(payer, payee, 10**9, reference))  # more than there is
    if kind == 3:
        return clients.sign((payer,), pay(payer, payee, 0, reference))  # dropped
    if kind == 4:
        return clients.sign((payer,), pay(payer, payee, 3, reference), valid_ms=-1)  # stale
    if kind == 5:
        hold = payments.Hold(key(payer).address, shop, ASSET, 500, reference, until)
        post = payments.Post(key(payer).address, reference, 200)
        clients.sign(("shop",), post)  # sent by whoever sends it again
        return clients.sign((payer,), hold)
    if kind == 6:
        return clients.sign(
            ("north",),
            payments.CashIn(key("north").address, key(payer).address, ASSET, 1, reference),
        )
    return clients.sign(
        (payer,),
        pay(payer, payee, random.randint(1, 50), reference),
        valid_ms=random.choice([VALIDITY_MS, 400, 1_500]),
    )


async def live(engine: EmbeddedEngine, clients: Clients, random: Random, rounds: int) -> None:
    """Fund if it is a fresh chain, then let people do things for some rounds.

    Raises:
      Unavailable: the engine stopped.
    """
    if not clients.sent:
        for items in fund(clients):
            await submit(engine, *items)
    waiting = []
    for _ in range(rounds):
        clients.clock_ms += random.choice(CLOCK_STEPS_MS)
        for _ in range(random.choice([1, 1, 2])):
            items = [act(clients, random) for _ in range(random.choice([1, 1, 2, 3]))]
            waiting.append(asyncio.create_task(submit(engine, *items)))
        await asyncio.sleep(random.choice(PAUSES_S))  # while blocks are executed and synced
    for result in await asyncio.gather(*waiting, return_exceptions=True):
        if result is not None:
            raise result


def run_node(
    disk: SimulatedDisk, clients: Clients, random: Random, parts: Parts, rounds: int
) -> None:
    """Open a node, live, close it.

    Raises:
      PowerCutError: the power failed.
      HansaError: it would not open, or stopped.
    """
    chain = open_chain(disk, parts)
    chain.machine.commitment.early_rows = 2  # so that the tree is ahead of its checkpoint often

    async def play() -> None:
        engine = parts.engine(
            chain, InlineVerifier(network()), lambda: clients.clock_ms, block_transactions=4
        )
        engine.listen(clients.note_block)
        engine.start()
        try:
            await live(engine, clients, random, rounds)
        finally:
            try:
                await engine.stop()
            finally:
                chain.close(is_failed=engine.failure is not None)

    SimulatedLoop(random).run(play())


class Auditor:
    """Holds a reopened node to what its clients know."""

    def __init__(self, disk: SimulatedDisk, clients: Clients, random: Random, parts: Parts) -> None:
        self._disk, self._clients, self._random, self._parts = disk, clients, random, parts

    def check(self) -> None:
        """Open the node, look for everything, send everything again, look again.

        Raises:
          AssertionError: something is missing, another one, or there twice.
        """
        chain = open_chain(self._disk, self._parts)
        self._check_told(chain)

        async def send_again() -> None:
            clients = self._clients
            engine = self._parts.engine(chain, InlineVerifier(network()), lambda: clients.clock_ms)
            engine.start()
            clients.ledger_ms = chain.head.time_ms
            used = self._use_again()
            for start in range(0, len(clients.sent), 8):
                await submit(engine, *clients.sent[start : start + 8])
            await engine.stop()
            for item in used:
                error = item.told[-1].error
                assert error is not None, "a nonce was used twice"
                assert error.code == "NONCE_USED"

        SimulatedLoop(self._random).run(send_again())
        self._check_told(chain)
        self._check_once(chain)
        self._check_books(chain)
        chain.close()

    def _use_again(self) -> list[Sent]:
        """Sign other bodies under nonces whose first use was confirmed, and is still valid."""
        clients = self._clients
        confirmed = [
            each
            for each in clients.sent
            if each.until_ms >= clients.now_ms and any(told.receipt for told in each.told)
        ]
        return [
            clients.sign((each.name,), pay("ada", "ben", 1, "again"), nonce=each.nonce)
            for each in confirmed[-3:]
        ]

    def _check_told(self, chain: Chain) -> None:
        """What was told is still so: blocks, receipts, places."""
        for height, header in self._clients.headers.items():
            assert height <= chain.head.height, f"the confirmed block {height} is gone"
            assert chain.get_record(height).header == header, f"block {height} is another one"
        for item in self._clients.sent:
            for told in item.told:
                if told.error is None:
                    found = chain.get_record(told.height).receipts[told.place]
                    assert found == told.receipt, f"the receipt at {told.height} is another one"
                    assert chain.find_position(item.tx_id) == (told.height, told.place)

    def _check_once(self, chain: Chain) -> None:
        """Every envelope has one receipt at most, and all who asked were told the same one."""
        times: dict[bytes, list[int]] = defaultdict(list)
        for record in chain.iterate_records(0):
            time_ms = decode_header(record.header).time_ms
            for raw in record.receipts:
                times[decode_receipt(raw).tx_id].append(time_ms)
        uses: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
        for item in self._clients.sent:
            executed = times[item.tx_id]
            uses[item.name, item.nonce] += [(time_ms, item.until_ms) for time_ms in executed]
            assert len(executed) <= 1, "an envelope was executed twice"
            assert len({told.receipt for told in item.told if told.error is None}) <= 1
            last = item.told[-1].error
            if last is None:
                assert executed
            elif last.code == "EXPIRED":
                assert item.until_ms < chain.head.time_ms
            else:
                assert not executed, f"an executed envelope, sent again, is {last.code}"
        for pairs in uses.values():
            for (_, until_ms), (time_ms, _) in pairwise(sorted(pairs)):
                assert time_ms > until_ms, "a nonce was used again while it was valid"

    def _check_books(self, chain: Chain) -> None:
        """Execution from genesis and books from receipts agree with the chain."""
        chain.flush()
        records = list(chain.iterate_records(0))
        found = verify(records, network(), MemoryStore(), processes=1, signatures=False)
        assert found.findings == []
        rows_height = chain.store.height
        books = audit(records, network(), chain.iterate_rows, rows_height=rows_height)
        assert (books.findings, books.supply_ok) == ([], True)
