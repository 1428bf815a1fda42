"""The doctor of a node that votes: CometBFT, its keys, what they signed, its peers."""

from __future__ import annotations

import json
import shlex
import shutil

import pytest
from tests.authority import Authority
from tests.played import CHEAP
from tests.unit.node.test_doctor import Machine, look
from tests.voted import decide, make_voted_genesis
from tests.world import START_MS, World, key

from hansa.contracts.actions import SuspendMember
from hansa.engine.cometbft.child.binary import VARIABLE, VERSION
from hansa.engine.cometbft.home import CometKey
from hansa.engine.storage import FileStorage
from hansa.kernel.crypto.address import to_text
from hansa.kernel.crypto.possession import is_proven
from hansa.kernel.encoding import encode
from hansa.node.description import NetworkDescription
from hansa.node.doctor.checks import Status
from hansa.node.doctor.examination import check_home, describe_checks
from hansa.node.doctor.voting import AHEAD_MAX
from hansa.node.home import Home, open_chain
from hansa.node.network.founding import describe_institutions, found_voted_network
from hansa.node.network.places import Place, choose_places
from hansa.node.network.renewal import Source, add_node, renew_keys
from hansa.sdk.arguments import parse_command
from hansa.sdk.keys import ChannelKey, KeyPair, save_channel_key, save_key


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    description = NetworkDescription(members=describe_institutions(2, 1))
    path = tmp_path_factory.mktemp("doctor") / "n"
    made = found_voted_network(
        path, description, choose_places(3, 26_600, []), "p", START_MS, cost=CHEAP
    )
    for node in made.nodes:
        open_chain(node.home, None).close()
    return made


@pytest.fixture(scope="module")
def well(network):
    return network.nodes[0].home


@pytest.fixture
def observer(network, tmp_path):
    shutil.copytree(network.nodes[2].home.path, tmp_path / "observer")
    return Home(tmp_path / "observer")


@pytest.fixture
def home(well, tmp_path):
    shutil.copytree(well.path, tmp_path / "node")
    return Home(tmp_path / "node")


@pytest.fixture(autouse=True)
def program(tmp_path, monkeypatch):
    """Something that says that it is CometBFT."""
    path = tmp_path / "cometbft"
    path.write_text(f"#!/bin/sh\necho {VERSION}\n")
    path.chmod(0o700)
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def test_a_good_node_is_well(well):
    checks = check_home(well.path, Machine(), passphrase="p")
    assert [check for check in checks if check.status is not Status.OK] == []
    assert describe_checks(checks) == "The node is well."
    names = [check.name for check in checks]
    assert "key node" not in names
    assert "key channel" in names
    assert "consensus key" in names
    (published,) = [check for check in checks if check.name == "published"]
    assert published.found.startswith("the ledger names these keys, and http://127.0.0.1:26600")


def test_another_version_of_cometbft(home, program):
    program.write_text("#!/bin/sh\necho 0.37.2\n")
    sick = look(home)
    assert list(sick) == ["cometbft"]
    assert "0.37.2" in sick["cometbft"].found
    assert "make cometbft" in sick["cometbft"].mend


def test_a_path_too_long_for_sockets(home, tmp_path):
    far = tmp_path / ("far" * 30) / "node"
    far.parent.mkdir()
    home.path.rename(far)
    sick = look(Home(far))
    assert list(sick) == ["sockets"]
    assert "107" in sick["sockets"].found


def test_a_path_that_cometbft_does_not_take(home, tmp_path):
    strange = tmp_path / "Réseau"
    home.path.rename(strange)
    sick = look(Home(strange))
    assert list(sick) == ["sockets"]
    assert "ASCII" in sick["sockets"].found


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("node_key_path", "node key"),
        ("consensus_key_path", "consensus key"),
        ("signing_state_path", "signing state"),
    ],
)
def test_a_missing_file_takes_a_new_key(home, attribute, name):
    getattr(home.comet, attribute).unlink()
    sick = look(home)
    assert list(sick) == [name]
    assert sick[name].status is Status.FAIL
    assert "network key new --data" in sick[name].mend


def test_a_key_that_others_may_read(home):
    home.comet.consensus_key_path.chmod(0o644)
    assert look(home)["consensus key"].mend == f"chmod 600 {home.comet.consensus_key_path}"


