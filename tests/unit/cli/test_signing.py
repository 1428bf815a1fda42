"""Signing an envelope file: nothing is signed before it was shown and somebody agreed."""

from __future__ import annotations

import io
import json

import pytest
from tests.faked import BASE
from tests.played import CHEAP, PASSPHRASE
from tests.running import run_fake
from tests.world import ASSET, key

from hansa.cli.main import main
from hansa.sdk.envelope_file import load_envelope
from hansa.sdk.keys import save_key

ADA, SHOP = key("ada"), key("shop")


class Terminal(io.StringIO):
    """Somebody who types; `meanwhile` happens while they read."""

    def __init__(self, typed, meanwhile=lambda: None):
        super().__init__(typed)
        self.meanwhile = meanwhile

    def isatty(self):
        return True

    def readline(self, *arguments):
        self.meanwhile()
        return super().readline(*arguments)


@pytest.fixture
def url(monkeypatch):
    with run_fake(*BASE) as url:
        monkeypatch.setenv("HANSA_NODE", url)
        monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
        yield url


def make_file(folder, name, amount_minor=90_000):
    """Make an envelope file that ada and the shop are to sign, which nobody has signed yet."""
    fields = {"payer": ADA.address_text, "payee": SHOP.address_text, "asset": ASSET}
    arguments = {**fields, "amount_minor": str(amount_minor), "end_to_end_id": "x"}
    for person in (ADA, SHOP):
        path = folder / person.address_text
        if not path.exists():
            save_key(path, person, PASSPHRASE, cost=CHEAP)
    words = ("--call", "payments.transfer", "--args", json.dumps(arguments), "--offline")
    signers = ("--signer", SHOP.address_text)
    assert (
        main(["tx", "send", str(folder / ADA.address_text), *words, str(folder / name), *signers])
        == 0
    )
    return folder / name


def sign(file, *more):
    return main(["tx", "sign", str(file), *map(str, more)])


@pytest.fixture
def file(url, tmp_path, capsys):
    made = make_file(tmp_path, "file.json")
    capsys.readouterr()
    return made


@pytest.fixture
def shop(tmp_path):
    return tmp_path / SHOP.address_text


def test_nothing_is_signed_where_nobody_agrees(file, shop, capsys, monkeypatch):
    before = file.read_bytes()
    for typed in ("\n", "no\n", "y\n", ""):
        monkeypatch.setattr("sys.stdin", Terminal(typed))
        assert sign(file, shop) == 2
        out, err = capsys.readouterr()
        assert "90000" in out, "shown before it is asked"
        assert "Sign this?" in err
        assert file.read_bytes() == before
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    for more in ((), ("--json",)):
        assert sign(file, shop, *more) == 2
        assert "--yes" in capsys.readouterr().err
    assert file.read_bytes() == before


def test_whoever_agrees_signs(file, shop, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", Terminal("yes\n"))
    assert sign(file, shop) == 0
    assert "tx submit" in capsys.readouterr().out
    assert len(load_envelope(file).signatures) == 2


def test_whoever_signs_a_proposal_reads_its_fields_by_name(file, tmp_path, capsys):
    arguments = {"address": SHOP.address_text, "roles": ["operator", "validator"]}
    action = {"kind": "set_roles", "arguments": arguments}
    proposal = {"proposer": ADA.address_text, "action": action}
    words = ("--call", "governance.propose", "--args", json.dumps(proposal), "--offline")
    made = tmp_path / "proposal.json"
    assert main(["tx", "send", str(tmp_path / ADA.address_text), *words, str(made)]) == 0
    capsys.readouterr()
    assert main(["tx", "read", str(made), "--json"]) == 0
    (call,) = json.loads(capsys.readouterr().out)["calls"]
    assert call == {"call": "governance.propose", **proposal}


def test_whoever_signs_for_a_policy_reads_its_hash_as_others_print_it(file, tmp_path, capsys):
    basis = {"model": 32 * "0a", "policy": 32 * "0b"}
    declaration = {"operator": ADA.address_text, "bases": [basis]}
    words = ("--call", "risk.declare", "--args", json.dumps(declaration), "--offline")
    made = tmp_path / "declaration.json"
    assert main(["tx", "send", str(tmp_path / ADA.address_text), *words, str(made)]) == 0
    capsys.readouterr()
    assert main(["tx", "read", str(made), "--json"]) == 0
    (call,) = json.loads(capsys.readouterr().out)["calls"]
    assert call == {"call": "risk.declare", **declaration}


def test_a_file_is_shown_without_signing(file, shop, capsys):
    before = file.read_bytes()
    assert main(["tx", "read", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["missing"] == [SHOP.address_text]
    assert found["calls"][0]["amount_minor"] == "90000"
    assert file.read_bytes() == before


def test_what_changes_while_it_is_read_is_not_signed(file, shop, tmp_path, capsys, monkeypatch):
    other = make_file(tmp_path, "other.json", amount_minor=1)
    monkeypatch.setattr("sys.stdin", Terminal("yes\n", lambda: other.replace(file)))
    assert sign(file, shop) == 2
    assert "something else" in capsys.readouterr().err
    assert len(load_envelope(file).signatures) == 1
