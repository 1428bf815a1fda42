"""WeIdentity's documents: an address vouches for one key, the chain for all."""

import base64
import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.identity.weid.parts import Issuer
from tests.unit.identity.weid.test_weid import JSON, change, leaves_of

from hansa.identity.encoding.multibase import encode_multibase
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.weid.documents import read_weid_document
from hansa.identity.weid.identifiers import read_weid
from hansa.identity.weid.public_keys import read_point

ISSUER, OTHER = Issuer(7), Issuer(8)
URL = f"{ISSUER.did}#keys-0"


def fault_of(document, did=ISSUER.did, **options):
    with pytest.raises(Unsound) as refused:
        read_weid_document(document, did, **options)
    return refused.value.fault


def with_second():
    """Give the document another key, whose address is not the DID's."""
    document = copy.deepcopy(ISSUER.document)
    url = f"{ISSUER.did}#keys-1"
    document["publicKey"].append({"id": url, "type": "Secp256k1", "publicKey": OTHER.number})
    document["authentication"].append({"publicKey": url})
    return document


def test_a_key_that_the_address_does_not_vouch_for_needs_the_chain():
    assert list(read_weid_document(with_second(), ISSUER.did).keys) == [URL]
    document = read_weid_document(with_second(), ISSUER.did, is_from_chain=True)
    assert list(document.keys) == [URL, f"{ISSUER.did}#keys-1"]
    swapped = change(ISSUER.document, ("publicKey", 0, "publicKey"), OTHER.number)
    assert fault_of(swapped) is Fault.KEY
    assert list(read_weid_document(swapped, ISSUER.did, is_from_chain=True).keys) == [URL]


@pytest.mark.parametrize(
    "entry",
    [{"revoked": True}, {"owner": OTHER.did}, {"type": "SM2"}, {"type": "RsaVerificationKey2018"}],
)
def test_keys_that_do_not_count_are_left_out(entry):
    document = with_second()
    document["publicKey"][1].update(entry)
    read = read_weid_document(document, ISSUER.did, is_from_chain=True)
    assert list(read.keys) == [URL]


def test_a_revoked_use_and_a_key_without_one_do_not_count():
    document = with_second()
    document["authentication"][1]["revoked"] = True
    assert list(read_weid_document(document, ISSUER.did, is_from_chain=True).keys) == [URL]
    assert fault_of({**ISSUER.document, "authentication": []}) is Fault.KEY


def test_documents_of_others_are_refused():
    assert fault_of(OTHER.document) is Fault.UNRESOLVED
    assert fault_of(Issuer(7, chain=2).document) is Fault.UNRESOLVED
    foreign = change(ISSUER.document, ("authentication", 0, "publicKey"), f"{OTHER.did}#keys-0")
    assert fault_of(foreign) is Fault.UNRESOLVED
    twice = ISSUER.document
    twice["publicKey"] *= 2
    assert fault_of(twice) is Fault.DUPLICATE
    many = [{"publicKey": URL}] * 65
    assert fault_of({**ISSUER.document, "authentication": many}) is Fault.TOO_LARGE


def test_the_case_of_addresses_means_nothing():
    document = change(ISSUER.document, ("id",), f"did:weid:101:0x{ISSUER.did[-40:].upper()}")
    assert read_weid_document(document, document["id"]).id == ISSUER.did


POINT = int(ISSUER.number).to_bytes(64, "big")


@pytest.mark.parametrize(
    "text",
    [
        ISSUER.number,
        POINT.hex(),
        "0x04" + POINT.hex().upper(),
        ISSUER.key.public_key.format().hex(),
        base64.b64encode(POINT).decode(),
        base64.b64encode(b"\x04" + POINT).decode(),
        base64.b64encode(ISSUER.key.public_key.format()).decode(),
    ],
)
def test_keys_are_read_in_every_way_that_they_are_written(text):
    key = read_point(text, "the key")
    assert (key.kind, key.data) == (KeyKind.SECP256K1, ISSUER.key.public_key.format())


@pytest.mark.parametrize(
    "text", ["", "0", "7", "9" * 155, "9" * 10_000, "٣", "é", "zz", "0x", POINT.hex()[:-1]]
)
def test_what_is_no_key_is_refused(text):
    with pytest.raises(Unsound) as refused:
        read_point(text, "the key")
    assert refused.value.fault is Fault.KEY


def test_a_true_ed25519_key_is_left_out_and_a_false_one_refused():
    entry = {"id": f"{ISSUER.did}#keys-1", "type": "Ed25519VerificationKey2020"}
    true = {**entry, "publicKeyMultibase": encode_multibase(b"\xed\x01" + bytes(range(2, 34)))}
    document = {**ISSUER.document, "authentication": [*ISSUER.document["authentication"], true]}
    assert list(read_weid_document(document, ISSUER.did).keys) == [URL]
    false = {**entry, "publicKeyMultibase": encode_multibase(b"\xed\x01\x01" + b"12")}
    assert fault_of({**document, "authentication": [false]}) is Fault.KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "did:weid:1",
        "did:weid:0x" + "0" * 40,
        "did:weid:01:0x" + "0" * 40,
        "did:weid:٣:0x" + "0" * 40,
        "did:weid:1:0x" + "0" * 41,
        "did:weid:1:0x" + "g" * 40,
        "did:web:1:0x" + "0" * 40,
        None,
        7,
    ],
)
def test_what_is_no_weid_is_refused(text):
    with pytest.raises(Unsound) as refused:
        read_weid(text)
    assert refused.value.fault is Fault.MALFORMED


@given(JSON)
def test_strangers_documents_are_refused_in_order(value):
    with pytest.raises(Unsound):
        read_weid_document(value, ISSUER.did)


@given(st.sampled_from([*leaves_of(with_second())]), JSON, st.integers(1, 3))
def test_mutated_documents_raise_nothing_else(path, new, depth):
    try:
        read_weid_document(change(with_second(), path[:depth], new), ISSUER.did)
    except Unsound:
        return
