"""The audit: all balances and the supply, rebuilt from receipts alone.

It shares no code with the contracts. Every event's first field lists balance deltas
(ledger, owner, asset, amount, balance after, position of the change before); the audit keeps its
own books from them and holds each delta, each block and the state's rows against those books.

Memory grows with the balances and, by about 150 bytes each, with the transactions, whose ids
are remembered so that none counts twice.

Source: docs/reference/audit.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from hansa.engine.chain import ROW_SPACE
from hansa.engine.log import BlockReader
from hansa.engine.snapshots.beginning import Base, open_base
from hansa.engine.store import StateStore
from hansa.kernel.block import (
    POSITION_MASK,
    POSITION_SHIFT,
    BlockRecord,
    Header,
    compute_position,
    decode_header,
    read_tx_id,
)
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.encoding import DECODE_ERRORS, tell_fault
from hansa.kernel.errors import Invalid, NotFound
from hansa.kernel.genesis import Network
from hansa.kernel.light.coverage import Coverage
from hansa.kernel.trees.merkle import compute_root
from hansa.kernel.values import Hash
from hansa.node.records import find_seal_fault, iterate_records, open_log

FINDINGS_MAX = 100
"""Findings kept; more are counted only."""

SUPPLY = "issued"
STOCKS = ("vault", "wallet", "held")

IterateRows = Callable[[bytes], Iterable[tuple[bytes, bytes]]]
Progress = Callable[[int], None]


class _Delta(msgspec.Struct, frozen=True, array_like=True, gc=False):
    ledger: str
    owner: bytes
    asset: str
    amount: int
    after: int
    previous: int


class _Fields(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Of an event; the fields behind the first one are not read."""

    deltas: list[_Delta]


class _Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    contract: str
    name: str
    fields: _Fields


class _Receipt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    tx_id: Hash
    status: int
    code: str
    call: int
    events: list[_Event]


_decode_receipt = msgspec.msgpack.Decoder(_Receipt).decode
_decode_row = msgspec.msgpack.Decoder(list[Any]).decode

_SLOTS = {"wallet": 0, "held": 1, "vault": 0, SUPPLY: 0}
_LAST = 2
_KINDS = {"wallet": "wallet", "held": "wallet", "vault": "vault", SUPPLY: SUPPLY}
"""Ledgers whose balances stand in one row, and so share one thread of `previous` positions."""

Account = list[int]
"""Balance, held balance (wallets only), position of the last change."""


@dataclass(slots=True)
class AuditReport:
    """What an audit found."""

    blocks: int = 0
    transactions: int = 0
    height: int = -1
    base_height: int | None = None
    """Of the snapshot whose rows the books begin with; None for genesis."""
    base_hash: str | None = None
    """Of that snapshot's last header."""
    rows_height: int | None = None
    """The block whose rows of the state were compared; None if none were."""
    voted_height: int | None = None
    """Of the newest block that validators are known to have signed; None where none is."""
    without_store: Path | None = None
    """Of a folder that has no store: where it would be."""
    supply_ok: bool = True
    finding_count: int = 0
    findings: list[str] = field(default_factory=list)
    assets: dict[str, dict[str, int]] = field(default_factory=dict)
    """Per asset: issued, vault, wallet and held, in minor units."""

    @property
    def audit_ok(self) -> bool:
        """Whether nothing was found."""
        return self.finding_count == 0

    def find(self, text: str) -> None:
        """Note a finding."""
        self.finding_count += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(text)

    def describe_rows(self) -> str:
        """Say which rows of the state were not compared; empty if all were."""
        if self.without_store is not None:
            return (
                "Receipts alone were audited, no rows of the state: there is no store in "
                f"{self.without_store}. The node makes it from the log when it starts."
            )
        if self.rows_height is None:
            return "Receipts alone were audited, no rows of the state: --data compares those, too."
        if self.rows_height < self.height:
            return (
                f"The state's rows were compared as of block {self.rows_height}, where the store "
                f"stands; what blocks {self.rows_height + 1} to {self.height} changed in them was "
                "not. A node that runs, or was killed, writes them later; one that was stopped in "
                "good order leaves less than a second of ledger time."
            )
        return ""

    def to_json(self) -> dict[str, Any]:
        """Build the object that `--json` prints; amounts are decimal strings of minor units."""
        return {
            "audit_ok": self.audit_ok,
            "supply_ok": self.supply_ok,
            "blocks": self.blocks,
            "transactions": self.transactions,
            "height": self.height,
            "base_height": self.base_height,
            "base_hash": self.base_hash,
            "rows_height": self.rows_height,
            "voted_height": self.voted_height,
            "assets": {
                asset: {ledger: str(minor) for ledger, minor in totals.items()}
                for asset, totals in self.assets.items()
            },
            "finding_count": self.finding_count,
            "findings": self.findings,
        }


