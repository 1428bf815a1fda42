"""Proofs: every step as the W3C's examples have it, and nothing verifies that was changed."""

import hashlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import IS_SOAK
from tests.mutated import mutants, normalize, put
from tests.secured import CONTEXTS, CREDENTIAL, V2, VECTORS, find_key, name_method

from hansa.identity.data_integrity.canonical import canonicalize_quads
from hansa.identity.data_integrity.proofs import (
    AHEAD_MS_MAX,
    PROOFS_MAX,
    Expected,
    Proof,
    add_proof,
    read_proofs,
    verify_proofs,
)
from hansa.identity.data_integrity.quads import convert_document
from hansa.identity.data_integrity.suites import SUITES, compute_signed, find_suite
from hansa.identity.encoding.canonical_json import canonicalize
from hansa.identity.encoding.multibase import decode_base58, encode_multibase
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import TRAITS, KeyKind
from hansa.identity.keys.multikey import read_private_multikey
from hansa.identity.keys.signing import load_private_key
from hansa.identity.methods.documents import Relationship

NOW_MS = 1_800_000_000_000
EXPECTED = Expected(NOW_MS)
KEYS = {
    kind: load_private_key(kind, b"\x07" * TRAITS[kind].private_bytes)
    for kind in (KeyKind.ED25519, KeyKind.P256, KeyKind.P384)
}
CASES = [(suite, kind) for suite in SUITES.values() for kind in suite.kinds]
EXAMPLES = sorted(
    each
    for each in VECTORS.glob("*/**/signed*.json")
    if not {"proof-set-chain", "refused"} & set(each.parts)
)
CHAINS = VECTORS / "eddsa" / "proof-set-chain"


def load(path):
    return json.loads(path.read_bytes())


def read_step(example, name):
    """Read the file of a step that belongs to an example."""
    (path,) = example.parent.glob(f"{name}*.txt")
    return path.read_text().strip()


def load_signer(example):
    name = (
        "keyPair"
        if "eddsa" in example.parts
        else "p384KeyPair"
        if "384" in str(example)
        else "p256KeyPair"
    )
    pair = load(VECTORS / example.relative_to(VECTORS).parts[0] / f"{name}.json")
    return read_private_multikey(pair.get("privateKeyMultibase") or pair["secretKeyMultibase"])


def strip(document):
    return {name: value for name, value in document.items() if name != "proof"}


def sign(suite, kind, document=CREDENTIAL, **options):
    proof = Proof(suite.name, name_method(KEYS[kind]), created_ms=NOW_MS, **options)
    return add_proof(document, KEYS[kind], proof, CONTEXTS)


# --- the W3C's examples -------------------------------------------------------------------------


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: "-".join(path.parts[-3:]))
def test_every_step_is_that_of_the_example(path):
    signed = load(path)
    document, options = strip(signed), {**signed["proof"]}
    value = options.pop("proofValue")
    suite, signer = find_suite(options["cryptosuite"]), load_signer(path)
    is_384 = signer.kind is KeyKind.P384
    algorithm = "sha384" if is_384 else "sha256"
    if suite.covers_statements:
        head = {**options, "@context": document["@context"]}
        canonical, canonical_head = (
            canonicalize_quads(convert_document(each, CONTEXTS), algorithm).text
            for each in (document, head)
        )
    else:
        canonical, canonical_head = canonicalize(document), canonicalize(options)
    assert canonical.decode().strip() == read_step(path, "canonDoc")
    assert canonical_head.decode().strip() == read_step(path, "proofCanon")
    assert hashlib.new(algorithm, canonical).hexdigest() == read_step(path, "docHash")
    assert hashlib.new(algorithm, canonical_head).hexdigest() == read_step(path, "proofHash")
    combined = compute_signed(suite, signer.kind, document, options, CONTEXTS)
    assert combined.hex() == read_step(path, "combinedHash")
    assert decode_base58(value[1:], "it").hex() == read_step(path, "sigHex")
    assert verify_proofs(signed, CONTEXTS, EXPECTED, find_key) == read_proofs(signed)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: "-".join(path.parts[-3:]))
