"""Jobs: files in, a folder out, the same whatever the order of rows; or nothing, and why."""

import hashlib
import json
import random

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.reconciled import make_side

from hansa.kernel.errors import Invalid, NotFound
from hansa.reconcile.batch.job import Job, SideFiles, run_job
from hansa.reconcile.batch.manifest import MANIFEST
from hansa.reconcile.batch.results import BREAKS, MATCHES, OPEN, PAIRS
from hansa.reconcile.batch.summary import SUMMARY
from hansa.reconcile.entries import Entry
from hansa.reconcile.normalising import ENTRIES, QUARANTINE, OnError
from hansa.reconcile.readers.opening import Reading, map_tables
from hansa.reconcile.readers.tables.mapping import parse_mapping
from hansa.reconcile.report.page import PAGE
from hansa.reconcile.report.workbook import WORKBOOK

RULES = """
name = "Nostro"
sides = [{name = "books"}, {name = "bank"}]

[breaks]
ageing_days = [1, 5]
priorities = [{priority = 1, over_minor = 5_000_00}, {priority = 2, over_days = 6}]

[[passes]]
name = "exact"
kind = "net"
on = ["currency", "amount_minor", "value_date", "reference"]

[[passes]]
name = "near"
kind = "tolerance"
on = ["currency"]
amount_minor = 5
days = 3
"""
MAPPING = parse_mapping(
    b"""
amounts = {decimal = "."}
columns = {value_date = "date", amount = "amount", reference = "ref"}
constants = {account = "1", currency = "EUR"}
""",
    "map.toml",
)
BOOKS = """date,amount,ref
2026-03-02,10.00,a
2026-03-03,-20.00,b
2026-03-04,7000.00,c
2026-03-05,30.00,d
"""
BANK = """date,amount,ref
2026-03-05,-20.02,b
2026-03-02,10.00,a
2026-03-13,99.00,e
"""


@pytest.fixture
def make_job(tmp_path):
    def make(books=BOOKS, bank=BANK, rules=RULES, **more):
        sides = []
        for name, text in (("books.csv", books), ("bank.csv", bank)):
            (tmp_path / name).write_text(text)
            sides.append(SideFiles((tmp_path / name,), Reading(MAPPING)))
        (tmp_path / "rules.toml").write_text(rules)
        return Job(*sides, tmp_path / "rules.toml", threads=1, **more)

    return make


def shuffle(text):
    head, *rows = text.splitlines()
    random.Random(5).shuffle(rows)
    return "\n".join([head, *rows]) + "\n"


def test_a_result_is_told_whole(make_job, tmp_path):
    out = tmp_path / "out"
    manifest = run_job(make_job(), out)
    assert json.loads((out / MANIFEST).read_text()) == manifest
    assert manifest["passes"] == {"exact": 1, "near": 1}
    assert manifest["breaks"] == {"missing_left": 1, "missing_right": 2}
    assert manifest["as_of"] == "2026-03-13"
    assert [each["entries"] for each in manifest["sides"]] == [4, 3]
    (pair,) = pq.read_table(out / PAIRS).to_pylist()
    assert pair == {"left_row": 0, "right_row": 1}
    ours, theirs = pq.read_table(out / MATCHES).to_pylist()
    assert (ours["side"], ours["amount_minor"], theirs["amount_minor"]) == ("books", -2000, -2002)
    assert ours["reason"] == "-0.02 EUR apart; 2 days later; the same reference"
    breaks = pq.read_table(out / BREAKS).to_pylist()
    told = {each["reference"]: (each["age_days"], each["age"], each["priority"]) for each in breaks}
    assert told == {"c": (7, "6+", 1), "d": (6, "6+", 2), "e": (0, "0-1", 5)}
    assert sorted(each.name for each in out.iterdir()) == sorted(
        ["bank", "books", PAIRS, MATCHES, BREAKS, OPEN, MANIFEST, SUMMARY, PAGE, WORKBOOK]
    )


def test_the_order_of_rows_changes_no_result(make_job, tmp_path):
    one = run_job(make_job(), tmp_path / "one")
    other = run_job(make_job(shuffle(BOOKS), shuffle(BANK)), tmp_path / "other")
    changed = run_job(make_job(BOOKS.replace("30.00", "30.01")), tmp_path / "changed")
    assert one["result_sha256"] == other["result_sha256"] != changed["result_sha256"]
    assert one["sides"][0]["sha256"] != other["sides"][0]["sha256"]


def test_a_side_that_is_normalised_is_read_where_it_lies(make_job, tmp_path):
    whole = run_job(make_job(), tmp_path / "whole")
    made = [SideFiles((tmp_path / "whole" / side / ENTRIES,)) for side in ("books", "bank")]
    again = run_job(Job(*made, tmp_path / "rules.toml", threads=1), tmp_path / "again")
    assert again["result_sha256"] == whole["result_sha256"]
    assert not (tmp_path / "again" / "books").exists()


def spoil(table, name, spoiled):
    """Change one value of a column, which then may be null."""
    values = [spoiled, *table.column(name).to_pylist()[1:]]
    place = table.schema.get_field_index(name)
    field = table.schema.field(place).with_nullable(True)
    return table.set_column(place, field, pa.array(values, field.type))


