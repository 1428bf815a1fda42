"""State: committed rows and what is written since, and the view by which contracts see them.

A view reads a transaction's own writes, then the block's, then committed rows. A refusal undoes
the transaction's writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Protocol

from hansa.kernel.encoding import encode
from hansa.kernel.errors import Refused
from hansa.kernel.machine.naming import KeyPart, RowId, StateCode, identify, pack_key
from hansa.kernel.rows import R, Row, decode_row

ROW_CACHE_MAX = 1_000_000
_get_key = itemgetter(0)


class CommittedRows(Protocol):
    """Where committed rows are read from: the engine's store, or a dict in tests."""

    def get(self, key: bytes) -> bytes | None:
        """Get the encoded row under a packed key."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Get one encoded row or None per key; cheaper than one by one."""


class _Rows(dict[RowId, "Row | None"]):
    """Rows in memory; one that is missing is brought in, or found to be absent, when asked for."""

    __slots__ = ("fetch",)

    def __init__(self, fetch: Callable[[RowId], Row | None]) -> None:
        super().__init__()
        self.fetch = fetch

    def __missing__(self, row_id: RowId) -> Row | None:
        return self.fetch(row_id)


class State:
    """Committed rows plus the writes since the last checkpoint, decoded rows kept in `rows`."""

    __slots__ = (
        "_aged",
        "_committed",
        "_dirty",
        "_handed",
        "_leaving",
        "_transient",
        "_written",
        "rows",
        "rows_max",
    )

    def __init__(self, committed: CommittedRows, rows_max: int = ROW_CACHE_MAX) -> None:
        self.rows: dict[RowId, Row | None] = _Rows(self._fetch)
        """Rows as of the transactions so far, the present one's writes among them; None for those
        known to be absent. Asking for one that is not there brings it in."""
        self._aged: dict[RowId, Row | None] = {}
        """Rows that nobody has asked for since `rows` was begun: those to be let go of first."""
        self._leaving: list[RowId] = []
        """Their names, and of some that were asked for since; the oldest stand last."""
        self._committed = committed
        self._written: dict[RowId, Row | None] = {}
        """What transactions of this block have written, as the last of them has left it."""
        self._dirty: dict[bytes, bytes | None] = {}
        self._handed: dict[bytes, bytes | None] = {}
        self._transient: list[RowId] = []
        self.rows_max = rows_max

    def _fetch(self, row_id: RowId) -> Row | None:
        """Bring a row that is not in `rows` yet into it."""
        if row_id in self._aged:
            row = self.rows[row_id] = self._aged.pop(row_id)
            return row
        return self._keep(row_id, self._read(pack_key(row_id[0].TABLE, row_id[1:])))

    def _keep(self, row_id: RowId, raw: bytes | None) -> Row | None:
        row_type = row_id[0]
        row: Row | None = None if raw is None else decode_row(row_type, raw)
        self.rows[row_id] = row
        if not row_type.CACHED:
            self._transient.append(row_id)
        return row

    def fetch_many(self, row_ids: Iterable[RowId]) -> None:
        """Bring rows that are going to be read into `rows`, in one call to the store."""
        rows, aged = self.rows, self._aged
        wanted = list(dict.fromkeys([row_id for row_id in row_ids if row_id not in rows]))
        if aged:
            wanted = [row_id for row_id in wanted if row_id not in aged]
        if not wanted:
            return
        packed = [pack_key(row_id[0].TABLE, row_id[1:]) for row_id in wanted]
        absent = [key for key in packed if key not in self._dirty and key not in self._handed]
        found = dict(zip(absent, self._committed.get_many(absent), strict=True))
        for row_id, key in zip(wanted, packed, strict=True):
            self._keep(row_id, found[key] if key in found else self._read(key))

    def load(self, row_type: type[R], packed: bytes) -> R | None:
        """Get a row as of the last executed block; for readers, who leave `rows` untouched."""
        raw = self._read(packed)
        return None if raw is None else decode_row(row_type, raw)

    def _read(self, packed: bytes) -> bytes | None:
        if packed in self._dirty:
            return self._dirty[packed]
        # What was handed over may not be committed yet when somebody reads in between.
        return self._handed[packed] if packed in self._handed else self._committed.get(packed)

    def take(self, rows: Mapping[RowId, Row | None]) -> None:
        """Count rows in `rows`, as a successful transaction has left them, among the writes."""
        self._written.update(rows)

    def list_writes(self) -> list[tuple[bytes, bytes | None]]:
        """List the block's writes as (packed key, encoded row or None), sorted."""
        writes = [
            (pack_key(row_id[0].TABLE, row_id[1:]), None if row is None else encode(row))
            for row_id, row in self._written.items()
        ]
        writes.sort(key=_get_key)
        return writes

    def list_changes(
        self, writes: Iterable[tuple[bytes, bytes | None]]
    ) -> dict[bytes, bytes | None]:
        """List what changed since the last checkpoint, with the `writes` of this block."""
        changes = self._dirty.copy()
        changes.update(writes)
        return changes

    def end_block(self, writes: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Close the block, whose `list_writes` these are: from now on readers see it."""
        self._dirty.update(writes)
        self._written.clear()
        self.trim()

    def end_checkpoint(self) -> dict[bytes, bytes | None]:
        """Hand over the writes since the last checkpoint, which the caller commits now."""
        dirty, self._dirty = self._dirty, {}
        self._handed = dirty
        for row_id in self._transient:
            self.rows.pop(row_id, None)
            self._aged.pop(row_id, None)
        self._transient.clear()
        return dirty

    def trim(self) -> None:
        """Let go of rows in memory if they are too many; not while a block is being executed.

        Those go first that nobody has asked for lately, and a few at a time: to let go of a
        million at once takes a second.
        """
        if self._written:
            return
        self._drop_aged()
        if not self._aged and len(self.rows) > self.rows_max * 3 // 4:
            self._aged, self.rows = self.rows, _Rows(self._fetch)
            self._leaving = list(self._aged)[::-1]
            self._drop_aged()

    def _drop_aged(self) -> None:
        """Drop as many aged rows as are too many, the oldest first.

        Four go for three that are new, so that none are left when new ones fill three quarters of
        the room. Then these are the aged ones, and the last quarter is the time in which those of
        them that are still in use are asked for again.
        """
        room = max(0, self.rows_max - len(self.rows) * 4 // 3)
        while len(self._aged) > room:
            row_id = self._leaving.pop()
            if row_id in self._aged:
                del self._aged[row_id]


class Reader:
    """Reads rows by their key fields, as of the last executed block; for who is no transaction."""

    __slots__ = ("_state",)

    def __init__(self, state: State) -> None:
        self._state = state

    def get(self, row_type: type[R], *key: KeyPart) -> R | None:
        """Get a row, or None if there is none."""
        return self._state.load(row_type, row_type.key(*key))


class View:
    """What one transaction sees and writes; begun anew for each transaction.

    Writes go where reads come from, and what stood there before is kept: a look-up is one step,
    and what a transaction of no effect has written is put back.
    """

    __slots__ = ("_before", "_reads_max", "_rows", "_state", "_writes_max", "reads")

    def __init__(self, state: State, reads_max: int, writes_max: int) -> None:
        self._state = state
        self._rows = state.rows
        self._reads_max = reads_max
        self._writes_max = writes_max
        self.reads = 0
        self._before: dict[RowId, Row | None] = {}
        """What this transaction has written, with the rows that stood there before it."""

    @property
    def writes(self) -> dict[RowId, Row | None]:
        """What this transaction has written so far; None for rows that it removed."""
        return {row_id: self._rows[row_id] for row_id in self._before}

    def begin(self) -> None:
        """Begin a transaction; what the one before has written without `commit` is put back."""
        self.reads = 0
        if self._before:
            self._rows.update(self._before)
            self._before = {}
        self._rows = self._state.rows

    def fetch_many(self, row_ids: Iterable[RowId]) -> None:
        """Have rows ready that the next transactions are going to read; counts as no read."""
        self._state.fetch_many(row_ids)

    def get(self, row_type: type[R], *key: KeyPart) -> R | None:
        """Get a row by its key fields, or None.

        Raises:
          Refused: `kernel.TOO_MANY_READS`.
        """
        self.reads += 1
        if self.reads > self._reads_max:
            raise Refused(StateCode.TOO_MANY_READS, reads_max=self._reads_max)
        return self._rows[(row_type, *key)]  # type: ignore[return-value]

    def get_unchanging(self, row_type: type[R], *key: KeyPart) -> R | None:
        """Get a row for something no transaction of this block can change; counts as no read."""
        self.reads -= 1
        return self.get(row_type, *key)

    def put(self, row: Row) -> None:
        """Write a row under its own key.

        Raises:
          Refused: `kernel.TOO_MANY_WRITES`.
        """
        self._write(identify(row), row)

    def delete(self, row_type: type[Row], *key: KeyPart) -> None:
        """Remove the row with these key fields."""
        self._write((row_type, *key), None)

    def _write(self, row_id: RowId, row: Row | None) -> None:
        before = self._before
        if row_id not in before:
            before[row_id] = self._rows[row_id]
            if len(before) > self._writes_max:
                raise Refused(StateCode.TOO_MANY_WRITES, writes_max=self._writes_max)
        self._rows[row_id] = row

    def count_new_rows(self, sponsor: bytes) -> tuple[int, list[bytes]]:
        """Count the rows that this transaction adds less those it removes of its sponsor's.

        Returns also, once a row, the other sponsors of whose rows one less is stored.
        """
        count = 0
        others: list[bytes] = []
        rows = self._rows
        for row_id, before in self._before.items():
            row = rows[row_id]
            if before is None:
                count += row is not None
                continue
            field = row_id[0].CHARGED_TO
            if not field:
                count -= row is None
                continue
            payer: bytes = getattr(before, field)
            if row is None or getattr(row, field) != payer:
                count += row is not None
                if payer == sponsor:
                    count -= 1
                else:
                    others.append(payer)
        return count, others

    def commit(self) -> None:
        """Make this transaction's writes count, so that the next one cannot put them back."""
        self._state.take(self.writes)
        self._before = {}
