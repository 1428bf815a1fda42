"""A verifier that asks a node over HTTP, and believes what the node proves."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.api.served import make_town
from tests.identified import ISSUER, LIST, NORTH, PAPER, play_identity
from tests.world import key

from hansa.contracts import accounts
from hansa.contracts.identity import evidence
from hansa.identity.faults import Fault, Unsound
from hansa.identity.methods.hansa import write_did
from hansa.identity.naming import ListName, write_list_url, write_type
from hansa.identity.status.reference import StatusReference
from hansa.identity.verifier.registry import INVALID, SUSPENDED, VALID
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Unavailable
from hansa.node.identity.verifier.ledger import NodeRegistry
from hansa.sdk.async_client import AsyncClient

DID = write_did("test", ISSUER)
RESIDENT = write_type("test", "resident")
URL = write_list_url("https://issuer.example", ListName(*LIST))
ISSUER_KEY = {"kid": f"{DID}#{to_text(key('issuer').address)}"}


@pytest.fixture
def town(tmp_path):
    found = make_town(tmp_path)
    found.between_ms = play_identity(found.world)
    return found


def ask(town, question, *, genesis=None):
    """Ask a registry that knows nothing but a node's address and the network's hash."""
    found = []

    async def use(client, _):
        network = genesis or town.world.network.genesis_hash
        async with AsyncClient(str(client.make_url("")).rstrip("/"), network) as asking:
            found.append(await question(NodeRegistry(asking)))

    town.serve(use)
    return found[0]


def test_keys_accreditation_and_status_are_those_of_the_ledger(town):
    now_ms = town.world.time_ms
    found = ask(town, lambda registry: registry.find_issuer_key(DID, ISSUER_KEY, now_ms))
    assert found.issuer == DID
    assert found.key.data == key("issuer").public_key
    assert found.replaced_since_ms == 0
    standing = ask(town, lambda registry: registry.find_standing(DID, RESIDENT, now_ms))
    assert standing.is_accredited
    other = write_type("test", "licence")
    standing = ask(town, lambda registry: registry.find_standing(DID, other, now_ms))
    assert not standing.is_accredited
    for index, value in ((3, INVALID), (5, SUSPENDED), (6, VALID)):
        place = StatusReference(URL, index)
        found = ask(town, lambda registry, at=place: registry.get_status(DID, at))
        assert found == (value, town.world.time_ms)
    assert ask(town, lambda registry: registry.find_anchor_ms(DID, PAPER)) is None
    north = write_did("test", NORTH)
    assert ask(town, lambda registry: registry.find_anchor_ms(north, PAPER))


def test_a_key_that_was_replaced_is_told_with_the_moment(town):
    world = town.world
    before_ms = world.time_ms
    names = ["issuer", "new0", "new1", "new2"]
    times_ms = []
    for old, new in pairwise(names):  # it goes at the first of several changes
        world.time_ms += 5_000
        rotate = accounts.Rotate(ISSUER, key(old).address, key(new).address)
        assert world.do((old, new), rotate) == ""
        times_ms.append(world.time_ms)
    world.time_ms += 60_000
    assert world.do("north", evidence.Notarise(NORTH, b"\x09" * 32, 0, ())) == ""
    found = ask(town, lambda registry: registry.find_issuer_key(DID, ISSUER_KEY, before_ms))
    assert found.key.data == key("issuer").public_key
    assert times_ms[0] <= found.replaced_since_ms < times_ms[1]
    with pytest.raises(Unsound):
        ask(town, lambda registry: registry.find_issuer_key(DID, ISSUER_KEY, world.time_ms))


@pytest.mark.parametrize(
    ("issuer", "fault"),
    [
        (None, Fault.ISSUER),
        ("https://issuer.example", Fault.ISSUER),
        ("did:hansa:other:hansa1x", Fault.UNRESOLVED),
        (write_did("test", key("nobody").address), Fault.UNRESOLVED),
    ],
)
def test_who_is_not_on_the_ledger_has_no_key(town, issuer, fault):
    with pytest.raises(Unsound) as caught:
        ask(town, lambda registry: registry.find_issuer_key(issuer, ISSUER_KEY, town.world.time_ms))
    assert caught.value.fault is fault


def test_lists_that_are_not_the_issuers_own_say_nothing(town):
    for uri, index in (
        ("https://issuer.example/status/1", 1),
        (write_list_url("https://x.example", ListName(NORTH, 7)), 1),
        (URL, 1 << 40),
        (URL, 100_000),
    ):
        place = StatusReference(uri, index)
        with pytest.raises(Unsound) as caught:
            ask(town, lambda registry, at=place: registry.get_status(DID, at))
        assert caught.value.fault is Fault.STATUS


def test_a_node_of_another_network_gives_no_answer(town):
    with pytest.raises(Unavailable):
        ask(
            town,
            lambda registry: registry.find_standing(DID, RESIDENT, 1),
            genesis=b"\x01" * 32,
        )
