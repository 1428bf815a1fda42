"""`hansa reconcile ledger:DIR …`: a node's chain beside the books of who holds the money."""

import json
import shlex

import pyarrow.parquet as pq
import pytest
from tests.played import open_folder
from tests.reconciled import make_side
from tests.world import key, pay

from hansa.cli.main import main
from hansa.kernel.crypto.address import to_text
from hansa.reconcile.entries import Entry

ANN = to_text(key("ann").address)
DAY_MS = 86_400_000
DAY = 19_676
"""2023-11-15, when money came to Ann."""
RULES = """
name = "Wallet and books"
sides = [{name = "ledger"}, {name = "books"}]

[[passes]]
name = "exact"
kind = "net"
on = ["currency", "amount_minor", "value_date", "reference"]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A node of which Ann paid rent and food, and her books, where food is missing."""
    path = tmp_path_factory.mktemp("place")
    with open_folder(path / "node") as world:
        world.fund("ann", "shop")
        for reference in ("rent", "food"):
            world.time_ms += DAY_MS
            assert world.do("ann", pay("ann", "shop", 250, reference)) == ""
    books = [Entry("ann", "MOP", -250, DAY + 1, DAY + 1, "rent")]
    pq.write_table(make_side(books), path / "books.parquet")
    (path / "rules.toml").write_text(RULES)
    return path


@pytest.fixture
def run(place, tmp_path, monkeypatch, capsys):
    """Run the command; gives code, output and what was complained of."""
    monkeypatch.chdir(place)

    def call(words):
        out = ["--rules", "rules.toml", "--out", str(tmp_path / "out"), "--no-report"]
        code = main(["reconcile", *shlex.split(words), *out])
        return code, *capsys.readouterr()

    return call


def test_the_ledger_is_reconciled_with_books(run, tmp_path):
    days = "--from 2023-11-16 --to 2023-11-16"
    code, told, _ = run(f"ledger:node books.parquet --owner {ANN} {days} --json")
    manifest = json.loads(told)
    assert (code, manifest["passes"], manifest["breaks"]) == (0, {"exact": 1}, {})
    document = tmp_path / "out" / "ledger" / "ledger-0.json"
    assert json.loads(document.read_text())["owners"] == [ANN]
    assert [len(each["sha256"]) for each in manifest["sides"]] == [1, 1]


def test_what_the_books_lack_is_a_break(run):
    code, told, _ = run(f"ledger:node books.parquet --owner {ANN} --from 2023-11-16 --json")
    assert (code, json.loads(told)["breaks"]) == (0, {"missing_right": 1})


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("ledger:node books.parquet", 2, "--owner ADDRESS"),
        ("ledger:node books.parquet --owner ann", 2, "ann"),
        (f"books.parquet books.parquet --owner {ANN}", 2, "ledger:DIR"),
        (f"ledger:nowhere books.parquet --owner {ANN}", 4, "nowhere"),
        (f"ledger:node books.parquet --owner {ANN} --genesis {'0' * 64}", 2, "another network"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(run, tmp_path, words, code, told):
    found, _, complaint = run(words)
    assert (found, told in complaint) == (code, True)
    assert not (tmp_path / "out").exists()
