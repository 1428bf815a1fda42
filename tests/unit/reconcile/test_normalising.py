"""Normalising: all files of a side in one folder, whole or not at all."""

import hashlib
import json
import re
import signal
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet
import pytest
from tests.tabled import HEADER, PLAIN, mapping_of

from hansa.kernel.errors import Invalid, NotFound
from hansa.reconcile.normalising import (
    ENTRIES,
    FINDINGS,
    NORMALISED,
    QUARANTINE,
    STATEMENTS,
    OnError,
    normalise,
)
from hansa.reconcile.readers.opening import Reading

GOOD = "A,EUR,2026-04-03,7,r\n"
BAD = "A,EUR,2026-04-31,7,r\n"


def write(folder, name, text):
    path = folder / name
    path.write_text(HEADER + text)
    return path


def run(paths, folder, on_error=OnError.REFUSE):
    return normalise(paths, folder, Reading(mapping_of(PLAIN)), on_error=on_error)


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_files_become_one_folder(tmp_path):
    paths = [write(tmp_path, "a.csv", GOOD * 2), write(tmp_path, "b.csv", GOOD.replace("7", "8"))]
    made = run(paths, tmp_path / "out")
    assert (made.entries, made.errors, made.warnings) == (3, 0, 0)
    assert [(each.name, each.format, each.entries) for each in made.sources] == [
        ("a.csv", "csv", 2),
        ("b.csv", "csv", 1),
    ]
    assert made.sources[0].sha256 == hashlib.sha256(paths[0].read_bytes()).hexdigest()
    assert made.sources[0].size == paths[0].stat().st_size
    table = pa.parquet.read_table(tmp_path / "out" / ENTRIES)
    assert table.schema.equals(NORMALISED)
    assert table.column("source").to_pylist() == [0, 0, 1]
    assert table.column("amount_minor").to_pylist() == [700, 700, 800]
    statements = read_lines(tmp_path / "out" / STATEMENTS)
    assert [(each["file"], each["kind"], each["entries"]) for each in statements] == [
        (0, "list", 2),
        (1, "list", 1),
    ]
    assert read_lines(tmp_path / "out" / FINDINGS) == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.csv", "b.csv", "out"]
    assert not (tmp_path / "out" / QUARANTINE).exists()


def test_the_same_file_twice_is_found(tmp_path):
    paths = [write(tmp_path, name, GOOD) for name in ("a.csv", "b.csv")]
    assert run(paths, tmp_path / "out").warnings == 1
    (finding,) = read_lines(tmp_path / "out" / FINDINGS)
    assert (finding["file"], finding["fault"]) == (1, "duplicate")


def write_ofx(folder, name, *statements):
    """Write statements, each a period and the days of its transactions, whose FITIDs they are."""
    written = "".join(
        f"<STMTRS><CURDEF>EUR<BANKACCTFROM><ACCTID>{account}</BANKACCTFROM>\n<BANKTRANLIST>"
        f"<DTSTART>202604{first}<DTEND>202604{last}\n"
        + "".join(
            f"<STMTTRN><DTPOSTED>202604{each[:2]}<TRNAMT>7<FITID>{each}</STMTTRN>" for each in days
        )
        + f"</BANKTRANLIST>\n<LEDGERBAL><BALAMT>{balance}</LEDGERBAL></STMTRS>\n"
        for account, first, last, days, balance in statements
    )
    path = folder / name
    path.write_text(f"OFXHEADER:100\n\n<OFX>\n{written}</OFX>\n")
    return path


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ([("A", "01", "10", ["02", "03"], 9)], ["was there already, line 4"]),  # the very same
        ([("A", "01", "20", ["02", "12", "13"], 8)], ["1 of its 3 transactions"]),
        ([("A", "01", "10", ["02", "03"], "")], ["2 of its 2 transactions"]),
        ([("B", "01", "20", ["02", "12"], 8)], []),  # another account
        ([("A", "11", "20", ["02", "03"], 8)], []),  # numbered anew by each download
        ([("A", "01", "20", ["02", "02", "13"], 8)], []),  # no name at all
    ],
)
@pytest.mark.parametrize("is_one_file", [True, False])
def test_what_overlapping_statements_of_ofx_have_in_common_is_found(
    tmp_path, others, told, is_one_file
):
    first = ("A", "01", "10", ["02", "03"], 9)
    files = [[first, *others]] if is_one_file else [[first], others]
    paths = [write_ofx(tmp_path, f"{at}.ofx", *each) for at, each in enumerate(files)]
    if told and not is_one_file:
        paths[1].write_text(paths[1].read_text() + "\n")  # not the same to the byte
    made = normalise(paths, tmp_path / "out", on_error=OnError.QUARANTINE)
    assert made.errors == 0
    findings = read_lines(tmp_path / "out" / FINDINGS)
    findings = [each for each in findings if each["fault"] == "duplicate"]
    assert [each["file"] for each in findings] == [len(paths) - 1] * len(told)
    for finding, words in zip(findings, told, strict=True):
        assert words in finding["text"]
    names = [ENTRIES, STATEMENTS, FINDINGS, QUARANTINE]
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == sorted(names)


