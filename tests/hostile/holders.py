"""Hostile holders and issuers: replays, times, and what the ledger knows of the issuer."""

from __future__ import annotations

import json

from tests.disclosing import digest_of
from tests.hostile.paths import CLIENT_ID
from tests.hostile.sd_jwts import (
    AGE,
    ANCHOR,
    BINDING_HEADER,
    CLAIMS,
    GONE,
    HEADER,
    NOW,
    PRE,
    REQUEST,
    STRANGER,
    Binding,
    answer,
    bind,
    present,
    without,
)
from tests.hostile.themes import Case, Sound, Theme
from tests.hostile.town import ACCREDITED, DID, ISSUER, LIST, NEXT, NOW_MS, OFFICE, SUCCESSOR
from tests.unit.contracts.harness import DAY_MS, START_MS, make_address

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.keys.jwk import write_jwk
from hansa.identity.naming import ListName, write_list_url, write_type
from hansa.kernel.crypto.address import to_text

RFC = "RFC 9901, section 7.3"
SHOWN = present(binding=None)


def make_bindings() -> Theme:
    """Key bindings: of others, for others, of other days, of other contents."""
    changes: dict[str, tuple[dict, str]] = {
        "another nonce: an answer sent to another request": ({"nonce": "old"}, "NONCE"),
        "no nonce": ({"nonce": None}, "NONCE"),
        "a nonce that is a list with the right one": ({"nonce": [REQUEST["nonce"]]}, "NONCE"),
        "for another verifier": (
            {"aud": "decentralized_identifier:did:web:evil.example"},
            "AUDIENCE",
        ),
        "for the verifier's DID without its prefix": ({"aud": "did:hansa:test:bank"}, "AUDIENCE"),
        "for several verifiers": ({"aud": [CLIENT_ID, "https://evil.example"]}, "AUDIENCE"),
        "for nobody": ({"aud": None}, "AUDIENCE"),
        "made an hour ago": ({"iat": NOW - 3_600}, "EXPIRED"),
        "made in an hour": ({"iat": NOW + 3_600}, "NOT_YET_VALID"),
        "of no time": ({"iat": None}, "MALFORMED"),
        "of a time in text": ({"iat": str(NOW)}, "MALFORMED"),
        "of a time that is true": ({"iat": True}, "MALFORMED"),
        "over": ({"exp": NOW - 600}, "EXPIRED"),
        "over other disclosures": ({"sd_hash": digest_of(SHOWN + "x~")}, "BINDING"),
        "over nothing": ({"sd_hash": None}, "BINDING"),
    }
    cases = [
        Case(name, RFC, (f"binding {fault}",), answer(present(binding=Binding(changes=change))))
        for name, (change, fault) in changes.items()
    ]
    more = {
        "none": ("BINDING", present(binding=None)),
        "by another key": ("SIGNATURE", present(binding=Binding(STRANGER))),
        "by a key that its header brings along": (
            "SIGNATURE",
            present(
                binding=Binding(STRANGER, BINDING_HEADER | {"jwk": write_jwk(STRANGER.public_key)})
            ),
        ),
        "of no algorithm": (
            "ALGORITHM",
            present(binding=Binding(header=BINDING_HEADER | {"alg": "none"})),
        ),
        "of another type (a DPoP proof)": (
            "TYPE",
            present(binding=Binding(header=BINDING_HEADER | {"typ": "dpop+jwt"})),
        ),
        "with an extension that must be understood": (
            "CRITICAL",
            present(binding=Binding(header=BINDING_HEADER | {"crit": ["x"]})),
        ),
        "the issuer's own signature again": ("TYPE", _reuse()),
    }
    cases += [
        Case(f"a key binding: {name}", RFC, (f"binding {fault}",), answer(text))
        for name, (fault, text) in more.items()
    ]
    cases += [
        Case(
            "a disclosure taken away after the holder signed",
            RFC,
            ("binding BINDING", GONE),
            answer(f"{SHOWN.split('~')[0]}~{bind(SHOWN, Binding())}"),
        ),
        Case(
            "a disclosure added after the holder signed",
            RFC,
            ("binding BINDING",),
            answer(f"{SHOWN}{AGE}~{bind(SHOWN, Binding())}"),
        ),
        Case(
            "a credential that is bound to nobody",
            "RFC 9901, section 9.7",
            ("binding BINDING",),
            answer(present(without(CLAIMS, "cnf"))),
        ),
        Case(
            "a credential bound to a key with its private part",
            "RFC 7800, section 3.2",
            ("binding KEY",),
            answer(present(CLAIMS | {"cnf": {"jwk": CLAIMS["cnf"]["jwk"] | {"d": "AAAA"}}})),
        ),
        Case(
            "a credential bound to a shared secret",
            "RFC 8725, section 2.1",
            ("binding KEY",),
            answer(present(CLAIMS | {"cnf": {"jwk": {"kty": "oct", "k": "AAAA"}}})),
        ),
        Case(
            "a credential bound to a point that is on no curve",
            "RFC 8725, section 3.4",
            ("binding KEY",),
            answer(
                present(
                    CLAIMS
                    | {
                        "cnf": {
                            "jwk": {
                                "kty": "EC",
                                "crv": "P-256",
                                "x": encode_base64url(b"\x01" * 32),
                                "y": encode_base64url(b"\x01" * 32),
                            }
                        }
                    }
                )
            ),
        ),
        Case(
            "the same answer a second time",
            "OpenID4VP 1.0, section 14.1",
            ("not_found",),
            pre={"earlier": [answer()]},
        ),
        Case(
            "an answer to a request whose time is over",
            "OpenID4VP 1.0, section 14.1",
            ("not_found",),
            pre={"asked_ms": NOW_MS - 600_000},
        ),
    ]
    return Theme("Key bindings", "presentation", PRE, {"resident": Sound(answer())}, cases)


