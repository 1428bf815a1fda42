"""Accounts of BAI2 (03 to 49): their summaries, and their transactions (16) as entries."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hansa.reconcile.entries import Entry, Fault, Kind, Statement, Status
from hansa.reconcile.readers.bai2.codes import (
    CLOSING_LEDGER,
    CURRENT_LEDGER,
    DIRECTIONS,
    NON_MONETARY,
    OPENING_LEDGER,
    REVERSALS,
    SAME_DAY,
    TOTAL_CREDITS,
    TOTAL_DEBITS,
    Direction,
    Funds,
    GroupStatus,
)
from hansa.reconcile.readers.bai2.controls import Control
from hansa.reconcile.readers.bai2.details import (
    Detail,
    Summary,
    parse_date,
    parse_detail,
    parse_minor,
    parse_summaries,
    require_whole,
)
from hansa.reconcile.readers.bai2.records import ACCOUNT, ACCOUNT_TRAILER, DETAIL, Record
from hansa.reconcile.readers.fields import FieldError
from hansa.reconcile.readers.parts import PartBuilder

_TAG = re.compile("([A-Z]{4}): *(.*)")
_NONE = frozenset(["NONREF", "NOTPROVIDED"])
"""What banks write for a reference that is not there, besides zeros."""
_FUNDS = frozenset(Funds)
_TOTALS = {TOTAL_CREDITS: Direction.CREDIT, TOTAL_DEBITS: Direction.DEBIT}
_LEDGERS = frozenset([OPENING_LEDGER, CLOSING_LEDGER, CURRENT_LEDGER])
_NOT_NEW = {
    GroupStatus.DELETION: "a group that deletes what was sent before: its entries are "
    "information, not booked; take them out of the books",
    GroupStatus.TEST_ONLY: "a group that is a test: its entries are information, not booked",
}


@dataclass(slots=True)
class Group:
    """What a group's header (02) says for all its accounts."""

    control: Control
    file_id: str
    date: int | None
    currency: str
    status: str = GroupStatus.UPDATE
    modifier: str = ""

    @property
    def is_new(self) -> bool:
        """Whether its transactions are booked; those of a deletion or a test are not."""
        return self.status not in _NOT_NEW

    def tell(self, builder: PartBuilder, line: int) -> None:
        """Warn of a group that is not what it seems."""
        if self.status == GroupStatus.CORRECTION:
            builder.warn(
                Fault.DUPLICATE,
                line,
                "02/status",
                "a group that corrects what was sent before: take it instead of that",
            )
        elif not self.is_new:
            builder.warn(Fault.IGNORED, line, "02/status", _NOT_NEW[GroupStatus(self.status)])


