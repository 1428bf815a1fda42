"""Statements of OFX: account, period and balance, around transactions.

Source: OFX 2.2 sections 11.4.2.2 (STMTRS), 11.4.3.2 (CCSTMTRS) and 13.9.2.2 (INVSTMTRS).
"""

from __future__ import annotations

from collections import Counter

from hansa.reconcile.currencies import is_currency
from hansa.reconcile.entries import Fault, Kind, Statement, Status
from hansa.reconcile.readers.fields import FieldError, parse_amount
from hansa.reconcile.readers.ofx.transactions import (
    NO_CASH_MOVES,
    Transaction,
    Warn,
    find_currency,
    make_entry,
    parse_date,
)
from hansa.reconcile.readers.parts import PartBuilder

STATEMENTS = frozenset(["STMTRS", "CCSTMTRS", "INVSTMTRS"])
_ACCOUNTS = frozenset(["BANKACCTFROM", "CCACCTFROM", "INVACCTFROM"])
_LISTS = frozenset(["BANKTRANLIST", "INVTRANLIST"])
_BALANCES = frozenset([("LEDGERBAL", "BALAMT"), ("INVBAL", "AVAILCASH")])


class OpenStatement:
    """A statement that is being read."""

    def __init__(self, builder: PartBuilder, name: str, line: int) -> None:
        self._builder = builder
        self._name = name
        self._line = line
        self._account = ""
        self._currency = ""
        self._dates: dict[str, int] = {}
        self._balance: tuple[str, str, int] | None = None
        self._without_cash: Counter[str] = Counter()
        self._is_foreign_told = False

    def take_field(self, parent: str, name: str, value: str, line: int) -> None:
        """Take a field of the statement, outside its transactions."""
        if name == "CURDEF" and parent == self._name:
            self._take_currency(value, line)
        elif name == "ACCTID" and parent in _ACCOUNTS:
            self._account = value
        elif (name in {"DTSTART", "DTEND"} and parent in _LISTS) or (
            name == "DTASOF" and parent in {"LEDGERBAL", self._name}
        ):
            self._take_date(parent, name, value, line)
        elif (parent, name) in _BALANCES:
            self._balance = (f"{parent}/{name}", value, line)

    def _take_currency(self, value: str, line: int) -> None:
        code = value.upper()
        if is_currency(code):
            self._currency = code
        else:
            self._builder.warn(
                Fault.CURRENCY,
                line,
                "CURDEF",
                f"{value[:40]!r} is no currency, as USD: only transactions that name theirs can be "
                "read",
            )

    def _take_date(self, parent: str, name: str, value: str, line: int) -> None:
        if not value:
            return
        try:
            self._dates[name] = parse_date(value)
        except FieldError as error:
            self._builder.warn(error.fault, line, f"{parent}/{name}", error.text)

    def add(self, transaction: Transaction) -> None:
        """Add a transaction as an entry, or report it."""
        if transaction.name in NO_CASH_MOVES:
            self._without_cash[transaction.name] += 1
            return
        try:
            currency = find_currency(transaction, self._currency)
            entry = make_entry(transaction, self._account, currency, self._warn_field(transaction))
        except FieldError as error:
            self._builder.report(
                error.fault, transaction.line, transaction.name, error.text, transaction.raw
            )
            return
        if not self._currency:
            self._currency = currency
        self._builder.add_entry(entry)
        if currency != self._currency:
            self._tell_foreign(transaction, currency)
            if entry.status is Status.BOOKED:  # the sum is of the statement's currency alone
                self._builder.booked_minor -= entry.amount_minor
        if transaction.fields.get("CORRECTFITID"):
            self._tell_correction(transaction)

    def _warn_field(self, transaction: Transaction) -> Warn:
        def warn(name: str, error: FieldError) -> None:
            field = f"{transaction.name}/{name}"
            self._builder.warn(error.fault, transaction.line, field, f"{error.text}: left out")

        return warn

    def _tell_foreign(self, transaction: Transaction, currency: str) -> None:
        if not self._is_foreign_told:
            self._is_foreign_told = True
            self._builder.warn(
                Fault.CURRENCY,
                transaction.line,
                f"{transaction.name}/CURRENCY",
                f"in {currency}, and the statement in {self._currency}: such entries stand in "
                "their own currency, and not in the statement's sum",
            )

    def _tell_correction(self, transaction: Transaction) -> None:
        earlier = transaction.fields["CORRECTFITID"][:40]
        action = transaction.fields.get("CORRECTACTION", "REPLACE")[:40]
        self._builder.warn(
            Fault.DUPLICATE,
            transaction.line,
            f"{transaction.name}/CORRECTFITID",
            f"a correction ({action}) of transaction {earlier!r}, which an earlier statement may "
            "hold: take that one out",
        )

    def end(self) -> None:
        """End the statement."""
        if not self._account:
            self._builder.report(
                Fault.MISSING, self._line, "ACCTID", "a statement without its account's number"
            )
        if not self._currency:
            self._builder.report(
                Fault.CURRENCY, self._line, "CURDEF", "a statement without a currency"
            )
        if self._without_cash:
            self._tell_without_cash()
        self._builder.end_statement(
            Statement(
                Kind.STATEMENT,
                self._account,
                self._currency,
                from_date=self._dates.get("DTSTART"),
                to_date=self._dates.get("DTEND", self._dates.get("DTASOF")),
                closing_minor=self._read_balance(),
                line=self._line,
            )
        )

    def _tell_without_cash(self) -> None:
        kinds = ", ".join(f"{count} {name}" for name, count in sorted(self._without_cash.items()))
        self._builder.warn(
            Fault.IGNORED,
            self._line,
            "INVTRANLIST",
            f"transactions which leave the cash as it was are no entries: {kinds}",
        )

    def _read_balance(self) -> int | None:
        if self._balance is None:
            return None
        name, value, line = self._balance
        if not value:
            self._builder.warn(
                Fault.MISSING, line, name, "an empty balance: the statement has none"
            )
            return None
        try:
            return parse_amount(value, self._currency)
        except FieldError as error:
            self._builder.report(error.fault, line, name, error.text, value)
            return None
