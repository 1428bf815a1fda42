"""Hostile DIDs, documents and logs, and addresses that lead inside."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.hostile.themes import Case, Sound, Theme

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.encoding.canonical_json import canonicalize
from hansa.identity.encoding.multibase import encode_multibase
from hansa.identity.keys.jwk import write_jwk, write_private_jwk
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.multikey import write_multikey
from hansa.identity.keys.signing import load_private_key
from hansa.identity.methods.did import read_did
from hansa.identity.methods.local import write_did_jwk, write_did_key
from hansa.identity.methods.webvh import locate_did_webvh
from hansa.identity.methods.webvh_log import compute_entry_hash

NOW_MS = 1_795_953_600_000
KEY = load_private_key(KeyKind.P256, b"\x21" * 32)
THIEF = load_private_key(KeyKind.ED25519, b"\x22" * 32)
DID = "did:web:office.example"
PLACE = "https://office.example/.well-known/did.json"
DOCUMENT: dict[str, Any] = {
    "id": DID,
    "verificationMethod": [
        {
            "id": f"{DID}#1",
            "type": "JsonWebKey",
            "controller": DID,
            "publicKeyJwk": write_jwk(KEY.public_key),
        }
    ],
    "assertionMethod": [f"{DID}#1"],
}
PRE = {"time_ms": NOW_MS, "http": {PLACE: json.dumps(DOCUMENT)}}
CORE, WEB = "DID 1.0, section 5", "did:web, section 3"
LOGS = Path(__file__).parents[1] / "vectors/webvh/vectors.json"


def make_documents() -> Theme:
    """Documents of did:web, did:key and did:jwk."""
    (method,) = DOCUMENT["verificationMethod"]
    off = {"kty": "EC", "crv": "P-256"} | dict.fromkeys("xy", encode_base64url(b"\x01" * 32))
    contents: dict[str, tuple[str, str, Any]] = {
        "another id": (CORE, "UNRESOLVED", DOCUMENT | {"id": "did:web:evil.example"}),
        "no id": (CORE, "UNRESOLVED", {"verificationMethod": [method]}),
        "a list": (CORE, "MALFORMED", [DOCUMENT]),
        "two methods of one id": (
            CORE,
            "DUPLICATE",
            DOCUMENT | {"verificationMethod": [method] * 2},
        ),
        "a private key": (
            CORE,
            "KEY",
            DOCUMENT | {"verificationMethod": [method | {"publicKeyJwk": write_private_jwk(KEY)}]},
        ),
        "a point that is on no curve": (
            CORE,
            "KEY",
            DOCUMENT | {"verificationMethod": [method | {"publicKeyJwk": off}]},
        ),
        "methods that are no list": (CORE, "MALFORMED", DOCUMENT | {"verificationMethod": method}),
        "a method that is text": (CORE, "MALFORMED", DOCUMENT | {"verificationMethod": ["x"]}),
        "a relationship that is an object": (CORE, "MALFORMED", DOCUMENT | {"assertionMethod": {}}),
        "10,000 methods": (CORE, "TOO_LARGE", DOCUMENT | {"verificationMethod": [{}] * 10_000}),
        "a service that is text": (CORE, "MALFORMED", DOCUMENT | {"service": ["x"]}),
    }
    cases = [
        Case(f"a document with {name}", where, (fault,), pre={"http": {PLACE: json.dumps(each)}})
        for name, (where, fault, each) in contents.items()
    ]
    raw: dict[str, tuple[str, Any]] = {
        "a name twice": ("DUPLICATE", json.dumps(DOCUMENT)[:-1] + f',"id":"{DID}"}}'),
        "over 256 KiB": ("TOO_LARGE", {"$join": ["{", {"$repeat": [" ", 1 << 18]}, "}"]}),
        "nested 10,000 levels": ("TOO_LARGE", {"$join": ['{"a":', {"$repeat": ["[", 10_000]}]}),
        "HTML": ("MALFORMED", "<!doctype html>"),
        "nothing": ("MALFORMED", ""),
    }
    cases += [
        Case(f"a document: {name}", WEB, (fault,), pre={"http": {PLACE: each}})
        for name, (fault, each) in raw.items()
    ]
    bad = "MALFORMED"
    names = {
        "an address (127.0.0.1)": ("did:web:127.0.0.1", bad),
        "an address in one number": ("did:web:2130706433", bad),
        "an address in hexadecimal": ("did:web:0x7f.1", bad),
        "an IPv6 address": ("did:web:%5B%3A%3A1%5D", bad),
        "a user": ("did:web:user%40evil.example", bad),
        "a slash in the host": ("did:web:office.example%2F..%2Fetc", bad),
        "a way up": ("did:web:office.example:..:secrets", bad),
        "an escaped way up": ("did:web:office.example:%2e%2e:secrets", bad),
        "an empty folder": ("did:web:office.example::x", bad),
        "port 0": ("did:web:office.example%3A0", bad),
        "port 99999": ("did:web:office.example%3A99999", bad),
        "a port in other digits": ("did:web:office.example%3A\u0661", bad),
        "capitals": ("did:web:OFFICE.example", bad),
        "letters of a foreign script": ("did:web:\u043effice.example", bad),
        "a query": (f"{DID}?x=1", bad),
        "a fragment": (f"{DID}#1", bad),
        "a line break": (f"{DID}\r\n", bad),
        "3,000 letters": (f"did:web:{'a' * 3_000}", bad),
        "a method that is not known": ("did:evil:1", "UNSUPPORTED"),
        "a time past, which did:web cannot know": (DID, "UNSUPPORTED"),
    }
    cases += [
        Case(
            f"a DID with {name}",
            WEB,
            (fault,),
            None if given == DID else given,
            {"at_ms": NOW_MS - 1} if given == DID else {},
        )
        for name, (given, fault) in names.items()
    ]
    key = write_did_key(KEY.public_key)
    jwk = json.dumps(write_jwk(KEY.public_key))
    local = {
        "did:key of a cut key": (key[:-3], "KEY"),
        "did:key in base64url": ("did:key:uAAAA", "UNSUPPORTED"),
        "did:key with a letter that is not of base58": (f"{key[:-1]}0", bad),
        "did:key of 10,000 letters": (f"did:key:z{'6' * 10_000}", "TOO_LARGE"),
        "did:jwk with a private key": (_jwk(json.dumps(write_private_jwk(KEY))), "KEY"),
        "did:jwk with a name twice": (_jwk(f'{jwk[:-1]},"kty":"EC"}}'), "DUPLICATE"),
        "did:jwk with a point that is on no curve": (_jwk(json.dumps(off)), "KEY"),
        "did:jwk with padding": (f"{write_did_jwk(KEY.public_key)}%3D", "MALFORMED"),
        "did:jwk of a shared secret": (_jwk('{"kty":"oct","k":"AAAA"}'), "KEY"),
    }
    cases += [
        Case(name, "did:key; did:jwk", (fault,), given, sound=name[:7])
        for name, (given, fault) in local.items()
    ]
    sound = {
        "did:web": Sound(DID),
        "did:key": Sound(key),
        "did:jwk": Sound(write_did_jwk(KEY.public_key)),
    }
    return Theme("DIDs and their documents", "did", PRE, sound, cases)


def _jwk(text: str) -> str:
    return f"did:jwk:{encode_base64url(text.encode())}"


def _find_log(name: str) -> tuple[str, list[dict]]:
    logs = json.loads(LOGS.read_text())["logs"]
    (found,) = [each["input"] for each in logs if (each["name"], each["by"]) == (name, "python")]
    return found["did"], [json.loads(each) for each in found["log"].splitlines()]


def write_entry(before: dict, entry: dict) -> dict:
    """Write an entry after another one, whole, and sign it with a key of one's own."""
    told = {name: each for name, each in entry.items() if name != "proof"}
    number = int(before["versionId"].partition("-")[0]) + 1
    told["versionId"] = f"{number}-{compute_entry_hash(told, before['versionId'])}"
    key = write_multikey(THIEF.public_key)
    options = {
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-jcs-2022",
        "verificationMethod": f"did:key:{key}#{key}",
        "created": told["versionTime"],
        "proofPurpose": "assertionMethod",
    }
    signed = b"".join(hashlib.sha256(canonicalize(each)).digest() for each in (options, told))
    value = encode_multibase(THIEF.sign(signed))
    return told | {"proof": [options | {"proofValue": value}]}


