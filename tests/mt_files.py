"""MT940 for tests: a writer of statements, and our reader with all of a file at once."""

from __future__ import annotations

import datetime as dt
import io
from typing import NamedTuple

from hypothesis import strategies as st

from hansa.reconcile.entries import Entry, Finding, Statement
from hansa.reconcile.readers.mt import read_mt
from hansa.reconcile.readers.mt.movement import ELSEWHERE
from hansa.reconcile.readers.mt.statement_line import NO_REFERENCE
from hansa.reconcile.readers.parts import read_entries

EPOCH = dt.date(1970, 1, 1)


class Read(NamedTuple):
    """All that a file has."""

    entries: list[Entry]
    statements: list[Statement]
    findings: list[Finding]

    def faults(self) -> list[tuple[str, str, str]]:
        return [(found.severity, found.fault, found.field) for found in self.findings]


def read(data: bytes | str, **options) -> Read:
    stream = io.BytesIO(data.encode() if isinstance(data, str) else data)
    result = Read([], [], [])
    for part in read_mt(stream, **options):
        result.entries.extend(read_entries(part.entries))
        result.statements.extend(part.statements)
        result.findings.extend(part.findings)
    return result


def day(text: str) -> int:
    """Days since 1970-01-01 of `2026-11-30`."""
    return (dt.date.fromisoformat(text) - EPOCH).days


class Line(NamedTuple):
    """A movement, as a bank would keep it."""

    value_date: dt.date
    entry_date: dt.date | None
    mark: str
    letter: str
    amount_minor: int
    type: str
    reference: str
    bank_reference: str
    supplement: str
    text: str

    def sign(self) -> int:
        return 1 if self.mark in {"C", "RD"} else -1


class Account(NamedTuple):
    """A statement, as a bank would keep it."""

    id: str
    account: str
    currency: str
    number: int
    opening_minor: int
    opening_date: dt.date
    lines: list[Line]

    def closing_minor(self) -> int:
        return self.opening_minor + sum(line.sign() * line.amount_minor for line in self.lines)


def write(statements: list[Account], *, end: str = "\r\n", trailer: str = "-") -> str:
    """Write statements as the standard has it, one message each."""
    lines = []
    for statement in statements:
        lines += [
            f":20:{statement.id}",
            f":25:{statement.account}",
            f":28C:{statement.number:05}/001",
            _balance(":60F:", statement.opening_minor, statement),
        ]
        for line in statement.lines:
            lines += _write_line(line)
        lines.append(_balance(":62F:", statement.closing_minor(), statement))
        if trailer:
            lines.append(trailer)
    return end.join(lines) + end


def _balance(tag: str, minor: int, statement: Account) -> str:
    mark = "D" if minor < 0 else "C"
    date = statement.opening_date.strftime("%y%m%d")
    return f"{tag}{mark}{date}{statement.currency}{_amount(abs(minor))}"


def _amount(minor: int) -> str:
    return f"{minor // 100},{minor % 100:02}"


def _write_line(line: Line) -> list[str]:
    entry = line.entry_date.strftime("%m%d") if line.entry_date else ""
    bank = f"//{line.bank_reference}" if line.bank_reference else ""
    first = (
        f":61:{line.value_date:%y%m%d}{entry}{line.mark}{line.letter}{_amount(line.amount_minor)}"
        f"{line.type}{line.reference}{bank}"
    )
    beside = [line.supplement] if line.supplement else []
    text = [line.text[at : at + 65] for at in range(0, len(line.text), 65)]
    return [first, *beside, *([f":86:{text[0]}", *text[1:]] if text else [])]


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
words = st.text(LETTERS, min_size=1, max_size=16)
references = words.filter(lambda word: word not in NO_REFERENCE | ELSEWHERE)
dates = st.dates(dt.date(2000, 1, 1), dt.date(2078, 12, 1))
minors = st.integers(0, 10**11)


@st.composite
def written_lines(draw) -> Line:
    value_date = draw(dates)
    return Line(
        value_date=value_date,
        entry_date=draw(
            st.none() | st.integers(-30, 30).map(lambda days: value_date + dt.timedelta(days))
        ),
        mark=draw(st.sampled_from(["C", "D", "RC", "RD"])),
        letter=draw(st.sampled_from(["", "R"])),
        amount_minor=draw(minors),
        type=draw(st.sampled_from(["NTRF", "NMSC", "FCHK", "S103", "N051"])),
        reference=draw(st.just("NONREF") | references),
        bank_reference=draw(st.just("") | references),
        supplement=draw(st.just("") | words),
        text=" ".join(draw(st.lists(words, max_size=12))),
    )


written_statements = st.builds(
    Account,
    id=words,
    account=words.map(lambda word: f"{word}/1"),
    currency=st.just("EUR"),
    number=st.integers(1, 99_999),
    opening_minor=st.integers(-(10**11), 10**11),
    opening_date=dates,
    lines=st.lists(written_lines(), max_size=5),
)
