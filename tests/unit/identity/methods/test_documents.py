"""DID documents: keys count for what the document lists them for, and for nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.identity.encoding.multibase import encode_base58
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.jwk import write_jwk
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.multikey import write_multikey
from hansa.identity.keys.signing import load_private_key
from hansa.identity.methods.documents import (
    METHODS_MAX,
    Relationship,
    Service,
    read_document,
)

DID = "did:web:example.com"
KEY = load_private_key(KeyKind.ED25519, b"\x01" * 32).public_key
OTHER = load_private_key(KeyKind.P256, b"\x02" * 32).public_key


def multikey(name, key=KEY):
    return {
        "id": f"{DID}#{name}",
        "type": "Multikey",
        "controller": DID,
        "publicKeyMultibase": write_multikey(key),
    }


def test_a_document_is_read_with_its_keys_uses_and_services():
    document = read_document(
        {
            "@context": ["https://www.w3.org/ns/did/v1"],
            "id": DID,
            "alsoKnownAs": ["https://example.com/", 7],
            "verificationMethod": [
                multikey("a"),
                {"id": "#b", "type": "JsonWebKey", "publicKeyJwk": write_jwk(OTHER)},
                {
                    "id": "#old",
                    "type": "Ed25519VerificationKey2018",
                    "publicKeyBase58": encode_base58(KEY.data),
                },
                {"id": "#unknown", "type": "BlockchainKey2099", "account": "0x"},
            ],
            "authentication": ["#a", f"{DID}#b"],
            "assertionMethod": [multikey("here", OTHER), "#unknown"],
            "service": [
                {"id": "#s", "type": "Issuer", "serviceEndpoint": "https://example.com/i"},
                {"id": "#map", "type": "Issuer", "serviceEndpoint": {"uri": "x"}},
            ],
        },
        DID,
    )
    assert document.find_key("#a", Relationship.AUTHENTICATION) == KEY
    assert document.find_key(f"{DID}#b", Relationship.AUTHENTICATION) == OTHER
    assert document.list_keys(Relationship.ASSERTION) == [(f"{DID}#here", OTHER)]
    assert document.keys[f"{DID}#old"] == KEY
    assert document.services == (Service(f"{DID}#s", "Issuer", "https://example.com/i"),)
    assert document.also_known_as == ("https://example.com/",)


@pytest.mark.parametrize(
    ("url", "use", "fault"),
    [
        ("#a", Relationship.ASSERTION, Fault.KEY),
        ("#none", Relationship.AUTHENTICATION, Fault.UNRESOLVED),
        ("did:web:other#a", Relationship.AUTHENTICATION, Fault.UNRESOLVED),
    ],
)
def test_a_key_is_found_only_for_what_it_is_listed_for(url, use, fault):
    value = {"id": DID, "verificationMethod": [multikey("a")], "authentication": ["#a"]}
    with pytest.raises(Unsound) as caught:
        read_document(value, DID).find_key(url, use)
    assert caught.value.fault is fault


def test_a_deactivated_did_has_no_keys():
    value = {"id": DID, "verificationMethod": [multikey("a")], "authentication": ["#a"]}
    document = read_document(value, DID)._replace(is_deactivated=True)
    assert document.list_keys(Relationship.AUTHENTICATION) == []
    with pytest.raises(Unsound, match="deactivated"):
        document.find_key("#a", Relationship.AUTHENTICATION)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ([], Fault.MALFORMED),
        (None, Fault.MALFORMED),
        ({}, Fault.UNRESOLVED),
        ({"id": "did:web:other"}, Fault.UNRESOLVED),
        ({"id": DID, "verificationMethod": {}}, Fault.MALFORMED),
        ({"id": DID, "verificationMethod": [1]}, Fault.MALFORMED),
        ({"id": DID, "verificationMethod": [{"id": 1}]}, Fault.MALFORMED),
        ({"id": DID, "verificationMethod": [multikey("a"), multikey("a")]}, Fault.DUPLICATE),
        ({"id": DID, "verificationMethod": [{"id": "#a", "publicKeyJwk": {}}]}, Fault.KEY),
        ({"id": DID, "verificationMethod": [{"id": "#a", "publicKeyMultibase": "z6"}]}, Fault.KEY),
        ({"id": DID, "authentication": [None]}, Fault.MALFORMED),
        ({"id": DID, "authentication": "#a"}, Fault.MALFORMED),
        ({"id": DID, "service": ["x"]}, Fault.MALFORMED),
        ({"id": DID, "authentication": ["#a"] * (METHODS_MAX + 1)}, Fault.TOO_LARGE),
        (
            {
                "id": DID,
                "authentication": [multikey(f"a{n}") for n in range(METHODS_MAX)],
                "assertionMethod": [multikey("one-more")],
            },
            Fault.TOO_LARGE,
        ),
    ],
)
def test_an_unsound_document_is_refused(value, fault):
    with pytest.raises(Unsound) as caught:
        read_document(value, DID)
    assert caught.value.fault is fault


NAMES = st.sampled_from(
    ["id", "verificationMethod", "authentication", "service", "publicKeyJwk", "type", "kty", "crv"]
)
ANYTHING = st.recursive(
    st.none()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from([DID, "#a", "OKP", "Ed25519"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, ANYTHING))
def test_any_document_is_read_or_refused(value):
    try:
        document = read_document({"id": DID} | value, DID)
    except Unsound:
        return
    json.dumps(document.relationships)
