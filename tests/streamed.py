"""Two banks that reconcile as entries arrive, over one ledger in memory and a channel of lists."""

from __future__ import annotations

import datetime as dt
import hashlib
import tempfile
from collections import deque
from pathlib import Path

import pyarrow as pa
from tests.unit.contracts.harness import Harness, make_address, make_genesis, make_key, make_member

from hansa.contracts import currency, members
from hansa.contracts.reconciliation import agreements, cases, positions, reconciliation
from hansa.kernel.crypto.hashing import crypto_profile
from hansa.kernel.encoding import encode
from hansa.kernel.genesis import GenesisAsset
from hansa.reconcile.batch.engines import opened_duckdb
from hansa.reconcile.batch.results import hash_window
from hansa.reconcile.batch.running import reconcile
from hansa.reconcile.entries import Entry
from hansa.reconcile.readers.parts import build_batch
from hansa.reconcile.rules.windows import find_window
from hansa.reconcile.stream.disclosure import decode_disclosure
from hansa.reconcile.stream.journal import MemoryJournal
from hansa.reconcile.stream.pair import PairStream, Step
from hansa.reconcile.stream.terms import Pair, Place, Terms, open_terms, write_terms

DIGEST = crypto_profile("sha256").digest
NORTH, SOUTH = make_address("north"), make_address("south")
EPOCH = dt.date(1970, 1, 1)
FROM = dt.date(2026, 3, 2)
FIRST_DAY = (FROM - EPOCH).days
FUNCTIONS = {
    command: function
    for contract in (agreements, cases, reconciliation, positions)
    for command, function in contract.COMMANDS.values()
}

RULES = """
name = "Nostro"

[[sides]]
name = "ours"

[[sides]]
name = "theirs"
sign = -1

[window]
days = 1
from = 2026-03-02

[[passes]]
name = "exact"
kind = "net"
on = ["currency", "amount_minor", "reference"]

[[passes]]
name = "near"
kind = "tolerance"
on = ["currency", "reference"]
amount_minor = 5
days = 2

[[passes]]
name = "parts"
kind = "parts"
on = ["currency"]

[[passes]]
name = "sums"
kind = "sum"
on = ["currency"]
parts_max = 3
"""


def build_terms(rules: str = RULES, assets: tuple[str, ...] = ("MOP",)) -> bytes:
    terms = Terms(1, NORTH, SOUTH, 30, rules.encode(), b"", assets, bytes(range(32)))
    return write_terms(terms, DIGEST)


def build_pair(rules: str = RULES, assets: tuple[str, ...] = ("MOP",)) -> Pair:
    return open_terms(build_terms(rules, assets), DIGEST)


def enter(amount_minor: int, reference: str = "", day: int = 0, **fields) -> Entry:
    """Make an entry of a day, counted from the first of window 0."""
    date = FIRST_DAY + day
    return Entry("acc", "MOP", amount_minor, date, date, reference, **fields)


class HarnessLedger:
    """A ledger of contract functions over a dict; it can be told to fail."""

    def __init__(self, harness: Harness, *signers: str) -> None:
        self._harness = harness
        self._signers = signers
        self.submitted: list[object] = []

    async def find(self, row_type, keys):
        return [self._harness.get(row_type, *key) for key in keys]

    async def find_out(self):
        """Nothing is ever under way."""

    async def submit(self, command):
        self.submitted.append(command)
        self._harness.do(FUNCTIONS[type(command)], command, *self._signers)


class Banks:
    """Both banks, and what is between them."""

    def __init__(self, rules: str = RULES) -> None:
        self.pair = build_pair(rules)
        asset = GenesisAsset("MOP", "MOP", make_address("bank"), "m0", 2)
        named = [
            make_member("bank", "central_bank", "validator", weight=1, keys=[make_key("officer")]),
            *(
                make_member(name, "operator", keys=[make_key(name), make_key(f"{name} 2")])
                for name in ("north", "south")
            ),
        ]
        self.harness = Harness(
            make_genesis(named, assets=[asset]), members.install, currency.install
        )
        self.harness.do(agreements.propose, self.pair.propose(NORTH), "north")
        accept = agreements.Accept(self.pair.agreement, SOUTH)
        self.harness.do(agreements.accept, accept, "south")
        self.inboxes = deque(), deque()
        self.journals = MemoryJournal(), MemoryJournal()
        self.ledgers = HarnessLedger(self.harness, "north"), HarnessLedger(self.harness, "south")
        self.streams = tuple(self.open(place) for place in Place)

    def open(self, place: Place) -> PairStream:
        """Open a bank's stream, as after its process was killed."""
        inbox = self.inboxes[place.other]

        async def send(disclosure):
            inbox.append(encode(disclosure))

        return PairStream(
            self.pair,
            place,
            self.journals[place],
            self.ledgers[place],
            send,
            lambda window, number: hashlib.sha256(f"{place} {window} {number}".encode()).digest(),
        )

    async def deliver(self, place: Place) -> None:
        """Hand over what came for a bank."""
        inbox = self.inboxes[place]
        while inbox:
            await self.streams[place].receive(decode_disclosure(inbox[0]))
            inbox.popleft()

    async def settle_down(self) -> None:
        """Take steps until neither bank has one to take."""
        idle = 0
        while idle < 2:
            idle += 1
            for place in Place:
                await self.deliver(place)
                while await self.streams[place].step() is Step.DONE:
                    idle = 0

    def complete(self, window: int) -> None:
        """Have both say that all below a window is added."""
        for stream in self.streams:
            stream.complete(window)

    def find_window(self, number: int):
        return self.harness.get(reconciliation.Window, self.pair.agreement, number)


def reconcile_windows(pair: Pair, left: list[Entry], right: list[Entry], windows: int):
    """Reconcile in batch, window after window; yields the hash of each, and its breaks."""
    carried: list[list[Entry]] = [[], []]
    for number in range(windows):
        sides = [
            [
                *carried[place],
                *(
                    each
                    for each in entries
                    if find_window(pair.window, each.booking_date, each.value_date) == number
                ),
            ]
            for place, entries in enumerate((left, right))
        ]
        with (
            tempfile.TemporaryDirectory() as folder,
            opened_duckdb(Path(folder), threads=1, memory_mb=256) as engine,
        ):
            tables = [engine.add(build_table(side)) for side in sides]
            found = reconcile(engine, *tables, book=pair.book, sides=pair.sides)
            pairs = engine.fetch(found.pairs.count().as_table())[0][0].as_py()
        carried = [
            [
                side[rest.rows[place]]
                for each in found.breaks
                for place in (each.left if at == 0 else each.right)
            ]
            for at, (side, rest) in enumerate(zip(sides, found.rest, strict=True))
        ]
        kinds = sorted(each.kind.value for each in found.breaks)
        yield hash_window(found, pairs), pairs, kinds


def build_table(entries: list[Entry]) -> pa.Table:
    table = pa.Table.from_batches([build_batch(entries)])
    table = table.append_column("source", pa.array([0] * len(entries), pa.int32()))
    return table.append_column("row", pa.array(range(len(entries)), pa.int64()))
