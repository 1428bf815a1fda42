"""The inbox: what other members' nodes have sent, kept until somebody here has taken it.

For each sender and topic the newest sequence is remembered. The same message again is known and
acknowledged again; one at or below that sequence is refused, so nothing comes in twice.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from hansa.kernel.errors import NotFound, Unavailable
from hansa.node.channel.codes import ChannelCode, refuse
from hansa.node.channel.database import Database
from hansa.node.channel.format import VALID_FOR_MOST_MS, Header

KEPT_TIMES = 10
"""So many times what may wait of one sender is remembered of what was taken."""
TOPICS_MAX = 256
"""Of one sender: each is remembered until its newest message has expired."""
LANE_KEPT_MS = 86_400_000
"""Beyond that, should the clock be set back."""
SKEW_MOST_MS = 86_400_000
"""So much may a sender's clock be ahead, if its message is valid for as long as any may be."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message of the inbox; content is None where it was not asked for, or once it is taken."""

    number: int
    """By which it is asked for and taken; grows as messages arrive."""
    id: bytes
    sender: bytes
    topic: str
    sequence: int
    content: bytes | None
    size: int
    salt: bytes
    commitment: bytes
    received_ms: int
    taken_ms: int
    """0 until then."""
    attempts: int
    """How often a handler has begun with it."""


@dataclass(frozen=True, slots=True)
class InboxLimits:
    """Bounds of what waits from one sender, and how long it is remembered what was taken."""

    messages: int
    bytes: int
    kept_ms: int


COLUMNS = ", ".join(Arrived.__dataclass_fields__)
SUMMARY = COLUMNS.replace("content", "NULL", 1)


class Inbox:
    """The messages that one node has received."""

    def __init__(self, database: Database, limits: InboxLimits) -> None:
        self._database = database
        self._limits = limits

    async def check(self, header: Header, now_ms: int) -> bool:
        """Check a message whose signature was checked, before more work is put into it.

        Returns:
          False if it was taken in before.

        Raises:
          Refused: `OUT_OF_ORDER`, `EXPIRED` or `EXPIRES_TOO_LATE`.
          Unavailable: the disk refuses.
        """
        return await self._database.run(lambda connection: _is_new(connection, header, now_ms))

    async def add(self, header: Header, salt: bytes, content: bytes, now_ms: int) -> bool:
        """Take a message in, whose signature and content were checked.

        Returns:
          False if it was taken in before.

        Raises:
          Refused: as `check`.
          Unavailable: too much of this sender waits, or the disk refuses.
        """

        def work(connection: sqlite3.Connection) -> bool:
            if not _is_new(connection, header, now_ms):
                return False
            self._forget(connection, now_ms)
            self._require_room(connection, header, len(content))
            lane = (header.sender, header.topic)
            connection.execute(
                "INSERT INTO received_lanes VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " sequence = excluded.sequence, id = excluded.id, commitment ="
                " excluded.commitment, expires_ms = max(expires_ms, excluded.expires_ms)",
                (*lane, header.sequence, header.id, header.commitment, header.expires_ms),
            )
            connection.execute(
                "INSERT INTO received (id, sender, topic, sequence, content, size, salt,"
                " commitment, received_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    header.id,
                    *lane,
                    header.sequence,
                    content,
                    len(content),
                    salt,
                    header.commitment,
                    now_ms,
                ),
            )
            return True

        return await self._database.run(work)

    async def list_waiting(self, topic: str | None, after: int, limit: int) -> list[Arrived]:
        """List what nobody has taken, of one topic or all, oldest first, without content."""
        return await self._database.run(
            lambda connection: [
                Arrived(*row)
                for row in connection.execute(
                    f"SELECT {SUMMARY} FROM received WHERE taken_ms = 0 AND number > ?"  # noqa: S608 - our own column names
                    " AND (? IS NULL OR topic = ?) ORDER BY number LIMIT ?",
                    (after, topic, topic, limit),
                )
            ]
        )

    async def get(self, number: int) -> Arrived:
        """Get a message with its content, which is None if it was taken; raises `NotFound`."""
        return await self._database.run(lambda connection: _get(connection, number))

    async def begin_next(self, topic: str, passed_over: frozenset[bytes]) -> Arrived | None:
        """Get the oldest message of a topic that nobody has taken, and note that it is begun with.

        Args:
          topic: of the messages.
          passed_over: senders whose messages must wait.
        """

        def work(connection: sqlite3.Connection) -> Arrived | None:
            marks = ", ".join("?" * len(passed_over))
            row = connection.execute(
                "SELECT number FROM received WHERE taken_ms = 0 AND topic = ?"  # noqa: S608 - marks
                f" AND sender NOT IN ({marks}) ORDER BY number LIMIT 1",
                (topic, *sorted(passed_over)),
            ).fetchone()
            if row is None:
                return None
            connection.execute("UPDATE received SET attempts = attempts + 1 WHERE number = ?", row)
            return _get(connection, row[0])

        return await self._database.run(work)

    async def take(self, number: int, now_ms: int) -> Arrived:
        """Note that a message was worked off, and delete its content; again changes nothing.

        Raises:
          NotFound: there is no such message.
        """

        def work(connection: sqlite3.Connection) -> Arrived:
            connection.execute(
                "UPDATE received SET taken_ms = ?, content = NULL"
                " WHERE number = ? AND taken_ms = 0",
                (now_ms, number),
            )
            return _get(connection, number)

        return await self._database.run(work)

    async def count_waiting(self) -> tuple[int, int]:
        """Count messages that nobody has taken, and their bytes."""

        def work(connection: sqlite3.Connection) -> tuple[int, int]:
            count, total = connection.execute(
                "SELECT count(*), coalesce(sum(size), 0) FROM received WHERE taken_ms = 0"
            ).fetchone()
            return count, total

        return await self._database.run(work)

    def _require_room(self, connection: sqlite3.Connection, header: Header, size: int) -> None:
        count, total = connection.execute(
            "SELECT count(*), coalesce(sum(size), 0) FROM received WHERE sender = ?"
            " AND taken_ms = 0",
            (header.sender,),
        ).fetchone()
        limits = self._limits
        if count >= limits.messages or total + size > limits.bytes:
            raise Unavailable(
                f"{count} messages with {total} bytes of this sender wait here, of at most "
                f"{limits.messages} and {limits.bytes}: there is room once some were taken"
            )
        (topics,) = connection.execute(
            "SELECT count(*) FROM received_lanes WHERE sender = ? AND topic <> ?",
            (header.sender, header.topic),
        ).fetchone()
        if topics >= TOPICS_MAX:
            raise Unavailable(
                f"this sender has written on {topics} topics, of at most {TOPICS_MAX}: use one of "
                "them, or wait a day after the newest message of one has expired"
            )

    def _forget(self, connection: sqlite3.Connection, now_ms: int) -> None:
        """Forget what was taken long ago, and lanes in which nothing could come again."""
        connection.execute(
            "DELETE FROM received WHERE taken_ms > 0 AND (taken_ms < ? OR number <= "
            "(SELECT max(number) FROM received) - ?)",
            (now_ms - self._limits.kept_ms, KEPT_TIMES * self._limits.messages),
        )
        connection.execute(
            "DELETE FROM received_lanes WHERE expires_ms < ?", (now_ms - LANE_KEPT_MS,)
        )


