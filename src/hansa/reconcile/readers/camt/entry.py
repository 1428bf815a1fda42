"""Entries from the texts of one `Ntry`, and what is wrong with them.

The sign is that of `CdtDbtInd`, of reversals as well: the indicator says where the money went now,
and `RvslInd` only that it had gone the other way before.

Source: ISO 20022 `ReportEntry/ReversalIndicator`: "If the CreditDebitIndicator is CRDT and
ReversalIndicator is Yes, the original operation was a debit entry", and the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from hansa.reconcile.currencies import is_currency, write_amount
from hansa.reconcile.entries import Entry, Fault, Finding, Kind, Severity, Status
from hansa.reconcile.readers.camt.layout import Layout, Row
from hansa.reconcile.readers.camt.markup import NONE, Names
from hansa.reconcile.readers.fields import FieldError, parse_amount, parse_iso_date, parse_iso_time

BLANKS = " \t\n"
_CENTS = re.compile(r"([0-9]{1,16})\.([0-9]{2})")
_SIGNS = {"CRDT": 1, "DBIT": -1}
_TRUE = {"true", "1"}
_FALSE = {"false", "0"}
_STATUSES = {
    "BOOK": Status.BOOKED,
    "PDNG": Status.PENDING,
    "FUTR": Status.PENDING,
    "INFO": Status.INFORMATION,
}
_NOT_PROVIDED = {"NOTPROVIDED", "NOT PROVIDED"}
"""That a reference is not there, in a field that must be.

