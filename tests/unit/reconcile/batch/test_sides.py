"""Jobs of several sides: each pair as a job of these two alone would have it, and one for all."""

import json
import re

import pyarrow.parquet as pq
import pytest
from tests.reconciled import make_side

from hansa.kernel.errors import Invalid
from hansa.reconcile.batch.job import Job, SideFiles, run_job
from hansa.reconcile.batch.manifest import MANIFEST, check_folder
from hansa.reconcile.batch.sides import SidesJob, run_sides
from hansa.reconcile.batch.summary import SUMMARY
from hansa.reconcile.entries import Entry
from hansa.reconcile.report.page import PAGE

PASSES = """
[[passes]]
name = "exact"
kind = "net"
on = ["currency", "amount_minor", "reference"]

[[passes]]
name = "near"
kind = "tolerance"
on = ["currency"]
amount_minor = 5
"""
RULES = (
    """
name = "Loans of <b>two</b> lenders"
sides = [{name = "platform"}, {name = "lender", sign = -1}, {name = "partner", sign = -1}]

[[pairs]]
left = "platform"
right = "lender"

[[pairs]]
left = "lender"
right = "partner"
passes = ["exact"]
"""
    + PASSES
)
ENTRIES = {
    "platform": [Entry("1", "EUR", 80_00, 1, 1, "a"), Entry("1", "EUR", 10_00, 1, 1, "b")],
    "lender": [Entry("1", "EUR", -80_03, 1, 1, "a"), Entry("1", "EUR", -7, 1, 1, "c")],
    "partner": [Entry("1", "EUR", -7, 1, 1, "c"), Entry("1", "EUR", -80_00, 4, 4, "a")],
}


@pytest.fixture
def make_job(tmp_path):
    def make(sides=ENTRIES, **more):
        (tmp_path / "rules.toml").write_text(RULES)
        files = {}
        for name in sides:
            pq.write_table(make_side(ENTRIES[name]), tmp_path / f"{name}.parquet")
            files[name] = SideFiles((tmp_path / f"{name}.parquet",))
        return SidesJob(files, tmp_path / "rules.toml", threads=1, **more)

    return make


def test_each_pair_is_what_a_job_of_its_two_sides_finds(make_job, tmp_path):
    out, job = tmp_path / "out", make_job()
    manifest = run_sides(job, out)
    lent, shared = manifest["pairs"]
    assert (lent["folder"], lent["passes"]) == ("platform-lender", {"exact": 0, "near": 1})
    # Both of these are turned against the platform, so not against each other.
    assert (shared["folder"], shared["passes"]) == ("lender-partner", {"exact": 1})
    assert shared["breaks"] == {"amount": 1}
    assert manifest["as_of"] == "1970-01-05"
    (tmp_path / "two.toml").write_text(
        'name = "Two"\nsides = [{name = "platform"}, {name = "lender", sign = -1}]\n' + PASSES
    )
    sides = job.sides["platform"], job.sides["lender"]
    alone = run_job(Job(*sides, tmp_path / "two.toml", threads=1), tmp_path / "alone")
    assert lent["result_sha256"] == alone["result_sha256"]
    assert check_folder(out, (out / MANIFEST).read_bytes()).findings == []
    assert "lender-partner/manifest.json" in manifest["files"]
    page = (out / PAGE).read_text()
    links = re.findall('href="([^"]+)"', page)
    assert links[::2] == ["platform-lender/report.html", "lender-partner/report.html"]
    assert all((out / each).exists() for each in links)
    assert "&lt;b&gt;two" in page
    told = json.loads((out / SUMMARY).read_text())["pairs"]
    assert [(each["matched"], each["breaks"]) for each in told] == [([1, 1], 2), ([1, 1], 1)]


def test_each_pair_carries_on_its_own(make_job, tmp_path):
    run_sides(make_job(with_report=False), tmp_path / "first")
    job = make_job(with_report=False, carry=tmp_path / "first")
    lent, shared = run_sides(job, tmp_path / "next")["pairs"]
    assert (lent["unmatched"], shared["unmatched"]) == ([2, 2], [2, 2])
    (tmp_path / "first" / "lender-partner" / MANIFEST).write_text("{}")
    with pytest.raises(Invalid, match="lender-partner cannot be carried on"):
        run_sides(job, tmp_path / "broken")


def test_every_side_needs_files_and_no_other_has_some(make_job, tmp_path):
    with pytest.raises(Invalid, match="no file is given for lender; no file is given for partner"):
        run_sides(make_job(["platform"]), tmp_path / "out")
    job = make_job()
    others = {"till": job.sides["lender"], **job.sides}
    with pytest.raises(Invalid, match="there is no side till"):
        run_sides(SidesJob(others, job.rules), tmp_path / "out")
    with pytest.raises(Invalid, match="has 3 sides, and there are files of two"):
        run_job(Job(*list(job.sides.values())[:2], job.rules), tmp_path / "out")