def _is_new(connection: sqlite3.Connection, header: Header, now_ms: int) -> bool:
    """Whether a message is the next of its lane; False if it is the last that came.

    Raises:
      Refused: `OUT_OF_ORDER`, `EXPIRED` or `EXPIRES_TOO_LATE`.
    """
    row = connection.execute(
        "SELECT sequence, id, commitment FROM received_lanes WHERE sender = ? AND topic = ?",
        (header.sender, header.topic),
    ).fetchone()
    if row is None or header.sequence > row[0]:
        _require_valid(header.expires_ms, now_ms)
        return True
    if row == (header.sequence, header.id, header.commitment):
        return False
    raise refuse(
        ChannelCode.OUT_OF_ORDER,
        f"on this topic {row[0]} came already, which is not below {header.sequence}",
    )


def _require_valid(expires_ms: int, now_ms: int) -> None:
    if expires_ms <= now_ms:
        raise refuse(
            ChannelCode.EXPIRED,
            f"the message expired {now_ms - expires_ms} ms ago by this node's clock",
        )
    if expires_ms > now_ms + VALID_FOR_MOST_MS + SKEW_MOST_MS:
        raise refuse(
            ChannelCode.EXPIRES_TOO_LATE,
            f"the message expires {expires_ms - now_ms} ms from now by this node's clock: it may "
            f"be valid for {VALID_FOR_MOST_MS}",
        )


def _get(connection: sqlite3.Connection, number: int) -> Arrived:
    row = connection.execute(
        f"SELECT {COLUMNS} FROM received WHERE number = ?",  # noqa: S608 - our own column names
        (number,),
    ).fetchone()
    if row is None:
        raise NotFound(f"there is no message {number} here, or it was taken long ago")
    return Arrived(*row)
