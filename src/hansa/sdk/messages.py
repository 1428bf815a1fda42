"""Messages to and from other members, through one's own node.

sent = await client.messages.send(member, "reconcile.case", b"12.50 stands open")
for each in await client.messages.list_received("reconcile.case"):
    whole = await client.messages.get_received(each.number)
    ...
    await client.messages.take(each.number)
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, Literal, Protocol, TypeVar
from urllib.parse import urlencode

from msgspec import Meta

from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Unavailable
from hansa.sdk.answers import AddressText, Answer, Count, HashText, HexText, TimeMs, read
from hansa.sdk.transport import Transport

T = TypeVar("T")
A = TypeVar("A", bound=Answer)

DAY_MS = 86_400_000
ID_BYTES = 16
PAGE = 50
POLL_FIRST_S = 0.05
POLL_LAST_S = 1.0


MessageIdText = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]


class SentMessage(Answer, frozen=True, kw_only=True):
    """A message that this node's member sends, and what became of it."""

    id: MessageIdText
    recipient: AddressText
    topic: str
    sequence: Count
    size: Count
    """Bytes of its content."""
    state: Literal["waiting", "delivered", "expired"]
    """Expired: no acknowledgement came in time; it may have arrived all the same."""
    attempts: Count
    reason: str
    """Why the last attempt failed; empty if it did not."""
    created_ms: TimeMs
    expires_ms: TimeMs
    ended_ms: TimeMs | None
    """When it was acknowledged, or found expired."""
    salt: HashText
    commitment: HashText
    """Hash of salt and content: stands in the message, and in its acknowledgement."""
    acknowledgement: HexText | None
    """As the recipient signed it."""


class SentMessages(Answer, frozen=True, kw_only=True):
    """Messages sent, newest first."""

    messages: list[SentMessage]
    next: Count | None
    """What to give as `before` for the next page."""


class ReceivedMessage(Answer, frozen=True, kw_only=True):
    """A message that another member's node has brought."""

    number: Count
    """By which it is asked for and taken; grows as messages arrive."""
    id: MessageIdText
    sender: AddressText
    topic: str
    sequence: Count
    size: Count
    received_ms: TimeMs
    taken_ms: TimeMs | None
    """When it was taken; null for one that waits."""
    salt: HashText
    commitment: HashText
    content: bytes | None = None
    """Null in lists, and once it is taken."""


class ReceivedMessages(Answer, frozen=True, kw_only=True):
    """Messages that wait to be taken, oldest first."""

    messages: list[ReceivedMessage]
    next: Count | None
    """What to give as `after` for the next page."""


