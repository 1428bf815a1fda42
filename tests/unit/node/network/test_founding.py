"""A voted network is founded with a folder a node, each with keys of its own."""

from __future__ import annotations

import base64
import json
import stat

import pytest
from msgspec.structs import replace
from tests.played import CHEAP
from tests.world import START_MS

from hansa.contracts.members import Role
from hansa.kernel.errors import Invalid
from hansa.node.api.keys import KeyRing
from hansa.node.api.rights import Role as ApiRole
from hansa.node.description import MemberDescription, NetworkDescription
from hansa.node.home import CHANNEL_KEY, SPONSOR_KEY
from hansa.node.network.founding import describe_institutions, found_voted_network
from hansa.node.network.places import Place, choose_places
from hansa.node.settings import load_settings
from hansa.sdk.keys import load_channel_key

PASSPHRASE = "founded"
FOUR = describe_institutions(4)


def found(path, members=FOUR, hosts=()):
    places = choose_places(len(members), 26_600, hosts)
    description = NetworkDescription(members=members)
    return found_voted_network(path, description, places, PASSPHRASE, START_MS, cost=CHEAP)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return found(tmp_path_factory.mktemp("network") / "net")


def test_four_institutions_vote_with_equal_power(made):
    genesis = made.network.genesis
    assert genesis.is_voted
    assert [member.name for member in genesis.members] == [
        "Central Bank",
        "Operator 1",
        "Operator 2",
        "Regulator",
    ]
    assert {member.weight for member in genesis.members} == {100}
    assert [node.name for node in made.nodes] == [
        "central-bank",
        "operator-1",
        "operator-2",
        "regulator",
    ]
    for node in made.nodes:
        assert node.home.load_network().genesis_hash == made.network.genesis_hash


def test_each_node_has_keys_of_its_own(made):
    seen = set()
    for node, told in zip(made.nodes, made.network.genesis.nodes, strict=True):
        comet = node.home.comet
        assert told.consensus_key == comet.load_consensus_key().public_key
        assert told.peers == (comet.load_node_key().address,)
        channel = load_channel_key(node.home.key_path(CHANNEL_KEY), PASSPHRASE)
        assert told.channel_key == channel.public_key
        sponsor = node.home.load_key(SPONSOR_KEY, PASSPHRASE).address
        member = made.network.genesis.members[made.nodes.index(node)]
        assert sponsor in [key.address for key in member.keys]
        seen |= {told.consensus_key, *told.peers, told.channel_key, sponsor}
        assert not node.home.key_path("node").exists()
    assert len(seen) == 16


def test_an_institution_has_an_api_key_of_its_own_node(made):
    roles = []
    for node in made.nodes:
        token = (node.home.path / "api.key").read_text().strip()
        key = KeyRing(node.home.api_keys_path).find_token(token)
        assert key.name == node.member.name
        roles.append(key.role)
    assert roles == [ApiRole.CENTRAL_BANK, ApiRole.OPERATOR, ApiRole.OPERATOR, ApiRole.REGULATOR]


def test_all_is_for_its_owner_alone(made):
    for path in (made.path, *made.path.rglob("*")):
        expected = 0o700 if path.is_dir() else 0o600
        assert (path, stat.S_IMODE(path.stat().st_mode)) == (path, expected)


def test_nodes_know_one_another(made):
    for number, node in enumerate(made.nodes):
        settings = load_settings(node.home.settings_path)
        assert settings.listen.port == 26_600 + 10 * number
        assert settings.cometbft.listen == f"127.0.0.1:{26_606 + 10 * number}"
        assert set(settings.cometbft.peers) == {
            f"{other.home.comet.load_node_key().address.hex()}@127.0.0.1:{other.place.peer_port}"
            for other in made.nodes
            if other is not node
        }


def test_cometbft_has_the_genesis_that_follows_from_ours(made):
    documents = [json.loads(node.home.comet.genesis_path.read_bytes()) for node in made.nodes]
    assert all(document == documents[0] for document in documents)
    (document, *_) = documents
    assert document["chain_id"] == f"hansa-{made.network.genesis_hash.hex()[:40]}"
    assert document["consensus_params"]["block"]["max_bytes"] == "2000000"
    keys = [base64.b64decode(each["pub_key"]["value"]) for each in document["validators"]]
    assert keys == sorted(node.consensus_key for node in made.network.genesis.nodes)
    assert [each["power"] for each in document["validators"]] == ["100"] * 4


def test_a_member_without_weight_follows(tmp_path):
    watcher = MemberDescription("Watcher", (Role.REGULATOR,), 1, 1, 0)
    made = found(tmp_path / "net", (*describe_institutions(2), watcher))
    assert made.network.genesis.nodes[2].consensus_key == b""
    document = json.loads(made.nodes[2].home.comet.genesis_path.read_bytes())
    assert len(document["validators"]) == 2


def test_how_many_nodes_are_made_is_told(tmp_path):
    told = []
    places, members = choose_places(2, 26_600, ()), describe_institutions(2)
    found_voted_network(
        tmp_path / "net",
        NetworkDescription(members=members),
        places,
        PASSPHRASE,
        START_MS,
        cost=CHEAP,
        note=lambda *how_far: told.append(how_far),
    )
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_a_network_in_which_nobody_votes_is_not_made(tmp_path):
    with pytest.raises(Invalid, match="give at least one member a weight"):
        found(tmp_path / "net", [replace(each, weight=0) for each in FOUR])
    assert list(tmp_path.iterdir()) == []


def test_on_machines_of_their_own_all_have_the_same_ports(tmp_path):
    made = found(tmp_path / "net", describe_institutions(2), ["a.example", "b.example"])
    settings = load_settings(made.nodes[0].home.settings_path)
    assert settings.cometbft.listen == "0.0.0.0:26606"
    assert settings.cometbft.peers[0].endswith("@b.example:26606")
    assert settings.listen.public_names == ("a.example",)
    assert made.network.genesis.nodes[1].url == "https://b.example:26600"


@pytest.mark.parametrize(
    ("count", "base", "hosts", "told"),
    [
        (4, 65_500, (), "10 ports from 65500"),
        (2, 0, (), "from 0 on"),
        (2, 26_600, ("a",), "1 hosts for 2 nodes"),
        (1, 26_600, ("1.2.3.999",), "a name or an IPv4 address"),
        (1, 26_600, ("12.7",), "a name or an IPv4 address"),
        (2, 26_600, ("a", "a"), "host a is named twice"),
        (2, 26_600, ("a", "b", "c"), "3 hosts for 2 nodes"),
    ],
)
def test_places_that_cannot_be_are_refused(count, base, hosts, told):
    with pytest.raises(Invalid, match=told):
        choose_places(count, base, hosts)


def test_the_last_ports_are_taken():
    assert choose_places(2, 65_516, [])[1] == Place("127.0.0.1", 65_526)


def test_a_path_too_long_for_sockets_makes_nothing(tmp_path):
    path = tmp_path / ("long" * 20)
    with pytest.raises(Invalid, match="107"):
        found(path)
    assert not path.exists()


def test_a_path_that_cometbft_does_not_take_makes_nothing(tmp_path):
    path = tmp_path / "Réseau"
    with pytest.raises(Invalid, match="ASCII"):
        found(path)
    assert not path.exists()


def test_a_full_folder_stays_as_it_is(made):
    with pytest.raises(Invalid, match="not empty"):
        found(made.path)
