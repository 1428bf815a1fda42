"""Windows: what one leaves open the next may match; the order of rows, or of runs, is no matter."""

import json
import zipfile

import pyarrow.parquet as pq
import pytest
from tests.reconciled import RULES, make_side

from hansa.kernel.errors import Invalid, NotFound
from hansa.reconcile.batch.job import Job, SideFiles, run_job
from hansa.reconcile.batch.manifest import MANIFEST
from hansa.reconcile.batch.pairing import CARRIED
from hansa.reconcile.batch.results import BREAKS, MATCHES, OPEN, PAIRS
from hansa.reconcile.batch.summary import SUMMARY
from hansa.reconcile.entries import Entry
from hansa.reconcile.report.page import PAGE
from hansa.reconcile.report.workbook import WORKBOOK

DAY = 20_514
"""2026-03-02, a Monday."""
DAILY = RULES + "[window]\ndays = 1\nfrom = 2026-03-02\n"


def entry(minor, day, reference="", *, value_day=DAY, **more):
    return Entry("1", "EUR", minor, DAY + day, value_day, reference, **more)


@pytest.fixture
def run(tmp_path):
    """Runs a job over two sides into a folder of this name."""

    def run(name, left, right, rules=DAILY, **more):
        folder = tmp_path / f"{name}-in"
        folder.mkdir()
        (folder / "rules.toml").write_text(rules)
        sides = []
        for at, entries in (("left", left), ("right", right)):
            pq.write_table(make_side(entries), folder / f"{at}.parquet")
            sides.append(SideFiles((folder / f"{at}.parquet",)))
        job = Job(*sides, folder / "rules.toml", threads=1, **{"with_report": False} | more)
        return run_job(job, tmp_path / name)

    return run


def test_a_break_heals_once_its_counterpart_is_there(run, tmp_path):
    left = [entry(100, 0, "a"), entry(200, 0, "b"), entry(300, 0, "c")]
    right = [entry(-300, 0, "c"), entry(-100, 1, "a"), entry(-203, 5, "b")]
    manifest = run("out", left, right)
    first, second, quiet, third = manifest["windows"]
    numbers = [(each["number"], each["through"]) for each in manifest["windows"]]
    assert numbers == [(0, 0), (1, 1), (2, 4), (5, 5)]
    assert (first["first_day"], first["last_day"]) == ("2026-03-02", "2026-03-02")
    assert (quiet["first_day"], quiet["last_day"]) == ("2026-03-04", "2026-03-06")
    assert (quiet["new"], quiet["carried"], quiet["breaks"]) == ([0, 0], [1, 0], second["breaks"])
    assert (first["new"], first["carried"], first["unmatched"]) == ([3, 1], [0, 0], [2, 0])
    assert (second["new"], second["carried"], second["unmatched"]) == ([0, 1], [2, 0], [1, 0])
    assert (first["breaks"], second["breaks"]) == ({"missing_right": 2}, {"missing_right": 1})
    assert third["passes"] == {"exact": 0, "near": 1}
    assert manifest["passes"] == {"exact": 2, "near": 1}
    assert (manifest["breaks"], manifest["unmatched"]) == ({}, [0, 0])
    pairs = pq.read_table(tmp_path / "out" / PAIRS).sort_by("window").to_pylist()
    assert pairs == [
        {"left_row": 2, "right_row": 0, "window": 0},
        {"left_row": 0, "right_row": 1, "window": 1},
    ]
    matches = pq.read_table(tmp_path / "out" / MATCHES).to_pylist()
    told = [(each["match"], each["window"], each["side"], each["row"]) for each in matches]
    assert told == [(0, 5, "books", 1), (0, 5, "bank", 2)]


def test_reports_have_a_row_for_each_window(run, tmp_path):
    left = [entry(100, 0, "a"), entry(5, 0, "c")]
    manifest = run("out", left, [entry(-101, 3, "a")], with_report=True)
    told = json.loads((tmp_path / "out" / SUMMARY).read_text())["windows"]
    assert [(each["new"], each["matches"], each["breaks"]) for each in told] == [
        ([2, 0], 0, 2),
        ([0, 0], 0, 2),
        ([0, 1], 1, 1),
    ]
    page = (tmp_path / "out" / PAGE).read_text()
    with zipfile.ZipFile(tmp_path / "out" / WORKBOOK) as archive:
        figures = archive.read("xl/worksheets/sheet1.xml").decode()
    for each in manifest["windows"]:
        assert page.count(each["result_sha256"]) == figures.count(each["result_sha256"]) >= 1