def _reuse() -> str:
    """A credential that is bound to its issuer's key, with itself for a key binding."""
    claims = CLAIMS | {"cnf": {"jwk": write_jwk(ISSUER.public_key)}}
    shown = present(claims, binding=None)
    return shown + shown.split("~")[0]


def make_times() -> Theme:
    """Claims of times."""
    where = "RFC 7519, section 4.1"
    changes: dict[str, tuple[dict, tuple[str, ...]]] = {
        "expired yesterday": ({"exp": NOW - 86_400}, ("validity EXPIRED",)),
        "expired a minute ago, beyond the leeway": ({"exp": NOW - 60}, ("validity EXPIRED",)),
        "begins tomorrow": ({"nbf": NOW + 86_400}, ("validity NOT_YET_VALID",)),
        "issued tomorrow": ({"iat": NOW + 86_400}, ("validity NOT_YET_VALID",)),
        "expires at a time in text": ({"exp": "9999999999"}, ("validity MALFORMED",)),
        "expires at null": ({"exp": None}, ("validity MALFORMED",)),
        "expires at true": ({"exp": True}, ("validity MALFORMED",)),
        "expires in a list": ({"exp": [NOW + 9]}, ("validity MALFORMED",)),
        "expires beyond 2^53": ({"exp": 2**53 + 1}, ("validity MALFORMED",)),
        "begins beyond 2^53": ({"nbf": -(2**53) - 1}, ("validity MALFORMED",)),
        "expires before 1970": ({"exp": -1}, ("validity EXPIRED",)),
        "expires a little after 0": ({"exp": 1e-300}, ("validity EXPIRED",)),
        "issued before all records": ({"iat": -(2**53)}, ("issuer UNRESOLVED", GONE)),
        "issued before the office existed": ({"iat": 0}, ("issuer UNRESOLVED", GONE)),
        "issued at a time in text": ({"iat": str(NOW)}, ("format MALFORMED", GONE)),
        "issued at 1e308": ({"iat": 1e308}, ("format MALFORMED", GONE)),
    }
    cases = [
        Case(name, where, found, answer(present(CLAIMS | change)))
        for name, (change, found) in changes.items()
    ]
    texts = {
        "expires at NaN": '"exp":NaN',
        "expires at Infinity": '"exp":Infinity',
        "expires at 1e400": '"exp":1e400',
        "expires at a number of 5,000 digits": '"exp":' + "9" * 5_000,
        "expires at a number with a leading zero": '"exp":09999999999',
        "expires at a hexadecimal number": '"exp":0xffffffff',
    }
    rest = json.dumps(without(CLAIMS, "exp"))[:-1]
    cases += [
        Case(
            name,
            "RFC 8259, section 6",
            ("format MALFORMED", GONE),
            answer(present(f"{rest},{text}}}")),
        )
        for name, text in texts.items()
    ]
    return Theme("Times", "presentation", PRE, {"resident": Sound(answer())}, cases)


