"""Hostile credentials of the W3C's data model: proofs, JSON-LD, tokens, presentations, BBS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from tests.hostile.sd_jwts import without
from tests.hostile.themes import Case, Sound, Theme
from tests.secured import CONTEXTS, CREDENTIAL, OURS, V2, name_method

from hansa.identity.data_integrity.proofs import Proof, add_proof
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.methods.documents import Relationship
from hansa.identity.methods.local import write_did_key

NOW_MS = 1_795_953_600_000
NOW = NOW_MS // 1_000
ISSUER = load_private_key(KeyKind.ED25519, b"\x31" * 32)
HOLDER = load_private_key(KeyKind.ED25519, b"\x32" * 32)
STRANGER = load_private_key(KeyKind.ED25519, b"\x33" * 32)
P256 = load_private_key(KeyKind.P256, b"\x34" * 32)
DID, HOLDER_DID = (write_did_key(key.public_key) for key in (ISSUER, HOLDER))
METHOD = name_method(ISSUER)
DOCUMENT = CREDENTIAL | {"issuer": DID, "validFrom": "2026-01-01T00:00:00Z"}
PRE = {"time_ms": NOW_MS}
DI = "VC Data Integrity 1.0"


def secure(
    document: Mapping[str, Any] = DOCUMENT, suite: str = "eddsa-rdfc-2022", **options: Any
) -> dict:
    """Add the issuer's proof."""
    signer = options.pop("signer", ISSUER)
    proof = Proof(suite, options.pop("method", name_method(signer)), **options)
    return add_proof(document, signer, proof, CONTEXTS)


STATED, WRITTEN = secure(), secure(suite="eddsa-jcs-2022")
"""Secured over its statements, and over its JSON."""


def change(document: Mapping[str, Any], *path: str | int, to: Any) -> str:
    """Change something after it was signed."""
    copy = deepcopy(dict(document))
    place: Any = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return json.dumps(copy)


