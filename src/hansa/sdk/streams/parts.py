"""Sending many envelopes in as many requests as it takes, with one answer each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from hansa.kernel.errors import HansaError, Invalid, InvalidCode, Unavailable
from hansa.kernel.genesis import Network
from hansa.sdk.answers import TransactionResult
from hansa.sdk.build import build_item
from hansa.sdk.checks import tell_unknown

ITEMS_MAX = 1_000
"""Envelopes of one JSON request."""

Outcome = TransactionResult | HansaError


class Parts(NamedTuple):
    """How parts of a list are sent to one node."""

    url: str
    network: Network
    post: Callable[[object], Awaitable[tuple[dict[str, Any], bool]]]
    """Posts a body; says whether more than one try may have come there."""
    take: Callable[[Network, bytes, object], Awaitable[Outcome]]
    """Reads what the node says of one envelope."""

    async def submit(self, envelopes: Sequence[bytes]) -> list[Outcome]:
        """Send them one part after the other, as many at once as a node usually takes.

        Raises:
          Unavailable: the node cannot be reached, or does not answer each.
        """
        found: list[Outcome] = []
        for start in range(0, len(envelopes), ITEMS_MAX):
            found += await self._submit_part(envelopes[start : start + ITEMS_MAX])
        return found

    async def _submit_part(self, part: Sequence[bytes]) -> list[Outcome]:
        """Send a part, in halves where it is too much for this node."""
        items = [build_item(envelope) for envelope in part]
        try:
            found, is_again = await self.post({"transactions": items})
        except Invalid as error:  # of the list as a whole, of which nothing was looked at
            if error.code not in (InvalidCode.TOO_LARGE, InvalidCode.TOO_MANY):
                raise
            if len(part) == 1:
                return [error]
            middle = len(part) // 2
            first = await self._submit_part(part[:middle])
            return [*first, *await self._submit_part(part[middle:])]
        results = found.get("results")
        if not isinstance(results, list) or len(results) != len(items):
            raise Unavailable(f"{self.url} does not answer each transaction")
        return [
            await self._tell(envelope, result, is_again=is_again)
            for envelope, result in zip(part, results, strict=True)
        ]

    async def _tell(self, envelope: bytes, result: object, *, is_again: bool) -> Outcome:
        answer = await self.take(self.network, envelope, result)
        if is_again and isinstance(answer, HansaError):
            with suppress(Invalid):  # what is no envelope is none each time
                answer = tell_unknown(self.network, envelope, answer.message)
        return answer
