"""The file in which an operator keeps what it took in and decided: SQLite, values encrypted.

Events stand in it in the order of intake, so that whoever has the file can take them in anew and
gets every row again, bit for bit. What is remembered of them is kept in a file beside, now and
then, so that a start need not. Each value is bound to its place; how: `hansa.encrypted_file`.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from hansa.encrypted_file import Draw, EncryptedFile
from hansa.kernel.encoding import Decoder, encode
from hansa.kernel.errors import Corrupt
from hansa.node.risk.clerk.format import (
    FORM,
    KeptAnswer,
    KeptDecision,
    KeptHeld,
    KeptTally,
    LabelEvent,
    PaymentEvent,
    keep_event,
    read_event,
)
from hansa.node.risk.clerk.places import Places
from hansa.node.risk.clerk.remembering import RememberedFile, Stamp
from hansa.node.risk.clerk.tallying import HOUR_MS, Tallied, add_up
from hansa.passphrases import DEFAULT_COST, ScryptCost
from hansa.risk.decisions.commitment import decode_record
from hansa.risk.intake.intake import Taken, Told

EVENTS_PER_VALUE = 512
"""At most, and fewer where fewer came together."""
DECISIONS_PER_VALUE = 32
"""The same; whoever reads one of them decrypts all."""
BLOCK_EVENTS = 4_096
"""Read at a time."""
BLOCK_DECISIONS = 512
"""The same: each has its rows."""
NAMES_PER_STATEMENT = 512
"""Each statement lets go of the interpreter, and whoever executes blocks holds it for a while."""
INDEX = ".places"
"""How the name ends of the folder of where decisions stand, beside the file."""
REMEMBERED = ".memory"
"""How the name ends of the file of what is remembered."""

NEWEST = 2**62
"""A place behind all others, to begin with the newest."""

Event = Taken | Told
T = TypeVar("T")

_decode_events = Decoder[list[PaymentEvent | LabelEvent]](
    list[PaymentEvent | LabelEvent], "events"
).decode_trusted
_decode_decisions = Decoder[list[KeptDecision]](list[KeptDecision], "decisions").decode_trusted
_decode_held = Decoder[KeptHeld](KeptHeld, "held transaction").decode_trusted
_decode_label = Decoder[bool](bool, "label").decode_trusted
_decode_tally = Decoder[KeptTally](KeptTally, "tally").decode_trusted
_HELD = "SELECT id, name, until_ms, is_open, value FROM held"
_decode_answer = Decoder[KeptAnswer](KeptAnswer, "answer").decode_trusted


class Held(NamedTuple):
    """A transaction that waits, or waited."""

    place: int
    """In the order in which they were held."""
    until_ms: int
    is_open: bool
    tx_id: bytes
    envelope: bytes
    taken_ms: int
    verdict: int
    asset: str
    """Of its largest payment."""
    amount_minor: int
    """Of that."""


class Placed(NamedTuple):
    """A decision, and its place in the order in which they were made, from 1 on."""

    place: int
    kept: KeptDecision

    def is_on(self, tx_id: bytes) -> bool:
        """Whether it is on this transaction."""
        return decode_record(self.kept.record).tx_id == tx_id


class Journal:
    """One open file. For one thread at a time."""

    def __init__(self, file: EncryptedFile, path: Path, index: Path | None = None) -> None:
        """Go on from a file.

        Args:
          file: open.
          path: of it.
          index: folder of where decisions stand; without one the whole file is looked through.
        """
        self._file = file
        self.remembered = RememberedFile(path.with_suffix(REMEMBERED), file)
        self._places = None if index is None else Places(index, self._read_names)
        self.event_count = self._count_events()
        self.height = self._find_height()
        """The block up to which payments of blocks were taken in; -1 if none was."""
        self._decision_count = self.count_decisions()
        self._tally: tuple[int, KeptTally] | None = None
        """The last hour that was written, and how it stands there."""

    @classmethod
    def open(
        cls, path: Path, passphrase: str, draw: Draw = os.urandom, cost: ScryptCost = DEFAULT_COST
    ) -> Journal:
        """Open the file, or make it, mode 0600.

        Raises:
          Invalid: `UNAUTHENTICATED` for a wrong passphrase; a later program wrote it.
          Corrupt: it is damaged, or something else.
          Unavailable: the disk refuses.
        """
        file = EncryptedFile.open_or_create(path, passphrase, FORM, draw, cost)
        try:
            return cls(file, path, path.with_suffix(INDEX))
        except BaseException:
            file.close()
            raise

    @classmethod
    @contextmanager
    def reading(cls, path: Path, passphrase: str) -> Iterator[Journal]:
        """Open the file of a node that does not run, for reading; nothing is written beside it.

        Raises:
          HansaError: as `open`; `NotFound` if there is none.
        """
        with EncryptedFile.reading(path, passphrase, FORM) as file:
            yield cls(file, path)

    def close(self) -> None:
        """Close the file."""
        try:
            if self._places is not None:
                self._places.close()
        finally:
            self._file.close()

    def write(
        self,
        events: Sequence[Event],
        decisions: Sequence[tuple[bytes, KeptDecision]] = (),
        held: Sequence[tuple[KeptHeld, int]] = (),
        tallied: Tallied | None = None,
        *,
        height: int | None = None,
    ) -> None:
        """Keep what was taken in and decided together, durably, all or nothing.

        Args:
          events: in the order of intake.
          decisions: by the id of their transaction.
          held: of these decisions, with the moment until which each waits.
          tallied: how these decisions came out.
          height: up to which block these events have what blocks paid; None if that is as it was.

        Raises:
          Corrupt: the file is damaged.
          Unavailable: the disk refuses.
        """
        file, first, tally = self._file, self.event_count, self._tally
        height = self.height if height is None else height
        with file.at_once() as connection:
            connection.executemany(
                "INSERT INTO events VALUES (?, ?)",
                [
                    (first + at, file.encrypt(encode(part), _name("events", first + at)))
                    for at, part in _divide(list(map(keep_event, events)), EVENTS_PER_VALUE)
                ],
            )
            connection.executemany(
                "INSERT OR REPLACE INTO labels VALUES (?, ?)",
                [
                    (each.number, file.encrypt(encode(each.is_fraud), _name("label", each.number)))
                    for each in events
                    if isinstance(each, Told)
                ],
            )
            names = self._put_decisions(connection, decisions, held)
            if tallied is not None:
                tally = self._put_tally(tallied)
            if height != self.height:
                connection.execute("INSERT OR REPLACE INTO blocks VALUES (1, ?)", (height,))
        # All of it at once: whatever is met from here on, this is in the file.
        self.event_count, self._tally, self.height = first + len(events), tally, height
        self._decision_count += len(names)
        if self._places is not None:
            self._places.add(self._decision_count + 1 - len(names), names)

    def find_decision(self, tx_id: bytes) -> KeptDecision | None:
        """Find what was decided on a transaction."""
        (place,) = self._find_places([tx_id])
        if place is None:
            return None
        found = self.list_decisions(place + 1, 1)
        if [each.place for each in found] != [place] or not found[0].is_on(tx_id):
            raise Corrupt(f"the decision on {tx_id.hex()} is not where its name is")
        return found[0].kept

    def find_decided(self, tx_ids: Sequence[bytes]) -> set[bytes]:
        """Find which of these transactions were decided on."""
        places = self._find_places(tx_ids)
        return {tx_id for tx_id, place in zip(tx_ids, places, strict=True) if place is not None}

    def list_decisions(self, before: int, limit: int) -> list[Placed]:
        """List decisions, the newest first, from before a place on."""
        query = "SELECT first, value FROM decisions WHERE first < ? ORDER BY first DESC LIMIT 1"
        found: list[Placed] = []
        while len(found) < limit and (rows := self._fetch(query, before)):
            earlier = [each for each in self._read_decisions(*rows[0]) if each.place < before]
            found += reversed(earlier)
            before = rows[0][0]
        return found[:limit]

    def iterate_decisions(self) -> Iterator[Placed]:
        """Iterate all decisions in the order in which they were made.

        Raises:
          Corrupt: some are missing.
        """
        query = "SELECT first, value FROM decisions WHERE first >= ? AND first < ? ORDER BY first"
        at = 1
        while rows := self._fetch(query, at, at + BLOCK_DECISIONS):
            for first, value in rows:
                _check_next("decisions", first, at)
                placed = self._read_decisions(first, value)
                at += len(placed)
                yield from placed
        _check_next("decisions", self._decision_count + 1, at)

    def count_decisions(self) -> int:
        """Count the transactions that were decided on."""
        ((last,),) = self._fetch("SELECT MAX(place) FROM decided")
        return last or 0

    def list_tallies(self, first_ms: int, end_ms: int) -> dict[int, KeptTally]:
        """List how decisions came out, by the beginning of each hour of a span that had any."""
        query = "SELECT hour, value FROM tallies WHERE hour >= ? AND hour < ? ORDER BY hour"
        rows = self._fetch(query, first_ms // HOUR_MS, -(-end_ms // HOUR_MS))
        return {hour * HOUR_MS: self._read_tally(hour, value) for hour, value in rows}

    def find_end(self) -> int:
        """Find a time before which all decisions were made, up to an hour too late; 0 for none."""
        ((hour,),) = self._fetch("SELECT MAX(hour) FROM tallies")
        return 0 if hour is None else (hour + 1) * HOUR_MS

    def list_labels(self, first: int, end: int) -> dict[int, bool]:
        """List which payments of a range turned out to be fraud or not, by their numbers."""
        query = "SELECT number, value FROM labels WHERE number >= ? AND number < ?"
        return {
            number: _decode_label(self._file.decrypt(value, _name("label", number)))
            for number, value in self._fetch(query, first, end)
        }

    def find_answer(self, tx_id: bytes) -> KeptAnswer | None:
        """Find what became of a transaction that waited, if it was answered."""
        raw = self._find("answers", "answer", tx_id)
        return None if raw is None else _decode_answer(raw)

    def close_held(self, tx_id: bytes, answer: KeptAnswer | None) -> None:
        """Keep that a transaction waits no more: it was answered, or its time is over."""
        name = self._file.hash_name(tx_id)
        with self._file.at_once() as connection:
            connection.execute("UPDATE held SET is_open = 0 WHERE name = ?", (name,))
            if answer is not None:
                value = self._file.encrypt(encode(answer), _name("answer", tx_id))
                connection.execute("INSERT INTO answers VALUES (?, ?)", (name, value))

    def find_held(self, tx_id: bytes) -> Held | None:
        """Find a transaction that waits or waited."""
        rows = self._fetch(f"{_HELD} WHERE name = ?", self._file.hash_name(tx_id))
        return self._read_held(*rows[0]) if rows else None

    def list_open(self) -> list[Held]:
        """List what waits, in the order in which it was held."""
        return [self._read_held(*row) for row in self._fetch(f"{_HELD} WHERE is_open ORDER BY id")]

    def list_waiting(self, after: int, limit: int, now_ms: int) -> list[Held]:
        """List what waits and whose time is not over, the oldest first, from behind a place on."""
        query = f"{_HELD} WHERE is_open AND id > ? AND until_ms >= ? ORDER BY id LIMIT ?"
        return [self._read_held(*row) for row in self._fetch(query, after, now_ms, limit)]

    def list_held(self, before: int, limit: int) -> list[Held]:
        """List what waits or waited, the newest first, from before a place on."""
        rows = self._fetch(f"{_HELD} WHERE id < ? ORDER BY id DESC LIMIT ?", before, limit)
        return [self._read_held(*row) for row in rows]

    def iterate_events(self, start: int = 0) -> Iterator[list[Event]]:
        """Iterate events in the order of intake, in blocks, from a place on.

        Raises:
          Corrupt: some are missing.
        """
        ((first,),) = self._fetch("SELECT MAX(first) FROM events WHERE first <= ?", start)
        query = "SELECT first, value FROM events WHERE first >= ? AND first < ? ORDER BY first"
        at = first or 0
        while rows := self._fetch(query, at, at + BLOCK_EVENTS):
            begin, block = at, []
            for first, value in rows:
                _check_next("events", first, at)
                block += self._read_events(first, value)
                at = begin + len(block)
            yield block[max(start - begin, 0) :]

    def put_basis(self, basis: bytes, raw: bytes) -> None:
        """Keep what decisions rest on, under its hash; once."""
        value = self._file.encrypt(raw, _name("basis", basis))
        with self._file.at_once() as connection:
            connection.execute("INSERT OR IGNORE INTO bases VALUES (?, ?)", (basis, value))

    def find_basis(self, basis: bytes) -> bytes | None:
        """Find what decisions rested on, by its hash."""
        rows = self._fetch("SELECT value FROM bases WHERE name = ?", basis)
        return self._file.decrypt(rows[0][0], _name("basis", basis)) if rows else None

    def begin(self, zone_offset_ms: int) -> None:
        """Keep what local time is ahead of UTC, for good: policy may move it later.

        Raises:
          Unavailable: the disk refuses.
        """
        if self._find_zone() is None:
            with self._file.at_once() as connection:
                connection.execute("INSERT INTO zone VALUES (1, ?)", (zone_offset_ms,))

    @property
    def zone_offset_ms(self) -> int:
        """What local time is ahead of UTC, by which all events are taken in; 0 before it began."""
        return self._find_zone() or 0

    def load_remembered(self) -> tuple[bytes, int] | None:
        """Load what was remembered, and of how many events; None if nothing is kept.

        Raises:
          Corrupt: it is damaged, or of another journal.
          Unavailable: it cannot be read.
        """
        return self.remembered.load(self.find_stamp)

    def find_stamp(self, events: int) -> Stamp | None:
        """Find by what the first events are known; None if there are fewer."""
        if events > self.event_count:
            return None
        query = "SELECT value FROM events WHERE first < ? ORDER BY first DESC LIMIT 1"
        rows = self._fetch(query, events)
        return Stamp(events, hashlib.sha256(rows[0][0]).digest() if rows else b"")

    def _count_events(self) -> int:
        query = "SELECT first, value FROM events ORDER BY first DESC LIMIT 1"
        return max(
            (first + len(self._read_events(first, value)) for first, value in self._fetch(query)),
            default=0,
        )

    def _find_zone(self) -> int | None:
        rows = self._fetch("SELECT offset_ms FROM zone")
        return int(rows[0][0]) if rows else None

    def _find_height(self) -> int:
        rows = self._fetch("SELECT height FROM blocks")
        return int(rows[0][0]) if rows else -1

    def _find_places(self, tx_ids: Sequence[bytes]) -> list[int | None]:
        names = [self._file.hash_name(tx_id) for tx_id in tx_ids]
        if self._places is not None:
            return self._places.find(names)
        query = "SELECT place FROM decided WHERE name = ?"
        return [next((place for (place,) in self._fetch(query, name)), None) for name in names]

    def _read_names(self, first: int, limit: int) -> list[tuple[int, bytes]]:
        query = "SELECT place, name FROM decided WHERE place >= ? ORDER BY place LIMIT ?"
        return self._fetch(query, first, limit)

    def _put_decisions(
        self,
        connection: sqlite3.Connection,
        decisions: Sequence[tuple[bytes, KeptDecision]],
        held: Sequence[tuple[KeptHeld, int]],
    ) -> list[bytes]:
        """Keep decisions, and what of them is held, within the transaction of what is kept.

        Returns:
          The names of the decisions.
        """
        file = self._file
        first = self._decision_count + 1
        names = [
            (place, file.hash_name(tx_id)) for place, (tx_id, _) in enumerate(decisions, first)
        ]
        for _, part in _divide(names, NAMES_PER_STATEMENT):
            places = ", ".join(["(?, ?)"] * len(part))
            connection.execute(
                f"INSERT INTO decided VALUES {places}",  # noqa: S608 - of question marks
                [value for row in part for value in row],
            )
        connection.executemany(
            "INSERT INTO decisions VALUES (?, ?)",
            [
                (first + at, file.encrypt(encode(part), _name("decisions", first + at)))
                for at, part in _divide([kept for _, kept in decisions], DECISIONS_PER_VALUE)
            ],
        )
        for kept_held, until_ms in held:
            name = file.hash_name(kept_held.tx_id)
            value = file.encrypt(encode(kept_held), _name("held", name))
            connection.execute(
                "INSERT INTO held (name, until_ms, is_open, value) VALUES (?, ?, 1, ?)",
                (name, until_ms, value),
            )
        return [name for _, name in names]

    def _put_tally(self, tallied: Tallied) -> tuple[int, KeptTally]:
        """Count decisions to their hour, within the transaction that keeps them."""
        hour = tallied.time_ms // HOUR_MS
        if self._tally is not None and self._tally[0] == hour:
            before = self._tally[1]
        else:
            rows = self._fetch("SELECT value FROM tallies WHERE hour = ?", hour)
            before = self._read_tally(hour, rows[0][0]) if rows else KeptTally()
        tally = add_up(before, tallied)
        value = self._file.encrypt(encode(tally), _name("tally", hour))
        self._file.connection.execute("INSERT OR REPLACE INTO tallies VALUES (?, ?)", (hour, value))
        return hour, tally

    def _read_tally(self, hour: int, value: bytes) -> KeptTally:
        return _decode_tally(self._file.decrypt(value, _name("tally", hour)))

    def _read_decisions(self, first: int, value: bytes) -> list[Placed]:
        kept = _decode_decisions(self._file.decrypt(value, _name("decisions", first)))
        return [Placed(place, each) for place, each in enumerate(kept, first)]

    def _find(self, table: str, kind: str, tx_id: bytes) -> bytes | None:
        query = f"SELECT value FROM {table} WHERE name = ?"  # noqa: S608 - of our own tables
        rows = self._fetch(query, self._file.hash_name(tx_id))
        return self._file.decrypt(rows[0][0], _name(kind, tx_id)) if rows else None

    def _read_events(self, first: int, value: bytes) -> list[Event]:
        kept = _decode_events(self._file.decrypt(value, _name("events", first)))
        return list(map(read_event, kept))

    def _read_held(
        self, place: int, name: bytes, until_ms: int, is_open: int, value: bytes
    ) -> Held:
        kept = _decode_held(self._file.decrypt(value, _name("held", name)))
        return Held(place, until_ms, bool(is_open), *msgspec.structs.astuple(kept))

    def _fetch(self, query: str, *values: object) -> list[Any]:
        with self._file.telling():
            return self._file.connection.execute(query, values).fetchall()


def _check_next(what: str, first: int, expected: int) -> None:
    if first != expected:
        raise Corrupt(f"{what} {expected} to {first - 1} are missing in the journal")


def _divide(kept: list[T], length: int) -> Iterator[tuple[int, list[T]]]:
    """Divide what is kept together into values; yields where each begins."""
    for at in range(0, len(kept), length):
        yield at, kept[at : at + length]


def _name(*parts: object) -> bytes:
    """Name the place of a value."""
    return encode(parts)
