"""A movement as it is read: its `:61:` and all the details below, and the entry made of them."""

from __future__ import annotations

import re
from typing import NamedTuple

from hansa.reconcile.entries import Entry, Fault, Status
from hansa.reconcile.readers.fields import FieldError, parse_amount
from hansa.reconcile.readers.mt.accounts import is_iban
from hansa.reconcile.readers.mt.details import Details, parse_details, parse_non_swift
from hansa.reconcile.readers.mt.message import Message
from hansa.reconcile.readers.mt.statement_line import (
    NO_REFERENCE,
    StatementLine,
    parse_statement_line,
)
from hansa.reconcile.readers.parts import PartBuilder

LETTERS_MAX = 4_096
"""Of a movement, its details with it: ten times what the standard has room for."""
SIGNS = {"C": 1, "D": -1, "RC": -1, "RD": 1, "EC": 1, "ED": -1}
"""Of marks: what a reversal takes back goes the other way."""
ELSEWHERE = {"EREF", "KREF", "KREF+", "PREF", "MARF"}
"""References that say only that one is in `:86:`."""
_ORIGINAL = re.compile("/OCMT/([A-Z]{3})([0-9.,]+)")
_CHARGES = re.compile("/CHGS/([A-Z]{3})([0-9.,]+)")


class _Amounts(NamedTuple):
    original_currency: str
    original_minor: int | None
    charges_minor: int | None


class Movement:
    """A movement that is open."""

    def __init__(self, line: int, value: str) -> None:
        self.line = line
        self._lines = [value]
        """Of `:61:`."""
        self._details: list[str] = []
        self._non_swift: list[str] = []
        self._current = self._lines
        self._letters = len(value)
        self._is_cut = False

    def begin(self, name: str, value: str) -> None:
        """Take the first line of a field with details, of which there may be several."""
        self._current = self._details if name == "86" else self._non_swift
        self.go_on(value)

    def go_on(self, text: str) -> None:
        """Take a line of the field that was there last; beyond `LETTERS_MAX` there is no room."""
        self._letters += len(text) + 1
        if self._letters > LETTERS_MAX:
            self._is_cut = True
        else:
            self._current.append(text)

    def close(self, message: Message, builder: PartBuilder, currency: str) -> None:
        """Make the entry, or report why there is none.

        Args:
          message: that it stands in.
          builder: gets the entry and the findings.
          currency: of accounts of which the file does not tell it.
        """
        line = parse_statement_line(self._lines)
        currency = message.find_currency(currency)
        if line is None:
            fault, text = Fault.FIELD, "this is no statement line, as 2611301130C1234,50NTRFREF"
        elif not currency:
            fault, text = Fault.CURRENCY, "no field before it tells the currency: say which it is"
        else:
            try:
                entry = self._build_entry(line, message, currency, builder)
            except FieldError as error:
                fault, text = error.fault, error.text
            else:
                self._warn(line, message, currency, builder)
                builder.add_entry(entry)
                _count(entry, message)
                return
        builder.report(fault, self.line, ":61:", text, self._describe())

    def _describe(self) -> str:
        """Say what was in the file, as it was there."""
        fields = ((":61:", self._lines), (":86:", self._details), (":NS:", self._non_swift))
        return "\n".join(tag + "\n".join(lines) for tag, lines in fields if lines)

    def _build_entry(
        self, line: StatementLine, message: Message, currency: str, builder: PartBuilder
    ) -> Entry:
        amount = parse_amount(line.amount, currency) * SIGNS[line.mark]
        details = self._parse_details()
        account = details.counterparty_account
        if not account:
            account = next(filter(is_iban, (line.reference, line.supplement)), "")
        is_none = line.reference in NO_REFERENCE | ELSEWHERE or line.reference == account
        reference = "" if is_none else line.reference
        amounts = self._find_amounts(line, currency, amount, builder)
        return Entry(
            account=message.account,
            currency=currency,
            amount_minor=amount,
            booking_date=line.booking_date,
            value_date=line.value_date,
            reference=_first(details.end_to_end, reference, details.customer_reference),
            bank_reference=_first(line.bank_reference, details.bank_reference),
            counterparty=details.counterparty or line.beside,
            counterparty_account=account,
            text=line.supplement if details == Details() else details.text,
            code=f"{line.type}+{details.business_code}" if details.business_code else line.type,
            is_reversal=line.mark.startswith("R"),
            status=Status.PENDING if line.mark.startswith("E") else Status.BOOKED,
            original_currency=amounts.original_currency,
            original_minor=amounts.original_minor,
            charges_minor=amounts.charges_minor,
            line=self.line,
        )

    def _parse_details(self) -> Details:
        if self._details:
            return parse_details(self._details)
        return parse_non_swift(self._non_swift)

    def _find_amounts(
        self, line: StatementLine, currency: str, amount: int, builder: PartBuilder
    ) -> _Amounts:
        """Find what was ordered in another currency, and charges, which banks write as codes."""
        text = line.supplement + "".join(self._details)
        original_currency, original_minor, charges_minor = "", None, None
        if "/OCMT/" in text or "/CHGS/" in text:
            ordered, charges = _ORIGINAL.search(text), _CHARGES.search(text)
            try:
                if ordered and ordered[1] != currency:
                    minor = parse_amount(ordered[2], ordered[1])
                    original_minor = -minor if amount < 0 else minor
                    original_currency = ordered[1]
                if charges and charges[1] == currency:
                    charges_minor = parse_amount(charges[2], currency)
            except FieldError as error:
                builder.warn(error.fault, self.line, "/OCMT/ or /CHGS/", error.text)
        return _Amounts(original_currency, original_minor, charges_minor)

    def _warn(
        self, line: StatementLine, message: Message, currency: str, builder: PartBuilder
    ) -> None:
        """Tell what is not as the standard has it; habits of a bank once a statement."""
        for text in line.faults:
            builder.warn(Fault.FIELD, self.line, ":61:", f"{text}: the entry has no such date")
        if self._is_cut:
            text = f"the details are longer than {LETTERS_MAX} letters: the rest was left out"
            builder.warn(Fault.STRUCTURE, self.line, ":86:", text)
        habits = (
            ("," not in line.amount, Fault.FIELD, "an amount has no comma"),
            (not line.type, Fault.MISSING, "a movement has no type, as NTRF"),
            (
                bool(line.type) and line.type[0] not in "NFS",
                Fault.FIELD,
                "a type is none of N, F, S",
            ),
            (not line.reference, Fault.MISSING, "a movement has no reference, not even NONREF"),
            (
                line.funds_code not in {"", "R", currency[2]},
                Fault.CURRENCY,
                "the letter behind the mark is not the currency's third",
            ),
        )
        for is_so, fault, text in habits:
            if is_so and text not in message.told:
                message.told.add(text)
                builder.warn(fault, self.line, ":61:", f"{text} (told once a statement)")


def _first(*references: str) -> str:
    """Find the first that is a reference."""
    return next((text for text in references if text not in NO_REFERENCE), "")


def _count(entry: Entry, message: Message) -> None:
    sums = message.booked if entry.status is Status.BOOKED else message.expected
    sums["D" if entry.amount_minor < 0 else "C"].add(entry.amount_minor)
