"""Type metadata: what a type of SD-JWT VCs is called, and its claims, for whoever shows them.

A type that is an address below the issuer's own, `URL/types/NAME`, is served there. Credentials
hold the hash of what is served, so that it cannot be changed behind them.

Source: draft-ietf-oauth-sd-jwt-vc, section 4 (type metadata) and 5 (integrity); W3C Subresource
Integrity.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from hansa.identity.encoding.canonical_json import canonicalize
from hansa.kernel.errors import NotFound
from hansa.node.identity.issuer.schemas import Schema
from hansa.node.identity.issuer.settings import CredentialFormat, CredentialKind, Settings

FOLDER = "types"


def is_served(settings: Settings, kind: CredentialKind) -> bool:
    """Whether a type is an address at which this service tells of it."""
    name = kind.type.removeprefix(f"{settings.url}/{FOLDER}/")
    is_below = name not in {kind.type, ""} and "/" not in name
    return kind.format is CredentialFormat.SD_JWT and is_below


def write_type(kind: CredentialKind, schema: Schema | None) -> bytes:
    """Write what is served of a type: the same bytes each time, for their hash is signed."""
    content = {} if schema is None else schema.content
    properties = content.get("properties", {})
    found: dict[str, Any] = {
        "vct": kind.type,
        "name": kind.name,
        "display": [{"locale": kind.locale, "name": kind.name}],
    }
    if isinstance(content.get("description"), str):
        found["description"] = content["description"]
    claims = [_describe(kind, name, each) for name, each in properties.items()]
    return canonicalize(found | ({"claims": claims} if claims else {}))


def compute_integrity(content: bytes) -> str:
    """Compute `vct#integrity` of what is served."""
    return f"sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}"


def find_type(settings: Settings, schemas: Mapping[str, Schema], name: str) -> bytes:
    """Find what is served under a name.

    Raises:
      NotFound: no type of this issuer has that address.
    """
    address = f"{settings.url}/{FOLDER}/{name}"
    for kind in settings.credentials:
        if kind.type == address and is_served(settings, kind):
            return write_type(kind, schemas.get(kind.id))
    raise NotFound("this issuer has no such type of credentials")


def _describe(kind: CredentialKind, name: str, schema: object) -> dict[str, Any]:
    """Describe a claim; each may be shown or kept by itself."""
    found: dict[str, Any] = {"path": [name], "sd": "always"}
    title = schema.get("title") if isinstance(schema, dict) else None
    if isinstance(title, str):
        found["display"] = [{"locale": kind.locale, "label": title}]
    return found