class Account:
    """An open account."""

    def __init__(
        self, builder: PartBuilder, group: Group, number: str, currency: str, record: Record
    ) -> None:
        self.control = Control("account", ACCOUNT_TRAILER, record.line, currency)
        self.control.count(record)
        self._builder = builder
        self._group = group
        self._number = number
        self._currency = currency
        self._line = record.line
        self._ledgers: dict[str, int] = {}
        self._totals: dict[Direction, tuple[int, int | None]] = {}
        self._sums = {Direction.CREDIT: 0, Direction.DEBIT: 0}
        self._counts = {Direction.CREDIT: 0, Direction.DEBIT: 0}
        self._is_point_told = False
        if not number:
            builder.report(
                Fault.MISSING,
                record.line,
                "03/account",
                "an account without its number",
                record.raw,
            )
        self._read_summaries(record)

    def _read_summaries(self, record: Record) -> None:
        try:
            for summary in parse_summaries(record.split()[2:]):
                self._add_summary(record, summary)
        except FieldError as error:
            self._builder.report(
                error.fault,
                record.line,
                ACCOUNT,
                f"{error.text}: the summaries from here on are not read",
                record.raw,
            )

    def _add_summary(self, record: Record, summary: Summary) -> None:
        if not summary.amount:
            return
        amount = self._parse(record.line, summary.amount)
        self.control.total += amount
        if summary.type in _LEDGERS:
            self._ledgers[summary.type] = amount
        elif summary.type in _TOTALS:
            count = int(summary.items) if re.fullmatch("[0-9]{1,18}", summary.items) else None
            self._totals[_TOTALS[summary.type]] = (amount, count)

    def _parse(self, line: int, text: str) -> int:
        if "." in text and not self._is_point_told:
            self._is_point_told = True
            self._builder.warn(
                Fault.FIELD,
                line,
                "amount",
                f"{text[:40]!r} has a point, which amounts of BAI2 do not: such ones are taken in "
                "the major unit",
            )
        return parse_minor(text, self._currency)

    def add_detail(self, record: Record) -> None:
        """Add a transaction, or report it."""
        self.control.count(record)
        try:
            entry = self._make_entry(record, parse_detail(record.segments))
        except FieldError as error:
            self._builder.report(error.fault, record.line, DETAIL, error.text, record.raw)
            return
        if entry is not None:
            self._builder.add_entry(entry)

    def _make_entry(self, record: Record, detail: Detail) -> Entry | None:
        direction = DIRECTIONS.get(detail.type)
        if direction is None:
            raise FieldError(
                Fault.FIELD, f"{detail.type[:40]!r} is no type code that says credit or debit"
            )
        if direction is Direction.NONE and not detail.amount:
            self._warn_no_movement(record, detail)
            return None
        if not detail.amount:
            raise FieldError(Fault.MISSING, "a transaction without an amount")
        require_whole(detail.amount, detail.funds)
        amount = self._parse(record.line, detail.amount)
        self.control.total += amount
        if direction is Direction.NONE:
            self._warn_no_movement(record, detail)
            return None
        if not self._currency:
            raise FieldError(Fault.CURRENCY, "a transaction in a currency that is none")
        if amount < 0:
            self._builder.warn(
                Fault.FIELD,
                record.line,
                "16/amount",
                f"{detail.amount!r} has a sign, which the type code tells: taken as a reversal, "
                "in the other direction",
            )
        self._sums[direction] += amount
        self._counts[direction] += 1
        return self._build(record, detail, direction, amount)

    def _build(self, record: Record, detail: Detail, direction: Direction, amount: int) -> Entry:
        tags = {found[1]: found[2] for line in detail.text if (found := _TAG.match(line))}
        other = "DB" if direction is Direction.CREDIT else "CR"  # of who stands opposite
        reference = tags.get("EREF") or detail.customer_reference
        return Entry(
            account=self._number,
            currency=self._currency,
            amount_minor=direction * amount,
            booking_date=self._group.date,
            value_date=self._read_value_date(record, detail),
            reference="" if reference in _NONE or not reference.strip("0") else reference,
            bank_reference=detail.bank_reference,
            counterparty=tags.get(f"{other}NM", ""),
            counterparty_account=tags.get(f"{other[0]}ACT", ""),
            text=" ".join(" ".join(detail.text).split()),
            code=detail.type,
            is_reversal=amount < 0 or detail.type in REVERSALS,
            status=Status.BOOKED if self._group.is_new else Status.INFORMATION,
            line=record.line,
        )

    def _read_value_date(self, record: Record, detail: Detail) -> int | None:
        """Read when the money counts; availability in days is not a date without a calendar."""
        if detail.funds == Funds.IMMEDIATE:
            return self._group.date
        if detail.funds not in _FUNDS:
            self._warn_field(
                record, "funds type", f"{detail.funds[:40]!r} is none of 0 1 2 S V D Z: passed over"
            )
        elif detail.value_date:
            try:
                return parse_date(detail.value_date)
            except FieldError as error:
                self._warn_field(record, "value date", error.text)
        return None

    def _warn_no_movement(self, record: Record, detail: Detail) -> None:
        if detail.type != str(NON_MONETARY):
            self._builder.warn(
                Fault.IGNORED,
                record.line,
                "16/type",
                f"{detail.type} is the code of a status: no money moves, so this is no entry",
            )

    def _warn_field(self, record: Record, name: str, text: str) -> None:
        self._builder.warn(Fault.FIELD, record.line, f"16/{name}", text)

    def end(self) -> None:
        """End the account: its totals are checked, and its statement is made."""
        self._check_totals()
        closing = self._ledgers.get(CLOSING_LEDGER)
        is_report = self._group.modifier in SAME_DAY
        if closing is None and is_report:
            closing = self._ledgers.get(CURRENT_LEDGER)
        self._builder.end_statement(
            Statement(
                Kind.REPORT if is_report else Kind.STATEMENT,
                self._number,
                self._currency,
                id=self._group.file_id,
                from_date=self._group.date,
                to_date=self._group.date,
                opening_minor=self._ledgers.get(OPENING_LEDGER) if self._group.is_new else None,
                closing_minor=closing if self._group.is_new else None,
                line=self._line,
            )
        )

    def _check_totals(self) -> None:
        """Compare the totals of credits and debits, if the account tells its transactions."""
        if not any(self._counts.values()):
            return
        for direction, (total, count) in self._totals.items():
            name = direction.name.lower()
            read = self._sums[direction], self._counts[direction]
            if abs(total) != read[0] or (count is not None and count != read[1]):
                items = "" if count is None else f" in {count} items"
                self._builder.warn(
                    Fault.COUNT,
                    self._line,
                    f"03/{'100' if direction is Direction.CREDIT else '400'}",
                    f"the account says {name}s of {abs(total)}{items}; its transactions have "
                    f"{read[0]} in {read[1]}",
                )
