"""The state store: rows, tree nodes and indexes as they stand at one checkpoint.

The block log is the truth; the store saves re-executing it. It takes what changed into memory
and puts it on disk in one atomic step now and then: a sorted table file, written outside RocksDB
and taken in whole, together with the height it stands at. So after a crash at any instant it
stands at a height that was flushed, and needs neither a write-ahead log nor a memtable.

This module and `table_file` are the only ones that know rocksdict.

Source: docs/decisions/0001-state-store.md; RocksDB wiki, "Creating and Ingesting SST files".
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from threading import Thread
from typing import Final, Protocol, Self

import rocksdict

from hansa.engine.storage import make_folder
from hansa.engine.table_file import (
    HEIGHT_KEY,
    NOTHING,
    Guard,
    TableWriter,
    build_options,
    check_manifest,
    linking,
    unpack_height,
)
from hansa.kernel.errors import Corrupt, HansaError, NotFound, Unavailable

_INGEST_NAME = "flush.ingest"
_READ_ONLY_ATTEMPTS = 5
_MISSING: Final = b"\x00missing"  # compared by identity


class Store(Protocol):
    """Keys and values at one height. Keys start with a byte of their key space, never zero."""

    @property
    def height(self) -> int:
        """The height of the last finished flush; -1 if there was none."""

    @property
    def pending_height(self) -> int:
        """The height of the last `write`, which `get` shows; at least `height`."""

    def get(self, key: bytes) -> bytes | None:
        """The value last written; `None` if there is none."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """One value or `None` per key, in the order of the keys."""

    def write(self, puts: Mapping[bytes, bytes | None], height: int) -> None:
        """Take the changes up to `height` into memory; `None` deletes."""

    def flush(self, *, wait: bool = True) -> None:
        """Make what was written durable in one step; without `wait`, begin to."""

    def advance(self, keys: int) -> None:
        """Go on with a flush that was begun, by so many keys."""

    def iterate_prefix(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values in the order of the keys, as they stood when it was called."""

    def close(self) -> None:
        """Let go; what was written since the last flush is to be made anew from the log."""


