"""`bbs-2023`: holders show what they choose, verifiers believe nothing else, nobody links it."""

import copy
import json
import secrets
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hansa.identity.bbs.ciphersuites import BBS_SHA_256
from hansa.identity.bbs.secret_keys import derive_secret_key
from hansa.identity.bbs_2023.credentials import verify_issued_credential, verify_shown_credential
from hansa.identity.bbs_2023.proof_values import (
    decode_base_proof,
    decode_derived_proof,
    encode_base_proof,
)
from hansa.identity.bbs_2023.selection import POINTERS_MAX, select
from hansa.identity.bbs_2023.suite import (
    add_base_proof,
    choose_mandatory_pointers,
    derive,
    verify_base,
    verify_derived,
)
from hansa.identity.data_integrity.contexts import CREDENTIALS_V2, load_pinned
from hansa.identity.data_integrity.proofs import Proof
from hansa.identity.derived_claims import compute_age_claims
from hansa.identity.encoding.cbor import encode_cbor
from hansa.identity.encoding.multibase import decode_multibase, encode_multibase
from hansa.identity.encoding.timestamp import read_timestamp
from hansa.identity.faults import Fault, Unsound
from hansa.identity.methods.documents import Relationship

CITY = "https://city.example/contexts/resident/v1"
AGES = compute_age_claims("2001-02-03", "2026-11-29")
TERMS = [*AGES, "givenName", "familyName", "birthDate", "district", "address", "street", "number"]
VOCABULARY = {term: f"https://city.example/terms#{term}" for term in [*TERMS, "cards", "Resident"]}
VOCABULARY["steps"] = {"@id": "https://city.example/terms#steps", "@container": "@list"}
VOCABULARY["raw"] = {"@id": "https://city.example/terms#raw", "@type": "@json"}
CONTEXTS = load_pinned().extend({CITY: {"@context": {"@protected": True, **VOCABULARY}}})
KEY = derive_secret_key(BBS_SHA_256, b"\x07" * 32)
OTHER = derive_secret_key(BBS_SHA_256, b"\x08" * 32)
METHOD = "did:web:city.example#bbs"
NOW_MS = read_timestamp("2026-11-29T12:00:00Z", "now")
PROOF = Proof("bbs-2023", METHOD, created_ms=read_timestamp("2026-11-29T00:00:00Z", "then"))
DOCUMENT = {
    "@context": [CREDENTIALS_V2, CITY],
    "type": ["VerifiableCredential", "Resident"],
    "issuer": "did:web:city.example",
    "validFrom": "2026-11-01T00:00:00Z",
    "validUntil": "2027-11-01T00:00:00Z",
    "credentialSubject": {
        "givenName": "Ana",
        "familyName": "Lei",
        "birthDate": "2001-02-03",
        "district": "Taipa",
        "address": {"street": "Rua do Regedor", "number": 14},
        **AGES,
    },
}
OVER_18 = "/credentialSubject/age_equal_or_over_18"


def issue(document=DOCUMENT, pointers=None):
    chosen = choose_mandatory_pointers(document) if pointers is None else pointers
    return add_base_proof(document, KEY, PROOF, chosen, CONTEXTS, secrets.token_bytes)


def show(issued, *pointers, presented=b"request 1"):
    return derive(issued, pointers, presented, CONTEXTS, secrets.token_bytes)


def verify(shown, presented=b"request 1", key=KEY.public_key):
    verify_derived(shown, key, presented, CONTEXTS)


def refuse(call, *arguments, **named):
    with pytest.raises(Unsound) as caught:
        call(*arguments, **named)
    return caught.value.fault


def change(document, path, value):
    """Copy a document with one member changed, or removed if the value is None."""
    changed = copy.deepcopy(document)
    place = changed
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed


ISSUED = issue()
SHOWN = show(ISSUED, OVER_18)


def test_the_holder_shows_one_answer_and_what_is_mandatory():
    verify_base(ISSUED, KEY.public_key, CONTEXTS)
    verify(SHOWN)
    assert {**SHOWN, "proof": None} == {
        **DOCUMENT,
        "credentialSubject": {"age_equal_or_over_18": True},
        "proof": None,
    }
    for hidden in ("Ana", "Lei", "2001-02-03", "Taipa", "over_21", "number"):
        assert hidden not in json.dumps(SHOWN)


def test_all_contexts_are_always_shown():
    for pointer in ("/@context", "/@context/0"):
        shown = show(ISSUED, pointer, OVER_18)
        verify(shown)
        assert shown["@context"] == DOCUMENT["@context"]