def test_we_sign_as_the_example_does(path):
    signed = load(path)
    (proof,) = read_proofs(signed)
    made = add_proof(strip(signed), load_signer(path), proof, CONTEXTS)
    if made != signed:  # ours is the smaller of the two values of s that verify
        order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
        theirs = decode_base58(signed["proof"]["proofValue"][1:], "it")
        other = order - int.from_bytes(theirs[32:], "big")
        value = encode_multibase(theirs[:32] + other.to_bytes(32, "big"))
        assert made == put(("proof", "proofValue"), value, signed)


@pytest.mark.parametrize(
    "name", ["signedProofSet1", "signedProofSet2", "signedProofChain1", "signedProofChain2"]
)
def test_sets_and_chains_of_the_example(name):
    signed = load(CHAINS / f"{name}.json")
    made = strip(signed)
    pairs = load(CHAINS / "multiKeyPairs.json")
    for number, proof in enumerate(read_proofs(signed), 1):
        signer = read_private_multikey(pairs[f"keyPair{number}"]["privateKeyMultibase"])
        made = add_proof(made, signer, proof, CONTEXTS)
    expected = signed["proof"] if len(signed["proof"]) > 1 else signed["proof"][0]
    assert made["proof"] == expected
    assert len(verify_proofs(signed, CONTEXTS, EXPECTED, find_key)) == number


@pytest.mark.parametrize("number", range(3))
def test_what_a_chain_signed_cannot_be_taken_away(number):
    signed = load(CHAINS / "signedProofChain2.json")
    del signed["proof"][number]
    with pytest.raises(Unsound, match="lacks") as caught:
        verify_proofs(signed, CONTEXTS, EXPECTED, find_key)
    assert caught.value.fault is Fault.MALFORMED


def test_what_a_chain_signed_cannot_be_changed():
    signed = load(CHAINS / "signedProofChain2.json")
    again = add_proof(
        strip(signed),
        KEYS[KeyKind.ED25519],
        read_proofs(signed)[0]._replace(verification_method=name_method(KEYS[KeyKind.ED25519])),
        CONTEXTS,
    )
    signed["proof"][0] = again["proof"]
    with pytest.raises(Unsound) as caught:
        verify_proofs(signed, CONTEXTS, EXPECTED, find_key)
    assert caught.value.fault is Fault.SIGNATURE


REFUSED = VECTORS / "refused"


@pytest.mark.parametrize(
    "path",
    [
        REFUSED / "signedEdSig.json",
        *sorted(REFUSED.glob("*/*/addSignedSDBase.json")),
        *sorted(REFUSED.glob("*/*/derivedRevealDocument.json")),
    ],
    ids=lambda path: "-".join(path.parts[-2:]),
)
def test_examples_of_suites_that_are_not_known_here_are_refused(path):
    with pytest.raises(Unsound) as caught:
        verify_proofs(load(path), CONTEXTS, EXPECTED, find_key)
    assert caught.value.fault is Fault.UNSUPPORTED


@pytest.mark.parametrize("name", ["employ", "prc"])
def test_their_documents_have_the_canonical_form_of_the_example(name):
    folder = REFUSED / "ecdsa-sd-2023" / name
    document = strip(load(folder / "addSignedSDBase.json"))
    canonical = canonicalize_quads(convert_document(document, CONTEXTS), "sha256")
    assert canonical.text.decode() == "".join(load(folder / "addBaseDocCanon.json"))
    options = load(folder / "addProofConfig.json")
    canonical = canonicalize_quads(convert_document(options, CONTEXTS), "sha256")
    assert canonical.text.decode() == (folder / "addProofConfigCanon.txt").read_text()


# --- ours ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("suite", "kind"), CASES)
def test_what_is_signed_verifies(suite, kind):
    signed = sign(
        suite,
        kind,
        id="urn:uuid:1",
        expires_ms=NOW_MS + 1_000,
        domain=("verifier.example",),
        challenge="c",
        nonce="n",
    )
    expected = Expected(NOW_MS, domain="verifier.example", challenge="c")
    (proof,) = verify_proofs(signed, CONTEXTS, expected, find_key)
    assert proof.controller == name_method(KEYS[kind]).partition("#")[0]
    more = sign(suite, kind, signed, previous=("urn:uuid:1",), domain=("a.example", "b.example"))
    first, second = verify_proofs(more, CONTEXTS, EXPECTED, find_key)
    assert first == proof
    assert second.domain == ("a.example", "b.example")


