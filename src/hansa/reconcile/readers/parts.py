"""Parts made of entries one by one, as most readers find them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import starmap
from typing import Any

import pyarrow as pa

from hansa.reconcile.entries import (
    RAW_MAX,
    SCHEMA,
    Entry,
    Fault,
    Finding,
    Part,
    Severity,
    Statement,
    Status,
)

ENTRIES_MAX = 8_192
"""Of a part."""
SIZE_MAX = 4_194_304
"""Of what a part is made of, as its reader counts it: few entries with very long texts fill one."""
FINDINGS_MAX = 1_000
"""Of a part: a file of nothing but nonsense is told a part at a time, too."""


class PartBuilder:
    """Gathers what a reader finds; `take` gives a part once there is enough, `finish` the rest.

    It counts and sums the entries of the statement that is open, of which it knows no more.
    """

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._statements: list[Statement] = []
        self._findings: list[Finding] = []
        self._size = 0
        self.entries = 0
        """Of the open statement, so far."""
        self.booked_minor = 0
        """Sum of those that are booked."""
        self.statement = 0
        """Number of the open statement, from 0, which `Entry.statement` has."""

    def add_entry(self, entry: Entry) -> None:
        """Add an entry to the open statement, whose number it gets."""
        self._entries.append(entry._replace(statement=self.statement))
        self.entries += 1
        if entry.status is Status.BOOKED:
            self.booked_minor += entry.amount_minor

    def end_statement(self, statement: Statement) -> None:
        """End the open statement, whose count and sum it gets; the next entry begins another."""
        self._statements.append(
            statement._replace(entries=self.entries, booked_minor=self.booked_minor)
        )
        self.entries = self.booked_minor = 0
        self.statement += 1

    def add_finding(self, finding: Finding) -> None:
        """Add a finding, what could not be read shortened."""
        self._findings.append(finding._replace(raw=finding.raw[:RAW_MAX]))

    def report(self, fault: Fault, line: int, field: str, text: str, raw: str = "") -> None:
        """Report an entry, or the frame of a statement, that cannot be read."""
        self.add_finding(Finding(Severity.ERROR, fault, line, field, text, raw))

    def warn(self, fault: Fault, line: int, field: str, text: str) -> None:
        """Report what leaves no entry out."""
        self.add_finding(Finding(Severity.WARNING, fault, line, field, text))

    def take(self, size: int = 0) -> Iterator[Part]:
        """Give a part if enough has come together; `size` is of what was read since the last."""
        self._size += size
        if (
            len(self._entries) >= ENTRIES_MAX
            or len(self._findings) >= FINDINGS_MAX
            or self._size > SIZE_MAX
        ):
            yield from self.finish()

    def finish(self) -> Iterator[Part]:
        """Give what is left, if anything is."""
        self._size = 0
        if self._entries or self._statements or self._findings:
            yield Part(build_batch(self._entries), tuple(self._statements), tuple(self._findings))
            self._entries, self._statements, self._findings = [], [], []


def build_batch(entries: Sequence[Entry]) -> pa.RecordBatch:
    """Build a batch of entries, in their order."""
    columns: Sequence[Sequence[Any]] = list(zip(*entries, strict=True)) or [()] * len(SCHEMA)
    arrays = starmap(pa.array, zip(columns, (field.type for field in SCHEMA), strict=True))
    return pa.RecordBatch.from_arrays(list(arrays), schema=SCHEMA)


def read_entries(batch: pa.RecordBatch) -> list[Entry]:
    """Read the entries of a batch again, dates as days."""
    columns = []
    for field, column in zip(SCHEMA, batch.columns, strict=True):
        is_date = pa.types.is_date(field.type)
        columns.append((column.cast(pa.int32()) if is_date else column).to_pylist())
    return [
        entry._replace(status=Status(entry.status))
        for entry in starmap(Entry, zip(*columns, strict=True))
    ]