def test_mandatory_statements_alone_can_be_shown():
    shown = show(ISSUED)
    verify(shown)
    assert "credentialSubject" not in shown


def test_everything_can_be_shown():
    shown = show(ISSUED, "")
    verify(shown)
    assert {**shown, "proof": None} == {**DOCUMENT, "proof": None}


def test_what_is_never_hidden_is_chosen_by_what_is_there():
    assert choose_mandatory_pointers(DOCUMENT) == ["/issuer", "/validFrom", "/validUntil"]


def test_a_credential_without_mandatory_statements():
    issued = issue(pointers=[])
    verify_base(issued, KEY.public_key, CONTEXTS)
    assert refuse(show, issued) is Fault.DISCLOSURE
    shown = show(issued, "/issuer")
    verify(shown)
    assert set(shown) == {"@context", "type", "issuer", "proof"}


def test_a_credential_of_mandatory_statements_alone():
    issued = issue(pointers=[""])
    verify_base(issued, KEY.public_key, CONTEXTS)
    verify(show(issued))


def test_one_of_several_things_that_are_alike_can_be_shown():
    cards = [{"street": "A"}, {"number": 1}, {"street": "A"}, {"street": "A"}]
    subject = {**DOCUMENT["credentialSubject"], "cards": cards}
    issued = issue({**DOCUMENT, "credentialSubject": subject})
    verify_base(issued, KEY.public_key, CONTEXTS)
    for indexes in ([0], [2, 3], [1, 2], [0, 1, 2, 3]):
        shown = show(issued, *(f"/credentialSubject/cards/{index}" for index in indexes))
        verify(shown)
        assert shown["credentialSubject"]["cards"] == [cards[index] for index in indexes]


@settings(max_examples=25)
@given(data=st.data())
def test_any_selection_verifies(data):
    paths = [f"/credentialSubject/{name}" for name in DOCUMENT["credentialSubject"]]
    paths += ["/type", "/issuer", "/type/1", "/credentialSubject/address/street"]
    chosen = data.draw(st.lists(st.sampled_from(paths), max_size=6))
    presented = data.draw(st.binary(max_size=64))
    shown = show(ISSUED, *chosen, presented=presented)
    verify(shown, presented)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("issuer",), "did:web:other.example"),
        (("validUntil",), "2028-11-01T00:00:00Z"),
        (("validUntil",), None),
        (("type",), ["VerifiableCredential"]),
        (("credentialSubject", "age_equal_or_over_18"), False),
        (("credentialSubject", "age_equal_or_over_18"), None),
        (("credentialSubject", "age_equal_or_over_21"), True),
        (("credentialSubject",), {"age_equal_or_over_21": True}),
        (("credentialSubject", "id"), "did:web:somebody.example"),
        (("id",), "urn:uuid:8f0c8dbb-6b6b-4a3c-8f0c-8dbb6b6b4a3c"),
        (("@context",), [CREDENTIALS_V2]),
        (("proof", "created"), "2026-11-30T00:00:00Z"),
        (("proof", "created"), None),
        (("proof", "verificationMethod"), "did:web:city.example#other"),
        (("proof", "proofPurpose"), "authentication"),
        (("proof", "cryptosuite"), "bbs-2024"),
        (("proof", "type"), "Proof"),
        (("proof", "nonce"), "1"),
        (("proof", "@context"), [CREDENTIALS_V2]),
        (("proof", "proofValue"), None),
        (("proof",), None),
        (("proof",), [SHOWN["proof"]]),
    ],
)
def test_nothing_that_is_shown_can_be_changed(path, value):
    verify(SHOWN)
    refuse(verify, change(SHOWN, path, value))


