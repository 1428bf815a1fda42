"""A wallet receives from our issuer and presents to our verifier, and trusts neither blindly."""

import json
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.identity.issuer.playing import URL
from tests.unit.identity.verifier.playing import (
    CLIENT_ID,
    NOW_MS,
    OTHER,
    RESIDENT,
    VERIFIER_KEY,
    draw_from,
)
from tests.unit.identity.wallet.playing import (
    KEYS,
    WALLET_KEYS,
    RealCounter,
    RealIssuer,
    answer,
    hold,
    instance,
    known_instance,
    read_payload,
    take,
)

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.issuer.offers import read_offer_uri, write_offer_uri
from hansa.identity.jose.jws import sign_jws
from hansa.identity.wallet.conversation import HttpResponse
from hansa.identity.wallet.holdings import describe
from hansa.identity.wallet.presenting import decline, present, propose
from hansa.identity.wallet.receiving import (
    begin_authorization,
    discover,
    fetch_deferred,
    finish_authorization,
    notify,
    redeem_offer,
    request_credential,
)
from hansa.identity.wallet.requests import (
    Invitation,
    KeyFinder,
    read_invitation,
    read_request,
    read_transaction,
)
from hansa.identity.wallet.telling import list_lines

CLAIMS = {"given_name": "Mei", "age_over_18": True, "birth_date": "1999-01-01"}
KID = "did:hansa:city:bank#1"


@pytest.fixture
def issuer():
    return RealIssuer()


@pytest.fixture
def counter():
    return RealCounter()


def receive(issuer, *wanted, keys=KEYS[:1], needs_tx_code=False):
    """Go from an offer's URI to credentials; returns source, access and what was received."""
    offered = issuer.offer(*(wanted or [("resident", CLAIMS)]), needs_tx_code=needs_tx_code)
    offer = read_offer_uri(write_offer_uri(offered.offer))
    wallet = instance()
    source = hold(discover(offer), issuer.serve)
    access = hold(redeem_offer(source, offer, offered.tx_code, wallet), issuer.serve)
    (first, *_) = offer.credential_configuration_ids
    received = hold(request_credential(source, access, first, keys, wallet), issuer.serve)
    return offered, source, access, received


def resolve(kid):
    if kid != KID:
        raise Unsound(Fault.UNRESOLVED, f"nobody knows {kid}")
    return VERIFIER_KEY.public_key


def read(counter, asking, wallet_nonce="w", **changes):
    invitation = read_invitation(asking.uri)
    token = counter.fetch_token(invitation, wallet_nonce)
    finder = KeyFinder(resolve, [], NOW_MS)
    return read_request(token, invitation, wallet_nonce, finder, NOW_MS)


def find_signer(key):
    return WALLET_KEYS[key]


@pytest.mark.parametrize("needs_tx_code", [False, True])
def test_a_credential_is_received_and_shown_as_far_as_it_is_asked_for(
    issuer, counter, needs_tx_code
):
    *_, received = receive(issuer, needs_tx_code=needs_tx_code)
    holding = take(received)
    asking = counter.ask()
    request = read(counter, asking)
    proposal = propose(request, [holding])
    assert proposal.matches["resident"].paths == (("given_name",), ("age_over_18",))
    answered = hold(present(proposal, [holding], find_signer, NOW_MS, draw_from()), counter.serve)
    report = counter.report(asking)
    assert report.is_accepted, report
    (claims,) = report.claims["resident"]
    assert "birth_date" not in claims
    (disclosure,) = answered.disclosures
    assert (disclosure.verifier, disclosure.holding_id) == (CLIENT_ID, "h0")
    assert disclosure.paths == (("given_name",), ("age_over_18",))


def test_tokens_are_bound_to_the_wallets_key(issuer):
    _, _, access, _ = receive(issuer)
    assert access.token_type == "DPoP"


