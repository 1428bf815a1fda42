"""A network is founded whole or not at all, from a description that is checked first."""

from __future__ import annotations

import re

import pytest
from tests.played import CHEAP
from tests.world import START_MS, key

from hansa.cli.setup import describe_founded
from hansa.contracts.members import Role
from hansa.kernel.authority import Purpose
from hansa.kernel.errors import Invalid
from hansa.kernel.genesis import GenesisNode
from hansa.node.audit import audit_folder
from hansa.node.description import MemberDescription, NetworkDescription
from hansa.node.founding import find_sponsor, found_network, join_network
from hansa.node.home import Home, open_chain
from hansa.sdk.keys import load_channel_key

PASSPHRASE = "founded"
BANK = MemberDescription("Bank", (Role.CENTRAL_BANK,), 1, 1, 1)
SMALL = NetworkDescription(members=(BANK,))


def found(path, description=SMALL, **more):
    return found_network(path, description, PASSPHRASE, START_MS, cost=CHEAP, **more)


def test_the_default_network_is_whole(tmp_path):
    made = found(tmp_path / "node", NetworkDescription(), settings="# mine\n")
    home = Home(tmp_path / "node")
    genesis = home.load_network().genesis
    bank, operator, _ = genesis.members
    officers = [each for each in bank.keys if each.purposes & Purpose.ISSUE]
    assert (len(officers), bank.threshold) == (3, 2)
    assert made.sponsor == operator.address
    told = "\n".join(describe_founded(made))
    for words in (
        "genesis hash",
        "2 of 3 officers",
        "node.json",
        "hansa up --data",
        "move all but",
    ):
        assert words in told
    assert home.settings_path.read_text() == "# mine\n"
    for name, address in made.keys.items():
        assert home.load_key(name, PASSPHRASE).address_text == address
        assert home.key_path(name).stat().st_mode & 0o777 == 0o600
    sponsor = home.load_key("sponsor", PASSPHRASE).address
    assert find_sponsor(genesis, sponsor) == operator.address
    officer = next(key for key in operator.keys if key.address != sponsor)
    with pytest.raises(Invalid, match="none that signs batches"):
        find_sponsor(genesis, officer.address)
    channel = load_channel_key(home.key_path("channel"), PASSPHRASE)
    assert genesis.nodes == (GenesisNode(operator.address, b"", (), channel.public_key, ""),)
    chain = open_chain(home, home.load_key("node", PASSPHRASE))
    assert chain.head.height == 0
    chain.close()
    assert audit_folder(home.log_path, home.store_path, home.load_network()).audit_ok


@pytest.mark.parametrize("hash_name", ["sha256", "sm3"])
@pytest.mark.parametrize("suite", ["ed25519", "p256", "secp256k1"])
def test_every_profile_and_suite_makes_a_chain(tmp_path, hash_name, suite):
    made = found(
        tmp_path / "node", NetworkDescription(hash=hash_name, suite=suite, members=(BANK,))
    )
    assert made.network.genesis.hash == hash_name
    assert made.home.load_key("node", PASSPHRASE).hash_name == hash_name


def test_keys_made_elsewhere_are_named_and_not_made(tmp_path):
    addresses = tuple(key(f"officer{number}").address_text for number in range(3))
    bank = MemberDescription("Bank", (Role.CENTRAL_BANK,), addresses, 2, 1)
    made = found(tmp_path / "node", NetworkDescription(members=(bank,)))
    assert set(made.keys) == {"node", "sponsor"}
    assert made.network.genesis.members[0].threshold == 2


def test_an_empty_folder_may_be_there_a_full_one_may_not(tmp_path):
    (tmp_path / "empty").mkdir()
    found(tmp_path / "empty")
    assert Home(tmp_path / "empty").exists()
    assert not list((tmp_path / "empty").glob(".*"))
    before = sorted(path.name for path in (tmp_path / "empty").rglob("*"))
    with pytest.raises(Invalid, match="not empty"):
        found(tmp_path / "empty")
    assert sorted(path.name for path in (tmp_path / "empty").rglob("*")) == before
    (tmp_path / "file").write_text("mine")
    with pytest.raises(Invalid, match="exists already"):
        found(tmp_path / "file")
    with pytest.raises(Invalid, match="is a file, not a folder"):
        found(tmp_path / "file" / "below")


TWICE = MemberDescription("bank ", (Role.OPERATOR,))


@pytest.mark.parametrize(
    ("description", "words"),
    [
        (NetworkDescription(members=()), "no members"),
        (
            NetworkDescription(members=(MemberDescription("North", (Role.OPERATOR,)),)),
            "one central",
        ),
        (NetworkDescription(members=(BANK, TWICE)), "name of its own"),
        (NetworkDescription(members=(MemberDescription("銀行", (Role.CENTRAL_BANK,)),)), "ASCII"),
        (NetworkDescription(members=(BANK,), sponsor="Nobody"), "none of the members"),
        (NetworkDescription(members=(BANK,), policy={"wallet.limits.9": (1,)}), "UNKNOWN_KEY"),
        (NetworkDescription(members=(BANK,), policy={"zone.offset_minutes": ()}), "OUT_OF_RANGE"),
        (
            NetworkDescription(members=(MemberDescription("B", (Role.CENTRAL_BANK,), 2, 3, 1),)),
            "cannot sign",
        ),
        (
            NetworkDescription(members=(MemberDescription("B", (Role.CENTRAL_BANK,), 1, 1, 0),)),
            "validators with a weight",
        ),
        (
            NetworkDescription(
                members=(MemberDescription("B", (Role.CENTRAL_BANK,), ("hansa1x",), 1, 1),)
            ),
            "64 characters",
        ),
    ],
)
def test_an_unsound_network_leaves_nothing_behind(tmp_path, description, words):
    with pytest.raises(Invalid, match=re.escape(words)):
        found(tmp_path / "node", description)
    assert list(tmp_path.iterdir()) == []


def test_a_node_moves_with_its_genesis_and_keys(tmp_path):
    home = found(tmp_path / "first").home
    keys = {"node": home.key_path("node"), "sponsor": home.key_path("sponsor")}
    joined = join_network(
        tmp_path / "second", home.genesis_path, keys, PASSPHRASE, settings="# 2\n", cost=CHEAP
    )
    assert joined.network.genesis_hash == home.load_network().genesis_hash
    assert load_channel_key(joined.home.key_path("channel"), PASSPHRASE) != load_channel_key(
        home.key_path("channel"), PASSPHRASE
    )
    assert joined.home.load_key("node", PASSPHRASE) == home.load_key("node", PASSPHRASE)
    swapped = {"node": keys["sponsor"], "sponsor": keys["node"]}
    with pytest.raises(Invalid, match="none of the members"):
        join_network(tmp_path / "third", home.genesis_path, swapped, PASSPHRASE, cost=CHEAP)
    foreign = {"node": keys["sponsor"], "sponsor": keys["sponsor"]}
    with pytest.raises(Invalid, match="none of the sealers"):
        join_network(tmp_path / "third", home.genesis_path, foreign, PASSPHRASE, cost=CHEAP)
    assert not (tmp_path / "third").exists()
