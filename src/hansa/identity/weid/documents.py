"""WeIdentity's DID documents, read into the documents that every DID method here gives.

Keys that its documents list for authentication are those that sign credentials, too. Older
versions list keys apart, and refer to them. Revoked keys, keys of other owners and kinds that are
not known here are left out. `recKey` and `recovery` are for the chain, and say nothing of keys.

Source: WeIdDocument of WeIdentity's Java SDK, 1.5.0, 1.8.2 and 3.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.methods.documents import (
    METHODS_MAX,
    SERVICES_MAX,
    DidDocument,
    Relationship,
    Service,
)
from hansa.identity.weid.identifiers import WeId, derive_address, read_weid
from hansa.identity.weid.public_keys import read_key


def read_weid_document(value: Any, did: str, *, is_from_chain: bool = False) -> DidDocument:  # noqa: ANN401 - a decode edge
    """Read the JSON of a document that a caller gives for `did`.

    A DID's address derives from its first key, which proves itself. Other keys hold only because
    the chain says so: they are taken if the caller read the document there (`is_from_chain`), and
    left out otherwise. The document's `id` and the URLs of keys have their address in lower case.

    Raises:
      Unsound: `MALFORMED`, `TOO_LARGE`, `DUPLICATE`; `UNRESOLVED`: of another DID; `KEY`: a key
        that is none, or nothing is left.
    """
    weid = read_weid(did)
    if not isinstance(value, dict):
        raise _malformed(did, "is no JSON object")
    if read_weid(value.get("id")) != weid:
        raise Unsound(Fault.UNRESOLVED, f"the document of {did} says that it is another's")
    found = _read_keys(value, weid)
    keys = {
        url: key
        for url, key in found.items()
        if is_from_chain or derive_address(key) == weid.address
    }
    if not keys:
        raise Unsound(
            Fault.KEY,
            f"no key for authentication in the document of {did} is the one its address derives "
            "from; if you read the document from the chain itself, say so (is_from_chain)",
        )
    uses = (Relationship.AUTHENTICATION, Relationship.ASSERTION)
    services = tuple(
        _read_service(each, weid) for each in _take_entries(value, "service", weid, SERVICES_MAX)
    )
    return DidDocument(str(weid), keys, dict.fromkeys(uses, tuple(keys)), services)


def _read_keys(value: Mapping[str, Any], weid: WeId) -> dict[str, PublicKey]:
    """Read the keys that are listed for authentication, by their URLs."""
    listed: dict[str, Mapping[str, Any]] = {}
    for entry in _take_entries(value, "publicKey", weid, METHODS_MAX):
        _add(listed, entry, weid)
    used: dict[str, Mapping[str, Any]] = {}
    for entry in _take_entries(value, "authentication", weid, METHODS_MAX):
        if "publicKeyMultibase" in entry:
            _add(used, entry, weid)
        elif not entry.get("revoked"):
            url = read_key_url(entry.get("publicKey"), weid)
            used |= {url: listed[url]} if url in listed else {}
    read = ((url, read_key(entry, f"the key {url}")) for url, entry in used.items())
    return {url: key for url, key in read if key is not None}


def read_key_url(text: object, weid: WeId) -> str:
    """Read the URL of a key of this DID, and write its address in lower case.

    Raises:
      Unsound: `MALFORMED`; `UNRESOLVED`: it is another DID's.
    """
    did, sign, fragment = text.partition("#") if isinstance(text, str) else ("", "", "")
    if not sign or not fragment:
        raise _malformed(str(weid), f"names a key that is no DID URL: {text!r:.120}")
    if read_weid(did) != weid:
        raise Unsound(Fault.UNRESOLVED, f"{text:.120} is no key of {weid}")
    return f"{weid}#{fragment}"


def _add(found: dict[str, Mapping[str, Any]], entry: Mapping[str, Any], weid: WeId) -> None:
    """Take an entry in that has a key of its own, unless it is revoked or of another owner."""
    url = read_key_url(entry.get("id"), weid)
    if url in found:
        raise Unsound(Fault.DUPLICATE, f"the document of {weid} has the key {url!r} twice")
    owner = entry.get("owner", entry.get("controller"))
    if not entry.get("revoked") and (not owner or read_weid(owner) == weid):
        found[url] = entry


def _read_service(entry: Mapping[str, Any], weid: WeId) -> Service:
    """Read a service; older versions give it no id."""
    found = (entry.get("id", str(weid)), entry.get("type"), entry.get("serviceEndpoint"))
    if not all(isinstance(each, str) for each in found):
        raise _malformed(str(weid), "has a service without type and serviceEndpoint")
    return Service(*map(str, found))


def _take_entries(
    value: Mapping[str, Any], name: str, weid: WeId, count_max: int
) -> Iterator[Mapping[str, Any]]:
    found = value.get(name) or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise _malformed(str(weid), f"has a {name} that is no list of objects")
    if len(found) > count_max:
        raise Unsound(Fault.TOO_LARGE, f"the document of {weid} has over {count_max} {name}")
    yield from found


def _malformed(did: str, what: str) -> Unsound:
    return Unsound(Fault.MALFORMED, f"the document of {did} {what}")