def test_what_matched_is_final_and_what_is_open_in_the_end_breaks(run, tmp_path):
    left = [entry(100_00, 0, "a"), entry(7, 0, "c"), entry(9, 0, "d"), entry(8, 1, "e")]
    right = [entry(-10, 0, "d"), entry(-9, 1, "d"), entry(-5, 0, "c"), entry(-9, 1, "e")]
    manifest = run("out", left, right)
    assert manifest["passes"] == {"exact": 0, "near": 3}
    rows = pq.read_table(tmp_path / "out" / BREAKS).to_pylist()
    assert [(each["reference"], each["age_days"]) for each in rows] == [("a", 1), ("d", 1)]
    rows = pq.read_table(tmp_path / "out" / MATCHES).to_pylist()
    assert [each["match"] for each in rows] == [0, 0, 1, 1, 2, 2]
    assert [each["window"] for each in rows] == [0, 0, 0, 0, 1, 1]


def test_entries_that_do_not_count_make_no_window(run):
    manifest = run("out", [entry(1, 0), entry(2, 3, status="pending")], [])
    assert [each["number"] for each in manifest["windows"]] == [0]
    assert manifest["windows"][0]["new"] == [1, 0]
    assert [each["number"] for each in run("none", [], [])["windows"]] == [0]


# --- between runs -------------------------------------------------------------------------------


def test_a_run_carries_on_what_another_left(run, tmp_path):
    rich = {"transaction_id": "t", "code": "PMNT", "charges_minor": 5, "batch": "x"}
    left = [entry(100, 0, "a", **rich), entry(200, 0, "b"), entry(300, 0, "c")]
    first = run("first", left, [entry(-300, 0, "c")], RULES)
    assert first["unmatched"] == [2, 0]
    assert "carried_from" not in first
    second = run(
        "second", [entry(900, 1, "z")], [entry(-100, 1, "a")], RULES, carry=tmp_path / "first"
    )
    assert second["passes"] == {"exact": 1, "near": 0}
    assert second["unmatched"] == [2, 0]
    assert second["carried_from"]["result_sha256"] == first["result_sha256"]
    assert second["carried_from"]["entries"] == [2, 0]
    assert [each["entries"] for each in second["sides"]] == [3, 1]
    carried = pq.read_table(tmp_path / "second" / CARRIED).to_pylist()
    assert [each["row"] for each in carried] == [1, 2]
    assert {name: carried[0][name] for name in rich} == rich
    (pair,) = pq.read_table(tmp_path / "second" / PAIRS).to_pylist()
    assert (pair["left_row"], pair["right_row"]) == (1, 0)
    rows = pq.read_table(tmp_path / "second" / BREAKS).to_pylist()
    assert [(each["reference"], each["row"]) for each in rows] == [("b", 2), ("z", 0)]


def test_what_cannot_be_carried_on_is_told(run, tmp_path):
    run("first", [entry(100, 0)], [])
    renamed = DAILY.replace('"bank"', '"till"')
    with pytest.raises(Invalid, match="it is of books and bank, not of books and till"):
        run("renamed", [], [], renamed, carry=tmp_path / "first")
    with pytest.raises(NotFound, match=r"manifest\.json is not there"):
        run("nothing", [], [], carry=tmp_path)
    (tmp_path / "first" / OPEN).write_bytes(b"PAR1")
    with pytest.raises(Invalid, match=r"open\.parquet was changed"):
        run("changed", [], [], carry=tmp_path / "first")
    (tmp_path / "first" / MANIFEST).write_text("[]")
    with pytest.raises(Invalid, match="is not that of one pair"):
        run("other", [], [], carry=tmp_path / "first")


def test_two_runs_find_what_one_over_both_does(run, tmp_path):
    left = [entry(each * 100, each % 2 * 2, "a" * each) for each in range(1, 7)]
    right = [entry(-each * 100 - each % 3, each // 4 * 2, "a" * each) for each in range(2, 8)]
    whole = run("whole", left, right)
    parts = [
        [[each for each in side if (each.booking_date > DAY) == is_last] for side in (left, right)]
        for is_last in (False, True)
    ]
    first = run("first", *parts[0])
    second = run("second", *parts[1], carry=tmp_path / "first")
    assert [*first["windows"], *second["windows"]] == whole["windows"]
    assert [each["through"] for each in second["windows"]] == [1, 2]
    assert second["unmatched"] == whole["unmatched"]
