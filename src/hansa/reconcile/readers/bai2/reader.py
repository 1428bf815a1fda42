"""Reads BAI2: a file of groups of accounts of transactions, each with its control totals.

Source: BAI Cash Management Balance Reporting Specifications, version 2 (2005); ANSI X9.121 (BTR3)
for dates of eight digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.currencies import is_currency
from hansa.reconcile.entries import Fault, Part
from hansa.reconcile.readers.bai2.accounts import Account, Group
from hansa.reconcile.readers.bai2.codes import GroupStatus
from hansa.reconcile.readers.bai2.controls import Control
from hansa.reconcile.readers.bai2.details import parse_date
from hansa.reconcile.readers.bai2.lines import HEAD_SIZE, read_lines
from hansa.reconcile.readers.bai2.records import (
    ACCOUNT,
    ACCOUNT_TRAILER,
    DETAIL,
    FILE_HEADER,
    FILE_TRAILER,
    GROUP_HEADER,
    GROUP_TRAILER,
    Record,
    RecordReader,
)
from hansa.reconcile.readers.fields import FieldError
from hansa.reconcile.readers.heads import read_head
from hansa.reconcile.readers.parts import PartBuilder

_FILE_HEADER = re.compile(
    rb"(?:^|[\r\n])[ \t\xef\xbb\xbf]*01 *,(?:[^,/\r\n]*,){2} *(?:[0-9]{6}|[0-9]{8}) *,"
)
_TWO_HEADERS = re.compile(
    rb"(?:^|[\r\n])[ \t\xef\xbb\xbf]*01 *,(?:[^,\r\n]*,){4}[^\r\n]*[\r\n]+"
    rb"[ \t]*02 *,(?:[^,\r\n]*,){3}"
)
_TIME = re.compile("[0-9]{1,4}|[0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_STATUSES = {each.value for each in GroupStatus}
_MODIFIERS = {"", "1", "2", "3", "4"}
CURRENCY_USUAL = "USD"
"""Of a group that names none."""


def is_bai2(head: bytes) -> bool:
    """Whether the first kilobytes of a file have a file header (01), be it behind other lines.

    It has its date, or a group header (02) follows it: a row of a table may begin with 01, too.
    """
    return any(header.search(head) for header in (_FILE_HEADER, _TWO_HEADERS))


def read_bai2(stream: BinaryIO, *, currency: str = CURRENCY_USUAL) -> Iterator[Part]:
    """Read a file, a statement for each account of each group.

    Args:
      stream: the file.
      currency: of accounts whose group names none, either.

    Raises:
      Invalid: MALFORMED: no file header (01) near the beginning.
    """
    head = read_head(stream, HEAD_SIZE)
    if not is_bai2(head):
        raise Invalid(
            InvalidCode.MALFORMED,
            "not a BAI2 file: none of its first lines begins with 01 and a comma, as a file header",
        )
    builder = PartBuilder()
    file = _File(builder, currency)
    for record in RecordReader(builder).read(read_lines(stream, head)):
        file.take(record)
        yield from builder.take(record.size)
    file.end()
    yield from builder.finish()


class _File:
    """What is open: a file, a group, an account."""

    def __init__(self, builder: PartBuilder, currency: str) -> None:
        self._builder = builder
        self._currency = currency
        self._id = ""
        self._control: Control | None = None
        self._group: Group | None = None
        self._account: Account | None = None
        self._takers = {
            FILE_HEADER: self._open_file,
            GROUP_HEADER: self._open_group,
            ACCOUNT: self._open_account,
            DETAIL: self._add_detail,
            ACCOUNT_TRAILER: self._close_account,
            GROUP_TRAILER: self._close_group,
            FILE_TRAILER: self._close_file,
        }

    def take(self, record: Record) -> None:
        """Take the next record."""
        self._takers[record.code](record)

    def end(self) -> None:
        """Take the end of the file."""
        if self._control is not None:
            self._builder.report(
                Fault.STRUCTURE,
                self._control.line,
                FILE_TRAILER,
                "the file ends before its trailer (99): it is cut off, and what followed is "
                "missing; ask for it again",
            )
        self._drop_group()

    def _open_file(self, record: Record) -> None:
        if self._control is not None:
            self._warn_unclosed(FILE_TRAILER, record)
            self._drop_group()
        fields = record.split() + [""] * 8
        sender, _, date, _, file_id, _, _, version = fields[:8]
        self._id = "/".join(filter(None, (sender, date, file_id)))
        self._control = Control("file", FILE_TRAILER, record.line)
        self._control.count(record)
        if version not in {"", "2", "3"}:
            self._builder.warn(
                Fault.STRUCTURE,
                record.line,
                "01/version",
                f"version {version[:40]!r}: this reads 2, and 3 as far as it is alike",
            )

    def _open_group(self, record: Record) -> None:
        if self._group is not None:
            self._warn_unclosed(GROUP_TRAILER, record)
            self._drop_group()
        if self._control is None:
            self._builder.warn(
                Fault.STRUCTURE,
                record.line,
                FILE_HEADER,
                "a group outside any file (01): read, though no trailer (99) checks it",
            )
        fields = record.split() + [""] * 7
        _, _, status, date, time, currency, modifier = fields[:7]
        group = Group(
            Control("group", GROUP_TRAILER, record.line),
            self._id,
            self._read_date(record, date),
            self._read_currency(record, currency, self._currency),
            self._read_choice(record, "status", status or "1", _STATUSES, "1"),
            self._read_choice(record, "as-of-date modifier", modifier, _MODIFIERS, ""),
        )
        if time and _TIME.fullmatch(time) is None:
            self._warn_field(record, "as-of time", f"{time[:40]!r} is no time, as 2359")
        group.control.count(record)
        group.tell(self._builder, record.line)
        self._group = group

    def _open_account(self, record: Record) -> None:
        if self._account is not None:
            self._warn_unclosed(ACCOUNT_TRAILER, record)
            self._drop_account()
        group = self._group
        if group is None:
            self._builder.report(
                Fault.STRUCTURE,
                record.line,
                GROUP_HEADER,
                "an account outside any group (02): its entries have no date, and its currency "
                f"is {self._currency} unless it names one",
                record.raw,
            )
            group = self._group = Group(
                Control("group", GROUP_TRAILER, record.line), self._id, None, self._currency
            )
        fields = [*record.split(), "", ""]
        currency = self._read_currency(record, fields[1], group.currency)
        self._account = Account(self._builder, group, fields[0], currency, record)

    def _add_detail(self, record: Record) -> None:
        if self._account is None:
            self._builder.report(
                Fault.STRUCTURE,
                record.line,
                DETAIL,
                "a transaction outside any account (03)",
                record.raw,
            )
            return
        self._account.add_detail(record)

    def _close_account(self, record: Record) -> None:
        if self._account is None or self._group is None:
            self._warn_orphan(record)
            return
        self._account.control.count(record)
        total, records = [*record.split(), "", ""][:2]
        self._account.control.check(self._builder, record, total, records)
        self._drop_account()

    def _close_group(self, record: Record) -> None:
        if self._account is not None:
            self._warn_unclosed(ACCOUNT_TRAILER, record)
            self._drop_account()
        if self._group is None:
            self._warn_orphan(record)
            return
        self._group.control.count(record)
        total, accounts, records = [*record.split(), "", "", ""][:3]
        self._group.control.check(self._builder, record, total, records, ("accounts", accounts))
        self._drop_group()

    def _close_file(self, record: Record) -> None:
        if self._account is not None or self._group is not None:
            self._warn_unclosed(GROUP_TRAILER, record)
            self._drop_group()
        if self._control is None:
            self._warn_orphan(record)
            return
        self._control.count(record)
        total, groups, records = [*record.split(), "", "", ""][:3]
        self._control.check(self._builder, record, total, records, ("groups", groups))
        self._control = None

    def _drop_account(self) -> None:
        """End the open account, and add it to its group."""
        if self._account is not None and self._group is not None:
            self._account.end()
            self._group.control.add(self._account.control)
        self._account = None

    def _drop_group(self) -> None:
        """End the open group with its account, and add it to the file."""
        self._drop_account()
        if self._group is not None and self._control is not None:
            self._control.add(self._group.control)
        self._group = None

    def _warn_unclosed(self, trailer: str, record: Record) -> None:
        self._builder.warn(
            Fault.STRUCTURE,
            record.line,
            trailer,
            f"the trailer {trailer} is missing before this record {record.code}: what was open "
            "ends here, unchecked",
        )

    def _warn_orphan(self, record: Record) -> None:
        self._builder.warn(
            Fault.STRUCTURE, record.line, record.code, "a trailer of nothing: passed over"
        )

    def _warn_field(self, record: Record, name: str, text: str) -> None:
        self._builder.warn(Fault.FIELD, record.line, f"{record.code}/{name}", text)

    def _read_date(self, record: Record, text: str) -> int | None:
        try:
            return parse_date(text)
        except FieldError as error:
            self._builder.report(
                error.fault if text else Fault.MISSING,
                record.line,
                "02/as-of date",
                f"{error.text}: the entries of this group have no booking date",
                record.raw,
            )
            return None

    def _read_currency(self, record: Record, text: str, usual: str) -> str:
        """Read a currency; one that is none is empty, and the account's entries are findings."""
        code = text.upper() or usual
        if is_currency(code):
            return code
        self._builder.report(
            Fault.CURRENCY,
            record.line,
            f"{record.code}/currency",
            f"{text[:40]!r} is no currency, as USD: entries in it cannot be read",
            record.raw,
        )
        return ""

    def _read_choice(
        self, record: Record, name: str, text: str, choices: set[str], usual: str
    ) -> str:
        if text in choices:
            return text
        self._warn_field(
            record,
            name,
            f"{text[:40]!r} is none of {' '.join(sorted(choices))}: taken as {usual!r}",
        )
        return usual
