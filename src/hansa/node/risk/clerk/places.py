"""Where decisions stand in the journal, by the names of their transactions: an index beside it.

Names are hashes, so each comes anywhere among those before it. In SQLite each would change a page
of its own, and with a million decisions that cost half as much as all else that is done for one.
The store of the ledger's state is made for such keys. As there, it is made anew from the truth: it
stands at a place, and what the journal has behind that is read again at a start.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from hansa.engine.store import StateStore
from hansa.engine.table_file import NOTHING
from hansa.kernel.errors import Corrupt, HansaError, Unavailable

FLUSHED: Final = 1 << 16
"""Names in memory before they are written: so many are read again after a crash, in a moment."""
READ_AT_ONCE: Final = 1 << 14
_ADVANCED = 3
"""Names written of those before for each that comes, so that no decision waits for many."""
_KEY_SPACE = b"\x01"
_KEY_BYTES = 16
_PLACE = struct.Struct(">Q")

_LOG = logging.getLogger("hansa.risk")

ReadNames = Callable[[int, int], list[tuple[int, bytes]]]
"""Reads of the journal, from a place on, so many places and names, in order."""


class Places:
    """The index; for one thread at a time."""

    def __init__(self, folder: Path, read: ReadNames, *, flushed: int = FLUSHED) -> None:
        """Open it, and take in what the journal has beyond it.

        Args:
          folder: of the index; made if it is not there, made anew if it is not the journal's.
          read: what the journal has.
          flushed: so many names are in memory before they are written.

        Raises:
          Unavailable: the disk refuses.
        """
        self._folder = folder
        self._read = read
        self._flushed = flushed
        self._begun = 0
        """The place at which the flush before began."""
        self._is_behind = False
        """Whether something could not be written: the journal has names that the store lacks."""
        self._store = self._open()

    def add(self, first: int, names: Sequence[bytes]) -> None:
        """Add names of decisions that the journal has by now, the first of them at a place.

        What cannot be written is read again from the journal when something is asked next: whoever
        has names here has them in the journal, so nothing is lost, and nobody need stop.
        """
        if not self._is_behind:
            with self._noting():
                self._write(self._store, list(enumerate(names, first)))

    def find(self, names: Sequence[bytes]) -> list[int | None]:
        """Find the place of each, None for those on which nothing was decided.

        Raises:
          Unavailable: the disk refuses.
        """
        keys = [_make_key(name) for name in names]
        if self._is_behind:
            self._open_again()
        try:
            found = self._store.get_many(keys)
        except Corrupt as error:
            self._wipe(error)
            self._open_again()
            found = self._store.get_many(keys)
        return [None if each is None else _PLACE.unpack(each)[0] for each in found]

    def close(self) -> None:
        """Keep all of it, so that a start has nothing to read again; and let go in any case."""
        if not self._is_behind:
            with self._noting():
                self._store.flush()
        _let_go(self._store)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except Unavailable as error:
            _LOG.warning("where decisions stand could not be kept: %s", error.message)
            self._is_behind = True
        except Corrupt as error:
            self._wipe(error)

    def _wipe(self, error: Corrupt) -> None:
        """Throw it away, to be made anew when something is asked next."""
        _LOG.warning("where decisions stand is found anew: %s", error.message)
        self._is_behind = True
        _let_go(self._store)  # before: it ends what it has begun to write
        StateStore.wipe(self._folder)

    def _open_again(self) -> None:
        self._is_behind = True
        _let_go(self._store)
        self._store = self._open()
        self._is_behind = False

    def _open(self) -> StateStore:
        """Open the store and bring it up; a new one, if it is damaged or of another journal."""
        try:
            return self._bring_up(StateStore.open(self._folder))
        except Corrupt:
            StateStore.wipe(self._folder)
            return self._bring_up(StateStore.open(self._folder))

    def _bring_up(self, store: StateStore) -> StateStore:
        try:
            if not self._is_of_journal(store):
                raise Corrupt("where decisions stand is kept of another journal")
            self._begun = store.height
            for part in self._iterate_behind(max(store.height, 0)):
                self._write(store, part)
        except BaseException:
            _let_go(store)
            raise
        return store

    def _is_of_journal(self, store: StateStore) -> bool:
        """Whether the last name that it has stands where the journal has it."""
        if store.height == NOTHING:
            return True
        rows = self._read(store.height, 1)
        try:
            return bool(rows) and store.get(_make_key(rows[0][1])) == _PLACE.pack(store.height)
        except Corrupt:
            return False

    def _iterate_behind(self, place: int) -> Iterator[list[tuple[int, bytes]]]:
        while rows := self._read(place + 1, READ_AT_ONCE):
            yield rows
            place = rows[-1][0]

    def _write(self, store: StateStore, rows: Sequence[tuple[int, bytes]]) -> None:
        if not rows:
            return
        last = rows[-1][0]
        store.write({_make_key(name): _PLACE.pack(place) for place, name in rows}, last)
        if last - self._begun >= self._flushed:
            store.flush(wait=False)
            self._begun = last
        store.advance(_ADVANCED * len(rows))


def _let_go(store: StateStore) -> None:
    """Close a store, which may be closed; what it cannot keep any more is in the journal."""
    with suppress(HansaError):
        store.close()


def _make_key(name: bytes) -> bytes:
    return _KEY_SPACE + name[:_KEY_BYTES]
