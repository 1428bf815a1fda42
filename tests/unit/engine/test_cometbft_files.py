"""CometBFT's program, keys and settings, as files."""

import json
import stat
import tomllib

import msgspec
import pytest

from hansa.engine.cometbft.child.binary import VARIABLE, find_binary
from hansa.engine.cometbft.configuration import (
    Configuration,
    Validator,
    write_configuration,
    write_genesis,
)
from hansa.engine.cometbft.home import CometHome, CometKey
from hansa.kernel.errors import Invalid, NotFound, Unavailable

# Made by `cometbft init` and `cometbft show-node-id`, v0.38.25.
NODE_KEY = {
    "priv_key": {
        "type": "tendermint/PrivKeyEd25519",
        "value": "Cbuwp390hMejQ0kL/mQ1FF3LFt5YpEDGfULe8scKwBhR9HIMOodaqoRKYz5uU1W3X3o9/q1gqFLKjkQ"
        "crxAy9w==",
    }
}
CONSENSUS_KEY = {
    "address": "C2940DAAD22F3B8D85FBA35B6BCF0D75E9E93C70",
    "pub_key": {
        "type": "tendermint/PubKeyEd25519",
        "value": "6m/Xy8fP6gZtii0NGKqyTDVJCJJY22TbaoklxrzaA4o=",
    },
    "priv_key": {
        "type": "tendermint/PrivKeyEd25519",
        "value": "tP4Xhgr4Zr8EiPyypcLAFRWf2pBnMlMkTlNZoacCisHqb9fLx8/qBm2KLQ0YqrJMNUkIkljbZNtqiSX"
        "GvNoDig==",
    },
}
PEER = "b" * 40 + "@10.0.0.2:26606"


@pytest.fixture
def home(tmp_path):
    return CometHome(tmp_path / "cometbft")


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_keys_are_those_that_cometbft_makes(home):
    home.make_folders()
    home.node_key_path.write_text(json.dumps(NODE_KEY))
    home.consensus_key_path.write_text(json.dumps(CONSENSUS_KEY))
    key = home.load_consensus_key()
    assert key.address.hex().upper() == CONSENSUS_KEY["address"]
    copy = CometHome(home.path.parent / "copy")
    copy.create_keys(home.load_node_key(), key)
    assert json.loads(copy.node_key_path.read_bytes()) == NODE_KEY
    assert json.loads(copy.consensus_key_path.read_bytes()) == CONSENSUS_KEY
    assert json.loads(copy.signing_state_path.read_bytes()) == {
        "height": "0",
        "round": 0,
        "step": 0,
    }


def test_private_files_are_for_their_owner_alone(home):
    home.create_keys(CometKey.generate(), CometKey.generate())
    for path in (home.node_key_path, home.consensus_key_path, home.signing_state_path):
        assert mode_of(path) == 0o600
        assert mode_of(path.parent) == 0o700
    assert mode_of(home.path) == 0o700


def test_keys_and_signing_state_are_never_overwritten(home):
    home.create_keys(CometKey.generate(), CometKey.generate())
    before = home.load_consensus_key()
    with pytest.raises(Invalid, match="ever overwritten"):
        home.create_keys(CometKey.generate(), CometKey.generate())
    home.consensus_key_path.unlink()
    with pytest.raises(Invalid, match=r"state\.json is there"):
        home.create_consensus_key(before)


def test_a_key_that_is_put_aside_keeps_what_it_signed(home):
    home.create_keys(CometKey.generate(), CometKey.generate())
    before = home.consensus_key_path.read_bytes(), home.signing_state_path.read_bytes()
    home.put_aside_consensus_key()
    (key,) = home.consensus_key_path.parent.glob("priv_validator_key.json.before-*")
    (state,) = home.signing_state_path.parent.glob("priv_validator_state.json.before-*")
    assert (key.read_bytes(), state.read_bytes()) == before
    assert key.name.split("-")[1] == state.name.split("-")[1]
    home.create_consensus_key(CometKey.generate())
    home.read_signing_state()


def test_a_missing_signing_state_is_explained(home):
    home.create_keys(CometKey.generate(), CometKey.generate())
    home.read_signing_state()
    home.signing_state_path.unlink()
    with pytest.raises(NotFound, match=r"sign a height twice.*network key new --data"):
        home.read_signing_state()


def test_a_damaged_key_is_named(home):
    with pytest.raises(NotFound):
        home.load_node_key()
    home.make_folders()
    wrong = json.loads(json.dumps(NODE_KEY))
    wrong["priv_key"]["value"] = CONSENSUS_KEY["priv_key"]["value"][:-8] + "AAAAAA=="
    rubbish = (b"", b"[]", b'{"priv_key": 1}', b'{"priv_key": "\xc1"}', b"[" * 100_000)
    for raw in (*rubbish, json.dumps(wrong).encode()):
        home.node_key_path.write_bytes(raw)
        with pytest.raises(Invalid, match=r"node_key\.json holds no Ed25519 key"):
            home.load_node_key()