def test_a_batch_is_bound_to_several_keys(issuer):
    *_, received = receive(issuer, keys=KEYS)
    holdings = [take(received, number) for number in range(3)]
    assert {each.key for each in holdings} == set(WALLET_KEYS)


def test_the_flow_with_a_persons_consent(issuer):
    offered = issuer.offer(("resident", CLAIMS))
    wallet = known_instance()
    source = hold(discover(offered.offer), issuer.serve)
    begun = hold(begin_authorization(source, offered.offer, wallet), issuer.serve)
    query = parse_qs(urlsplit(begun.url).query)
    issuance = issuer.desk.get(offered.issuance_id, NOW_MS)
    (request_uri,) = query["request_uri"]
    back = issuer.server.approve(request_uri, "wallet", issuance, NOW_MS)
    for wrong in (back.replace("state=", "state=x"), back.replace("iss=https", "iss=http")):
        with pytest.raises(Unsound, match="another request"):
            hold(finish_authorization(source, begun, wrong, wallet), issuer.serve)
    access = hold(finish_authorization(source, begun, back, wallet), issuer.serve)
    got = hold(request_credential(source, access, "resident", KEYS[:1], wallet), issuer.serve)
    assert take(got).key == KEYS[0].public_key


def test_a_person_who_declines_gets_nothing(issuer):
    offered = issuer.offer(("resident", CLAIMS))
    wallet = known_instance()
    source = hold(discover(offered.offer), issuer.serve)
    begun = hold(begin_authorization(source, offered.offer, wallet), issuer.serve)
    (request_uri,) = parse_qs(urlsplit(begun.url).query)["request_uri"]
    back = issuer.server.refuse(request_uri, "wallet", NOW_MS)
    with pytest.raises(Unsound, match="declined: access_denied"):
        hold(finish_authorization(source, begun, back, wallet), issuer.serve)


def test_a_credential_that_is_not_ready_is_fetched_later_and_its_fate_told():
    issuer = RealIssuer(notifies_deferred=True)
    offered, source, access, waiting = receive(issuer, ("resident", None))
    assert waiting.transaction_id
    assert waiting.interval_s == 5
    wallet = instance()
    again = hold(fetch_deferred(source, access, waiting, wallet), issuer.serve)
    assert again.transaction_id == waiting.transaction_id
    issuer.desk.complete(f"{offered.issuance_id}.0", CLAIMS, NOW_MS)
    received = hold(fetch_deferred(source, access, again, wallet), issuer.serve)
    assert take(received).credential
    hold(notify(source, access, received, "credential_accepted", wallet), issuer.serve)
    assert issuer.desk.get(offered.issuance_id, NOW_MS).events == ("credential_accepted",)
    with pytest.raises(Unsound, match="invalid_notification_request"):
        hold(notify(source, access, received, "other", wallet), issuer.serve)
    assert (
        hold(notify(source, access, waiting, "credential_accepted", wallet), issuer.serve) is None
    )


def test_a_wallet_that_waited_is_asked_for_no_notification_unless_the_issuer_wants_it(issuer):
    offered, source, access, waiting = receive(issuer, ("resident", None))
    issuer.desk.complete(f"{offered.issuance_id}.0", CLAIMS, NOW_MS)
    received = hold(fetch_deferred(source, access, waiting, instance()), issuer.serve)
    assert take(received).credential
    assert received.notification_id == ""


def test_a_declined_request_is_told_in_the_issuers_words(issuer):
    offered = issuer.offer(("resident", CLAIMS), needs_tx_code=True)
    source = hold(discover(offered.offer), issuer.serve)
    with pytest.raises(Unsound, match="invalid_grant the transaction code is wrong") as caught:
        hold(redeem_offer(source, offered.offer, wrong_code(offered), instance()), issuer.serve)
    assert caught.value.fault is Fault.UNRESOLVED


def wrong_code(offered):
    return "000001" if offered.tx_code == "000000" else "000000"