@pytest.mark.parametrize(("suite", "kind"), CASES)
@settings(
    max_examples=1_500 if IS_SOAK else 60, suppress_health_check=list(HealthCheck), deadline=None
)
@given(data=st.data())
def test_no_change_of_any_member_verifies(suite, kind, data):
    signed = sign(suite, kind)
    changed = data.draw(mutants(signed))
    try:
        verify_proofs(changed, CONTEXTS, EXPECTED, find_key)
    except Unsound:
        return
    if suite.covers_statements:
        assert json.dumps(normalize(changed), sort_keys=True) == json.dumps(
            normalize(signed), sort_keys=True
        )
    else:
        proof = changed["proof"]
        proof = proof[0] if isinstance(proof, list) and len(proof) == 1 else proof
        assert canonicalize({**changed, "proof": proof}) == canonicalize(signed)


SIGNED = sign(find_suite("eddsa-rdfc-2022"), KeyKind.ED25519)
JCS = sign(find_suite("eddsa-jcs-2022"), KeyKind.ED25519)
VALUE = decode_base58(SIGNED["proof"]["proofValue"][1:], "it")
P384 = name_method(KEYS[KeyKind.P384])


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        (CREDENTIAL, Fault.MALFORMED),
        (put(("proof",), [], SIGNED), Fault.MALFORMED),
        (put(("proof",), ["a"], SIGNED), Fault.MALFORMED),
        (put(("proof",), [SIGNED["proof"]] * (PROOFS_MAX + 1), SIGNED), Fault.TOO_LARGE),
        (put(("proof",), [{**SIGNED["proof"], "id": "urn:a"}] * 2, SIGNED), Fault.DUPLICATE),
        (put(("proof", "type"), "Ed25519Signature2020", SIGNED), Fault.UNSUPPORTED),
        (put(("proof", "type"), ["DataIntegrityProof"], SIGNED), Fault.UNSUPPORTED),
        (put(("proof", "cryptosuite"), "eddsa-2022", SIGNED), Fault.UNSUPPORTED),
        (put(("proof", "cryptosuite"), "eddsa-jcs-2022", SIGNED), Fault.SIGNATURE),
        (put(("proof", "cryptosuite"), "ecdsa-rdfc-2019", SIGNED), Fault.ALGORITHM),
        (put(("proof", "cryptosuite"), None, SIGNED), Fault.MALFORMED),
        (put(("proof", "verificationMethod"), P384, SIGNED), Fault.ALGORITHM),
        (put(("proof", "verificationMethod"), "did:key:z6Mk#a", SIGNED), Fault.KEY),
        (put(("proof", "verificationMethod"), ["did:key:a"], SIGNED), Fault.MALFORMED),
        (put(("proof", "proofPurpose"), "authentication", SIGNED), Fault.KEY),
        (put(("proof", "proofPurpose"), "other", SIGNED), Fault.MALFORMED),
        (put(("proof", "created"), "2026-01-01", SIGNED), Fault.MALFORMED),
        (put(("proof", "created"), "2099-01-01T00:00:00Z", SIGNED), Fault.NOT_YET_VALID),
        (put(("proof", "expires"), "2026-01-01T00:00:00Z", SIGNED), Fault.EXPIRED),
        (put(("proof", "expires"), "2099-01-01T00:00:00Z", SIGNED), Fault.SIGNATURE),
        (put(("proof", "previousProof"), "urn:a", SIGNED), Fault.MALFORMED),
        (put(("proof", "previousProof"), [5], SIGNED), Fault.MALFORMED),
        (put(("proof", "domain"), {}, SIGNED), Fault.MALFORMED),
        (put(("proof", "jws"), "a", SIGNED), Fault.CONTEXT),
        (put(("proof", "@context"), SIGNED["@context"], SIGNED), Fault.CONTEXT),
        (put(("proof", "@context"), [V2], JCS), Fault.CONTEXT),
        (put(("@context",), [V2], JCS), Fault.CONTEXT),
        (put(("@context",), [*JCS["@context"], "https://a.example/v1"], JCS), Fault.CONTEXT),
        (put(("proof", "jws"), "a", JCS), Fault.SIGNATURE),
        (put(("proof", "proofValue"), encode_multibase(VALUE, "u"), SIGNED), Fault.MALFORMED),
        (put(("proof", "proofValue"), encode_multibase(VALUE[:-1]), SIGNED), Fault.SIGNATURE),
        (put(("proof", "proofValue"), encode_multibase(b"\0" + VALUE), SIGNED), Fault.SIGNATURE),
        (put(("proof", "proofValue"), "z0", SIGNED), Fault.MALFORMED),
        (put(("proof", "proofValue"), "", SIGNED), Fault.MALFORMED),
    ],
)  # fmt: skip
def test_a_proof_that_does_not_hold_is_refused(changed, fault):
    with pytest.raises(Unsound) as caught:
        verify_proofs(changed, CONTEXTS, EXPECTED, find_key)
    assert caught.value.fault is fault


