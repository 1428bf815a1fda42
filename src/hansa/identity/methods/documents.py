"""DID documents: which keys a DID has, and what each may be used for.

A key counts for a relationship only if the document lists it there; one that is listed for
nothing may do nothing. Methods of kinds that are not known here are left out, not guessed at.

Source: W3C Decentralized Identifiers 1.0, sections 5.2 and 5.3; Controlled Identifiers 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from hansa.identity.encoding.multibase import decode_base58
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.jwk import read_jwk
from hansa.identity.keys.kinds import KeyKind, PublicKey, load_public_key
from hansa.identity.keys.multikey import read_multikey

METHODS_MAX = 64
SERVICES_MAX = 64


class Relationship(StrEnum):
    """What a key of a DID may be used for."""

    AUTHENTICATION = "authentication"
    ASSERTION = "assertionMethod"
    AGREEMENT = "keyAgreement"
    INVOCATION = "capabilityInvocation"
    DELEGATION = "capabilityDelegation"


class Service(NamedTuple):
    """Where and how a DID's subject can be reached."""

    id: str
    type: str
    endpoint: str


class DidDocument(NamedTuple):
    """What a DID resolved to, read and checked."""

    id: str
    keys: Mapping[str, PublicKey]
    """By the DID URL of the verification method."""
    relationships: Mapping[Relationship, tuple[str, ...]]
    """The DID URLs of the methods that are listed for each."""
    services: tuple[Service, ...] = ()
    also_known_as: tuple[str, ...] = ()
    is_deactivated: bool = False

    def find_key(self, url: str, relationship: Relationship) -> PublicKey:
        """Find the key that a DID URL names, if it may be used for this.

        Raises:
          Unsound: `UNRESOLVED`, or `KEY`: it is not listed for this use.
        """
        if self.is_deactivated:
            raise Unsound(Fault.UNRESOLVED, f"{self.id} is deactivated: it has no keys any more")
        url = _make_absolute(self.id, url)
        if url not in self.keys:
            raise Unsound(Fault.UNRESOLVED, f"{self.id} has no key {url!r} of a known kind")
        if url not in self.relationships.get(relationship, ()):
            raise Unsound(Fault.KEY, f"{url} is not listed as {relationship.value} of {self.id}")
        return self.keys[url]

    def list_keys(self, relationship: Relationship) -> list[tuple[str, PublicKey]]:
        """List the keys for one use, with the DID URLs that name them."""
        urls = () if self.is_deactivated else self.relationships.get(relationship, ())
        return [(url, self.keys[url]) for url in urls if url in self.keys]


def read_document(value: Any, did: str) -> DidDocument:  # noqa: ANN401 - a decode edge
    """Read the JSON of a DID document that was fetched for `did`.

    Raises:
      Unsound: `MALFORMED`, `TOO_LARGE`, `DUPLICATE` or `KEY`; `UNRESOLVED`: of another DID.
    """
    if not isinstance(value, dict):
        raise _malformed(did, "is no JSON object")
    if value.get("id") != did:
        raise Unsound(Fault.UNRESOLVED, f"the document of {did} says that it is another's")
    reading = _Reading(did)
    for each in _take_list(value, "verificationMethod", did, METHODS_MAX):
        reading.add_method(each)
    for relationship in Relationship:
        for each in _take_list(value, relationship.value, did, METHODS_MAX):
            reading.add_use(relationship, each)
    services = tuple(
        found
        for each in _take_list(value, "service", did, SERVICES_MAX)
        if (found := _read_service(did, each)) is not None
    )
    names = tuple(
        each
        for each in _take_list(value, "alsoKnownAs", did, SERVICES_MAX)
        if isinstance(each, str)
    )
    uses = {relationship: tuple(urls) for relationship, urls in reading.uses.items()}
    return DidDocument(did, reading.keys, uses, services, names)


class _Reading:
    """Collects the methods of one document."""

    def __init__(self, did: str) -> None:
        self.did = did
        self.keys: dict[str, PublicKey] = {}
        self.uses: dict[Relationship, list[str]] = {each: [] for each in Relationship}
        self.seen: set[str] = set()

    def add_method(self, method: Any) -> str:  # noqa: ANN401 - a decode edge
        """Take one verification method in, and return the DID URL that names it."""
        if not isinstance(method, dict) or not isinstance(method.get("id"), str):
            raise _malformed(self.did, "has a verification method without an id")
        url = _make_absolute(self.did, method["id"])
        if url in self.seen:
            raise Unsound(
                Fault.DUPLICATE, f"the document of {self.did} has the method {url!r} twice"
            )
        if len(self.seen) >= METHODS_MAX:
            raise Unsound(
                Fault.TOO_LARGE, f"the document of {self.did} has over {METHODS_MAX} keys"
            )
        self.seen.add(url)
        key = _read_key(method, f"the key {url}")
        if key is not None:
            self.keys[url] = key
        return url

    def add_use(self, relationship: Relationship, entry: Any) -> None:  # noqa: ANN401
        """Take one entry of a relationship in: a reference, or a method that stands there."""
        is_reference = isinstance(entry, str)
        url = _make_absolute(self.did, entry) if is_reference else self.add_method(entry)
        self.uses[relationship].append(url)


def _read_key(method: Mapping[str, Any], what: str) -> PublicKey | None:
    """Read a method's key by how it is written; None for kinds that are not known here."""
    if "publicKeyJwk" in method:
        return read_jwk(method["publicKeyJwk"], what)
    multibase, base58 = method.get("publicKeyMultibase"), method.get("publicKeyBase58")
    if isinstance(multibase, str):
        return read_multikey(multibase, what)
    kind = _BASE58_KINDS.get(str(method.get("type")))
    if isinstance(base58, str) and kind is not None:
        return load_public_key(kind, decode_base58(base58, what))
    return None


_BASE58_KINDS = {
    "Ed25519VerificationKey2018": KeyKind.ED25519,
    "X25519KeyAgreementKey2019": KeyKind.X25519,
    "EcdsaSecp256k1VerificationKey2019": KeyKind.SECP256K1,
}
"""Kinds of before Multikey, whose name says what the bytes are."""


def _read_service(did: str, entry: Any) -> Service | None:  # noqa: ANN401 - a decode edge
    if not isinstance(entry, dict):
        raise _malformed(did, "has a service that is no object")
    found = (entry.get("id"), entry.get("type"), entry.get("serviceEndpoint"))
    if not all(isinstance(each, str) for each in found):
        return None
    return Service(_make_absolute(did, str(found[0])), str(found[1]), str(found[2]))


def _make_absolute(did: str, url: str) -> str:
    """A reference within a document may leave the DID out."""
    return did + url if url.startswith("#") else url


def _take_list(value: Mapping[str, Any], name: str, did: str, count_max: int) -> list[Any]:
    found = value.get(name, [])
    if not isinstance(found, list):
        raise _malformed(did, f"has a {name} that is no list")
    if len(found) > count_max:
        raise Unsound(Fault.TOO_LARGE, f"the document of {did} has over {count_max} {name}")
    return found


def _malformed(did: str, what: str) -> Unsound:
    return Unsound(Fault.MALFORMED, f"the document of {did} {what}")