@pytest.mark.parametrize("typed", ["", "x", "12345", "1234567", "12345x", "\uff11" * 6])
def test_a_code_that_can_be_none_costs_no_try(issuer, typed):
    offered = issuer.offer(("resident", CLAIMS), needs_tx_code=True)
    source = hold(discover(offered.offer), issuer.serve)
    for _ in range(4):
        with pytest.raises(Unsound, match="6 digits: this one was not sent"):
            hold(redeem_offer(source, offered.offer, typed, instance()), issuer.serve)
    code = f" {offered.tx_code[:3]} {offered.tx_code[3:]} "
    assert hold(redeem_offer(source, offered.offer, code, instance()), issuer.serve)


def test_the_last_try_is_told_as_one(issuer):
    offered = issuer.offer(("resident", CLAIMS), needs_tx_code=True)
    source = hold(discover(offered.offer), issuer.serve)
    for told in ("2 more tries", "1 more try", "wrong too often"):
        with pytest.raises(Unsound, match=told):
            hold(redeem_offer(source, offered.offer, wrong_code(offered), instance()), issuer.serve)


def test_offers_and_requests_are_told_apart():
    with pytest.raises(Unsound, match="no offer but a verifier's request"):
        read_offer_uri("openid4vp://?client_id=x&request_uri=https://shop.example/1")
    with pytest.raises(Unsound, match="no request but an issuer's offer"):
        read_invitation("openid-credential-offer://?credential_offer_uri=https://x.example/1")


def obtain(offer):
    """All of it as one conversation."""
    wallet = instance()
    source = yield from discover(offer)
    access = yield from redeem_offer(source, offer, "", wallet)
    return (yield from request_credential(source, access, "resident", KEYS[:1], wallet))


def spoil(serve, path, change):
    """Change what one address answers."""

    def spoiled(request):
        response = serve(request)
        if urlsplit(request.url).path != path:
            return response
        return change(response)

    return spoiled


def changed(**changes):
    def change(response):
        return answer(json.loads(response.body) | changes, response.status)

    return change


ISSUER_PATH, SERVER_PATH = (
    "/.well-known/openid-credential-issuer",
    "/.well-known/oauth-authorization-server",
)


@pytest.mark.parametrize(
    ("path", "change", "words"),
    [
        (ISSUER_PATH, changed(credential_issuer="https://evil.example"), "metadata of"),
        (ISSUER_PATH, changed(credential_configurations_supported={}), "its own 'resident'"),
        (ISSUER_PATH, changed(credential_endpoint=1), "the issuer's metadata"),
        (ISSUER_PATH, changed(authorization_servers=["https://evil.example"]), "metadata of"),
        (SERVER_PATH, changed(issuer="https://evil.example"), "metadata of"),
        (SERVER_PATH, lambda _: HttpResponse(200, b"<html>"), "no sound JSON"),
        (SERVER_PATH, lambda _: HttpResponse(302, b""), "HTTP 302"),
        (SERVER_PATH, lambda _: HttpResponse(500, b"\xff"), "no reason"),
        ("/token", changed(access_token=None), "the access token"),
        ("/nonce", changed(c_nonce=1), "no nonce"),
        ("/credential", changed(credentials=[]), "no credentials"),
        ("/credential", changed(credentials=[{"credential": 1}]), "no credentials"),
        ("/credential", changed(credentials="x"), "no credentials"),
    ],
)
def test_an_issuer_that_answers_nonsense_is_not_believed(issuer, path, change, words):
    serve = spoil(issuer.serve, path, change)
    offer = issuer.offer(("resident", CLAIMS)).offer
    with pytest.raises(Unsound, match=words):
        hold(obtain(offer), serve)


def test_a_credential_bound_to_somebody_elses_key_is_not_taken(issuer):
    *_, received = receive(issuer)
    with pytest.raises(Unsound, match="somebody else") as caught:
        take(received, keys={})
    assert caught.value.fault is Fault.BINDING