class Auditor:
    """Keeps books from receipts, block by block."""

    def __init__(self, network: Network) -> None:
        self.report = AuditReport()
        self._network = network
        self._books: dict[str, dict[tuple[bytes, str], Account]] = {
            kind: {} for kind in set(_KINDS.values())
        }
        self._totals: dict[str, dict[str, int]] = {}
        self._gaps: dict[str, int] = {}
        self._told_gaps: dict[str, int] = {}
        self._seen: set[bytes] = set()
        self._head_hash = ZERO_HASH
        self._time_ms = 0

    def begin_from(self, base: Base) -> None:
        """Begin the books with the rows of a base; what they came from is not audited."""
        report, head = self.report, base.head
        report.height = report.base_height = head.height
        prefix = self._network.header_prefix
        self._head_hash, self._time_ms = self._network.digest(prefix + head.encoded()), head.time_ms
        report.base_hash = self._head_hash.hex()
        for record in iterate_records(base.log):
            self._seen.update(map(read_tx_id, record.receipts))
        for table, kind, read in _TABLES:
            for _, raw in base.store.iterate_prefix(ROW_SPACE + table):
                owner, asset, account = read(_decode_row(raw))
                self._books[kind][owner, asset] = account
                totals = self._open_totals(asset)
                for ledger, slot in _SLOTS.items():
                    if _KINDS[ledger] == kind:
                        totals[ledger] += account[slot]
                        gap = account[slot]
                        self._gaps[asset] += -gap if ledger == SUPPLY else gap
        self._tell_gaps(compute_position(head.height, 0))

    def _open_totals(self, asset: str) -> dict[str, int]:
        totals = self._totals.get(asset)
        if totals is None:
            totals = self._totals[asset] = dict.fromkeys((SUPPLY, *STOCKS), 0)
            self._gaps[asset] = 0
        return totals

    def take_block(self, record: BlockRecord) -> None:
        """Audit one block; blocks come in order, from genesis on."""
        report = self.report
        try:
            header = decode_header(record.header)
        except Invalid as error:
            report.find(f"the block after {report.height}: {error.message}")
            return
        height = header.height
        self._take_header(header, record)
        report.height = height
        report.blocks += 1
        for index, raw in enumerate(record.receipts):
            self._take_receipt(raw, compute_position(height, index))

    def finish(self) -> AuditReport:
        """Close the books."""
        self.report.assets = {asset: dict(totals) for asset, totals in self._totals.items()}
        return self.report

    def compare_rows(self, iterate_rows: IterateRows) -> None:
        """Hold the state's rows, as of the last audited block, against the books.

        Fields by place: `wb` balance (wallet 0, asset 1, available 2, held 3, previous 8), `cv`
        vault (operator 0, asset 1, balance 2, previous 5), `cy` asset (asset 0, issuer 2, issued
        5, previous 6).
        """
        self.report.rows_height = self.report.height
        for table, kind, read in _TABLES:
            book = self._books[kind]
            missing = set(book)
            for key, raw in iterate_rows(table):
                try:
                    owner, asset, account = read(_decode_row(raw))
                except (*DECODE_ERRORS, IndexError) as error:
                    self.report.find(f"the row {key.hex()} cannot be read: {tell_fault(error)}")
                    continue
                missing.discard((owner, asset))
                booked = book.get((owner, asset), [0, 0, 0])
                if booked != account:
                    self.report.find(
                        f"{kind} of {owner.hex()} in {asset}: the state's row says "
                        f"{_describe(account)}, the receipts say {_describe(booked)}"
                    )
            for owner, asset in sorted(missing):
                self.report.find(f"{kind} of {owner.hex()} in {asset} has no row in the state")

    def _take_header(self, header: Header, record: BlockRecord) -> None:
        report, digest, height = self.report, self._network.digest, header.height
        if height != report.height + 1:
            report.find(f"block {height} follows block {report.height}: blocks are missing")
        if header.previous_hash != self._head_hash:
            report.find(f"block {height} does not name the block before it")
        if header.time_ms < self._time_ms:
            report.find(f"block {height} is older than the block before it")
        if header.tx_count != len(record.receipts):
            report.find(
                f"block {height} counts {header.tx_count} transactions but has "
                f"{len(record.receipts)} receipts"
            )
        if compute_root(record.receipts, digest) != header.receipt_root:
            report.find(f"block {height}: its receipts do not have the root in its header")
        fault = find_seal_fault(self._network, record)
        if fault:
            report.find(f"block {height} {fault}")
        self._head_hash = digest(self._network.header_prefix + record.header)
        self._time_ms = header.time_ms

    def _take_receipt(self, raw: bytes, position: int) -> None:
        report = self.report
        report.transactions += 1
        try:
            receipt = _decode_receipt(raw)
        except DECODE_ERRORS as error:
            report.find(f"{_place(position)}: the receipt cannot be read: {tell_fault(error)}")
            return
        seen = self._seen
        count = len(seen)
        seen.add(receipt.tx_id)
        if len(seen) == count:
            report.find(f"{_place(position)}: {receipt.tx_id.hex()} was there before")
        if receipt.status and receipt.events:
            report.find(f"{_place(position)}: a transaction that was refused has events")
        if bool(receipt.status) != bool(receipt.code):
            report.find(f"{_place(position)}: status and code do not agree")
        for event in receipt.events:
            self._take_event(event, position)
        if any(self._gaps.values()) or self._told_gaps:
            self._tell_gaps(position)

    def _take_event(self, event: _Event, position: int) -> None:
        touched = []
        for delta in event.fields.deltas:
            ledger, asset, amount = delta.ledger, delta.asset, delta.amount
            if ledger not in _KINDS:
                self.report.find(f"{_place(position)}: there is no ledger {ledger!r}")
                continue
            book = self._books[_KINDS[ledger]]
            key = (delta.owner, asset)
            account = book.get(key)
            if account is None:
                account = book[key] = [0, 0, 0]
            slot = _SLOTS[ledger]
            balance = account[slot] + amount
            if balance != delta.after or balance < 0 or delta.previous != account[_LAST]:
                self._tell_delta(delta, balance, account[_LAST], position)
            account[slot] = balance
            touched.append(account)
            totals = self._totals.get(asset) or self._open_totals(asset)
            totals[ledger] += amount
            self._gaps[asset] += -amount if ledger == SUPPLY else amount
        for account in touched:
            account[_LAST] = position

    def _tell_delta(self, delta: _Delta, balance: int, last: int, position: int) -> None:
        what = f"{_place(position)}: {delta.ledger} of {delta.owner.hex()} in {delta.asset}"
        if balance != delta.after:
            self.report.find(
                f"{what} comes to {balance} by the receipts, to {delta.after} by its event"
            )
        if balance < 0:
            self.report.find(f"{what} falls below zero, to {balance}")
        if delta.previous != last:
            self.report.find(
                f"{what} names {_place(delta.previous)} as its change before, which was "
                f"{_place(last)}"
            )

    def _tell_gaps(self, position: int) -> None:
        """Tell of assets whose money does not add up, once each time that the gap changes."""
        for asset, gap in self._gaps.items():
            if gap != self._told_gaps.get(asset, 0):
                self.report.supply_ok = False
                self.report.find(
                    f"{_place(position)}: {asset}: vaults, wallets and holds come to {gap} more "
                    "than was issued"
                )
                self._told_gaps[asset] = gap