def make_logs() -> Theme:
    """Logs of did:webvh."""
    did, lines = _find_log("multi-update")
    turned, turns = _find_log("pre-rotation-consume")
    where = "did:webvh 1.0, section 3"

    def serve(entries: list[dict] | str, of: str = did) -> dict:
        text = entries if isinstance(entries, str) else "\n".join(map(json.dumps, entries))
        return {"http": {f"{locate_did_webvh(read_did(of))}did.jsonl": text}}

    def alter(number: int, entries: list[dict] = lines, **changes: Any) -> list[dict]:
        return [*entries[:number], entries[number] | changes, *entries[number + 1 :]]

    def turn_with(parameters: dict) -> list[dict]:
        """Go on from the first entry as whoever has the server, but not the promised key."""
        return [turns[0], write_entry(turns[0], turns[1] | {"parameters": parameters})]

    last = len(lines) - 1
    other = did.replace(did.split(":")[2], "Qm" + "a" * 44)
    attacks: dict[str, tuple[str, dict]] = {
        "an entry taken out": ("SIGNATURE", serve([lines[0], *lines[2:]])),
        "the first entry taken out": ("UNSUPPORTED", serve(lines[1:])),
        "two entries exchanged": ("SIGNATURE", serve([lines[0], lines[2], lines[1], *lines[3:]])),
        "an entry twice": ("SIGNATURE", serve([*lines, lines[last]])),
        "rolled back: an old entry as the newest": ("SIGNATURE", serve([*lines, lines[1]])),
        "a document changed": (
            "SIGNATURE",
            serve(alter(last, state=lines[last]["state"] | {"service": []})),
        ),
        "a document of another DID": (
            "MALFORMED",
            serve(alter(last, state=lines[last]["state"] | {"id": "did:web:evil.example"})),
        ),
        "an entry unsigned": ("MALFORMED", serve(alter(last, proof=[]))),
        "an entry with the signature of another": (
            "SIGNATURE",
            serve(alter(last, proof=lines[last - 1]["proof"])),
        ),
        "a time before the entry's own": (
            "SIGNATURE",
            serve(alter(last, versionTime=lines[0]["versionTime"])),
        ),
        "a time in a year that no clock shows": (
            "MALFORMED",
            serve(alter(last, versionTime="9999-12-31T23:59:59-01:00")),
        ),
        "a version without a number": ("SIGNATURE", serve(alter(last, versionId="x"))),
        "a version that is a number": ("MALFORMED", serve(alter(last, versionId=3))),
        "a member of the entry added": ("MALFORMED", serve(alter(last, x=1))),
        "a parameter that is not known": (
            "MALFORMED",
            serve(alter(last, parameters={"mayor": True})),
        ),
        "another method": (
            "UNSUPPORTED",
            serve(alter(0, parameters=lines[0]["parameters"] | {"method": "did:webvh:9.9"})),
        ),
        "another identifier in the first entry": (
            "SIGNATURE",
            serve(alter(0, parameters=lines[0]["parameters"] | {"scid": "Qm" + "a" * 44})),
        ),
        "keys taken back": (
            "MALFORMED",
            serve(alter(0, parameters=lines[0]["parameters"] | {"updateKeys": []})),
        ),
        "a line that is no JSON": ("MALFORMED", serve("x")),
        "a line with a name twice": (
            "DUPLICATE",
            serve(json.dumps(lines[0])[:-1] + ',"versionId":"1"}'),
        ),
        "nothing": ("MALFORMED", serve("")),
        "2,001 entries": ("TOO_LARGE", serve([{}] * 2_001)),
        "over four mebibytes": (
            "TOO_LARGE",
            {
                "http": {
                    f"{locate_did_webvh(read_did(did))}did.jsonl": {"$repeat": [" ", (4 << 20) + 1]}
                }
            },
        ),
    }
    cases = [Case(name, where, (fault,), pre=pre) for name, (fault, pre) in attacks.items()]
    cases += [
        Case(
            "the log of another identifier",
            where,
            ("UNRESOLVED",),
            other,
            serve(lines, other),
        ),
        Case(
            "a moment before it existed",
            where,
            ("UNRESOLVED",),
            pre={"at_ms": 0},
        ),
        Case(
            "an entry by whoever has the server",
            where,
            ("KEY",),
            pre=serve([*lines[:last], write_entry(lines[last - 1], lines[last])]),
        ),
        Case(
            "a key that was not promised (pre-rotation)",
            where,
            ("KEY",),
            pre=serve(turn_with({"updateKeys": [write_multikey(THIEF.public_key)]}), turned),
            sound="keys promised",
        ),
        Case(
            "no keys where they were promised (pre-rotation)",
            where,
            ("KEY",),
            pre=serve(turn_with({}), turned),
            sound="keys promised",
        ),
    ]
    sound = {
        "a log": Sound(did, serve(lines)),
        "keys promised": Sound(turned, serve(turns, turned)),
    }
    return Theme("Logs of did:webvh", "did", {"time_ms": NOW_MS}, sound, cases)


