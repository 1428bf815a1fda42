"""What an issuer says to a wallet is read strictly, and leads it nowhere but by https."""

import json
from urllib.parse import parse_qsl

import msgspec
import pytest
from tests.unit.identity.issuer.playing import URL
from tests.unit.identity.wallet.playing import RealIssuer, answer, hold, known_instance

from hansa.identity.faults import Unsound
from hansa.identity.issuer.metadata import PRE_AUTHORIZED_CODE, build_issuer_metadata
from hansa.identity.issuer.offers import Offer
from hansa.identity.wallet.addresses import read_address
from hansa.identity.wallet.receiving import (
    Access,
    Authorization,
    begin_authorization,
    discover,
    finish_authorization,
    redeem_offer,
    request_credential,
)


def offer_of(url, name, **grants):
    return Offer(credential_issuer=url, credential_configuration_ids=(name,), grants=grants)


def say(**changes):
    told = build_issuer_metadata(RealIssuer().settings, None) | changes
    return lambda _request: answer(told)


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "javascript:alert(1)", "https://[x", "x"]
)
def test_metadata_that_would_send_the_wallet_elsewhere_than_by_https_are_refused(url):
    for changes in ({"credential_endpoint": url}, {"authorization_servers": [url]}):
        with pytest.raises(Unsound, match="no sound https address"):
            hold(discover(offer_of(URL, "resident")), say(**changes))
    with pytest.raises(Unsound, match="no sound https address"):
        hold(discover(offer_of(url, "resident")), say())


@pytest.mark.parametrize("returned", ["https://[x?state=s", "", "?state=s&state=s", "?a=1&b"])
def test_what_a_browser_brings_back_is_read_or_refused(returned):
    source = hold(discover(offer_of(URL, "resident")), RealIssuer().serve)
    begun = Authorization("https://x.example", "s", "v")
    with pytest.raises(Unsound):
        hold(finish_authorization(source, begun, returned, known_instance()), say())


@pytest.mark.parametrize("identifiers", [{"a": 1}, 5, "x"])
def test_a_token_of_another_shape_breaks_nothing(identifiers):
    source = hold(discover(offer_of(URL, "note")), RealIssuer().serve)
    details = {"credential_configuration_id": "note", "credential_identifiers": identifiers}
    sent = []

    def serve(request):
        sent.append(json.loads(request.body))
        return answer({"credentials": [{"credential": "x"}]})

    access = Access("t", "bearer", (details,))
    hold(request_credential(source, access, "note", [], known_instance()), serve)
    assert sent == [{"credential_configuration_id": "note"}]
    with pytest.raises(Unsound, match="has no credential"):
        hold(request_credential(source, access, "other", [], known_instance()), serve)


@pytest.mark.parametrize("server", [URL, "https://login.example"])
def test_a_server_of_several_issuers_is_told_for_whom_its_token_is(server):
    """Or an issuer that names an honest one's server would get a token that counts there."""
    source = hold(discover(offer_of(URL, "note")), RealIssuer().serve)
    source = source._replace(server=msgspec.structs.replace(source.server, issuer=server))
    offer = offer_of(URL, "note", **{PRE_AUTHORIZED_CODE: {"pre-authorized_code": "c"}})
    sent = []

    def serve(request):
        sent.append(dict(parse_qsl(request.body.decode())).get("resource"))
        told = {"access_token": "t", "token_type": "bearer", "request_uri": "urn:x"}
        return answer(told)

    hold(redeem_offer(source, offer, "", known_instance()), serve)
    hold(begin_authorization(source, offer, known_instance()), serve)
    assert sent == [None if server == URL else URL] * 2


def test_a_token_that_would_end_a_header_is_refused():
    source = hold(discover(offer_of(URL, "note")), RealIssuer().serve)
    offer = offer_of(URL, "note", **{PRE_AUTHORIZED_CODE: {"pre-authorized_code": "c"}})
    told = answer({"access_token": "t\r\nx: y", "token_type": "bearer"})
    with pytest.raises(Unsound, match="letters that do not belong"):
        hold(redeem_offer(source, offer, "", known_instance()), lambda _request: told)


@pytest.mark.parametrize(
    ("url", "is_sound"),
    [
        ("http://127.0.0.1:8470/x", True),
        ("http://[::1]:8470", True),
        ("https://127.0.0.1", True),
        ("http://127.0.0.1@evil.example/", False),
        ("http://127.0.0.2/", False),
        ("http://localhost/", False),
        ("http://evil.example/127.0.0.1", False),
        ("javascript://127.0.0.1/", False),
    ],
)
def test_this_machine_may_be_asked_only_to_try_things_out(url, is_sound):
    if is_sound:
        read_address(url, "it", may_be_near=True)
    else:
        with pytest.raises(Unsound, match="no sound https address"):
            read_address(url, "it", may_be_near=True)
    if url.startswith("http:"):
        with pytest.raises(Unsound):
            read_address(url, "it")
