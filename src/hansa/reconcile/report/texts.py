"""Texts of files as a report may show them, and the words it has for what it counts.

What stands in a statement was written by whoever pays. Nothing of it may act: what does not show
as itself (controls, marks that turn the direction of writing, halves of characters) is written as
an escape, and what is long is cut, with its length.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from typing import TYPE_CHECKING

from hansa.reconcile.currencies import count_digits

if TYPE_CHECKING:  # of an extra, which whoever only shows texts need not have
    from hansa.reconcile.batch.summary import SideCount

_DAY_MIN, _DAY_MAX = -719_162, 2_932_896
"""Of years 1 and 9999, the ends of what dates are written in."""
_EPOCH = dt.date(1970, 1, 1)


def show(text: str, letters_max: int) -> str:
    r"""Show a text: escapes for what does not show as itself, blanks of all kinds as blanks.

    Escapes count as the letters that they are written in.

    >>> show("a\x00b\u202ec\xa0d", 80), show("very long", 4)
    ('a\\x00b\\u202ec d', 'very… (9 letters)')
    """
    if len(text) <= letters_max and text.isprintable():
        return text
    shown: list[str] = []
    room = letters_max
    for letter in text[: letters_max + 1]:
        piece = letter if letter.isprintable() else _escape(letter)
        room -= len(piece)
        if room < 0:
            return f"{''.join(shown)}… ({len(text):,} letters)"
        shown.append(piece)
    return "".join(shown)


def _escape(letter: str) -> str:
    if unicodedata.category(letter) == "Zs":
        return " "
    return letter.encode("unicode_escape").decode()


def show_day(day: int | None) -> str:
    """Show a day, counted from 1970-01-01; empty if there is none."""
    if day is None:
        return ""
    if not _DAY_MIN <= day <= _DAY_MAX:
        return f"day {day} from 1970-01-01"
    return (_EPOCH + dt.timedelta(days=day)).isoformat()


def show_amount(minor: int, currency: str) -> str:
    """Show minor units as an amount, without its currency.

    >>> show_amount(-123450, "EUR"), show_amount(7, "KWD"), show_amount(1234567, "JPY")
    ('−1,234.50', '0.007', '1,234,567')
    """
    places = count_digits(currency)
    whole, rest = divmod(abs(minor), 10**places)
    decimals = f".{rest:0{places}}" if places else ""
    return f"{'−' if minor < 0 else ''}{whole:,}{decimals}"


def name_class(kind: str, left: str, right: str) -> str:
    """Name a class of breaks in words.

    >>> name_class("missing_left", "books", "bank")
    'Missing in books'
    """
    from hansa.reconcile.batch.diagnosing import BreakClass  # noqa: PLC0415 - an extra

    words = {
        BreakClass.AMBIGUOUS: "Ambiguous",
        BreakClass.DUPLICATE: "Duplicate",
        BreakClass.REVERSAL: "Reversal of nothing",
        BreakClass.SPLIT: "Parts do not add up",
        BreakClass.AMOUNT: "Another amount",
        BreakClass.DATE: "Another date",
        BreakClass.MISSING_LEFT: f"Missing in {left}",
        BreakClass.MISSING_RIGHT: f"Missing in {right}",
    }
    return words[BreakClass(kind)]


def name_file(side: SideCount, source: int) -> str:
    """Name the file of a side that an entry is from, by its number."""
    if side.is_read and 0 <= source < len(side.files):
        return side.files[source].name
    return f"file {source + 1}"
