"""What all readers of CometBFT's answers share; an answer that is not as it should be is told.

Source: CometBFT v0.38, rpc/openapi/openapi.yaml; types/block.go (`BlockIDFlag`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec

from hansa.kernel.errors import Unavailable
from hansa.kernel.light.header import Moment
from hansa.kernel.light.validators import VALIDATORS_MAX

Answer = Mapping[str, Any]

UNREADABLE = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    msgspec.MsgspecError,
)
"""What reading an answer that is not as it should be raises."""
PAGE_SIZE: Final = 100
"""Validators an answer, at most: CometBFT's own bound."""
FOR_THE_BLOCK: Final = 2
"""Of a vote in a commit, BlockIDFlagCommit; 1 is absent, 3 is a vote for no block."""

_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?Z", re.ASCII)


class Rpc(Protocol):
    """CometBFT's JSON-RPC, as a client answers it."""

    async def call(self, method: str, **parameters: object) -> Answer:
        """Ask; returns `result`.

        64-bit numbers are given as decimal text, which is how CometBFT takes them.

        Raises:
          Unavailable: CometBFT does not answer, or answers with an error.
        """


async def fetch_validators(rpc: Rpc, height: int | None = None) -> Answer:
    """Fetch the pages of `/validators`, put together as one answer.

    Args:
      rpc: CometBFT.
      height: whose validators, or None for those of the next block.

    Raises:
      Unavailable: CometBFT does not know them, or answers something else.
    """
    answer: Answer = {}
    listed: list[Any] = []
    total = 1
    of_height = {} if height is None else {"height": str(height)}
    for page in range(1, VALIDATORS_MAX // PAGE_SIZE + 2):
        if len(listed) >= total:
            break
        asked = {**of_height, "page": str(page), "per_page": str(PAGE_SIZE)}
        answer = await rpc.call("validators", **asked)
        try:
            listed += answer["validators"]
            total = int(answer["total"])
        except UNREADABLE as error:
            raise unreadable("validators", repr(error)) from None
    return {**answer, "validators": listed, "count": str(len(listed)), "total": str(total)}


def read_time(text: str) -> Moment:
    """Read an RFC 3339 time as Go writes it: UTC, up to nine digits behind the point.

    Raises:
      ValueError: it is none.

    >>> read_time("1970-01-01T00:00:01.25Z")
    Moment(seconds=1, nanoseconds=250000000)
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"the time {text!r}")
    whole = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    return Moment(int(whole.timestamp()), int((found[2] or "").ljust(9, "0")))


def unreadable(method: str, what: str) -> Unavailable:
    """Build the error for an answer that is none of CometBFT v0.38."""
    return Unavailable(
        f"CometBFT answers /{method} in a way that this program cannot read: {what:.200}. "
        "Is it version 0.38?",
        method=method,
    )
