"""`hansa reconcile --notarise`, and `hansa manifest verify`: a result that anybody can check."""

import json
import shlex

import pyarrow.parquet as pq
import pytest
from tests.played import CHEAP, PASSPHRASE, open_folder
from tests.reconciled import RULES, make_side
from tests.running import run_folder
from tests.world import key

from hansa.cli.main import main
from hansa.node.home import Home
from hansa.reconcile.entries import Entry
from hansa.sdk.keys import save_key

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A node at work, the key file of one of its members, and two sides beside it."""
    path = tmp_path_factory.mktemp("place")
    with open_folder(path / "node") as world:
        genesis = world.network.genesis_hash.hex()
    for name in ("north", "ann"):
        save_key(path / f"{name}.json", key(name), PASSPHRASE, cost=CHEAP)
    (path / "rules.toml").write_text(RULES)
    side = make_side([Entry("1", "EUR", 5_00, 20_000, 20_000, "a")])
    pq.write_table(side, path / "side.parquet")
    with run_folder(Home(path / "node")) as running:
        (path / "api.key").write_text(running.token)
        yield path, running.url, genesis


@pytest.fixture
def run(place, capsys, monkeypatch):
    """Run a command with `--json`; gives code, what it printed, and what it complained of."""
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("HANSA_NODE", place[1])
    monkeypatch.chdir(place[0])

    def call(*words):
        code = main([*map(str, words), "--genesis", place[2], "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, json.loads(err) if err else None

    return call


@pytest.fixture
def reconcile(run, tmp_path):
    """Reconcile the side with itself into `out`."""
    sides = ("side.parquet", "side.parquet", "--rules", "rules.toml", "--no-report")
    return lambda *words: run("reconcile", *sides, "--out", tmp_path / "out", *words)


NOTARISE = ("--notarise", "north.json", "--api-key-file", "api.key")


def test_a_result_is_notarised_and_each_change_of_it_is_found(reconcile, run, tmp_path, place):
    out = tmp_path / "out"
    code, made, _ = reconcile(*NOTARISE)
    assert code == 0
    notarised = made.pop("notarised")
    assert json.loads((out / "manifest.json").read_text()) == made
    code, found, _ = run("manifest", "verify", out)
    assert (code, found["manifest_ok"], found["findings"], found["others"]) == (0, True, [], [])
    assert (found["tx_id"], found["notary"]) == (notarised["tx_id"], key("north").address_text)
    assert (found["genesis_hash"], found["is_trusted"]) == (place[2], True)

    (out / "breaks.parquet").write_bytes(b"no breaks")
    (out / "pairs.parquet").unlink()
    (out / "notes.txt").write_text("somebody's")
    code, found, _ = run("manifest", "verify", out)
    findings = ["pairs.parquet is not there", "breaks.parquet was changed"]
    assert (code, found["findings"], found["others"]) == (1, findings, ["notes.txt"])

    (out / "manifest.json").write_text(json.dumps(made | {"as_of": "2020-01-01"}))
    evidence = out / "manifest.json.evidence.json"
    assert run("manifest", "verify", out)[1]["findings"][2:] == [
        f"the manifest is not the one that {evidence} is of"
    ]
    evidence.write_text("{}")
    assert "no evidence file" in run("manifest", "verify", out)[1]["findings"][2]


def test_where_the_node_is_not_there_the_result_is_kept_and_notarised_later(
    reconcile, run, tmp_path, place
):
    code, made, told = reconcile(*NOTARISE, "--node", NOWHERE)
    assert (code, "notarised" in made) == (5, False)
    assert f"The result is kept in {tmp_path / 'out'}" in told["message"]
    code, found, _ = run("manifest", "verify", tmp_path / "out")
    assert (code, ["not notarised" in each for each in found["findings"]]) == (1, [True])
    program, *later = shlex.split(told["later"])
    assert program.endswith("hansa")
    there = [place[1] if word == NOWHERE else word for word in later]
    assert run(*there)[0] == 0
    assert run("manifest", "verify", tmp_path / "out")[1]["manifest_ok"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--node", NOWHERE), 2, "--notarise KEYFILE"),
        (("--notary", "hansa1"), 2, "--notarise KEYFILE"),
        (("--notarise", "nobody.json"), 4, "nobody.json"),
    ],
)
def test_what_could_not_be_notarised_is_not_reconciled(reconcile, tmp_path, words, code, told):
    found, _, complaint = reconcile(*words)
    assert (found, told in complaint["message"]) == (code, True)
    assert not (tmp_path / "out").exists()


def test_what_a_rule_refuses_is_told_and_the_result_kept(reconcile, tmp_path):
    for_another = ("--notary", key("ann").address_text)
    code, _, told = reconcile(*NOTARISE, *for_another)
    assert (code, "was not notarised" in told["message"]) == (3, True)
    assert for_another[1] in told["later"]
    assert sorted(path.name for path in (tmp_path / "out").glob("manifest*")) == ["manifest.json"]