@pytest.mark.parametrize("credential", [None, {}, "", "x", "a.b.c~"])
def test_what_is_no_credential_is_not_taken(issuer, credential):
    *_, received = receive(issuer)
    with pytest.raises(Unsound):
        take(received._replace(credentials=(credential,)))


def test_a_credential_without_binding_is_shown_without_signature(issuer, counter):
    *_, received = receive(issuer, ("note", CLAIMS), keys=())
    holding = take(received)
    query = json.loads(json.dumps(RESIDENT))
    query["credentials"][0] |= {
        "meta": {"vct_values": ["urn:city:note"]},
        "require_cryptographic_holder_binding": False,
    }
    asking = counter.ask(query)
    proposal = propose(read(counter, asking), [holding])
    hold(present(proposal, [holding], find_signer, NOW_MS, draw_from()), counter.serve)
    assert counter.report(asking).is_accepted


def test_what_is_missing_is_told_and_nothing_is_shown(issuer, counter):
    *_, received = receive(issuer, ("resident", {"given_name": "Mei"}))
    holding = take(received)
    proposal = propose(read(counter, counter.ask()), [holding])
    assert proposal.missing == ("no credentials for resident",)
    with pytest.raises(Unsound, match="no credentials for resident"):
        hold(present(proposal, [holding], find_signer, NOW_MS, draw_from()), counter.serve)


def test_a_holder_may_say_no(issuer, counter):
    asking = counter.ask()
    hold(decline(read(counter, asking), "I would rather not"), counter.serve)
    report = counter.report(asking)
    assert "I would rather not" in report.findings[0].text


def test_a_transaction_is_authorised_and_remembered(issuer, counter):
    *_, received = receive(issuer)
    holding = take(received)
    payment = {"type": "payment", "credential_ids": ["resident"], "amount": "100"}
    asking = counter.ask(transactions=[payment])
    request = read(counter, asking)
    assert read_transaction(request.transactions[0]) == payment
    proposal = propose(request, [holding])
    answered = hold(present(proposal, [holding], find_signer, NOW_MS, draw_from()), counter.serve)
    assert counter.report(asking).is_accepted
    assert answered.disclosures[0].transactions == request.transactions


def signed(key=VERIFIER_KEY, header=(), **changes):
    """A request of the bank with something changed."""
    told = {
        "client_id": CLIENT_ID,
        "response_type": "vp_token",
        "response_mode": "direct_post",
        "response_uri": "https://bank.example/answers/1",
        "nonce": "n",
        "state": "s",
        "wallet_nonce": "w",
        "dcql_query": RESIDENT,
    } | changes
    kept = {name: value for name, value in told.items() if value is not None}
    shown = {"typ": "oauth-authz-req+jwt", "kid": KID} | dict(header)
    return sign_jws(key, shown, msgspec.json.encode(kept))


def read_signed(token, client_id=CLIENT_ID, roots=()):
    invitation = Invitation(client_id, "https://bank.example/requests/1", uses_post=True)
    return read_request(token, invitation, "w", KeyFinder(resolve, roots, NOW_MS), NOW_MS)


def transaction(**changes):
    told = {"type": "x", "credential_ids": ["resident"]} | changes
    return encode_base64url(json.dumps(told).encode())


def test_a_sound_request_is_read():
    audience = "https://self-issued.me/v2"
    for aud in (None, audience, ["https://wallet.example", audience]):
        assert read_signed(signed(aud=aud)).nonce == "n"
    request = read_signed(signed(transaction_data=[transaction()], unknown=1))
    assert request.response_uri == "https://bank.example/answers/1"
    assert request.encryption_key is None


