"""From JSON-LD to RDF: as other readers do it, and so that no member can be slipped in or out."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import IS_SOAK
from tests.mutated import mutants, normalize, put
from tests.secured import (
    CONTEXTS,
    CREDENTIAL,
    OURS,
    PRESENTATION,
    V1,
    V2,
    VECTORS,
    convert_elsewhere,
)

from hansa.identity.data_integrity.canonical import canonicalize_quads
from hansa.identity.data_integrity.quads import QUADS_MAX, TYPES_MAX, convert_document, label_nodes
from hansa.identity.faults import Fault, Unsound

OLD = {
    "@context": [V1],
    "type": ["VerifiablePresentation"],
    "holder": "did:example:1",
    "verifiableCredential": {
        "@context": [V1, "https://w3id.org/security/data-integrity/v2"],
        "type": "VerifiableCredential",
        "issuer": "did:example:2",
        "issuanceDate": "2020-01-01T00:00:00Z",
        "credentialSubject": {"id": "did:example:1"},
        "proof": {"type": "DataIntegrityProof", "proofPurpose": "assertionMethod", "nonce": "n"},
    },
}
KEY = {
    "@context": "https://w3id.org/security/multikey/v1",
    "id": "did:example:1#key",
    "type": "Multikey",
    "controller": "did:example:1",
    "publicKeyMultibase": "z6Mk",
}


def write(document):
    return canonicalize_quads(convert_document(document, CONTEXTS)).lines


@pytest.mark.parametrize(
    "document", [CREDENTIAL, PRESENTATION, OLD, KEY], ids=["vc", "vp", "v1", "key"]
)
def test_another_reader_finds_the_same_statements(document):
    assert write(document) == convert_elsewhere(document)


@pytest.mark.parametrize(
    "path", sorted(VECTORS.glob("ecdsa/*rdfc*/**/signed*.json")), ids=lambda path: path.name
)
def test_examples_of_the_w3c_are_read_as_by_another_reader(path):
    document = {k: v for k, v in json.loads(path.read_bytes()).items() if k != "proof"}
    assert write(document) == convert_elsewhere(document)


LEAVES = (
    st.text(max_size=6)
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.booleans()
    | st.integers(-(10**6), 10**6).map(lambda number: number / 64)
    | st.builds(
        lambda text, name: {"@value": text, "@language": name},
        st.text(max_size=4),
        st.sampled_from(["en", "zh-Hant", "pt-MO"]),
    )
)
SKILLS = st.dictionaries(
    st.sampled_from(["name", "description", "level", "mediaType"]), LEAVES, max_size=4
)
THINGS = st.dictionaries(st.sampled_from(["name", "grade", "passed"]), LEAVES, max_size=3)


@given(
    THINGS,
    st.lists(SKILLS | LEAVES, min_size=1, max_size=3, unique_by=str),
    st.lists(LEAVES, max_size=3),
)
def test_another_reader_agrees_on_whatever_is_accepted(first, skills, modules):
    subject = {"type": "Trainee", "skill": skills, "modules": modules, **first}
    document = {**CREDENTIAL, "credentialSubject": subject}
    try:
        found = write(document)
    except Unsound as error:
        assert error.fault is Fault.DUPLICATE  # noqa: PT017 - 1 and 1.0 are one statement
        return
    assert found == convert_elsewhere(document)


REFUSED = {
    "an undefined term": (("credentialSubject", "nickname"), "A", Fault.CONTEXT),
    "a term of another type's context": (("issuer", "grade"), 1, Fault.CONTEXT),
    "an undefined type": (("type",), ["VerifiableCredential", "Unknown"], Fault.CONTEXT),
    "a relative type": (("credentialSubject", "type"), "../Trainee", Fault.CONTEXT),
    "a type by its IRI": (
        ("type", 0),
        "https://www.w3.org/2018/credentials#VerifiableCredential",
        Fault.CONTEXT,
    ),
    "a type twice": (("credentialSubject", "type"), ["Trainee", "Trainee"], Fault.DUPLICATE),
    "no types": (("credentialSubject", "type"), [], Fault.MALFORMED),
    "a type that is no text": (("credentialSubject", "type"), [None], Fault.MALFORMED),
    "an IRI as a name": (
        ("credentialSubject", "https://schema.org/description"),
        "A",
        Fault.CONTEXT,
    ),
    "a compact IRI as a name": (("credentialSubject", "schema:description"), "A", Fault.CONTEXT),
    "a relative id": (("credentialSubject", "id"), "subject", Fault.CONTEXT),
    "a blank node": (("credentialSubject", "id"), "_:b0", Fault.CONTEXT),
    "an id that breaks out": (("credentialSubject", "id"), "urn:a> <urn:p> <urn:b", Fault.CONTEXT),
    "an id with a line end": (("credentialSubject", "id"), "urn:a\n", Fault.CONTEXT),
    "a number as id": (("credentialSubject", "id"), 5, Fault.MALFORMED),
    "a relative reference": (("credentialSubject", "skill", 0, "tutor"), "tutor", Fault.CONTEXT),
    "null": (("credentialSubject", "description"), None, Fault.MALFORMED),
    "null in an array": (("credentialSubject", "skill"), [{"name": "a"}, None], Fault.MALFORMED),
    "an empty array": (("evidence",), [], Fault.MALFORMED),
    "an array in an array": (("credentialSubject", "skill"), [["a"]], Fault.MALFORMED),
    "an array in a list": (("credentialSubject", "modules"), [["a"]], Fault.MALFORMED),
    "a list of one without brackets": (
        ("credentialSubject", "modules"),
        "hygiene",
        Fault.MALFORMED,
    ),
    "a value twice": (("credentialSubject", "description"), ["a", "a"], Fault.DUPLICATE),
    "a thing described twice": (
        ("credentialSubject", "graduateOf", "id"),
        "https://centre.example/issuers/14",
        Fault.DUPLICATE,
    ),
    "an inner context": (("credentialSubject", "@context"), OURS, Fault.CONTEXT),
    "an inline context": (("@context",), [V2, {"nickname": "https://a.example/n"}], Fault.CONTEXT),
    "an unknown context": (("@context", 1), "https://a.example/v1", Fault.CONTEXT),
    "@id": (("@id",), "urn:uuid:3978344f-8596-4c3a-a978-8fcaba3903c5", Fault.CONTEXT),
    "@type": (("credentialSubject", "@type"), "Trainee", Fault.CONTEXT),
    "@graph": (("@graph",), [{"id": "urn:a", "name": "b"}], Fault.CONTEXT),
    "@included": (("@included",), [{"id": "urn:a", "name": "b"}], Fault.CONTEXT),
    "@nest": (("credentialSubject", "@nest"), {"description": "b"}, Fault.CONTEXT),
    "@reverse": (("credentialSubject", "@reverse"), {"issuer": "urn:a"}, Fault.CONTEXT),
    "@index": (("credentialSubject", "@index"), "a", Fault.CONTEXT),
    "@version": (("@version",), 1.1, Fault.CONTEXT),
    "@set": (("credentialSubject", "description"), {"@set": ["a"]}, Fault.CONTEXT),
    "@list": (("credentialSubject", "description"), {"@list": ["a"]}, Fault.CONTEXT),
    "@json": (
        ("credentialSubject", "description"),
        {"@value": {"a": 1}, "@type": "@json"},
        Fault.CONTEXT,
    ),
    "what only looks like a keyword": (("credentialSubject", "@secret"), "a", Fault.CONTEXT),
    "@value alone": (("credentialSubject", "description"), {"@value": "a"}, Fault.MALFORMED),
    "@direction": (("name", 0, "@direction"), "ltr", Fault.MALFORMED),
    "@index of a value": (("name", 0, "@index"), "a", Fault.MALFORMED),
    "a wrong language": (("name", 0, "@language"), "en> .", Fault.MALFORMED),
    "a number in a language": (("name", 0, "@value"), 5, Fault.MALFORMED),
    "a datatype that is there anyway": (
        ("validFrom",),
        {"@value": "2026-01-01T00:00:00Z", "@type": "http://www.w3.org/2001/XMLSchema#dateTime"},
        Fault.MALFORMED,
    ),
    "a plain text with its datatype": (
        ("description",),
        {"@value": "a", "@type": "http://www.w3.org/2001/XMLSchema#string"},
        Fault.MALFORMED,
    ),
    "JSON as a datatype": (
        ("description",),
        {"@value": "{}", "@type": "http://www.w3.org/1999/02/22-rdf-syntax-ns#JSON"},
        Fault.MALFORMED,
    ),
    "a relative datatype": (("description",), {"@value": "a", "@type": "date"}, Fault.CONTEXT),
    "a number as text": (("credentialSubject", "hours"), "120", Fault.MALFORMED),
    "a text as number": (("validFrom",), 2026, Fault.MALFORMED),
    "a truth value as number": (("credentialSubject", "hours"), True, Fault.MALFORMED),
    "a number that RDF does not keep": (("credentialSubject", "grade"), 0.1 + 0.2, Fault.MALFORMED),
    "a number that readers do not keep": (("credentialSubject", "grade"), 2**53, Fault.MALFORMED),
    "an endless number": (("credentialSubject", "grade"), float("inf"), Fault.MALFORMED),
    "no number": (("credentialSubject", "grade"), float("nan"), Fault.MALFORMED),
    "what is not JSON": (("credentialSubject", "grade"), {1, 2}, Fault.MALFORMED),
    "no JSON in JSON": (("credentialSubject", "record"), {1, 2}, Fault.MALFORMED),
    "a name that is no text": (("credentialSubject", 5), "a", Fault.MALFORMED),
    "a lone surrogate": (("credentialSubject", "name"), "\ud800", Fault.MALFORMED),
}


@pytest.mark.parametrize(("path", "value", "fault"), REFUSED.values(), ids=REFUSED)
def test_what_would_not_be_signed_is_refused(path, value, fault):
    with pytest.raises(Unsound) as caught:
        canonicalize_quads(convert_document(put(path, value), CONTEXTS)).text  # noqa: B018
    assert caught.value.fault is fault


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("verifiableCredential",), []),
        (("verifiableCredential",), [{}]),
        (("verifiableCredential",), ["https://a.example/credential"]),
        (("verifiableCredential",), [{"@context": [V2], "id": "urn:a"}]),
        (("verifiableCredential", 0, "credentialSubject", "secret"), "a"),
        (("verifiableCredential", 0, "@context"), [V2]),
        (("verifiableCredential", 0), {"type": "VerifiableCredential"}),
        (("verifiableCredential", 0, "proof"), [{"@context": [V2], "type": "DataIntegrityProof"}]),
    ],
)
def test_credentials_in_a_presentation_are_read_as_strictly(path, value):
    with pytest.raises(Unsound):
        convert_document(put(path, value, PRESENTATION), CONTEXTS)


def test_proofs_over_json_may_repeat_the_contexts_of_their_credential():
    proof = {"type": "DataIntegrityProof", "cryptosuite": "eddsa-jcs-2022"}
    plain = put(("verifiableCredential", 0, "proof"), proof, PRESENTATION)
    repeated = {**proof, "@context": CREDENTIAL["@context"]}
    assert write(put(("verifiableCredential", 0, "proof"), [repeated], PRESENTATION)) == write(
        plain
    )


MANY = {
    "values": (("description",), [f"text {number}" for number in range(QUADS_MAX)]),
    "a large list": (("credentialSubject", "modules"), ["a"] * (QUADS_MAX + 1)),
    "types": (("type",), ["VerifiableCredential"] * (TYPES_MAX + 1)),
    "members": (("issuer",), {f"name{number}": "a" for number in range(QUADS_MAX + 1)}),
    "things alike": (
        ("credentialSubject", "skill"),
        [{"tutor": [{"name": "a"}, {"name": "a"}] * 3} for _ in range(6)],
    ),
    "a list of one thing": (("credentialSubject", "modules"), ["a"] * 500),
}


@pytest.mark.parametrize(("path", "value"), MANY.values(), ids=MANY)
def test_documents_are_bounded(path, value):
    with pytest.raises(Unsound) as caught:
        write(put(path, value))
    assert caught.value.fault in {Fault.TOO_LARGE, Fault.MALFORMED}


def test_documents_are_no_deeper_than_json_may_be():
    url = "https://www.w3.org/ns/credentials/examples/v2"
    for levels, is_read in ((28, True), (40, False), (2_000, False)):
        deep = {"name": "text"}
        for _ in range(levels):
            deep = {"within": deep}
        document = {
            "@context": [V2, url],
            "credentialSubject": deep,
            "type": "VerifiableCredential",
        }
        if is_read:
            write(document)
            continue
        with pytest.raises(Unsound) as caught:
            write(document)
        assert caught.value.fault is Fault.TOO_LARGE


@pytest.mark.parametrize("document", [{}, {"@context": [V2]}, {"@context": [V2], "id": "urn:a"}])
def test_a_document_must_say_something(document):
    with pytest.raises(Unsound):
        convert_document(document, CONTEXTS)


def test_labelled_things_keep_their_names():
    labelled = label_nodes(CREDENTIAL, CONTEXTS, "urn:bnid:_:")
    again = label_nodes(labelled, CONTEXTS, "urn:other:")
    assert again == labelled != CREDENTIAL
    assert [each["id"] for each in labelled["credentialSubject"]["skill"]] == [
        "urn:bnid:_:1",
        "urn:bnid:_:2",
        "urn:bnid:_:3",
    ]
    text = "".join(quad.write() for quad in convert_document(labelled, CONTEXTS))
    assert text.count("urn:bnid:_:0") == 2


@pytest.mark.parametrize("document", [CREDENTIAL, PRESENTATION], ids=["vc", "vp"])
@settings(
    max_examples=500 if IS_SOAK else 150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    deadline=None,
)
@given(data=st.data())
def test_no_change_of_any_member_leaves_the_statements_as_they_are(document, data):
    changed = data.draw(mutants(document))
    try:
        lines = write(changed)
    except Unsound:
        return
    is_same = json.dumps(normalize(changed), sort_keys=True) == json.dumps(
        normalize(document), sort_keys=True
    )
    assert (lines == write(document)) == is_same
