"""Commands of an operator that lifts wallets, as they are typed at a counter."""

from __future__ import annotations

import json
import secrets

import pytest
from tests.played import CHEAP, PASSPHRASE, make_folder
from tests.running import run_folder
from tests.world import key

from hansa.cli.main import main
from hansa.contracts import wallets
from hansa.contracts.wallets import Category
from hansa.kernel.crypto.address import to_text
from hansa.node.identity.folders import serving_alone
from hansa.node.identity.operator.folder import NewOperator, create_operator
from hansa.sdk.client import Client
from hansa.sdk.keys import save_key

NORTH = key("north").address_text
MEI = key("mei").address


def run(verb, folder, *words):
    return main(["id", "tier", verb, "--data", str(folder), "--json", *map(str, words)])


def read(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.fixture
def node(tmp_path):
    with run_folder(make_folder(tmp_path / "node")) as node:
        with Client(node.url) as client:
            opening = wallets.Open(MEI, key("north").address, Category.IV)
            client.send([key("north")], [opening]).require_ok()
        yield node


@pytest.fixture
def folder(tmp_path, node, monkeypatch):
    """As `new` makes it; its keys open quickly."""
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    key_file = tmp_path / "north.json"
    save_key(key_file, key("north"), PASSPHRASE, cost=CHEAP)
    path = tmp_path / "operator"
    new = NewOperator(
        url="https://bank.example",
        name="North",
        operator=NORTH,
        node=node.url,
        genesis=node.home.load_network().genesis_hash.hex(),
        key=str(key_file),
    )
    create_operator(path, new, passphrase=PASSPHRASE, draw=secrets.token_bytes, cost=CHEAP)
    (path / "operator.key").write_text(node.token)
    rules = path / "tiers.toml"
    rules.write_text(rules.read_text().replace("# api_key_file", "api_key_file"))
    return path


def test_a_new_folder_is_told_how_it_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    path = tmp_path / "operator"
    new = ["--url", "https://bank.example", "--name", "North", "--operator", NORTH]
    ledger = ["--node", "http://127.0.0.1:9", "--genesis", "ab" * 32, "--key", "north.json"]
    assert run("new", path, *new, *ledger) == 0
    assert read(capsys)["data"] == str(path)
    assert run("list", path) == 0
    assert read(capsys) == {"cases": []}


def test_a_question_is_asked_of_a_wallet_that_can_be_lifted(folder, capsys):
    mei = to_text(MEI)
    capsys.readouterr()
    assert run("list", folder) == 0
    assert read(capsys) == {"cases": []}
    picture = folder.parent / "ask.svg"
    assert run("ask", folder, mei, "--category", "III", "--svg", picture) == 0
    asked = read(capsys)
    assert asked["request"].startswith("openid4vp://")
    assert "<svg" in picture.read_text()
    assert run("report", folder, asked["session"]) == 0
    found = read(capsys)
    assert (found["state"], found["wallet"], found["category"]) == ("asked", mei, "III")
    assert run("list", folder) == 0
    assert [each["session"] for each in read(capsys)["cases"]] == [asked["session"]]
    assert main(["id", "tier", "list", "--data", str(folder)]) == 0
    assert f"asked     III  {mei}" in capsys.readouterr().out
    assert run("check", folder) == 0
    assert read(capsys) == {"cases": []}
    assert run("audit", folder) == 0
    assert read(capsys) == {"lifts": []}


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["ask", to_text(key("ada").address), "--category", "III"], 2, "without a credential"),
        (["ask", to_text(key("nobody").address), "--category", "III"], 4, "no wallet"),
        (["ask", "hansa1x", "--category", "III"], 2, "an address has 64 characters"),
        (["report", "none"], 4, "no wallet was asked to be lifted"),
        (["lower", to_text(MEI)], 4, "nothing lifts the wallet"),
    ],
)
def test_what_cannot_be_is_told(folder, capsys, words, code, told):
    verb, *rest = words
    assert run(verb, folder, *rest) == code
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (f'operator = "{NORTH}"', 'operator = "hansa1x"', "operator: "),
        ('category = "II"', 'category = "III"', "two are for one category"),
        ('category = "II"', 'category = "IV"', "category"),
        ('path = ["family_name"]', 'path = ["pairwise_subjects"]', "is asked for anyway"),
        ('path = ["family_name"]', 'path = ["given_name"]', "asks twice"),
        ("node = ", "nod = ", "nod"),
    ],
)
def test_settings_that_cannot_be_are_told(folder, capsys, old, new, told):
    rules = folder / "tiers.toml"
    text = rules.read_text()
    assert old in text
    rules.write_text(text.replace(old, new))
    assert run("list", folder) == 2
    assert told in capsys.readouterr().err


def test_a_folder_is_made_whole_or_not_at_all(folder, tmp_path, capsys):
    new = ["--url", "https://b.example", "--name", "B", "--operator", "hansa1x"]
    ledger = ["--node", "https://n.example", "--genesis", "ab" * 32, "--key", "x.json"]
    path = tmp_path / "other"
    assert run("new", path, *new, *ledger) == 2
    assert "operator: " in capsys.readouterr().err
    assert list(path.iterdir()) == []
    assert run("new", folder, *new, *ledger) == 2
    assert "not empty" in capsys.readouterr().err


def test_one_process_at_a_time_lifts(folder, capsys):
    with serving_alone(folder):
        assert run("check", folder) == 5
    assert "another process serves" in capsys.readouterr().err