class StateStore:
    """A store on disk.

    One thread writes and flushes; any thread may read. At most one flush is under way, and what it
    writes stays in memory until the next, so that rows rewritten often are read there.
    """

    def __init__(
        self, folder: Path, database: rocksdict.Rdict, *, links: Path | None = None
    ) -> None:
        self.folder = folder
        self._database = database
        self._read = database.get
        self._read_only = links is not None
        self._guard = Guard(folder, links)
        self._pending: dict[bytes, bytes | None] = {}
        self._recent: dict[bytes, bytes | None] = {}
        self._table: TableWriter | None = None
        """The table file of the flush that is under way."""
        self._ingester: Thread | None = None
        self._failure: HansaError | None = None
        self._height = self._pending_height = self._flush_height = NOTHING
        self._ingest_path = folder / _INGEST_NAME
        try:
            self._height = self._pending_height = self._guard.height = self._read_height()
        except HansaError:
            with suppress(HansaError), self._guard:
                database.close()
            raise

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open for reading and writing; makes an empty store if there is none.

        Raises:
          Corrupt: it cannot be read; `wipe` it and write it anew from the log.
          Unavailable: another process has it, or the disk refuses.
        """
        with Guard(folder):
            make_folder(folder)
            (folder / _INGEST_NAME).unlink(missing_ok=True)
            check_manifest(folder)
            database = rocksdict.Rdict(str(folder), build_options())
        return cls(folder, database)

    @classmethod
    def open_read_only(cls, folder: Path) -> Self:
        """Open the state of the last flush, beside the process that writes it; writes nothing.

        Raises:
          NotFound: there is no store.
          Corrupt: it cannot be read.
          Unavailable: the system does not let it be read.
        """
        if not (folder / "CURRENT").is_file():  # rocksdict would make the folder
            raise NotFound(f"there is no state store in {folder}", folder=str(folder))
        options = build_options()
        options.create_if_missing(create_if_missing=False)
        # Hold every file: the links go, and the writer may remove it.
        options.set_max_open_files(-1)
        access = rocksdict.AccessType.read_only(False)  # noqa: FBT003 - not a keyword there
        for attempt in range(1, _READ_ONLY_ATTEMPTS + 1):
            try:
                with linking(folder) as links, Guard(folder, links):
                    check_manifest(folder)
                    database = rocksdict.Rdict(str(links), options, access_type=access)
            except HansaError:
                # A compaction of the writer removed a file between its being listed and opened.
                if attempt == _READ_ONLY_ATTEMPTS:
                    raise
            else:
                return cls(folder, database, links=links)
        raise Unavailable(f"the state store in {folder} changes too fast to be opened")

    @staticmethod
    def wipe(folder: Path) -> None:
        """Remove a closed store, so that it can be written anew from the log."""
        shutil.rmtree(folder, ignore_errors=True)

    @property
    def height(self) -> int:
        """The height of the last finished flush; -1 if there was none."""
        return self._height

    @property
    def pending_height(self) -> int:
        """The height of the last `write`, which `get` shows; at least `height`."""
        return self._pending_height

    def get(self, key: bytes) -> bytes | None:
        """The value last written; `None` if there is none.

        Raises:
          Corrupt: the store is damaged.
        """
        value = self._pending.get(key, _MISSING)
        if value is _MISSING:
            value = self._recent.get(key, _MISSING)
            if value is _MISSING:
                with self._guard:
                    return self._read(key)
        return value

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """One value or `None` per key, in the order of the keys; one call for those on disk."""
        pending, recent = self._pending, self._recent
        values = [pending.get(key, _MISSING) for key in keys]
        absent = []
        for at, value in enumerate(values):
            if value is _MISSING:
                values[at] = found = recent.get(keys[at], _MISSING)
                if found is _MISSING:
                    absent.append(at)
        if absent:
            with self._guard:
                read = self._read([keys[at] for at in absent]) or []
            for at, value in zip(absent, read, strict=True):
                values[at] = value
        return values

    def write(self, puts: Mapping[bytes, bytes | None], height: int) -> None:
        """Take the changes up to `height` into memory; `None` deletes.

        Raises:
          Unavailable: a flush failed before, or the store is open for reading only.
        """
        self._require_writable()
        if height <= self._pending_height:
            raise Corrupt(
                f"the state store stands at height {self._pending_height} and was to be written "
                f"at {height}",
                height=height,
            )
        self._pending.update(puts)
        self._pending_height = height

    def flush(self, *, wait: bool = True) -> None:
        """Make what was written durable in one step; without `wait`, begin to.

        Ends the flush before it in any case.

        Raises:
          Unavailable: the disk refused, now or in the flush before.
        """
        self._require_writable()
        self._finish_flush()
        if self._pending_height > self._height:
            # Readers look into `_pending` first: it must be in `_recent` before it is emptied.
            self._recent = self._pending
            self._pending = {}
            with self._failing():
                self._ingest_path.unlink(missing_ok=True)
                self._table = TableWriter(self._ingest_path, self._recent, self._pending_height)
            self._flush_height = self._pending_height
            if wait:
                self._finish_flush()

    def fill(self, puts: Mapping[bytes, bytes | None]) -> None:
        """Take a part of a state that comes whole straight to disk.

        It counts once `write` has named its height, and `flush` has ended: until then the store
        stands where it stood, and what was filled in is to be wiped.

        Raises:
          Unavailable: the disk refused.
        """
        self._require_writable()
        self._finish_flush()
        if not puts:
            return
        with self._failing():
            self._ingest_path.unlink(missing_ok=True)
            table = TableWriter(self._ingest_path, puts)
            table.write()
            self._take_in(table)
        self._require_writable()

    def advance(self, keys: int) -> None:
        """Go on with a flush that was begun, by so many keys; 100 take less than a millisecond.

        What fails is told by the next `write` or `flush`.
        """
        self._write_table(keys)

    def iterate_prefix(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values in the order of the keys, as they stood when it was called.

        The call only takes copies, some milliseconds at most; looking through what is pending is
        the first `next`, which may run in another thread.

        Raises:
          Corrupt: the store is damaged.
        """
        # In this order, or a flush beginning in between would hide what is pending.
        pending = self._pending.copy()
        recent = self._recent.copy()
        with self._guard:
            rows = self._database.iter()
            rows.seek(prefix)
        return self._merge(rows, prefix, (recent, pending))

    def _merge(
        self,
        rows: rocksdict.RdictIter,
        prefix: bytes,
        layers: tuple[dict[bytes, bytes | None], dict[bytes, bytes | None]],
    ) -> Iterator[tuple[bytes, bytes]]:
        overlay = {
            key: value
            for key, value in chain.from_iterable(layer.items() for layer in layers)
            if key.startswith(prefix)
        }
        fresh = sorted(overlay)
        at = 0
        while rows.valid():
            key: bytes = rows.key()
            if not key.startswith(prefix):
                break
            while at < len(fresh) and fresh[at] < key:
                value = overlay[fresh[at]]
                if value is not None:
                    yield fresh[at], value
                at += 1
            if key not in overlay and key != HEIGHT_KEY:
                yield key, rows.value()
            rows.next()
        with self._guard:
            try:
                rows.status()  # the only way to learn that damage ended the iteration
            finally:
                del rows  # or an error that is kept would keep the database open
        for key in fresh[at:]:
            value = overlay[key]
            if value is not None:
                yield key, value

    def read_through(self, keys_max: int) -> tuple[int, bool]:
        """Read what is on disk from its first key on, which checks the checksum of each block.

        Not checked: what RocksDB reads past when damaged (Bloom filters, padding).

        Args:
          keys_max: where to stop; half a million keys take a second.

        Returns:
          How many keys were read, and whether that was all.

        Raises:
          Corrupt: the store is damaged.
        """
        count = 0
        with self._guard:
            rows = self._database.iter()
            try:
                rows.seek_to_first()
                while count < keys_max and rows.valid():
                    rows.next()
                    count += 1
                rows.status()
                return count, not rows.valid()
            finally:
                del rows  # or an error that is kept would keep the database open

    def close(self) -> None:
        """Let go of the folder.

        Begins no flush: only the chain knows what the log holds durably, and the store must never
        get ahead of that. One that was begun is ended.
        """
        self._write_table(None)
        self._join()
        with self._guard:
            self._database.close()

    def _require_writable(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._read_only:
            raise Unavailable(f"the state store in {self.folder} is open for reading only")

    def _join(self) -> None:
        if self._ingester is not None:
            self._ingester.join()
            self._ingester = None

    def _finish_flush(self) -> None:
        self._write_table(None)
        self._join()
        if self._failure is not None:
            raise self._failure

    def _write_table(self, keys: int | None) -> None:
        """Write a part of the table file, None for the rest; after its last it is taken in."""
        table = self._table
        if table is None:
            return
        with self._failing():
            if table.write(keys):
                self._table = None
                self._ingester = Thread(target=self._ingest, args=(table,), name="state-flush")
                self._ingester.start()

    def _ingest(self, table: TableWriter) -> None:
        """Take a table file in; runs in a thread of its own, since it waits for the disk."""
        with self._failing():
            self._take_in(table)
            self._height = self._guard.height = self._flush_height

    def _take_in(self, table: TableWriter) -> None:
        options = rocksdict.IngestExternalFileOptions()
        options.set_move_files(True)
        table.finish()
        self._database.ingest_external_file([str(self._ingest_path)], options)
        self._ingest_path.unlink(missing_ok=True)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Give the flush up for good if what is done within fails; what is next asked tells."""
        try:
            with self._guard:
                yield
        except HansaError as error:
            self._failure, self._table = error, None

    def _read_height(self) -> int:
        raw = self.get(HEIGHT_KEY)
        if raw is None:
            return NOTHING
        height = unpack_height(raw)
        if height is not None:
            return height
        raise Corrupt(
            f"the state store in {self.folder} was written by a release with another format: use "
            "that release, or have this one write the store anew (--rebuild)"
        )


class MemoryStore:
    """A store that lives as long as the process; `reopened` is what a crash would leave."""

    def __init__(self, flushed: Mapping[bytes, bytes] | None = None, height: int = NOTHING) -> None:
        self._flushed: dict[bytes, bytes] = dict(flushed or {})
        self._rows = dict(self._flushed)
        self._changed: dict[bytes, bytes | None] = {}
        self.height = height
        self.pending_height = height

    def get(self, key: bytes) -> bytes | None:
        """The value last written; `None` if there is none."""
        return self._rows.get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """One value or `None` per key, in the order of the keys."""
        return [self._rows.get(key) for key in keys]

    def write(self, puts: Mapping[bytes, bytes | None], height: int) -> None:
        """Take the changes up to `height`; `None` deletes."""
        if height <= self.pending_height:
            raise Corrupt(f"height {height} was to be written after {self.pending_height}")
        _apply(self._rows, puts)
        self._changed.update(puts)
        self.pending_height = height

    def flush(self, *, wait: bool = True) -> None:  # noqa: ARG002 - there is nothing to wait for
        """Keep what was written for `reopened`."""
        _apply(self._flushed, self._changed)
        self._changed = {}
        self.height = self.pending_height

    def fill(self, puts: Mapping[bytes, bytes | None]) -> None:
        """Take a part of a state that comes whole."""
        _apply(self._rows, puts)
        _apply(self._flushed, puts)

    def advance(self, keys: int) -> None:
        """Nothing is left to be done."""

    def iterate_prefix(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values in the order of the keys, as they stood when it was called."""
        return iter(sorted(item for item in self._rows.items() if item[0].startswith(prefix)))

    def reopened(self) -> MemoryStore:
        """The store as a crash leaves it: at the last flush."""
        return MemoryStore(self._flushed, self.height)

    def close(self) -> None:
        """Nothing to let go of."""


def _apply(rows: dict[bytes, bytes], puts: Mapping[bytes, bytes | None]) -> None:
    for key, value in puts.items():
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value
