"""Offers and metadata as OpenID4VCI writes them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.issuer.configurations import (
    ClaimDescription,
    Configuration,
    IssuerSettings,
    Rules,
)
from hansa.identity.issuer.issuances import IssuanceDesk
from hansa.identity.issuer.metadata import (
    build_issuer_metadata,
    build_server_metadata,
    locate_metadata,
    sign_issuer_metadata,
)
from hansa.identity.issuer.offers import (
    Offer,
    build_offer,
    read_offer,
    read_offer_uri,
    write_offer_uri,
    write_reference_uri,
)
from hansa.identity.jose.jws import decode_jws, verify_jws
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.store import MemoryStore

KEY = load_private_key(KeyKind.P256, b"\x01" * 32)
URL = "https://issuer.example/desk"

# OpenID4VCI 1.0, section 4.1.2: the offer in the QR code of a driving licence office.
EXAMPLE = (
    "openid-credential-offer://?credential_offer=%7B%22credential_issuer%22:%22https://credential"
    "-issuer.example.com%22,%22credential_configuration_ids%22:%5B%22org.iso.18013.5.1.mDL%22%5D,"
    "%22grants%22:%7B%22urn:ietf:params:oauth:grant-type:pre-authorized_code%22:%7B%22pre-author"
    "ized_code%22:%22oaKazRN8I0IbtZ0C7JuMn5%22,%22tx_code%22:%7B%22input_mode%22:%22text%22,%22d"
    "escription%22:%22Please%20enter%20the%20serial%20number%20of%20your%20physical%20drivers%20"
    "license%22%7D%7D%7D%7D"
)


def test_the_example_of_the_specification_is_read():
    offer = read_offer_uri(EXAMPLE)
    assert offer.credential_issuer == "https://credential-issuer.example.com"
    assert offer.credential_configuration_ids == ("org.iso.18013.5.1.mDL",)
    assert offer.pre_authorized_code == "oaKazRN8I0IbtZ0C7JuMn5"
    assert offer.tx_code["input_mode"] == "text"
    assert offer.issuer_state == ""


def test_an_offer_by_reference_leads_to_its_address():
    uri = (
        "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fserver%2Eexample%2Ecom"
        "%2Fcredential-offer%2FGkurKxf5T0Y"
    )
    assert read_offer_uri(uri) == "https://server.example.com/credential-offer/GkurKxf5T0Y"
    assert read_offer_uri(write_reference_uri(f"{URL}/offers/1?a=b&c")) == f"{URL}/offers/1?a=b&c"


@pytest.mark.parametrize("needs_tx_code", [False, True])
def test_an_offer_is_read_as_it_was_written(needs_tx_code):
    offer = build_offer(URL, ("a", "b"), "code & more", needs_tx_code=needs_tx_code)
    assert read_offer_uri(write_offer_uri(offer)) == offer
    assert (offer.tx_code is not None) is needs_tx_code


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "openid-credential-offer://",
        "openid-credential-offer://?a=b",
        "openid-credential-offer://?credential_offer=",
        "openid-credential-offer://?credential_offer=%7B%7D",
        "openid-credential-offer://?credential_offer_uri=a&credential_offer_uri=b",
        "openid-credential-offer://?credential_offer=%7B%7D&credential_offer_uri=b",
        "http://[",
        "x" * 20_000,
    ],
)
def test_what_is_no_offer_is_refused(uri):
    with pytest.raises(Unsound):
        read_offer_uri(uri)


@pytest.mark.parametrize("ids", [[], ["a", "a"], "a", [1]])
def test_an_offer_names_credentials_each_once(ids):
    raw = json.dumps({"credential_issuer": URL, "credential_configuration_ids": ids})
    with pytest.raises(Unsound) as caught:
        read_offer(raw)
    assert caught.value.fault is Fault.MALFORMED


def test_odd_grants_offer_nothing():
    for grants in ({}, {"other": {}}, {"authorization_code": {"issuer_state": "s"}}):
        offer = Offer(credential_issuer=URL, credential_configuration_ids=("a",), grants=grants)
        assert (offer.pre_authorized_code, offer.tx_code) == ("", None)


@given(st.text(max_size=60))
def test_any_text_is_an_offer_or_refused(text):
    try:
        assert isinstance(read_offer_uri(text), Offer | str)
    except Unsound:
        return


def test_metadata_lie_between_host_and_path():
    place = locate_metadata("https://issuer.example.com:8443/tenant/", "openid-credential-issuer")
    assert place == "https://issuer.example.com:8443/.well-known/openid-credential-issuer/tenant"
    place = locate_metadata("https://issuer.example.com", "oauth-authorization-server")
    assert place == "https://issuer.example.com/.well-known/oauth-authorization-server"


SETTINGS = IssuerSettings(
    url=URL,
    display=({"name": "City identity office", "locale": "en"},),
    configurations=(
        Configuration(
            id="resident",
            format="dc+sd-jwt",
            type="urn:hansa:resident",
            scope="resident",
            display=({"name": "Resident"},),
            claims=(ClaimDescription(("address", None, "street"), ({"name": "Street"},)),),
        ),
        Configuration(
            id="mdl", format="mso_mdoc", type="org.iso.18013.5.1.mDL", scope="mdl", signing=(-7,)
        ),
        Configuration(
            id="diploma", format="ldp_vc", type="Diploma", scope="diploma", needs_binding=False
        ),
        Configuration(id="a", format="dc+sd-jwt", type="a", scope="a", needs_attestation=True),
    ),
)


def test_the_issuers_metadata_describe_each_format():
    metadata = build_issuer_metadata(SETTINGS, KEY.public_key)
    found = metadata["credential_configurations_supported"]
    assert metadata["credential_issuer"] == URL
    assert metadata["credential_endpoint"] == f"{URL}/credential"
    assert metadata["batch_credential_issuance"] == {"batch_size": 10}
    assert found["resident"]["vct"] == "urn:hansa:resident"
    (claim,) = found["resident"]["credential_metadata"]["claims"]
    assert claim["path"] == ("address", None, "street")
    assert "jwk" in found["resident"]["cryptographic_binding_methods_supported"]
    assert found["mdl"]["doctype"] == "org.iso.18013.5.1.mDL"
    assert found["mdl"]["cryptographic_binding_methods_supported"] == ["cose_key"]
    assert found["diploma"]["credential_definition"]["type"] == ["VerifiableCredential", "Diploma"]
    assert "proof_types_supported" not in found["diploma"]
    assert set(found["a"]["proof_types_supported"]) == {"jwt", "attestation"}
    (key,) = metadata["credential_request_encryption"]["jwks"]["keys"]
    assert (key["alg"], key["use"], bool(key["kid"])) == ("ECDH-ES", "enc", True)
    assert "credential_request_encryption" not in build_issuer_metadata(SETTINGS, None)


def test_signed_metadata_hold_the_same():
    metadata = build_issuer_metadata(SETTINGS, None)
    token = sign_issuer_metadata(metadata, KEY, {"kid": "1"}, 1_795_953_600_000)
    jws = decode_jws(token, "it")
    verify_jws(jws, KEY.public_key, "it")
    assert jws.header["typ"] == "openidvci-issuer-metadata+jwt"
    claims = jws.decode_claims("it")
    assert (claims.pop("sub"), claims.pop("iat")) == (URL, 1_795_953_600)
    assert claims == json.loads(json.dumps(metadata))


def test_the_servers_metadata_say_what_it_takes():
    found = build_server_metadata(SETTINGS)
    assert found["issuer"] == URL
    assert found["require_pushed_authorization_requests"] is True
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["pre-authorized_grant_anonymous_access_supported"] is True
    strict = IssuerSettings(url=URL, configurations=(), rules=Rules.high_assurance())
    found = build_server_metadata(strict)
    assert found["token_endpoint_auth_methods_supported"] == ["attest_jwt_client_auth"]
    assert found["pre-authorized_grant_anonymous_access_supported"] is False


def test_what_people_type_begins_with_no_dash():
    drawn = iter([b"\xfb" * 32, b"\xfa" * 32, *(bytes([number]) * 32 for number in range(1, 9))])
    desk = IssuanceDesk(SETTINGS, MemoryStore(), lambda _: next(drawn))
    made = desk.offer([("resident", {})], 0, needs_tx_code=False)
    assert made.issuance_id == encode_base64url(b"\x01" * 32)
