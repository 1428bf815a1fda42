"""Cut-offs: an entry booked after the cut-off of a day counts for the next business day.

Its booking date becomes that day before anything else is asked of it: windows, keys and tolerances
see no other. What has no time stays on its day. The time is kept, so what is placed twice is placed
as once. The same rule stands here twice, for one entry and for what an engine holds.

Days are counted from 1970-01-01.

Source: docs/reference/reconciliation-rules.md, "Calendar".
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from hansa.reconcile.entries import TIMES, Entry
from hansa.reconcile.rules.book import Calendar
from hansa.reconcile.rules.calendars import BusinessDays

if TYPE_CHECKING:  # loads slowly, and whoever has few rows needs no engine
    from ibis.expr.types import IntegerValue, Table

_DAY_S = 86_400
_WEEK = 7
_EPOCH = dt.date(1970, 1, 1)
_MONDAY = 4
"""The first Monday."""
_BEFORE = 102_800 * _WEEK
"""Days from before the year 1 to 1970: with them no day is below zero, where engines differ."""
_BEFORE_S = _BEFORE * _DAY_S


class CutOff:
    """The cut-off of a calendar, if it has one."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._days = BusinessDays(calendar)

    def place(self, entry: Entry) -> Entry:
        """Place an entry on the business day that it counts for."""
        if self._calendar.cut_off is None or entry.booked_at_s is None:
            return entry
        if entry.booking_date is None:
            return entry
        told = entry.booked_offset_minutes
        offset_minutes = self._calendar.offset_minutes if told is None else told
        time_ms = (entry.booked_at_s - offset_minutes * 60) * 1_000
        return entry._replace(booking_date=self._days.place(time_ms))

    def express(self, entries: Table) -> Table:
        """Express entries, by `NORMALISED`, placed alike; nulls for times that they lack."""
        import ibis  # noqa: PLC0415 - only where there is an engine

        missing = [each for each in TIMES if each.name not in entries.columns]
        if missing:
            kinds = {each.name: str(each.type) for each in missing}
            entries = entries.mutate(**{name: ibis.null(kind) for name, kind in kinds.items()})
        cut_off = self._calendar.cut_off
        if cut_off is None or len(missing) == len(TIMES):
            return entries
        offset = ibis.literal(self._calendar.offset_minutes, "int64")
        ahead = offset - entries.booked_offset_minutes.coalesce(offset)
        local_s = entries.booked_at_s + ahead * 60 + _BEFORE_S
        cut_off_s = (cut_off.hour * 60 + cut_off.minute) * 60 + cut_off.second
        is_late = (local_s % _DAY_S) >= cut_off_s
        day = (local_s - local_s % _DAY_S - _BEFORE_S + is_late.ifelse(_DAY_S, 0)) // _DAY_S
        placed = self._roll(day.cast("int64"))
        moved = (placed * _DAY_S).as_timestamp("s").date()
        is_told = entries.booked_at_s.notnull() & entries.booking_date.notnull()
        return entries.mutate(booking_date=is_told.ifelse(moved, entries.booking_date))

    def _roll(self, day: IntegerValue) -> IntegerValue:
        """Roll days forward to business days: over the weekend first, then over holidays."""
        weekday = (day + _BEFORE - _MONDAY) % _WEEK
        plain = BusinessDays(Calendar(weekend=self._calendar.weekend))
        over = [(each, plain.find_next(_MONDAY + each) - _MONDAY - each) for each in range(_WEEK)]
        day += weekday.cases(*over, else_=0)
        numbers = [(each - _EPOCH).days for each in self._calendar.holidays]
        turns = [(each, self._days.find_next(each)) for each in sorted(set(numbers))]
        return day.cases(*turns, else_=day) if turns else day