Source: EPC115-06, SEPA credit transfer, AT-41; the second is how some banks print it.
"""
_IBAN = re.compile("[A-Z]{2}[0-9]{2}[A-Za-z0-9]{11,30}")
_BLANK = re.compile("[ \\t\\n]+")
_DATES = {"Ntry/BookgDt", "Ntry/ValDt"}
_DATE_LETTERS = 10
"""Of a moment the day counts alone."""
_OF_TRANSACTIONS = (
    "reference",
    "bank_reference",
    "transaction_id",
    "counterparty",
    "counterparty_account",
    "text",
    "code",
)


class Scope(NamedTuple):
    """What the frame of a statement says of the entries in it."""

    kind: Kind
    account: str
    currency: str
    """Empty if the frame does not say."""
    statement: int
    names: Names


@dataclass(slots=True)
class Tally:
    """Counts and sums of `Ntry` elements; minor units."""

    entries: int = 0
    """Those that cannot be read, too."""
    rows: int = 0
    """A booking of several transactions is as many rows."""
    unread: int = 0
    credits: int = 0
    debits: int = 0
    credit_minor: int = 0
    debit_minor: int = 0
    booked_minor: int = 0
    currencies: dict[str, None] = field(default_factory=dict)
    """In the order in which they came."""

    def add(self, other: Tally) -> None:
        """Add what was counted elsewhere."""
        self.entries += other.entries
        self.rows += other.rows
        self.unread += other.unread
        self.credits += other.credits
        self.debits += other.debits
        self.credit_minor += other.credit_minor
        self.debit_minor += other.debit_minor
        self.booked_minor += other.booked_minor
        self.currencies.update(other.currencies)


class Booking(NamedTuple):
    """What all rows of one `Ntry` share."""

    currency: str
    amount_minor: int
    sign: int
    """Of the amount, which may be zero."""
    booking_date: int | None
    value_date: int | None
    is_reversal: bool
    status: Status
    line: int
    booked_at_s: int | None
    booked_offset_minutes: int | None


class EntryFieldError(FieldError):
    """A field without which there is no entry."""

    def __init__(self, fault: Fault, name: str, text: str) -> None:
        super().__init__(fault, text)
        self.name = name


class EntryReader:
    """Reads entries of one statement, and gathers them with their findings and their tally."""

    def __init__(self, scope: Scope, entries: list[Entry], findings: list[Finding]) -> None:
        self.scope = scope
        self.entries = entries
        self.findings = findings
        self.tally = Tally()

    def read(self, layout: Layout, texts: Sequence[str], line: int) -> None:
        """Read one `Ntry`.

        Raises:
          EntryFieldError: a field without which there is no entry.
        """
        if layout.again:
            _refuse_contradictions(layout, texts)
        sign = _SIGNS.get(texts[layout.sign]) or _judge_sign(texts[layout.sign])
        currency = layout.currency or self.scope.currency
        minor = _parse_booked(texts[layout.amount], currency, layout)
        booking = Booking(
            currency,
            sign * minor,
            sign,
            _parse_date(texts[layout.booking], "Ntry/BookgDt"),
            _parse_date(texts[layout.value], "Ntry/ValDt"),
            layout.reversal != NONE and _parse_reversal(texts[layout.reversal]),
            _STATUSES.get(texts[layout.status]) or self._judge_status(layout, texts, line),
            line,
            *_parse_time(texts[layout.booking]),
        )
        self._warn_of(booking, layout, texts)
        if layout.parts:
            rows = self._read_parts(layout, texts, booking)
        else:
            rows = [self._fill(layout.whole, texts, booking)]
            if texts[layout.whole.amount] != texts[layout.amount]:
                self._check_transaction(layout.whole, texts, rows[0], minor)
        self.entries += rows
        self._count(booking, len(rows))

    def warn(self, fault: Fault, line: int, name: str, text: str) -> None:
        """Report what leaves no entry out."""
        self.findings.append(Finding(Severity.WARNING, fault, line, name, text))

    def _count(self, booking: Booking, rows: int) -> None:
        tally = self.tally
        tally.rows += rows
        if booking.sign < 0:
            tally.debits += 1
            tally.debit_minor -= booking.amount_minor
        else:
            tally.credits += 1
            tally.credit_minor += booking.amount_minor
        if booking.status is Status.BOOKED:
            tally.booked_minor += booking.amount_minor
        if booking.currency not in tally.currencies:
            tally.currencies[booking.currency] = None

    def _judge_status(self, layout: Layout, texts: Sequence[str], line: int) -> Status:
        text = texts[layout.status].strip(BLANKS)
        if text in _STATUSES:
            return _STATUSES[text]
        taken = Status.BOOKED if self.scope.kind is Kind.STATEMENT else Status.INFORMATION
        wrong = f"{text[:40]!r} is no status" if text else "it has no status"
        self.warn(
            Fault.FIELD if text else Fault.MISSING,
            line,
            "Ntry/Sts",
            f"{wrong}: BOOK, PDNG, INFO or FUTR; taken as {taken}",
        )
        return taken

    def _warn_of(self, booking: Booking, layout: Layout, texts: Sequence[str]) -> None:
        """Warn of what can be read, but should not be so."""
        account = self.scope.currency
        if account and booking.currency != account:
            self.warn(
                Fault.CURRENCY,
                booking.line,
                "Ntry/Amt@Ccy",
                f"{booking.currency} on an account in {account}: it is kept in its own",
            )
        if booking.booking_date is None and booking.value_date is None:
            text = "it has no date, of booking or of value"
            self.warn(Fault.MISSING, booking.line, "Ntry/BookgDt", text)
        if layout.transactions_told != NONE and layout.transactions:
            told = texts[layout.transactions_told].strip(BLANKS)
            if told != str(layout.transactions):
                text = f"it says {told[:20]!r} transactions, and {layout.transactions} are there"
                self.warn(Fault.COUNT, booking.line, "Ntry/NtryDtls/Btch/NbOfTxs", text)

    def _read_parts(self, layout: Layout, texts: Sequence[str], booking: Booking) -> list[Entry]:
        """Read the transactions of a booking as rows if they add up to it, else the booking."""
        parts = _split_booking(layout, texts, booking)
        names = (texts[index].strip(BLANKS) for index in layout.batch)
        batch = next(filter(None, names), f"line {booking.line}")
        total = sum(part.amount_minor for part in parts)
        if parts and total == booking.amount_minor:
            pairs = zip(layout.parts, parts, strict=True)
            return [self._fill(row, texts, part, batch) for row, part in pairs]
        wrong = (
            f"its transactions add up to {write_amount(total, booking.currency)}, it is "
            f"{write_amount(booking.amount_minor, booking.currency)}"
            if parts
            else f"not all of its transactions say an amount in {booking.currency}"
        )
        text = f"{wrong}: it stands as a whole"
        self.warn(Fault.PARTS, booking.line, "Ntry/NtryDtls/TxDtls", text)
        return [self._agree(layout, texts, booking)]

    def _agree(self, layout: Layout, texts: Sequence[str], booking: Booking) -> Entry:
        """Make one row of a booking with several transactions: of each field what all say."""
        rows = [self._fill(row, texts, booking) for row in layout.parts]
        whole = self._fill(layout.whole, texts, booking)
        agreed = {
            name: getattr(rows[0], name)
            for name in _OF_TRANSACTIONS
            if len({getattr(row, name) for row in rows}) == 1 and getattr(rows[0], name)
        }
        return whole._replace(**agreed)

    def _check_transaction(self, row: Row, texts: Sequence[str], entry: Entry, minor: int) -> None:
        """Check the only transaction's amount, if it says one, against the booking."""
        if row.amount == NONE or row.is_before_charges:
            return
        name = "Ntry/NtryDtls/TxDtls/Amt"
        try:
            told = parse_money(texts[row.amount], entry.currency)
        except FieldError as error:
            self.warn(error.fault, entry.line, name, error.text)
            return
        if abs(told - minor) not in {0, entry.charges_minor or 0}:
            amounts = (write_amount(each, entry.currency) for each in (told, minor))
            text = "its only transaction is {}, it is {}, which counts".format(*amounts)
            self.warn(Fault.PARTS, entry.line, name, text)

    def _fill(self, row: Row, texts: Sequence[str], booking: Booking, batch: str = "") -> Entry:
        """Make a row of an entry, or of a transaction in it."""
        reference = texts[row.reference].strip(BLANKS)
        if not reference or reference in _NOT_PROVIDED:
            reference = self._find_other_reference(row, texts, booking)
        transaction_id = texts[row.transaction_id].strip(BLANKS)
        counterparty, counterparty_account = self._find_counterparty(row, texts, booking)
        original = charges = None
        if row.original != NONE or row.charges_total != NONE or row.charges:
            original, charges = self._read_amounts(row, texts, booking)
        return Entry(
            self.scope.account,
            booking.currency,
            booking.amount_minor,
            booking.booking_date,
            booking.value_date,
            reference,
            texts[row.bank_reference].strip(BLANKS),
            "" if transaction_id in _NOT_PROVIDED else transaction_id,
            counterparty,
            counterparty_account,
            _join(row.texts, texts),
            ".".join([texts[index] for index in row.code]),
            batch,
            booking.is_reversal,
            booking.status,
            row.original_currency if original is not None else "",
            original,
            charges,
            self.scope.statement,
            booking.line,
            booking.booked_at_s,
            booking.booked_offset_minutes,
        )

    def _find_other_reference(self, row: Row, texts: Sequence[str], booking: Booking) -> str:
        """Find what else the orderer called it: money that goes out was ordered by the owner."""
        instruction = texts[row.instruction].strip(BLANKS) if booking.sign < 0 else ""
        if instruction and instruction not in _NOT_PROVIDED:
            return instruction
        return texts[row.batch_reference].strip(BLANKS)

    def _find_counterparty(
        self, row: Row, texts: Sequence[str], booking: Booking
    ) -> tuple[str, str]:
        """Find who paid, or was paid: name and account.

        Reversals and returns name the parties as they were. Some banks name the other side in the
        wrong role, so that a role that is empty, or the owner's, gives way to the other.
        """
        if (booking.sign < 0) != booking.is_reversal:
            wanted, account, other, other_account = (
                row.creditor,
                row.creditor_account,
                row.debtor,
                row.debtor_account,
            )
        else:
            wanted, account, other, other_account = (
                row.debtor,
                row.debtor_account,
                row.creditor,
                row.creditor_account,
            )
        own = self.scope.account
        found = _clean(texts[wanted]), clean_account(texts[account])
        if found[1] != own and (found[1] or found[0]):
            return found
        there = _clean(texts[other]), clean_account(texts[other_account])
        return there if there[1] and there[1] != own else found

    def _read_amounts(
        self, row: Row, texts: Sequence[str], booking: Booking
    ) -> tuple[int | None, int | None]:
        """Read what was ordered in another currency, and the charges, or warn."""
        try:
            name = "AmtDtls"
            original = None
            if row.original != NONE:
                original = parse_money(texts[row.original], row.original_currency)
            name = "Chrgs"
            charges = None
            if row.charges_total != NONE:
                charges = parse_money(texts[row.charges_total], booking.currency)
            elif row.charges:
                charges = sum(
                    parse_money(texts[each.amount], booking.currency)
                    * -(_SIGNS.get(texts[each.sign].strip(BLANKS)) or -1)
                    for each in row.charges
                )
        except FieldError as error:
            self.warn(error.fault, booking.line, f"Ntry/{name}", f"{error.text}: it is left out")
            return original, None
        if original is not None:
            original *= booking.sign
        return original, None if charges is None or charges < 0 else charges