class Repeat(Protocol):
    """Calls again while a node is unavailable."""

    async def __call__(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call, and return what came of it in the end."""


class Run(Protocol):
    """Runs an asynchronous call to its end."""

    def __call__(self, call: Coroutine[Any, Any, T]) -> T:
        """Return what came of it."""


class AsyncMessages:
    """The messages of the member whose node it is; needs an API key of that member.

    Args:
      transport: of the client.
      check_network: refuses a node of another network.
      repeat: calls again while the node is unavailable.
    """

    def __init__(
        self,
        transport: Transport,
        check_network: Callable[[], Awaitable[None]],
        repeat: Repeat,
    ) -> None:
        self._transport = transport
        self._check_network = check_network
        self._repeat = repeat

    async def send(
        self,
        member: bytes,
        topic: str,
        content: bytes,
        valid_for_ms: int = DAY_MS,
        *,
        message_id: bytes | None = None,
    ) -> SentMessage:
        """Hand a message over to the node, which sends it until it is acknowledged or expires.

        While the node is unavailable it is handed over again, under the same id: it counts once.

        Args:
          member: address of the recipient.
          topic: what it is about, such as `reconcile.case`.
          content: at most 1 MiB less 1 KiB.
          valid_for_ms: until it expires, from 1 s to 30 days.
          message_id: 16 bytes, to be given where this may be called again; else random ones.

        Raises:
          Invalid: topic, content or time are out of bounds.
          Refused: the recipient is no member or suspended, or the API key is not of this member.
          Unavailable: the node cannot be reached, or too much waits in it.
        """
        body = {
            "id": (message_id or os.urandom(ID_BYTES)).hex(),
            "recipient": to_text(member),
            "topic": topic,
            "content": base64.b64encode(content).decode(),
            "valid_for_ms": valid_for_ms,
        }
        return await self._repeat(lambda: self._post(SentMessage, "/v1/outbox", body))

    async def get_sent(self, message_id: bytes) -> SentMessage:
        """Get a message that was sent, and what became of it; raises `NotFound`."""
        return await self._get(SentMessage, f"/v1/outbox/{message_id.hex()}")

    async def wait_for(self, message_id: bytes, timeout_s: float = 30.0) -> SentMessage:
        """Wait until a message is delivered or expired.

        Raises:
          Unavailable: it was neither in time; it may still be delivered.
        """
        pause_s = POLL_FIRST_S
        found: SentMessage | None = None
        try:
            async with asyncio.timeout(timeout_s):
                while (found := await self.get_sent(message_id)).state == "waiting":
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, POLL_LAST_S)
                return found
        except TimeoutError:
            raise Unavailable(
                f"message {message_id.hex()} is not acknowledged after {timeout_s:g} s"
                f"{f' ({found.reason})' if found and found.reason else ''}: its node goes on "
                "trying until it expires; look it up by its id"
            ) from None

    async def list_sent(self, before: int | None = None, limit: int = PAGE) -> SentMessages:
        """List messages that were sent, newest first; `next` of the answer leads on."""
        query = {"limit": limit} | ({} if before is None else {"before": before})
        return await self._get(SentMessages, f"/v1/outbox?{urlencode(query)}")

    async def list_received(
        self, topic: str | None = None, after: int = 0, limit: int = PAGE
    ) -> list[ReceivedMessage]:
        """List messages that wait to be taken, oldest first, without their content.

        Args:
          topic: of the messages; all if not given.
          after: number behind which to begin.
          limit: how many at most, up to 100.
        """
        query: dict[str, str | int] = {"after": after, "limit": limit}
        if topic is not None:
            query["topic"] = topic
        found = await self._get(ReceivedMessages, f"/v1/inbox?{urlencode(query)}")
        return found.messages

    async def get_received(self, number: int) -> ReceivedMessage:
        """Get a message with its content, which is None once it was taken; raises `NotFound`."""
        return await self._get(ReceivedMessage, f"/v1/inbox/{number}")

    async def take(self, number: int) -> ReceivedMessage:
        """Say that a message was worked off: its content is deleted. Again changes nothing."""
        return await self._repeat(lambda: self._post(ReceivedMessage, f"/v1/inbox/{number}/take"))

    async def _get(self, kind: type[A], path: str) -> A:
        await self._check_network()
        return read(kind, await self._transport.get_json(path), self._transport.url)

    async def _post(self, kind: type[A], path: str, body: object = None) -> A:
        await self._check_network()
        _, found = await self._transport.post(path, body)
        return read(kind, found, self._transport.url)


class Messages:
    """The same for plain code; `client.messages` of a `Client`."""

    def __init__(self, messages: AsyncMessages, run: Run) -> None:
        self._messages = messages
        self._run = run

    def send(
        self,
        member: bytes,
        topic: str,
        content: bytes,
        valid_for_ms: int = DAY_MS,
        *,
        message_id: bytes | None = None,
    ) -> SentMessage:
        """As `AsyncMessages.send`."""
        call = self._messages.send(member, topic, content, valid_for_ms, message_id=message_id)
        return self._run(call)

    def get_sent(self, message_id: bytes) -> SentMessage:
        """As `AsyncMessages.get_sent`."""
        return self._run(self._messages.get_sent(message_id))

    def wait_for(self, message_id: bytes, timeout_s: float = 30.0) -> SentMessage:
        """As `AsyncMessages.wait_for`."""
        return self._run(self._messages.wait_for(message_id, timeout_s))

    def list_sent(self, before: int | None = None, limit: int = PAGE) -> SentMessages:
        """As `AsyncMessages.list_sent`."""
        return self._run(self._messages.list_sent(before, limit))

    def list_received(
        self, topic: str | None = None, after: int = 0, limit: int = PAGE
    ) -> list[ReceivedMessage]:
        """As `AsyncMessages.list_received`."""
        return self._run(self._messages.list_received(topic, after, limit))

    def get_received(self, number: int) -> ReceivedMessage:
        """As `AsyncMessages.get_received`."""
        return self._run(self._messages.get_received(number))

    def take(self, number: int) -> ReceivedMessage:
        """As `AsyncMessages.take`."""
        return self._run(self._messages.take(number))
