"""A wallet that holds mobile documents, and shows them to our verifier."""

import base64

import pytest
from tests.unit.identity.issuer.playing import URL
from tests.unit.identity.verifier.certifying import certify
from tests.unit.identity.verifier.playing import (
    DAY_MS,
    ISSUER,
    NOW_MS,
    OTHER,
    VERIFIER_KEY,
    draw_from,
)
from tests.unit.identity.wallet.playing import KEYS, WALLET_KEYS, RealCounter, hold

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.encoding.cbor import TAG_DATE, CBORTag
from hansa.identity.faults import Fault, Unsound
from hansa.identity.mdoc.issuing import Draft, issue_mdoc
from hansa.identity.mdoc.security_object import Validity
from hansa.identity.verifier.registry import IssuerKey
from hansa.identity.wallet.holdings import Origin, describe, take_credential
from hansa.identity.wallet.presenting import present, propose
from hansa.identity.wallet.requests import KeyFinder, read_invitation, read_request

DOC_TYPE = "mo.city.resident.1"
CERTIFICATE = certify(OTHER)
ELEMENTS = {
    DOC_TYPE: {"given_name": "Mei", "birth_date": CBORTag(TAG_DATE, "1999-01-01"), "age": 27},
    "extra": {"district": "Taipa"},
}


def issue(key=KEYS[0]):
    validity = Validity(NOW_MS - DAY_MS, NOW_MS - DAY_MS, NOW_MS + DAY_MS)
    draft = Draft(DOC_TYPE, ELEMENTS, key.public_key, validity)
    return encode_base64url(issue_mdoc(draft, OTHER, [CERTIFICATE], draw_from()))


def take(credential):
    return take_credential(
        "mso_mdoc", credential, holding_id="h0", origin=Origin(URL, NOW_MS), keys=WALLET_KEYS
    )


@pytest.fixture(params=[True, False], ids=["encrypted", "open"])
def counter(request):
    counter = RealCounter(encrypts=request.param)
    chain = (base64.b64encode(CERTIFICATE).decode(),)
    counter.world.keys[chain] = IssuerKey(ISSUER, OTHER.public_key)
    return counter


def ask_for(*paths, **more):
    query = {"id": "resident", "format": "mso_mdoc", "meta": {"doctype_value": DOC_TYPE}}
    if paths:
        query["claims"] = [{"path": list(path)} for path in paths]
    return {"credentials": [query | more]}


def read(counter, asking):
    invitation = read_invitation(asking.uri)
    token = counter.fetch_token(invitation, "w")
    finder = KeyFinder(lambda _: VERIFIER_KEY.public_key, [], NOW_MS)
    return read_request(token, invitation, "w", finder, NOW_MS)


def show(counter, query, **how):
    asking = counter.ask(query, **how)
    holding = take(issue())
    proposal = propose(read(counter, asking), [holding])
    answered = hold(
        present(proposal, [holding], WALLET_KEYS.get, NOW_MS, draw_from()), counter.serve
    )
    return answered, counter.report(asking)


def test_elements_are_shown_as_far_as_they_are_asked_for(counter):
    paths = ((DOC_TYPE, "birth_date"), ("extra", "district"))
    answered, report = show(counter, ask_for(*paths))
    assert report.is_accepted, report
    assert report.claims["resident"] == [
        {DOC_TYPE: {"birth_date": "1999-01-01"}, "extra": {"district": "Taipa"}}
    ]
    assert answered.disclosures[0].paths == paths


def test_a_document_may_be_shown_without_an_element(counter):
    _, report = show(counter, ask_for())
    assert report.is_accepted, report
    assert report.claims["resident"] == [{}]


def test_a_document_is_described_as_queries_see_it():
    candidate = describe(take(issue()))
    assert (candidate.types, candidate.is_bound) == (frozenset([DOC_TYPE]), True)
    assert candidate.claims[DOC_TYPE]["birth_date"] == "1999-01-01"


@pytest.mark.parametrize("path", [(DOC_TYPE,), ("extra", "district", 0), (DOC_TYPE, None)])
def test_other_paths_show_nothing(counter, path):
    with pytest.raises(Unsound) as caught:
        show(counter, ask_for(path))
    assert caught.value.fault in {Fault.MALFORMED, Fault.UNRESOLVED}


@pytest.mark.parametrize("credential", [None, {}, "", "!", "AA", issue(KEYS[0])[:-8]])
def test_what_is_no_document_is_not_taken(credential):
    with pytest.raises(Unsound):
        take(credential)


def test_a_document_of_somebody_else_is_not_taken():
    with pytest.raises(Unsound) as caught:
        take(issue(OTHER))
    assert caught.value.fault is Fault.BINDING


def test_a_document_authorises_no_transaction(counter):
    payment = {"type": "payment", "credential_ids": ["resident"], "amount": "12.50"}
    with pytest.raises(Unsound, match="authorises no transactions") as caught:
        show(counter, ask_for((DOC_TYPE, "age")), transactions=[payment])
    assert caught.value.fault is Fault.UNSUPPORTED