def _split_booking(layout: Layout, texts: Sequence[str], booking: Booking) -> list[Booking]:
    """Split a booking into its transactions; nothing if one does not say its amount."""
    parts = []
    for row in layout.parts:
        sign = _SIGNS.get(texts[row.sign].strip(BLANKS)) or booking.sign
        try:
            minor = parse_money(texts[row.amount], booking.currency)
        except FieldError:
            return []
        parts.append(booking._replace(sign=sign, amount_minor=sign * minor))
    return parts


def _join(indices: Sequence[int], texts: Sequence[str]) -> str:
    """Join texts by blanks."""
    if len(indices) == 1:
        return _clean(texts[indices[0]])
    return " ".join(filter(None, [_clean(texts[index]) for index in indices]))


def _clean(text: str) -> str:
    """Make a line of a text: without blanks around it, and one for several, or for lines."""
    text = text.strip(BLANKS)
    if "\n" in text or "  " in text or "\t" in text:
        return _BLANK.sub(" ", text)
    return text


def clean_account(text: str) -> str:
    """Make what names an account one word if it is an IBAN, which people write in groups."""
    text = _clean(text)
    whole = text.replace(" ", "") if " " in text else text
    return whole if _IBAN.fullmatch(whole) else text


def _refuse_contradictions(layout: Layout, texts: Sequence[str]) -> None:
    """Refuse what may stand once, and stands there again with other content."""
    for again in layout.again:
        told = [texts[index].strip(BLANKS) for index in again.texts]
        if again.name in _DATES:
            told = [text[:_DATE_LETTERS] for text in told]
        pairs = [
            f"{each[:40]} {ccy}".strip() for each, ccy in zip(told, again.currencies, strict=True)
        ]
        other = next((pair for pair in pairs if pair != pairs[0]), None)
        if other is not None:
            text = (
                f"it may stand once, and says {pairs[0]!r} and {other!r}: ask the bank which it is"
            )
            raise EntryFieldError(Fault.FIELD, again.name, text)


