"""A verifier by OpenID4VP that asks for mobile documents."""

import base64

import pytest
from cbor2 import CBORTag
from tests.unit.identity.verifier.certifying import certify
from tests.unit.identity.verifier.playing import (
    DAY_MS,
    HOLDER,
    ISSUER,
    NOW_MS,
    OTHER,
    STATUS,
    Counter,
    draw_from,
)

from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.encoding.cbor import TAG_DATE
from hansa.identity.faults import Fault
from hansa.identity.keys.jwk import compute_thumbprint, read_jwk
from hansa.identity.mdoc.issuing import Draft, issue_mdoc
from hansa.identity.mdoc.presenting import Selection, create_device_response
from hansa.identity.mdoc.security_object import Validity
from hansa.identity.mdoc.transcripts import create_redirect_transcript
from hansa.identity.verifier.findings import Check, list_faults
from hansa.identity.verifier.registry import IssuerKey

DOC_TYPE = "mo.city.resident.1"
CERTIFICATE = certify(OTHER)
ELEMENTS = {
    "given_name": "Mei",
    "birth_date": CBORTag(TAG_DATE, "1999-01-01"),
    "portrait": b"\xff\xd8\xff",
    "addresses": [{"since": CBORTag(0, "2020-01-01T00:00:00Z"), 1: None}],
}
DRAFT = Draft(
    DOC_TYPE,
    {DOC_TYPE: ELEMENTS},
    HOLDER.public_key,
    Validity(NOW_MS - DAY_MS, NOW_MS - DAY_MS, NOW_MS + DAY_MS),
    STATUS,
)


def ask_for(**values):
    claims = [
        {"path": [DOC_TYPE, name]} | ({"values": [values[name]]} if name in values else {})
        for name in ELEMENTS
    ]
    meta = {"doctype_value": DOC_TYPE}
    return {
        "credentials": [{"id": "resident", "format": "mso_mdoc", "meta": meta, "claims": claims}]
    }


@pytest.fixture(params=[True, False], ids=["encrypted", "open"])
def counter(request):
    counter = Counter(encrypts=request.param)
    chain = (base64.b64encode(CERTIFICATE).decode(),)
    counter.world.keys[chain] = IssuerKey(ISSUER, OTHER.public_key)
    return counter


def judge(counter, query, nonce="", **changes):
    asking = counter.ask(query)
    request = counter.fetch(asking)
    thumbprint = None
    if "client_metadata" in request and "jwks" in request["client_metadata"]:
        (key,) = request["client_metadata"]["jwks"]["keys"]
        thumbprint = decode_base64url(compute_thumbprint(read_jwk(key)), "it")
    transcript = create_redirect_transcript(
        request["client_id"], nonce or request["nonce"], request["response_uri"], thumbprint
    )
    issued = issue_mdoc(DRAFT._replace(**changes), OTHER, [CERTIFICATE], draw_from())
    selection = Selection(issued, {DOC_TYPE: [*ELEMENTS]}, HOLDER)
    shown = encode_base64url(create_device_response([selection], transcript))
    counter.answer(asking, request, {"resident": [shown]})
    return counter.report(asking)


def test_a_document_is_accepted_and_its_claims_are_json(counter):
    report = judge(counter, ask_for())
    assert list_faults(report.findings) == []
    assert report.claims["resident"] == [
        {
            DOC_TYPE: {
                "given_name": "Mei",
                "birth_date": "1999-01-01",
                "portrait": "_9j_",
                "addresses": [{"since": "2020-01-01T00:00:00Z", "1": None}],
            }
        }
    ]


def test_values_of_a_query_are_compared_as_json(counter):
    assert judge(counter, ask_for(birth_date="1999-01-01")).is_accepted
    report = judge(counter, ask_for(birth_date="1999-01-02"))
    assert {(each.check, each.fault) for each in report.findings if each.fault} == {
        (Check.REQUEST, Fault.TYPE)
    }


def test_a_document_for_another_request_is_found(counter):
    report = judge(counter, ask_for(), nonce="another")
    assert Fault.BINDING in {each.fault for each in report.findings}
    assert not report.is_accepted


def test_an_expired_document_is_found(counter):
    past = Validity(NOW_MS - 3 * DAY_MS, NOW_MS - 3 * DAY_MS, NOW_MS - DAY_MS)
    report = judge(counter, ask_for(), validity=past)
    assert Fault.EXPIRED in {each.fault for each in report.findings}
    assert not report.is_accepted
