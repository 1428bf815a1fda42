"""The courier: brings what waits in the outbox to other members' nodes, until it is over.

Each lane (recipient and topic) has one message under way. An attempt looks the recipient up anew,
seals to the channel key it has now, and believes nothing but an acknowledgement that one of the
recipient's keys signed. Whatever else is answered is noted, and the same message goes again after
a pause that doubles, shortened by chance so that those who wait do not come all at once. A lane
that ends by a fault of this program is reported, and begun anew after the longest pause.

Source: RFC 9110 section 9.2.2 (only what is idempotent is sent again); docs/reference/channel.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Protocol

from hansa.kernel.errors import HansaError, Invalid, InvalidCode
from hansa.kernel.genesis import Network
from hansa.node.channel.directory import Directory
from hansa.node.channel.format import (
    VERSION,
    AcknowledgementBody,
    Header,
    check_acknowledgement,
    seal_message,
)
from hansa.node.channel.outbox import Lane, Outbox, Sent
from hansa.sdk.keys import KeyPair

FIRST_PAUSE_S = 0.5
LAST_PAUSE_S = 60.0
CARRIED_MAX = 32
"""Messages under way at one time, so that their copies in memory are bounded, too."""
CARRIED_EACH_MAX = 4
"""Of those, to one recipient: one whose node does not answer must not hold up the others."""


class Carrier(Protocol):
    """Brings bytes to another node's API."""

    async def carry(self, url: str, message: bytes) -> bytes:
        """Bring a message to the node at `url`; returns what it answers.

        Raises:
          HansaError: it cannot be reached, or refuses; the message goes into the outbox's reason.
        """

    async def close(self) -> None:
        """Close all connections."""


class Courier:
    """Works off one outbox.

    Args:
      network: of all members.
      sender: the member, and the key that signs for it.
      directory: where the others are.
      outbox: what waits.
      carrier: how to get there.
      clock_ms: the wall clock.
      random: of the pauses.
    """

    def __init__(  # noqa: PLR0913 - what a courier works with, stated once
        self,
        network: Network,
        sender: tuple[bytes, KeyPair],
        directory: Directory,
        outbox: Outbox,
        carrier: Carrier,
        *,
        clock_ms: Callable[[], int],
        random: Random,
    ) -> None:
        self._network = network
        self._member, self._key = sender
        self._directory = directory
        self._outbox = outbox
        self._carrier = carrier
        self._clock_ms = clock_ms
        self._random = random
        self._slots = asyncio.Semaphore(CARRIED_MAX)
        self._slots_each: dict[bytes, asyncio.Semaphore] = {}
        self._lanes: dict[Lane, asyncio.Task[None]] = {}
        self._asked: set[Lane] = set()
        self._is_stopping = False

    async def start(self) -> None:
        """Begin with what waits since the last time."""
        for lane in await self._outbox.list_lanes():
            self.wake(lane)

    def wake(self, lane: Lane) -> None:
        """Have a lane looked at, in which a message was put."""
        if self._is_stopping:
            return
        self._asked.add(lane)
        if lane not in self._lanes:
            self._begin(lane, 0.0)

    async def stop(self) -> None:
        """Stop; what was not acknowledged goes again next time."""
        self._is_stopping = True
        tasks = list(self._lanes.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._carrier.close()

    def _begin(self, lane: Lane, after_s: float) -> None:
        task = self._lanes[lane] = asyncio.create_task(self._work_off(lane, after_s))
        task.add_done_callback(partial(self._end, lane))

    def _end(self, lane: Lane, task: asyncio.Task[None]) -> None:
        """Report a lane that ended by a fault, and begin it anew: its messages must come to an end.

        It rests before that, since the fault may come again at once.
        """
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        fault = {"message": "a lane of messages failed, and is begun anew", "exception": error}
        task.get_loop().call_exception_handler(fault)
        if not self._is_stopping:
            self._begin(lane, LAST_PAUSE_S)

    async def _work_off(self, lane: Lane, after_s: float) -> None:
        """Bring the messages of a lane, one after the other, until none waits."""
        await asyncio.sleep(after_s)
        failures = 0
        each = self._slots_each.setdefault(lane[0], asyncio.Semaphore(CARRIED_EACH_MAX))
        while True:
            self._asked.discard(lane)
            left_s = LAST_PAUSE_S
            try:
                async with each, self._slots:
                    item = await self._outbox.get_head(lane)
                    is_over = item is not None and await self._try(item)
            except HansaError:  # of the disk: whoever sends next is told
                item, is_over = None, False
            else:
                if item is None:
                    if lane in self._asked:  # one was put there meanwhile
                        continue
                    del self._lanes[lane]
                    return
                left_s = max(0.0, (item.expires_ms - self._clock_ms()) / 1000)
            failures = 0 if is_over else failures + 1
            if failures:
                await asyncio.sleep(min(left_s, compute_pause_s(failures, self._random)))

    async def _try(self, item: Sent) -> bool:
        """Bring a message once; whether it is over then. Raises `Unavailable` by the disk alone."""
        if item.expires_ms <= self._clock_ms():
            await self._outbox.note_expired(item.id, self._clock_ms())
            return True
        try:
            acknowledgement = await self._bring(item)
        except HansaError as error:
            await self._outbox.note_failure(item.id, error.message)
            return False
        await self._outbox.note_delivered(item.id, acknowledgement, self._clock_ms())
        return True

    async def _bring(self, item: Sent) -> bytes:
        """Seal a message as things are now, bring it, and check what is answered."""
        peer = self._directory.find_peer(item.recipient)
        if item.content is None:
            raise Invalid(InvalidCode.MALFORMED, "the content of this message is gone")
        header = Header(
            VERSION,
            self._member,
            item.recipient,
            item.topic,
            item.id,
            item.sequence,
            item.expires_ms,
            peer.channel_key,
            item.commitment,
        )
        raw = seal_message(self._network, self._key, header, item.salt, item.content)
        answer = await self._carrier.carry(peer.url, raw)
        expected = AcknowledgementBody(
            VERSION, item.recipient, self._member, item.id, item.commitment, 0
        )
        signed_by = check_acknowledgement(self._network, answer, expected)
        self._directory.require_signer(item.recipient, signed_by)
        return answer


def compute_pause_s(failures: int, random: Random) -> float:
    """Compute how long to wait after so many failures in a row: half of it by chance.

    >>> [round(compute_pause_s(n, Random(1)), 2) for n in (1, 4, 40)]
    [0.28, 2.27, 34.03]
    """
    whole = min(LAST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 20))
    return whole * random.uniform(0.5, 1.0)