@settings(max_examples=60)
@given(bit=st.integers(0, 8 * len(decode_multibase(SHOWN["proof"]["proofValue"], "it")) - 1))
def test_no_bit_of_the_proof_value_can_be_changed(bit):
    data = bytearray(decode_multibase(SHOWN["proof"]["proofValue"], "it"))
    data[bit // 8] ^= 1 << bit % 8
    refuse(verify, change(SHOWN, ("proof", "proofValue"), encode_multibase(bytes(data), "u")))


def test_a_showing_is_for_one_request_and_one_issuer():
    assert refuse(verify, SHOWN, presented=b"request 2") is Fault.NONCE
    assert refuse(verify, SHOWN, key=OTHER.public_key) is Fault.SIGNATURE


def rewrite(shown, **parts):
    derived = decode_derived_proof(shown["proof"]["proofValue"])._replace(**parts)
    value = encode_multibase(b"\xd9\x5d\x03" + encode_cbor([*derived]), "u")
    return change(shown, ("proof", "proofValue"), value)


def test_labels_and_indexes_are_those_of_what_is_shown():
    derived = decode_derived_proof(SHOWN["proof"]["proofValue"])
    assert len(derived.labels) == 2
    swapped = dict(zip(derived.labels, reversed(derived.labels.values()), strict=True))
    one, two = derived.labels.values()
    malformed = [
        {"labels": {0: one, 1: one}},
        {"labels": {0: one}},
        {"labels": {0: one, 1: two, 2: 9}},
        {"labels": {0: one, 2: two}},
        {"labels": {0: one, 1: -1}},
        {"labels": {0: one, "1": two}},
        {"labels": {0: one, 1: True}},
        {"labels": [one, two]},
        {"mandatory_indexes": [*reversed(derived.mandatory_indexes)]},
        {"mandatory_indexes": [*derived.mandatory_indexes, 99]},
        {"mandatory_indexes": [0, 0]},
        {"mandatory_indexes": [False, 1]},
        {"selective_indexes": [*derived.selective_indexes, 99]},
        {"selective_indexes": [*derived.selective_indexes[:-1]]},
        {"selective_indexes": [-1, *derived.selective_indexes[1:]]},
        {"selective_indexes": derived.selective_indexes[0]},
    ]
    for parts in malformed:
        assert refuse(verify, rewrite(SHOWN, **parts)) is Fault.MALFORMED
    first, *others = derived.selective_indexes
    for parts in (
        {"labels": swapped},
        {"labels": {0: one, 1: two + 90}},
        {"mandatory_indexes": [*derived.mandatory_indexes[:-1], 99]},
        {"selective_indexes": [first, *(each + 1 for each in others)]},
        {"presentation_header": b"request 2"},
    ):
        assert refuse(verify, rewrite(SHOWN, **parts)) in {
            *(Fault.SIGNATURE, Fault.MALFORMED, Fault.NONCE),
        }


def test_two_showings_share_nothing_but_what_they_show():
    """No 16 bytes stand in two proofs, nor in one and in what the issuer gave the holder.

    Beside its proof a showing says which statements it shows: fewer than 16 bytes of labels and
    numbers, the same for the same choice, and the verifier's own presentation header.
    """
    shown = [show(ISSUED, OVER_18, presented=secrets.token_bytes(16)) for _ in range(4)]
    shown += [show(ISSUED, "/credentialSubject/district", presented=secrets.token_bytes(16))]
    derived = [decode_derived_proof(each["proof"]["proofValue"]) for each in shown]
    raw = [*(each.proof for each in derived)]
    raw.append(decode_multibase(ISSUED["proof"]["proofValue"], "it"))
    windows = [{each[i : i + 16] for i in range(len(each) - 15)} for each in raw]
    for number, mine in enumerate(windows):
        for other in windows[number + 1 :]:
            assert not mine & other
    assert all(len(encode_cbor([*each[1:4]])) < 16 for each in derived)
    texts = [{**each, "proof": {**each["proof"], "proofValue": ""}} for each in shown[:4]]
    assert all(one == two for one, two in pairwise(texts))


def test_credentials_that_show_the_same_cannot_be_told_from_showings_of_one():
    """Labels and indexes are those of all holders who disclose the same; the rest is chance."""
    mine = decode_derived_proof(SHOWN["proof"]["proofValue"])
    for number in range(12):
        address = {"street": f"Rua {number}", "number": number}
        changed = {"givenName": f"Rui {number}", "district": "Coloane", "address": address}
        subject = {**DOCUMENT["credentialSubject"], **changed}
        other = show(issue({**DOCUMENT, "credentialSubject": subject}), OVER_18)
        theirs = decode_derived_proof(other["proof"]["proofValue"])
        assert len(mine.proof) == len(theirs.proof)
        assert {**other, "proof": None} == {**SHOWN, "proof": None}
        assert mine[1:] == theirs[1:]


@pytest.mark.parametrize(
    ("pointer", "fault"),
    [
        ("/credentialSubject/nothing", Fault.DISCLOSURE),
        ("/credentialSubject/givenName/0", Fault.DISCLOSURE),
        ("/type/2", Fault.DISCLOSURE),
        ("/type/-1", Fault.DISCLOSURE),
        ("/type/01", Fault.DISCLOSURE),
        ("/type/-", Fault.DISCLOSURE),
        ("/", Fault.DISCLOSURE),
        ("/proof", Fault.DISCLOSURE),
        ("/credentialSubject/id", Fault.DISCLOSURE),
        ("issuer", Fault.MALFORMED),
        ("/credentialSubject/~2", Fault.MALFORMED),
        ("/credentialSubject/~", Fault.MALFORMED),
        (7, Fault.MALFORMED),
        ("/" + "a" * 2_000, Fault.TOO_LARGE),
    ],
)
def test_pointers_lead_to_something(pointer, fault):
    assert refuse(show, ISSUED, pointer) is fault
    assert refuse(issue, DOCUMENT, [pointer]) is fault


def test_a_value_is_shown_as_a_whole():
    name = {"@value": "Residente", "@language": "pt"}
    subject = {**DOCUMENT["credentialSubject"], "raw": {"a": 1, "b": [2]}}
    issued = issue({**DOCUMENT, "name": name, "credentialSubject": subject})
    assert refuse(show, issued, "/name/@value") is Fault.MALFORMED
    assert refuse(show, issued, "/credentialSubject/raw/a") is Fault.DISCLOSURE
    shown = show(issued, "/name", "/credentialSubject/raw")
    verify(shown)
    assert (shown["name"], shown["credentialSubject"]["raw"]) == (name, subject["raw"])


def test_pointers_are_few_and_escaped():
    assert refuse(show, ISSUED, *["/issuer"] * (POINTERS_MAX + 1)) is Fault.TOO_LARGE
    document = {"a/b": 1, "c~d": {"": 2, "e": 3}, "id": "x", "f": [4, 5, {"id": "y", "g": 6}]}
    assert select(document, ["/a~1b", "/c~0d/"]) == {"a/b": 1, "c~d": {"": 2}, "id": "x"}
    assert select(document, ["/f/2/g", "/f/0"]) == {"id": "x", "f": [4, {"id": "y", "g": 6}]}
    assert select(document, ["/c~0d/e", "/c~0d"]) == {"c~d": {"": 2, "e": 3}, "id": "x"}
    assert select(document, ["/c~0d", "/c~0d/e"]) == {"c~d": {"": 2, "e": 3}, "id": "x"}
    assert select(document, [""]) == select(document, ["/f", ""]) == document
    assert refuse(select, document, []) is Fault.DISCLOSURE


def test_what_cannot_be_signed_in_part_is_refused():
    wrong = change(DOCUMENT, ("credentialSubject", "id"), "urn:bnid:_0")
    assert refuse(issue, wrong) is Fault.UNSUPPORTED
    assert refuse(issue, change(DOCUMENT, ("credentialSubject", "age"), 25)) is Fault.CONTEXT
    assert refuse(issue, change(DOCUMENT, ("credentialSubject", "steps"), [1, 2])) is (
        Fault.UNSUPPORTED
    )
    lone = change(DOCUMENT, ("credentialSubject", "district"), "\ud800")
    assert refuse(issue, lone) is Fault.MALFORMED


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("credentialSubject", "district"), "Coloane"),
        (("issuer",), "did:web:other.example"),
        (("proof", "created"), "2026-11-30T00:00:00Z"),
        (("proof",), None),
    ],
)
def test_a_credential_that_was_changed_before_it_reached_its_holder(path, value):
    changed = change(ISSUED, path, value)
    assert refuse(verify_base, changed, KEY.public_key, CONTEXTS) in {
        *(Fault.SIGNATURE, Fault.MALFORMED),
    }
    assert refuse(verify_base, ISSUED, OTHER.public_key, CONTEXTS) is Fault.SIGNATURE