def audit(  # noqa: PLR0913 - what is audited, by keyword
    records: Iterable[BlockRecord],
    network: Network,
    iterate_rows: IterateRows | None = None,
    *,
    rows_height: int | None = None,
    progress: Progress | None = None,
    coverage: Coverage | None = None,
    base: Base | None = None,
) -> AuditReport:
    """Audit a chain, from genesis or a base; goes on after a finding.

    Args:
      records: all blocks in order, or all behind the base.
      network: the network they belong to.
      iterate_rows: reads the state's rows by key prefix; without it only receipts are audited.
      rows_height: the block after which the rows stand; the last one if not given.
      progress: called with each height.
      coverage: of the votes that are shown, where validators vote; what it finds is told, too.
      base: a snapshot that was proved, built, whose rows are taken for right.
    """
    auditor = Auditor(network)
    report = auditor.report
    if base is not None:
        auditor.begin_from(base)
        if coverage is not None:
            coverage.look(base.head.encoded())
        if iterate_rows is not None and report.height == rows_height:
            auditor.compare_rows(iterate_rows)
    for record in records if coverage is None else coverage.watch(records):
        auditor.take_block(record)
        if iterate_rows is not None and report.height == rows_height:
            auditor.compare_rows(iterate_rows)
        if progress is not None:
            progress(report.height)
    if iterate_rows is not None and report.rows_height is None:
        if rows_height is None:
            auditor.compare_rows(iterate_rows)
        else:
            report.find(f"the state stands at block {rows_height}, which the log does not confirm")
    if coverage is not None:
        report.voted_height = coverage.voted_height
        for text in coverage.list_findings():
            report.find(text)
    return auditor.finish()


