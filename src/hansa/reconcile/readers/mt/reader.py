"""Reader of MT940 and MT942: from lines to fields, from fields to entries and statements.

It takes what banks write: with or without the blocks of SWIFT around a message, with headers of
their own, `-` or nothing at the end, fields wrapped anywhere.

Source: SWIFT Standards MT, category 9, MT940 and MT942 format specifications.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.entries import Fault, Finding, Part, Severity
from hansa.reconcile.readers.fields import FieldError
from hansa.reconcile.readers.mt.accounts import ACCOUNT_LETTERS_MAX, parse_account
from hansa.reconcile.readers.mt.balance import (
    find_currency,
    parse_balance,
    parse_number,
    parse_total,
)
from hansa.reconcile.readers.mt.lines import read_lines
from hansa.reconcile.readers.mt.message import Message
from hansa.reconcile.readers.mt.movement import Movement
from hansa.reconcile.readers.mt.statement_line import parse_date
from hansa.reconcile.readers.parts import PartBuilder

TAKE_LINES = 64
"""After which it is asked whether there is enough for a part."""
HEADER_LINES_MAX = 1_000
"""Lines before the first field: a file that has more is no MT940."""
ID_LETTERS_MAX = 64
_TAGS = "20|21|25P?|28C?|60[FM]?|61|62[FM]?|64|65|86|13D?|34F?|90[CD]|NS|94[0-2]"
_FIELD = re.compile(f"[ \t]*:({_TAGS}):(.*)", re.DOTALL)
_BLOCK = re.compile(r"\{[1-5]:")
_TYPE = re.compile(r"\{2:[IO](9[0-9]{2})")
_END = re.compile(r"-\}?(\{.*|X+)?\s*")
_HEADER = re.compile(r"[0-9]{4} [0-9]{2}[A-Z0-9]+|[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3,4})?|[\s$-]*")
_HEADER_TYPE = re.compile("(94[0-2])( 00)?")
_HOUR = re.compile(r"(?:^|[^0-9])([01][0-9]|2[0-3])$")
_MINUTE = re.compile("[0-5][0-9](?:[^0-9]|$)")
_HEAD = re.compile(
    rb"(?:^|[\r\n])[\x00-\x20]*(?:\xef\xbb\xbf)?[ \t]*(?::(%s):|\{[14]:)" % _TAGS.encode()
)


def is_mt(head: bytes) -> bool:
    """Whether a file that begins like this may be MT940 or MT942: it has a field of theirs."""
    return _HEAD.search(head) is not None


def read_mt(stream: BinaryIO, *, encoding: str | None = None, currency: str = "") -> Iterator[Part]:
    """Read a file of MT940 or MT942, a part at a time; its statements are kept apart.

    Args:
      stream: the file, from its start.
      encoding: of its text, which extends ASCII; None for UTF-8, and Windows-1252 where a line is
        not in that.
      currency: of accounts of which the file does not tell it.

    Returns:
      Its parts, in order.

    Raises:
      Invalid: it is no such file: there is no field of one in its first lines.
    """
    if encoding is not None:
        _check_encoding(encoding)
    builder = PartBuilder()
    reader = _Reader(builder, currency)
    for number, text in read_lines(stream, builder, encoding):
        reader.feed(number, text)
        if number % TAKE_LINES == 0:
            yield from builder.take()
    reader.finish()
    yield from builder.finish()


def _check_encoding(encoding: str) -> None:
    try:
        is_known = codecs.lookup(encoding).decode(b":20:")[0] == ":20:"
    except (LookupError, ValueError, TypeError):
        is_known = False
    if not is_known:
        raise Invalid(
            InvalidCode.MALFORMED, f"no encoding that extends ASCII is named {encoding!r}"
        )


class _Reader:
    """Takes the lines of a file; knows the message and the movement that are open."""

    def __init__(self, builder: PartBuilder, currency: str) -> None:
        self._builder = builder
        self._currency = currency
        self._message: Message | None = None
        self._movement: Movement | None = None
        self._type = ""
        """That the last header told."""
        self._tag = ""
        """Of the field that goes on, without the letter of its option; empty between messages."""
        self._last = ""
        """The line before, within a field."""
        self._colon: int | None = None
        """Number of a line of nothing but a colon, if that was the last."""
        self._is_after_dash = False
        """Whether `-` stood in details: what looks like the next header now is one."""
        self._is_mt = False
        self._is_told = False
        """Whether lines that were not understood were told since the last that was."""

    def feed(self, number: int, text: str) -> None:
        """Take the next line."""
        if self._colon is not None:
            wrapped, self._colon = self._colon, None
            if _FIELD.match(":" + text):
                number, text = wrapped, ":" + text
            else:
                self._go_on(wrapped, ":")
        if text[:1] in ":\t " and (found := _FIELD.match(text)):
            tag, value = found[1], found[2]
            if not self._is_wrapped_time(tag, value):
                self._is_mt, self._is_told, self._is_after_dash = True, False, False
                self._take(tag, value, number)
                self._last = value
                return
        if text == ":":
            self._colon = number
        elif _BLOCK.match(text):
            self._take_block(text, number)
        elif text[:1] == "-" and _END.fullmatch(text):
            self._take_end(number, text)
        else:
            self._go_on(number, text)

    def finish(self) -> None:
        """Take the end of the file."""
        self._end_message()
        if not self._is_mt:
            raise Invalid(
                InvalidCode.MALFORMED,
                "this is no MT940 or MT942: none of its lines begins with a field, as :20: or :61:",
            )

    def _take_end(self, number: int, text: str) -> None:
        """Take the end of a message, unless its text is not whole: then it is a line of details."""
        message = self._message
        if message is None or "62" in message.seen or message.is_report or text.strip() != "-":
            self._end_message()
        else:
            self._go_on(number, text)
            self._is_after_dash = True

    def _is_wrapped_time(self, tag: str, value: str) -> bool:
        """Whether this is the minute of a time of day that a wrap parted from its hour."""
        return (
            self._tag == "86"
            and tag in {"20", "21", "25", "28"}
            and self._message is not None
            and self._message.closing is None
            and _HOUR.search(self._last) is not None
            and _MINUTE.match(value) is not None
        )

    def _take_block(self, text: str, number: int) -> None:
        found = _TYPE.search(text)
        if text.startswith("{1:") or found:
            self._end_message()
            self._type = found[1] if found else ""
        self._is_mt = True
        _, is_there, inside = text.rpartition("{4:")
        if is_there and inside.strip():
            self.feed(number, inside)

    def _go_on(self, number: int, text: str) -> None:
        """Take a line that begins no field: it belongs to the last, or is beside all."""
        if self._is_after_dash and text.strip() and _HEADER.fullmatch(text):
            self._end_message()
        if self._tag in {"61", "86", "NS"} and self._message is not None:
            self._last = text
            if self._movement is not None:
                self._movement.go_on(text)
            return
        found = _HEADER_TYPE.fullmatch(text.strip())
        if found:
            self._end_message()
            self._type = found[1]
        elif self._tag != "25" and not self._is_told and not _HEADER.fullmatch(text):
            self._is_told = True
            self._builder.add_finding(
                Finding(
                    Severity.WARNING,
                    Fault.IGNORED,
                    number,
                    "",
                    "from here to the next field there is text that belongs to none",
                    text,
                )
            )
        if not self._is_mt and number > HEADER_LINES_MAX:
            self.finish()

    def _take(self, tag: str, value: str, number: int) -> None:
        name = tag if tag == "NS" else tag[:2]
        if name == "94":
            self._end_message()
            self._type = tag
            return
        message = self._open_message(name, number)
        self._tag = name
        if name == "61":
            self._take_movement(message, value, number)
        elif name in {"86", "NS"}:
            if self._movement is not None:
                self._movement.begin(name, value)
        else:
            self._end_movement()
            try:
                self._take_frame(message, tag, value.strip(), number)
            except FieldError as error:
                self._builder.report(error.fault, number, f":{tag}:", error.text, f":{tag}:{value}")
        message.seen.add(name)

    def _open_message(self, name: str, number: int) -> Message:
        """Find the message that a field belongs to.

        `:20:` begins one, and so does what cannot stand behind a closing balance.
        """
        message = self._message
        if message is not None and (
            name == "20" or ("62" in message.seen and name in {"25", "28", "60"})
        ):
            self._end_message()
            message = None
        if message is None:
            message = self._message = Message(number, self._type)
        return message

    def _take_movement(self, message: Message, value: str, number: int) -> None:
        self._end_movement()
        if "62" in message.seen and "61" not in message.told:
            message.told.add("61")
            self._builder.warn(
                Fault.STRUCTURE,
                number,
                ":61:",
                "movements stand behind the closing balance, which may not count them",
            )
        self._movement = Movement(number, value)

    def _take_frame(self, message: Message, tag: str, value: str, number: int) -> None:
        """Take a field of the frame.

        Raises:
          FieldError: it cannot be read, or was there already.
        """
        name = tag[:2]
        if name in {"25", "28", "60", "62"} and name in message.seen:
            raise FieldError(
                Fault.STRUCTURE, f":{tag}: stands here again: the first one of the message counts"
            )
        if name == "20":
            message.id = value[:ID_LETTERS_MAX]
        elif name == "25":
            account, currency = parse_account(value)
            message.account = account[:ACCOUNT_LETTERS_MAX]
            message.stated_currency = currency
        elif name == "28":
            message.number, message.page = parse_number(value)
        elif name in {"60", "62"}:
            self._take_balance(message, tag, value, number)
        elif name == "34":
            message.currency = message.currency or find_currency(value)
        elif name == "90":
            message.totals[tag[2]] = parse_total(value)
        elif name == "13":
            message.to_date = parse_date(value[:6])

    def _take_balance(self, message: Message, tag: str, value: str, number: int) -> None:
        """Take an opening or closing balance.

        Raises:
          FieldError: it cannot be read, or is of another currency than what came before.
        """
        message.is_page = message.is_page or tag.endswith("M")
        own = find_currency(value)
        message.currency = message.currency or own
        balance = parse_balance(value, message.find_currency(self._currency))
        if not own:
            self._builder.warn(
                Fault.CURRENCY, number, f":{tag}:", "a balance has no currency: that of the account"
            )
        if balance.currency != message.find_currency(self._currency):
            raise FieldError(
                Fault.CURRENCY,
                f"the balance is in {balance.currency}, the account in {message.currency}",
            )
        if tag.startswith("60"):
            message.opening = balance
        else:
            message.closing = balance

    def _end_movement(self) -> None:
        movement, message = self._movement, self._message
        if movement is not None and message is not None:
            movement.close(message, self._builder, self._currency)
        self._movement = None

    def _end_message(self) -> None:
        self._end_movement()
        if self._message is not None:
            self._message.close(self._builder, self._currency)
        self._message, self._tag, self._last = None, "", ""
