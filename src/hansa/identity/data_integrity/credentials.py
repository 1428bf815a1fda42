"""Credentials of the W3C's data model: what a document must be to be one, and what it says.

Written as version 2.0; version 1.1 is read, too. What a type's claims must be is for its schema,
and whether the status lists still allow it for whoever has them.

Source: W3C Verifiable Credentials Data Model 2.0, section 4; 1.1, sections 4 and 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hansa.identity.data_integrity.contexts import CREDENTIALS_V1, CREDENTIALS_V2, Contexts
from hansa.identity.data_integrity.proofs import Expected, FindKey, verify_proofs
from hansa.identity.data_integrity.terms import is_iri
from hansa.identity.encoding.timestamp import read_timestamp, write_timestamp
from hansa.identity.faults import Fault, Unsound

CREDENTIAL_TYPE = "VerifiableCredential"
PARTS_MAX = 64
"""Subjects, statuses and the like of one credential, of each kind."""

_VERSIONS = {
    CREDENTIALS_V2: ("2.0", "validFrom", "validUntil"),
    CREDENTIALS_V1: ("1.1", "issuanceDate", "expirationDate"),
}
_NEEDS = {
    "credentialStatus": ("type",),
    "credentialSchema": ("id", "type"),
    "refreshService": ("type",),
    "termsOfUse": ("type",),
    "evidence": ("type",),
    "relatedResource": ("id",),
}
"""Members that are objects, and what each of these must have."""


class Credential(NamedTuple):
    """A credential, read; `verify_credential` gives only verified ones."""

    document: Mapping[str, Any]
    version: str
    """Of the data model: `2.0` or `1.1`."""
    id: str
    """Empty if it has none; the same of subjects."""
    types: tuple[str, ...]
    issuer: str
    subjects: tuple[Mapping[str, Any], ...]
    valid_from_ms: int | None
    valid_until_ms: int | None
    statuses: tuple[Mapping[str, Any], ...]
    schemas: tuple[Mapping[str, Any], ...]


def read_credential(document: Any) -> Credential:  # noqa: ANN401 - a decode edge
    """Read a credential and check it against the data model.

    Raises:
      Unsound: `MALFORMED`, `TYPE`, `CONTEXT`, `UNSUPPORTED` or `TOO_LARGE`.
    """
    types = read_types(document, "the credential", CREDENTIAL_TYPE)
    version, from_name, until_name = _read_version(document)
    _check_texts(document)
    parts = {name: _read_parts(document, name, needs) for name, needs in _NEEDS.items()}
    _check_resources(parts["relatedResource"])
    subjects = _read_parts(document, "credentialSubject", ())
    if not subjects:
        raise Unsound(Fault.MALFORMED, "the credential has no credentialSubject")
    valid_from_ms, valid_until_ms = (
        read_timestamp(document[name], f"{name} of the credential") if name in document else None
        for name in (from_name, until_name)
    )
    if version == "1.1" and valid_from_ms is None:
        raise Unsound(Fault.MALFORMED, "the credential has no issuanceDate")
    if valid_until_ms is not None and (valid_from_ms or valid_until_ms) > valid_until_ms:
        raise Unsound(Fault.MALFORMED, "the credential ends before it begins")
    return Credential(
        document,
        version,
        _read_url(document, "id", "the credential"),
        types,
        read_identity(document, "issuer", "the credential"),
        subjects,
        valid_from_ms,
        valid_until_ms,
        parts["credentialStatus"],
        parts["credentialSchema"],
    )


def check_validity(credential: Credential, now_ms: int, leeway_ms: int = 0) -> None:
    """Check whether a credential is valid at a moment, as far as clocks may differ.

    Raises:
      Unsound: `NOT_YET_VALID` or `EXPIRED`.
    """
    valid_from_ms, valid_until_ms = credential.valid_from_ms, credential.valid_until_ms
    if valid_from_ms is not None and now_ms + leeway_ms < valid_from_ms:
        since = write_timestamp(valid_from_ms)
        raise Unsound(Fault.NOT_YET_VALID, f"the credential is valid from {since} on")
    if valid_until_ms is not None and now_ms - leeway_ms > valid_until_ms:
        until = write_timestamp(valid_until_ms)
        raise Unsound(Fault.EXPIRED, f"the credential was valid until {until}")


def verify_credential(
    document: Any,  # noqa: ANN401 - a decode edge
    contexts: Contexts,
    now_ms: int,
    find_key: FindKey,
) -> Credential:
    """Verify a credential that is secured by proofs, one of them at least by its issuer.

    Raises:
      Unsound: as `read_credential`, `check_validity` and `verify_proofs`; `ISSUER`.
    """
    credential = read_credential(document)
    check_validity(credential, now_ms)
    proofs = verify_proofs(document, contexts, Expected(now_ms), find_key)
    if credential.issuer not in {each.controller for each in proofs}:
        raise Unsound(Fault.ISSUER, f"no proof of the credential is by {credential.issuer}")
    return credential


def read_types(document: Any, what: str, needed: str) -> tuple[str, ...]:  # noqa: ANN401
    """Read the types of a document, one of which must be there.

    Raises:
      Unsound: `MALFORMED` or `TYPE`.
    """
    if not isinstance(document, dict):
        raise Unsound(Fault.MALFORMED, f"{what} is no JSON object")
    value = document.get("type")
    types = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in types) or needed not in types:
        raise Unsound(Fault.TYPE, f"{what} is not of the type {needed}")
    return tuple(types)


def read_identity(document: Mapping[str, Any], name: str, what: str) -> str:
    """Read who an issuer or holder is: a URL, or an object with a URL as `id`.

    Raises:
      Unsound: `MALFORMED`.
    """
    value = document.get(name)
    url = value.get("id") if isinstance(value, dict) else value
    if not isinstance(url, str) or not is_iri(url):
        raise Unsound(Fault.MALFORMED, f"{name} of {what} must be a URL, or an object with an id")
    return url


def _read_version(document: Mapping[str, Any]) -> tuple[str, str, str]:
    """Read which data model a document is of: its first context says so."""
    value = document.get("@context")
    first = value[0] if isinstance(value, list) and value else value
    if not isinstance(first, str) or first not in _VERSIONS:
        raise Unsound(
            Fault.UNSUPPORTED, f"the first @context of the credential must be {CREDENTIALS_V2}"
        )
    return _VERSIONS[first]


def _read_url(document: Mapping[str, Any], name: str, what: str) -> str:
    value = document.get(name, "")
    if name in document and (not isinstance(value, str) or not is_iri(value)):
        raise Unsound(Fault.MALFORMED, f"{name} of {what} must be one URL")
    return str(value)


def _read_parts(
    document: Mapping[str, Any], name: str, needs: tuple[str, ...]
) -> tuple[Mapping[str, Any], ...]:
    """Read a member that is an object, or several."""
    if name not in document:
        return ()
    value = document[name]
    parts = value if isinstance(value, list) else [value]
    if len(parts) > PARTS_MAX:
        raise Unsound(Fault.TOO_LARGE, f"the credential has {len(parts)} of {name}")
    for each in parts:
        if not isinstance(each, dict) or not each or any(need not in each for need in needs):
            having = f", with {' and '.join(needs)}" if needs else ""
            raise Unsound(Fault.MALFORMED, f"{name} must be an object{having}")
        _read_url(each, "id", name)
    return tuple(parts)


def _check_texts(document: Mapping[str, Any]) -> None:
    """Check names and descriptions: texts, alone or in a language each."""
    for name in ("name", "description"):
        value = document.get(name, "")
        for each in value if isinstance(value, list) else [value]:
            text = each.get("@value") if isinstance(each, dict) else each
            if not isinstance(text, str):
                raise Unsound(Fault.MALFORMED, f"{name} of the credential must be text")


def _check_resources(resources: tuple[Mapping[str, Any], ...]) -> None:
    for each in resources:
        if "digestSRI" not in each and "digestMultibase" not in each:
            raise Unsound(Fault.MALFORMED, "a relatedResource must have a digest")
    if len({each["id"] for each in resources}) < len(resources):
        raise Unsound(Fault.DUPLICATE, "two of relatedResource have the same id")
