"""A validator never comes back with an older signing state, or with none: it gets a new key."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
from tests.played import CHEAP
from tests.world import START_MS

from hansa.cli.main import main
from hansa.engine.backup import MANIFEST_NAME, MANIFEST_SUM_NAME, check_backup
from hansa.engine.storage import FileStorage
from hansa.kernel.crypto.address import to_text
from hansa.kernel.crypto.possession import is_proven
from hansa.kernel.errors import HansaError, Invalid, NotFound, Unavailable
from hansa.node.description import NetworkDescription
from hansa.node.home import Home, backup_home, open_chain, restore_home
from hansa.node.network.founding import describe_institutions, found_voted_network
from hansa.node.network.places import choose_places
from hansa.node.network.preparing import prepare_cometbft
from hansa.node.network.renewal import describe_publish, renew_keys
from hansa.node.running import run_node
from hansa.node.settings import load_settings
from hansa.sdk.arguments import parse_command

STATE = "priv_validator_state.json"


@pytest.fixture
def home(tmp_path):
    description = NetworkDescription(members=describe_institutions(2))
    places = choose_places(2, 26_600, [])
    made = found_voted_network(tmp_path / "n", description, places, "p", START_MS, cost=CHEAP)
    return made.nodes[1].home


@pytest.fixture
def begun(home):
    """The same with block 0."""
    open_chain(home, None).close()
    return home


def start(home):
    prepare_cometbft(home, home.load_network(), load_settings(home.settings_path))


def get_published(home):
    genesis = home.load_network().genesis
    return next(
        node for node in genesis.nodes if node.peers == (home.comet.load_node_key().address,)
    )


@pytest.mark.parametrize("has_blocks", [False, True])
def test_a_lost_signing_state_takes_a_new_key(home, has_blocks):
    if has_blocks:
        open_chain(home, None).close()
    old, published = home.comet.load_consensus_key(), get_published(home)
    home.comet.signing_state_path.unlink()
    with pytest.raises(NotFound, match="network key new --data"):
        start(home)
    renewed = renew_keys(home)
    start(home)
    key = home.comet.load_consensus_key().public_key
    assert key != old.public_key
    assert not renewed.is_new_node_key
    command = parse_command("nodes.publish", describe_publish(renewed.publish))
    assert command == renewed.publish
    assert command.consensus_key == key
    genesis_hash = home.load_network().genesis_hash
    assert {proof.public_key for proof in command.proofs} == {
        key,
        home.comet.load_node_key().public_key,
    }
    assert all(is_proven(proof, genesis_hash, command.member) for proof in command.proofs)
    fields = ("member", "peers", "channel_key", "url")
    assert [getattr(command, name) for name in fields] == [
        getattr(published, name) for name in fields
    ]


def test_the_node_itself_does_not_start_without_signing_state(begun, cometbft):
    begun.comet.signing_state_path.unlink()
    with pytest.raises(NotFound, match="network key new --data"):
        run_node(begun.path, lambda: "p", lambda _: None)


def test_a_whole_key_is_replaced_only_when_asked_for(home):
    old = home.comet.consensus_key_path.read_bytes()
    with pytest.raises(Invalid, match="--replace"):
        renew_keys(home)
    assert home.comet.consensus_key_path.read_bytes() == old
    renew_keys(home, replace=True)
    assert home.comet.consensus_key_path.read_bytes() != old
    assert [path.read_bytes() for path in home.comet.path.rglob("*key.json.before-*")] == [old]


DAMAGED = b'{"x":1'


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("raw", [None, DAMAGED])
def test_a_lost_or_damaged_node_key_is_replaced(home, replace, raw):
    path, old = home.comet.node_key_path, home.comet.load_consensus_key()
    signed = home.comet.read_signing_state()
    path.unlink() if raw is None else path.write_bytes(raw)
    with pytest.raises(HansaError, match="network key new --data"):
        start(home)
    renewed = renew_keys(home, replace=replace)
    assert renewed.is_new_node_key
    assert renewed.is_new_consensus_key is replace
    assert renewed.publish.peers == (home.comet.load_node_key().address,)
    assert (home.comet.load_consensus_key() == old) is not replace
    assert renewed.publish.consensus_key == home.comet.load_consensus_key().public_key
    assert home.comet.read_signing_state() == signed
    beside = [each.read_bytes() for each in path.parent.glob("node_key.json.before-*")]
    assert beside == ([] if raw is None else [raw])
    start(home)


@pytest.mark.parametrize("attribute", ["consensus_key_path", "signing_state_path"])
def test_a_damaged_consensus_key_or_signing_state_takes_a_new_key(home, attribute):
    path, published = getattr(home.comet, attribute), get_published(home)
    path.write_bytes(DAMAGED)
    with pytest.raises(Invalid, match=r"network key new"):
        start(home)
    renewed = renew_keys(home)
    assert not renewed.is_new_node_key
    assert renewed.publish.consensus_key != published.consensus_key
    assert renewed.publish.peers == published.peers
    assert [each.read_bytes() for each in path.parent.glob(f"{path.name}.before-*")] == [DAMAGED]
    start(home)


def test_the_command_says_which_key_is_new(home, capsys):
    home.comet.node_key_path.write_bytes(DAMAGED)
    assert main(["network", "key", "new", "--data", str(home.path)]) == 0
    out = capsys.readouterr().out
    assert "It keeps its consensus key" in out
    assert f"a new peer, {home.comet.load_node_key().address.hex()}" in out


def test_a_node_that_runs_keeps_its_key(begun):
    storage = FileStorage(begun.log_path)
    storage.lock()
    with pytest.raises(Unavailable, match="stop it first"):
        renew_keys(begun, replace=True)
    storage.unlock()


def test_without_the_members_key_there_is_nothing_to_publish(home):
    home.key_path("sponsor").unlink()
    with pytest.raises(NotFound, match=r"sponsor\.json"):
        renew_keys(home, replace=True)
    assert home.comet.signing_state_path.exists()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"address": []}',
        b'{"address": "\xc1"}',
        b"[" * 100_000,
        b'{"x": ' + b"[" * 16_000,
    ],
    ids=lambda raw: str(raw[:18]),
)
def test_a_damaged_key_of_the_member_is_named(home, raw):
    home.key_path("sponsor").write_bytes(raw)
    with pytest.raises(Invalid, match=r"sponsor\.json is no key file: copy it"):
        renew_keys(home, replace=True)
    assert home.comet.signing_state_path.exists()


def test_a_backup_takes_nothing_of_cometbft_and_a_restored_node_gets_new_keys(begun, tmp_path):
    backup_home(begun, tmp_path / "backup", with_keys=True)
    names = [path.name for path in (tmp_path / "backup").rglob("*")]
    assert not [name for name in names if "priv_validator" in name or name == "cometbft"]
    restore_home(tmp_path / "backup", tmp_path / "back")
    back = Home(tmp_path / "back")
    with pytest.raises(NotFound, match=r"node_key\.json.*network key new"):
        start(back)
    renewed = renew_keys(back)
    assert renewed.is_new_node_key
    assert renewed.publish.peers == (back.comet.load_node_key().address,)
    assert renewed.publish.consensus_key != get_published(begun).consensus_key
    start(back)


@pytest.mark.parametrize("is_listed", [False, True])
def test_signing_state_in_a_backup_is_never_restored(begun, tmp_path, is_listed):
    archive = tmp_path / "backup"
    backup_home(begun, archive)
    place = archive / "cometbft" / "data"
    place.mkdir(parents=True)
    shutil.copy(begun.comet.signing_state_path, place)
    if is_listed:
        raw = (place / STATE).read_bytes()
        manifest = json.loads((archive / MANIFEST_NAME).read_bytes())
        entry = {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
        manifest["files"][f"cometbft/data/{STATE}"] = entry
        text = json.dumps(manifest).encode()
        (archive / MANIFEST_NAME).write_bytes(text)
        line = f"{hashlib.sha256(text).hexdigest()}  {MANIFEST_NAME}\n"
        (archive / MANIFEST_SUM_NAME).write_text(line)
    with pytest.raises(Invalid, match="never restored"):
        check_backup(archive)
    with pytest.raises(Invalid, match="never restored"):
        restore_home(archive, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_the_command_says_how_the_key_is_published(begun, capsys):
    begun.comet.signing_state_path.unlink()
    assert main(["network", "key", "new", "--data", str(begun.path)]) == 0
    out = capsys.readouterr().out
    assert "--call nodes.publish" in out
    assert to_text(get_published(begun).member) in out
    assert main(["network", "key", "new", "--data", str(begun.path), "--replace", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["publish"]["consensus_key"] == begun.comet.load_consensus_key().public_key.hex()


def test_after_a_restore_the_next_steps_are_told(begun, tmp_path, capsys):
    backup_home(begun, tmp_path / "backup")
    words = ["restore", str(tmp_path / "backup"), "--data", str(tmp_path / "back")]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert out.index("put its key files") < out.index("network key new") < out.index("hansa up")