def make_standing() -> Theme:
    """What the ledger knows: accreditation, status, keys, and when each was so."""
    where = "docs/concepts/identity.md, verification"
    status = "Token Status List, section 8.3"
    suspended = [*ACCREDITED, ["at", NOW_MS - 2 * DAY_MS], ["suspend_accreditation"]]
    revoked = [*ACCREDITED, ["at", NOW_MS - 2 * DAY_MS], ["revoke_accreditation"]]
    later = [["at", NOW_MS - DAY_MS // 2], *ACCREDITED]
    ended = [["accredit", START_MS, NOW_MS - DAY_MS // 2]]
    back = answer(present(CLAIMS | {"iat": NOW - 3 * 86_400}))
    rotated = [*ACCREDITED, ["at", NOW_MS - DAY_MS // 2], ["rotate"]]
    lost = "accreditation ACCREDITATION"
    anchored = [*ACCREDITED, ["at", NOW_MS - DAY_MS // 2], ["anchor", ANCHOR]]
    cases = [
        Case("revoked", status, ("status REVOKED",), pre={"ledger": [*ACCREDITED, ["revoke", 7]]}),
        Case(
            "suspended",
            status,
            ("status SUSPENDED",),
            pre={"ledger": [*ACCREDITED, ["suspend", 7]]},
        ),
        Case("never accredited", where, (lost,), pre={"ledger": []}),
        Case("accredited after it was issued", where, (lost,), pre={"ledger": later}),
        Case(
            "accredited after it was issued, by a grant that says it began before",
            where,
            (lost,),
            pre={"ledger": [["at", NOW_MS - DAY_MS // 2], ["accredit", START_MS, NOW_MS + DAY_MS]]},
        ),
        Case("issued while it was suspended", where, (lost,), pre={"ledger": suspended}),
        Case("issued after it was revoked", where, (lost,), pre={"ledger": revoked}),
        Case(
            "issued after its time",
            where,
            (lost,),
            pre={"ledger": [["accredit", START_MS, NOW_MS - 2 * DAY_MS]]},
        ),
        Case("dated back to before the suspension", where, (lost,), back, {"ledger": suspended}),
        Case("dated back to before the revocation", where, (lost,), back, {"ledger": revoked}),
        Case(
            "dated back, and anchored after the suspension",
            where,
            (lost,),
            pre={
                "ledger": [
                    *ACCREDITED,
                    ["at", NOW_MS - DAY_MS // 2],
                    ["suspend_accreditation"],
                    ["at", NOW_MS - DAY_MS // 4],
                    ["anchor", ANCHOR],
                ]
            },
            sound="anchored",
        ),
        Case(
            "anchored in time, and another one shown",
            where,
            (lost,),
            answer(present(CLAIMS | {"exp": NOW + 9_999})),
            sound="anchored",
        ),
        Case(
            "of an accreditation that has ended since, and not anchored",
            where,
            (lost,),
            pre={"ledger": ended},
        ),
        Case(
            "signed by a key that was replaced since, and not anchored",
            where,
            ("issuer ACCREDITATION",),
            pre={"ledger": rotated},
        ),
        Case(
            "signed by the new key, with a date from before it",
            where,
            ("issuer UNRESOLVED", GONE),
            answer(
                present(
                    header=HEADER | {"kid": f"{DID}#{to_text(SUCCESSOR)}"},
                    signer=NEXT,
                )
            ),
            {"ledger": rotated},
        ),
        Case(
            "for a type that it may not issue",
            where,
            (lost, GONE),
            answer(present(CLAIMS | {"vct": write_type("test", "mayor")})),
        ),
        Case(
            "for a type that it may not issue, named besides its own",
            where,
            (lost,),
            answer(present(CLAIMS | {"aka_vcts": [write_type("test", "mayor")]})),
        ),
        Case(
            "for nine types",
            "draft-ietf-oauth-sd-jwt-vc, section 2.2.2.1",
            ("format TOO_LARGE", GONE),
            answer(present(CLAIMS | {"aka_vcts": [f"urn:{each}" for each in range(8)]})),
        ),
        Case(
            "for a type of another network",
            where,
            ("accreditation TYPE", GONE),
            answer(present(CLAIMS | {"vct": write_type("other", "resident")})),
        ),
        Case(
            "for a type with a name of 9,999 letters",
            where,
            ("accreditation TYPE", GONE),
            answer(present(CLAIMS | {"vct": write_type("test", "a" * 9_999)})),
        ),
        Case(
            "by an issuer of another network",
            where,
            ("issuer UNRESOLVED", GONE),
            answer(present(CLAIMS | {"iss": DID.replace(":test:", ":other:")})),
        ),
        Case(
            "by an issuer in capitals",
            "DID 1.0, section 3.1",
            ("issuer MALFORMED", GONE),
            answer(present(CLAIMS | {"iss": f"did:hansa:test:{to_text(OFFICE).upper()}"})),
        ),
        Case(
            "by an issuer whose DID has a query",
            "DID 1.0, section 3.2",
            ("issuer MALFORMED", GONE),
            answer(present(CLAIMS | {"iss": f"{DID}?versionId=1"})),
        ),
        Case("by nobody", where, ("issuer ISSUER", GONE), answer(present(without(CLAIMS, "iss")))),
        Case(
            "with a status in another issuer's list",
            status,
            ("status STATUS",),
            _with_status(
                uri=write_list_url("https://office.example", ListName(make_address("bank"), 3))
            ),
        ),
        Case(
            "with a status in a list that is not there",
            status,
            ("status STATUS",),
            _with_status(uri=write_list_url("https://office.example", ListName(OFFICE, 4))),
        ),
        Case(
            "with a status at a place beyond the list",
            status,
            ("status STATUS",),
            _with_status(idx=100),
        ),
        Case(
            "with a status at a place of 400 digits",
            status,
            ("status STATUS",),
            _with_status(idx=10**400),
        ),
        Case(
            "with a status at a place before the list",
            status,
            ("format MALFORMED", GONE),
            _with_status(idx=-1),
        ),
        Case(
            "with a status at a place in text",
            status,
            ("format MALFORMED", GONE),
            _with_status(idx="7"),
        ),
        Case(
            "with a status at a place with a fraction",
            status,
            ("format MALFORMED", GONE),
            _with_status(idx=7.0),
        ),
        Case(
            "with a status on the network within",
            status,
            ("status STATUS",),
            _with_status(uri="http://169.254.169.254/latest/meta-data"),
        ),
        Case(
            "with a status of another mechanism alone",
            "Token Status List, section 6.1",
            ("format UNSUPPORTED", GONE),
            answer(present(CLAIMS | {"status": {"identifier_list": {"id": "AA", "uri": LIST}}})),
        ),
        Case(
            "with an empty status",
            "Token Status List, section 6.1",
            ("format UNSUPPORTED", GONE),
            answer(present(CLAIMS | {"status": {}})),
        ),
    ]
    sound = {
        "resident": Sound(answer()),
        "anchored": Sound(
            answer(),
            {"ledger": [*anchored, ["at", NOW_MS - DAY_MS // 4], ["suspend_accreditation"]]},
        ),
    }
    return Theme("Accreditation, status, and keys of before", "presentation", PRE, sound, cases)


def _with_status(**changes) -> dict:
    found = {"idx": 7, "uri": LIST} | changes
    return answer(present(CLAIMS | {"status": {"status_list": found}}))
