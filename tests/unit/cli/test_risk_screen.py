"""`hansa risk screen`: what it finds on lists, and what it refuses."""

from __future__ import annotations

import json

import pytest
from tests.listed import RAMIRO, SDN, write_customers, write_wallet

from hansa.cli.main import main


@pytest.fixture
def sdn(tmp_path):
    (tmp_path / "sdn.csv").write_text(SDN)
    return tmp_path / "sdn.csv"


def run(capsys, *words, code):
    assert main(["risk", "screen", *map(str, words), "--json"]) == code
    out, err = capsys.readouterr()
    return json.loads(out or err)


def test_a_name_is_found_with_its_reasons(sdn, capsys):
    found = run(capsys, "Ramiro Garcia Lopes", "--sdn", sdn, "--born", "1975", code=1)
    [hit] = found["hits"]
    assert (found["hit_count"], found["entries"], hit["entry"]) == (1, 3, "OFAC-SDN 306")
    assert (hit["born"], hit["country"]) == ("agrees", "unknown")
    assert "lopes ~ lopez" in hit["pairs"]
    assert main(["risk", "screen", "Ramiro Garcia Lopez", "--sdn", str(sdn)]) == 1
    assert "1 of 3 entries are hits." in capsys.readouterr().out


def test_a_name_is_screened_by_the_lists_of_a_node(tmp_path, sdn, capsys):
    assert "there is no node" in run(capsys, "Wong", "--data", tmp_path, code=4)["message"]
    (tmp_path / "genesis.bin").touch()
    write_customers(tmp_path / "risk")
    assert run(capsys, RAMIRO, "--data", tmp_path, code=1)["hit_count"] == 1
    told = run(capsys, "Wong", "--data", tmp_path, "--sdn", sdn, code=2)["message"]
    assert "name lists, or with --data" in told


def test_a_clearing_that_is_over_is_refused(tmp_path, capsys):
    write_customers(tmp_path / "risk")
    (tmp_path / "genesis.bin").touch()
    words = ("clear", write_wallet("ann"), "OFAC-SDN 306", "--why", "seen", "--data", str(tmp_path))
    assert main(["risk", *words, "--until", "2020-01-01"]) == 2
    assert "--until 2020-01-01 is over" in capsys.readouterr().err
    assert not (tmp_path / "risk" / "cleared.csv").exists()


def test_who_is_not_listed_is_not_found(sdn, capsys):
    assert run(capsys, "Wong Ka Lei", "--sdn", sdn, code=0)["hits"] == []


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 2, "name a list"),
        (("--aliases", __file__), 2, "go with --sdn"),
        (("--born", "June"), 2, "is no date"),
        (("--sdn", "/nowhere"), 4, "there is no file /nowhere"),
        (("--un", "/nowhere"), 4, "there is no file /nowhere"),
    ],
)
def test_what_is_asked_wrongly_says_why(capsys, words, code, told):
    assert told in run(capsys, "Wong", *words, code=code)["message"]
