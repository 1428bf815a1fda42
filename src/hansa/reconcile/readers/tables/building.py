"""From rows of a table to parts: entries, a finding for each row that is none, one statement."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from collections.abc import Mapping as Dictionary

import pyarrow as pa
import pyarrow.compute as pc

from hansa.kernel.values import INT64_MAX
from hansa.reconcile.entries import (
    RAW_MAX,
    SCHEMA,
    Fault,
    Finding,
    Kind,
    Part,
    Severity,
    Statement,
    Status,
)
from hansa.reconcile.readers.parts import FINDINGS_MAX
from hansa.reconcile.readers.tables.converting import Converter
from hansa.reconcile.readers.tables.mapping import Column, Mapping

RAW_CELL_MAX = 200

NO_ENTRIES = pa.RecordBatch.from_arrays(
    [pa.array([], field.type) for field in SCHEMA], schema=SCHEMA
)

DescribeRow = Callable[[int], str]
"""Gives a row as it stands in the file, by its index within those that were given."""


class TableBuilder:
    """Gathers what is read of one table, which is one statement, of kind list."""

    def __init__(self, mapping: Mapping) -> None:
        self._converter = Converter(mapping)
        self._is_booked = mapping.constants.get("status", Status.BOOKED) == Status.BOOKED
        self._accounts = Sole(mapping.constants.get("account"))
        self._currencies = Sole(mapping.constants.get("currency"))
        self._entries = self._booked_minor = 0
        self._findings: list[Finding] = []

    def add_rows(
        self,
        columns: Dictionary[Column, pa.Array],
        lines: pa.Array,
        describe: DescribeRow,
    ) -> Iterator[Part]:
        """Add rows: the mapping's columns, simplified, and where each row stands."""
        entries, bad = self._converter.convert(columns, lines)
        for row in bad:
            line = lines[row.place].as_py()
            self.report(row.fault, line, row.column, row.text, describe(row.place))
        if entries.num_rows:
            self._tally(entries)
        yield from self._give(entries)

    def report(self, fault: Fault, line: int, column: str, text: str, raw: str = "") -> None:
        """Report a row that cannot be read."""
        self._findings.append(Finding(Severity.ERROR, fault, line, column, text, raw[:RAW_MAX]))

    def warn(self, fault: Fault, line: int, text: str) -> None:
        """Report what leaves no entry out."""
        self._findings.append(Finding(Severity.WARNING, fault, line, "", text))

    @property
    def is_full(self) -> bool:
        """Whether findings enough for a part have come together."""
        return len(self._findings) >= FINDINGS_MAX

    def take_findings(self) -> Iterator[Part]:
        """Give the findings that have come together."""
        yield from self._give(NO_ENTRIES)

    def finish(self, line: int = 1) -> Iterator[Part]:
        """Give what is left, and the statement."""
        yield from self._give(NO_ENTRIES)
        is_one = not self._currencies.is_mixed
        statement = Statement(
            Kind.LIST,
            self._accounts.value,
            self._currencies.value,
            entries=self._entries,
            booked_minor=self._booked_minor if is_one else 0,
            line=line,
        )
        yield Part(NO_ENTRIES, (statement,))

    def _tally(self, entries: pa.RecordBatch) -> None:
        self._entries += entries.num_rows
        if self._is_booked:
            self._booked_minor += sum_exactly(entries.column("amount_minor"))
        self._accounts.look(entries.column("account"))
        was_mixed = self._currencies.is_mixed
        other_at = self._currencies.look(entries.column("currency"))
        if self._currencies.is_mixed and not was_mixed:
            other = entries.column("currency")[other_at].as_py()
            self._findings.append(
                Finding(
                    Severity.WARNING,
                    Fault.CURRENCY,
                    entries.column("line")[other_at].as_py(),
                    "currency",
                    f"{other} after rows of another currency: the table mixes currencies, each of "
                    "which is matched apart; name the right column if that is not meant",
                )
            )

    def _give(self, entries: pa.RecordBatch) -> Iterator[Part]:
        findings, self._findings = self._findings, []
        first, rest = findings[:FINDINGS_MAX], findings[FINDINGS_MAX:]
        if entries.num_rows or first:
            yield Part(entries, (), tuple(first))
        for start in range(0, len(rest), FINDINGS_MAX):
            yield Part(NO_ENTRIES, (), tuple(rest[start : start + FINDINGS_MAX]))


class Sole:
    """The one value of a column, as long as it has no other."""

    def __init__(self, constant: str | None) -> None:
        self._constant = constant
        self._found: str | None = constant
        self.is_mixed = False

    @property
    def value(self) -> str:
        """The value; empty if there are several, or none."""
        return "" if self.is_mixed or self._found is None else self._found

    def look(self, column: pa.Array) -> int:
        """Look at more values, of which there is one at least.

        Returns:
          The index of the first that is another, else -1.
        """
        if self._constant is not None or self.is_mixed:
            return -1
        if self._found is None:
            self._found = column[0].as_py()
        index = int(pc.index(pc.not_equal(column, self._found), True).as_py())
        self.is_mixed = index >= 0
        return index


def sum_exactly(column: pa.Array) -> int:
    """Sum int64 values, of which there is one at least; Arrow's own sum wraps around."""
    ends = pc.min_max(column)
    most = max(abs(ends["min"].as_py()), abs(ends["max"].as_py()))
    if most * len(column) <= INT64_MAX:
        return int(pc.sum(column).as_py())
    return int(pc.sum(column.cast(pa.decimal128(38))).as_py())


def describe_cells(cells: Dictionary[str, str | None]) -> str:
    """Write a row of cells by their columns' names, as JSON, long ones shortened."""
    shortened = {name: value and value[:RAW_CELL_MAX] for name, value in cells.items()}
    return json.dumps(shortened, ensure_ascii=False)[:RAW_MAX]