@pytest.mark.parametrize(
    ("expected", "fault"),
    [
        (EXPECTED._replace(domain="other.example"), Fault.AUDIENCE),
        (EXPECTED._replace(challenge="other"), Fault.NONCE),
        (EXPECTED._replace(purpose=Relationship.AUTHENTICATION), Fault.KEY),
        (EXPECTED._replace(now_ms=NOW_MS - AHEAD_MS_MAX - 1), Fault.NOT_YET_VALID),
        (EXPECTED._replace(now_ms=NOW_MS + 1_000), Fault.EXPIRED),
    ],
)
def test_a_proof_for_another_use_place_or_time_is_refused(expected, fault):
    signed = sign(
        find_suite("eddsa-jcs-2022"),
        KeyKind.ED25519,
        domain=("verifier.example",),
        challenge="c",
        expires_ms=NOW_MS + 1_000,
    )
    verify_proofs(signed, CONTEXTS, EXPECTED, find_key)
    with pytest.raises(Unsound) as caught:
        verify_proofs(signed, CONTEXTS, expected, find_key)
    assert caught.value.fault is fault


def test_one_proof_of_a_set_that_fails_fails_all():
    suite = find_suite("eddsa-jcs-2022")
    both = sign(suite, KeyKind.ED25519, sign(suite, KeyKind.ED25519))
    assert len(verify_proofs(both, CONTEXTS, EXPECTED, find_key)) == 2
    both["proof"][1] = {**both["proof"][1], "nonce": "other"}
    with pytest.raises(Unsound):
        verify_proofs(both, CONTEXTS, EXPECTED, find_key)


def test_a_key_signs_only_by_suites_of_its_kind():
    proof = Proof("ecdsa-jcs-2019", "did:example:a#b")
    with pytest.raises(Unsound) as caught:
        add_proof(CREDENTIAL, KEYS[KeyKind.ED25519], proof, CONTEXTS)
    assert caught.value.fault is Fault.ALGORITHM


def test_a_key_that_is_not_listed_for_the_purpose_does_not_verify():
    def find_none(method, relationship):
        raise Unsound(Fault.KEY, f"{method} is not listed as {relationship}")

    with pytest.raises(Unsound, match="is not listed as assertionMethod"):
        verify_proofs(SIGNED, CONTEXTS, EXPECTED, find_none)


# --- another implementation ---------------------------------------------------------------------

FOREIGN = sorted((VECTORS / "digitalbazaar").iterdir())


@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: path.stem)
def test_what_javascript_signed_verifies_and_is_what_we_sign(path):
    signed = load(path)
    (proof,) = read_proofs(signed)
    expected = EXPECTED._replace(purpose=proof.purpose)
    assert verify_proofs(signed, CONTEXTS, expected, find_key) == [proof]
    if proof.cryptosuite.startswith("eddsa"):  # the one kind of signature without chance in it
        assert add_proof(strip(signed), KEYS[KeyKind.ED25519], proof, CONTEXTS) == signed
