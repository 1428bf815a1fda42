"""DIDs of every method lead to keys; what a method cannot tell is said."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.unit.contracts.harness import DAY_MS, Harness
from tests.unit.identity.methods.test_webvh import NOW_MS, find, server_of

from hansa.contracts.identity import did
from hansa.contracts.identity.documents import EMPTY, KeyBytes
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.multikey import write_multikey
from hansa.identity.keys.signing import load_private_key
from hansa.identity.methods.documents import Relationship
from hansa.identity.methods.hansa import write_did
from hansa.identity.methods.local import write_did_jwk, write_did_key
from hansa.kernel.crypto.address import address_of
from hansa.kernel.crypto.hashing import crypto_profile
from hansa.node.identity.resolving import Resolver

KEY = load_private_key(KeyKind.ED25519, b"\x61" * 32).public_key
ADDRESS = address_of(1, KEY.data, crypto_profile("sha256").digest)
WEB = "did:web:office.example"
WEBVH = find("multi-update")


async def fetch(url, bytes_max):
    if url.startswith("https://office.example/"):
        method = {"id": "#1", "type": "Multikey", "publicKeyMultibase": write_multikey(KEY)}
        return json.dumps({"id": WEB, "assertionMethod": [method]}).encode()
    return await server_of(WEBVH)[0](url, bytes_max)


@pytest.fixture(scope="module")
def resolver():
    ledger = Harness()
    ledger.do(did.create, did.Create(ADDRESS, EMPTY, (KeyBytes(1, KEY.data),)), ADDRESS)
    ledger.view.begin()
    return Resolver(ledger.view, "test", fetch, lambda: NOW_MS)


def resolve(resolver, text, at_ms=None):
    return asyncio.run(resolver.resolve(text, at_ms))


@pytest.mark.parametrize(
    "text", [write_did("test", ADDRESS), write_did_key(KEY), write_did_jwk(KEY), WEB]
)
def test_each_method_leads_to_the_key(resolver, text):
    document = resolve(resolver, text)
    assert document.id == text
    assert KEY in [key for _, key in document.list_keys(Relationship.ASSERTION)]


def test_a_history_can_be_asked_for_where_there_is_one(resolver):
    assert resolve(resolver, WEBVH["did"]).id == WEBVH["did"]
    with pytest.raises(Unsound, match="did not exist"):
        resolve(resolver, WEBVH["did"], 0)
    with pytest.raises(Unsound, match="has no document"):
        resolve(resolver, write_did("test", ADDRESS), DAY_MS)
    with pytest.raises(Unsound, match="no history") as caught:
        resolve(resolver, WEB, 0)
    assert caught.value.fault is Fault.UNSUPPORTED


@pytest.mark.parametrize("text", ["did:sov:abc", "did:weid:1:0x00", "nonsense"])
def test_other_methods_are_told_apart(resolver, text):
    with pytest.raises(Unsound) as caught:
        resolve(resolver, text)
    assert caught.value.fault in {Fault.UNSUPPORTED, Fault.MALFORMED}
