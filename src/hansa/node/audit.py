"""The audit: all balances and the supply, rebuilt from receipts alone.

It shares no code with the contracts. Every event's first field lists balance deltas
(ledger, owner, asset, amount, balance after, position of the change before); the audit keeps its
own books from them and holds each delta, each block and the end state against those books.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from hansa.kernel.block import BlockRecord, compute_position, decode_header
from hansa.kernel.genesis import Network
from hansa.kernel.trees.merkle import compute_root

FINDINGS_MAX = 100
"""Findings kept; more are counted only."""

STOCKS = ("vault", "wallet", "held")
SUPPLY = "issued"

Book = dict[tuple[str, bytes, str], tuple[int, int]]
"""(ledger, owner, asset) -> (balance in minor units, position of the last change)."""

_decode_receipt = msgspec.msgpack.Decoder(tuple[bytes, int, str, int, list[Any]]).decode
_decode_row = msgspec.msgpack.Decoder(list[Any]).decode


@dataclass(slots=True)
class AuditReport:
    """What an audit found."""

    blocks: int = 0
    transactions: int = 0
    height: int = -1
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

    def to_json(self) -> dict[str, Any]:
        """Build the object that `--json` prints."""
        return {
            "audit_ok": self.audit_ok,
            "supply_ok": self.supply_ok,
            "blocks": self.blocks,
            "transactions": self.transactions,
            "height": self.height,
            "assets": self.assets,
            "finding_count": self.finding_count,
            "findings": self.findings,
        }


class Auditor:
    """Keeps books from receipts, block by block, in memory of the balances alone."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._book: Book = {}
        self._totals: dict[str, dict[str, int]] = defaultdict(
            lambda: dict.fromkeys((SUPPLY, *STOCKS), 0)
        )
        self._previous_hash: bytes | None = None
        self.report = AuditReport()

    def take_block(self, record: BlockRecord) -> None:
        """Audit one block; blocks come in order, from genesis on."""
        report = self.report
        header = decode_header(record.header)
        height = header.height
        if height != report.height + 1:
            report.find(f"block {height} follows block {report.height}: blocks are missing")
        if self._previous_hash is not None and header.previous_hash != self._previous_hash:
            report.find(f"block {height} does not name the block before it")
        digest = self._network.digest
        self._previous_hash = digest(self._network.header_prefix + record.header)
        if compute_root(record.receipts, digest) != header.receipt_root:
            report.find(f"block {height}: its receipts have not the root in its header")
        report.height = height
        report.blocks += 1
        for index, raw in enumerate(record.receipts):
            self._take_receipt(raw, compute_position(height, index))
        for asset, totals in self._totals.items():
            if totals[SUPPLY] != totals["vault"] + totals["wallet"] + totals["held"]:
                report.supply_ok = False
                report.find(f"block {height}: {asset}: issued is not what is in circulation")

    def finish(self) -> AuditReport:
        """Close the books."""
        self.report.assets = {asset: dict(totals) for asset, totals in self._totals.items()}
        return self.report

    def compare_rows(self, iterate_rows: Callable[[bytes], Iterable[tuple[bytes, bytes]]]) -> None:
        """Hold the rows of the state, as of the last audited block, against the books.

        Fields by position: balance (wallet, asset, free, held, …), vault (operator, asset,
        balance, …), asset (asset, currency, issuer, regime, exponent, issued, …).
        """
        seen = set()
        for _, raw in iterate_rows(b"wb"):
            owner, asset, free, held = _decode_row(raw)[:4]
            seen |= {("wallet", owner, asset), ("held", owner, asset)}
            self._compare("wallet", owner, asset, free)
            self._compare("held", owner, asset, held)
        for _, raw in iterate_rows(b"cv"):
            owner, asset, balance = _decode_row(raw)[:3]
            seen.add(("vault", owner, asset))
            self._compare("vault", owner, asset, balance)
        for _, raw in iterate_rows(b"cy"):
            row = _decode_row(raw)
            seen.add((SUPPLY, row[2], row[0]))
            self._compare(SUPPLY, row[2], row[0], row[5])
        for key, (balance, _) in self._book.items():
            if balance and key not in seen:
                self.report.find(f"{key[0]} of {key[1].hex()} in {key[2]} has no row")

    def _compare(self, ledger: str, owner: bytes, asset: str, balance: int) -> None:
        booked = self._book.get((ledger, owner, asset), (0, 0))[0]
        if booked != balance:
            self.report.find(
                f"{ledger} of {owner.hex()} in {asset}: the state says {balance}, the receipts "
                f"say {booked}"
            )

    def _take_receipt(self, raw: bytes, position: int) -> None:
        _, status, _, _, events = _decode_receipt(raw)
        self.report.transactions += 1
        if status and events:
            self.report.find(f"position {position}: a refused transaction has events")
        for event in events:
            for delta in event[2][0]:
                self._take_delta(delta, position)

    def _take_delta(self, delta: list[Any], position: int) -> None:
        ledger, owner, asset, amount, after, previous = delta
        key = (ledger, owner, asset)
        balance, last = self._book.get(key, (0, 0))
        balance += amount
        self._book[key] = (balance, position)
        self._totals[asset][ledger] += amount
        if balance != after or balance < 0:
            self.report.find(
                f"position {position}: {ledger} of {owner.hex()} in {asset} is {balance} by the "
                f"receipts, {after} by its event"
            )
        if last and previous < last:
            self.report.find(
                f"position {position}: {ledger} of {owner.hex()} points past its last change"
            )


def audit(
    records: Iterable[BlockRecord],
    network: Network,
    iterate_rows: Callable[[bytes], Iterable[tuple[bytes, bytes]]] | None = None,
) -> AuditReport:
    """Audit a chain from genesis.

    Args:
      records: all blocks, in order, up to the one whose rows `iterate_rows` gives.
      network: the network they belong to.
      iterate_rows: reads the state's rows by key prefix; without it only receipts are audited.
    """
    auditor = Auditor(network)
    for record in records:
        auditor.take_block(record)
    if iterate_rows is not None:
        auditor.compare_rows(iterate_rows)
    return auditor.finish()
