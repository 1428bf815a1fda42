"""Cut-offs: what is booked after one counts for the next business day, in both modes."""

import datetime as dt
from itertools import product

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.reconciled import make_side

from hansa.reconcile.batch.engines import opened_duckdb
from hansa.reconcile.batch.job import Job, SideFiles, run_job
from hansa.reconcile.entries import NORMALISED, TIMES, Entry
from hansa.reconcile.readers.opening import Reading
from hansa.reconcile.readers.tables.mapping import parse_mapping
from hansa.reconcile.rules.book import Calendar
from hansa.reconcile.rules.cut_offs import CutOff

DAY_0 = (dt.date(2026, 4, 1) - dt.date(1970, 1, 1)).days
"""A Wednesday; Good Friday is the day after the next."""
CALENDAR = Calendar(
    holidays=(dt.date(2026, 4, 3), dt.date(2026, 4, 6), dt.date(2026, 4, 11)),
    cut_off=dt.time(17),
    offset_minutes=60,
)
RULES = """
name = "cut"
sides = [{name = "l"}, {name = "r"}]
calendar = {cut_off = 17:00:00, holidays = [2026-04-03, 2026-04-06]}

[window]
days = 1
from = 2026-04-01

[[passes]]
name = "exact"
kind = "net"
on = ["account", "currency", "amount_minor", "booking_date", "reference"]
"""
MAPPING = parse_mapping(
    b"""
columns = {booking_date = "d", amount = "a", reference = "r"}
constants = {account = "A", currency = "EUR"}
dates = {format = "%Y-%m-%d %H:%M"}
""",
    "map.toml",
)


def enter(day, time_s, offset_minutes=None):
    at_s = None if time_s is None else day * 86_400 + time_s
    times = {"booked_at_s": at_s, "booked_offset_minutes": offset_minutes}
    return Entry("A", "EUR", 1, day, None, "k", **times)


@pytest.mark.parametrize(
    ("time", "offset_minutes", "expected"),
    [
        ("2026-04-01 16:59:59", None, "2026-04-01"),
        ("2026-04-01 17:00:00", None, "2026-04-02"),
        ("2026-04-02 17:00:01", None, "2026-04-07"),  # over Good Friday to Easter Monday
        ("2026-04-04 09:00:00", None, "2026-04-07"),
        ("2026-04-01 16:30:00", 0, "2026-04-02"),
        ("2026-04-01 17:30:00", 120, "2026-04-01"),
        ("2026-04-02 00:30:00", 600, "2026-04-01"),
    ],
)
def test_it_counts_by_the_clock_of_the_calendar(time, offset_minutes, expected):
    moment = dt.datetime.fromisoformat(f"{time}+00:00")
    day, time_s = divmod(int(moment.timestamp()), 86_400)
    placed = CutOff(CALENDAR).place(enter(day, time_s, offset_minutes))
    assert str(dt.date(1970, 1, 1) + dt.timedelta(placed.booking_date)) == expected
    assert CutOff(CALENDAR).place(placed) == placed


def test_an_engine_places_entries_alike(tmp_path):
    days = [-719_162, -3, 2, *range(DAY_0, DAY_0 + 13)]
    times = [None, 1, 16 * 3_600, 17 * 3_600 - 1, 17 * 3_600, 86_399]
    entries = [enter(*each) for each in product(days, times, [None, 0, 60, -720, 840])]
    entries.append(enter(DAY_0, 86_399)._replace(booking_date=None))
    with opened_duckdb(tmp_path, threads=1) as engine:
        table = engine.add(make_side(entries))
        placed = engine.fetch(CutOff(CALENDAR).express(table).order_by("row"))
        assert CutOff(Calendar()).express(table) is table
    found = placed.cast(NORMALISED)["booking_date"].cast(pa.int32()).to_pylist()
    assert found == [CutOff(CALENDAR).place(each).booking_date for each in entries]


@pytest.mark.parametrize("is_cut", [True, False])
def test_one_side_books_in_the_evening_and_the_other_on_the_next_business_day(tmp_path, is_cut):
    (tmp_path / "l.csv").write_text("d,a,r\n2026-04-01 18:30,5,k\n2026-04-02 18:30,7,m\n")
    (tmp_path / "r.csv").write_text("d,a,r\n2026-04-02 09:00,5,k\n2026-04-07 09:00,7,m\n")
    rules = RULES if is_cut else RULES.replace("cut_off = 17:00:00, ", "")
    (tmp_path / "rules.toml").write_text(rules)
    sides = [SideFiles((tmp_path / f"{each}.csv",), Reading(mapping=MAPPING)) for each in "lr"]
    told = run_job(Job(*sides, tmp_path / "rules.toml", threads=1), tmp_path / "out")
    pairs = pq.read_metadata(tmp_path / "out" / "pairs.parquet").num_rows
    assert pairs == (2 if is_cut else 0)
    assert told["as_of"] == "2026-04-07"
    dates = pq.read_table(tmp_path / "out" / "l" / "entries.parquet")["booking_date"]
    assert dates.to_pylist() == [dt.date(2026, 4, 1), dt.date(2026, 4, 2)]


def test_entries_of_earlier_versions_have_no_time(tmp_path):
    for name in "lr":
        table = make_side([enter(DAY_0, None)]).drop_columns([each.name for each in TIMES])
        pq.write_table(table, tmp_path / f"{name}.parquet")
    (tmp_path / "rules.toml").write_text(RULES)
    sides = [SideFiles((tmp_path / f"{each}.parquet",)) for each in "lr"]
    run_job(Job(*sides, tmp_path / "rules.toml", threads=1), tmp_path / "out")
    assert pq.read_metadata(tmp_path / "out" / "pairs.parquet").num_rows == 1
