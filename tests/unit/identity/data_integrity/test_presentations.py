"""Presentations and envelopes: for one verifier, once, by the holder, with sound credentials."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.mutated import put
from tests.secured import CONTEXTS, CREDENTIAL, V2, find_key, name_method

from hansa.identity.data_integrity.credentials import verify_credential
from hansa.identity.data_integrity.enveloped import sign_credential, verify_enveloped_credential
from hansa.identity.data_integrity.presentations import (
    CREDENTIALS_MAX,
    make_presentation,
    sign_presentation,
    verify_enveloped_presentation,
    verify_presentation,
    wrap_token,
)
from hansa.identity.data_integrity.proofs import Expected, Proof, add_proof
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import decode_jws, sign_jws
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.methods.documents import Relationship
from hansa.identity.methods.local import write_did_key

NOW_MS = 1_800_000_000_000
ISSUER, HOLDER, THIEF = (
    load_private_key(kind, bytes([7]) * 32)
    for kind in (KeyKind.ED25519, KeyKind.P256, KeyKind.SECP256K1)
)
HOLDER_DID = write_did_key(HOLDER.public_key)
DOCUMENT = put(("issuer",), write_did_key(ISSUER.public_key))
TOKEN = sign_credential(DOCUMENT, ISSUER, name_method(ISSUER))
ASKED = Expected(NOW_MS, domain="https://verifier.example", challenge="c-1")


def secure(document, suite="eddsa-rdfc-2022"):
    return add_proof(document, ISSUER, Proof(suite, name_method(ISSUER)), CONTEXTS)


def present(document, signer=HOLDER, suite="ecdsa-rdfc-2019", **options):
    proof = Proof(
        suite,
        name_method(signer),
        Relationship.AUTHENTICATION,
        **{"domain": (ASKED.domain,), "challenge": ASKED.challenge, **options},
    )
    return add_proof(document, signer, proof, CONTEXTS)


SHOWN = [secure(DOCUMENT), secure(put(("id",), "urn:b", DOCUMENT), "eddsa-jcs-2022"), TOKEN]


@pytest.mark.parametrize("suite", ["ecdsa-rdfc-2019", "ecdsa-jcs-2019"])
def test_a_presentation_shows_credentials_of_all_kinds(suite):
    signed = present(make_presentation(SHOWN, HOLDER_DID), suite=suite)
    presentation = verify_presentation(signed, CONTEXTS, ASKED, find_key)
    assert presentation.holder == HOLDER_DID
    assert [each.id for each in presentation.credentials] == [
        CREDENTIAL["id"],
        "urn:b",
        CREDENTIAL["id"],
    ]


def test_a_presentation_may_show_nothing_but_who_it_is():
    signed = present(make_presentation([], HOLDER_DID))
    assert verify_presentation(signed, CONTEXTS, ASKED, find_key).credentials == ()
    del signed["holder"]
    again = present({name: signed[name] for name in ("@context", "type")})
    assert verify_presentation(again, CONTEXTS, ASKED, find_key).holder == HOLDER_DID


@pytest.mark.parametrize(
    ("signed", "asked", "fault"),
    [
        (present(make_presentation(SHOWN, HOLDER_DID)), ASKED._replace(challenge=""), Fault.NONCE),
        (present(make_presentation(SHOWN, HOLDER_DID), challenge="c-2"), ASKED, Fault.NONCE),
        (
            present(make_presentation(SHOWN, HOLDER_DID), domain=("https://other.example",)),
            ASKED,
            Fault.AUDIENCE,
        ),
        (present(make_presentation(SHOWN, "did:example:other")), ASKED, Fault.BINDING),
        (
            present(make_presentation([DOCUMENT], HOLDER_DID)),
            ASKED,
            Fault.MALFORMED,
        ),
        (
            present(make_presentation([put(("name",), "other", SHOWN[0])], HOLDER_DID)),
            ASKED,
            Fault.SIGNATURE,
        ),
        (
            present(make_presentation([TOKEN[:-4] + "AAAA"], HOLDER_DID)),
            ASKED,
            Fault.SIGNATURE,
        ),
        (
            present(
                make_presentation([], HOLDER_DID)
                | {"verifiableCredential": {**wrap_token(""), "id": "data:application/vc+sd-jwt,a"}}
            ),
            ASKED,
            Fault.UNSUPPORTED,
        ),
        (
            present(
                make_presentation([TOKEN] * (CREDENTIALS_MAX + 1), HOLDER_DID),
                suite="ecdsa-jcs-2019",
            ),
            ASKED,
            Fault.TOO_LARGE,
        ),
        (make_presentation(SHOWN, HOLDER_DID), ASKED, Fault.MALFORMED),
        (SHOWN[0], ASKED, Fault.TYPE),
        ([], ASKED, Fault.MALFORMED),
    ],
)
def test_a_presentation_that_does_not_hold_is_refused(signed, asked, fault):
    with pytest.raises(Unsound) as caught:
        verify_presentation(signed, CONTEXTS, asked, find_key)
    assert caught.value.fault is fault


def test_what_is_shown_cannot_be_exchanged():
    signed = present(make_presentation(SHOWN, HOLDER_DID))
    other = {**signed, "verifiableCredential": SHOWN[:2]}
    with pytest.raises(Unsound, match="does not verify"):
        verify_presentation(other, CONTEXTS, ASKED, find_key)


# --- in an envelope -----------------------------------------------------------------------------


def seal(claims, signer=ISSUER, **header):
    kept = {"typ": "vc+jwt", "kid": name_method(signer), **header}
    header = {name: value for name, value in kept.items() if value is not None}
    return sign_jws(signer, header, json.dumps(claims).encode())


def test_a_credential_in_an_envelope_verifies():
    assert verify_enveloped_credential(TOKEN, NOW_MS, find_key).document == DOCUMENT
    header = decode_jws(TOKEN, "it").header
    assert header == {
        "alg": "EdDSA",
        "typ": "vc+jwt",
        "cty": "vc",
        "kid": name_method(ISSUER),
    }
    claims = {**DOCUMENT, "iss": DOCUMENT["issuer"], "jti": DOCUMENT["id"], "exp": NOW_MS}
    claims |= {"sub": DOCUMENT["credentialSubject"]["id"], "nbf": 1.5, "iat": 0}
    relative = "#" + name_method(ISSUER).partition("#")[2]
    for token in (seal(claims), seal(claims, kid=relative, iss=DOCUMENT["issuer"])):
        assert verify_enveloped_credential(token, NOW_MS, find_key).id == DOCUMENT["id"]


@pytest.mark.parametrize(
    ("token", "fault"),
    [
        (seal(DOCUMENT, typ=None), Fault.TYPE),
        (seal(DOCUMENT, typ="vp+jwt"), Fault.TYPE),
        (seal(DOCUMENT, typ="JWT"), Fault.TYPE),
        (seal({"vc": DOCUMENT}), Fault.UNSUPPORTED),
        (seal({**DOCUMENT, "vp": {}}), Fault.UNSUPPORTED),
        (seal([]), Fault.MALFORMED),
        (seal({**DOCUMENT, "type": "Other"}), Fault.TYPE),
        (seal(DOCUMENT, kid=None), Fault.MALFORMED),
        (seal(DOCUMENT, kid=5), Fault.MALFORMED),
        (seal(DOCUMENT, THIEF), Fault.ISSUER),
        (seal(DOCUMENT, iss="did:example:other"), Fault.ISSUER),
        (seal({**DOCUMENT, "iss": "did:example:other"}), Fault.ISSUER),
        (seal(DOCUMENT, THIEF, kid=name_method(ISSUER)), Fault.ALGORITHM),
        (seal(DOCUMENT, kid=DOCUMENT["issuer"] + "#other"), Fault.UNRESOLVED),
        (seal({**DOCUMENT, "jti": "urn:other"}), Fault.MALFORMED),
        (seal({**DOCUMENT, "sub": "did:example:other"}), Fault.MALFORMED),
        (seal({**DOCUMENT, "exp": NOW_MS // 1_000}), Fault.EXPIRED),
        (seal({**DOCUMENT, "nbf": NOW_MS // 1_000 + 600}), Fault.NOT_YET_VALID),
        (seal({**DOCUMENT, "exp": "1"}), Fault.MALFORMED),
        (seal({**DOCUMENT, "iat": True}), Fault.MALFORMED),
        (seal({**DOCUMENT, "validUntil": "2026-02-01T00:00:00Z"}), Fault.EXPIRED),
        ("a.b.c", Fault.MALFORMED),
    ],
)
def test_an_envelope_that_does_not_hold_is_refused(token, fault):
    with pytest.raises(Unsound) as caught:
        verify_enveloped_credential(token, NOW_MS, find_key)
    assert caught.value.fault is fault


def test_a_presentation_in_an_envelope_verifies():
    document = make_presentation(SHOWN, HOLDER_DID)
    token = sign_presentation(document, HOLDER, name_method(HOLDER), ASKED.domain, "c-1")
    presentation = verify_enveloped_presentation(token, CONTEXTS, ASKED, find_key)
    assert presentation.holder == HOLDER_DID
    assert len(presentation.credentials) == 3


VP = {**make_presentation(SHOWN, HOLDER_DID), "aud": ASKED.domain, "nonce": ASKED.challenge}


@pytest.mark.parametrize(
    ("claims", "signer", "fault"),
    [
        ({**VP, "nonce": "c-2"}, HOLDER, Fault.NONCE),
        ({**VP, "aud": "https://other.example"}, HOLDER, Fault.AUDIENCE),
        ({**VP, "aud": [ASKED.domain, "https://other.example"]}, HOLDER, Fault.AUDIENCE),
        ({**VP, "exp": 1}, HOLDER, Fault.EXPIRED),
        ({**VP, "holder": None}, HOLDER, Fault.MALFORMED),
        (VP, THIEF, Fault.ISSUER),
        ({**VP, "verifiableCredential": ["a"]}, HOLDER, Fault.MALFORMED),
        ({**VP, "type": "Other"}, HOLDER, Fault.TYPE),
    ],
)
def test_a_presentation_in_an_envelope_that_does_not_hold_is_refused(claims, signer, fault):
    token = seal(claims, signer, typ="vp+jwt")
    with pytest.raises(Unsound) as caught:
        verify_enveloped_presentation(token, CONTEXTS, ASKED, find_key)
    assert caught.value.fault is fault


def test_without_a_nonce_an_envelope_is_not_looked_at():
    with pytest.raises(Unsound, match="could be used again"):
        verify_enveloped_presentation("", CONTEXTS, ASKED._replace(challenge=""), find_key)


@given(
    st.dictionaries(
        st.sampled_from([*VP, "exp", "iss", "vc"]),
        st.none()
        | st.text()
        | st.lists(
            st.dictionaries(st.sampled_from(["id", "type", "@context"]), st.sampled_from([V2, "a"]))
        ),
    )
)
def test_whatever_is_presented_is_refused_in_our_words(members):
    signed = {**present(make_presentation([TOKEN], HOLDER_DID)), **members}
    token = seal({**VP, **members}, HOLDER, typ="vp+jwt")
    for verify, value in (
        (verify_presentation, signed),
        (verify_enveloped_presentation, token),
    ):
        with suppress(Unsound):
            verify(value, CONTEXTS, ASKED, find_key)


def test_a_token_is_no_document_and_a_document_no_token():
    with pytest.raises(Unsound):
        verify_credential(TOKEN, CONTEXTS, NOW_MS, find_key)
