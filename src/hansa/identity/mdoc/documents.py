"""Documents as their issuer signed them (IssuerSigned), taken apart; nothing is verified here.

Source: ISO/IEC 18013-5, section 8.3.2.1.2.2; OpenID4VCI 1.0, appendix A.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hansa.identity.cose.sign1 import Sign1, read_sign1
from hansa.identity.encoding.cbor import decode_cbor, unwrap_encoded
from hansa.identity.faults import Fault, Unsound
from hansa.identity.mdoc.security_object import (
    Elements,
    Item,
    SecurityObject,
    read_item,
    read_security_object,
)

NAMESPACES_MAX = 32
ITEMS_MAX = 512
"""Elements in one document."""


class Issued(NamedTuple):
    """A document as its issuer signed it, or the part of it that is shown."""

    items: Mapping[str, tuple[Item, ...]]
    """By namespace."""
    issuer_auth: Sign1

    @property
    def elements(self) -> Elements:
        """The values."""
        return {
            namespace: {item.name: item.value for item in items}
            for namespace, items in self.items.items()
        }


def decode_issued(raw: bytes, what: str) -> Issued:
    """Read a document as an issuer hands it out; `what` names it in messages.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED`, `DUPLICATE`, `UNSUPPORTED`, `ALGORITHM` or `CRITICAL`.
    """
    return read_issued(decode_cbor(raw, what, skips_undefined=True), what)


def read_issued(value: Any, what: str) -> Issued:  # noqa: ANN401 - a decode edge
    """Read a decoded document.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED`, `DUPLICATE`, `UNSUPPORTED`, `ALGORITHM` or `CRITICAL`.
    """
    namespaces = value.get("nameSpaces", {}) if isinstance(value, dict) else None
    if not isinstance(namespaces, dict):
        raise Unsound(Fault.MALFORMED, f"{what} is no IssuerSigned: a map with nameSpaces")
    lists = list(namespaces.values())
    if not all(isinstance(each, list) for each in lists):
        raise Unsound(Fault.MALFORMED, f"a namespace of {what} is no list of elements")
    if len(lists) > NAMESPACES_MAX or sum(map(len, lists)) > ITEMS_MAX:
        raise Unsound(Fault.TOO_LARGE, f"{what} has over {ITEMS_MAX} elements or too many names")
    issuer_auth = read_sign1(value.get("issuerAuth"), what)
    return Issued(
        {name: _read_items(name, items, what) for name, items in namespaces.items()}, issuer_auth
    )


def decode_security_object(payload: bytes, what: str) -> SecurityObject:
    """Read the security object that is a document's signed content.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED`, `DUPLICATE`, `UNSUPPORTED`, `KEY` or `ALGORITHM`.
    """
    inner = unwrap_encoded(decode_cbor(payload, what), f"the signed content of {what}")
    return read_security_object(inner, what)


def _read_items(namespace: object, values: list[Any], what: str) -> tuple[Item, ...]:
    if not isinstance(namespace, str):
        raise Unsound(Fault.MALFORMED, f"a namespace of {what} is no text")
    where = f"an element of {what}"
    items = tuple(read_item(unwrap_encoded(value, where), where) for value in values)
    for seen in ({item.name for item in items}, {item.digest_id for item in items}):
        if len(seen) < len(items):
            raise Unsound(
                Fault.DUPLICATE, f"{what} has an element or digest twice in {namespace[:64]!r}"
            )
    return items
