"""`bbs-2023` against the vectors of the W3C: every value byte for byte."""

import json
import secrets
from pathlib import Path

import pytest

from hansa.identity.bbs.ciphersuites import BBS_SHA_256
from hansa.identity.bbs.secret_keys import load_secret_key
from hansa.identity.bbs_2023.proof_values import (
    decode_base_proof,
    decode_derived_proof,
    encode_base_proof,
    encode_derived_proof,
)
from hansa.identity.bbs_2023.statements import find_part, read_statements
from hansa.identity.bbs_2023.suite import add_base_proof, derive, verify_base, verify_derived
from hansa.identity.data_integrity.canonical import canonicalize_quads
from hansa.identity.data_integrity.contexts import load_pinned
from hansa.identity.data_integrity.proofs import read_proofs
from hansa.identity.data_integrity.quads import convert_document
from hansa.identity.faults import Fault, Unsound

FOLDER = Path(__file__).resolve().parents[3] / "vectors" / "vc_di_bbs"
SETS = ("windsurf", "resident")
WINDSURF = "https://windsurf.example/v1"


def read(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


CONTEXTS = load_pinned().extend(
    {
        WINDSURF: {"@context": {"@vocab": "https://windsurf.grotto-networking.com/selective#"}},
        "https://w3id.org/citizenship/v4rc1": json.loads(
            (FOLDER / "citizenship-v4rc1.jsonld").read_text()
        ),
    }
)
KEYS = read("BBSKeyMaterial")
KEY = load_secret_key(bytes.fromhex(KEYS["privateKeyHex"]))
HMAC_KEY = bytes.fromhex(KEYS["hmacKeyString"])
MATERIAL = read("BBSDeriveMaterial")
PRESENTED = bytes.fromhex(MATERIAL["presentationHeaderHex"])


def pin(document):
    """Name the context that the vectors have inline."""
    names = [each if isinstance(each, str) else WINDSURF for each in document["@context"]]
    return {**document, "@context": names}


def read_issued(name):
    issued = pin(read(f"{name}/addSignedSDBase"))
    return {key: each for key, each in issued.items() if key != "proof"}, issued


def mock_draw(count):
    seed = bytes.fromhex(MATERIAL["pseudoRandSeedHex"])
    data = BBS_SHA_256.expand_message(seed, BBS_SHA_256.api_id, 48 * count)
    starts = iter(range(0, len(data), 48))

    def draw(length):
        start = next(starts)
        return data[start : start + length]

    return draw


def test_the_key():
    assert KEY.public_key.data.hex() == KEYS["publicKeyHex"]


@pytest.mark.parametrize("name", SETS)
def test_statements_and_their_groups(name):
    document, _ = read_issued(name)
    canonical = canonicalize_quads(convert_document(document, CONTEXTS), "sha256")
    assert canonical.text.decode() == "".join(read(f"{name}/addBaseDocCanon"))
    statements = read_statements(document, CONTEXTS, HMAC_KEY)
    assert [line.decode() for line in statements.lines] == read(f"{name}/addBaseDocHMACCanon")
    mandatory = find_part(statements, CONTEXTS, read(f"{name}/mandatory"))
    transformed = read(f"{name}/addBaseTransform")
    lines = dict(transformed["mandatory"]["value"])
    assert [*mandatory] == [*lines]
    lines.update(transformed["nonMandatory"]["value"])
    assert [line.decode() for line in statements.lines] == [lines[i] for i in range(len(lines))]
    groups = read(f"{name}/derivedGroupIndexes")
    selective = find_part(statements, CONTEXTS, read(f"{name}/selective"))
    assert [*selective] == groups["selectiveIndexes"]
    assert sorted({*mandatory, *selective}) == groups["combinedIndexes"]


@pytest.mark.parametrize("name", SETS)
def test_issued_credentials(name):
    document, issued = read_issued(name)
    (proof,) = read_proofs(issued)
    drawn = {32: HMAC_KEY}
    mandatory = read(f"{name}/mandatory")
    made = add_base_proof(document, KEY, proof, mandatory, CONTEXTS, drawn.__getitem__)
    assert made == issued
    verify_base(issued, KEY.public_key, CONTEXTS)
    base = decode_base_proof(issued["proof"]["proofValue"])
    hashes = read(f"{name}/addHashData")
    assert base.header.hex() == hashes["proofHash"] + hashes["mandatoryHash"]
    assert base.signature.hex() == read(f"{name}/addRawBaseSignatureInfo")["bbsSignature"]
    assert encode_base_proof(base) == issued["proof"]["proofValue"]


@pytest.mark.parametrize("name", SETS)
def test_shown_credentials(name):
    _, issued = read_issued(name)
    expected = pin(read(f"{name}/derivedRevealDocument"))
    parts = read(f"{name}/derivedDisclosureData")
    derived = decode_derived_proof(expected["proof"]["proofValue"])
    assert derived.proof.hex() == parts["bbsProof"]
    labels = {f"c14n{key}": f"b{value}" for key, value in derived.labels.items()}
    assert labels == dict(parts["labelMap"]["value"])
    assert derived.mandatory_indexes == parts["mandatoryIndexes"]
    assert derived.selective_indexes == parts["adjSelectiveIndexes"]
    assert encode_derived_proof(derived) == expected["proof"]["proofValue"]

    draw = mock_draw(5 + (len(derived.proof) - 272) // 32)
    shown = derive(issued, read(f"{name}/selective"), PRESENTED, CONTEXTS, draw)
    assert shown == expected
    verify_derived(shown, KEY.public_key, PRESENTED, CONTEXTS)


@pytest.mark.parametrize(
    ("feature", "name"),
    [
        ("HolderBinding", "holder binding is"),
        ("Pseudonym", "pseudonyms are"),
        ("PseudonymHB", "pseudonyms are"),
    ],
)
def test_optional_features_are_refused_by_name(feature, name):
    """Holder binding and pseudonyms, whose drafts are not settled."""
    issued, shown = (
        read(f"features/{feature}/{each}") for each in ("addSignedSDBase", "derivedRevealDocument")
    )
    for call, value in ((decode_base_proof, issued), (decode_derived_proof, shown)):
        with pytest.raises(Unsound, match=f"{name} not supported") as caught:
            call(value["proof"]["proofValue"])
        assert caught.value.fault is Fault.UNSUPPORTED


def test_credentials_of_another_implementation():
    """What Digital Bazaar's client issued, and showed of its own and of our credential."""
    case = read("digitalbazaar")
    contexts = load_pinned().extend(case["contexts"])
    key = load_secret_key(bytes.fromhex(case["secret_key"])).public_key
    presented = bytes.fromhex(case["presentation_header"])
    for issued, shown in (("issued", "shown"), ("issued_by_hansa", "shown_of_hansa")):
        verify_base(case[issued], key, contexts)
        verify_derived(case[shown], key, presented, contexts)
        ours = derive(case[issued], case["pointers"], presented, contexts, secrets.token_bytes)
        verify_derived(ours, key, presented, contexts)
        parts = [decode_derived_proof(each["proof"]["proofValue"]) for each in (ours, case[shown])]
        assert parts[0][1:] == parts[1][1:]
        assert {**ours, "proof": None} == {**case[shown], "proof": None}
