"""Hostile status lists: another's, unsigned, too short, too large, and for ever."""

from __future__ import annotations

import json
import zlib
from typing import Any

from tests.hostile.sd_jwts import CLAIMS, QUERY, answer, present, sign
from tests.hostile.themes import Case, Sound, Theme
from tests.hostile.town import DID, ISSUER, NEXT, NOW_MS, TYPE

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.keys.jwk import write_jwk

NOW = NOW_MS // 1_000
PLACE = "https://office.example/status/"
URI = f"{PLACE}1"
SHOWN = CLAIMS | {"status": {"status_list": {"idx": 7, "uri": URI}}}
HEADER = {"alg": "EdDSA", "typ": "statuslist+jwt"}
LIST = {
    "sub": URI,
    "iat": NOW - 60,
    "exp": NOW + 600,
    "ttl": 300,
    "status_list": {"bits": 2, "lst": encode_base64url(zlib.compress(bytes(1_000)))},
}
PRE = {
    "time_ms": NOW_MS,
    "query": QUERY,
    "issuers": [
        {
            "id": DID,
            "name": "the office",
            "types": [TYPE],
            "status": PLACE,
            "key": write_jwk(ISSUER.public_key),
        }
    ],
}
WHERE = "Token Status List, section 8.3"


def serve(claims: Any = LIST, header: Any = HEADER, signer=ISSUER) -> dict:
    """Serve a list."""
    return {"lists": {URI: sign(signer, header, claims)}}


def pack(content: bytes, **more: Any) -> dict:
    """A list with other bytes, as they are."""
    return LIST | {"status_list": {"bits": 2, "lst": encode_base64url(content)} | more}


def _deflate(megabytes: int) -> bytes:
    bomb = zlib.compressobj(9)
    return b"".join(bomb.compress(bytes(1 << 20)) for _ in range(megabytes)) + bomb.flush()


def make_lists() -> Theme:
    """Lists that are fetched."""
    good = zlib.compress(bytes(1_000))
    set_at = {each: zlib.compress(b"\0" + bytes([each << 6]) + bytes(998)) for each in (1, 2, 3)}
    lists: dict[str, tuple[str, dict]] = {
        "revoked": ("REVOKED", serve(pack(set_at[1]))),
        "suspended": ("SUSPENDED", serve(pack(set_at[2]))),
        "a status that nobody knows": ("STATUS", serve(pack(set_at[3]))),
        "no list": ("STATUS", {"lists": {}}),
        "the list of another place": ("STATUS", serve(LIST | {"sub": f"{PLACE}2"})),
        "a list of no place": (
            "STATUS",
            serve({key: each for key, each in LIST.items() if key != "sub"}),
        ),
        "a list that ends before": ("STATUS", serve(pack(zlib.compress(bytes(1))))),
        "an empty list": ("STATUS", serve(pack(zlib.compress(b"")))),
        "unsigned (none)": ("ALGORITHM", serve(header=HEADER | {"alg": "none"})),
        "signed by a shared secret": ("ALGORITHM", serve(header=HEADER | {"alg": "HS256"})),
        "signed by a stranger": ("SIGNATURE", serve(signer=NEXT)),
        "an extension that must be understood": (
            "CRITICAL",
            serve(header=HEADER | {"crit": ["x"]}),
        ),
        "another token of the issuer": ("TYPE", serve(header=HEADER | {"typ": "dc+sd-jwt"})),
        "old, kept by whoever serves it": (
            "EXPIRED",
            serve(LIST | {"iat": NOW - 900, "exp": NOW - 60}),
        ),
        "of the future": ("NOT_YET_VALID", serve(LIST | {"iat": NOW + 3_600})),
        "of no time": (
            "MALFORMED",
            serve({key: each for key, each in LIST.items() if key != "iat"}),
        ),
        "kept for no time (ttl 0)": ("MALFORMED", serve(LIST | {"ttl": 0})),
        "kept for 2^53 seconds and more": ("MALFORMED", serve(LIST | {"ttl": 2**53 + 1})),
        "kept for a time in text": ("MALFORMED", serve(LIST | {"ttl": "300"})),
        "entries of three bits": ("MALFORMED", serve(pack(good, bits=3))),
        "entries of bits that are true": ("MALFORMED", serve(pack(good, bits=True))),
        "entries of bits with a fraction": ("MALFORMED", serve(pack(good, bits=2.0))),
        "a bomb: 17 MiB in 17 KiB": ("TOO_LARGE", serve(pack(_deflate(17)))),
        "a bomb in gzip, which is another form": (
            "MALFORMED",
            serve(pack(b"\x1f\x8b\x08" + bytes(99))),
        ),
        "compressed bytes that are cut off": ("MALFORMED", serve(pack(good[:-3]))),
        "compressed bytes with more behind": ("MALFORMED", serve(pack(good + b"x"))),
        "not compressed": ("MALFORMED", serve(pack(bytes(1_000)))),
        "no bytes": ("MALFORMED", serve(LIST | {"status_list": {"bits": 2}})),
        "bytes with padding": (
            "MALFORMED",
            serve(LIST | {"status_list": {"bits": 2, "lst": "AA=="}}),
        ),
        "a name twice": ("DUPLICATE", serve(json.dumps(LIST)[:-1] + ',"ttl":1}')),
        "HTML": ("MALFORMED", {"lists": {URI: "<!doctype html>"}}),
        "over a mebibyte": ("TOO_LARGE", {"lists": {URI: {"$repeat": ["a", (1 << 20) + 1]}}}),
    }
    cases = [
        Case(name, WHERE, (f"status {fault}",), pre=pre) for name, (fault, pre) in lists.items()
    ]
    places = {
        "a list elsewhere": "https://evil.example/status/1",
        "a list on the network within": "http://169.254.169.254/latest",
        "a list of a host that begins like the issuer's": "https://office.example.evil.example/1",
        "a list behind a user": "https://office.example@evil.example/status/1",
        "a list in a file": "file:///etc/passwd",
    }
    cases += [
        Case(
            name,
            WHERE,
            ("status STATUS",),
            _show(SHOWN | {"status": {"status_list": {"idx": 7, "uri": uri}}}),
        )
        for name, uri in places.items()
    ]
    cases.append(
        Case(
            "a list of another issuer that is believed",
            WHERE,
            ("status STATUS",),
            pre={"issuers": [PRE["issuers"][0] | {"status": "https://office.example/other/"}]},
        )
    )
    return Theme(
        "Status lists that are fetched",
        "presentation",
        PRE,
        {"valid": Sound(_show(), serve())},
        cases,
    )


def _show(claims: dict = SHOWN) -> dict:
    return answer(present(claims))
