"""Reads OFX: statements of banks (STMTRS), of cards (CCSTMTRS) and of brokers (INVSTMTRS).

Source: OFX 1.6 and 2.2, sections 2.5 (sign-on), 3.1.4 (STATUS), 11.4 (banks and cards) and 13.9
(investments).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.entries import Fault, Part
from hansa.reconcile.readers.heads import read_head
from hansa.reconcile.readers.ofx.letters import HEAD_SIZE, Letters, read_chunks
from hansa.reconcile.readers.ofx.statements import STATEMENTS, OpenStatement
from hansa.reconcile.readers.ofx.tokens import Token, read_tokens
from hansa.reconcile.readers.ofx.transactions import FIELDS_MAX, NESTED, TRANSACTIONS, Transaction
from hansa.reconcile.readers.parts import PartBuilder

_OFX = re.compile(rb"OFXHEADER\s*[:=]|<\?OFX\b|<(?:[A-Za-z]+:)?OFX[\s>]", re.IGNORECASE)
_ANSWERS = frozenset(f"{name[:-2]}TRNRS" for name in STATEMENTS)
_SIGN_ON = "SONRS"
_STATUS = "STATUS"
_AGGREGATES = (
    frozenset(["OFX", _SIGN_ON, _STATUS, "AVAILBAL", "BALLIST", "INVBAL", "LEDGERBAL"])
    | frozenset(["BANKACCTFROM", "BANKTRANLIST", "BANKTRANLISTP", "CCACCTFROM", "INVACCTFROM"])
    | frozenset(["INVOOLIST", "INVPOSLIST", "INVTRANLIST", "SECLIST"])
    | STATEMENTS
    | _ANSWERS
    | NESTED
    | TRANSACTIONS
)
"""Those whose bounds matter; of all others only the fields are looked at."""
_LISTS = frozenset(["BANKTRANLIST", "BANKTRANLISTP", "INVTRANLIST"])
_OF_TRANSACTIONS = frozenset(["FITID", "TOTAL", "TRNAMT"])


def is_ofx(head: bytes) -> bool:
    """Whether the first kilobytes of a file have a header of OFX, or its outermost tag."""
    return _OFX.search(head.replace(b"\x00", b"")) is not None


def read_ofx(stream: BinaryIO) -> Iterator[Part]:
    """Read a file, a statement for each account.

    Raises:
      Invalid: MALFORMED: no header and no `<OFX>` near the beginning; or unsafe: a declaration of
        types or entities, a comment or a CDATA section beyond all bounds.
    """
    head = read_head(stream, HEAD_SIZE)
    if not is_ofx(head):
        raise Invalid(
            InvalidCode.MALFORMED, "not an OFX file: neither OFXHEADER nor <OFX> near its beginning"
        )
    builder = PartBuilder()
    file = _File(builder, Letters(head.decode("latin-1"), builder))
    for token in read_tokens(read_chunks(stream, head), builder):
        file.take(token)
        yield from builder.take(len(token.value))
    file.end()
    yield from builder.finish()


class _File:
    """Which aggregates are open, and what they hold."""

    def __init__(self, builder: PartBuilder, letters: Letters) -> None:
        self._builder = builder
        self._letters = letters
        self._open: list[str] = []
        """Names from the outermost to the innermost, each once, which bounds their number."""
        self._status: dict[str, str] = {}
        self._statement: OpenStatement | None = None
        self._transaction: Transaction | None = None
        self._loose: Transaction | None = None
        self._statements = 0
        self._line = 1

    def take(self, token: Token) -> None:
        """Take the next tag with the value behind it."""
        self._line = token.line
        if token.is_end:
            if token.name in _AGGREGATES:
                self._close(token.name)
            if token.value.strip():
                self._warn_odd(f"letters after the end of {token.name}", token.value)
        elif token.name in _AGGREGATES and not (token.name in NESTED and token.value.strip()):
            if token.value.strip():
                self._warn_odd(f"letters after the start of {token.name}", token.value)
            self._start(token)
        elif token.name.endswith("STMTRS") and not token.value.strip():
            self._builder.report(
                Fault.IGNORED,
                token.line,
                token.name,
                "a statement of a kind that is not read: its transactions are missing",
            )
        else:
            self._take_field(token.name, self._letters.decode(token.value, token.line))

    def end(self) -> None:
        """Take the end of the file."""
        if self._open:
            self._builder.report(
                Fault.STRUCTURE,
                self._line,
                self._open[-1],
                f"the file ends within {' '.join(self._open)}: it is cut off, and what followed "
                "is missing; ask for it again",
                self._transaction.raw if self._transaction else "",
            )
            self._transaction = None  # half of one is none
            while self._open:
                self._end_aggregate(self._open.pop())
        if not self._statements:
            self._builder.warn(
                Fault.MISSING,
                self._line,
                "OFX",
                "the file holds no statement: it is an answer to something else, as a sign-on or a "
                "list of accounts",
            )

    def _start(self, token: Token) -> None:
        name = token.name
        if name in self._open:
            self._builder.warn(
                Fault.STRUCTURE, token.line, name, f"{name} within {name}: the first has no end tag"
            )
            self._close(name)
        if name == _STATUS:
            self._status = {}
        elif name in STATEMENTS:
            self._statement = OpenStatement(self._builder, name, token.line)
            self._statements += 1
        elif name in TRANSACTIONS:
            if self._transaction is not None:
                return  # a field or an aggregate of another one, by that name
            self._tell_loose()
            self._transaction = Transaction(name, token.line)
        self._open.append(name)
        if token.is_empty:
            self._close(name)

    def _close(self, name: str) -> None:
        """Close an aggregate, and first those within it that are open still."""
        if name not in self._open:
            self._tell_loose()
            return
        while (inner := self._open.pop()) != name:
            self._builder.warn(
                Fault.STRUCTURE, self._line, inner, f"{inner} has no end tag before that of {name}"
            )
            self._end_aggregate(inner)
        self._end_aggregate(name)

    def _end_aggregate(self, name: str) -> None:
        if name == _STATUS:
            self._tell_status()
        elif name in STATEMENTS and self._statement is not None:
            self._tell_loose()
            self._statement.end()
            self._statement = None
        elif self._transaction is not None and name == self._transaction.name:
            if self._statement is not None:
                self._statement.add(self._transaction)
            else:
                self._report_transaction(self._transaction, "a transaction outside any statement")
            self._transaction = None
        elif name in _LISTS:
            self._tell_loose()

    def _take_field(self, name: str, value: str) -> None:
        parent = self._open[-1] if self._open else ""
        if self._transaction is not None:
            key = f"{parent}/{name}" if parent in NESTED else name
            self._transaction.add(key, value)
            if self._transaction.added == FIELDS_MAX + 1:
                self._warn_odd(f"more than {FIELDS_MAX} fields, the rest of which", name)
        elif parent == _STATUS:
            self._status[name] = value if name in {"CODE", "SEVERITY", "MESSAGE"} else ""
        elif self._statement is not None:
            self._statement.take_field(parent, name, value, self._line)
            # The sum of a pension plan's balances is a TOTAL, too, right in its statement.
            if parent in _LISTS or (parent in STATEMENTS and name != "TOTAL"):
                self._take_loose(name, value)

    def _take_loose(self, name: str, value: str) -> None:
        """Take a field that stands where transactions do, but in none of them."""
        if self._loose is None:
            self._loose = Transaction("", self._line)
        self._loose.add(name, value)

    def _tell_loose(self) -> None:
        """Report such fields, if they are a transaction whose tag is broken or unknown."""
        if self._loose is not None and _OF_TRANSACTIONS & self._loose.fields.keys():
            self._report_transaction(
                self._loose, "fields of a transaction whose start tag is missing or unknown"
            )
        self._loose = None

    def _report_transaction(self, transaction: Transaction, text: str) -> None:
        self._builder.report(
            Fault.STRUCTURE, transaction.line, transaction.name, text, transaction.raw
        )

    def _tell_status(self) -> None:
        """Tell of an answer that is not the one asked for."""
        code, severity = self._status.get("CODE", ""), self._status.get("SEVERITY", "").upper()
        if severity != "ERROR" and code.strip("0") == "":
            return
        parent = self._open[-1] if self._open else ""
        message = self._status.get("MESSAGE", "")
        text = f"the server answers {code or 'nothing'}" + (f", {message}" if message else "")
        if severity == "ERROR":
            what = "sign-on failed" if parent == _SIGN_ON else "there is no statement"
            self._builder.report(
                Fault.MISSING, self._line, f"{parent}/{_STATUS}", f"{text}: {what}; ask again"
            )
        else:
            self._builder.warn(Fault.IGNORED, self._line, f"{parent}/{_STATUS}", text)

    def _warn_odd(self, what: str, letters: str) -> None:
        self._builder.warn(
            Fault.IGNORED, self._line, "", f"{what}: {letters.strip()[:40]!r} is passed over"
        )