def audit_folder(
    log_folder: Path,
    store_folder: Path,
    network: Network,
    progress: Progress | None = None,
    coverage: Coverage | None = None,
) -> AuditReport:
    """Audit the log and the state of a node that runs or is stopped; executes nothing.

    Where its first blocks are not kept, the books begin with the oldest snapshot that is. For
    `coverage` see `audit`.

    Raises:
      NotFound: there is no log.
      Corrupt: a block or the store cannot be read; names the height.
    """
    with ExitStack() as undo:
        store = _open_store(store_folder)
        if store is not None:
            undo.callback(store.close)
        reader = open_log(log_folder)
        undo.callback(reader.close)
        base, first = None, 0
        if reader.height_min > 0:
            folder = log_folder.parent / "snapshots"
            base = undo.enter_context(open_base(folder, reader.height_min, network))
            first = base.head.height + 1
        records = iterate_records(reader, first)
        if store is None or store.height < max(0, first - 1):
            report = audit(records, network, progress=progress, coverage=coverage, base=base)
            report.without_store = store_folder
            return report

        def iterate_rows(prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
            return store.iterate_prefix(ROW_SPACE + prefix)

        return audit(
            chain(records, _iterate_newer(reader, store.height)),
            network,
            iterate_rows,
            rows_height=store.height,
            progress=progress,
            coverage=coverage,
            base=base,
        )


def _open_store(folder: Path) -> StateStore | None:
    try:
        return StateStore.open_read_only(folder)
    except NotFound:
        return None


def _iterate_newer(reader: BlockReader, height: int) -> Iterator[BlockRecord]:
    """Yield what was confirmed meanwhile, if the state was already ahead of it."""
    known = reader.height_max
    if known < height:
        reader.refresh()
        yield from iterate_records(reader, known + 1)


def _read_balance(row: Any) -> tuple[bytes, str, Account]:  # noqa: ANN401 - any row at all
    return row[0], row[1], [row[2], row[3], row[8]]


def _read_vault(row: Any) -> tuple[bytes, str, Account]:  # noqa: ANN401
    return row[0], row[1], [row[2], 0, row[5]]


def _read_asset(row: Any) -> tuple[bytes, str, Account]:  # noqa: ANN401
    return row[2], row[0], [row[5], 0, row[6]]


_TABLES = (
    (b"wb", "wallet", _read_balance),
    (b"cv", "vault", _read_vault),
    (b"cy", SUPPLY, _read_asset),
)


def _describe(account: Account) -> str:
    balance, held, last = account
    return f"{balance} and {held} held, last changed at {_place(last)}"


def _place(position: int) -> str:
    return f"{position >> POSITION_SHIFT}/{position & POSITION_MASK}"
