"""`hansa network up`, `status`, `stop` and `logs` where no node runs."""

from __future__ import annotations

import json
import shutil

import pytest
from tests.integration.network_process import find_base, found

from hansa.cli.main import main
from hansa.engine.cometbft.child.binary import VARIABLE, VERSION
from hansa.node.description import NetworkDescription
from hansa.node.network.founding import describe_institutions


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network") / "net"
    found(folder, find_base(2), NetworkDescription(members=describe_institutions(2)))
    return folder


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Something that says that it is CometBFT."""
    path = tmp_path / "cometbft"
    path.write_text(f"#!/bin/sh\necho {VERSION}\n")
    path.chmod(0o700)
    monkeypatch.setenv(VARIABLE, str(path))


def run(word, folder, *more):
    return main(["network", word, "--dir", str(folder), *more])


def test_nodes_that_are_down_are_said_to_be(folder, capsys):
    assert run("status", folder) == 1
    out = capsys.readouterr().out
    logs = f"hansa network logs --dir {folder}"
    assert [line.split(maxsplit=1) for line in out.splitlines()] == [
        ["central-bank", f"down: nothing runs it; see {logs} --node central-bank"],
        ["operator-1", f"down: nothing runs it; see {logs} --node operator-1"],
        ["No", "CometBFT answers."],
    ]
    assert run("status", folder, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["ok"]
    assert [node["name"] for node in found["nodes"]] == ["central-bank", "operator-1"]


def test_logs_are_told_apart_by_name(folder, capsys):
    for name, lines in (("central-bank", "one\ntwo\n"), ("operator-1", "three\n")):
        (folder / name / "node.log").write_text(lines)
    (folder / "operator-1" / "cometbft" / "cometbft.log").write_text("E[2026] peer\n")
    assert run("logs", folder, "--lines", "1") == 0
    assert capsys.readouterr().out.splitlines() == [
        "central-bank  two",
        "operator-1  three",
        "operator-1/cometbft  E[2026] peer",
    ]
    assert run("logs", folder, "--node", "central-bank") == 0
    assert capsys.readouterr().out.splitlines() == ["central-bank  one", "central-bank  two"]


def test_an_unknown_node_is_refused_with_those_that_are(folder, capsys):
    assert run("logs", folder, "--node", "operator-9") == 4
    assert "there are central-bank, operator-1" in capsys.readouterr().err


def test_a_folder_of_one_node_is_not_that_of_its_network(folder, capsys):
    (node, *_) = sorted(path.parent for path in folder.glob("*/genesis.bin"))
    assert main(["network", "status", "--dir", str(node)]) == 4
    assert f"{node} is the folder of one node" in capsys.readouterr().err
    assert main(["network", "key", "new", "--data", str(folder)]) == 4
    assert f"nodes lie in it: name one of them, as {node}" in capsys.readouterr().err


def test_what_does_not_run_is_not_stopped(folder, capsys):
    assert run("stop", folder) == 4
    assert "nothing runs the network" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["up", "status", "stop", "logs"])
def test_a_folder_without_a_network_is_refused(word, tmp_path, capsys):
    assert run(word, tmp_path) == 4
    assert "network init" in capsys.readouterr().err


@pytest.mark.usefixtures("program")
def test_a_wrong_passphrase_is_told_once(folder, monkeypatch, capsys):
    monkeypatch.setenv("HANSA_PASSPHRASE", "wrong")
    assert run("up", folder) == 2
    assert "passphrase" in capsys.readouterr().err


def test_without_cometbft_nothing_is_started(folder, monkeypatch, capsys):
    monkeypatch.setenv(VARIABLE, str(folder / "nowhere"))
    assert run("up", folder) == 4
    assert "no such file" in capsys.readouterr().err


@pytest.mark.usefixtures("program")
def test_where_cometbft_cannot_run_nothing_is_started(folder, tmp_path, capsys):
    shutil.copytree(folder, tmp_path / "Réseau")
    before = sorted(tmp_path.rglob("*"))
    assert run("up", tmp_path / "Réseau") == 2
    assert "CometBFT allows printable ASCII only" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_nodes_of_two_networks_do_not_run_as_one(folder, tmp_path, capsys):
    for source, name in ((folder / "central-bank", "a"), (folder / "operator-1", "b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "genesis.bin").write_bytes((source / "genesis.bin").read_bytes())
    (tmp_path / "b" / "genesis.bin").write_bytes(b"another")
    assert run("status", tmp_path) == 2
    assert "different networks" in capsys.readouterr().err
