"""did:key, did:jwk and did:web lead to the keys that their specifications show."""

import asyncio
import json

import pytest

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import TRAITS, KeyKind, load_public_key
from hansa.identity.keys.signing import load_private_key
from hansa.identity.methods.did import read_did
from hansa.identity.methods.documents import Relationship
from hansa.identity.methods.local import (
    name_did_key_method,
    resolve_did_jwk,
    resolve_did_key,
    write_did_jwk,
    write_did_key,
)
from hansa.identity.methods.web import locate_did_web, resolve_did_web

SIGNING = [kind for kind, traits in TRAITS.items() if traits.algorithms]
# did:jwk method specification, examples 1 and 2.
JWK_P256 = (
    "did:jwk:eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6ImFjYklRaXVNczNpOF91c3pFakoydHBUdFJNNEVVM3l6"
    "OTFQSDZDZEgyVjAiLCJ5IjoiX0tjeUxqOXZXTXB0bm1LdG00NkdxRHo4d2Y3NEk1TEtncmwyR3pIM25TRSJ9"
)
JWK_X25519 = (
    "did:jwk:eyJrdHkiOiJPS1AiLCJjcnYiOiJYMjU1MTkiLCJ1c2UiOiJlbmMiLCJ4IjoiM3A3YmZYdDl3YlRUVzJIQzdP"
    "UTFOei1EUThoYmVHZE5yZngtRkctSUswOCJ9"
)


@pytest.mark.parametrize("kind", SIGNING)
def test_a_did_key_gives_back_its_key(kind):
    key = load_private_key(kind, b"\x05" * TRAITS[kind].private_bytes).public_key
    did = write_did_key(key)
    document = resolve_did_key(read_did(did))
    assert document.id == did
    assert document.find_key(name_did_key_method(did), Relationship.ASSERTION) == key
    with pytest.raises(Unsound):
        document.find_key(name_did_key_method(did), Relationship.AGREEMENT)


def test_a_did_key_for_agreement_signs_nothing():
    key = load_public_key(KeyKind.X25519, b"\x09" * 32)
    document = resolve_did_key(read_did(write_did_key(key)))
    assert document.list_keys(Relationship.ASSERTION) == []
    assert [found for _, found in document.list_keys(Relationship.AGREEMENT)] == [key]


@pytest.mark.parametrize("kind", SIGNING)
def test_a_did_jwk_gives_back_its_key(kind):
    key = load_private_key(kind, b"\x05" * TRAITS[kind].private_bytes).public_key
    document = resolve_did_jwk(read_did(write_did_jwk(key)))
    assert document.find_key("#0", Relationship.AUTHENTICATION) == key


def test_the_examples_of_did_jwk_resolve():
    signing = resolve_did_jwk(read_did(JWK_P256))
    assert signing.find_key(f"{JWK_P256}#0", Relationship.ASSERTION).kind is KeyKind.P256
    agreeing = resolve_did_jwk(read_did(JWK_X25519))
    assert agreeing.find_key(f"{JWK_X25519}#0", Relationship.AGREEMENT).kind is KeyKind.X25519
    assert agreeing.list_keys(Relationship.ASSERTION) == []


def test_a_signing_key_that_is_for_encryption_signs_nothing():
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(b"\x09" * 32), "use": "enc"}
    key = load_private_key(KeyKind.ED25519, b"\x05" * 32).public_key
    jwk["x"] = encode_base64url(key.data)
    did = f"did:jwk:{encode_base64url(json.dumps(jwk).encode())}"
    assert resolve_did_jwk(read_did(did)).list_keys(Relationship.ASSERTION) == []


@pytest.mark.parametrize(
    ("did", "fault"),
    [
        ("did:key:f1234", Fault.UNSUPPORTED),
        ("did:key:z6Mk", Fault.KEY),
        ("did:key:z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2:1", Fault.MALFORMED),
    ],
)
def test_an_unsound_did_key_is_refused(did, fault):
    with pytest.raises(Unsound) as caught:
        resolve_did_key(read_did(did))
    assert caught.value.fault is fault


@pytest.mark.parametrize("did", ["did:jwk:e30", "did:jwk:%41", "did:jwk:W10", "did:jwk:AAAA"])
def test_an_unsound_did_jwk_is_refused(did):
    with pytest.raises(Unsound):
        resolve_did_jwk(read_did(did))


@pytest.mark.parametrize(
    ("did", "url"),
    [
        ("did:web:w3c-ccg.github.io", "https://w3c-ccg.github.io/.well-known/did.json"),
        ("did:web:w3c-ccg.github.io:user:alice", "https://w3c-ccg.github.io/user/alice/did.json"),
        ("did:web:example.com%3A3000", "https://example.com:3000/.well-known/did.json"),
        ("did:web:example.com%3a3000:u", "https://example.com:3000/u/did.json"),
    ],
)
def test_a_did_web_lies_where_its_specification_says(did, url):
    assert locate_did_web(read_did(did)) == url


@pytest.mark.parametrize(
    "did",
    [
        "did:web:127.0.0.1",
        "did:web:0x7f.1",
        "did:web:2130706433",
        "did:web:%5B::1%5D",
        "did:web:user%40example.com",
        "did:web:example.com%2Fother",
        "did:web:example.com%3A",
        "did:web:example.com%3A99999",
        "did:web:example.com%3A80%3A90",
        "did:web:example.com:..:secret",
        "did:web:example.com:a%2Fb",
        "did:web:example.com::a",
        "did:web:-a.com",
        "did:web:a..com",
        "did:web:EXAMPLE.com",
    ],
)
def test_a_did_web_that_would_lead_elsewhere_is_refused(did):
    with pytest.raises(Unsound) as caught:
        locate_did_web(read_did(did))
    assert caught.value.fault is Fault.MALFORMED


def test_a_did_web_is_what_its_server_answers():
    key = load_private_key(KeyKind.ED25519, b"\x05" * 32).public_key
    did = "did:web:example.com"
    method = {"id": "#1", "type": "Multikey", "publicKeyMultibase": write_did_key(key)[8:]}
    asked = []

    async def fetch(url, bytes_max):
        asked.append((url, bytes_max))
        return json.dumps({"id": did, "assertionMethod": [method]}).encode()

    document = asyncio.run(resolve_did_web(read_did(did), fetch))
    assert document.find_key("#1", Relationship.ASSERTION) == key
    assert asked == [("https://example.com/.well-known/did.json", 256 * 1024)]


@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b"[]", b'{"id":"did:web:other.com"}', b'{"id":1,"id":2}']
)
def test_a_did_web_that_answers_nonsense_is_refused(answer):
    async def fetch(_url, _bytes_max):
        return answer

    with pytest.raises(Unsound, match=r"did:web:example\.com"):
        asyncio.run(resolve_did_web(read_did("did:web:example.com"), fetch))
