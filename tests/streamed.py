"""Two banks that reconcile as entries arrive, over one ledger in memory and a channel of lists."""

from __future__ import annotations

import datetime as dt
import hashlib
import tempfile
from collections import deque
from pathlib import Path

import pyarrow.parquet as pq
from tests.reconciled import make_side
from tests.unit.contracts.harness import Harness, make_address, make_genesis, make_key, make_member

from hansa.contracts import currency, members
from hansa.contracts.reconciliation import agreements, cases, positions, reconciliation
from hansa.kernel.crypto.hashing import crypto_profile
from hansa.kernel.encoding import encode
from hansa.kernel.genesis import GenesisAsset
from hansa.reconcile.batch.engines import opened_duckdb
from hansa.reconcile.batch.results import hash_even, hash_window
from hansa.reconcile.batch.windows import carrying as batch
from hansa.reconcile.batch.windows.parting import part_side
from hansa.reconcile.entries import NORMALISED, Entry
from hansa.reconcile.rules.cut_offs import CutOff
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

[[passes]]
name = "cancelled"
kind = "net_zero"
on = ["currency"]
by = "amount"
"""


def build_terms(rules: str = RULES, assets: tuple[str, ...] = ("MOP",)) -> bytes:
    terms = Terms(1, NORTH, SOUTH, 30, rules.encode(), b"", assets, bytes(range(32)))
    return write_terms(terms, DIGEST)


def build_pair(rules: str = RULES, assets: tuple[str, ...] = ("MOP",)) -> Pair:
    return open_terms(build_terms(rules, assets), DIGEST)


def enter(amount_minor: int, reference: str = "", day: int | None = 0, **fields) -> Entry:
    """Make an entry of a day, counted from the first of window 0."""
    date = None if day is None else FIRST_DAY + day
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


def reconcile_windows(pair: Pair, left: list[Entry], right: list[Entry]):
    """Reconcile in batch, up to the last window that has entries; yields what each came to.

    That is its hash, how many pairs its first pass matched, and the classes of its breaks.
    """
    assert pair.window is not None
    none = NORMALISED.empty_table()
    with (
        tempfile.TemporaryDirectory() as folder,
        opened_duckdb(Path(folder), threads=1, memory_mb=256) as engine,
    ):
        parted = []
        for entries, side in zip((left, right), pair.sides, strict=True):
            path = Path(folder) / f"{side.name}.parquet"
            pq.write_table(make_side(entries), path)
            parts = Path(folder) / side.name
            placed = CutOff(pair.book.calendar).express(engine.read(path))
            parted.append(part_side(engine, placed, side, pair.window, parts))
        number = 0
        for each in batch.reconcile_windows(
            engine, tuple(parted), (none, none), (pair.book, None), few_max=0
        ):
            while number < each.number:
                yield hash_even(0), 0, []
                number += 1
            pairs = engine.fetch(each.found.pairs.count().as_table())[0][0].as_py()
            kinds = sorted(one.kind.value for one in each.found.breaks)
            while number <= each.through:
                yield hash_window(each.found, pairs), pairs, kinds
                number += 1
