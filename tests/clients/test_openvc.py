"""`openvc-core`, the closest rival in Python, judges what we make as we judge what it makes."""

import datetime as dt

import pytest
from cryptography import x509
from openvc.keys import Ed25519SigningKey, P256SigningKey
from openvc.mdoc import MdocDeviceAuthError, MdocTrustError, verify_device_response
from openvc.openid4vp import verify_vp_token
from openvc.proof.di_jcs import EcdsaJcsProofSuite, EddsaJcsProofSuite
from openvc.proof.errors import (
    ClaimsInvalid,
    PresentationBindingError,
    ProofError,
    SignatureInvalid,
)
from openvc.proof.sd_jwt import SdJwtVcProofSuite
from openvc.status import CredentialRevoked, CredentialSuspended
from openvc.status.issue import verify_status_list_token
from openvc.verify import VerificationPolicy, verify_credential
from tests.disclosing import CHALLENGE, counted
from tests.mutated import put
from tests.secured import CONTEXTS, CREDENTIAL, find_key, name_method
from tests.unit.identity.mdoc import parts

from hansa.contracts.identity.status import Bits, Status
from hansa.identity.data_integrity.proofs import Expected, Proof, add_proof, verify_proofs
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.jwk import write_jwk, write_private_jwk
from hansa.identity.keys.kinds import TRAITS, KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.mdoc.transcripts import create_redirect_transcript
from hansa.identity.methods.documents import Relationship
from hansa.identity.sd_jwt import credential as sd_jwt_vc
from hansa.identity.sd_jwt.presentation import bind_sd_jwt, select_disclosures
from hansa.identity.sd_jwt.serialization import decode_sd_jwt
from hansa.identity.status.entries import pack_entries
from hansa.identity.status.reference import StatusReference
from hansa.identity.status.token_list import Publication, sign_jwt_list
from hansa.node.service import wall_clock_ms

KEYS = {
    kind: load_private_key(kind, b"\x0a" * TRAITS[kind].private_bytes)
    for kind in (KeyKind.ED25519, KeyKind.P256, KeyKind.P384)
}
HOLDER = load_private_key(KeyKind.P256, b"\x0b" * 32)
THEIRS = {KeyKind.ED25519: Ed25519SigningKey, KeyKind.P256: P256SigningKey}
VCT = "urn:example:resident:1"
CLAIMS = {"name": "Þóra 吳", "address": {"country": "IS", "street": "Laugavegur"}, "langs": ["is"]}
SHOWN = {"address": {"country": "IS"}, "langs": ["is"]}
PATHS = (("name",), ("address", "street"), ("langs", None))
WANTED = [("langs", 0)]
LISTS = "https://office.example/status/1"


def now_s():
    """The time by the clock that the other side reads itself, in seconds."""
    return wall_clock_ms() // 1_000


def name_did(key):
    return name_method(key).partition("#")[0]


def load_theirs(key):
    kind = THEIRS[key.public_key.kind]
    return kind.from_jwk(write_private_jwk(key), name_method(key))


# --- SD-JWT VC ----------------------------------------------------------------------------------


def present(kind=KeyKind.P256, challenge=CHALLENGE, **more):
    key = KEYS[kind]
    credential = sd_jwt_vc.Credential(
        vct=VCT,
        claims=CLAIMS,
        selective=PATHS,
        issuer=name_did(key),
        holder_key=HOLDER.public_key,
        issued_s=now_s(),
        expires_s=now_s() + 1_000,
        pad_to=4,
        **more,
    )
    issued = sd_jwt_vc.issue_credential(key, credential, counted(), {"kid": name_method(key)})
    return bind_sd_jwt(select_disclosures(issued, WANTED), HOLDER, challenge, now_s()).encode()


def policy(**more):
    asked = {"audience": CHALLENGE.audience, "nonce": CHALLENGE.nonce, "expected_vct": VCT}
    return VerificationPolicy(require_key_binding=True, **asked | more)


def pick(claims):
    return {name: value for name, value in claims.items() if name in CLAIMS}


@pytest.mark.parametrize("kind", [KeyKind.ED25519, KeyKind.P256])
def test_it_verifies_sd_jwts_of_ours(kind):
    found = verify_credential(present(kind), policy=policy())
    assert pick(found.credential) == SHOWN
    assert (found.issuer, found.key_bound) == (name_did(KEYS[kind]), True)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"nonce": "another"}, ClaimsInvalid),
        ({"audience": "https://else.example"}, ClaimsInvalid),
        ({"expected_vct": "urn:other"}, ProofError),
    ],
)
def test_it_refuses_sd_jwts_of_ours_elsewhere(more, error):
    with pytest.raises(error):
        verify_credential(present(), policy=policy(**more))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (Status.VALID, None),
        (Status.INVALID, CredentialRevoked),
        (Status.SUSPENDED, CredentialSuspended),
    ],
)
def test_it_reads_status_lists_of_ours(status, error):
    key = KEYS[KeyKind.P256]
    entries = pack_entries(Bits.TWO, 20_000, {7: status})
    told = Publication(uri=LISTS, issued_s=now_s(), expires_s=now_s() + 1_000)
    token = sign_jwt_list(key, entries, told)

    def resolve(uri):
        jwk = write_jwk(key.public_key)
        return verify_status_list_token(token, public_key_jwk=jwk, expected_uri=uri)

    shown = present(status=StatusReference(LISTS, 7))
    if error is None:
        verify_credential(shown, policy=policy(), resolve_status_list_token=resolve)
    else:
        with pytest.raises(error):
            verify_credential(shown, policy=policy(), resolve_status_list_token=resolve)