@pytest.mark.parametrize(
    ("token", "fault"),
    [
        (signed(key=OTHER), Fault.SIGNATURE),
        (signed(header={"typ": "JWT"}), Fault.TYPE),
        (signed(header={"kid": "did:hansa:city:other#1"}), Fault.ISSUER),
        (signed(header={"kid": "did:hansa:city:bank#2"}), Fault.UNRESOLVED),
        (signed(header={"kid": None}), Fault.ISSUER),
        (signed(client_id="decentralized_identifier:did:hansa:city:other"), Fault.ISSUER),
        (signed(wallet_nonce="x"), Fault.NONCE),
        (signed(wallet_nonce=None), Fault.NONCE),
        (signed(aud="https://wallet.example"), Fault.AUDIENCE),
        (signed(aud=["https://wallet.example"]), Fault.AUDIENCE),
        (signed(aud=[]), Fault.AUDIENCE),
        (signed(aud=1), Fault.MALFORMED),
        (signed(nonce=""), Fault.NONCE),
        (signed(nonce=None), Fault.MALFORMED),
        (signed(exp=NOW_MS // 1_000), Fault.EXPIRED),
        (signed(response_type="code"), Fault.UNSUPPORTED),
        (signed(response_mode="fragment"), Fault.UNSUPPORTED),
        (signed(response_uri="http://bank.example"), Fault.MALFORMED),
        (signed(redirect_uri="https://bank.example"), Fault.MALFORMED),
        (signed(dcql_query={}), Fault.MALFORMED),
        (signed(dcql_query=None), Fault.MALFORMED),
        (signed(response_mode="direct_post.jwt"), Fault.UNSUPPORTED),
        (signed(response_mode="direct_post.jwt", client_metadata={"jwks": 1}), Fault.UNSUPPORTED),
        (signed(transaction_data=["%"]), Fault.MALFORMED),
        (signed(transaction_data=[transaction(credential_ids=["x"])]), Fault.MALFORMED),
        (signed(transaction_data=[transaction(credential_ids="resident")]), Fault.MALFORMED),
        (signed(transaction_data=[transaction()] * 9), Fault.TOO_LARGE),
        ("x", Fault.MALFORMED),
    ],
)
def test_a_request_that_does_not_hold_is_refused(token, fault):
    with pytest.raises(Unsound) as caught:
        read_signed(token)
    assert caught.value.fault is fault


@pytest.mark.parametrize(
    "client_id", ["bank", "redirect_uri:https://bank.example", "origin:https://bank.example", ""]
)
def test_verifiers_of_other_kinds_are_refused(client_id):
    with pytest.raises(Unsound) as caught:
        read_signed(signed(client_id=client_id), client_id)
    assert caught.value.fault is Fault.UNSUPPORTED


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "openid4vp://",
        "openid4vp://?client_id=a",
        "openid4vp://?client_id=a&client_id=b&request_uri=c",
        "x" * 300_000,
    ],
)
def test_what_is_no_invitation_is_refused(uri):
    with pytest.raises(Unsound):
        read_invitation(uri)


def test_an_invitation_is_read(counter):
    asking = counter.ask()
    invitation = read_invitation(asking.uri)
    assert invitation.client_id == CLIENT_ID
    assert invitation.uses_post
    assert read_payload(counter.fetch_token(invitation))["client_id"] == CLIENT_ID


def test_a_description_tells_types_and_claims(issuer):
    *_, received = receive(issuer)
    candidate = describe(take(received))
    assert candidate.types == {"urn:city:resident"}
    assert candidate.claims["given_name"] == "Mei"
    assert candidate.is_bound


@given(st.binary(max_size=60), st.sampled_from([200, 201, 202, 204, 400, 500]))
def test_any_answer_is_read_or_refused(body, status):
    offer = RealIssuer().offer(("resident", CLAIMS)).offer
    with pytest.raises(Unsound):
        hold(discover(offer), lambda _request: HttpResponse(status, body))
    assert offer.credential_issuer == URL


def test_an_address_as_a_name_is_written_as_it_is():
    (outer, inner) = list_lines({"pairwise_subjects": {"hansa1" + "q" * 58: "name"}})
    assert (outer.name, inner.name) == ("Pairwise subjects", "hansa1" + "q" * 58)
