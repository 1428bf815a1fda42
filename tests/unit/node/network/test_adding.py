"""One more node of a network: its folder, and what its member publishes."""

from __future__ import annotations

import pytest
from tests.played import CHEAP, make_folder
from tests.world import START_MS

from hansa.cli.main import main
from hansa.kernel.crypto.possession import is_proven
from hansa.kernel.errors import Invalid
from hansa.node.description import NetworkDescription
from hansa.node.founding import join_network
from hansa.node.home import Home
from hansa.node.network.founding import describe_institutions, found_voted_network
from hansa.node.network.places import EVERYWHERE, Place, choose_places
from hansa.node.network.preparing import prepare_cometbft
from hansa.node.network.renewal import Source, add_node
from hansa.node.settings import load_settings
from hansa.sdk.keys import KeyPair, load_channel_key, save_key

PEER = "b" * 40 + "@a.example:26606"


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    description = NetworkDescription(members=describe_institutions(2))
    path, places = tmp_path_factory.mktemp("network") / "n", choose_places(2, 26_600, [])
    return found_voted_network(path, description, places, "p", START_MS, cost=CHEAP).nodes[0].home


def add(path, first, *, key=None, member=None, peers=(PEER,)):
    source = Source(first.genesis_path, key or first.key_path("sponsor"), member)
    return add_node(path, source, Place("c.example", 26_600), peers, "p", cost=CHEAP)


def test_the_folder_is_whole_and_its_keys_are_what_is_published(first, tmp_path):
    published = add(tmp_path / "node", first)
    home = Home(tmp_path / "node")
    network = home.load_network()
    assert network.genesis_hash == first.load_network().genesis_hash
    settings = load_settings(home.settings_path)
    assert settings.cometbft.peers == (PEER,)
    prepare_cometbft(home, network, settings)
    assert published.member == network.genesis.members[0].address
    assert published.consensus_key == home.comet.load_consensus_key().public_key
    assert published.consensus_key not in [node.consensus_key for node in network.genesis.nodes]
    assert published.peers == (home.comet.load_node_key().address,)
    proven = [
        proof.public_key
        for proof in published.proofs
        if is_proven(proof, network.genesis_hash, published.member)
    ]
    assert proven == [published.consensus_key, home.comet.load_node_key().public_key]
    assert published.channel_key == load_channel_key(home.key_path("channel"), "p").public_key
    assert published.url == "https://c.example:26600"
    assert home.load_key("sponsor", "p") == first.load_key("sponsor", "p")


def test_a_member_that_came_later_is_named(first, tmp_path):
    key = KeyPair.from_seed(b"later")
    save_key(tmp_path / "later.json", key, "p", cost=CHEAP)
    with pytest.raises(Invalid, match=r"none of the members .* --member ADDRESS"):
        add(tmp_path / "node", first, key=tmp_path / "later.json")
    assert not (tmp_path / "node").exists()
    named = add(tmp_path / "node", first, key=tmp_path / "later.json", member=key.address)
    assert named.member == key.address
    settings = load_settings(tmp_path / "node" / "node.toml")
    assert settings.cometbft.member == key.address_text


@pytest.mark.parametrize(
    ("option", "texts", "told"),
    [
        ("--from", ["nonsense"], "'nonsense': must be the address of another member's node"),
        ("--from", ["https://a.example", "ftp://x"], "'ftp://x': must be the address of another"),
        ("--from", ["http://x:70000"], "'http://x:70000': must be the address of another"),
        ("--from", ["http://\udcff"], r"'http://\udcff': must be the address of another"),
        ("--from", ["http://x"] * 9, "'http://x': at most 8 of them"),
        ("--peer", [PEER, ""], "'': must be \"ID@HOST:PORT\", ID being the 40 hex digits"),
        ("--peer", [PEER + "0"], f"'{PEER}0': must be \"ID@HOST:PORT\", ID being"),
    ],
)
def test_a_wrong_option_is_told_by_its_name(first, tmp_path, option, texts, told):
    peers, join_from = (texts, ()) if option == "--peer" else ((), texts)
    source = Source(first.genesis_path, first.key_path("sponsor"), join_from=join_from)
    with pytest.raises(Invalid) as raised:
        add_node(tmp_path / "node", source, Place("c.example", 26_600), peers, "p", cost=CHEAP)
    assert raised.value.message.startswith(f"{option} {told}")
    assert "node.toml" not in raised.value.message


@pytest.mark.parametrize("host", ["", "a b", "http://x", "a:1", "::1", EVERYWHERE, "-x", "\udcff"])
def test_a_host_is_a_name_under_which_others_reach_it(host):
    with pytest.raises(Invalid, match=r"--host .*: must be a name or an IPv4 address"):
        choose_places(1, 26_600, [host])


def test_a_key_that_signs_no_batches_or_is_of_another_member_makes_no_node(first, tmp_path):
    officer = first.path.parent / "central-bank" / "keys" / "central-bank-officer-1.json"
    with pytest.raises(Invalid, match="name the key of its server"):
        add(tmp_path / "node", first, key=officer)
    other = first.load_network().genesis.members[1].address
    with pytest.raises(Invalid, match="genesis gives the sponsor key to"):
        add(tmp_path / "node", first, member=other)
    assert not (tmp_path / "node").exists()


def test_a_peer_that_is_none_makes_nothing(first, tmp_path):
    with pytest.raises(Invalid, match=r"--peer .*: must be \"ID@HOST:PORT\""):
        add(tmp_path / "node", first, peers=("a.example:26606",))
    assert not (tmp_path / "node").exists()


def test_a_network_that_one_node_seals_has_no_second_one(first, tmp_path):
    sealed = make_folder(tmp_path / "sealed")
    source = Source(sealed.genesis_path, first.key_path("sponsor"))
    with pytest.raises(Invalid, match="one node seals"):
        add_node(tmp_path / "node", source, Place("a", 26_600), (), "p", cost=CHEAP)


def test_whoever_joins_as_if_one_sealed_is_shown_the_way(first, tmp_path):
    with pytest.raises(Invalid, match=r"nodes vote.*network node new"):
        join_network(tmp_path / "node", first.genesis_path, {}, "p")


@pytest.mark.parametrize("peers", [(), ("--peer", PEER)])
def test_a_node_without_peers_is_told_so(first, tmp_path, capsys, monkeypatch, peers):
    monkeypatch.setenv("HANSA_PASSPHRASE", "p")
    files = ("--genesis", first.genesis_path, "--sponsor-key", first.key_path("sponsor"))
    words = ("network", "node", "new", "--data", tmp_path / "node", *files, *peers)
    assert main([str(word) for word in words]) == 0
    told = capsys.readouterr().out
    assert ("it stays alone" in told) is (not peers)
    assert (str(tmp_path / "node" / "node.toml") in told) is (not peers)
