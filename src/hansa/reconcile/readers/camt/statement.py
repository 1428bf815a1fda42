"""Statements from the fields of their frame, and whether what they say of their entries is so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hansa.reconcile.currencies import write_amount
from hansa.reconcile.entries import Fault, Finding, Kind, Severity, Statement
from hansa.reconcile.readers.camt.entry import Tally, clean_account, parse_money
from hansa.reconcile.readers.camt.frame import Fields, Value
from hansa.reconcile.readers.fields import FieldError, parse_iso_date

_ACCOUNTS = ("IBAN", "Othr/Id", "BBAN", "PrtryAcct/Id", "UPIC")
_TYPES = ("Tp/CdOrPrtry/Cd", "Tp/CdOrPrtry/Prtry", "Tp/Cd", "Tp/Prtry")
_OPENING = ("OPBD", "PRCD")
"""Opening booked; the closing booked balance of before is the same amount."""
_CLOSING = ("CLBD",)
_CLOSING_REPORT = ("CLBD", "ITBD")
"""Of a day that goes on the interim booked balance is the last there is."""
_BOOKED = {*_OPENING, *_CLOSING_REPORT}
_PAGES = ("StmtPgntn", "RptPgntn", "NtfctnPgntn")
_NUMBER_DIGITS_MAX = 18


class _Total(NamedTuple):
    """A total that a statement may say, and what it is of the entries there."""

    path: str
    told: Value
    there: int
    is_amount: bool


def find_account(fields: Fields) -> str:
    """Find what the bank calls the account; empty if it does not say."""
    return clean_account(fields.get(*(f"Acct/Id/{path}" for path in _ACCOUNTS)))


def find_currency(fields: Fields) -> str:
    """Find the currency of the account: its own, or else that of a booked balance."""
    if fields.get("Acct/Ccy"):
        return fields.get("Acct/Ccy")
    for balance in fields.balances:
        if _find_type(balance) in _BOOKED and "Amt" in balance and balance["Amt"].currency:
            return balance["Amt"].currency
    return ""


def tell_contradictions(fields: Fields) -> list[Finding]:
    """Tell of what may stand once and stands there twice, with other content."""
    return [
        Finding(
            Severity.ERROR,
            Fault.FIELD,
            each.line,
            each.path,
            f"it may stand once, and says {each.text!r} and {each.other!r}: neither is taken; ask "
            "the bank which it is",
            f"{each.text} {each.other}",
        )
        for each in fields.contradictions
    ]


class StatementReader:
    """Makes one statement, and the findings about its frame."""

    def __init__(self, fields: Fields, tally: Tally) -> None:
        self.fields = fields
        self.tally = tally
        self.findings: list[Finding] = []
        self.currency = find_currency(fields)

    def read(self) -> Statement:
        """Read the statement; what is wrong is in `findings` then."""
        fields, tally = self.fields, self.tally
        account = find_account(fields)
        if not account and not fields.is_of_several_accounts:
            self._warn(Fault.MISSING, fields.line, "Acct/Id", "it does not say of which account")
        if not self.currency:
            self.currency = next(iter(tally.currencies), "")
            others = list(tally.currencies)[1:]
            if others:
                text = f"entries in {self.currency} and {', '.join(others[:9])}"
                self._warn(Fault.CURRENCY, fields.line, "Acct/Ccy", text)
        closing = _CLOSING_REPORT if fields.kind is Kind.REPORT else _CLOSING
        self._check_totals()
        self.findings += tell_contradictions(fields)
        for line in fields.strangers:
            text = "an entry in an unusual place, or with a prefix of its own, was not read"
            self.findings.append(Finding(Severity.ERROR, Fault.STRUCTURE, line, "Ntry", text))
        return Statement(
            fields.kind,
            account,
            self.currency,
            fields.get("Id"),
            self._read_number("ElctrncSeqNb", "LglSeqNb"),
            self._read_page(),
            self._read_date("FrToDt/FrDtTm", "FrToDt/FrDt"),
            self._read_date("FrToDt/ToDtTm", "FrToDt/ToDt"),
            self._read_balance(_OPENING, is_last=False),
            self._read_balance(closing, is_last=True),
            tally.rows,
            tally.booked_minor,
            fields.line,
        )

    def _warn(self, fault: Fault, line: int, name: str, text: str) -> None:
        self.findings.append(Finding(Severity.WARNING, fault, line, name, text))

    def _read_number(self, *paths: str) -> int | None:
        path = next((path for path in paths if path in self.fields.first), None)
        return None if path is None else self._parse_number(path, self.fields.first[path])

    def _parse_number(self, path: str, value: Value) -> int | None:
        if not (value.text.isascii() and value.text.isdigit()) or (
            len(value.text) > _NUMBER_DIGITS_MAX
        ):
            self._warn(Fault.FIELD, value.line, path, f"{value.text[:40]!r} is no number")
            return None
        return int(value.text)

    def _read_page(self) -> int | None:
        """Read which page it is; that of the message counts if the statement has none."""
        places = [(self.fields, page) for page in _PAGES]
        if self.fields.header:
            places.append((self.fields.header, "MsgPgntn"))
        for fields, name in places:
            page = fields.first.get(f"{name}/PgNb")
            if page is not None:
                is_last = fields.get(f"{name}/LastPgInd") in {"true", "1"}
                number = self._parse_number(f"{name}/PgNb", page)
                return None if number == 1 and is_last else number
        return None

    def _read_date(self, *paths: str) -> int | None:
        value = next((self.fields.first[p] for p in paths if p in self.fields.first), None)
        if value is None:
            return None
        try:
            return parse_iso_date(value.text)
        except FieldError as error:
            self._warn(error.fault, value.line, paths[0], error.text)
            return None

    def _read_balance(self, types: tuple[str, ...], *, is_last: bool) -> int | None:
        """Read a balance of the first of these types that is there in the account's currency."""
        for kind in types:
            found = [each for each in self.fields.balances if _find_type(each) == kind]
            usual = [each for each in found if each.get("Amt", _NOTHING).currency == self.currency]
            usual = usual if self.currency else []
            strange = [each for each in found if each not in usual]
            for balance in strange:
                amount = balance.get("Amt", _NOTHING)
                told = amount.currency or "no currency"
                text = f"{kind} is in {told}, the account in {self.currency or 'none either'}"
                self._warn(Fault.CURRENCY, amount.line or self.fields.line, "Bal/Amt", text)
            if usual:
                return self._parse_balance(usual[-1 if is_last else 0])
        return None

    def _parse_balance(self, balance: dict[str, Value]) -> int | None:
        amount = balance.get("Amt")
        if amount is None:
            self._warn(Fault.MISSING, self.fields.line, "Bal/Amt", "a balance without its amount")
            return None
        sign = {"CRDT": 1, "DBIT": -1}.get(balance.get("CdtDbtInd", _NOTHING).text)
        if sign is None:
            self._warn(Fault.MISSING, amount.line, "Bal/CdtDbtInd", "a balance without direction")
            return None
        try:
            return sign * parse_money(amount.text, self.currency)
        except FieldError as error:
            self._warn(error.fault, amount.line, "Bal/Amt", error.text)
            return None

    def _check_totals(self) -> None:
        for path, told, there, is_amount in self._list_totals():
            try:
                number = (
                    parse_money(told.text, self.currency)
                    if is_amount
                    else self._parse_number(path, told)
                )
            except FieldError as error:
                self._warn(error.fault, told.line, path, error.text)
                continue
            if number is not None and number != there:
                values = [
                    write_amount(each, self.currency) if is_amount else str(each)
                    for each in (number, there)
                ]
                text = (
                    f"it says {values[0]}, the entries make {values[1]}: ask the bank for it anew"
                )
                self._warn(Fault.COUNT, told.line, path, text)

    def _list_totals(self) -> Iterator[_Total]:
        """List the totals that it says; sums only if all entries could be read."""
        tally, first = self.tally, self.fields.first
        net = tally.credit_minor - tally.debit_minor
        totals = [
            ("TtlNtries/NbOfNtries", tally.entries, False),
            ("TtlNtries/Sum", tally.credit_minor + tally.debit_minor, True),
            ("TtlNtries/TtlNetNtryAmt", abs(net), True),
            ("TtlNtries/TtlNetNtry/Amt", abs(net), True),
            ("TtlCdtNtries/NbOfNtries", tally.credits, False),
            ("TtlCdtNtries/Sum", tally.credit_minor, True),
            ("TtlDbtNtries/NbOfNtries", tally.debits, False),
            ("TtlDbtNtries/Sum", tally.debit_minor, True),
        ]
        for name, there, is_amount in totals:
            path = f"TxsSummry/{name}"
            is_whole = not tally.unread or name == "TtlNtries/NbOfNtries"
            if path in first and is_whole:
                yield _Total(path, first[path], there, is_amount)


_NOTHING = Value("", "", 0)


def _find_type(balance: dict[str, Value]) -> str:
    return next((balance[path].text for path in _TYPES if path in balance), "")