def make_addresses() -> Theme:
    """Where a DID would lead: server-side request forgery."""
    where = "RFC 6890; did:web, section 4; OWASP SSRF Prevention"
    addresses = {
        "this machine": ["127.0.0.1"],
        "all of this machine": ["0.0.0.0"],  # noqa: S104 - is refused
        "a private network": ["10.0.0.1"],
        "another private network": ["192.168.1.1"],
        "a network of a provider": ["100.64.0.1"],
        "the metadata of a cloud": ["169.254.169.254"],
        "a multicast address": ["224.0.0.1"],
        "a reserved address": ["240.0.0.1"],
        "one outside and one inside": ["203.0.114.7", "10.0.0.1"],
        "this machine in IPv6": ["::1"],
        "a private network in IPv6": ["fd00::1"],
        "a link in IPv6": ["fe80::1%eth0"],
        "a site in IPv6, as of old": ["fec0::1"],
        "IPv4 in IPv6 (mapped)": ["::ffff:127.0.0.1"],
        "IPv4 in IPv6 (compatible)": ["::127.0.0.1"],
        "IPv4 in IPv6 (translated)": ["::ffff:0:127.0.0.1"],
        "IPv4 in IPv6 (6to4)": ["2002:7f00:1::"],
        "IPv4 in IPv6 (Teredo)": ["2001:0:53aa:64c:0:0:80ff:fffe"],
        "IPv4 behind a translator (NAT64)": ["64:ff9b::a00:1"],
        "an address for documentation in IPv6": ["2001:db8::1"],
    }
    cases = [
        Case(
            f"a name that leads to {name}",
            where,
            ("UNRESOLVED",),
            pre={"names": {"office.example": each}, "may_ask_inside": False},
        )
        for name, each in addresses.items()
    ]
    cases.append(
        Case(
            "a host that is not on the list",
            where,
            ("UNRESOLVED",),
            pre={"hosts": ["bank.example"]},
        )
    )
    pre = {"names": {"office.example": ["127.0.0.1"]}, "may_ask_inside": True}
    sound = {"a name that may lead inside": Sound("did:web:office.example%3A1")}
    return Theme("Addresses that lead inside (SSRF)", "address", pre, sound, cases)
