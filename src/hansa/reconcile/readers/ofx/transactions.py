"""Transactions of OFX as entries: of banks and cards, and of brokers as far as cash moves.

Source: OFX 2.2 sections 3.2.8 (dates), 5.2 (currencies), 11.4.4 (STMTTRN) and 13.9.2 (investment
transactions).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from hansa.reconcile.currencies import is_currency
from hansa.reconcile.entries import Entry, Fault, Status
from hansa.reconcile.readers.fields import (
    FieldError,
    count_days,
    parse_amount,
    parse_offset,
    parse_time,
)

BANK, PENDING = "STMTTRN", "STMTTRNP"
_SECURITIES = ("DEBT", "MF", "OPT", "OTHER", "STOCK")
CASH_MOVES = frozenset(
    ["INCOME", "INVEXPENSE", "MARGININTEREST", "RETOFCAP"]
    + [way + security for way in ("BUY", "SELL") for security in _SECURITIES]
)
"""Kinds of investment transaction whose TOTAL comes to the cash of the account, or leaves it."""
NO_CASH_MOVES = frozenset(["CLOSUREOPT", "JRNLFUND", "JRNLSEC", "REINVEST", "SPLIT", "TRANSFER"])
"""Those which leave the cash as it was: securities alone, cash from one of the account's pockets
into another, or income that buys at once."""
TRANSACTIONS = frozenset([BANK, PENDING]) | CASH_MOVES | NO_CASH_MOVES
NESTED = frozenset(["BANKACCTTO", "CCACCTTO", "CURRENCY", "ORIGCURRENCY", "PAYEE"])
"""Aggregates within one whose fields have names of their own: `PAYEE/NAME`."""
FIELDS_MAX = 200
_OUTSIDE = "OTHER"
"""Pocket of funds that are not the account's: an employer's, or those of a linked bank account."""
_CHARGES = ("COMMISSION", "FEES", "LOAD", "TAXES")
_DATE = re.compile(
    r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:[ T]?[0-9:.]*)(?:\[[^\]]*\]?|Z|[+-][0-9:]*)?"
)
_TIME = re.compile(
    r"[0-9-]{8,10}?[ T]?([0-9]{2}):?([0-9]{2}):?([0-9]{2})(?:\.[0-9]*)?"
    r"(?:\[([+-]?[0-9]+(?:\.[0-9]+)?)(?::[^\]]*)?\]?|(Z|[+-][0-9:]+))?"
)


@dataclass(slots=True)
class Transaction:
    """An open transaction: its fields by name."""

    name: str
    line: int
    fields: dict[str, str] = field(default_factory=dict)
    added: int = 0

    def add(self, name: str, value: str) -> None:
        """Add a field, one that is there already after a blank; those beyond the limit are lost."""
        self.added += 1
        if self.added <= FIELDS_MAX:
            earlier = self.fields.get(name)
            self.fields[name] = value if earlier is None else f"{earlier} {value}".strip()

    @property
    def raw(self) -> str:
        """The transaction as it was, without blanks and end tags."""
        inner = "".join(f"<{name}>{value}" for name, value in self.fields.items())
        return f"<{self.name}>{inner}</{self.name}>" if self.name else inner


def parse_date(text: str) -> int:
    """Parse a date or moment, of which the day counts as it is written, in its own zone.

    Raises:
      FieldError: it is none.

    Example:
      >>> parse_date("19700103235959.000[-5:EST]")
      2
    """
    found = _DATE.fullmatch(text)
    if found is None:
        raise FieldError(Fault.FIELD, f"{text[:40]!r} is no date, as 20261130 or 20261130120000")
    return count_days(int(found[1]), int(found[2]), int(found[3]))


def parse_moment(text: str) -> tuple[int | None, int | None]:
    """Parse when a moment is, as `parse_time` tells it; without a zone it is by UTC.

    Example:
      >>> parse_moment("19700102000005.000[-5:EST]"), parse_moment("19700102")
      ((86405, -300), (None, None))
    """
    found = _TIME.fullmatch(text)
    if found is None:
        return None, None
    offset = round(float(found[4]) * 60) if found[4] else parse_offset(found[5] or "Z")
    return parse_time(found, parse_date(text), offset)


def find_currency(transaction: Transaction, usual: str) -> str:
    """Find in which currency the amount of a transaction is.

    Raises:
      FieldError: none is named, or what is named is none.
    """
    fields = transaction.fields
    code = (fields.get("CURRENCY/CURSYM") or fields.get("CURRENCY") or usual).upper()
    if not is_currency(code):
        raise FieldError(
            Fault.CURRENCY,
            f"{code[:40]!r} is no currency"
            if code
            else "neither CURDEF nor CURSYM names a currency",
        )
    return code


Warn = Callable[[str, FieldError], None]
"""Is told of a field that an entry can do without, and why it cannot be read."""


def make_entry(transaction: Transaction, account: str, currency: str, warn: Warn) -> Entry:
    """Make an entry of a transaction of a bank, a card or a broker.

    Raises:
      FieldError: its amount or its date is missing or cannot be read.
    """
    if transaction.name in CASH_MOVES:
        return _make_investment_entry(transaction, account, currency, warn)
    fields = transaction.fields
    check, number = _get_reference(fields, "CHECKNUM"), _get_reference(fields, "REFNUM")
    is_deleted = fields.get("CORRECTACTION", "").upper() == "DELETE"
    is_pending = transaction.name == PENDING
    original = fields.get("ORIGCURRENCY/CURSYM", "").upper()
    booked = "DTTRAN" if is_pending else "DTPOSTED"
    booking_date = _read_date(fields, booked)
    booked_at_s, offset_minutes = parse_moment(fields[booked])
    return Entry(
        account=account,
        currency=currency,
        amount_minor=_read_amount(fields, "TRNAMT", currency),
        booking_date=booking_date,
        value_date=_read_value_date(fields, ("DTAVAIL", "VALUEDATE"), warn),
        reference=check or number,
        bank_reference=fields.get("FITID", ""),
        transaction_id=fields.get("SRVRTID") or (number if check else ""),
        counterparty=fields.get("PAYEE/NAME") or fields.get("EXTDNAME") or fields.get("NAME", ""),
        counterparty_account=fields.get("BANKACCTTO/ACCTID") or fields.get("CCACCTTO/ACCTID", ""),
        text=fields.get("MEMO", ""),
        code=fields.get("TRNTYPE", "").upper(),
        status=_find_status(is_pending=is_pending, is_deleted=is_deleted),
        original_currency=original if is_currency(original) and original != currency else "",
        line=transaction.line,
        booked_at_s=booked_at_s,
        booked_offset_minutes=offset_minutes,
    )


def _make_investment_entry(
    transaction: Transaction, account: str, currency: str, warn: Warn
) -> Entry:
    fields = transaction.fields
    subject = " ".join(filter(None, (fields.get("MEMO"), fields.get("UNIQUEID"))))
    kind = fields.get("INCOMETYPE", "").upper()
    is_outside = fields.get("SUBACCTFUND", "").upper() == _OUTSIDE
    booking_date = _read_date(fields, "DTTRADE")
    booked_at_s, offset_minutes = parse_moment(fields["DTTRADE"])
    return Entry(
        account=account,
        currency=currency,
        amount_minor=_read_amount(fields, "TOTAL", currency),
        booking_date=booking_date,
        value_date=_read_value_date(fields, ("DTSETTLE",), warn),
        bank_reference=fields.get("FITID", ""),
        transaction_id=fields.get("SRVRTID", ""),
        text=subject,
        code=f"{transaction.name}.{kind}" if kind else transaction.name,
        is_reversal=bool(fields.get("REVERSALFITID")),
        status=Status.INFORMATION if is_outside else Status.BOOKED,
        charges_minor=_sum_charges(fields, currency, warn),
        line=transaction.line,
        booked_at_s=booked_at_s,
        booked_offset_minutes=offset_minutes,
    )


def _find_status(*, is_pending: bool, is_deleted: bool) -> Status:
    if is_deleted:
        return Status.INFORMATION
    return Status.PENDING if is_pending else Status.BOOKED


def _get_reference(fields: dict[str, str], name: str) -> str:
    """Get a reference; one of nothing but zeros is how some banks write that there is none."""
    value = fields.get(name, "")
    return value if value.strip("0") else ""


def _read_amount(fields: dict[str, str], name: str, currency: str) -> int:
    text = fields.get(name, "")
    if not text:
        raise FieldError(Fault.MISSING, f"{name} is missing or empty")
    try:
        return parse_amount(text, currency)
    except FieldError as error:
        raise FieldError(error.fault, f"{name}: {error.text}") from None


def _read_date(fields: dict[str, str], name: str) -> int:
    text = fields.get(name, "")
    if not text:
        raise FieldError(Fault.MISSING, f"{name} is missing or empty")
    try:
        return parse_date(text)
    except FieldError as error:
        raise FieldError(error.fault, f"{name}: {error.text}") from None


def _read_value_date(fields: dict[str, str], names: tuple[str, ...], warn: Warn) -> int | None:
    name = next((each for each in names if fields.get(each)), None)
    if name is None:
        return None
    try:
        return parse_date(fields[name])
    except FieldError as error:
        warn(name, error)
        return None


def _sum_charges(fields: dict[str, str], currency: str, warn: Warn) -> int | None:
    """Sum the charges; some brokers write them finer than money is."""
    names = [name for name in _CHARGES if fields.get(name)]
    try:
        amounts = [parse_amount(fields[name], currency) for name in names]
    except FieldError as error:
        warn(" ".join(names), error)
        return None
    return sum(map(abs, amounts)) if amounts else None
