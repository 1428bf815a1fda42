"""An authority, its signer, a device and a document, which the tests of mobile documents share."""

import hashlib
from base64 import b64decode
from pathlib import Path

from hansa.identity.encoding.cbor import TAG_DATE, CBORTag
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import generate_private_key
from hansa.identity.mdoc.certificates import (
    Authority,
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
from hansa.identity.status.reference import StatusReference

VECTORS = Path(__file__).parents[3] / "vectors/mdoc"
DAY_MS = 86_400_000
NOW_MS = 1_795_000_000_000
DOC_TYPE = "mo.hansa.resident.1"
NAMESPACE = "mo.hansa.resident.1"
OTHER = "mo.hansa.resident.extra"


def draw_from(seed):
    """A source of bytes that gives the same ones each time."""
    count = 0

    def draw(length):
        nonlocal count
        count += 1
        return hashlib.shake_256(f"{seed} {count}".encode()).digest(length)

    return draw


def key_of(name, kind=KeyKind.P256):
    return generate_private_key(kind, draw_from(name))


def read_hex(name):
    return bytes.fromhex((VECTORS / name).read_text())


def read_pem(name):
    return b64decode("".join((VECTORS / name).read_text().splitlines()[1:-1]))


def authority_of(name="authority", kind=KeyKind.P256, country="MO") -> Authority:
    return create_authority(
        key_of(name, kind),
        Subject(country, f"Office of {name}"),
        Period(NOW_MS - 100 * DAY_MS, NOW_MS + 3_000 * DAY_MS),
        contact_uri="https://office.example",
        revocations_uri="https://office.example/crl",
        draw=draw_from(f"number of {name}"),
    )


def certify(authority, key, period=None, country="MO"):
    return create_signer_certificate(
        authority,
        key.public_key,
        Subject(country, "Signer 1", "Macao"),
        period or Period(NOW_MS - 30 * DAY_MS, NOW_MS + 300 * DAY_MS),
        draw_from("number of the signer"),
    )


AUTHORITY = authority_of()
ISSUER = key_of("issuer")
CERTIFICATE = certify(AUTHORITY, ISSUER)
ROOTS = TrustedRoots([AUTHORITY.root])
DEVICE = key_of("device")
TRANSCRIPT = create_redirect_transcript(
    "x509_san_dns:shop.example", "nonce", "https://shop.example"
)
ELEMENTS = {
    NAMESPACE: {
        "family_name": "Lei",
        "given_name": "Ana",
        "birth_date": CBORTag(TAG_DATE, "1990-01-01"),
        "age_over_18": True,
        "portrait": b"\xff\xd8" + bytes(400),
        "height_cm": 170,
    },
    OTHER: {"district": "Taipa", "given_name": "Ana", "numbers": [1, {"two": 2}]},
}
DRAFT = Draft(
    DOC_TYPE,
    ELEMENTS,
    DEVICE.public_key,
    Validity(NOW_MS - DAY_MS, NOW_MS - DAY_MS, NOW_MS + 90 * DAY_MS),
    StatusReference("https://office.example/status/1", 412),
)


def issue(seed="salts", signer=ISSUER, chain=(CERTIFICATE,), **changes):
    return issue_mdoc(DRAFT._replace(**changes), signer, chain, draw_from(seed))


ISSUED = issue()


def show(issued=ISSUED, names=None, transcript=TRANSCRIPT, signer=DEVICE, device_elements=None):
    names = {NAMESPACE: ["age_over_18", "given_name"]} if names is None else names
    selection = Selection(issued, names, signer, device_elements or {})
    return create_device_response([selection], transcript)
