"""WeIdentity's credentials: what its issuers sign verifies, and nothing that was changed does."""

import base64
import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.identity.weid.parts import (
    CLAIM,
    FIRST,
    NOW_MS,
    SECOND,
    THIRD,
    Issuer,
    hash_of,
    hide,
    text_of,
    write,
)

from hansa.identity.faults import Fault, Unsound
from hansa.identity.weid.credentials import read_weid_credential
from hansa.identity.weid.documents import read_weid_document
from hansa.identity.weid.verification import verify_weid_credential

ISSUER, OTHER, THIRD_ONE = Issuer(7), Issuer(8), Issuer(9)
DOCUMENTS = {each.did: read_weid_document(each.document, each.did) for each in (ISSUER, OTHER)}
VERSIONS = (FIRST, SECOND, THIRD)
ISSUED = ISSUER.issue()
LITE = ISSUER.issue_lite({"name": "Ana", "age": 32})
HIDDEN = hide(hide(hide(ISSUED, "age"), "address", "city"), "accounts", 1, "no")


def verify(value, documents=None, now_ms=NOW_MS, **options):
    credential = read_weid_credential(json.dumps(value))
    return verify_weid_credential(credential, documents or DOCUMENTS, now_ms, **options)


def fault_of(value, **options):
    with pytest.raises(Unsound) as refused:
        verify(value, **options)
    return refused.value.fault


def change(value, path, new):
    """Change one thing within a credential."""
    changed = copy.deepcopy(value)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = new
    return changed


