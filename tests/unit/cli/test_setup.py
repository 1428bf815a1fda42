"""init, key, backup and restore from the command line: what they make, and what they refuse."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import socket

import pytest
from tests.authority import Authority
from tests.played import CHEAP, PASSPHRASE, make_folder
from tests.voted_world import make_voted_folder

from hansa.cli.main import build_parser, main
from hansa.cli.setup import describe_network
from hansa.encrypted_file import EncryptedFile
from hansa.kernel.errors import Corrupt, Invalid
from hansa.node.home import Home
from hansa.node.reconcile import format as journals
from hansa.node.risk.clerk import format as decisions
from hansa.sdk.keys import ChannelKey, load_channel_key, load_key, save_channel_key

SPEC = """
network = "harbour"
[[members]]
name = "Bank"
roles = ["central_bank", "operator"]
weight = 1
"""


@pytest.fixture(autouse=True)
def passphrase(monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> Home:
    return make_folder(tmp_path_factory.mktemp("setup") / "node")


def run(capsys, *words, code=0):
    """Run a command; returns what it printed as JSON, or its one line of error."""
    assert main([*map(str, words), "--json"]) == code
    out, err = capsys.readouterr()
    if code:
        assert out == ""
        assert err.count("\n") == 1
        return json.loads(err)
    assert err == ""
    return json.loads(out)


def test_init_makes_a_network_from_a_file(tmp_path, capsys):
    (tmp_path / "spec.toml").write_text(SPEC)
    words = ("init", "--data", tmp_path / "node", "--spec", tmp_path / "spec.toml")
    found = run(capsys, *words, "--hash", "sm3")
    home = Home(tmp_path / "node")
    genesis = home.load_network().genesis
    assert (
        (found["network"], found["hash"]) == ("harbour", "sm3") == (genesis.network, genesis.hash)
    )
    assert found["genesis_hash"] == home.load_network().genesis_hash.hex()
    assert set(found["keys"]) == {"node", "sponsor", "bank-officer-1"}
    for entry in found["keys"].values():
        assert load_key(entry["file"], PASSPHRASE).address_text == entry["address"]
    again = run(capsys, *words, code=2)
    assert "nothing is overwritten" in again["message"]
    assert home.load_network().genesis_hash.hex() == found["genesis_hash"]


def test_init_takes_members_from_options(tmp_path):
    words = "init --data x --network two --officers 1:2 --operator North --operator South"
    found = describe_network(build_parser().parse_args([*words.split(), "--regulator", "Watch"]))
    bank, north, south, watch = found.members
    assert (bank.threshold, bank.officers) == (1, 2)
    assert [each.name for each in (north, south, watch)] == ["North", "South", "Watch"]
    assert found.network == "two"


@pytest.mark.parametrize(
    "words",
    [
        ("--network", ""),
        ("--network", "x" * 65),
        ("--network", "\udcff"),
        ("--operator", ""),
        ("--operator", "North", "--operator", "north"),
        ("--node-key", "somewhere"),
        ("--genesis", "somewhere"),
        ("--genesis", "somewhere", "--network", "mine"),
        ("--genesis", "x", "--sponsor-key", "y", "--officers", "2:3"),
    ],
)
def test_init_refuses_what_makes_no_network(tmp_path, capsys, words):
    run(capsys, "init", "--data", tmp_path / "node", *words, code=2)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_value_is_told_by_its_place(tmp_path, capsys):
    words = ("init", "--data", tmp_path / "node", "--officers", "2:99")
    found = run(capsys, *words, code=2)
    where = "this is no network: members[0].officers: "
    assert (
        found["message"].removeprefix(where)
        == "must be a number from 1 to 16, or a list of addresses"
    )


@pytest.mark.parametrize("text", ["", "x", "0:3", "4:3", "-1:3", "2:3:4", "nan"])
def test_officers_are_m_of_n(tmp_path, capsys, text):
    found = run(capsys, "init", "--data", tmp_path / "node", f"--officers={text}", code=2)
    assert "--officers" in found["message"]


def test_an_empty_or_missing_passphrase_makes_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", "")
    run(capsys, "init", "--data", tmp_path / "node", code=2)
    monkeypatch.delenv("HANSA_PASSPHRASE")
    assert "HANSA_PASSPHRASE" in run(capsys, "key", "new", tmp_path / "key", code=2)["message"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suite", ["ed25519", "secp256k1"])
def test_a_key_is_of_the_suite_asked_for(tmp_path, capsys, suite):
    made = run(capsys, "key", "new", tmp_path / "key.json", "--suite", suite, "--hash", "sm3")
    assert (made["suite"], made["hash"]) == (suite, "sm3")
    assert load_key(tmp_path / "key.json", PASSPHRASE).address_text == made["address"]


def test_a_key_is_made_shown_and_given_another_passphrase(tmp_path, capsys, monkeypatch):
    file = tmp_path / "key.json"
    made = run(capsys, "key", "new", file, "--suite", "p256")
    assert file.stat().st_mode & 0o777 == 0o600
    assert run(capsys, "key", "show", file) == made
    assert "exists already" in run(capsys, "key", "new", file, code=2)["message"]
    monkeypatch.setenv("HANSA_NEW_PASSPHRASE", "")
    run(capsys, "key", "change-passphrase", file, code=2)
    monkeypatch.setenv("HANSA_NEW_PASSPHRASE", "another")
    assert run(capsys, "key", "change-passphrase", file) == made
    assert "wrong passphrase" in run(capsys, "key", "show", file, code=2)["message"]
    monkeypatch.setenv("HANSA_PASSPHRASE", "another")
    assert run(capsys, "key", "show", file) == made
    assert [path.name for path in tmp_path.iterdir()] == ["key.json"]


def test_a_channel_key_is_made_shown_and_given_another_passphrase_too(
    tmp_path, capsys, monkeypatch
):
    made = run(capsys, "key", "new", tmp_path / "new.json", "--suite", "x25519")
    assert (
        made["public_key"] == load_channel_key(tmp_path / "new.json", PASSPHRASE).public_key.hex()
    )
    file, key = tmp_path / "channel.json", ChannelKey.generate()
    save_channel_key(file, key, PASSPHRASE, cost=CHEAP)
    assert run(capsys, "key", "show", file)["public_key"] == key.public_key.hex()
    monkeypatch.setenv("HANSA_NEW_PASSPHRASE", "another")
    found = run(capsys, "key", "change-passphrase", file)
    assert found["public_key"] == key.public_key.hex()
    assert load_channel_key(file, "another") == key
    with pytest.raises(Invalid):
        load_channel_key(file, PASSPHRASE)


@pytest.mark.parametrize("form", [journals.FORM, decisions.FORM])
def test_what_a_node_keeps_encrypted_takes_another_passphrase_too(
    tmp_path, capsys, monkeypatch, form
):
    file = tmp_path / "kept.db"
    EncryptedFile.create(file, PASSPHRASE, form, secrets.token_bytes, CHEAP).close()
    monkeypatch.setenv("HANSA_NEW_PASSPHRASE", "another")
    assert run(capsys, "key", "change-passphrase", file) == {"file": str(file)}
    EncryptedFile.open(file, "another", form, secrets.token_bytes).close()
    other = form._replace(application=0)
    with pytest.raises(Corrupt, match="it is none"):
        EncryptedFile.open(file, "another", other, secrets.token_bytes)


def test_backup_and_restore(played, tmp_path, capsys):
    made = run(capsys, "backup", "--data", played.path, tmp_path / "backup", "--keys")
    assert made["has_keys"]
    back = run(capsys, "restore", tmp_path / "backup", "--data", tmp_path / "node")
    assert (back["height"], back["header_hash"]) == (made["height"], made["header_hash"])
    assert run(capsys, "verify", "--data", tmp_path / "node")["height"] == made["height"]
    assert (
        "exists already"
        in run(capsys, "backup", "--data", played.path, tmp_path / "backup", code=2)["message"]
    )
    assert (
        "not empty"
        in run(capsys, "restore", tmp_path / "backup", "--data", tmp_path / "node", code=2)[
            "message"
        ]
    )
    (tmp_path / "backup" / "genesis.bin").write_bytes(b"rubbish")
    damaged = run(capsys, "restore", tmp_path / "backup", "--data", tmp_path / "third", code=70)
    assert "genesis.bin" in damaged["message"]
    assert not (tmp_path / "third").exists()


def test_a_backup_is_checked_where_it_lies(played, tmp_path, capsys):
    place = tmp_path / "backup"
    made = run(capsys, "backup", "--data", played.path, place)
    assert run(capsys, "restore", place, "--check") == made
    (place / "genesis.bin").write_bytes(b"rubbish")
    assert "genesis.bin" in run(capsys, "restore", place, "--check", code=70)["message"]
    run(capsys, "restore", tmp_path / "none", "--check", code=4)
    run(capsys, "restore", place, "--check", "--data", tmp_path / "node", code=2)
    run(capsys, "restore", place, code=2)
    assert list(tmp_path.iterdir()) == [place]


def test_a_backup_is_no_data_folder(played, tmp_path, capsys, monkeypatch):
    place = tmp_path / "backup"
    run(capsys, "backup", "--data", played.path, place, "--keys")
    monkeypatch.setenv("HANSA_PASSPHRASE", "another: nothing here comes so far as to ask for it")
    for words in (
        ("up", "--data", place),
        ("up", "--data", place, "--rebuild"),
        ("key", "api", "new", "one", "--role", "regulator", "--data", place),
        ("key", "api", "revoke", "0123456789abcdef", "--data", place),
        ("init", "--data", place / "sub"),
        ("restore", place, "--data", place / "sub"),
    ):
        message = run(capsys, *words, code=2)["message"]
        assert f"hansa restore {place} --data DIR" in message
    run(capsys, "restore", place, "--check")
    assert main(["doctor", "--data", str(place)]) == 1
    assert f"{place} is a backup" in capsys.readouterr().out


def test_a_restored_node_is_told_which_keys_go_where(played, tmp_path, capsys):
    run(capsys, "backup", "--data", played.path, tmp_path / "backup")
    assert main(["restore", str(tmp_path / "backup"), "--data", str(tmp_path / "node")]) == 0
    told = capsys.readouterr().out
    for name in ("node", "sponsor", "channel"):
        assert str(tmp_path / "node" / "keys" / f"{name}.json") in told


def test_a_voted_node_is_told_what_it_needs_and_where_it_could_not_run(tmp_path, capsys):
    home, archive = make_voted_folder(tmp_path / "node"), tmp_path / "backup"
    run(capsys, "backup", "--data", home.path, archive)
    for name, can_run in (("reseau", True), ("réseau", False)):
        assert main(["restore", str(archive), "--data", str(tmp_path / name)]) == 0
        told = capsys.readouterr().out
        assert ("Here it can be read, but not run" in told) is not can_run
        assert ("network key new --data" in told) is can_run
        assert ("hansa up --data" in told) is can_run
        assert (f"hansa verify --data {tmp_path / name}" in told.replace("'", "")) is not can_run
        assert (f"hansa restore {archive} --data DIR" in told) is not can_run
        assert f"{name}/keys/node.json" not in told


def test_backup_and_restore_of_what_is_not_there(tmp_path, capsys):
    run(capsys, "backup", "--data", tmp_path / "none", tmp_path / "backup", code=4)
    run(capsys, "restore", tmp_path / "none", "--data", tmp_path / "node", code=4)
    (tmp_path / "file").write_bytes(b"\xff\x00")
    for words in (
        ("restore", tmp_path / "file", "--data", tmp_path / "node"),
        ("backup", "--data", tmp_path / "file", tmp_path / "backup"),
        ("init", "--data", tmp_path / "file" / "node"),
    ):
        found = run(capsys, *words, code=2)
        assert f"{tmp_path / 'file'} is a file, not a folder: name " in found["message"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_node_that_could_not_start_gives_ctrl_c_back(played, tmp_path, capsys):
    """To whatever called it: nobody would hear of it any more."""
    shutil.copytree(played.path, tmp_path / "node")
    with socket.create_server(("127.0.0.1", 0)) as other:
        words = ("up", "--data", tmp_path / "node", "--port", other.getsockname()[1])
        assert "is in use" in run(capsys, *words, code=5)["message"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_key_of_tls_that_others_may_open_starts_no_node(played, tmp_path, capsys):
    folder = tmp_path / "node"
    shutil.copytree(played.path, folder)
    Authority(folder).issue("server", is_server=True)
    (folder / "node.toml").write_text('[tls]\ncertificate = "server.crt"\nkey = "server.key"\n')
    (folder / "server.key").chmod(0o644)
    message = run(capsys, "up", "--data", folder, code=2)["message"]
    assert f"run chmod 600 {folder / 'server.key'}" in message
