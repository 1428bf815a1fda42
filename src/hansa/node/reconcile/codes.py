"""Why a node refuses what it is asked about its member's pairs, in order of the checks."""

from __future__ import annotations

from enum import StrEnum

from hansa.kernel.errors import Refused


class PairCode(StrEnum):
    """Refusals of one's own node; what they mean stands in `hansa.node.api.codes`."""

    NOT_SET_UP = "pairs.NOT_SET_UP"
    NOT_IN_FORCE = "pairs.NOT_IN_FORCE"


def refuse(code: PairCode, message: str) -> Refused:
    """Build a refusal that says what is wrong and what to do."""
    error = Refused(code)
    error.message = message
    return error
