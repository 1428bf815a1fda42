"""A channel between members whose services run in one process: the demo's, and that of tests.

Nothing is signed, encrypted or kept: messages pass in memory, and end with the process.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

from hansa.kernel.errors import HansaError
from hansa.kernel.messages import Handler, Received
from hansa.node.channel.codes import ChannelCode, refuse

AGAIN_S = 0.1
"""How soon a message comes again that its handler could not take."""
ID_BYTES = 16


class DirectExchange:
    """Joins the members of one process."""

    def __init__(self) -> None:
        self._channels: dict[bytes, DirectChannel] = {}
        self._sent = 0

    def open(self, member: bytes) -> DirectChannel:
        """Open a member's channel, in place of an earlier one."""
        channel = DirectChannel(self, member)
        self._channels[member] = channel
        return channel

    def find(self, member: bytes) -> DirectChannel:
        """Find a member's channel; raises `Refused` where it has none."""
        found = self._channels.get(member)
        if found is None:
            raise refuse(ChannelCode.WRONG_RECIPIENT, "that member is not in this process")
        return found

    def draw_id(self) -> bytes:
        """Draw the id of the next message."""
        self._sent += 1
        return self._sent.to_bytes(ID_BYTES, "big")


class DirectChannel:
    """One member's `hansa.kernel.messages.Channel`; each message is handed over by a task."""

    def __init__(self, exchange: DirectExchange, member: bytes) -> None:
        self._exchange = exchange
        self._member = member
        self._handlers: dict[str, Handler] = {}
        self._turns: dict[tuple[bytes, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        """By sender and topic: whose messages come one after another."""
        self._handing: set[asyncio.Task[None]] = set()

    def subscribe(self, topic: str, handler: Handler) -> None:
        """As `Channel.subscribe`."""
        self._handlers[topic] = handler

    async def send(self, member: bytes, topic: str, content: bytes, valid_for_ms: int) -> bytes:
        """As `Channel.send`."""
        other = self._exchange.find(member)
        message = Received(self._exchange.draw_id(), self._member, topic, content)
        task = asyncio.create_task(other.hand_over(message, valid_for_ms))
        self._handing.add(task)
        task.add_done_callback(self._handing.discard)
        return message.id

    async def hand_over(self, message: Received, valid_for_ms: int) -> None:
        """Have a message handled, again until it is taken or its time is over."""
        handler = self._handlers.get(message.topic)
        if handler is None:
            return
        end_s = asyncio.get_running_loop().time() + valid_for_ms / 1_000
        async with self._turns[message.sender, message.topic]:
            while asyncio.get_running_loop().time() < end_s:
                try:
                    await handler(message)
                except HansaError:
                    await asyncio.sleep(AGAIN_S)
                else:
                    return

    async def stop(self) -> None:
        """Give up what was sent and is not taken."""
        for task in self._handing:
            task.cancel()
        await asyncio.gather(*self._handing, return_exceptions=True)
