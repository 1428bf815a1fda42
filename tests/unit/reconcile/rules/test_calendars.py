"""Business days, against counting them one by one."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from hansa.reconcile.rules.book import Calendar
from hansa.reconcile.rules.calendars import BusinessDays

EPOCH = dt.date(1970, 1, 1)
NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
days = st.integers(-800, 800)
calendars = st.builds(
    Calendar,
    weekend=st.lists(st.sampled_from(NAMES), max_size=6).map(tuple),
    holidays=st.lists(days.map(lambda day: EPOCH + dt.timedelta(day)), max_size=12).map(tuple),
)


def is_business_day(calendar, day):
    date = EPOCH + dt.timedelta(day)
    return NAMES[date.weekday()] not in calendar.weekend and date not in calendar.holidays


@given(calendars, days, days)
def test_counting_is_the_same_one_by_one(calendar, one, other):
    first, last = sorted((one, other))
    found = BusinessDays(calendar)
    assert found.count(last) - found.count(first) == sum(
        is_business_day(calendar, day) for day in range(first, last)
    )
    assert found.is_business_day(one) == is_business_day(calendar, one)


def test_the_cut_off_moves_to_the_next_business_day():
    calendar = Calendar(cut_off=dt.time(17), offset_minutes=60, holidays=(dt.date(2026, 12, 25),))
    found = BusinessDays(calendar)

    def place(day, hour, minute):
        moment = dt.datetime(2026, 12, day, hour, minute, tzinfo=dt.UTC)
        at = found.place(int(moment.timestamp() * 1_000))
        return (EPOCH + dt.timedelta(at)).day

    assert place(24, 15, 59) == 24
    assert place(24, 16, 0) == 28  # the 25th is a holiday, the 26th a Saturday
    assert place(22, 23, 30) == 23  # it is the 23rd there already
    assert place(26, 10, 0) == 28
