"""A verifier by OpenID4VP: what is sound is accepted, and each fault is found, in words."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import IS_SOAK
from tests.unit.identity.verifier.playing import (
    CLIENT_ID,
    DAY_MS,
    ISSUER,
    ISSUER_KEY,
    NOW,
    NOW_MS,
    OTHER,
    RESIDENT,
    STATUS,
    VCT,
    VERIFIER_KEY,
    Counter,
    find_query,
    issue,
)

from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import decode_jws, verify_jws
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.paths import list_names
from hansa.identity.keys.signing import load_private_key
from hansa.identity.sd_jwt.verification import Challenge
from hansa.identity.verifier.findings import Check, list_faults
from hansa.identity.verifier.registry import IssuerKey, Standing
from hansa.identity.verifier.requests import VerifierIdentity
from hansa.identity.verifier.sessions import Commitment
from hansa.kernel.errors import NotFound, Unavailable


@pytest.fixture(params=[True, False], ids=["encrypted", "open"])
def counter(request):
    return Counter(encrypts=request.param)


def faults_of(report):
    return {(each.check, each.fault) for each in report.findings if each.fault is not None}


def test_a_sound_presentation_is_accepted_with_what_was_disclosed(counter):
    report = counter.judge()
    assert list_faults(report.findings) == []
    assert report.is_accepted
    (claims,) = report.claims["resident"]
    assert (claims["given_name"], claims["age_over_18"]) == ("Mei", True)
    assert "birth_date" not in claims
    checks = [each.check for each in report.findings]
    assert checks == [
        Check.FORMAT,
        Check.SIGNATURE,
        Check.VALIDITY,
        Check.BINDING,
        Check.ISSUER,
        Check.ACCREDITATION,
        Check.STATUS,
        Check.REQUEST,
    ]


def test_the_world_is_asked_as_of_the_time_of_issue():
    counter = Counter()
    counter.judge()
    issued_ms = (NOW - 1_000) * 1_000
    assert ("key", ISSUER, issued_ms) in counter.world.asked
    assert ("standing", ISSUER, VCT, issued_ms) in counter.world.asked
    assert ("status", ISSUER, STATUS) in counter.world.asked


def test_the_request_says_who_asks_for_what_and_how_to_answer():
    counter = Counter()
    asking = counter.ask()
    query = find_query(asking.uri)
    assert asking.uri.startswith("openid4vp://?")
    assert query["client_id"] == CLIENT_ID
    assert query["request_uri_method"] == "post"
    token = counter.verifier.give_request(asking.session_id, "w", NOW_MS)
    jws = decode_jws(token, "it")
    verify_jws(jws, VERIFIER_KEY.public_key, "it")
    assert (jws.header["typ"], jws.header["kid"]) == (
        "oauth-authz-req+jwt",
        "did:hansa:city:bank#1",
    )
    request = jws.decode_claims("it")
    assert request["client_id"] == CLIENT_ID
    assert request["wallet_nonce"] == "w"
    assert request["response_mode"] == "direct_post.jwt"
    assert request["aud"] == "https://self-issued.me/v2"
    assert request["response_uri"].startswith("https://bank.example/verifier/answers/")
    assert request["dcql_query"] == RESIDENT
    assert len(request["nonce"]) >= 22
    (key,) = request["client_metadata"]["jwks"]["keys"]
    assert (key["alg"], key["use"]) == ("ECDH-ES", "enc")
    assert "wallet_nonce" not in counter.fetch(asking)


PRESENTATIONS = [
    ({"signer": OTHER}, (Check.BINDING, Fault.SIGNATURE)),
    ({"challenge": Challenge(CLIENT_ID, "another")}, (Check.BINDING, Fault.NONCE)),
    ({"issued_s": NOW - 4_000}, (Check.BINDING, Fault.EXPIRED)),
    ({"issued_s": NOW + 4_000}, (Check.BINDING, Fault.NOT_YET_VALID)),
    ({"paths": [("given_name",)]}, (Check.REQUEST, Fault.TYPE)),
    ({"credential": issue(holder_key=None)}, (Check.BINDING, Fault.BINDING)),
    ({"credential": issue(expires_s=NOW - 100)}, (Check.VALIDITY, Fault.EXPIRED)),
    ({"credential": issue(not_before_s=NOW + 100)}, (Check.VALIDITY, Fault.NOT_YET_VALID)),
    ({"credential": issue(issued_s=NOW + 100)}, (Check.VALIDITY, Fault.NOT_YET_VALID)),
    ({"credential": issue(signer=OTHER)}, (Check.SIGNATURE, Fault.ALGORITHM)),
    (
        {"credential": issue(signer=load_private_key(KeyKind.ED25519, b"\x09" * 32))},
        (Check.SIGNATURE, Fault.SIGNATURE),
    ),
    ({"credential": issue(issuer="did:hansa:city:thief")}, (Check.ISSUER, Fault.UNRESOLVED)),
    ({"credential": issue(vct="urn:city:other")}, (Check.REQUEST, Fault.TYPE)),
]


@pytest.mark.parametrize(("how", "fault"), PRESENTATIONS)
def test_what_is_wrong_with_a_presentation_is_found(how, fault):
    counter = Counter()
    audience = how.get("challenge")
    report = counter.judge(**how)
    assert fault in faults_of(report), (audience, report.findings)
    assert not report.is_accepted
    assert report.claims == {}


def test_a_presentation_for_another_verifier_is_found():
    counter = Counter()
    asking = counter.ask()
    request = counter.fetch(asking)
    challenge = Challenge("x509_san_dns:evil.example", request["nonce"])
    token = {"resident": [counter.present(request, challenge=challenge)]}
    counter.answer(asking, request, token)
    assert (Check.BINDING, Fault.AUDIENCE) in faults_of(counter.report(asking))


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (1, Fault.REVOKED),
        (2, Fault.SUSPENDED),
        (3, Fault.STATUS),
        (Unsound(Fault.STATUS, "the list cannot be read"), Fault.STATUS),
    ],
)
def test_a_status_other_than_valid_is_found(status, fault):
    counter = Counter()
    counter.world.status = status
    assert faults_of(counter.judge()) == {(Check.STATUS, fault)}


def test_a_status_is_told_as_of_when_its_list_said_so(counter):
    (text,) = [each.text for each in counter.judge().findings if each.check is Check.STATUS]
    assert text == "it is neither revoked nor suspended, as of 2026-11-29T11:56:00Z"


def test_an_issuer_that_is_not_accredited_is_found():
    counter = Counter()
    counter.world.standing = Standing(is_accredited=False, text="it was accredited on 2 May")
    report = counter.judge()
    assert faults_of(report) == {(Check.ACCREDITATION, Fault.ACCREDITATION)}
    assert "it was accredited on 2 May" in list_faults(report.findings)[0]


@pytest.mark.parametrize(
    ("anchored_ms", "is_accepted"),
    [(None, False), (NOW_MS - DAY_MS, False), (NOW_MS - 2 * DAY_MS, True)],
)
def test_an_issuer_that_was_suspended_since_is_believed_only_what_it_had_anchored(
    anchored_ms, is_accepted
):
    counter = Counter()
    counter.world.standing = Standing(
        is_accredited=True, text="accredited", lost_since_ms=NOW_MS - DAY_MS
    )
    counter.world.anchored_ms = anchored_ms
    report = counter.judge(credential=issue(issued_s=NOW - 3 * 86_400))
    assert report.is_accepted is is_accepted
    if not is_accepted:
        assert faults_of(report) == {(Check.ACCREDITATION, Fault.ACCREDITATION)}


@pytest.mark.parametrize(
    ("anchored_ms", "is_accepted"), [(None, False), (NOW_MS - 2 * DAY_MS, True)]
)
def test_a_key_that_was_replaced_is_believed_only_what_was_anchored(anchored_ms, is_accepted):
    counter = Counter()
    counter.world.keys[ISSUER] = IssuerKey(ISSUER, ISSUER_KEY.public_key, NOW_MS - DAY_MS)
    counter.world.anchored_ms = anchored_ms
    assert counter.judge().is_accepted is is_accepted


def test_nothing_is_lost_while_the_ledger_does_not_answer():
    counter = Counter()
    counter.world.status = Unavailable("the node does not answer")
    asking = counter.ask()
    request = counter.fetch(asking)
    token = {"resident": [counter.present(request)]}
    with pytest.raises(Unavailable):
        counter.answer(asking, request, token)
    verifier = counter.verifier
    assert verifier.get_session(asking.session_id, counter.now_ms).trouble == (
        "the node does not answer"
    )
    assert counter.report(asking) is None
    counter.world.status = 0
    counter.answer(asking, request, token)
    assert counter.report(asking).is_accepted
    assert verifier.get_session(asking.session_id, counter.now_ms).trouble == ""


def test_sessions_are_listed_newest_first_until_their_time_is_over():
    counter = Counter()
    asked = []
    for _ in range(3):
        asked.append(counter.ask().session_id)
        counter.now_ms += 60_000

    def list_sessions(limit=9):
        found = counter.verifier.list_sessions(counter.now_ms, limit)
        return [each.id for each in found]

    assert list_sessions() == asked[::-1]
    assert list_sessions(1) == asked[-1:]
    counter.now_ms += 600_000 - 3 * 60_000
    assert list_sessions() == asked[:0:-1]


PAYMENT = {"type": "payment", "credential_ids": ["resident"], "amount": "10000", "payee": "shop"}


def hashes_of(request, name="sha-256"):
    compute = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}[name]
    return [
        encode_base64url(compute(each.encode()).digest()) for each in request["transaction_data"]
    ]


@pytest.mark.parametrize("algorithm", [None, "sha-512"])
def test_the_holder_authorises_a_transaction(algorithm):
    counter = Counter()
    asking = counter.ask(transactions=[PAYMENT])
    request = counter.fetch(asking)
    (data,) = request["transaction_data"]
    assert json.loads(decode_base64url(data, "it")) == PAYMENT
    binding = {"transaction_data_hashes": hashes_of(request, algorithm or "sha-256")}
    if algorithm:
        binding["transaction_data_hashes_alg"] = algorithm
    counter.answer(asking, request, {"resident": [counter.present(request, binding=binding)]})
    assert counter.report(asking).is_accepted


@pytest.mark.parametrize(
    "binding",
    [
        {},
        {"transaction_data_hashes": []},
        {"transaction_data_hashes": ["x"]},
        {"transaction_data_hashes": "x"},
        {"transaction_data_hashes": ["x"], "transaction_data_hashes_alg": "md5"},
        {"transaction_data_hashes": ["x"], "transaction_data_hashes_alg": {}},
    ],
)
def test_a_transaction_that_the_holder_did_not_sign_is_found(binding):
    report = Counter().judge(ask={"transactions": [PAYMENT]}, binding=binding)
    assert (Check.TRANSACTION, Fault.BINDING) in faults_of(report)


@pytest.mark.parametrize(
    "transaction",
    [{}, {"type": "x"}, {"type": "x", "credential_ids": []}, PAYMENT | {"credential_ids": ["y"]}],
)
def test_an_unsound_transaction_is_not_asked_for(transaction):
    with pytest.raises(Unsound, match="a transaction has a type"):
        Counter().ask(transactions=[transaction])


def test_a_session_takes_one_answer_and_ends():
    counter = Counter()
    asking = counter.ask()
    request = counter.fetch(asking)
    assert counter.report(asking) is None
    token = {"resident": [counter.present(request)]}
    counter.answer(asking, request, token)
    for late in (lambda: counter.answer(asking, request, token), lambda: counter.fetch(asking)):
        with pytest.raises(NotFound):
            late()
    counter.now_ms += 3_600_000
    with pytest.raises(NotFound):
        counter.report(asking)
    late = counter.ask()
    counter.now_ms += 600_000
    with pytest.raises(NotFound):
        counter.fetch(late)


def test_only_who_began_on_this_device_sees_the_report():
    counter = Counter()
    asking = counter.ask(redirect_uri="https://bank.example/back")
    request = counter.fetch(asking)
    answer = counter.answer(asking, request, {"resident": [counter.present(request)]})
    place, _, code = answer["redirect_uri"].partition("#response_code=")
    assert place == "https://bank.example/back"
    assert counter.report(asking, code).is_accepted
    for other in ("", "x", code[:-1], "ä"):
        with pytest.raises(NotFound):
            counter.report(asking, other)


def test_the_code_comes_in_the_query_where_the_address_says_so():
    counter = Counter()
    asking = counter.ask(redirect_uri="https://bank.example/back?response_code=")
    request = counter.fetch(asking)
    answer = counter.answer(asking, request, {"resident": [counter.present(request)]})
    code = answer["redirect_uri"].removeprefix("https://bank.example/back?response_code=")
    assert counter.report(asking, code).is_accepted


def test_across_devices_nothing_goes_back(counter):
    asking = counter.ask()
    request = counter.fetch(asking)
    assert counter.answer(asking, request, {"resident": [counter.present(request)]}) == {}


def test_a_wallet_may_say_no():
    counter = Counter()
    asking = counter.ask()
    request = counter.fetch(asking)
    sent = {"error": "access_denied", "error_description": "no\x1b[31m", "state": request["state"]}
    counter.send(asking, sent)
    report = counter.report(asking)
    assert not report.is_accepted
    assert list_faults(report.findings) == ["the wallet presents nothing: access_denied no[31m"]


@pytest.mark.parametrize("state", [None, "", "another"])
def test_an_answer_to_another_request_leaves_the_session_open(counter, state):
    asking = counter.ask()
    request = counter.fetch(asking)
    with pytest.raises(Unsound) as caught:
        counter.answer(asking, request, {"resident": [counter.present(request)]}, state=state)
    assert caught.value.fault is Fault.NONCE
    assert counter.report(asking) is None


def test_an_open_answer_is_refused_where_it_must_be_encrypted():
    counter = Counter()
    asking = counter.ask()
    request = counter.fetch(asking)
    token = json.dumps({"resident": [counter.present(request)]})
    with pytest.raises(Unsound):
        counter.send(asking, {"vp_token": token, "state": request["state"]})


@pytest.mark.parametrize("token", [None, [], "x", {"resident": "x"}, {"resident": ["x"] * 17}])
def test_an_answer_of_another_shape_is_refused(counter, token):
    asking = counter.ask()
    request = counter.fetch(asking)
    with pytest.raises(Unsound):
        counter.answer(asking, request, token)


@pytest.mark.parametrize("presented", [1, None, {}, "", "x", "a.b.c~", "~"])
def test_a_presentation_of_another_shape_is_found(presented):
    report = Counter().judge(presented)
    assert Check.FORMAT in {check for check, _ in faults_of(report)}


def test_nothing_presented_is_found():
    counter = Counter()
    asking = counter.ask()
    counter.answer(asking, counter.fetch(asking), {})
    assert faults_of(counter.report(asking)) == {(Check.REQUEST, Fault.TYPE)}


def test_a_format_that_is_not_known_is_found():
    query = {"credentials": [{"id": "resident", "format": "ac_vp", "meta": {}}]}
    report = Counter().judge("x", query=query)
    assert (Check.FORMAT, Fault.UNSUPPORTED) in faults_of(report)


def test_without_binding_nobody_need_sign():
    query = json.loads(json.dumps(RESIDENT))
    query["credentials"][0]["require_cryptographic_holder_binding"] = False
    report = Counter().judge(query=query)
    assert report.is_accepted
    assert Check.BINDING not in {each.check for each in report.findings}


def test_a_verifier_may_be_known_by_its_certificate():
    key = ec.derive_private_key(int.from_bytes(VERIFIER_KEY.secret, "big"), ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bank")])
    day = datetime(2026, 11, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(day)
        .not_valid_after(day + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("bank.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    der = certificate.public_bytes(Encoding.DER)
    assert list_names(certificate) == (["bank.example"], [])
    by_host = VerifierIdentity.of_host("bank.example", (der,), VERIFIER_KEY)
    assert by_host.client_id == "x509_san_dns:bank.example"
    with pytest.raises(Unsound, match="not for the domain"):
        VerifierIdentity.of_host("other.example", (der,), VERIFIER_KEY)
    by_hash = VerifierIdentity.of_certificate((der,), VERIFIER_KEY)
    assert by_hash.client_id.startswith("x509_hash:")
    assert len(by_hash.client_id) == len("x509_hash:") + 43
    with pytest.raises(Unsound, match="cannot be read"):
        VerifierIdentity.of_host("bank.example", (b"x",), VERIFIER_KEY)


def test_a_verifier_says_what_the_answer_is_bound_to_and_until_when_it_is_taken():
    told = []
    counter = Counter(accept=told.append)
    day = Commitment("n-of-a-wallet", NOW_MS + DAY_MS)
    asking = counter.ask(commitment=day)
    counter.now_ms += DAY_MS - 1
    request = counter.fetch(asking)
    assert (request["nonce"], request["exp"]) == ("n-of-a-wallet", NOW + DAY_MS // 1_000)
    shown = counter.present(request, issue(expires_s=NOW + DAY_MS))
    counter.answer(asking, request, {"resident": [shown]})
    assert counter.report(asking).is_accepted
    assert [each.session_id for each in told] == [asking.session_id]
    counter.now_ms = NOW_MS
    late = counter.ask(commitment=day)
    counter.now_ms += DAY_MS
    with pytest.raises(NotFound):
        counter.fetch(late)


@settings(max_examples=1_500 if IS_SOAK else 60)
@given(
    st.dictionaries(
        st.sampled_from(["response", "vp_token", "state", "error"]), st.text(max_size=30)
    ),
    st.booleans(),
)
def test_any_answer_is_judged_or_refused(parameters, encrypts):
    counter = Counter(encrypts=encrypts)
    asking = counter.ask()
    with pytest.raises(Unsound):
        counter.send(asking, parameters)


@settings(max_examples=1_500 if IS_SOAK else 60)
@given(st.data())
def test_any_changed_letter_of_a_presentation_is_found(data):
    counter = Counter()
    asking = counter.ask()
    request = counter.fetch(asking)
    text = counter.present(request)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("AQgw_-~."))
    changed = text[:place] + letter + text[place + 1 :]
    counter.answer(asking, request, {"resident": [changed]})
    assert counter.report(asking).is_accepted is (changed == text)


def test_what_opens_an_answer_is_not_kept_once_it_came():
    counter = Counter()
    asking = counter.ask()
    assert counter.verifier.get_session(asking.session_id, NOW_MS).secret
    request = counter.fetch(asking)
    counter.answer(asking, request, {"resident": [counter.present(request)]})
    assert counter.report(asking).is_accepted
    assert counter.verifier.get_session(asking.session_id, NOW_MS).secret == ""