def test_it_takes_our_answer_to_a_query():
    query = {
        "credentials": [{"id": "resident", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}}]
    }
    asked = {"dcql_query": query, "nonce": "n-1", "client_id": "x509_hash:shop"}
    shown = present(challenge=CHALLENGE._replace(audience="x509_hash:shop", nonce="n-1"))
    (found,) = verify_vp_token({"resident": [shown]}, **asked).for_query("resident")
    assert pick(found.credentials[0].credential) == SHOWN
    with pytest.raises(ProofError):
        verify_vp_token({"resident": [shown]}, **asked | {"nonce": "n-2"})


@pytest.mark.parametrize("kind", [KeyKind.ED25519, KeyKind.P256])
def test_we_verify_sd_jwts_of_its(kind):
    key = KEYS[kind]
    claims = {"iss": name_did(key), **CLAIMS}
    text = SdJwtVcProofSuite().issue(
        claims,
        signing_key=load_theirs(key),
        disclosable=list(CLAIMS),
        holder_jwk=write_jwk(HOLDER.public_key),
        vct=VCT,
        expires_in_s=1_000,
        decoys=3,
    )
    shown = bind_sd_jwt(
        select_disclosures(decode_sd_jwt(text), [("langs",)]), HOLDER, CHALLENGE, now_s()
    )
    assert pick(sd_jwt_vc.verify_credential(shown, key.public_key, now_s(), CHALLENGE).claims) == {
        "langs": ["is"]
    }
    with pytest.raises(Unsound) as caught:
        sd_jwt_vc.verify_credential(shown, HOLDER.public_key, now_s(), CHALLENGE)
    assert caught.value.fault in {Fault.SIGNATURE, Fault.ALGORITHM}


# --- Data Integrity over JSON -------------------------------------------------------------------

JCS = [
    ("eddsa-jcs-2022", EddsaJcsProofSuite, KeyKind.ED25519),
    ("ecdsa-jcs-2019", EcdsaJcsProofSuite, KeyKind.P256),
    ("ecdsa-jcs-2019", EcdsaJcsProofSuite, KeyKind.P384),
]


def write_credential(key):
    return CREDENTIAL | {"issuer": name_did(key)}


@pytest.mark.parametrize(("suite", "theirs", "kind"), JCS)
def test_it_verifies_credentials_of_ours(suite, theirs, kind):
    key = KEYS[kind]
    proof = Proof(
        suite, name_method(key), Relationship.AUTHENTICATION, challenge="c", domain=("d",)
    )
    signed = add_proof(write_credential(key), key, proof, CONTEXTS)
    asked = {
        "public_key_jwk": write_jwk(key.public_key),
        "expected_proof_purpose": "authentication",
        "expected_challenge": "c",
        "expected_domain": "d",
    }
    assert theirs().verify(signed, **asked).issuer == name_did(key)
    with pytest.raises(PresentationBindingError):
        theirs().verify(signed, **asked | {"expected_challenge": "other"})
    with pytest.raises(SignatureInvalid):
        theirs().verify(put(("credentialSubject", "hours"), 121, signed), **asked)


@pytest.mark.parametrize(("suite", "theirs", "kind"), JCS[:2])
def test_we_verify_credentials_of_its(suite, theirs, kind):
    key = KEYS[kind]
    signed = theirs().add_proof(
        write_credential(key), signing_key=load_theirs(key), verification_method=name_method(key)
    )
    # It signs the context as a member of the proof, as the standard asks (section 3.3.1), but
    # leaves it out of the proof that it writes, so that only itself would verify it.
    with pytest.raises(Unsound):
        verify_proofs(signed, CONTEXTS, Expected(wall_clock_ms()), find_key)
    signed["proof"]["@context"] = signed["@context"]
    (proof,) = verify_proofs(signed, CONTEXTS, Expected(wall_clock_ms()), find_key)
    assert proof.cryptosuite == suite
    changed = put(("credentialSubject", "hours"), 121, signed)
    with pytest.raises(Unsound) as caught:
        verify_proofs(changed, CONTEXTS, Expected(wall_clock_ms()), find_key)
    assert caught.value.fault is Fault.SIGNATURE


# --- mobile documents ---------------------------------------------------------------------------


def read_documents(response, transcript=parts.TRANSCRIPT, authority=parts.AUTHORITY):
    return verify_device_response(
        response,
        trust_anchors=[x509.load_der_x509_certificate(authority.root)],
        session_transcript=transcript,
        now=dt.datetime.fromtimestamp(parts.NOW_MS / 1_000, dt.UTC),
        expected_doc_type=parts.DOC_TYPE,
    )


def test_it_verifies_mobile_documents_of_ours():
    (found,) = read_documents(parts.show())
    assert found.elements(parts.NAMESPACE) == {"age_over_18": True, "given_name": "Ana"}
    assert found.device_signed


def test_it_refuses_mobile_documents_of_ours_elsewhere():
    elsewhere = create_redirect_transcript("x509_san_dns:a.example", "nonce", "https://a.example")
    with pytest.raises(MdocDeviceAuthError):
        read_documents(parts.show(), elsewhere)
    with pytest.raises(MdocTrustError):
        read_documents(parts.show(), authority=parts.authority_of("another"))
