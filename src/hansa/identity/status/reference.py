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


def write_status(reference: StatusReference) -> dict[str, Any]:
    """Write the claim `status`."""
    return {"status_list": {"idx": reference.index, "uri": reference.uri}}


def read_status(claims: Mapping[str, Any]) -> StatusReference | None:
    """Read the claim `status`; none if the credential has none, or one of another mechanism alone.

    Raises:
      Unsound: `MALFORMED`.
    """
    status = claims.get("status", {})
    if type(status) is not dict:
        raise _malformed()
    if "status_list" not in status:
        return None
    found = status["status_list"]
    if type(found) is not dict:
        raise _malformed()
    uri, index = found.get("uri"), found.get("idx")
    if type(uri) is not str or not uri or type(index) is not int or index < 0:
        raise _malformed()
    return StatusReference(uri, index)


def _malformed() -> Unsound:
    return Unsound(
        Fault.MALFORMED, "status of the credential must hold a status_list with a uri and an idx"
    )
