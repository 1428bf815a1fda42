"""Before CometBFT starts: its files follow from genesis and settings, its keys stay."""

from __future__ import annotations

import tomllib

import pytest
from tests.played import CHEAP
from tests.world import START_MS

from hansa.kernel.errors import Invalid, NotFound
from hansa.node.description import NetworkDescription
from hansa.node.network.founding import describe_institutions, found_voted_network
from hansa.node.network.places import choose_places
from hansa.node.network.preparing import prepare_cometbft
from hansa.node.settings import load_settings


@pytest.fixture
def home(tmp_path):
    description = NetworkDescription(members=describe_institutions(2))
    places = choose_places(2, 26_600, [])
    made = found_voted_network(tmp_path / "n", description, places, "p", START_MS, cost=CHEAP)
    return made.nodes[0].home


def prepare(home):
    prepare_cometbft(home, home.load_network(), load_settings(home.settings_path))


def test_files_follow_from_genesis_and_settings(home):
    comet = home.comet
    before = comet.genesis_path.read_bytes()
    kept = (comet.node_key_path, comet.consensus_key_path, comet.signing_state_path)
    keys = [path.read_bytes() for path in kept]
    comet.genesis_path.unlink()
    prepare(home)
    assert comet.genesis_path.read_bytes() == before
    assert [path.read_bytes() for path in kept] == keys
    written = tomllib.loads(comet.configuration_path.read_text())
    assert written["moniker"] == "central-bank"
    assert written["p2p"]["laddr"] == "tcp://127.0.0.1:26606"
    assert written["p2p"]["persistent_peers"].endswith("@127.0.0.1:26616")
    assert written["mempool"]["max_tx_bytes"] == 1 << 20


@pytest.mark.parametrize("name", ["node_key_path", "consensus_key_path", "signing_state_path"])
def test_a_missing_key_stops_the_start(home, name):
    path = getattr(home.comet, name)
    path.unlink()
    with pytest.raises(NotFound, match=path.name):
        prepare(home)
    assert not home.comet.configuration_path.exists()


@pytest.mark.parametrize("name", ["node_key_path", "consensus_key_path"])
@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_a_key_that_others_may_open_stops_the_start(home, name, mode):
    path = getattr(home.comet, name)
    path.chmod(mode)
    with pytest.raises(Invalid, match=f"mode {mode:04o}.*: run chmod 600 {path}"):
        prepare(home)
    path.chmod(0o600)
    prepare(home)
