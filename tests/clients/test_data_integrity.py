"""`@digitalbazaar` verifies what we secure by Data Integrity, and we what it secures."""

import json
import secrets
from pathlib import Path

import pytest
from msgspec import structs
from tests.clients.foreign import ForeignError, run_foreign
from tests.mutated import put
from tests.secured import ADDED, CONTEXTS, CREDENTIAL, find_key, name_method

from hansa.contracts.identity.status import Bits, Status
from hansa.identity.bbs.ciphersuites import BBS_SHA_256
from hansa.identity.bbs.secret_keys import derive_secret_key
from hansa.identity.bbs_2023.credentials import verify_issued_credential, verify_shown_credential
from hansa.identity.bbs_2023.suite import add_base_proof, choose_mandatory_pointers, derive
from hansa.identity.data_integrity.contexts import CREDENTIALS_V2
from hansa.identity.data_integrity.credentials import verify_credential
from hansa.identity.data_integrity.presentations import make_presentation, verify_presentation
from hansa.identity.data_integrity.proofs import Expected, Proof, add_proof
from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.encoding.multibase import encode_multibase
from hansa.identity.encoding.timestamp import read_timestamp
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import TRAITS, KeyKind
from hansa.identity.keys.multikey import write_multikey
from hansa.identity.keys.signing import load_private_key
from hansa.identity.methods.documents import Relationship
from hansa.identity.status.bitstring import (
    ENTRIES_MIN,
    BitstringPublication,
    convert_entries,
    read_entries,
    read_list_credential,
    verify_bitstring_status,
    write_list_credential,
)
from hansa.identity.status.entries import pack_entries

PINNED = Path(__file__).parents[2] / "src/hansa/identity/data_integrity/pinned"
NAMES = {
    "https://www.w3.org/2018/credentials/v1": "credentials-v1",
    CREDENTIALS_V2: "credentials-v2",
    "https://w3id.org/security/data-integrity/v2": "data-integrity-v2",
    "https://w3id.org/security/multikey/v1": "multikey-v1",
}
CITY = "https://city.example/contexts/resident/v1"
TERMS = ("age_equal_or_over_18", "givenName", "familyName", "district", "Resident")
VOCABULARY = {term: f"https://city.example/terms#{term}" for term in TERMS}
OURS = {CITY: {"@context": {"@protected": True, **VOCABULARY}}}
KNOWN = CONTEXTS.extend(OURS)
GIVEN = {
    url: json.loads((PINNED / f"{name}.jsonld").read_text()) for url, name in NAMES.items()
} | ADDED | OURS  # fmt: skip

NOW = "2026-11-29T12:00:00Z"
NOW_MS = read_timestamp(NOW, "now")
EXPECTED = Expected(NOW_MS, domain="https://shop.example", challenge="c-1")
KEYS = {
    kind: load_private_key(kind, b"\x09" * TRAITS[kind].private_bytes)
    for kind in (KeyKind.ED25519, KeyKind.P256, KeyKind.P384)
}
BBS_KEY = derive_secret_key(BBS_SHA_256, b"\x09" * 32)
CASES = [
    ("eddsa-rdfc-2022", KeyKind.ED25519),
    ("eddsa-jcs-2022", KeyKind.ED25519),
    ("ecdsa-rdfc-2019", KeyKind.P256),
    ("ecdsa-rdfc-2019", KeyKind.P384),
]
OVER_18 = "/credentialSubject/age_equal_or_over_18"
HEADER = b"request 1"

foreign = run_foreign("data_integrity")


def write_key(key):
    """Write both halves of a key as the other side reads them."""
    codec = TRAITS[key.public_key.kind].private_codec
    prefix = bytes([codec & 0x7F | 0x80, codec >> 7])
    secret = encode_multibase(prefix + key.secret)
    return {"secretKeyMultibase": secret, "publicKeyMultibase": write_multikey(key.public_key)}


def name_issuer(key):
    return name_method(key).partition("#")[0]


def write_credential(key):
    issuer = {"id": name_issuer(key), "name": "Training centre"}
    return CREDENTIAL | {"issuer": issuer}


