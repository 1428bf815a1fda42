"""Carrying conversations of a wallet over HTTP, within the rules of what strangers may make it ask.

A wallet waits for its person most of the time, so that each conversation opens connections of its
own, and closes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from hansa.identity.methods.documents import DidDocument
from hansa.identity.wallet.conversation import Conversation
from hansa.node.identity.fetching import Fetcher, FetchRules
from hansa.node.identity.resolving import Resolver

T = TypeVar("T")


class Carrier:
    """How a wallet reaches the world, and where it has chance and time from."""

    def __init__(
        self,
        rules: FetchRules,
        draw: Callable[[int], bytes],
        now_ms: Callable[[], int],
        tls: object = True,  # noqa: FBT002 - as aiohttp has it: True, or a context
    ) -> None:
        self.rules = rules
        self.draw = draw
        self.now_ms = now_ms
        self._tls = tls

    def carry(self, conversation: Conversation[T]) -> T:
        """Hold a conversation to its end.

        Raises:
          Unsound: as the conversation, or an address that may not be asked.
          Unavailable: somebody does not answer now.
        """
        return asyncio.run(self._carry(conversation))

    def resolve(self, did: str) -> DidDocument:
        """Resolve a DID that is not the ledger's own, as `Resolver.resolve`."""
        return asyncio.run(self._resolve(did))

    async def _carry(self, conversation: Conversation[T]) -> T:
        async with Fetcher(self.rules, tls=self._tls) as fetcher:
            try:
                request = next(conversation)
                while True:
                    request = conversation.send(await fetcher.carry(request))
            except StopIteration as end:
                value: T = end.value
                return value

    async def _resolve(self, did: str) -> DidDocument:
        async with Fetcher(self.rules, tls=self._tls) as fetcher:
            return await Resolver(None, "", fetcher.fetch, self.now_ms).resolve(did)
