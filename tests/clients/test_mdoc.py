"""`@auth0/mdl` verifies, holds and shows our mobile documents, and we those that it issues."""

import secrets
from base64 import b64encode

import cbor2
import pytest
from tests.clients.foreign import ForeignError, run_foreign

from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.jwk import write_jwk, write_private_jwk
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.mdoc.certificates import (
    Period,
    Subject,
    create_authority,
    create_signer_certificate,
)
from hansa.identity.mdoc.chains import TrustedRoots
from hansa.identity.mdoc.issuing import Draft, issue_mdoc
from hansa.identity.mdoc.presenting import Selection, create_device_response
from hansa.identity.mdoc.security_object import Validity
from hansa.identity.mdoc.transcripts import create_redirect_transcript
from hansa.identity.mdoc.verifying import verify_device_response
from hansa.node.service import wall_clock_ms

NOW_MS = wall_clock_ms() // 1_000 * 1_000  # it reads the clock itself
DAY_MS = 86_400_000
TYPE = "mo.example.resident.1"
ELEMENTS = {"family_name": "Lei", "given_name": "Ana", "age_over_18": True, "height_cm": 170}
SHOWN = {"given_name": "Ana", "age_over_18": True}
PERIOD = Period(NOW_MS - DAY_MS, NOW_MS + 300 * DAY_MS)
ISSUER, DEVICE = (load_private_key(KeyKind.P256, bytes([n]) * 32) for n in (0x41, 0x42))


def certify(number):
    """Make an authority, and its certificate for the issuer's key."""
    authority = create_authority(
        load_private_key(KeyKind.P256, bytes([number]) * 32),
        Subject("MO", f"Authority {number}"),
        PERIOD,
        contact_uri="https://office.example",
        revocations_uri="https://office.example/crl",
        draw=secrets.token_bytes,
    )
    subject = Subject("MO", "Signer", "Macao")
    certificate = create_signer_certificate(
        authority, ISSUER.public_key, subject, PERIOD, secrets.token_bytes
    )
    return authority, certificate


AUTHORITY, CERTIFICATE = certify(0x43)
STRANGER, _ = certify(0x44)
TRANSCRIPT = create_redirect_transcript(
    "x509_san_dns:shop.example", "nonce", "https://shop.example"
)
ELSEWHERE = create_redirect_transcript("x509_san_dns:a.example", "nonce", "https://a.example")

foreign = run_foreign("mdoc")


def encode_pem(der):
    return f"-----BEGIN CERTIFICATE-----\n{b64encode(der).decode()}\n-----END CERTIFICATE-----\n"


def issue():
    validity = Validity(NOW_MS, NOW_MS, NOW_MS + 90 * DAY_MS)
    draft = Draft(TYPE, {TYPE: ELEMENTS}, DEVICE.public_key, validity)
    return issue_mdoc(draft, ISSUER, [CERTIFICATE], secrets.token_bytes)


def show(issued):
    return create_device_response([Selection(issued, {TYPE: [*SHOWN]}, DEVICE)], TRANSCRIPT)


def wrap(transcript):
    """Encode a transcript as it is signed: within the tag of encoded CBOR."""
    return encode_base64url(cbor2.dumps(cbor2.CBORTag(24, transcript)))


def verify_there(foreign, response, transcript=TRANSCRIPT, authority=AUTHORITY):
    return foreign.ask(
        "verify",
        response=encode_base64url(response),
        root=encode_pem(authority.root),
        transcript=wrap(transcript),
        namespace=TYPE,
    )


def verify_here(response, transcript=TRANSCRIPT, authority=AUTHORITY):
    roots = TrustedRoots([authority.root])
    (found,) = verify_device_response(
        response, roots, doc_type=TYPE, transcript=transcript, time_ms=NOW_MS
    )
    return found.elements[TYPE]


def present_there(foreign, response):
    asked = {"docType": TYPE, "paths": [[TYPE, name] for name in SHOWN]}
    shown = foreign.ask(
        "present",
        response=response,
        deviceKey=write_private_jwk(DEVICE),
        transcript=wrap(TRANSCRIPT),
        **asked,
    )
    return decode_base64url(shown, "it")


def test_they_verify_what_we_issue_and_show(foreign):
    response = show(issue())
    assert verify_there(foreign, response) == SHOWN
    with pytest.raises(ForeignError):
        verify_there(foreign, response, ELSEWHERE)
    with pytest.raises(ForeignError):
        verify_there(foreign, response, authority=STRANGER)


def test_they_show_what_we_issue(foreign):
    document = {"docType": TYPE, "issuerSigned": cbor2.loads(issue())}
    held = cbor2.dumps({"version": "1.0", "documents": [document], "status": 0})
    shown = present_there(foreign, encode_base64url(held))
    assert verify_here(shown) == SHOWN
    assert verify_there(foreign, shown) == SHOWN


def test_we_verify_and_show_what_they_issue(foreign):
    held = foreign.ask(
        "issue",
        docType=TYPE,
        elements={TYPE: ELEMENTS},
        deviceKey=write_jwk(DEVICE.public_key),
        issuerKey=write_private_jwk(ISSUER),
        certificate=encode_pem(CERTIFICATE),
        signed=NOW_MS,
        validUntil=NOW_MS + 90 * DAY_MS,
    )
    (document,) = cbor2.loads(decode_base64url(held, "it"))["documents"]
    for response in (show(cbor2.dumps(document["issuerSigned"])), present_there(foreign, held)):
        assert verify_here(response) == SHOWN
        for changed, fault in (
            ({"transcript": ELSEWHERE}, Fault.BINDING),
            ({"authority": STRANGER}, Fault.ISSUER),
        ):
            with pytest.raises(Unsound) as caught:
                verify_here(response, **changed)
            assert caught.value.fault is fault