def make_proofs() -> Theme:
    """Proofs: of whom, for what, over what."""
    proof = STATED["proof"]
    other = secure(DOCUMENT | {"issuer": DID}, signer=STRANGER)
    authentication = secure(purpose=Relationship.AUTHENTICATION)
    chain = secure(secure(id="urn:uuid:1"), previous=("urn:uuid:1",))
    changed: dict[str, tuple[str, str, str]] = {
        "for another purpose": (f"{DI}, section 4.4", "KEY", json.dumps(authentication)),
        "another purpose written over it": (
            f"{DI}, section 4.4",
            "KEY",
            change(STATED, "proof", "proofPurpose", to="authentication"),
        ),
        "a purpose that nobody knows": (
            f"{DI}, section 2.3",
            "MALFORMED",
            change(STATED, "proof", "proofPurpose", to="everything"),
        ),
        "of another suite for the same key": (
            f"{DI}, section 3.1",
            "SIGNATURE",
            change(WRITTEN, "proof", "proofValue", to=proof["proofValue"]),
        ),
        "of a suite for another kind of key": (
            f"{DI}, section 3.1",
            "ALGORITHM",
            change(STATED, "proof", "cryptosuite", to="ecdsa-rdfc-2019"),
        ),
        "of a suite that is not known": (
            f"{DI}, section 3.1",
            "UNSUPPORTED",
            change(STATED, "proof", "cryptosuite", to="none"),
        ),
        "of a type of before 2022": (
            f"{DI}, section 2.1",
            "UNSUPPORTED",
            change(STATED, "proof", "type", to="Ed25519Signature2020"),
        ),
        "by a stranger": (f"{DI}, section 4.4", "ISSUER", json.dumps(other)),
        "by a stranger who names the issuer's key": (
            f"{DI}, section 4.4",
            "SIGNATURE",
            change(other, "proof", "verificationMethod", to=METHOD),
        ),
        "by a key that no document lists": (
            "Controlled Identifiers 1.0, section 3.3",
            "UNRESOLVED",
            change(STATED, "proof", "verificationMethod", to=f"{DID}#other"),
        ),
        "by a key of a DID that nobody knows": (
            "Controlled Identifiers 1.0, section 3.3",
            "UNRESOLVED",
            change(STATED, "proof", "verificationMethod", to="did:web:evil.example#1"),
        ),
        "none": (f"{DI}, section 4.4", "MALFORMED", json.dumps(DOCUMENT)),
        "an empty set": (f"{DI}, section 2.1.1", "MALFORMED", change(STATED, "proof", to=[])),
        "a set in a set": (
            f"{DI}, section 2.1.1",
            "MALFORMED",
            change(STATED, "proof", to=[[proof]]),
        ),
        "nine proofs": (
            f"{DI}, section 2.1.1",
            "TOO_LARGE",
            change(STATED, "proof", to=[proof] * 9),
        ),
        "a set of which one does not hold": (
            f"{DI}, section 2.1.1",
            "SIGNATURE",
            change(STATED, "proof", to=[proof, proof | {"created": "2026-01-01T00:00:00Z"}]),
        ),
        "a chain whose first link was taken away": (
            f"{DI}, section 2.1.2",
            "MALFORMED",
            change(chain, "proof", to=chain["proof"][1:]),
        ),
        "a chain whose first link was changed": (
            f"{DI}, section 2.1.2",
            "SIGNATURE",
            change(chain, "proof", 0, "nonce", to="x"),
        ),
        "two proofs of one id": (
            f"{DI}, section 2.1.2",
            "DUPLICATE",
            change(chain, "proof", 1, "id", to="urn:uuid:1"),
        ),
        "a value in base64": (
            f"{DI}, section 2.1",
            "MALFORMED",
            change(STATED, "proof", "proofValue", to="uAAAA"),
        ),
        "a value cut off": (
            f"{DI}, section 2.1",
            "SIGNATURE",
            change(STATED, "proof", "proofValue", to=proof["proofValue"][:-4]),
        ),
        "a value of 65,536 letters": (
            f"{DI}, section 2.1",
            "TOO_LARGE",
            change(STATED, "proof", "proofValue", to="z" + "a" * 65_536),
        ),
        "made in an hour": (
            f"{DI}, section 4.4",
            "NOT_YET_VALID",
            json.dumps(secure(created_ms=NOW_MS + 3_600_000)),
        ),
        "expired": (f"{DI}, section 4.4", "EXPIRED", json.dumps(secure(expires_ms=NOW_MS - 1_000))),
        "expired in a year before all": (
            f"{DI}, section 4.4",
            "MALFORMED",
            change(STATED, "proof", "expires", to="0001-01-01T00:00:00+01:00"),
        ),
        "created at no moment": (
            f"{DI}, section 2.1",
            "MALFORMED",
            change(STATED, "proof", "created", to="yesterday"),
        ),
        "a member of the proof added": (
            f"{DI}, section 4.6",
            "CONTEXT",
            change(STATED, "proof", "mayor", to=True),
        ),
        "a member of the proof over JSON added": (
            f"{DI}, section 4.6",
            "SIGNATURE",
            change(WRITTEN, "proof", "mayor", to=True),
        ),
        "contexts of a proof over JSON left out": (
            "eddsa-jcs-2022, section 3.3.2",
            "SIGNATURE",
            json.dumps(WRITTEN | {"proof": without(WRITTEN["proof"], "@context")}),
        ),
        "a proof on something within": (
            f"{DI}, section 4.4",
            "MALFORMED",
            json.dumps(without(change_subject(STATED, proof=proof), "proof")),
        ),
    }
    cases = [Case(name, where, (fault,), given) for name, (where, fault, given) in changed.items()]
    credentials: dict[str, tuple[dict, str]] = {
        "a credential that has expired": ({"validUntil": "2026-01-02T00:00:00Z"}, "EXPIRED"),
        "a credential that begins later": ({"validFrom": "2027-01-01T00:00:00Z"}, "NOT_YET_VALID"),
        "a credential that ends in the year 0": (
            {"validUntil": "0001-01-01T00:00:00+01:00"},
            "MALFORMED",
        ),
        "a credential that begins in the year 10000": (
            {"validFrom": "9999-12-31T23:59:59-01:00"},
            "MALFORMED",
        ),
        "a credential that begins at a time in numbers": (
            {"validFrom": 1_700_000_000},
            "MALFORMED",
        ),
        "a credential of no type": ({"type": "TrainingCredential"}, "TYPE"),
        "a credential of two issuers": ({"issuer": [DID, "did:web:evil.example"]}, "MALFORMED"),
        "a credential of no subject": ({"credentialSubject": []}, "MALFORMED"),
    }
    cases += [
        Case(name, "VC Data Model 2.0, section 4", (fault,), json.dumps(STATED | changes))
        for name, (changes, fault) in credentials.items()
    ]
    sound = {
        "over statements": Sound(json.dumps(STATED)),
        "over JSON": Sound(json.dumps(WRITTEN)),
        "a chain": Sound(json.dumps(chain)),
    }
    return Theme("Data Integrity: proofs", "document", PRE, sound, cases)


