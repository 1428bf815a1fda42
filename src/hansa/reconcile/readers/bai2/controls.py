"""Control totals: how much and how many a trailer says, against what was read.

Source: BAI Cash Management Balance Reporting Specifications, version 2, records 49, 98 and 99: the
total is the algebraic sum of all amounts in the account's records 03 and 16, or of the totals
below; records are physical ones, header, continuations and trailer with them.
"""

from __future__ import annotations

from dataclasses import dataclass

from hansa.reconcile.entries import Fault
from hansa.reconcile.readers.bai2.details import parse_minor
from hansa.reconcile.readers.bai2.records import Record
from hansa.reconcile.readers.fields import FieldError
from hansa.reconcile.readers.parts import PartBuilder


@dataclass(slots=True)
class Control:
    """Counts and sums an account, a group or the file."""

    name: str
    trailer: str
    line: int
    """Where it begins."""
    currency: str = ""
    """To read totals that have a point, which the format does not know."""
    total: int = 0
    records: int = 0
    children: int = 0
    """Accounts of a group, groups of a file."""

    def count(self, record: Record) -> None:
        """Count a record's physical ones."""
        self.records += record.physical

    def add(self, child: Control) -> None:
        """Add an account to a group, or a group to a file."""
        self.total += child.total
        self.records += child.records
        self.children += 1

    def check(
        self,
        builder: PartBuilder,
        record: Record,
        total: str,
        records: str,
        children: tuple[str, str] | None = None,
    ) -> None:
        """Check what a trailer says; what it leaves empty is not checked."""
        if total:
            try:
                said = parse_minor(total, self.currency)
            except FieldError as error:
                builder.warn(error.fault, record.line, f"{self.trailer}/total", error.text)
            else:
                self._compare(builder, record, "total", said, self.total)
        self._check_number(builder, record, "records", records, self.records)
        if children is not None:
            self._check_number(builder, record, children[0], children[1], self.children)

    def _check_number(
        self, builder: PartBuilder, record: Record, name: str, text: str, read: int
    ) -> None:
        if not text:
            return
        if not (text.isascii() and text.isdigit() and len(text) < 19):  # noqa: PLR2004 - of int64
            builder.warn(
                Fault.FIELD,
                record.line,
                f"{self.trailer}/{name}",
                f"{text[:40]!r} is no number of {name}",
            )
            return
        self._compare(builder, record, name, int(text), read)

    def _compare(
        self, builder: PartBuilder, record: Record, name: str, said: int, read: int
    ) -> None:
        if said != read:
            builder.warn(
                Fault.COUNT,
                record.line,
                f"{self.trailer}/{name}",
                f"the {self.name} of line {self.line} says {name} {said}, and {read} were read: "
                "something is missing, twice, or counted wrongly by its sender",
            )