@pytest.mark.parametrize(("mode", "status"), [(0o644, Status.WARN), (0o666, Status.FAIL)])
def test_a_signing_state_that_others_may_open(home, mode, status):
    path = home.comet.signing_state_path
    path.chmod(mode)
    check = look(home)["signing state"]
    assert (check.status, check.mend) == (status, f"chmod 600 {path}")


def test_a_signing_state_far_ahead_of_the_chain(home):
    def sign(height):
        document = {"height": str(height), "round": 0, "step": 3}
        home.comet.signing_state_path.write_text(json.dumps(document))
        return look(home)

    assert sign(AHEAD_MAX) == {}
    check = sign(9_000_000)["signing state"]
    assert check.status is Status.WARN
    assert "has signed at height 9000000, and the newest block" in check.found
    note = ("standing.bin", encode((8_999_950, bytes(32))))
    (home.comet.path / note[0]).write_bytes(note[1])
    assert look(home) == {}


def test_a_key_that_is_not_published_follows(home):
    renew_keys(home, replace=True)
    assert "follows without a vote" in look(home)["published"].found


def read_publish(check):
    """Read what is to be published from what is to be done."""
    assert check.status is Status.WARN
    words = shlex.split(check.mend.partition(": ")[2])
    assert words[1:5] == ["tx", "send", "OFFICER.json", "--call"]
    return parse_command("nodes.publish", json.loads(words[-1]))


def is_proven_for(home, publish):
    genesis_hash = home.load_network().genesis_hash
    return all(is_proven(each, genesis_hash, publish.member) for each in publish.proofs)


def test_a_new_consensus_key_is_to_be_published(home):
    renewed = renew_keys(home, replace=True)
    (sick,) = look(home).values()
    assert sick.name == "published"
    assert "consensus key" in sick.found
    assert "peer" not in sick.found
    assert read_publish(sick) == renewed.publish


def test_a_server_key_that_is_not_of_the_member_that_the_settings_name(home):
    stranger = KeyPair.from_seed(b"stranger")
    save_key(home.key_path("sponsor"), stranger, "p", cost=CHEAP, replace=True)
    check = look(home)["server key"]
    assert check.status is Status.FAIL
    member = to_text(home.load_network().genesis.members[0].address)
    text = home.settings_path.read_text()
    home.settings_path.write_text(text.replace("[cometbft]", f'[cometbft]\nmember = "{member}"'))
    check = look(home)["server key"]
    assert check.status is Status.WARN, "it starts, follows and votes"
    assert "what is sent to this node is refused" in check.found


def test_a_new_peer_is_to_be_published(home):
    home.comet.node_key_path.unlink()
    home.comet.create_node_key(CometKey.generate())
    sick = look(home)["published"]
    peer = home.comet.load_node_key().address
    assert f"the peer {peer.hex()} is not published" in sick.found
    publish = read_publish(sick)
    assert publish.peers[0] == peer
    assert len(publish.peers) == 2, "the other is the member's to take out"
    assert is_proven_for(home, publish)


def test_a_new_channel_key_is_to_be_published(home):
    key = ChannelKey.generate()
    save_channel_key(home.key_path("channel"), key, "p", cost=CHEAP, replace=True)
    sick = look(home)["published"]
    assert "the channel key is not published" in sick.found
    assert read_publish(sick).channel_key == key.public_key
    home.key_path("channel").unlink()
    sick = look(home)["published"]
    assert "the channel key is missing" in sick.found
    assert read_publish(sick).channel_key == b""


@pytest.fixture
def newcomer(well, tmp_path):
    """A node of a member that was admitted later, without blocks, and what `node new` printed."""
    key = KeyPair.from_seed(b"later")
    save_key(tmp_path / "later.json", key, "p", cost=CHEAP)
    source = Source(well.genesis_path, tmp_path / "later.json", key.address)
    home = Home(tmp_path / "new")
    place = Place("e.example", 26_600)
    peers = (f"{'ab' * 20}@a.example:26606",)
    return home, add_node(home.path, source, place, peers, "p", cost=CHEAP)


def test_a_new_node_is_to_be_published_as_it_was_made(newcomer):
    home, printed = newcomer
    sick = look(home)
    assert read_publish(sick["published"]) == printed
    assert sick["published"].where == "as of genesis"
    told = describe_checks(list(sick.values()))
    assert told.startswith(f"It works, with {len(sick)} warnings: log: there is no block yet; ")
    assert f"published: {sick['published'].found}" in told
    assert "it gets the blocks from others" in sick["log"].mend
    assert "begins the chain" not in sick["log"].mend


