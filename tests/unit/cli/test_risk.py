"""`hansa risk`: what it prints and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.modelled import write_small
from tests.played import CHEAP, PASSPHRASE
from tests.world import key

from hansa.cli.main import main
from hansa.risk.decisions.policy import load_policy
from hansa.risk.intake.describing import FEATURES
from hansa.sdk.keys import save_key

SMALL = ("--cities", 1, "--days", 3, "--persons", 500, "--trees", 8)
SMALL += ("--illicit-per-million", 60_000)
"""A plan that takes a second."""


@pytest.fixture
def folder(tmp_path):
    """As much of a node's data folder as these commands look at."""
    (tmp_path / "genesis.bin").touch()
    return tmp_path


def run(capsys, *words, code=0):
    """Run a command; returns its JSON, or that of its error."""
    assert main(["risk", *map(str, words), "--json"]) == code, capsys.readouterr().err
    out, err = capsys.readouterr()
    return json.loads(out or err)


def test_a_model_is_added_promoted_stopped_and_gone_back_to(folder, capsys):
    ids = []
    for name in ("first", "second"):
        (folder / name).write_bytes(write_small(FEATURES, name=name))
        ids.append(run(capsys, "model", "add", "--data", folder, folder / name)["model"])
    for each in ids:
        run(capsys, "model", "promote", "--data", folder, each)
    back = run(capsys, "model", "rollback", "--data", folder)
    assert (back["champion"], back["earlier"]) == (ids[0], [])
    run(capsys, "model", "challenge", "--data", folder, ids[1])
    stopped = run(capsys, "model", "stop", "--data", folder)
    assert stopped == {
        "champion": ids[0],
        "earlier": [],
        "challenger": ids[1],
        "is_stopped": True,
    }
    listed = run(capsys, "model", "list", "--data", folder)
    roles = {each["model"]: each["role"] for each in listed["models"]}
    assert roles == {ids[0]: "champion, stopped", ids[1]: "challenger"}
    shown = run(capsys, "model", "show", "--data", folder)
    assert (shown["name"], shown["metrics"]) == ("first", {"average_precision": 0.74})


def test_people_are_told_that_nobody_decides_and_why(folder, capsys):
    (folder / "m").write_bytes(write_small(FEATURES))
    added = run(capsys, "model", "add", "--data", folder, folder / "m")["model"]
    assert main(["risk", "model", "list", "--data", str(folder)]) == 0
    assert capsys.readouterr().out.endswith("no model decides\n")
    run(capsys, "model", "promote", "--data", folder, added)
    (folder / "risk" / "models" / f"{added}.model").write_bytes(b"")
    assert main(["risk", "model", "list", "--data", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert added in err
    assert err.startswith("fault: ")
    assert out.endswith("no model decides; what a node loaded before does until it ends\n")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("promote", "ab" * 32), 4, "there is no model"),
        (("promote", "ab"), 2, "no hash of a model"),
        (("show",), 4, "no model was promoted"),
        (("rollback",), 4, "no model decided before"),
        (("add", "nowhere"), 4, "there is no file"),
    ],
)
def test_what_cannot_be_done_says_why(folder, capsys, words, code, told):
    assert told in run(capsys, "model", *words, "--data", folder, code=code)["message"]


def test_a_node_begins_with_what_ships(folder, capsys):
    begun = run(capsys, "begin", "--data", folder)
    assert run(capsys, "model", "show", "--data", folder)["model"] == begun["model"]
    assert set(begun) == {"model", "policy"}
    assert main(["risk", "begin", "--data", str(folder)]) == 0
    assert "once it is in force on the ledger" in capsys.readouterr().out


def test_a_folder_without_a_node_is_refused(tmp_path, capsys):
    told = run(capsys, "model", "stop", "--data", tmp_path, code=4)
    assert "there is no node" in told["message"]
    assert list(tmp_path.iterdir()) == []