def test_a_key_is_not_shown():
    key = CometKey(b"secret seed of thirty-two bytes!")
    assert "secret" not in repr(key)


def test_the_settings_stand_in_the_file(home):
    configuration = Configuration(
        listen="0.0.0.0:26616", peers=(PEER,), timeout_commit_ms=50, metrics_listen=":26619"
    )
    write_configuration(home, configuration, 'node "2" ü', 1_000_000)
    found = tomllib.loads(home.configuration_path.read_text())
    assert found["moniker"] == 'node "2" ü'
    assert found["proxy_app"] == f"unix://{home.abci_path}"
    assert found["rpc"]["laddr"] == f"unix://{home.rpc_path}"
    assert found["p2p"]["laddr"] == "tcp://0.0.0.0:26616"
    assert found["p2p"]["pex"] is False
    assert found["p2p"]["persistent_peers"] == PEER
    assert found["p2p"]["unconditional_peer_ids"] == "b" * 40
    assert found["mempool"]["max_tx_bytes"] == 1_000_000
    assert found["consensus"]["timeout_commit"] == "50ms"
    assert found["consensus"]["create_empty_blocks_interval"] == "30s"
    assert found["instrumentation"]["prometheus"] is True
    assert mode_of(home.configuration_path) == 0o600


def test_writing_settings_leaves_keys_and_state_alone(home):
    home.create_keys(CometKey.generate(), CometKey.generate())
    kept = (home.node_key_path, home.consensus_key_path, home.signing_state_path)
    before = [path.read_bytes() for path in kept]
    write_configuration(home, Configuration(), "one", 4_194_304)
    write_configuration(home, Configuration(), "two", 4_194_304)
    assert [path.read_bytes() for path in kept] == before


@pytest.mark.parametrize(
    "changed",
    [
        {"peers": ["10.0.0.2:26606"]},
        {"peers": ["B" * 40 + "@10.0.0.2:26606"]},
        {"peers": [PEER + ',x"']},
        {"listen": "26606"},
        {"timeout_commit_ms": -1},
        {"heartbeat_s": 0},
        {"log_level": 'error"'},
        {"log_level": "none"},
        {"log_level": "p2p:info,consensus:none"},
        {"unknown": 1},
    ],
)
def test_wrong_settings_are_refused(changed):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(changed, Configuration)


def test_a_path_too_long_for_sockets_is_refused(tmp_path):
    home = CometHome(tmp_path / ("long" * 25) / "cometbft")
    with pytest.raises(Invalid, match="107"):
        write_configuration(home, Configuration(), "one", 1_000_000)


@pytest.mark.parametrize("name", ["Réseau", "网络", "a\tb", "a\nb", "caf\udce9"])
def test_a_path_that_cometbft_does_not_take_is_refused(tmp_path, name):
    home = CometHome(tmp_path / name / "cometbft")
    with pytest.raises(Invalid, match="allows printable ASCII only"):
        write_configuration(home, Configuration(), "one", 1_000_000)
    assert not home.path.exists()


def test_a_path_with_spaces_and_signs_is_taken(tmp_path):
    CometHome(tmp_path / "my node #1 (50%)").require_socket_paths()


def test_genesis_is_equal_for_equal_networks(home, tmp_path):
    validators = [Validator(CometKey(bytes([n]) * 32).public_key, 100 + n, f"n{n}") for n in (1, 2)]
    other = CometHome(tmp_path / "other")
    for each in (home, other):
        write_genesis(each, "hansa-00", 1_764_000_000_123, validators, 1_000_000)
    assert home.genesis_path.read_bytes() == other.genesis_path.read_bytes()
    found = json.loads(home.genesis_path.read_bytes())
    assert found["genesis_time"] == "2025-11-24T16:00:00.123Z"
    assert found["initial_height"] == "1"
    assert found["consensus_params"]["block"]["max_bytes"] == "2000000"
    assert [each["power"] for each in found["validators"]] == ["101", "102"]


def make_program(tmp_path, said):
    program = tmp_path / "cometbft"
    program.write_text(f"#!/bin/sh\n{said}\n")
    program.chmod(0o700)
    return program


def test_another_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(make_program(tmp_path, "echo 0.37.1")))
    with pytest.raises(NotFound, match=r"0\.37\.1.*needs CometBFT 0\.38\.25.*make cometbft"):
        find_binary()


def test_a_program_that_does_not_run_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(make_program(tmp_path, "exit 3")))
    with pytest.raises(NotFound, match="does not run"):
        find_binary()
    (tmp_path / "cometbft").write_bytes(b"no program")
    with pytest.raises(NotFound, match="does not run: Exec format error"):
        find_binary()
    with (tmp_path / "cometbft").open("ab"), pytest.raises(Unavailable, match="Text file busy"):
        find_binary()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(NotFound, match="no such file"):
        find_binary()


def test_the_version_named_by_the_variable_is_taken(tmp_path, monkeypatch):
    program = make_program(tmp_path, "echo 0.38.25")
    monkeypatch.setenv(VARIABLE, str(program))
    assert find_binary() == program
