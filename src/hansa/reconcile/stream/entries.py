"""Entries as they travel between two banks, and their tags, buckets and commitments.

An entry is taken by what it says, without its place in a file. Its tag is a keyed hash of what the
first pass asks to be equal, made comparable as the rules say, and of its window; so both banks make
the same tag of the same movement, and no two windows share one. A bucket tag is the same of what
the first tolerance pass asks to be equal, and of a cell of amounts and days: cells overlap, so that
what is within the tolerance shares one, and what is more than twice as far apart never does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Annotated, NamedTuple

from msgspec import Meta, Raw

from hansa.contracts.reconciliation.windows import TAG_BYTES
from hansa.kernel.calendar import civil_from_days
from hansa.kernel.encoding import Decoder, Document, encode
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.values import Signed
from hansa.reconcile.entries import Entry, Status
from hansa.reconcile.matching.arrays import AMOUNT_MAX
from hansa.reconcile.rules.book import OffsetMinutes, Side, Tolerance
from hansa.reconcile.rules.cut_offs import CutOff
from hansa.reconcile.rules.references import ReferenceForm
from hansa.reconcile.rules.windows import find_window
from hansa.reconcile.stream.terms import Pair, Place, Use

TEXT_MAX = 8_192
ENTRIES_MAX = 2_000
"""Read at once."""
DAY_FURTHEST = 2**24
TIME_FURTHEST_S = DAY_FURTHEST * 86_400
DAYS_AHEAD_MAX = 366
"""A bank adds nothing dated later: it would be a slip of the pen that cannot be taken back."""

_Text = Annotated[str, Meta(max_length=TEXT_MAX)]
_Day = Annotated[int, Meta(ge=-DAY_FURTHEST, le=DAY_FURTHEST)]


class _EntryDocument(Document, frozen=True, array_like=True):
    """An `Entry` on its way: all its fields but those of its place in a file."""

    account: _Text
    currency: _Text
    amount_minor: Signed
    booking_date: _Day | None
    value_date: _Day | None
    reference: _Text
    bank_reference: _Text
    transaction_id: _Text
    counterparty: _Text
    counterparty_account: _Text
    text: _Text
    code: _Text
    batch: _Text
    is_reversal: bool
    status: Status
    original_currency: _Text
    original_minor: Signed | None
    charges_minor: Signed | None


class _TimedDocument(_EntryDocument, frozen=True, array_like=True):
    """An entry as it is added, with the time of its booking; the other bank is told its day."""

    booked_at_s: Annotated[int, Meta(ge=-TIME_FURTHEST_S, le=TIME_FURTHEST_S)]
    booked_offset_minutes: OffsetMinutes | None


_FIELDS = len(_EntryDocument.__struct_fields__)
_decode = Decoder[_EntryDocument](_EntryDocument, "entry").decode
_decode_timed = Decoder[_TimedDocument](_TimedDocument, "entry").decode
_TIMED = encode((None,) * len(_TimedDocument.__struct_fields__))[:3]
"""How an array begins that has the time, too."""
_Limits = Meta(max_length=ENTRIES_MAX)
_Many = Annotated[tuple[_EntryDocument, ...], _Limits]
_decode_many = Decoder[tuple[_EntryDocument, ...]](_Many, "array of entries").decode
_Mixed = Annotated[tuple[Raw, ...], _Limits]
_decode_mixed = Decoder[tuple[Raw, ...]](_Mixed, "array of entries").decode


class Tagged(NamedTuple):
    """An entry as it is posted."""

    window: int
    tag: bytes
    currency: str
    amount_minor: int
    """As the left party sees it."""
    entry: bytes


def write_entry(entry: Entry) -> bytes:
    """Write an entry as it travels to its own bank's node, with the time if that is known.

    Raises:
      Invalid: it is too long to travel.
    """
    fields = tuple(entry)[:_FIELDS]
    if entry.booked_at_s is not None:
        fields += (entry.booked_at_s, entry.booked_offset_minutes)
    raw = encode(fields)
    _read(raw)
    return raw


def read_entry(raw: bytes) -> Entry:
    """Read an entry as it is posted, without a time; raises `Invalid`."""
    return _build(_decode(raw))


def read_entries(raw: bytes) -> list[Entry]:
    """Read an array of at most `ENTRIES_MAX` entries; raises `Invalid`, which names what is wrong.

    Example:
      >>> entry = Entry("acc", "MOP", 100, 20_000, None)
      >>> read_entries(encode([tuple(read_entry(write_entry(entry)))[:_FIELDS]])) == [entry]
      True
    """
    mixed = [bytes(each) for each in _decode_mixed(raw)]
    if not any(each.startswith(_TIMED) for each in mixed):
        return [_build(each) for each in _decode_many(raw)]
    return [_read(each) for each in mixed]


def require_near(entries: Iterable[Entry], today: int, where: str = "") -> None:
    """Refuse entries whose day is more than `DAYS_AHEAD_MAX` after today.

    Args:
      entries: that a bank is about to add.
      today: days since 1970-01-01.
      where: what they are from.

    Raises:
      Invalid: the first of them, by its line, or its place among these.
    """
    for number, each in enumerate(entries, 1):
        day = each.value_date if each.booking_date is None else each.booking_date
        if day is not None and day > today + DAYS_AHEAD_MAX:
            year, month, of_month = civil_from_days(day)
            place = f"line {each.line}" if each.line else f"entry {number}"
            raise Invalid(
                InvalidCode.ARGUMENTS,
                f"{where}{place} is dated {year:04}-{month:02}-{of_month:02}, more than "
                f"{DAYS_AHEAD_MAX} days ahead, and what is added cannot be taken back: correct its "
                "date, or leave it out; nothing was added",
            )


def _read(raw: bytes) -> Entry:
    return _build((_decode_timed if raw.startswith(_TIMED) else _decode)(raw))


def _build(found: _EntryDocument) -> Entry:
    return Entry(**{name: getattr(found, name) for name in found.__struct_fields__})


class Tagger:
    """Makes tags of one party's entries."""

    def __init__(self, pair: Pair, place: Place) -> None:
        self._pair = pair
        self._side: Side = pair.sides[place]
        self._form = ReferenceForm(pair.book.references)
        self._cut_off = CutOff(pair.book.calendar)
        self._tolerance = next(
            (each for each in pair.book.passes if isinstance(each, Tolerance)), None
        )

    def place(self, entry: Entry) -> Entry:
        """Place an entry on the day that it counts for; of its time nothing else is told."""
        return self._cut_off.place(entry)._replace(booked_at_s=None, booked_offset_minutes=None)

    def find_window(self, entry: Entry) -> int:
        """Find the window of an entry's day."""
        return find_window(self._pair.window, entry.booking_date, entry.value_date)

    def tag(self, entry: Entry, window: int) -> Tagged | None:
        """Tag an entry for a window; None if its status does not count.

        Raises:
          Invalid: a text of it is too long, or its amount too large for sums of it to be exact.
        """
        if abs(entry.amount_minor) > AMOUNT_MAX:
            raise Invalid(
                InvalidCode.AMOUNT, f"the amount {entry.amount_minor} is beyond 2^53 minor units"
            )
        if entry.status not in self._side.statuses:
            return None
        values = [self._express(entry, name) for name in self._pair.first.on]
        tag = self._pair.seal(Use.TAG, encode((window, *values)), TAG_BYTES)
        amount_minor = self._side.sign * entry.amount_minor
        return Tagged(window, tag, entry.currency, amount_minor, write_entry(entry))

    def list_buckets(self, entry: Entry, window: int) -> list[bytes]:
        """List the bucket tags of an entry; none if the rules have no tolerance pass."""
        if self._tolerance is None:
            return []
        values = [self._express(entry, name) for name in self._tolerance.on]
        day = entry.booking_date if entry.value_date is None else entry.value_date
        cells = product(
            _list_cells(self._side.sign * entry.amount_minor, self._tolerance.amount_minor),
            [(0, 0)] if day is None else _list_cells(day, self._tolerance.days),
        )
        return [
            self._pair.seal(Use.BUCKET, encode((window, *values, *amount, *days)), TAG_BYTES)
            for amount, days in cells
        ]

    def _express(self, entry: Entry, name: str) -> str | int | None:
        """Express a field of an entry as passes compare it, as `batch.preparing.prepare` does."""
        if name == "amount_minor":
            return self._side.sign * entry.amount_minor
        if name != "reference":
            value: str | int | None = getattr(entry, name)
            return value
        fields = self._pair.book.references.fields
        return self._form.write(
            next((text for each in fields if (text := getattr(entry, each))), "")
        )


def compute_commitment(pair: Pair, salt: bytes, entry: bytes) -> bytes:
    """Compute the hiding commitment to an entry, by a salt of 32 unknown bytes."""
    return pair.digest(b"hansa\x00entry\x00" + salt + entry)


def _list_cells(value: int, tolerance: int) -> Iterator[tuple[int, int]]:
    """List the cells of two grids that a value lies in; the second is half a cell further.

    Ends of cells are `tolerance` + 1 apart, so at most one lies between two values that are within
    the tolerance: in one of the grids both have the same cell.

    Example:
      >>> list(_list_cells(104, 5)), list(_list_cells(109, 5))
      ([(0, 8), (1, 9)], [(0, 9), (1, 9)])
    """
    if tolerance == 0:
        yield 0, value
        return
    width = 2 * (tolerance + 1)
    for grid in range(2):
        yield grid, (value + grid * (tolerance + 1)) // width
