"""`hansa reconcile`: it says where the report is, unless nobody wants one."""

import json
import os

import pyarrow.parquet as pq
import pytest
from tests.reconciled import RULES, make_side

from hansa.cli.main import main
from hansa.reconcile.entries import Entry

MAP = """
[columns]
account = "account"
currency = "currency"
amount = "amount"
booking_date = "date"

[amounts]
decimal = "."
"""


@pytest.fixture
def command(tmp_path):
    (tmp_path / "rules.toml").write_text(RULES)
    for name, minor in (("left", 5_00), ("right", -7_00)):
        side = make_side([Entry("1", "EUR", minor, 20_000, 20_000, "a")])
        pq.write_table(side, tmp_path / f"{name}.parquet")
    sides = (str(tmp_path / f"{name}.parquet") for name in ("left", "right"))
    rules, out = str(tmp_path / "rules.toml"), str(tmp_path / "out")
    return ["reconcile", *sides, "--rules", rules, "--out", out]


def test_it_says_where_the_report_is(command, tmp_path, capsys):
    assert main(command) == 0
    assert str(tmp_path / "out" / "report.html") in capsys.readouterr().out
    assert (tmp_path / "out" / "report.xlsx").exists()


def test_a_report_that_nobody_wants_is_neither_written_nor_told(command, tmp_path, capsys):
    assert main([*command, "--no-report"]) == 0
    assert "report" not in capsys.readouterr().out.replace(str(tmp_path), "")
    assert not list((tmp_path / "out").glob("report.*"))
    assert (tmp_path / "out" / "summary.json").exists()


def test_a_run_carries_on_what_another_left(command, tmp_path, capsys):
    assert main([*command, "--no-report"]) == 0
    again = [*command[:-1], str(tmp_path / "next"), "--carry", str(tmp_path / "out")]
    assert main(again) == 0
    assert "books: 2 entries, 2 of them unmatched" in capsys.readouterr().out


def test_sides_may_be_said_by_their_names(command, tmp_path, capsys):
    left, right, *more = command[1:]
    named = ["reconcile", "--side", f"books={left}", "--side", f"bank={right}", *more]
    assert main([*named, "--no-report"]) == 0
    told = capsys.readouterr().out
    assert "books and bank: 0 matches, 1 breaks of 1 and 1 entries, in " in told
    assert (tmp_path / "out" / "books-bank" / "manifest.json").exists()
    for wrong, what in (
        ([*named, left], "not both"),
        ([*named, "--map", f"till={left}"], "there is no --side till=FILE"),
        (["reconcile", left, *more], "or say --side for each"),
        ([*command, "--map", f"books={left}"], "of LEFT it is --map-left"),
    ):
        assert main(wrong) == 2
        assert what in capsys.readouterr().err


def test_what_is_left_out_or_doubtful_is_told_beside_the_figures(command, tmp_path, capsys):
    """`0 breaks` would hide that entries are in no result."""
    (tmp_path / "map.toml").write_text(MAP)
    rows = ["account,currency,amount,date", "1,EUR,5.00,2026-03-02", "1,EUR,5.00,2026-02-30"]
    (tmp_path / "books.csv").write_text("\n".join(rows))
    (tmp_path / "wide.csv").write_bytes("\n".join(rows).encode("utf-16"))
    books = str(tmp_path / "books.csv")
    of = ["--more-left", books, "--map-left", str(tmp_path / "map.toml"), "--quarantine"]
    assert main([command[0], books, *command[2:], *of, "--no-report"]) == 0
    told, folder = capsys.readouterr().out, tmp_path / "out" / "books"
    assert f"books: left out as it cannot be read: 2, in {folder / 'quarantine.jsonl'}" in told
    assert f"books: warnings: 1, in {folder / 'findings.jsonl'}" in told
    os.mkfifo(tmp_path / "pipe")
    for wrong, code, what in (
        (str(tmp_path / "pipe"), 2, "is not a file but a pipe: name a file"),
        (str(tmp_path), 2, "is not a file but a folder: name a file"),
        (str(tmp_path / "wide.csv"), 2, 'encoding = "utf-16"'),
    ):
        assert main([command[0], wrong, *command[2:-1], str(tmp_path / "2"), *of[2:]]) == code
        assert what in capsys.readouterr().err
    assert main([*command[:-1], ""]) == 2
    assert "it is empty" in capsys.readouterr().err


FRAGMENT = b""":20:1
:25:4711
:28C:1
:61:2603020302C5,NTRFK\xa2-1
"""
"""MT940 without a balance, and so without a currency; in code page 850."""


def test_what_a_file_does_not_tell_is_said_of_its_side(command, tmp_path, capsys):
    (tmp_path / "bank.sta").write_bytes(FRAGMENT)
    bai2 = ["01,B,C,260302,0715,7,,,2/", "02,C,B,1,260302,,,2/", "03,4711/", "16,165,500,,,K-1,/"]
    (tmp_path / "bank.bai").write_text("\n".join([*bai2, "49,,/", "98,,,/", "99,,,/"]))
    files = [str(tmp_path / "bank.sta"), str(tmp_path / "bank.bai")]
    rules, more = command[3:-1], ["--quarantine", "--no-report"]
    said = ["--encoding-left", "cp850", "--currency-left", "EUR", "--currency-right", "CHF"]
    named = ["--side", f"books={files[0]}", "--side", f"bank={files[1]}"]
    named += ["--encoding", "books=cp850", "--currency", "books=EUR", "--currency", "bank=CHF"]
    for number, of in enumerate(([*files, *said], named)):
        out = tmp_path / f"out {number}"
        assert main(["reconcile", *of, *rules, str(out), *more]) == 0
        sides = json.loads((out / "manifest.json").read_bytes())["sides"]
        assert [each["reading"].get("currency") for each in sides] == ["EUR", "CHF"]
        assert sides[0]["reading"]["encoding"] == "cp850"
        entries = [pq.read_table(out / side / "entries.parquet") for side in ("books", "bank")]
        told = [each.select(["currency", "reference"]).to_pylist() for each in entries]
        assert told == [
            [{"currency": "EUR", "reference": "K\xf3-1"}],
            [{"currency": "CHF", "reference": "K-1"}],
        ]
    capsys.readouterr()
    for wrong, what in (
        (["--currency-left", "eur"], "is no code of a currency"),
        (["--encoding-left", "klingon"], "is no encoding that is known"),
        (["--encoding-left", "utf-16"], "no encoding that extends ASCII"),
        (["--currency", "books=EUR"], "of LEFT it is --currency-left"),
    ):
        try:
            code = main(["reconcile", *files, *rules, str(tmp_path / "no"), *wrong])
        except SystemExit as error:
            code = error.code
        assert code == 2
        assert what in capsys.readouterr().err


def test_as_json_there_is_nothing_but_the_manifest(command, capsys):
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["breaks"] == {"amount": 1}
