"""What a package needs of the message channel: what a message is, and two calls.

Domain packages take a `Channel` and know nothing of nodes, keys or networks; the node has the one
that carries. Source: docs/reference/channel.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Protocol

from msgspec import Meta

# `$` alone would also let a line's end through.
Topic = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$(?!\n)")]
"""What a message is about, such as `reconcile.case`; the first part is the package's name."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message as its handler gets it; sender, topic and content are as the sender signed."""

    id: bytes
    sender: bytes
    """Address of the member."""
    topic: str
    content: bytes
    attempt: int = 1
    """Above 1 if a handler began with it before and did not end well, or the process died."""


Handler = Callable[[Received], Awaitable[None]]
"""Works a message off. Once it returns, the message is taken and never comes again; if it raises
an error of Hansa, the message comes again later, before all others of its sender and topic."""


class Channel(Protocol):
    """Carries messages to other members: each topic in order, each message once or reported."""

    async def send(self, member: bytes, topic: str, content: bytes, valid_for_ms: int) -> bytes:
        """Take a message in durably; it is sent until acknowledged or `valid_for_ms` is over.

        Returns:
          The id, 16 bytes, under which its state can be asked for.

        Raises:
          Invalid: topic, content or time are out of bounds.
          Refused: the recipient is no member, suspended, or the node's own.
          Unavailable: too much waits already.
        """

    def subscribe(self, topic: str, handler: Handler) -> None:
        """Have messages on a topic handled; one handler a topic, given before the node starts."""