def test_base_and_derived_proofs_are_not_taken_for_one_another():
    assert refuse(verify, ISSUED) is Fault.UNSUPPORTED
    assert refuse(verify_base, SHOWN, KEY.public_key, CONTEXTS) is Fault.UNSUPPORTED
    assert refuse(show, SHOWN) is Fault.UNSUPPORTED


@given(
    value=st.one_of(
        st.none(),
        st.integers(),
        st.text(max_size=20),
        st.binary(max_size=300).map(lambda data: encode_multibase(data, "u")),
        st.binary(max_size=300).map(lambda data: encode_multibase(b"\xd9\x5d\x03" + data, "u")),
        st.recursive(
            st.one_of(st.binary(max_size=80), st.integers(-5, 5), st.text(max_size=9)),
            lambda inner: (
                st.lists(inner, max_size=5) | st.dictionaries(st.integers(-1, 3), inner, max_size=3)
            ),
        ).map(lambda parts: encode_multibase(b"\xd9\x5d\x02" + encode_cbor(parts), "u")),
    )
)
def test_whatever_stands_as_proof_value_is_unsound_and_nothing_else(value):
    changed = change(SHOWN, ("proof", "proofValue"), value or "")
    refuse(verify, changed)
    refuse(show, changed)
    refuse(verify_base, changed, KEY.public_key, CONTEXTS)