def test_a_node_in_the_place_of_a_lost_one_is_to_be_published_as_it_was_made(well, tmp_path):
    source = Source(well.genesis_path, well.key_path("sponsor"))
    place = Place("e.example", 26_600)
    printed = add_node(tmp_path / "new", source, place, (), "p", cost=CHEAP)
    sick = look(Home(tmp_path / "new"))["published"]
    assert "but the node answers at https://e.example:26600" in sick.found
    assert read_publish(sick) == printed


def test_a_node_that_joins_answers_later(newcomer):
    home, _ = newcomer
    storage = FileStorage(home.log_path)
    storage.lock()
    sick = look(home)
    storage.unlock()
    assert sick["port"].found == "the node has no blocks yet, and answers once it has"
    assert sick["log"].mend.startswith("wait")


def test_an_observer_that_has_no_blocks_is_published_by_genesis(observer):
    shutil.rmtree(observer.log_path)
    shutil.rmtree(observer.store_path)
    assert "published" not in look(observer)


def turn_tls_on(home):
    """Have the node speak TLS, with a certificate of its own."""
    (home.path / "tls").mkdir()
    Authority(home.path / "tls").issue("server", is_server=True)
    with home.settings_path.open("a") as file:
        file.write('[tls]\ncertificate = "tls/server.crt"\nkey = "tls/server.key"\n')


def test_a_url_from_before_tls_is_to_be_published_anew(home):
    turn_tls_on(home)
    sick = look(home)["published"]
    assert "to http://127.0.0.1:26600, but the node answers at https://127.0.0.1" in sick.found
    publish = read_publish(sick)
    assert publish.url == "https://127.0.0.1:26600"
    text = home.settings_path.read_text()
    home.settings_path.write_text(
        text.replace("port = 26600", 'port = 26600\npublic_names = ["a.example"]')
    )
    assert read_publish(look(home)["published"]).url == "https://a.example:26600"


def test_a_url_with_tls_of_a_node_without_is_told(tmp_path):
    description = NetworkDescription(members=describe_institutions(1))
    places = choose_places(1, 26_600, ["a.example"])
    made = found_voted_network(tmp_path / "n", description, places, "p", START_MS, cost=CHEAP)
    home = made.nodes[0].home
    open_chain(home, None).close()
    sick = look(home)["published"]
    assert "https://a.example:26600, but the node speaks plain HTTP" in sick.found
    assert "[tls]" in sick.mend


def test_an_observer_needs_no_consensus_key_on_the_ledger(observer):
    checks = {check.name: check for check in check_home(observer.path, Machine())}
    assert checks["published"].status is Status.OK
    assert "follows without a vote" in checks["published"].found
    observer.comet.node_key_path.unlink()
    observer.comet.create_node_key(CometKey.generate())
    publish = read_publish(look(observer)["published"])
    assert publish.consensus_key == b""
    assert is_proven_for(observer, publish)


def test_a_port_that_another_program_has(home):
    sick = look(home, Machine(ports={26_606}))
    assert list(sick) == ["peers' port"]
    assert "cometbft.listen" in sick["peers' port"].mend


def test_a_node_without_peers(home):
    home.settings_path.write_text("")
    assert list(look(home)) == ["peers"]


def test_a_damaged_channel_key(home):
    path = home.key_path("channel")
    path.write_text(path.read_text().replace('"n":', '"m":'))
    assert look(home)["key channel"].status is Status.FAIL


def test_the_node_of_a_suspended_member_is_not_well(tmp_path):
    keys = [(CometKey.generate(), CometKey.generate()) for _ in range(4)]
    home = Home(tmp_path / "node")
    home.comet.make_folders()
    home.genesis_path.write_bytes(make_voted_genesis(keys).encoded())
    home.comet.create_node_key(keys[2][0])
    home.comet.create_consensus_key(keys[2][1])
    home.keys_path.mkdir()
    save_key(home.key_path("sponsor"), key("south server"), "p", cost=CHEAP)
    world = World(open_chain(home, None))
    action = SuspendMember(key("south").address)
    decide(world, 1, "suspend_member", action, "north", "department0")
    height = world.chain.confirmed_height
    world.chain.close()
    sick = look(home)["member"]
    assert sick.status is Status.FAIL
    assert f"was suspended as of block {height}" in sick.found
