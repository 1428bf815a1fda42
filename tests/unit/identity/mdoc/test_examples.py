"""The examples of the standards."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.unit.identity.mdoc.parts import (
    DAY_MS,
    DEVICE,
    DOC_TYPE,
    NAMESPACE,
    NOW_MS,
    OTHER,
    ROOTS,
    read_hex,
)

from hansa.identity.encoding.base64url import decode_base64url
from hansa.identity.encoding.cbor import TAG_DATE, CBORTag, decode_cbor, unwrap_encoded
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.jwk import compute_thumbprint, read_jwk
from hansa.identity.keys.kinds import KeyKind, load_public_key
from hansa.identity.mdoc.documents import decode_issued
from hansa.identity.mdoc.transcripts import (
    compute_device_authentication,
    create_browser_transcript,
    create_redirect_transcript,
)
from hansa.identity.mdoc.verifying import verify_issued

LICENCE = "org.iso.18013.5.1.mDL"
LICENCE_NAMESPACE = "org.iso.18013.5.1"
ISSUED = read_hex("issuer_signed.hex")
IN_2021_MS = 1_612_137_600_000

# OpenID for Verifiable Presentations 1.0, appendix B.2.6.
NONCE = "exc7gBkxjx1rdc9udRrveKvSsJIq80avlXeLHhGwqtA"
RESPONSE_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "DxiH5Q4Yx3UrukE2lWCErq8N8bqC9CHLLrAwLz5BmE0",
    "y": "XtLM4-3h5o3HUH0MHVJV0kyq0iBlrBwlh8qEDMZ4-Pc",
    "use": "enc",
    "alg": "ECDH-ES",
    "kid": "1",
}
REDIRECT = (
    "83f6f682714f70656e494434565048616e646f7665725820048bc053c00442af9b8e"
    "ed494cefdd9d95240d254b046b11b68013722aad38ac"
)
BROWSER = (
    "83f6f682764f70656e4944345650444341504948616e646f7665725820fbece366f4"
    "212f9762c74cfdbf83b8c69e371d5d68cea09cb4c48ca6daab761a"
)


def find_key():
    """The key in the certificate that comes along; its root is not in the annex."""
    (der,) = decode_issued(ISSUED, "it").issuer_auth.read_chain("it")
    key = x509.load_der_x509_certificate(der).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return load_public_key(KeyKind.P256, point)


def test_the_document_of_the_standard_verifies():
    verified = verify_issued(ISSUED, find_key(), doc_type=LICENCE, time_ms=IN_2021_MS)
    elements = verified.elements[LICENCE_NAMESPACE]
    assert elements["family_name"] == "Doe"
    assert elements["issue_date"] == CBORTag(TAG_DATE, "2019-10-20")
    assert [each["vehicle_category_code"] for each in elements["driving_privileges"]] == ["A", "B"]
    assert elements["portrait"].startswith(b"\xff\xd8")
    assert len(verified.signed.digests[LICENCE_NAMESPACE]) == 13
    assert verified.signed.status is None


def test_a_document_that_another_implementation_issued_verifies():
    issued = read_hex("isomdoc_issued.hex")
    verified = verify_issued(issued, ROOTS, doc_type=DOC_TYPE, time_ms=NOW_MS)
    assert verified.elements[OTHER] == {"height_cm": 170}
    assert verified.elements[NAMESPACE].keys() == {"family_name", "age_over_18", "portrait"}
    assert verified.signed.device_key == DEVICE.public_key
    assert verified.signed.validity == tuple(NOW_MS + days * DAY_MS for days in (-2, -1, 30))


@pytest.mark.parametrize(("year", "fault"), [(-1, Fault.NOT_YET_VALID), (1, Fault.EXPIRED)])
def test_the_document_of_the_standard_was_valid_for_a_year(year, fault):
    time_ms = IN_2021_MS + year * 366 * 86_400_000
    with pytest.raises(Unsound) as caught:
        verify_issued(ISSUED, find_key(), doc_type=LICENCE, time_ms=time_ms)
    assert caught.value.fault is fault


def test_the_device_signs_what_the_standard_says():
    transcript = unwrap_encoded(decode_cbor(read_hex("session_transcript.hex"), "it"), "it")
    content = compute_device_authentication(transcript, LICENCE, b"\xa0")
    assert content[:5].hex() == "d818590271"
    assert content[5:].startswith(b"\x84\x74DeviceAuthentication" + transcript)
    assert content.endswith(b"\x75" + LICENCE.encode() + bytes.fromhex("d81841a0"))


def test_transcripts_are_those_of_the_specification():
    thumbprint = decode_base64url(compute_thumbprint(read_jwk(RESPONSE_KEY)), "it")
    redirect = create_redirect_transcript(
        "x509_san_dns:example.com", NONCE, "https://example.com/response", thumbprint
    )
    assert redirect.hex() == REDIRECT
    assert create_browser_transcript("https://example.com", NONCE, thumbprint).hex() == BROWSER
    plain = create_browser_transcript("https://example.com", NONCE)
    assert plain.hex() not in (BROWSER, REDIRECT)