def write_city(path, first_day, days):
    """Write payments of a city where one terminal of ten is compromised."""
    chance = np.random.default_rng(first_day)
    times = np.sort(chance.integers(first_day * 86_400, (first_day + days) * 86_400, days * 60))
    terminals = chance.integers(0, 10, len(times))
    columns = {
        "TX_DATETIME": times.astype("datetime64[s]"),
        "CUSTOMER_ID": chance.integers(0, 50, len(times)),
        "TERMINAL_ID": terminals,
        "TX_AMOUNT": chance.integers(100, 9_999, len(times)) / 100,
        "TX_FRAUD": (terminals == 0) & (chance.random(len(times)) < 0.8),
    }
    parquet.write_table(pa.table(columns), path)
    return path


def test_models_are_measured_on_months_of_ones_own(tmp_path, capsys):
    train = write_city(tmp_path / "train.parquet", 17_000, 35)
    test = write_city(tmp_path / "test.parquet", 17_035, 8)
    assert main(["risk", "evaluate", "--train", str(train), "--test", str(test), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.pop("weeks") == [found]
    assert set(found) == {"auc", "average_precision", "card_precision_100"}
    assert found["auc"] > 0.9


def test_months_that_cannot_be_measured_are_refused(tmp_path, capsys):
    train = write_city(tmp_path / "train.parquet", 17_000, 35)
    test = write_city(tmp_path / "test.parquet", 17_035, 5)
    for left, right, says in (
        (train, test, "less than a week"),
        (train, train, "begin before those to train end"),
        (test, train, "begin before those to train end"),
        (train, Path(__file__), "needs the columns TX_DATETIME"),
        (train, tmp_path / "none.parquet", "there is no file"),
    ):
        code = 2 if right.exists() else 4
        assert main(["risk", "evaluate", "--train", str(left), "--test", str(right)]) == code
        assert says in capsys.readouterr().err


def test_a_model_is_trained_signed_and_can_be_added(folder, capsys, monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    save_key(folder / "maker", key("maker"), PASSPHRASE, cost=CHEAP)
    out, policy = folder / "new.model", folder / "policy.toml"
    words = ("train", "--out", out, "--key", folder / "maker", "--policy", policy, *SMALL)
    made = run(capsys, *words)
    assert 0.8 < made["metrics"]["auc"] < 1
    assert run(capsys, "model", "add", "--data", folder, out)["model"] == made["model"]
    shown = run(capsys, "model", "show", "--data", folder, made["model"])
    assert shown["signed_by"] == key("maker").public_key.hex()
    assert (shown["made_by"], shown["trees"]) == (key("maker").address_text, 8)
    assert load_policy(policy.read_bytes(), "policy").version == 1
    assert "nothing is overwritten" in run(capsys, *words, code=2)["message"]


def test_a_plan_without_trees_is_refused(folder, capsys, monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    save_key(folder / "maker", key("maker"), PASSPHRASE, cost=CHEAP)
    words = ("train", "--out", folder / "m", "--key", folder / "maker", *SMALL, "--trees", "0")
    assert "a model has 1 to 10000" in run(capsys, *words, code=2)["message"]
    told = run(capsys, *words, "--policy", folder / "m", code=2)["message"]
    assert "--policy names the file of --out" in told
    told = run(capsys, *words, "--policy", folder / "nowhere" / "p", code=4)["message"]
    assert "there is no folder" in told, "it is told before minutes of training"


def test_the_files_of_a_folder_are_checked_before_officers_declare_them(folder, capsys):
    (folder / "risk").mkdir()
    told = run(capsys, "check", "--data", folder, code=4)["message"]
    assert "there is no" in told
    assert "risk begin" in told
    (folder / "risk" / "policy.toml").write_text("version = 3\n")
    first = run(capsys, "check", "--data", folder)
    assert (first["version"], first["rules"], first["model"]) == (3, 0, None)
    (folder / "risk" / "lists.csv").write_text(
        "subject,name,list,until,why\ndevice,d-7,block,,stolen\n"
    )
    changed = run(capsys, "check", "--data", folder)
    assert changed["listed"] == 1
    assert changed["policy"] != first["policy"]
    (folder / "risk" / "rules.toml").write_text("name = 1\n")
    assert "rules.toml" in run(capsys, "check", "--data", folder, code=2)["message"]
