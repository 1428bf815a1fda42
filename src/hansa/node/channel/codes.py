"""Why a node refuses a message, in order of the checks. Source: docs/reference/channel.md."""

from __future__ import annotations

from enum import StrEnum

from hansa.kernel.errors import Refused


class ChannelCode(StrEnum):
    """Refusals of the message channel; what they mean stands in `hansa.node.api.codes`."""

    NO_CHANNEL = "channel.NO_CHANNEL"
    WRONG_RECIPIENT = "channel.WRONG_RECIPIENT"
    STRANGER = "channel.STRANGER"
    SUSPENDED = "channel.SUSPENDED"
    WRONG_SIGNER = "channel.WRONG_SIGNER"
    WRONG_KEY = "channel.WRONG_KEY"
    NO_NODE = "channel.NO_NODE"
    OUT_OF_ORDER = "channel.OUT_OF_ORDER"
    EXPIRED = "channel.EXPIRED"
    EXPIRES_TOO_LATE = "channel.EXPIRES_TOO_LATE"
    ID_USED = "channel.ID_USED"


def refuse(code: ChannelCode, message: str) -> Refused:
    """Build a refusal that says what is wrong and what to do."""
    error = Refused(code)
    error.message = message
    return error