def secure(suite, key, document, **options):
    proof = Proof(suite, name_method(key), created_ms=NOW_MS, **options)
    return add_proof(document, key, proof, KNOWN)


def ask(foreign, action, suite, **options):
    return foreign.ask(action, suite=suite, contexts=GIVEN, now=NOW, **options)


def issue_theirs(foreign, suite, key, document, **options):
    given = {"credential": document, "key": write_key(key), "created": NOW} | options
    return ask(foreign, "issue", suite, **given)


# --- suites that show a credential whole --------------------------------------------------------


@pytest.mark.parametrize(("suite", "kind"), CASES)
def test_they_verify_what_we_secure(foreign, suite, kind):
    key = KEYS[kind]
    credential = secure(suite, key, write_credential(key))
    assert ask(foreign, "verifyCredential", suite, credential=credential)
    presentation = secure(
        suite,
        key,
        make_presentation([credential], name_issuer(key)),
        purpose=Relationship.AUTHENTICATION,
        domain=(EXPECTED.domain,),
        challenge=EXPECTED.challenge,
    )
    asked = {"challenge": EXPECTED.challenge, "domain": EXPECTED.domain}
    assert ask(foreign, "verifyPresentation", suite, presentation=presentation, **asked)
    for other in ({"challenge": "c-2"}, {"domain": "https://else.example"}):
        with pytest.raises(ForeignError, match=r"(?i)challenge|domain"):
            ask(foreign, "verifyPresentation", suite, presentation=presentation, **asked | other)
    changed = put(("credentialSubject", "hours"), 121, credential)
    with pytest.raises(ForeignError, match="signature"):
        ask(foreign, "verifyCredential", suite, credential=changed)


@pytest.mark.parametrize(("suite", "kind"), CASES)
def test_we_verify_what_they_secure(foreign, suite, kind):
    key = KEYS[kind]
    credential = issue_theirs(foreign, suite, key, write_credential(key))
    assert verify_credential(credential, KNOWN, NOW_MS, find_key).issuer == name_issuer(key)
    made = make_presentation([credential], name_issuer(key))
    asked = {"challenge": EXPECTED.challenge, "domain": EXPECTED.domain}
    given = {"presentation": made, "key": write_key(key), "created": NOW} | asked
    shown = ask(foreign, "present", suite, **given)
    assert verify_presentation(shown, KNOWN, EXPECTED, find_key).holder == name_issuer(key)
    for expected, fault in (
        (EXPECTED._replace(challenge="c-2"), Fault.NONCE),
        (EXPECTED._replace(domain="https://else.example"), Fault.AUDIENCE),
    ):
        with pytest.raises(Unsound) as caught:
            verify_presentation(shown, KNOWN, expected, find_key)
        assert caught.value.fault is fault
    changed = put(("credentialSubject", "hours"), 121, credential)
    with pytest.raises(Unsound) as caught:
        verify_credential(changed, KNOWN, NOW_MS, find_key)
    assert caught.value.fault is Fault.SIGNATURE


LISTS = "https://centre.example/status/3"


@pytest.mark.parametrize("is_revoked", [False, True])
def test_they_read_our_bitstring_status_lists(foreign, is_revoked):
    key = KEYS[KeyKind.ED25519]
    suite = "eddsa-rdfc-2022"
    credential = secure(suite, key, write_credential(key))
    entries = pack_entries(Bits.TWO, ENTRIES_MIN, {94_567: Status.INVALID} if is_revoked else {})
    published = BitstringPublication(
        uri=LISTS, issuer=name_issuer(key), purpose="revocation", valid_from_ms=NOW_MS
    )
    bits = convert_entries(entries, Status.INVALID)
    listed = secure(suite, key, write_list_credential(bits, published))
    asked = {"credential": credential, "checksStatus": True, "contexts": GIVEN | {LISTS: listed}}
    found = foreign.ask("verifyCredential", suite=suite, now=NOW, **asked)
    assert found["statuses"] == [is_revoked]
    asked["contexts"][LISTS] = put(("credentialSubject", "statusPurpose"), "other", listed)
    with pytest.raises(ForeignError):
        foreign.ask("verifyCredential", suite=suite, now=NOW, **asked)


