"""Hostile presentations of mobile documents (mdoc): certificates, digests, device, and CBOR."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from tests.hostile.paths import read_nonce
from tests.hostile.themes import Case, Sound, Theme
from tests.unit.identity.mdoc import parts

from hansa.identity.cose.keys import write_cose_key
from hansa.identity.cose.sign1 import X5CHAIN, sign_sign1
from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.encoding.cbor import (
    CBORTag,
    decode_cbor,
    encode_cbor,
    encode_wrapped,
    wrap_encoded,
)
from hansa.identity.encoding.timestamp import write_timestamp
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import PrivateKey
from hansa.identity.mdoc.certificates import Period
from hansa.identity.mdoc.issuing import Draft, issue_mdoc
from hansa.identity.mdoc.security_object import Validity, write_item
from hansa.identity.mdoc.transcripts import (
    compute_device_authentication,
    create_redirect_transcript,
)

NOW_MS, DAY_MS = parts.NOW_MS, parts.DAY_MS
KIND = KeyKind.ED25519
TYPE = "mo.hansa.resident.1"
OTHER_TYPE = "mo.hansa.mayor.1"
AUTHORITY = parts.authority_of("iaca", KIND)
STRANGE_AUTHORITY = parts.authority_of("stranger", KIND)
NAMESAKE = AUTHORITY._replace(key=parts.key_of("stranger", KIND))
"""It gives itself the name of the trusted authority."""
SIGNER, STRANGER, DEVICE, OTHER_DEVICE = (
    parts.key_of(name, KIND) for name in ("signer", "stranger", "device", "another device")
)
CERTIFICATE = parts.certify(AUTHORITY, SIGNER)
ELEMENTS = {TYPE: {"given_name": "Mei", "age_over_18": True}}
DRAFT = Draft(
    TYPE,
    ELEMENTS,
    DEVICE.public_key,
    Validity(NOW_MS - DAY_MS, NOW_MS - DAY_MS, NOW_MS + 30 * DAY_MS),
)
QUERY = {
    "credentials": [
        {
            "id": "resident",
            "format": "mso_mdoc",
            "meta": {"doctype_value": TYPE},
            "claims": [{"path": [TYPE, "given_name"]}],
        }
    ]
}
PRE = {
    "time_ms": NOW_MS,
    "query": QUERY,
    "issuers": [{"id": "office", "name": "the office", "types": [TYPE], "roots": "iaca.pem"}],
    "roots": {"iaca.pem": [base64.b64encode(AUTHORITY.root).decode()]},
}
REQUEST = read_nonce(PRE)
TRANSCRIPT = create_redirect_transcript(
    REQUEST["client_id"], REQUEST["nonce"], REQUEST["response_uri"]
)
GONE = "request TYPE"
ISO = "ISO/IEC 18013-5, section 9"


def issue(
    signer: PrivateKey = SIGNER, chain: tuple[bytes, ...] = (CERTIFICATE,), **changes: Any
) -> dict:
    """Issue a document; returns it decoded, so that it can be changed."""
    raw = issue_mdoc(DRAFT._replace(**changes), signer, chain, parts.draw_from("salts"))
    found: dict = decode_cbor(raw, "it")
    return found


def resign(changes: Mapping[str, Any], issued: dict | None = None) -> dict:
    """Sign another security object, as an issuer that does not use our issuance."""
    issued = dict(issued or issue())
    payload = issued["issuerAuth"][2]
    signed = decode_cbor(decode_cbor(payload, "it").value, "it")
    told = {name: each for name, each in {**signed, **changes}.items() if each is not None}
    auth = sign_sign1(SIGNER, encode_wrapped(encode_cbor(told)), unprotected={X5CHAIN: CERTIFICATE})
    return issued | {"issuerAuth": auth}


def show(
    issued: dict | None = None,
    *,
    transcript: bytes = TRANSCRIPT,
    device: PrivateKey = DEVICE,
    added: Mapping[str, Any] | None = None,
    auth: Any = None,
    **changes: Any,
) -> dict:
    """Show a document; returns the response decoded."""
    names = encode_cbor(added or {})
    content = compute_device_authentication(transcript, TYPE, names)
    signed = {"deviceSignature": sign_sign1(device, content, is_detached=True)}
    document = {
        "docType": TYPE,
        "issuerSigned": issued or issue(),
        "deviceSigned": {"nameSpaces": wrap_encoded(names), "deviceAuth": auth or signed},
    } | changes
    return {"version": "1.0", "documents": [document], "status": 0}


def answer(response: Any) -> dict:
    """Answer with a response, decoded or as bytes."""
    raw = response if isinstance(response, bytes) else encode_cbor(response)
    token = {"resident": [encode_base64url(raw)]}
    return {"state": REQUEST["state"], "vp_token": json.dumps(token)}


def swap(issued: dict, **values: Any) -> dict:
    """Put other values into elements, with their salts and digest ids."""
    items = []
    for each in issued["nameSpaces"][TYPE]:
        item = decode_cbor(each.value, "it")
        name = item["elementIdentifier"]
        raw = write_item(
            item["digestID"], item["random"], name, values.get(name, item["elementValue"])
        )
        items.append(wrap_encoded(raw))
    return issued | {"nameSpaces": {TYPE: items}}


def make_issuers() -> Theme:
    """What the issuer signed, and who that is."""
    late = Period(NOW_MS - 90 * DAY_MS, NOW_MS - 2 * DAY_MS)
    foreign = parts.authority_of("foreign", KIND, "PT")
    issued = issue()
    first, second = issued["nameSpaces"][TYPE]
    digests = decode_cbor(decode_cbor(issued["issuerAuth"][2], "").value, "")["valueDigests"][TYPE]
    none = [encode_cbor({1: 0}), *issued["issuerAuth"][1:]]
    changed: dict[str, tuple[tuple[str, ...], dict]] = {
        "an element with another value": (
            ("signature DISCLOSURE", GONE),
            swap(issued, given_name="Eve"),
        ),
        "two digests of the security object swapped": (
            ("signature DISCLOSURE", GONE),
            resign({"valueDigests": {TYPE: {0: digests[1], 1: digests[0]}}}),
        ),
        "an element of another namespace": (
            ("signature DISCLOSURE", GONE),
            issued | {"nameSpaces": {OTHER_TYPE: [first]}},
        ),
        "an element twice": (
            ("format DUPLICATE", GONE),
            issued | {"nameSpaces": {TYPE: [first, first]}},
        ),
        "a salt of eight bytes": (
            ("format MALFORMED", GONE),
            issued
            | {"nameSpaces": {TYPE: [wrap_encoded(write_item(0, bytes(8), "given_name", "Mei"))]}},
        ),
        "513 elements": (
            ("format TOO_LARGE", GONE),
            issued | {"nameSpaces": {TYPE: [second] * 513}},
        ),
        "an untrusted root": (
            ("issuer ISSUER", GONE),
            issue(STRANGER, (parts.certify(STRANGE_AUTHORITY, STRANGER),)),
        ),
        "a signer that names the trusted root, certified by another": (
            ("issuer ISSUER", GONE),
            issue(
                STRANGER,
                (parts.certify(NAMESAKE, STRANGER),),
            ),
        ),
        "a root that came along": (
            ("issuer ISSUER", GONE),
            issue(STRANGER, (parts.certify(STRANGE_AUTHORITY, STRANGER), STRANGE_AUTHORITY.root)),
        ),
        "signed by the authority itself": (
            ("issuer ISSUER", GONE),
            issue(parts.key_of("iaca", KIND), (AUTHORITY.root,)),
        ),
        "a certificate of another key": (("signature SIGNATURE", GONE), issue(STRANGER)),
        "a certificate that has expired": (
            ("issuer EXPIRED", GONE),
            issue(chain=(parts.certify(AUTHORITY, SIGNER, late),)),
        ),
        "an authority of another country": (
            ("issuer ISSUER", GONE),
            issue(chain=(parts.certify(foreign, SIGNER, country="PT"),)),
        ),
        "no certificate": (("format ISSUER", GONE), issue(chain=())),
        "seven certificates": (("format TOO_LARGE", GONE), issue(chain=(CERTIFICATE,) * 7)),
        "a certificate that is none": (("issuer KEY", GONE), issue(chain=(b"\x30\x00",))),
        "no algorithm (0)": (("format ALGORITHM", GONE), issued | {"issuerAuth": none}),
        "another algorithm than the key's": (
            ("signature ALGORITHM", GONE),
            issued | {"issuerAuth": [encode_cbor({1: -7}), *issued["issuerAuth"][1:]]},
        ),
        "an algorithm in the header that is not signed": (
            ("format MALFORMED", GONE),
            issued
            | {
                "issuerAuth": [
                    issued["issuerAuth"][0],
                    {**issued["issuerAuth"][1], 1: -7},
                    *issued["issuerAuth"][2:],
                ]
            },
        ),
        "an extension that must be understood": (
            ("format CRITICAL", GONE),
            issued | {"issuerAuth": [encode_cbor({1: -8, 2: [33]}), *issued["issuerAuth"][1:]]},
        ),
        "a broken digest (SHA-1)": (
            ("format ALGORITHM", GONE),
            resign({"digestAlgorithm": "SHA-1"}),
        ),
        "another version": (("format UNSUPPORTED", GONE), resign({"version": "2.0"})),
        "a device key on no curve": (
            ("format KEY", GONE),
            resign(
                {"deviceKeyInfo": {"deviceKey": {1: 2, -1: 1, -2: b"\x01" * 32, -3: b"\x01" * 32}}}
            ),
        ),
        "a device key with its private part": (
            ("format KEY", GONE),
            resign(
                {
                    "deviceKeyInfo": {
                        "deviceKey": {**write_cose_key(DEVICE.public_key), -4: bytes(32)}
                    }
                }
            ),
        ),
        "expired": (
            ("signature EXPIRED", GONE),
            resign({"validityInfo": _validity(-9, -9, -1)}),
        ),
        "not yet valid": (
            ("signature NOT_YET_VALID", GONE),
            resign({"validityInfo": _validity(-9, 1, 9)}),
        ),
        "valid until before it begins": (
            ("format MALFORMED", GONE),
            resign({"validityInfo": _validity(-9, 1, -1)}),
        ),
        "valid from a year that no clock shows": (
            ("format MALFORMED", GONE),
            resign({"validityInfo": _validity(-9, -9, "9999-12-31T23:59:59-01:00")}),
        ),
        "dates that are numbers": (
            ("format MALFORMED", GONE),
            resign({"validityInfo": dict.fromkeys(("signed", "validFrom", "validUntil"), 1)}),
        ),
        "signed before the certificate held": (
            ("signature ISSUER", GONE),
            resign({"validityInfo": _validity(-60, -60, 9)}),
        ),
        "a status that cannot be read": (
            ("format UNSUPPORTED", GONE),
            resign({"status": {"identifier_list": {}}}),
        ),
        "no security object": (
            ("format MALFORMED", GONE),
            issued | {"issuerAuth": [*issued["issuerAuth"][:2], None, bytes(64)]},
        ),
    }
    cases = [Case(name, ISO, found, answer(show(each))) for name, (found, each) in changed.items()]
    cases.append(
        Case(
            "of a type that it may not issue",
            "docs/concepts/identity.md, verification",
            ("accreditation ACCREDITATION",),
            pre={"issuers": [PRE["issuers"][0] | {"types": [OTHER_TYPE]}]},
        )
    )
    return Theme(
        "Mobile documents: issuers", "presentation", PRE, {"resident": Sound(answer(show()))}, cases
    )


def _validity(signed: int, begins: int, ends: int | str) -> dict:
    """Validity in days from now."""
    days = {"signed": signed, "validFrom": begins, "validUntil": ends}
    return {
        name: CBORTag(0, each if isinstance(each, str) else write_timestamp(NOW_MS + each * DAY_MS))
        for name, each in days.items()
    }


def make_devices() -> Theme:
    """What the device signs, what it adds, and the bytes themselves."""
    request = REQUEST
    others = {
        "another nonce": (request["client_id"], "other", request["response_uri"]),
        "another verifier": (
            "x509_san_dns:evil.example",
            request["nonce"],
            request["response_uri"],
        ),
        "another response_uri": (request["client_id"], request["nonce"], "https://evil.example"),
    }
    binding = ("signature BINDING", GONE)
    cases = [
        Case(
            f"the session transcript of {name}",
            "OpenID4VP 1.0, appendix B.2.6",
            binding,
            answer(show(transcript=create_redirect_transcript(*parts_))),
        )
        for name, parts_ in others.items()
    ]
    sealed = create_redirect_transcript(
        request["client_id"], request["nonce"], request["response_uri"], bytes(32)
    )
    cases.append(
        Case(
            "the session transcript of an encrypted answer",
            "OpenID4VP 1.0, appendix B.2.6",
            binding,
            answer(show(transcript=sealed)),
        )
    )
    signature = show()["documents"][0]["deviceSigned"]["deviceAuth"]["deviceSignature"]
    content = compute_device_authentication(TRANSCRIPT, TYPE, encode_cbor({}))
    responses: dict[str, tuple[tuple[str, ...], Any]] = {
        "another device": (binding, show(device=OTHER_DEVICE)),
        "a device of another kind of key": (
            ("signature ALGORITHM", GONE),
            show(device=parts.key_of("p256 device")),
        ),
        "the issuer in the device's place": (binding, show(device=SIGNER)),
        "a MAC": (("signature UNSUPPORTED", GONE), show(auth={"deviceMac": signature})),
        "nothing signed": (("signature UNSUPPORTED", GONE), show(auth={"x": 1})),
        "a device's signature that brings its own content": (
            ("signature MALFORMED", GONE),
            show(auth={"deviceSignature": sign_sign1(DEVICE, content)}),
        ),
        "an element that the device adds without leave": (
            ("signature DISCLOSURE", GONE),
            show(added={TYPE: {"age_over_18": True}}),
        ),
        "no device": (("signature MALFORMED", GONE), show(deviceSigned=None)),
        "another type than was asked for": (("signature TYPE", GONE), show(docType=OTHER_TYPE)),
        "another type than the issuer signed": (
            ("signature TYPE", GONE),
            show(resign({"docType": OTHER_TYPE})),
        ),
        "two documents": (
            ("format MALFORMED", GONE),
            show() | {"documents": show()["documents"] * 2},
        ),
        "an error in the place of a document": (
            ("format MALFORMED", GONE),
            {"version": "1.0", "status": 10},
        ),
        "a status that says that it failed": (
            ("signature MALFORMED", GONE),
            show() | {"status": 10},
        ),
        "another version": (("signature UNSUPPORTED", GONE), show() | {"version": "2.0"}),
    }
    cases += [Case(name, ISO, found, answer(each)) for name, (found, each) in responses.items()]
    good = encode_cbor(show())
    cbor = "RFC 8949, section 5; ISO/IEC 18013-5, section 8.1"
    raw = {
        "nothing": ("MALFORMED", b""),
        "a name twice": (
            "DUPLICATE",
            b"\xa2" + encode_cbor("version") + b"\x00" + encode_cbor("version") + b"\x00",
        ),
        "a byte too many": ("MALFORMED", good + b"\x00"),
        "a byte too few": ("MALFORMED", good[:-1]),
        "lengths that are told afterwards": ("MALFORMED", b"\xbf" + good[1:] + b"\xff"),
        "a length of 2^64 - 1": ("TOO_LARGE", b"\xbb" + b"\xff" * 8),
        "arrays nested 1,000 levels": ("TOO_LARGE", b"\x81" * 1_000 + b"\x00"),
        "100,000 empty arrays": ("TOO_LARGE", b"\x9a\x00\x01\x86\xa0" + b"\x80" * 100_000),
        "a number longer than it need be": ("MALFORMED", b"\xa1\x18\x01\x00"),
        "a number beyond 64 bits": ("UNSUPPORTED", b"\xc2\x49" + b"\xff" * 9),
        "not a number": ("MALFORMED", b"\xf9\x7e\x00"),
        "a shared value": ("UNSUPPORTED", b"\xd8\x1d\x00"),
        "text that is not UTF-8": ("MALFORMED", b"\x61\xff"),
    }
    cases += [
        Case(name, cbor, (f"format {fault}", GONE), answer(each))
        for name, (fault, each) in raw.items()
    ]
    return Theme(
        "Mobile documents: devices", "presentation", PRE, {"resident": Sound(answer(show()))}, cases
    )