def test_errors_refuse_all_of_it_and_are_listed(tmp_path):
    path = write(tmp_path, "a.csv", GOOD + BAD * 2)
    with pytest.raises(Invalid) as caught:
        run([path], tmp_path / "out")
    assert caught.value.facts["findings"] == 2
    assert f"(--quarantine): (1) {path}, line 3, date: " in caught.value.message
    assert f"; (2) {path}, line 4, date: " in caught.value.message
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]


def test_a_refusal_lists_the_first_of_many(tmp_path):
    path = write(tmp_path, "a.csv", BAD * 5_000)
    with pytest.raises(Invalid, match="the first 20 faults") as caught:
        run([path], tmp_path / "out")
    assert re.findall(r"\((\d+)\) ", caught.value.message)[-1] == "20"


def test_quarantine_keeps_what_could_not_be_read(tmp_path):
    path = write(tmp_path, "a.csv", GOOD + BAD + GOOD)
    made = run([path], tmp_path / "out", OnError.QUARANTINE)
    assert (made.entries, made.errors, made.warnings) == (2, 1, 0)
    (kept,) = read_lines(tmp_path / "out" / QUARANTINE)
    assert kept["raw"] == BAD.strip()
    assert kept["line"] == 3
    assert read_lines(tmp_path / "out" / FINDINGS) == [kept]


def test_nothing_is_written_over(tmp_path):
    path = write(tmp_path, "a.csv", GOOD)
    (tmp_path / "empty").mkdir()
    run([path], tmp_path / "empty")
    with pytest.raises(Invalid, match="there already"):
        run([path], tmp_path / "empty")
    with pytest.raises(NotFound):
        run([path, tmp_path / "nowhere"], tmp_path / "out")
    with pytest.raises(Invalid, match="no files"):
        run([], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_many_rows_stand_in_worthwhile_groups(tmp_path):
    made = run([write(tmp_path, "a.csv", GOOD * 150_000)], tmp_path / "out")
    assert made.entries == 150_000
    file = pa.parquet.ParquetFile(tmp_path / "out" / ENTRIES)
    assert file.metadata.num_rows == 150_000
    assert file.metadata.num_row_groups <= 3


KILLED = """
import sys
from pathlib import Path
from tests.tabled import PLAIN, mapping_of
from hansa.reconcile.normalising import normalise
from hansa.reconcile.readers.opening import Reading, open_statements

class Waiting:
    format = "waiting"

    def iterate(self):
        yield from open_statements(Path(sys.argv[1]), Reading(mapping_of(PLAIN)))
        print("ready", flush=True)
        sys.stdin.read()

normalise([Waiting()], Path(sys.argv[2]))
"""


def test_whoever_is_killed_leaves_no_result(tmp_path):
    path = write(tmp_path, "a.csv", GOOD)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path), str(tmp_path / "out")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout.readline() == b"ready\n"  # it has begun, and waits for more
        process.send_signal(signal.SIGKILL)
    path.unlink()
    assert [each.name[:5] for each in tmp_path.iterdir()] == [".out."]