def test_a_base_proof_has_parts_of_the_right_size():
    base = decode_base_proof(ISSUED["proof"]["proofValue"])
    for parts in (
        {"header": base.header[:-1]},
        {"hmac_key": b""},
        {"signature": "text"},
        {"mandatory_pointers": ["issuer"]},
    ):
        wrong = encode_base_proof(base._replace(**parts))
        assert refuse(show, change(ISSUED, ("proof", "proofValue"), wrong)) is Fault.MALFORMED
    long = "u" + "A" * (1 << 19)
    assert refuse(verify, change(SHOWN, ("proof", "proofValue"), long)) is Fault.TOO_LARGE
    header = rewrite(SHOWN, presentation_header=bytes(2_000))
    assert refuse(verify, header) is Fault.TOO_LARGE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


@given(data=st.data(), value=JSON)
def test_whatever_stands_anywhere_is_unsound_and_nothing_else(data, value):
    path = data.draw(
        st.sampled_from([(name,) for name in SHOWN] + [("proof", name) for name in SHOWN["proof"]])
    )
    changed = copy.deepcopy(SHOWN)
    place = changed if len(path) == 1 else changed["proof"]
    place[path[-1]] = value
    refuse(verify, changed)
    refuse(verify, value)


def find_key(method, purpose):
    if (method, purpose) != (METHOD, Relationship.ASSERTION):
        raise Unsound(Fault.KEY, f"{method} is not for {purpose}")
    return KEY.public_key


def verify_shown(document, presented=b"request 1", now_ms=NOW_MS):
    return verify_shown_credential(document, CONTEXTS, now_ms, find_key, presented)


def test_credentials_are_verified_with_issuer_validity_and_request():
    assert (
        verify_issued_credential(ISSUED, CONTEXTS, NOW_MS, find_key).issuer == (DOCUMENT["issuer"])
    )
    credential = verify_shown(SHOWN)
    assert credential.subjects == ({"age_equal_or_over_18": True},)
    assert credential.types == ("VerifiableCredential", "Resident")
    assert credential.valid_until_ms == read_timestamp(DOCUMENT["validUntil"], "end")
    assert refuse(verify_shown, SHOWN, b"request 2") is Fault.NONCE
    year_ms = 366 * 86_400_000
    assert refuse(verify_shown, SHOWN, now_ms=NOW_MS + year_ms) is Fault.EXPIRED
    assert refuse(verify_shown, SHOWN, now_ms=NOW_MS - year_ms) is Fault.NOT_YET_VALID


def test_a_credential_by_somebody_else_is_refused():
    other = {**DOCUMENT, "issuer": "did:web:other.example"}
    assert refuse(verify_shown, show(issue(other), OVER_18)) is Fault.ISSUER
    key = change(SHOWN, ("proof", "verificationMethod"), METHOD + "2")
    assert refuse(verify_shown, key) is Fault.KEY
    use = change(SHOWN, ("proof", "proofPurpose"), "authentication")
    assert refuse(verify_shown, use) is Fault.KEY
    twice = change(SHOWN, ("proof",), [SHOWN["proof"]] * 2)
    assert refuse(verify_shown, twice) is Fault.UNSUPPORTED
    later = change(SHOWN, ("proof", "created"), "2027-01-01T00:00:00Z")
    assert refuse(verify_shown, later) is Fault.NOT_YET_VALID
    assert refuse(verify_shown, change(SHOWN, ("validUntil",), "2027-11-02T00:00:00Z")) is (
        Fault.SIGNATURE
    )
    assert refuse(verify_shown, show(ISSUED)) is Fault.MALFORMED
    changed = change(ISSUED, ("credentialSubject", "givenName"), "Rui")
    assert refuse(verify_issued_credential, changed, CONTEXTS, NOW_MS, find_key) is Fault.SIGNATURE


@given(value=JSON)
def test_whatever_is_no_credential_is_unsound(value):
    refuse(verify_shown, value)
    refuse(verify_shown, change(SHOWN, ("proof",), value if value is not None else 0))
