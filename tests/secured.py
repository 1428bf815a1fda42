"""Documents, contexts and a second reader of JSON-LD, for tests of Data Integrity."""

from __future__ import annotations

import json
from pathlib import Path

import pyoxigraph

from hansa.identity.data_integrity.canonical import canonicalize_quads
from hansa.identity.data_integrity.contexts import load_pinned
from hansa.identity.data_integrity.literals import write_literal
from hansa.identity.data_integrity.quads import Quad
from hansa.identity.methods.did import read_did
from hansa.identity.methods.local import name_did_key_method, resolve_did_key, write_did_key

VECTORS = Path(__file__).parent / "vectors" / "data_integrity"
OURS = "https://hansa.example/training/v1"
ADDED = {
    url: json.loads((VECTORS / "contexts" / f"{name}.jsonld").read_text())
    for url, name in {
        "https://www.w3.org/ns/credentials/examples/v2": "examples-v2",
        "https://w3id.org/citizenship/v4rc1": "citizenship-v4rc1",
        OURS: "training-v1",
    }.items()
}
CONTEXTS = load_pinned().extend(ADDED)
V1, V2 = "https://www.w3.org/2018/credentials/v1", "https://www.w3.org/ns/credentials/v2"

CREDENTIAL = {
    "@context": [V2, OURS],
    "id": "urn:uuid:3978344f-8596-4c3a-a978-8fcaba3903c5",
    "type": ["VerifiableCredential", "TrainingCredential"],
    "name": [
        {"@value": "Certificate of training", "@language": "en"},
        {"@value": "培訓證書", "@language": "zh-Hant"},
    ],
    "issuer": {"id": "https://centre.example/issuers/14", "name": "Training centre"},
    "validFrom": "2026-01-01T00:00:00Z",
    "validUntil": "2030-01-01T00:00:00Z",
    "credentialStatus": {
        "id": "https://centre.example/status/3#94567",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "94567",
        "statusListCredential": "https://centre.example/status/3",
    },
    "credentialSubject": {
        "id": "did:example:ebfeb1f712ebc6f1c276e12ec21",
        "type": "Trainee",
        "name": 'Ng "Ah Mui" \\ 吳\t✓',
        "graduateOf": {"id": "https://centre.example/", "name": "Training centre of the city"},
        "grade": 8.25,
        "passed": True,
        "hours": 120,
        "modules": ["hygiene", {"name": "wine"}, "hygiene"],
        "record": {"b": [1, None, {}], "a": "text"},
        "skill": [
            {"name": "cooking", "level": 3, "tutor": "did:example:tutor1"},
            {"name": "cooking", "level": 3},
            {"description": "service"},
        ],
    },
}
PRESENTATION = {
    "@context": [V2],
    "type": "VerifiablePresentation",
    "holder": "did:example:ebfeb1f712ebc6f1c276e12ec21",
    "verifiableCredential": [CREDENTIAL],
}


def inline(document):
    """Put contexts in the place of their URLs, as a reader that fetches would."""
    if isinstance(document, list):
        return [inline(each) for each in document]
    if not isinstance(document, dict):
        return document
    copy = {name: inline(value) for name, value in document.items() if name != "@context"}
    if "@context" in document:
        names = document["@context"]
        names = [names] if isinstance(names, str) else names
        copy["@context"] = [
            _read_context(each) if isinstance(each, str) else each for each in names
        ]
    return copy


def _read_context(url):
    if url in ADDED:
        return ADDED[url]["@context"]
    name = {V1: "credentials-v1", V2: "credentials-v2"}.get(url) or "-".join(url.split("/")[-2:])
    folder = Path(__file__).parent.parent / "src/hansa/identity/data_integrity/pinned"
    return json.loads((folder / f"{name}.jsonld").read_text())["@context"]


def convert_elsewhere(document):
    """Convert a document with Oxigraph, and name its blank nodes with ours."""
    read = pyoxigraph.parse(json.dumps(inline(document)), format=pyoxigraph.RdfFormat.JSON_LD)
    return canonicalize_quads(_read(each) for each in read).lines


def canonicalize_elsewhere(quads):
    """Bring Oxigraph's quads into canonical form with Oxigraph."""
    dataset = pyoxigraph.Dataset(quads)
    dataset.canonicalize(pyoxigraph.CanonicalizationAlgorithm.RDFC_1_0)
    return sorted(_read(each).write() for each in dataset)


def read_quads(raw):
    """Read N-Quads with Oxigraph."""
    return [_read(each) for each in pyoxigraph.parse(raw, format=pyoxigraph.RdfFormat.N_QUADS)]


def _read(quad):
    return Quad(*map(_write, (quad.subject, quad.predicate, quad.object, quad.graph_name)))


def _write(term):
    if isinstance(term, pyoxigraph.DefaultGraph):
        return ""
    if isinstance(term, pyoxigraph.NamedNode):
        return f"<{term.value}>"
    if isinstance(term, pyoxigraph.BlankNode):
        return f"_:{term.value}"
    if term.language:
        return write_literal(term.value, f"@{term.language}")
    datatype = term.datatype.value
    is_plain = datatype == "http://www.w3.org/2001/XMLSchema#string"
    return write_literal(term.value, "" if is_plain else f"^^<{datatype}>")


def find_key(method, relationship):
    """Find the key of a did:key."""
    did, _, _ = method.partition("#")
    return resolve_did_key(read_did(did)).find_key(method, relationship)


def name_method(signer):
    """Name the verification method of a signer's did:key."""
    return name_did_key_method(write_did_key(signer.public_key))
