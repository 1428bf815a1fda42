"""Credentials and documents that WeIdentity itself made."""

import json

import pytest
from tests.unit.identity.weid.parts import read_vectors

from hansa.identity.faults import Fault, Unsound
from hansa.identity.methods.documents import Relationship
from hansa.identity.weid.claims import SALT_LETTERS, open_claims
from hansa.identity.weid.credentials import read_weid_credential
from hansa.identity.weid.documents import read_weid_document
from hansa.identity.weid.hashing import compute_keccak
from hansa.identity.weid.identifiers import derive_address, read_weid
from hansa.identity.weid.public_keys import read_point
from hansa.identity.weid.thumbprints import Version, hash_credential
from hansa.identity.weid.verification import verify_weid_credential

CREDENTIALS = [case for case in read_vectors("credentials") if "post" in case]
REFUSED = [case for case in read_vectors("credentials") if "post" not in case]
DOCUMENTS = read_vectors("documents")


def by_name(case):
    return case["name"]


def verify(case, change=None):
    value, number = case["input"]["credential"], case["input"]["public_key"]
    credential = read_weid_credential(json.dumps({**value, **(change or {})}))
    url = f"{credential.issuer}#keys-0"
    document = {
        "id": credential.issuer,
        "publicKey": [{"id": url, "type": "Secp256k1", "publicKey": number}],
        "authentication": [{"type": "Secp256k1", "publicKey": url}],
    }
    read = read_weid_document(document, credential.issuer)
    return verify_weid_credential(credential, {read.id: read}, credential.expiration_date * 1_000)


@pytest.mark.parametrize("case", CREDENTIALS, ids=by_name)
def test_credentials_that_weidentity_issued_verify(case):
    verified = verify(case)
    assert verified.version == case["post"]["version"]
    assert verified.claims == case["input"]["credential"]["claim"]
    assert verified.hidden == ()
    assert verified.key == f"{verified.issuer}#keys-0"


@pytest.mark.parametrize("case", CREDENTIALS, ids=by_name)
def test_changed_ones_do_not(case):
    for change in ({"cptId": 7}, {"id": "other"}, {"claim": {}}):
        with pytest.raises(Unsound) as refused:
            verify(case, change)
        assert refused.value.fault in (Fault.SIGNATURE, Fault.DISCLOSURE)


def test_the_hash_is_that_which_the_sdk_computed():
    case = next(case for case in CREDENTIALS if "hash" in case["post"])
    credential = read_weid_credential(json.dumps(case["input"]["credential"]))
    opened = open_claims(credential.claim, credential.proof["salt"], SALT_LETTERS)
    assert hash_credential(credential, opened, Version.FIRST) == case["post"]["hash"]


@pytest.mark.parametrize("case", REFUSED, ids=by_name)
def test_what_cannot_be_verified_says_so(case):
    value = case["input"]["credential"]
    members = {each["issuer"]: each for each in value["claim"]["credentialList"]}
    numbers = {
        each["input"]["credential"]["issuer"]: each["input"]["public_key"] for each in CREDENTIALS
    }
    documents = {}
    for did in members:
        url = f"{did}#keys-0"
        entry = {"id": url, "type": "Secp256k1", "publicKey": numbers[did]}
        uses = [{"publicKey": url}]
        documents[did] = read_weid_document(
            {"id": did, "publicKey": [entry], "authentication": uses}, did
        )
    with pytest.raises(Unsound, match=r"before 1\.5") as refused:
        verify_weid_credential(
            read_weid_credential(json.dumps(value)), documents, 1_567_405_400_000
        )
    assert refused.value.fault is Fault.UNSUPPORTED


@pytest.mark.parametrize("case", DOCUMENTS, ids=by_name)
def test_documents_that_weidentity_wrote_are_read(case):
    did = case["input"]["id"]
    for name, is_from_chain in (("address_keys", False), ("chain_keys", True)):
        document = read_weid_document(case["input"], did, is_from_chain=is_from_chain)
        urls = [f"{did}#{each}" for each in case["post"][name]]
        assert list(document.keys) == urls
        for use in (Relationship.AUTHENTICATION, Relationship.ASSERTION):
            assert [url for url, _ in document.list_keys(use)] == urls
        assert document.services[0].endpoint.startswith("https://")


@pytest.mark.parametrize(
    ("address", "number"),
    [
        (
            "0xd613fbc0249f2ce5088ed484fa6b7b51ecb95e24",
            "3170902924087212850995053706205512080445198963430287429721846825598988998466716040533782467342119206581749393570668868631792331397183368695050591746049552",
        ),
        (
            "0xc43f2c19d118069334465203caec2f172b309c58",
            "1802001392887294114478621319460626832326728735808626637646481738691052543569123247811055025421632020659858167535619017862031831947976217438376528638044178",
        ),
    ],
)
def test_addresses_derive_as_in_the_documentation(address, number):
    assert derive_address(read_point(number, "the key")) == address
    assert read_weid(f"did:weid:1:{address.upper().replace('X', 'x')}").address == address


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ],
)
def test_the_hash_is_keccak_and_not_sha3(data, digest):
    assert compute_keccak(data).hex() == digest
