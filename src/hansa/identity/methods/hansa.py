"""`did:hansa`: identifiers that are accounts of a ledger, resolved from its rows.

`did:hansa:<network>:<address>`, the network by the name that its genesis has, the address as text.
Keys of the account are named by their addresses, other methods and services by their names. Keys
of delegates stand under the delegates' own DIDs.

Source: W3C DID Core 1.0, section 5; W3C DID Resolution 0.3, metadata; docs/concepts/identity.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from hansa.contracts.identity import documents as ledger
from hansa.contracts.identity.resolution import Resolution, resolve
from hansa.identity.encoding.timestamp import write_timestamp
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind, PublicKey
from hansa.identity.keys.multikey import write_multikey
from hansa.identity.methods.did import Did
from hansa.identity.methods.documents import DidDocument, Relationship, Service
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.errors import Invalid
from hansa.kernel.rows import Rows

CONTEXTS = ("https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1")
KINDS = {
    ledger.Kind.ED25519: KeyKind.ED25519,
    ledger.Kind.P256: KeyKind.P256,
    ledger.Kind.SECP256K1: KeyKind.SECP256K1,
    ledger.Kind.X25519: KeyKind.X25519,
    ledger.Kind.BLS12381G2: KeyKind.BLS12_381_G2,
}
RELATIONSHIPS = {
    ledger.Relationship.AUTHENTICATION: Relationship.AUTHENTICATION,
    ledger.Relationship.ASSERTION: Relationship.ASSERTION,
    ledger.Relationship.KEY_AGREEMENT: Relationship.AGREEMENT,
    ledger.Relationship.INVOCATION: Relationship.INVOCATION,
}


class Resolved(NamedTuple):
    """A document, and what the ledger knows about it."""

    document: DidDocument
    found: Resolution


class _Method(NamedTuple):
    url: str
    relationships: int
    key: PublicKey


def write_did(network: str, address: bytes) -> str:
    """Write the DID of an address; what a DID cannot hold of a network's name is escaped."""
    return f"did:hansa:{_escape(network)}:{to_text(address)}"


def read_address(did: Did, network: str) -> bytes:
    """Read the address of a DID of this network.

    Raises:
      Unsound: `UNSUPPORTED`: of another method; `UNRESOLVED`: of another network, which only its
        nodes know; `MALFORMED`: no address.
    """
    name, _, text = did.id.rpartition(":")
    if did.method != "hansa":
        raise Unsound(Fault.UNSUPPORTED, f"{str(did)[:120]} is not of the method hansa")
    if name != _escape(network):
        raise Unsound(Fault.UNRESOLVED, f"{str(did)[:200]} is not of the network {network}")
    try:
        address = from_text(text)
    except Invalid as error:
        raise Unsound(Fault.MALFORMED, f"{str(did)[:200]}: {error.message}") from None
    if not text.islower():
        raise Unsound(Fault.MALFORMED, f"write the DID {write_did(network, address)}")
    return address


def resolve_did_hansa(
    rows: Rows, network: str, did: Did, now_ms: int, at_ms: int | None = None
) -> Resolved:
    """Resolve a DID as it is now, or as it was at a time.

    Args:
      rows: of the ledger.
      network: the name of the ledger's network.
      did: which.
      now_ms: ledger time, by which delegations end.
      at_ms: the moment that is asked for; None for the present.

    Raises:
      Unsound: as `read_address`; `UNRESOLVED`: there is no document, or was none yet.
    """
    address = read_address(did, network)
    found = resolve(rows, address, at_ms)
    if found is None:
        when = "" if at_ms is None else f" at {write_timestamp(at_ms)}"
        raise Unsound(Fault.UNRESOLVED, f"{did} has no document on the ledger{when}")
    moment_ms = now_ms if at_ms is None else at_ms
    methods = [*_list_methods(str(did), found)]
    for delegate in found.content.delegates:
        other = resolve(rows, delegate.address, at_ms) if delegate.until_ms > moment_ms else None
        theirs = write_did(network, delegate.address)
        for method in _list_methods(theirs, other) if other else ():
            shared = method.relationships & delegate.relationships
            if shared:
                methods.append(method._replace(relationships=shared))
    return Resolved(_build_document(str(did), found, methods), found)


def write_document(resolved: Resolved) -> dict[str, Any]:
    """Write a document as JSON has it."""
    document, content = resolved.document, resolved.found.content
    return {
        "@context": [*CONTEXTS],
        "id": document.id,
        **({"alsoKnownAs": [*content.also_known_as]} if content.also_known_as else {}),
        "verificationMethod": [
            {
                "id": url,
                "type": "Multikey",
                "controller": url.partition("#")[0],
                "publicKeyMultibase": write_multikey(key),
            }
            for url, key in document.keys.items()
        ],
        **{use.value: [*urls] for use, urls in document.relationships.items() if urls},
        **({"service": [*map(_write_service, document.services)]} if document.services else {}),
    }


def write_metadata(resolved: Resolved) -> dict[str, Any]:
    """Write what DID Resolution calls the document's metadata; a recovery is our own addition."""
    found = resolved.found
    told: dict[str, Any] = {
        "created": write_timestamp(found.created_ms),
        "updated": write_timestamp(found.updated_ms),
        "versionId": str(found.version),
    }
    if found.deactivated:
        told["deactivated"] = True
    if found.next_update_ms:
        told["nextUpdate"] = write_timestamp(found.next_update_ms)
    if found.recovery is not None:
        told["recovery"] = {
            "completeFrom": write_timestamp(found.recovery.complete_from_ms),
            "keys": [to_text(key.address) for key in found.recovery.keys],
        }
    return told


def _write_service(service: Service) -> dict[str, str]:
    return {"id": service.id, "type": service.type, "serviceEndpoint": service.endpoint}


def _escape(network: str) -> str:
    return quote(network, safe="").replace("~", "%7E")


def _list_methods(did: str, found: Resolution) -> Iterator[_Method]:
    """List the subject's own keys whose bytes are known; the contract has checked them."""
    for each in found.keys:
        if each.suite:
            is_first = each.address == found.address
            name = did.rpartition(":")[2] if is_first else to_text(each.address)
            key = PublicKey(KINDS[ledger.Kind(each.suite)], each.public_key)
            yield _Method(f"{did}#{name}", int(each.relationships), key)
    for method in found.content.methods:
        key = PublicKey(KINDS[method.kind], method.public_key)
        yield _Method(f"{did}#{method.name}", method.relationships, key)


def _build_document(did: str, found: Resolution, methods: list[_Method]) -> DidDocument:
    uses = {
        use: tuple(method.url for method in methods if method.relationships & bit)
        for bit, use in RELATIONSHIPS.items()
    }
    services = tuple(
        Service(f"{did}#{each.name}", each.type, each.endpoint) for each in found.content.services
    )
    keys = {method.url: method.key for method in methods}
    names = found.content.also_known_as
    return DidDocument(did, keys, uses, services, names, is_deactivated=found.deactivated)
