"""The message channel of one node: takes in, brings, receives, and hands out.

send -> outbox -> courier -> another node's receive -> inbox -> acknowledgement -> courier
                                                         -> readers, or whoever asks by the API
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec

from hansa.engine.chain import Chain
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.messages import Handler, Topic
from hansa.node.channel.codes import ChannelCode, refuse
from hansa.node.channel.courier import Carrier, Courier
from hansa.node.channel.database import Database
from hansa.node.channel.directory import Directory
from hansa.node.channel.format import (
    CONTENT_BYTES_MAX,
    ID_BYTES,
    SALT_BYTES,
    VALID_FOR_MOST_MS,
    acknowledge,
    check_signature,
    compute_commitment,
    decode_message,
    open_message,
)
from hansa.node.channel.inbox import Arrived, Inbox, InboxLimits
from hansa.node.channel.outbox import Lane, Outbox, OutboxLimits, Sent
from hansa.node.channel.readers import Readers
from hansa.sdk.keys import ChannelKey, KeyPair

VALID_FOR_LEAST_MS = 1_000


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose channel it is."""

    member: bytes
    key: KeyPair
    """Signs messages and acknowledgements: a key of the member's account, purpose SPONSOR."""
    channel_key: ChannelKey
    """What others encrypt to; its public half stands in the member's node on the ledger."""


class MessageChannel:
    """Carries the messages of one member; a `hansa.kernel.messages.Channel`.

    Args:
      chain: whose members and nodes count.
      identity: whose channel it is.
      path: of the file of messages.
      limits: of what waits to be sent, and of what waits here.
      carrier: how to reach other nodes.
      clock_ms: the wall clock.
      random: of the pauses between attempts.
      entropy: `entropy(n)` returns n unpredictable bytes.

    Raises:
      Corrupt: the file is damaged.
      Unavailable: the disk refuses.
    """

    def __init__(  # noqa: PLR0913 - all that is injected, by keyword
        self,
        chain: Chain,
        identity: Identity,
        path: Path,
        limits: tuple[OutboxLimits, InboxLimits],
        carrier: Carrier,
        *,
        clock_ms: Callable[[], int],
        random: Random,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._network = chain.network
        self._identity = identity
        self._clock_ms = clock_ms
        self._entropy = entropy
        self._directory = Directory(chain)
        self._database = Database.open(path)
        self.outbox = Outbox(self._database, limits[0])
        self.inbox = Inbox(self._database, limits[1])
        self._courier = Courier(
            chain.network,
            (identity.member, identity.key),
            self._directory,
            self.outbox,
            carrier,
            clock_ms=clock_ms,
            random=random,
        )
        self._readers = Readers(self.inbox, clock_ms=clock_ms, random=random)

    @property
    def member(self) -> bytes:
        """Address of the member whose channel it is."""
        return self._identity.member

    async def start(self) -> None:
        """Begin to bring what waits, and to have handled what arrives."""
        self._readers.start()
        await self._courier.start()

    async def stop(self) -> None:
        """Stop, and close the file; what waits goes on next time."""
        await self._courier.stop()
        await self._readers.stop()
        self._database.close()

    async def send(self, member: bytes, topic: str, content: bytes, valid_for_ms: int) -> bytes:
        """As `hansa.kernel.messages.Channel.send`."""
        message_id = self._entropy(ID_BYTES)
        return (await self.post((member, topic), message_id, content, valid_for_ms)).id

    async def post(self, lane: Lane, message_id: bytes, content: bytes, valid_for_ms: int) -> Sent:
        """Send a message under an id that the caller chose; again with the same id changes nothing.

        Returns:
          The message as it stands in the outbox.

        Raises:
          Refused: as `send`, and `ID_USED` if the id is that of another message.
        """
        member, topic = lane
        _check(topic, content, valid_for_ms)
        if member == self.member:
            raise refuse(ChannelCode.WRONG_RECIPIENT, "a node sends no messages to its own member")
        self._directory.require_standing(member)
        salt = self._entropy(SALT_BYTES)
        secret = (salt, compute_commitment(self._network, salt, content))
        now_ms = self._clock_ms()
        times = (now_ms, now_ms + valid_for_ms)
        sent = await self.outbox.add(lane, message_id, content, secret, times)
        self._require_same(sent, lane, content)
        self._courier.wake(lane)
        return sent

    def _require_same(self, sent: Sent, lane: Lane, content: bytes) -> None:
        commitment = compute_commitment(self._network, sent.salt, content)
        if (sent.lane, sent.commitment) != (lane, commitment):
            raise refuse(
                ChannelCode.ID_USED,
                f"another message was sent under the id {sent.id.hex()}: take a new one",
            )

    def subscribe(self, topic: str, handler: Handler) -> None:
        """As `hansa.kernel.messages.Channel.subscribe`."""
        self._readers.subscribe(topic, handler)

    async def take(self, number: int) -> Arrived:
        """Note that a message of the inbox was worked off; raises `NotFound`."""
        return await self.inbox.take(number, self._clock_ms())

    async def receive(self, raw: bytes) -> tuple[bytes, bool]:
        """Receive a message from another node.

        The same message again is acknowledged again without being opened, and comes in once.

        Returns:
          The signed acknowledgement, and whether the message was new.

        Raises:
          Invalid: it is malformed, or its signature does not verify.
          Refused: with a `ChannelCode`, the first that applies.
          Unavailable: too much of the sender waits here, or the disk refuses.
        """
        message, header = decode_message(raw)
        if header.recipient != self.member:
            raise refuse(
                ChannelCode.WRONG_RECIPIENT,
                f"this is the node of {to_text(self.member)}, the message is for "
                f"{to_text(header.recipient)}",
            )
        self._directory.require_standing(header.sender)
        self._directory.require_signer(header.sender, check_signature(self._network, message))
        if header.channel_key != self._identity.channel_key.public_key:
            raise refuse(
                ChannelCode.WRONG_KEY,
                "the message is encrypted to a channel key that this node does not have: it has "
                f"{self._identity.channel_key.public_key.hex()}",
            )
        is_new = await self.inbox.check(header, self._clock_ms())
        if is_new:
            opened = open_message(self._network, message, header, self._identity.channel_key)
            is_new = await self.inbox.add(header, *opened, self._clock_ms())
        if is_new:
            self._readers.wake(header.topic)
        answer = acknowledge(self._network, self._identity.key, header, self._clock_ms())
        return answer, is_new


def _check(topic: str, content: bytes, valid_for_ms: int) -> None:
    try:
        msgspec.convert(topic, Topic)
    except msgspec.ValidationError:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"{topic[:80]!r} is no topic: 1 to 64 of a-z, 0-9, '.', '_' and '-', the first a "
            "letter or digit",
        ) from None
    if len(content) > CONTENT_BYTES_MAX:
        raise Invalid(
            InvalidCode.TOO_LARGE,
            f"the content has {len(content)} bytes, of at most {CONTENT_BYTES_MAX}: split it",
        )
    if not VALID_FOR_LEAST_MS <= valid_for_ms <= VALID_FOR_MOST_MS:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"a message is valid for {VALID_FOR_LEAST_MS} to {VALID_FOR_MOST_MS} ms, not for "
            f"{valid_for_ms}",
        )
