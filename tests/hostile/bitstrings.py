"""Hostile Bitstring Status Lists: credentials that tell the status of others."""

from __future__ import annotations

import json
import zlib
from typing import Any

from tests.hostile.documents import DID, ISSUER, NOW_MS, STRANGER
from tests.hostile.themes import Case, Sound, Theme
from tests.secured import CONTEXTS, V2, name_method

from hansa.identity.data_integrity.proofs import Proof, add_proof
from hansa.identity.encoding.base64url import encode_base64url

URI = "https://office.example/status/3"
WHERE = "Bitstring Status List 1.0, section 3.2"
STATUS = {
    "type": "BitstringStatusListEntry",
    "statusPurpose": "revocation",
    "statusListIndex": "7",
    "statusListCredential": URI,
}
PRE = {"time_ms": NOW_MS, "uri": URI, "credentialStatus": STATUS}
SIZE = 16_384
"""Bytes of 131,072 entries, the least."""


def pack(content: bytes) -> str:
    """Compress a list as it is published."""
    expander = zlib.compressobj(9, zlib.DEFLATED, 31)
    return f"u{encode_base64url(expander.compress(content) + expander.flush())}"


def write(subject: dict | None = None, signer=ISSUER, **changes: Any) -> str:
    """Write and sign a list's credential."""
    told = {
        "id": f"{URI}#list",
        "type": "BitstringStatusList",
        "statusPurpose": "revocation",
        "encodedList": pack(bytes(SIZE)),
    } | (subject or {})
    document = {
        "@context": [V2],
        "id": URI,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": DID,
        "validFrom": "2026-01-01T00:00:00Z",
        "validUntil": "2027-01-01T00:00:00Z",
        "credentialSubject": told,
    } | changes
    proof = Proof("eddsa-rdfc-2022", name_method(signer))
    return json.dumps(add_proof(document, signer, proof, CONTEXTS))


def make_lists() -> Theme:
    """Lists."""
    good = write()
    lists: dict[str, tuple[str, str]] = {
        "revoked": ("REVOKED", write({"encodedList": pack(b"\x01" + bytes(SIZE - 1))})),
        "the list of another place": ("STATUS", write(id="https://office.example/status/4")),
        "for another purpose": ("STATUS", write({"statusPurpose": "suspension"})),
        "fewer than 131,072 entries, which tell whose it is": (
            "STATUS",
            write({"encodedList": pack(bytes(100))}),
        ),
        "a bomb: 17 MiB in 17 KiB (gzip)": (
            "TOO_LARGE",
            write({"encodedList": pack(bytes((1 << 24) + 1))}),
        ),
        "compressed bytes with more behind": (
            "MALFORMED",
            write({"encodedList": pack(bytes(SIZE)) + "AAAA"}),
        ),
        "compressed in another form (zlib)": (
            "MALFORMED",
            write({"encodedList": f"u{encode_base64url(zlib.compress(bytes(SIZE)))}"}),
        ),
        "not compressed": ("MALFORMED", write({"encodedList": f"u{encode_base64url(bytes(99))}"})),
        "in base58": ("MALFORMED", write({"encodedList": "z6Mk"})),
        "expired": ("EXPIRED", write(validUntil="2026-01-02T00:00:00Z")),
        "of the future": ("NOT_YET_VALID", write(validFrom="2026-12-24T00:00:00Z")),
        "a credential of another type": ("TYPE", write(type=["VerifiableCredential"])),
        "signed by a stranger": ("ISSUER", write(signer=STRANGER)),
        "changed after it was signed": (
            "SIGNATURE",
            good.replace("2027-01-01", "2028-01-01"),
        ),
        "unsigned": (
            "MALFORMED",
            json.dumps({name: each for name, each in json.loads(good).items() if name != "proof"}),
        ),
    }
    cases = [Case(name, WHERE, (fault,), given) for name, (fault, given) in lists.items()]
    entries: dict[str, tuple[str, dict]] = {
        "a place beyond the list": ("STATUS", {"statusListIndex": "131072"}),
        "a place of 13 digits": ("MALFORMED", {"statusListIndex": "1" * 13}),
        "a place below 0": ("MALFORMED", {"statusListIndex": "-1"}),
        "a place in other digits": ("MALFORMED", {"statusListIndex": "\u0667"}),
        "a place that is a number": ("MALFORMED", {"statusListIndex": 7}),
        "no purpose": ("MALFORMED", {"statusPurpose": None}),
        "entries of 0 bits": ("MALFORMED", {"statusSize": 0}),
        "entries of 64 bits": ("UNSUPPORTED", {"statusSize": 64}),
    }
    cases += [
        Case(
            f"a credential with {name}", WHERE, (fault,), pre={"credentialStatus": STATUS | change}
        )
        for name, (fault, change) in entries.items()
    ]
    cases.append(
        Case(
            "a credential with 17 statuses",
            WHERE,
            ("TOO_LARGE",),
            pre={"credentialStatus": [STATUS] * 17},
        )
    )
    return Theme("Bitstring Status Lists", "list", PRE, {"valid": Sound(good)}, cases)
