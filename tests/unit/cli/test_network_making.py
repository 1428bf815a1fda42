"""`hansa network init` from the command line."""

from __future__ import annotations

import json

import pytest

from hansa.cli.main import main
from hansa.node.home import Home


@pytest.fixture(autouse=True)
def passphrase(monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", "of the network")


def test_init_makes_a_network_and_says_what_is_next(tmp_path, capsys):
    folder = tmp_path / "net"
    words = ("network", "init", "--dir", str(folder), "--validators", "2", "--network", "harbour")
    assert main([*words, "--port", "27000"]) == 0
    told = capsys.readouterr().out
    network = Home(folder / "operator-1").load_network()
    for text in (network.genesis_hash.hex(), "27010", "27016", "2 of 3 officers", "network up"):
        assert text in told
    assert network.genesis.network == "harbour"


def test_a_member_of_a_file_gets_a_node(tmp_path, capsys):
    spec = tmp_path / "spec.toml"
    spec.write_text('[[members]]\nname = "Bank"\nroles = ["central_bank"]\nweight = 1\n')
    words = ("network", "init", "--dir", str(tmp_path / "net"), "--spec", str(spec))
    assert main([*words, "--host", "a.example", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["nodes"]["bank"]["url"] == "https://a.example:26600"
    assert set(found["nodes"]["bank"]["keys"]) == {"sponsor", "bank-officer-1"}


def test_observers_follow_without_a_vote(tmp_path, capsys):
    folder = tmp_path / "net"
    words = ("network", "init", "--dir", str(folder), "--validators", "1", "--observers", "2")
    assert main(words) == 0
    assert capsys.readouterr().out.count("follows without a vote") == 2
    genesis = Home(folder / "observer-2").load_network().genesis
    assert [bool(node.consensus_key) for node in genesis.nodes] == [True, False, False]


def test_observers_of_a_file_are_its_members_without_a_weight(tmp_path, capsys):
    words = ("network", "init", "--dir", str(tmp_path / "net"), "--spec", "spec.toml")
    assert main([*words, "--observers", "1"]) == 2
    assert "a member without a weight is one" in capsys.readouterr().err


def test_a_sponsor_has_no_place_in_a_network_of_nodes(tmp_path, capsys):
    spec = tmp_path / "spec.toml"
    spec.write_text('sponsor = "Bank"\n')
    words = ("network", "init", "--dir", str(tmp_path / "net"), "--spec", str(spec))
    assert main(words) == 2
    assert "names a sponsor" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "51", "four", "-1"])
def test_too_few_or_many_validators_are_refused(tmp_path, capsys, count):
    assert main(["network", "init", "--dir", str(tmp_path / "n"), f"--validators={count}"]) == 2
    assert "from 1 to 50" in capsys.readouterr().err
