"""Where a credential's status stands: a list, and the credential's place in it.

Source: draft-ietf-oauth-status-list, section 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hansa.identity.faults import Fault, Unsound


class StatusReference(msgspec.Struct, frozen=True, gc=False):
    """A status list, named by the URI it is served under, and an index from 0."""

    uri: str
    index: int
    purpose: str = ""
    """Of a Bitstring Status List: what its bits say. Empty for a Token Status List."""


def write_status(reference: StatusReference) -> dict[str, Any]:
    """Write the claim `status`."""
    return {"status_list": {"idx": reference.index, "uri": reference.uri}}


def read_status(claims: Mapping[str, Any], what: str = "the credential") -> StatusReference | None:
    """Read the claim `status`, as JSON or CBOR; none if there is none.

    Whoever cannot read a status must not take the credential for one that cannot be revoked.

    Raises:
      Unsound: `MALFORMED`; `UNSUPPORTED`: a status of another mechanism alone.
    """
    if "status" not in claims:
        return None
    status = claims["status"]
    if type(status) is not dict:
        raise _malformed(what)
    if "status_list" not in status:
        raise Unsound(Fault.UNSUPPORTED, f"{what} has a status that is kept in no status list")
    found = status["status_list"]
    if type(found) is not dict:
        raise _malformed(what)
    uri, index = found.get("uri"), found.get("idx")
    if type(uri) is not str or not uri or type(index) is not int or index < 0:
        raise _malformed(what)
    return StatusReference(uri, index)


def _malformed(what: str) -> Unsound:
    return Unsound(
        Fault.MALFORMED, f"status of {what} must hold a status_list with a uri and an idx"
    )
