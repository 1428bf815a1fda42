"""The outbox: what this node's member has to say to others, kept until it is over.

A lane is one recipient and topic. Its messages leave one after the other: the next one once the
one before was acknowledged or has expired. Content is kept as it is and sealed anew at each
attempt, so that a recipient may change its channel key meanwhile.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from hansa.kernel.errors import NotFound, Unavailable
from hansa.node.channel.database import Database

REASON_LETTERS_MAX = 500
KEPT_TIMES = 10
"""So many times what may wait for one recipient is remembered of what is over."""

Lane = tuple[bytes, str]
"""(recipient, topic)."""


class State(StrEnum):
    """What became of a message that was sent."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    """The recipient has signed that it has it durably."""
    EXPIRED = "expired"
    """No acknowledgement came in time; it may have arrived all the same."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of the outbox; content is None once it is over."""

    number: int
    id: bytes
    recipient: bytes
    topic: str
    sequence: int
    content: bytes | None
    size: int
    salt: bytes
    commitment: bytes
    created_ms: int
    expires_ms: int
    state: State
    attempts: int
    reason: str
    """Why the last attempt failed; empty if it did not."""
    ended_ms: int
    acknowledgement: bytes | None

    @property
    def lane(self) -> Lane:
        """The line in which it stands."""
        return self.recipient, self.topic


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """Bounds of what waits for one recipient, and how long it is remembered what became of it."""

    messages: int
    bytes: int
    kept_ms: int


COLUMNS = ", ".join(Sent.__dataclass_fields__)
SUMMARY = COLUMNS.replace("content", "NULL", 1)
"""The same without what may be large."""


