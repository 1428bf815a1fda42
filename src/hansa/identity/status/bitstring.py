"""Bitstring Status Lists: a status as a credential of its own, for credentials in JSON-LD.

Each list has one purpose and, nearly always, one bit an entry; the first entry is the *highest*
bit of the first byte, other than in a Token Status List. The credential that holds the list is
signed and verified like any other; here it is made and read.

Source: W3C Bitstring Status List 1.0, sections 2 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from hansa.identity.encoding.multibase import BASE64URL, decode_multibase, encode_multibase
from hansa.identity.encoding.timestamp import read_timestamp, write_timestamp
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.claims import LEEWAY_S, show_claim
from hansa.identity.status.entries import GZIP, Entries, compress, expand

CONTEXT = "https://www.w3.org/ns/credentials/v2"
ENTRIES_MIN = 131_072
"""So that a list does not tell whose credential is asked about."""
SIZE_MAX = 8
"""Bits of an entry that are read."""
REVOCATION, SUSPENSION, REFRESH, MESSAGE = "revocation", "suspension", "refresh", "message"

ENTRY_TYPE = "BitstringStatusListEntry"
_LIST_TYPE = "BitstringStatusList"
_CREDENTIAL_TYPE = "BitstringStatusListCredential"
_LIST = "the status list"
_INDEX_DIGITS_MAX = 12
_ENTRIES_MAX = 16
"""Of one credential."""


class BitstringEntry(msgspec.Struct, frozen=True, gc=False):
    """Where one status of a credential stands."""

    uri: str
    index: int
    purpose: str
    size: int = 1
    """Bits."""


class Bitstring(NamedTuple):
    """A list that was read from a verified credential."""

    content: bytes
    purposes: tuple[str, ...]
    ttl_ms: int | None
    """After how long whoever keeps it should ask again."""


class BitstringPublication(msgspec.Struct, frozen=True, kw_only=True):
    """Where, by whom and for how long a list is published; times are milliseconds since 1970."""

    uri: str
    issuer: str
    purpose: str
    valid_from_ms: int
    valid_until_ms: int | None = None
    ttl_ms: int | None = None


def convert_entries(entries: Entries, status: int) -> bytes:
    """Make a bitstring of those entries that have a status, as of all that are revoked."""
    bits = int(entries.bits)
    each = 8 // bits
    mask = (1 << bits) - 1
    # What each byte's entries are as bits, the first one highest; these are put side by side.
    table = bytes(
        sum((byte >> bits * place & mask == status) << each - 1 - place for place in range(each))
        for byte in range(256)
    )
    size = max(-(-len(entries.content) // bits), ENTRIES_MIN // 8)
    found = entries.content.translate(table).ljust(size * bits, b"\0")
    parts = (
        int.from_bytes(found[place::bits], "big") << 8 - each * (place + 1) for place in range(bits)
    )
    return sum(parts).to_bytes(size, "big")


def write_entry(entry: BitstringEntry) -> dict[str, Any]:
    """Write one member of `credentialStatus`, of one bit."""
    return {
        "type": ENTRY_TYPE,
        "statusPurpose": entry.purpose,
        "statusListIndex": str(entry.index),
        "statusListCredential": entry.uri,
    }


def write_list_credential(content: bytes, publication: BitstringPublication) -> dict[str, Any]:
    """Write the credential that publishes a bitstring, to be signed.

    Raises:
      Unsound: `MALFORMED`: fewer than 131,072 entries.
    """
    if len(content) * 8 < ENTRIES_MIN:
        raise Unsound(Fault.MALFORMED, f"a bitstring has at least {ENTRIES_MIN} entries")
    subject: dict[str, Any] = {
        "id": f"{publication.uri}#list",
        "type": _LIST_TYPE,
        "statusPurpose": publication.purpose,
        "encodedList": encode_multibase(compress(content, GZIP), BASE64URL),
    }
    if publication.ttl_ms is not None:
        subject["ttl"] = publication.ttl_ms
    credential: dict[str, Any] = {
        "@context": [CONTEXT],
        "id": publication.uri,
        "type": ["VerifiableCredential", _CREDENTIAL_TYPE],
        "issuer": publication.issuer,
        "validFrom": write_timestamp(publication.valid_from_ms),
        "credentialSubject": subject,
    }
    if publication.valid_until_ms is not None:
        credential["validUntil"] = write_timestamp(publication.valid_until_ms)
    return credential


def read_entries(credential: Mapping[str, Any]) -> list[BitstringEntry]:
    """Read where the statuses of a credential stand; those of other mechanisms are left out.

    Raises:
      Unsound: `MALFORMED`, `TOO_LARGE`, or `UNSUPPORTED`: entries of over 8 bits.
    """
    found = credential.get("credentialStatus", [])
    statuses = found if type(found) is list else [found]
    if len(statuses) > _ENTRIES_MAX:
        raise Unsound(Fault.TOO_LARGE, f"the credential has over {_ENTRIES_MAX} statuses")
    if not all(type(each) is dict for each in statuses):
        raise _malformed("credentialStatus is no object")
    return [_read_entry(each) for each in statuses if _has_type(each, ENTRY_TYPE)]


def read_list_credential(
    credential: Mapping[str, Any], uri: str, now_ms: int, leeway_s: int = LEEWAY_S
) -> Bitstring:
    """Read the list of a credential whose proof and issuer the caller has verified.

    `uri` is under what it was fetched.

    Raises:
      Unsound: `TYPE`, `MALFORMED`, `TOO_LARGE`, `NOT_YET_VALID`, `EXPIRED`, or `STATUS`: it is
        another list, or too short.
    """
    if not _has_type(credential, _CREDENTIAL_TYPE):
        raise Unsound(Fault.TYPE, f"{_LIST} is no {_CREDENTIAL_TYPE}")
    if credential.get("id", uri) != uri:
        raise Unsound(
            Fault.STATUS, f"{_LIST} is that of {show_claim(credential['id'])}, not of {uri}"
        )
    _verify_period(credential, now_ms, leeway_s * 1_000)
    subject = credential.get("credentialSubject")
    if type(subject) is not dict or not _has_type(subject, _LIST_TYPE):
        raise _malformed(f"credentialSubject is no {_LIST_TYPE}")
    ttl_ms = subject.get("ttl")
    if ttl_ms is not None and (type(ttl_ms) is not int or ttl_ms < 0):
        raise _malformed("ttl is no number of milliseconds")
    encoded = subject.get("encodedList")
    if type(encoded) is not str or not encoded.startswith(BASE64URL):
        raise _malformed("encodedList is no multibase of base64url (u…)")
    content = expand(decode_multibase(encoded, f"encodedList of {_LIST}"), GZIP)
    return Bitstring(content, _read_purposes(subject), ttl_ms)


def get_bitstring_status(bitstring: Bitstring, entry: BitstringEntry) -> int:
    """Get a status; 0 is what every credential begins with.

    Raises:
      Unsound: `STATUS`: the list is for another purpose, too short, or ends before the entry.
    """
    if entry.purpose not in bitstring.purposes:
        raise Unsound(
            Fault.STATUS,
            f"{_LIST} is for {' and '.join(bitstring.purposes)}, not {show_claim(entry.purpose)}",
        )
    bits = len(bitstring.content) * 8
    first = entry.index * entry.size
    if bits < ENTRIES_MIN * entry.size or first + entry.size > bits:
        raise Unsound(
            Fault.STATUS,
            f"{_LIST} has {bits} bits: it needs {ENTRIES_MIN} entries, and one at {entry.index}",
        )
    byte, place = divmod(first, 8)
    window = int.from_bytes(bitstring.content[byte : byte + 2].ljust(2, b"\0"), "big")
    return window >> 16 - place - entry.size & (1 << entry.size) - 1


def verify_bitstring_status(bitstring: Bitstring, entry: BitstringEntry) -> int:
    """Verify that a status lets a credential count; returns it, for what is only a message.

    Raises:
      Unsound: as `get_bitstring_status`; `REVOKED`, `SUSPENDED`, or `STATUS`: a purpose that is
        not known here.
    """
    status = get_bitstring_status(bitstring, entry)
    if status and entry.purpose == REVOCATION:
        raise Unsound(Fault.REVOKED, "the credential was revoked by its issuer")
    if status and entry.purpose == SUSPENSION:
        raise Unsound(Fault.SUSPENDED, "the credential is suspended by its issuer for now")
    if status and entry.purpose not in {REFRESH, MESSAGE}:
        raise Unsound(
            Fault.STATUS,
            f"the credential has the status {status} for {show_claim(entry.purpose)}, which is "
            "not known here",
        )
    return status


def _read_entry(found: Mapping[str, Any]) -> BitstringEntry:
    purpose, uri = found.get("statusPurpose"), found.get("statusListCredential")
    if type(purpose) is not str or type(uri) is not str or not uri:
        raise _malformed("credentialStatus names no statusPurpose or no statusListCredential")
    digits = found.get("statusListIndex")
    is_index = type(digits) is str and digits.isascii() and digits.isdigit()
    if not is_index or len(str(digits)) > _INDEX_DIGITS_MAX:
        raise _malformed("statusListIndex is no number in a text")
    size = found.get("statusSize", 1)
    if type(size) is not int or size < 1:
        raise _malformed("statusSize is no positive number")
    if size > SIZE_MAX:
        raise Unsound(Fault.UNSUPPORTED, f"a status of {size} bits: up to {SIZE_MAX} are read")
    messages = found.get("statusMessage")
    if (messages is not None or size > 1) and not _are_messages(messages, 1 << size):
        raise _malformed(f"statusMessage does not hold one for each of {1 << size} values")
    return BitstringEntry(uri, int(str(digits)), purpose, size)


def _are_messages(value: object, count: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == count
        and all(
            isinstance(each, dict) and type(each.get("status")) is type(each.get("message")) is str
            for each in value
        )
    )


def _read_purposes(subject: Mapping[str, Any]) -> tuple[str, ...]:
    found = subject.get("statusPurpose")
    purposes: Sequence[Any] = found if type(found) is list else [found]
    if not purposes or not all(type(each) is str for each in purposes):
        raise _malformed("statusPurpose is no text")
    return tuple(purposes)


def _verify_period(credential: Mapping[str, Any], now_ms: int, leeway_ms: int) -> None:
    begins, ends = credential.get("validFrom"), credential.get("validUntil")
    if begins is not None and read_timestamp(begins, f"validFrom of {_LIST}") > now_ms + leeway_ms:
        raise Unsound(Fault.NOT_YET_VALID, f"{_LIST} counts from {begins} on; it is earlier")
    if ends is not None and read_timestamp(ends, f"validUntil of {_LIST}") <= now_ms - leeway_ms:
        raise Unsound(Fault.EXPIRED, f"{_LIST} counted until {ends}")


def _has_type(value: Mapping[str, Any], name: str) -> bool:
    found = value.get("type")
    return found == name or (type(found) is list and name in found)


def _malformed(why: str) -> Unsound:
    return Unsound(Fault.MALFORMED, f"this is not as Bitstring Status List says: {why}")
