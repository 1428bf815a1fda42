"""Why a node refuses what it is asked about its risk control."""

from __future__ import annotations

from enum import StrEnum

from hansa.kernel.errors import Refused


class RiskCode(StrEnum):
    """Refusals of one's own node; what they mean stands in `hansa.node.api.codes`."""

    NOT_SET_UP = "risk.NOT_SET_UP"


def refuse(code: RiskCode, message: str) -> Refused:
    """Build a refusal that says what is wrong and what to do."""
    error = Refused(code)
    error.message = message
    return error