class Outbox:
    """The messages that one node sends.

    Args:
      database: the file.
      limits: bounds; a message beyond them is not taken in.
    """

    def __init__(self, database: Database, limits: OutboxLimits) -> None:
        self._database = database
        self._limits = limits

    async def add(
        self,
        lane: Lane,
        message_id: bytes,
        content: bytes,
        secret: tuple[bytes, bytes],
        times: tuple[int, int],
    ) -> Sent:
        """Take a message in, behind all others of its lane; nothing, where its id is known.

        Args:
          lane: recipient and topic.
          message_id: 16 bytes.
          content: what is sent.
          secret: salt and commitment.
          times: now, and when it expires.

        Returns:
          The message of this id, which may be one that was taken in before.

        Raises:
          Unavailable: too much waits for this recipient, or the disk refuses.
        """
        now_ms = times[0]

        def work(connection: sqlite3.Connection) -> Sent:
            before = _find(connection, message_id)
            if before is not None:
                return before
            self._forget(connection, now_ms)
            self._require_room(connection, lane[0], len(content))
            sequence = _next_sequence(connection, lane, now_ms)
            connection.execute(
                "INSERT INTO sent (id, recipient, topic, sequence, content, size, salt, commitment,"
                " created_ms, expires_ms, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (message_id, *lane, sequence, content, len(content), *secret, *times, "waiting"),
            )
            return _get(connection, message_id)

        return await self._database.run(work)

    async def get(self, message_id: bytes) -> Sent:
        """Get a message, without its content; raises `NotFound`."""
        return await self._database.run(lambda connection: _get(connection, message_id))

    async def list_newest(self, before: int, limit: int) -> list[Sent]:
        """List messages numbered below `before`, newest first, without their content."""
        return await self._database.run(
            lambda connection: [
                _read(row)
                for row in connection.execute(
                    f"SELECT {SUMMARY} FROM sent WHERE number < ? ORDER BY number DESC LIMIT ?",  # noqa: S608 - our own column names
                    (before, limit),
                )
            ]
        )

    async def list_lanes(self) -> list[Lane]:
        """List the lanes in which something waits."""
        return await self._database.run(
            lambda connection: list(
                connection.execute(
                    "SELECT DISTINCT recipient, topic FROM sent WHERE state = 'waiting'"
                )
            )
        )

    async def get_head(self, lane: Lane) -> Sent | None:
        """Get the message of a lane that is the next to leave, with its content."""

        def work(connection: sqlite3.Connection) -> Sent | None:
            row = connection.execute(
                f"SELECT {COLUMNS} FROM sent WHERE state = 'waiting' AND recipient = ?"  # noqa: S608
                " AND topic = ? ORDER BY sequence LIMIT 1",
                lane,
            ).fetchone()
            return None if row is None else _read(row)

        return await self._database.run(work)

    async def note_failure(self, message_id: bytes, reason: str) -> None:
        """Note that an attempt failed, and why."""
        await self._database.run(
            lambda connection: connection.execute(
                "UPDATE sent SET attempts = attempts + 1, reason = ? WHERE id = ?",
                (reason[:REASON_LETTERS_MAX], message_id),
            )
        )

    async def note_delivered(self, message_id: bytes, acknowledgement: bytes, now_ms: int) -> None:
        """End a message that its recipient has acknowledged; its content is deleted."""
        await self._database.run(
            lambda connection: connection.execute(
                "UPDATE sent SET state = 'delivered', content = NULL, acknowledgement = ?,"
                " ended_ms = ?, attempts = attempts + 1, reason = '' WHERE id = ?",
                (acknowledgement, now_ms, message_id),
            )
        )

    async def note_expired(self, message_id: bytes, now_ms: int) -> None:
        """End a message whose time is over; its content is deleted, the last reason stays."""
        await self._database.run(
            lambda connection: connection.execute(
                "UPDATE sent SET state = 'expired', content = NULL, ended_ms = ? WHERE id = ?",
                (now_ms, message_id),
            )
        )

    async def count_waiting(self) -> tuple[int, int]:
        """Count messages that wait, and their bytes."""

        def work(connection: sqlite3.Connection) -> tuple[int, int]:
            count, total = connection.execute(
                "SELECT count(*), coalesce(sum(size), 0) FROM sent WHERE state = 'waiting'"
            ).fetchone()
            return count, total

        return await self._database.run(work)

    def _require_room(self, connection: sqlite3.Connection, recipient: bytes, size: int) -> None:
        """Bound what waits for one recipient: that it is down must not keep others from mail."""
        count, total = connection.execute(
            "SELECT count(*), coalesce(sum(size), 0) FROM sent WHERE state = 'waiting'"
            " AND recipient = ?",
            (recipient,),
        ).fetchone()
        limits = self._limits
        if count >= limits.messages or total + size > limits.bytes:
            raise Unavailable(
                f"{count} messages with {total} bytes wait for this recipient already, of at most "
                f"{limits.messages} and {limits.bytes}: send again once some have left"
            )

    def _forget(self, connection: sqlite3.Connection, now_ms: int) -> None:
        """Forget messages that are over: old ones, and the oldest where there are too many."""
        connection.execute(
            "DELETE FROM sent WHERE state <> 'waiting' AND (ended_ms < ? OR number <= "
            "(SELECT max(number) FROM sent) - ?)",
            (now_ms - self._limits.kept_ms, KEPT_TIMES * self._limits.messages),
        )


def _next_sequence(connection: sqlite3.Connection, lane: Lane, now_ms: int) -> int:
    """Count on; by the clock, so that a file which was lost does not count backwards."""
    row = connection.execute(
        "SELECT sequence FROM sent_lanes WHERE recipient = ? AND topic = ?", lane
    ).fetchone()
    sequence = now_ms if row is None else max(row[0] + 1, now_ms)
    connection.execute("INSERT OR REPLACE INTO sent_lanes VALUES (?, ?, ?)", (*lane, sequence))
    return sequence


def _get(connection: sqlite3.Connection, message_id: bytes) -> Sent:
    found = _find(connection, message_id)
    if found is None:
        raise NotFound(f"no message {message_id.hex()} was sent from here, or it is long over")
    return found


def _find(connection: sqlite3.Connection, message_id: bytes) -> Sent | None:
    row = connection.execute(f"SELECT {SUMMARY} FROM sent WHERE id = ?", (message_id,)).fetchone()  # noqa: S608
    return None if row is None else _read(row)


def _read(row: tuple[object, ...]) -> Sent:
    fields = dict(zip(Sent.__dataclass_fields__, row, strict=True))
    return Sent(**{**fields, "state": State(str(fields["state"]))})  # type: ignore[arg-type]