def leaves_of(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, each in items:
        if isinstance(each, dict | list) and each:
            yield from leaves_of(each, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_each_version_signed_verifies(version):
    verified = verify(ISSUER.issue(version=version))
    assert verified.version == version
    assert verified.claims == CLAIM
    assert (verified.issued_ms, verified.expires_ms) == (1_590_000_000_000, 1_700_000_000_000)
    assert verified.key == f"{ISSUER.did}#keys-0"


@pytest.mark.parametrize("version", VERSIONS)
def test_hidden_claims_are_left_out_and_named(version):
    shown = hide(hide(ISSUER.issue(version=version), "age"), "accounts", 1, "no")
    verified = verify(hide(shown, "address", "city"))
    assert set(verified.hidden) == {"/age", "/address/city", "/accounts/1/no"}
    assert "age" not in verified.claims
    assert verified.claims["address"] == {"street": {"name": 'Calle "1"', "no": "7"}}
    assert verified.claims["accounts"] == [{"bank": "x", "no": "1"}, {"bank": "y"}]


SIGNED = ("context", "id", "cptId", "issuer", "issuanceDate", "expirationDate", "type", "claim")
TOUCHED = [
    (value, path)
    for value in (ISSUED, HIDDEN)
    for path in leaves_of(value)
    if path[0] in SIGNED or path[:2] in {("proof", "salt"), ("proof", "signatureValue")}
]


@pytest.mark.parametrize(("value", "path"), TOUCHED, ids=lambda each: str(each)[:60])
def test_nothing_signed_can_be_changed(value, path):
    inner = value
    for step in path:
        inner = inner[step]
    other = inner + 1 if isinstance(inner, int) and not isinstance(inner, bool) else "z"
    fault_of(change(value, path, other))


@pytest.mark.parametrize("name", SIGNED)
def test_nothing_signed_can_be_left_out(name):
    fault_of({key: each for key, each in ISSUED.items() if key != name})


def test_claims_and_salts_can_neither_be_added_nor_removed():
    assert fault_of(change(ISSUED, ("claim", "x"), "y")) is Fault.DISCLOSURE
    both = change(change(ISSUED, ("claim", "x"), "y"), ("proof", "salt", "x"), "abcde")
    assert fault_of(both) is Fault.SIGNATURE
    short = change(ISSUED, ("claim", "accounts"), ISSUED["claim"]["accounts"][:1])
    assert fault_of(short) is Fault.DISCLOSURE


def test_no_letter_moves_from_a_salt_into_its_claim():
    issued = ISSUER.issue({"amount": "1000"})
    salt = issued["proof"]["salt"]["amount"]
    moved = change(issued, ("claim", "amount"), "1000" + salt[0])
    moved = change(moved, ("proof", "salt", "amount"), salt[1:])
    assert verify(moved, salt_letters=4).claims["amount"] == "1000" + salt[0]  # as WeIdentity would
    assert fault_of(moved) is Fault.DISCLOSURE


def test_what_is_hidden_must_be_a_hash():
    raw = change(ISSUED, ("proof", "salt", "age"), "0")
    assert fault_of(raw) is Fault.DISCLOSURE
    salts = change(ISSUED, ("proof", "salt", "accounts"), ["abcde", "abcde"])
    assert fault_of(salts) is Fault.DISCLOSURE


@pytest.mark.parametrize("salt", [0, None, "", "00000é", "a b12", {}, [], True])
def test_salts_are_letters_and_digits(salt):
    assert fault_of(change(ISSUED, ("proof", "salt", "age"), salt)) is Fault.DISCLOSURE


def test_another_issuer_cannot_have_signed():
    foreign = {**OTHER.issue(), "issuer": ISSUER.did}
    assert fault_of(foreign) is Fault.ISSUER
    foreign["proof"]["creator"] = f"{ISSUER.did}#keys-0"
    assert fault_of(foreign) is Fault.SIGNATURE
    assert fault_of(THIRD_ONE.issue()) is Fault.UNRESOLVED
    swapped = {ISSUER.did: DOCUMENTS[OTHER.did]}
    assert fault_of(ISSUED, documents=swapped) is Fault.UNRESOLVED


def test_a_creator_that_names_no_key_leaves_all_of_the_issuer():
    for creator in (ISSUER.did, f"{ISSUER.did}#gone", None, 7):
        assert verify(change(ISSUED, ("proof", "creator"), creator)).claims == CLAIM


@pytest.mark.parametrize(
    ("now_ms", "fault"),
    [(1_589_999_999_999, Fault.NOT_YET_VALID), (1_700_000_000_001, Fault.EXPIRED)],
)
def test_dates_bound_the_validity(now_ms, fault):
    assert fault_of(ISSUED, now_ms=now_ms) is fault


def test_early_versions_gave_milliseconds():
    dates = {"issuanceDate": 1_560_420_878_712, "expirationDate": 1_660_470_944_120}
    verified = verify(ISSUER.issue(version=FIRST, **dates))
    assert (verified.issued_ms, verified.expires_ms) == tuple(dates.values())


def test_dates_as_text_are_those_that_were_signed():
    text = {
        **ISSUED,
        "$from": "toJson",
        "issuanceDate": "2020-05-20T18:40:00Z",
        "expirationDate": "2023-11-14T22:13:20Z",
    }
    assert verify(text).issued_ms == 1_590_000_000_000


@pytest.mark.parametrize("is_short", [True, False])
@pytest.mark.parametrize("has_issue_date", [True, False])
def test_lite_credentials_verify(is_short, has_issue_date):
    claim = {"name": "Ana", "numbers": [1, 2.5, -3], "more": {"é": "\u0001\u001f/"}}
    issued = ISSUER.issue_lite(claim, has_issue_date=has_issue_date, is_short=is_short)
    verified = verify(json.loads(json.dumps(issued)))
    assert verified.claims == claim
    assert verified.issued_ms == (1_590_000_000_000 if has_issue_date else None)


@pytest.mark.parametrize("path", list(leaves_of(LITE)))
def test_lite_credentials_cannot_be_changed(path):
    fault_of(change(LITE, path, "x"))


MEMBERS = [ISSUER.issue(id="a"), OTHER.issue(id="b")]


@pytest.mark.parametrize("version", VERSIONS)
def test_credentials_signed_together_verify(version):
    members = [ISSUER.issue(id="b", version=version), OTHER.issue(id="a", version=version)]
    verified = verify(OTHER.sign_together(members, version))
    assert [each.id for each in verified.members] == ["a", "b"]
    assert [each.issuer for each in verified.members] == [OTHER.did, ISSUER.did]
    assert (verified.id, verified.issued_ms, verified.expires_ms) == ("", None, None)


def test_no_member_can_be_added_removed_or_put_in_anothers_place():
    signed = OTHER.sign_together(MEMBERS)
    where = ("claim", "credentialList")
    assert fault_of(change(signed, where, MEMBERS[:1])) is Fault.SIGNATURE
    more = [*MEMBERS, ISSUER.issue(id="c")]
    assert fault_of(change(signed, where, more)) is Fault.SIGNATURE
    again = [ISSUER.issue({"amount": "1"}, id="a"), *MEMBERS]
    assert fault_of(change(signed, where, again)) is Fault.DUPLICATE
    assert fault_of(change(signed, where, [])) is Fault.MALFORMED
    assert fault_of(change(signed, where, "0x" + "0" * 64)) is Fault.MALFORMED
    many = [ISSUER.issue({"a": "b"}, id=str(number)) for number in range(65)]
    assert fault_of(change(signed, where, many)) is Fault.TOO_LARGE
    assert fault_of(change(signed, ("claim", "more"), "x")) is Fault.MALFORMED


def test_members_whose_signature_would_not_count_are_refused():
    lite = ISSUER.issue_lite({"a": "b"}, is_short=False)
    for inner in (lite, OTHER.sign_together(MEMBERS)):
        signed = change(OTHER.sign_together(MEMBERS), ("claim", "credentialList"), [inner])
        assert fault_of(signed) is Fault.UNSUPPORTED


def test_a_member_that_is_not_sound_spoils_the_whole():
    forged = change(MEMBERS[0], ("proof", "signatureValue"), MEMBERS[1]["proof"]["signatureValue"])
    assert fault_of(OTHER.sign_together([forged])) is Fault.SIGNATURE
    past = ISSUER.issue(expirationDate=1_595_000_000)
    assert fault_of(OTHER.sign_together([past])) is Fault.EXPIRED


@pytest.mark.parametrize(
    ("path", "new", "fault"),
    [
        (("proof", "type"), "SM2", Fault.UNSUPPORTED),
        (("type",), ["VerifiableCredential", "zkp"], Fault.UNSUPPORTED),
        (("type",), "VerifiableCredential", Fault.UNSUPPORTED),
        (("type",), [], Fault.MALFORMED),
        (("cptId",), 106, Fault.UNSUPPORTED),
        (("cptId",), True, Fault.MALFORMED),
        (("cptId",), -1, Fault.MALFORMED),
        (("issuer",), "did:weid:1:0x00", Fault.MALFORMED),
        (("issuanceDate",), 0, Fault.MALFORMED),
        (("expirationDate",), "tomorrow", Fault.MALFORMED),
        (("claim",), [], Fault.MALFORMED),
        (("proof",), None, Fault.MALFORMED),
        (("proof", "salt"), None, Fault.MALFORMED),
        (("proof", "signatureValue"), "AAAA", Fault.MALFORMED),
        (("proof", "signatureValue"), "é", Fault.MALFORMED),
        (("proof", "signatureValue"), base64.b64encode(bytes(65)).decode(), Fault.SIGNATURE),
        (("proof", "signatureValue"), base64.b64encode(b"\xff" * 65).decode(), Fault.SIGNATURE),
        (("claim", "rate"), 1e300, Fault.UNSUPPORTED),
        (("claim", "tags"), [{"a": "b"}, "c"], Fault.UNSUPPORTED),
    ],
)
def test_what_is_not_read_says_why(path, new, fault):
    assert fault_of(change(ISSUED, path, new)) is fault


def test_names_stand_in_the_order_of_utf_16_and_numbers_as_java_writes_them():
    claim = {"\ue000": "a", "\U0001f600": "b", "n": 1234567.5, "z": 0.0, "i": 10**30}
    credential = ISSUER.draft(claim, type="lite1")
    del credential["context"]
    names = ('"i":1' + "0" * 30, '"n":1234567.5', '"z":0.0', '"\U0001f600":"b"', '"\ue000":"a"')
    text = text_of({**credential, "claim": "HERE"}).replace('"HERE"', "{" + ",".join(names) + "}")
    credential["proof"] = ISSUER.sign(text, is_old=False)
    assert verify(credential).claims == claim


def test_one_signature_does_not_serve_as_another_versions():
    salt = ISSUED["proof"]["salt"]
    text = text_of(write(ISSUED, hash_of(CLAIM, salt), THIRD))
    twice = ISSUER.sign(text, is_old=True)
    assert fault_of(change(ISSUED, ("proof", "signatureValue"), twice)) is Fault.SIGNATURE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_strangers_bytes_are_refused_in_order(raw):
    with pytest.raises(Unsound):
        read_weid_credential(raw)


@settings(deadline=None)
@given(
    st.sampled_from([ISSUED, HIDDEN, LITE, OTHER.sign_together(MEMBERS)]).flatmap(
        lambda value: st.tuples(st.just(value), st.sampled_from([*leaves_of(value)]), JSON)
    ),
    st.integers(1, 6),
)
def test_mutated_credentials_raise_nothing_else(mutated, depth):
    value, path, new = mutated
    try:
        verify(change(value, path[:depth], new))
    except Unsound:
        return


def test_nesting_has_an_end():
    wide = json.dumps({**ISSUED, "claim": {"a": "b" * (1 << 18)}})
    for raw in (b'{"a":' * 20_000, b'{"claim":' + b"[" * 40 + b"]" * 40 + b"}", wide):
        with pytest.raises(Unsound) as refused:
            read_weid_credential(raw)
        assert refused.value.fault in (Fault.TOO_LARGE, Fault.MALFORMED)


def test_messages_stay_short():
    name = "n" * 100_000
    credential = change(ISSUED, ("claim",), {name: "a"})
    with pytest.raises(Unsound) as refused:
        verify(change(credential, ("proof", "salt"), {name: "ab"}))
    assert len(refused.value.message) < 300