def test_we_read_their_bitstring_status_lists(foreign):
    asked = {"id": LISTS, "length": ENTRIES_MIN, "purpose": "revocation", "indexes": [94_567]}
    bitstring = read_list_credential(foreign.ask("listStatuses", **asked), LISTS, NOW_MS)
    (entry,) = read_entries(CREDENTIAL)
    with pytest.raises(Unsound) as caught:
        verify_bitstring_status(bitstring, entry)
    assert caught.value.fault is Fault.REVOKED
    assert verify_bitstring_status(bitstring, structs.replace(entry, index=94_568)) == 0


# --- bbs-2023 -----------------------------------------------------------------------------------


def find_bbs_key(method, _relationship):
    assert method.endswith(write_multikey(BBS_KEY.public_key))
    return BBS_KEY.public_key


def write_resident():
    issuer = f"did:key:{write_multikey(BBS_KEY.public_key)}"
    return {
        "@context": [CREDENTIALS_V2, CITY],
        "type": ["VerifiableCredential", "Resident"],
        "issuer": issuer,
        "validFrom": "2026-11-01T00:00:00Z",
        "validUntil": "2027-11-01T00:00:00Z",
        "credentialSubject": {
            "givenName": "Ana",
            "familyName": "Lei",
            "district": "Taipa",
            "age_equal_or_over_18": True,
        },
    }


def issue_bbs():
    resident = write_resident()
    method = f"{resident['issuer']}#{write_multikey(BBS_KEY.public_key)}"
    proof = Proof("bbs-2023", method, created_ms=NOW_MS)
    pointers = choose_mandatory_pointers(resident)
    return add_base_proof(resident, BBS_KEY, proof, pointers, KNOWN, secrets.token_bytes)


def derive_theirs(foreign, issued, header=HEADER):
    given = {"pointers": [OVER_18], "header": encode_base64url(header)}
    return ask(foreign, "derive", "bbs-2023", credential=issued, **given)


def verify_theirs(foreign, shown, header=HEADER):
    given = {"credential": shown, "header": encode_base64url(header)}
    return ask(foreign, "verifyCredential", "bbs-2023", **given)


def verify_ours(shown, header=HEADER):
    return verify_shown_credential(shown, KNOWN, NOW_MS, find_bbs_key, header)


def test_bbs_credentials_of_ours_are_shown_and_verified_by_both(foreign):
    issued = issue_bbs()
    for shown in (
        derive(issued, [OVER_18], HEADER, KNOWN, secrets.token_bytes),
        derive_theirs(foreign, issued),
    ):
        assert verify_theirs(foreign, shown)
        assert verify_ours(shown).subjects == ({"age_equal_or_over_18": True},)
        refuse_elsewhere_and_changed(foreign, shown)


def test_bbs_credentials_of_theirs_are_shown_and_verified_by_both(foreign):
    resident = write_resident()
    pointers = choose_mandatory_pointers(resident)
    issued = issue_theirs(foreign, "bbs-2023", BBS_KEY, resident, mandatory=pointers)
    verify_issued_credential(issued, KNOWN, NOW_MS, find_bbs_key)
    for shown in (
        derive(issued, [OVER_18], HEADER, KNOWN, secrets.token_bytes),
        derive_theirs(foreign, issued),
    ):
        assert verify_theirs(foreign, shown)
        assert verify_ours(shown).subjects == ({"age_equal_or_over_18": True},)
        refuse_elsewhere_and_changed(foreign, shown)


def refuse_elsewhere_and_changed(foreign, shown):
    changed = put(("credentialSubject", "age_equal_or_over_18"), False, shown)
    for given, header in ((shown, b"request 2"), (changed, HEADER)):
        with pytest.raises(ForeignError):
            verify_theirs(foreign, given, header)
        with pytest.raises(Unsound) as caught:
            verify_ours(given, header)
        assert caught.value.fault is (Fault.NONCE if given is shown else Fault.SIGNATURE)