def change_subject(document: Mapping[str, Any], **changes: Any) -> dict:
    """Change the subject after it was signed."""
    return {**document, "credentialSubject": document["credentialSubject"] | changes}


def make_json_ld() -> Theme:
    """JSON-LD: what is added must not go unsigned, whatever a context says of it."""
    where = f"{DI}, sections 2.4.1 and 4.6"
    evil = "https://evil.example/context"
    subject: dict[str, tuple[dict, str]] = {
        "a claim that no context defines": ({"mayor": True}, "CONTEXT"),
        "a claim that no context defines, within": (
            {"graduateOf": {"id": "https://centre.example/", "name": "x", "rank": 1}},
            "CONTEXT",
        ),
        "a claim named by a compact IRI": ({"schema:name": "Eve"}, "CONTEXT"),
        "a claim named by an absolute IRI": ({"https://schema.org/jobTitle": "mayor"}, "CONTEXT"),
        "a claim named like a keyword": ({"@mayor": True}, "CONTEXT"),
        "a null": ({"name": None}, "MALFORMED"),
        "an empty array": ({"skill": []}, "MALFORMED"),
        "an array in an array": ({"modules": [["hygiene"]]}, "MALFORMED"),
        "a relative identifier": ({"id": "ana"}, "MALFORMED"),
        "a blank node for an identifier": ({"id": "_:b0"}, "MALFORMED"),
        "an identifier with a space": ({"id": "did:example:a b"}, "MALFORMED"),
        "a type that no context defines": ({"type": "Mayor"}, "CONTEXT"),
        "a reverse property": ({"@reverse": {"name": "x"}}, "CONTEXT"),
        "a graph": ({"@graph": [{"name": "x"}]}, "CONTEXT"),
        "an included node": ({"@included": [{"name": "x"}]}, "CONTEXT"),
        "an index": ({"@index": "x"}, "CONTEXT"),
        "a nest": ({"@nest": {"name": "x"}}, "CONTEXT"),
        "a context within": ({"@context": {"mayor": "https://schema.org/mayor"}}, "CONTEXT"),
        "a value with a type that it does not have": (
            {"name": {"@value": "x", "@type": "@json"}},
            "CONTEXT",
        ),
        "an integer beyond 2^53": ({"hours": 2**53}, "MALFORMED"),
        "a number with 17 digits": ({"grade": 0.12345678901234567}, "MALFORMED"),
        "text where a number is meant": ({"hours": "120"}, "MALFORMED"),
        "one thing in two places": (
            {"skill": [{"id": "did:example:s", "name": "a"}, {"id": "did:example:s", "name": "b"}]},
            "DUPLICATE",
        ),
        "one statement twice": (
            {"modules": ["hygiene"], "skill": ["did:example:tutor1"] * 2},
            "DUPLICATE",
        ),
        "another value": ({"name": "Eve"}, "SIGNATURE"),
        "another value in another normal form (NFD)": ({"name": "Jose\u0301"}, "SIGNATURE"),
        "objects nested 40 levels": ({"graduateOf": _nest(40)}, "TOO_LARGE"),
    }
    cases = [
        Case(name, where, (fault,), json.dumps(change_subject(STATED, **changes)))
        for name, (changes, fault) in subject.items()
    ]
    inline = {"@protected": True, "name": "https://schema.org/jobTitle"}
    contexts: dict[str, tuple[Any, str]] = {
        "a context that would have to be fetched": ([V2, OURS, evil], "CONTEXT"),
        "a context on the network within": ([V2, OURS, "http://169.254.169.254/"], "CONTEXT"),
        "a context inline that renames a protected term": ([V2, OURS, inline], "CONTEXT"),
        "a context inline with @vocab": (
            [V2, OURS, {"@vocab": "https://evil.example/"}],
            "CONTEXT",
        ),
        "a context inline with @base": ([V2, OURS, {"@base": "https://evil.example/"}], "CONTEXT"),
        "a context inline with @import": ([V2, OURS, {"@import": evil}], "CONTEXT"),
        "null, which forgets all contexts": ([V2, OURS, None], "CONTEXT"),
        "a context twice": ([V2, OURS, OURS], "CONTEXT"),
        "a context left out": ([V2], "CONTEXT"),
        "contexts in another order": ([OURS, V2], "UNSUPPORTED"),
        "a context with capitals in its host": ([V2.replace("www", "WWW"), OURS], "UNSUPPORTED"),
        "nine contexts": ([V2, OURS, *(f"{evil}/{each}" for each in range(7))], "CONTEXT"),
        "no context": ([], "UNSUPPORTED"),
        "a context that is an object alone": (inline, "UNSUPPORTED"),
    }
    cases += [
        Case(name, where, (fault,), json.dumps(STATED | {"@context": value}))
        for name, (value, fault) in contexts.items()
    ]
    cases += [
        Case(
            "blank nodes that link to one another (1,195 bytes of them took 5 s)",
            "RDF Dataset Canonicalization 1.0, section 7.1",
            ("CONTEXT",),
            json.dumps(change_subject(STATED, skill=_knot())),
        ),
        Case(
            "more than 4,096 statements",
            where,
            ("TOO_LARGE",),
            json.dumps(change_subject(STATED, modules=[str(each) for each in range(2_100)])),
        ),
        Case(
            "a claim added to one over JSON",
            where,
            ("SIGNATURE",),
            json.dumps(change_subject(WRITTEN, mayor=True)),
            sound="over JSON",
        ),
        Case(
            "a context added to one over JSON",
            where,
            ("CONTEXT",),
            json.dumps(WRITTEN | {"@context": [V2, OURS, evil]}),
            sound="over JSON",
        ),
        Case(
            "an integer beyond 2^53 in one over JSON",
            "RFC 8785, section 3.2.2.3",
            ("MALFORMED",),
            json.dumps(change_subject(WRITTEN, record={"b": 2**53 + 1})),
            sound="over JSON",
        ),
        Case(
            "two names that differ in the normal form (NFC, NFD)",
            "RFC 8785, section 3.2.5",
            ("SIGNATURE",),
            json.dumps(change_subject(WRITTEN, record={"e\u0301": 1, "\u00e9": 2})),
            sound="over JSON",
        ),
    ]
    text = json.dumps(STATED)
    raw = {
        "a claim twice": ('{"issuer":"did:web:evil.example",' + text[1:], "DUPLICATE"),
        "half a letter": (text.replace("Trainee", "\\ud800"), "MALFORMED"),
        "1e400": (text.replace("8.25", "1e400"), "MALFORMED"),
        "NaN": (text.replace("8.25", "NaN"), "MALFORMED"),
        "a second document behind": (text + "{}", "MALFORMED"),
        "a byte order mark": ("\ufeff" + text, "MALFORMED"),
    }
    cases += [
        Case(f"JSON: {name}", "RFC 8259; RFC 7493", (fault,), given)
        for name, (given, fault) in raw.items()
    ]
    sound = {
        "over statements": Sound(json.dumps(STATED)),
        "over JSON": Sound(json.dumps(WRITTEN)),
    }
    return Theme("Data Integrity: JSON-LD", "document", PRE, sound, cases)


def _nest(levels: int) -> dict:
    value: dict = {"name": "x"}
    for _ in range(levels):
        value = {"graduateOf": value}
    return value


def _knot() -> list:
    """Nameless things that only their links tell apart, and these are alike."""
    return [{"id": f"_:b{each}", "tutor": f"_:b{(each + 1) % 24}"} for each in range(24)]