@pytest.mark.parametrize(
    ("name", "spoiled"),
    [("row", -1), ("row", 1), ("row", None), ("account", None), ("reference", None)],
)
def test_what_would_lose_entries_or_count_them_twice_is_no_normalised_side(
    make_job, tmp_path, name, spoiled
):
    """Passes join by columns that are never null, and know an entry by its row."""
    run_job(make_job(), tmp_path / "whole")
    entries = tmp_path / "whole" / "books" / ENTRIES
    pq.write_table(spoil(pq.read_table(entries), name, spoiled), tmp_path / "odd.parquet")
    sides = SideFiles((tmp_path / "odd.parquet",)), SideFiles((entries,))
    with pytest.raises(Invalid):
        run_job(Job(*sides, tmp_path / "rules.toml", threads=1), tmp_path / "out")


def test_what_cannot_be_read_is_refused_or_put_into_quarantine(make_job, tmp_path):
    out = tmp_path / "out"
    bad = BOOKS.replace("30.00", "30.0.0").replace("7000.00", "x")
    with pytest.raises(Invalid, match=r"2 faults; .*\(1\) .*books.csv, line 4.*\(2\) .*line 5"):
        run_job(make_job(bad), out)
    assert not out.exists()
    manifest = run_job(make_job(bad, on_error=OnError.QUARANTINE), out)
    assert manifest["breaks"] == {"missing_left": 1}
    assert len((out / "books" / QUARANTINE).read_text().splitlines()) == 2


def test_what_is_missing_or_in_the_way_is_told(make_job, tmp_path):
    job = make_job()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(Invalid, match="is there already"):
        run_job(job, tmp_path / "out")
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["mine"]
    (tmp_path / "bank.csv").unlink()
    with pytest.raises(NotFound, match=r"bank\.csv"):
        run_job(job, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    job = make_job(rules=RULES + '\n[rates]\nfile = "rates.csv"\ncurrency = "EUR"\n')
    with pytest.raises(NotFound, match=r"rates\.csv"):
        run_job(job, tmp_path / "new")


def test_amounts_of_other_currencies_are_compared_by_rates(tmp_path, make_job):
    rules = """
name = "Abroad"
sides = [{name = "books"}, {name = "bank"}]
rates = {file = "rates.csv", currency = "EUR"}

[[passes]]
name = "exact"
kind = "net"
on = ["currency", "amount_minor", "reference"]

[[passes]]
name = "converted"
kind = "tolerance"
on = ["reference"]
amount_ppm = 1000
converted = true
"""
    (tmp_path / "rates.csv").write_text("date,from,to,rate\n1970-01-02,EUR,JPY,160\n")
    job = make_job(rules=rules)
    for name, entry in (
        ("books", Entry("1", "EUR", 100_00, 1, 1, "a")),
        ("bank", Entry("1", "JPY", 16_010, 1, 1, "a")),
    ):
        pq.write_table(make_side([entry]), tmp_path / f"{name}.parquet")
    sides = [SideFiles((tmp_path / f"{name}.parquet",)) for name in ("books", "bank")]
    manifest = run_job(Job(*sides, job.rules, threads=1), tmp_path / "out")
    assert manifest["passes"] == {"exact": 0, "converted": 1}
    reason = pq.read_table(tmp_path / "out" / MATCHES).column("reason")[0].as_py()
    assert reason == "0.06 EUR apart; the same day; the same reference"


def test_a_manifest_binds_whatever_decides_what_matches(tmp_path, make_job):
    """Two runs that differ in rates or mapping alone must not look as of the same inputs."""
    rules = f'{RULES}\n[rates]\nfile = "rates.csv"\ncurrency = "EUR"\n'
    mapping = b'amounts = {decimal = "."}\n[columns]\nvalue_date = "date"\namount = "amount"\n'
    mapping += b'reference = "ref"\n[constants]\naccount = "1"\ncurrency = "EUR"\n'
    inputs = []
    for number, (rate, comment) in enumerate(((b".92", b""), (b".9201", b""), (b".92", b"# 2"))):
        rates = b"date,from,to,rate\n2026-03-02,USD,EUR,0" + rate + b"\n"
        (tmp_path / "rates.csv").write_bytes(rates)
        job = make_job(rules=rules)
        said = map_tables(mapping + comment, "map.toml")
        left = SideFiles(job.left.paths, said._replace(currency="EUR"))
        job = Job(left, job.right, job.rules, threads=1, with_report=False)
        told = run_job(job, tmp_path / str(number))
        assert told["version"] == 2
        assert told["rates"] == {"name": "rates.csv", "sha256": hashlib.sha256(rates).hexdigest()}
        assert told["sides"][0]["reading"] == {
            "mapping_sha256": hashlib.sha256(mapping + comment).hexdigest(),
            "currency": "EUR",
            "on_error": "refuse",
        }
        unnamed = told["sides"][1]["reading"]["mapping_sha256"]
        assert unnamed == hashlib.sha256(msgspec.json.encode(MAPPING)).hexdigest()
        inputs.append((told["rates"], told["sides"]))
    assert inputs[0] != inputs[1]
    assert inputs[0] != inputs[2]
    entries = [SideFiles((tmp_path / "0" / side / ENTRIES,)) for side in ("books", "bank")]
    again = run_job(Job(*entries, job.rules, threads=1, with_report=False), tmp_path / "again")
    assert [each["reading"] for each in again["sides"]] == [{}, {}]


def test_sides_without_entries_give_an_empty_result(make_job, tmp_path):
    head = "date,amount,ref\n"
    manifest = run_job(make_job(bank=head), tmp_path / "out")
    assert manifest["breaks"] == {"missing_right": 4}
    assert pq.read_table(tmp_path / "out" / PAIRS).num_rows == 0
    assert run_job(make_job(head, head), tmp_path / "none")["breaks"] == {}
    assert pa.types.is_int64(pq.read_schema(tmp_path / "none" / BREAKS).field("break").type)