def _judge_sign(text: str) -> int:
    sign = _SIGNS.get(text.strip(BLANKS))
    if sign is None:
        fault = Fault.FIELD if text.strip(BLANKS) else Fault.MISSING
        wrong = f"{text[:40]!r} is no direction" if text else "it has no direction"
        raise EntryFieldError(fault, "Ntry/CdtDbtInd", f"{wrong}: CRDT or DBIT")
    return sign


def _parse_booked(text: str, currency: str, layout: Layout) -> int:
    if layout.is_cents:
        cents = _CENTS.fullmatch(text)
        if cents:
            return int(cents[1] + cents[2])
    name = "Ntry/Amt"
    if layout.amount == NONE:
        raise EntryFieldError(Fault.MISSING, name, "it has no amount")
    if not is_currency(currency):
        wrong = (
            f"{currency[:40]!r} is no currency"
            if currency
            else "neither it nor its account says a currency"
        )
        text = f"{wrong}: three capital letters of ISO 4217"
        raise EntryFieldError(Fault.CURRENCY, f"{name}@Ccy", text)
    try:
        return parse_money(text, currency)
    except FieldError as error:
        raise EntryFieldError(error.fault, name, error.text) from None


def parse_money(text: str, currency: str) -> int:
    """Parse an amount of XML Schema's decimal, without a sign: its direction stands beside it."""
    text = text.strip(BLANKS)
    if "-" in text or "," in text:
        raise FieldError(
            Fault.FIELD,
            f"{text[:40]!r} is no amount of ISO 20022: digits, with a point before the decimals, "
            "without a sign",
        )
    return parse_amount(text, currency)


def _parse_date(text: str, name: str) -> int | None:
    if not text:
        return None
    try:
        return _count_days(text)
    except FieldError as error:
        raise EntryFieldError(error.fault, name, error.text) from None


@lru_cache(maxsize=4_096)
def _count_days(text: str) -> int:
    return parse_iso_date(text.strip(BLANKS))


@lru_cache(maxsize=4_096)
def _parse_time(text: str) -> tuple[int | None, int | None]:
    return parse_iso_time(text.strip(BLANKS))


def _parse_reversal(text: str) -> bool:
    text = text.strip(BLANKS)
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise EntryFieldError(Fault.FIELD, "Ntry/RvslInd", f"{text[:40]!r} is neither true nor false")
