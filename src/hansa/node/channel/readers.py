"""The readers: have messages on their topics worked off by this node's own packages, in order.

A handler that fails with an error of Hansa is asked again later, and the other messages of that
sender wait behind; those of other senders go on. Another exception is a fault of the program: it
is reported, and its topic rests until the node starts again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random

from hansa.kernel.errors import HansaError, Invalid, InvalidCode
from hansa.kernel.messages import Handler, Received
from hansa.node.channel.courier import compute_pause_s
from hansa.node.channel.inbox import Arrived, Inbox


class Readers:
    """Works off the topics of one inbox that have handlers."""

    def __init__(self, inbox: Inbox, *, clock_ms: Callable[[], int], random: Random) -> None:
        self._inbox = inbox
        self._clock_ms = clock_ms
        self._random = random
        self._handlers: dict[str, Handler] = {}
        self._arrived: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def subscribe(self, topic: str, handler: Handler) -> None:
        """Have a topic handled; raises `Invalid` if it is already."""
        if topic in self._handlers:
            raise Invalid(InvalidCode.ARGUMENTS, f"topic {topic} has a handler already")
        self._handlers[topic] = handler
        self._arrived[topic] = asyncio.Event()

    def start(self) -> None:
        """Begin with what nobody has taken."""
        for topic in self._handlers:
            task = asyncio.create_task(self._work_off(topic))
            task.add_done_callback(_report)
            self._tasks.append(task)

    def wake(self, topic: str) -> None:
        """Tell that a message has arrived."""
        if topic in self._arrived:
            self._arrived[topic].set()

    async def stop(self) -> None:
        """Stop; what was not worked off to its end comes again next time."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work_off(self, topic: str) -> None:
        """Have messages handled as they arrive; a sender whose message failed rests for a while."""
        clock, arrived = asyncio.get_running_loop().time, self._arrived[topic]
        rests: dict[bytes, float] = {}  # until when, by sender
        while True:
            arrived.clear()
            rests = {sender: until_s for sender, until_s in rests.items() if until_s > clock()}
            item = await self._begin(topic, frozenset(rests))
            if item is None:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(min(rests.values(), default=None)):
                        await arrived.wait()
            elif not await self._handle(topic, item):
                rests[item.sender] = clock() + compute_pause_s(item.attempts, self._random)

    async def _begin(self, topic: str, resting: frozenset[bytes]) -> Arrived | None:
        """Get the next message to be handled; waits for a disk that refuses."""
        failures = 0
        while True:
            try:
                return await self._inbox.begin_next(topic, resting)
            except HansaError:
                failures += 1
                await asyncio.sleep(compute_pause_s(failures, self._random))

    async def _handle(self, topic: str, item: Arrived) -> bool:
        """Have one message handled; whether it is worked off."""
        content = item.content or b""
        received = Received(item.id, item.sender, topic, content, item.attempts)
        try:
            await self._handlers[topic](received)
            await self._inbox.take(item.number, self._clock_ms())
        except HansaError:
            return False
        return True


def _report(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        fault = {"message": "a handler of messages failed", "exception": error}
        task.get_loop().call_exception_handler(fault)
