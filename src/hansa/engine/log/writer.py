"""The block log: the durable truth. Append-only, framed, checksummed, one fdatasync a block.

A block is *confirmed* when the sync after it returned. A crash may tear what was not confirmed;
opening the log cuts such a tail off and says so. Anything else that is wrong is `Corrupt`.

Source: docs/reference/log.md; https://wiki.postgresql.org/wiki/Fsync_Errors for why a failed
sync ends the life of a writer.
"""

from __future__ import annotations

import os
from array import array
from contextlib import ExitStack
from threading import Lock
from typing import Self

from hansa.engine.log import format as form
from hansa.engine.log.format import NOTHING, Mark, Walk
from hansa.engine.log.reader import BlockReader
from hansa.engine.storage import TEMPORARY_SUFFIX, Storage, StorageFile
from hansa.kernel.errors import Corrupt, Invalid, InvalidCode, Unavailable

SEGMENT_BYTES = 1 << 30
PRUNED_SEGMENT_BYTES = 64 << 20
"""Of a log that is pruned: its blocks go by whole segments."""
_REWRITE_BYTES = 4 << 20


class BlockLog(BlockReader):
    """The one writer of a log, and a reader of all of it, confirmed or not.

    `sync` may run in another thread than `append`; neither may run beside itself.
    """

    _writable = True

    def __init__(self, storage: Storage, segment_bytes: int) -> None:
        super().__init__(storage)
        self._segment_bytes = segment_bytes
        self._index_file: StorageFile | None = None
        self._indexed = NOTHING  # the highest height in the index file
        self._slot = 0
        self._poison = ""
        self._sync_lock = Lock()
        self._pruned: list[str] = []
        """Segments that are forgotten, and whose files the next sync removes."""
        self._mark: Mark | None = None
        """Where the log begins without them, to be made durable before they are removed."""
        self.recovered_bytes = 0

    @classmethod
    def open(
        cls,
        storage: Storage,
        *,
        trusted_height: int | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> Self:
        """Open for writing: check, cut off a torn tail, make the rest durable.

        Args:
          storage: the folder; locked until `close`.
          trusted_height: a height of which another durable record (the state store) knows that
            it was confirmed; blocks from it on are checked. Without it the last segment is.
          segment_bytes: a segment that has grown to this size is followed by a new one.

        Raises:
          Corrupt: a confirmed block is damaged or missing; names height and offset.
          Unavailable: another process writes this log, or the disk refuses.
        """
        log = cls(storage, segment_bytes)
        with ExitStack() as undo:
            storage.lock()
            undo.callback(storage.unlock)
            undo.callback(log._close_files)
            for name in storage.list():
                if name.endswith(TEMPORARY_SUFFIX):
                    storage.remove(name)
            # A process that died after it had named a segment, and before that name was durable,
            # leaves one that a power cut would take away with all blocks confirmed in it since.
            storage.sync()
            log._recover(trusted_height)
            undo.pop_all()
        return log

    @staticmethod
    def wipe(storage: Storage) -> None:
        """Remove every block of a closed log, so that it can begin at any height."""
        own = (form.CONFIRMED_NAME, form.INDEX_NAME, form.MARK_NAME)
        for name in storage.list():
            if name in own or form.is_segment_name(name) or name.endswith(TEMPORARY_SUFFIX):
                storage.remove(name)

    def refresh(self) -> int:
        """A writer knows all there is; returns `height_max`."""
        return self.height_max

    @property
    def confirmed_height(self) -> int:
        """The highest height that survives a crash; -1 if there is none."""
        return self._confirmed

    def append(self, height: int, payload: bytes) -> None:
        """Write a block; it is not durable before `sync` has returned.

        The first block of an empty log may have any height, every other follows the last.

        Raises:
          Unavailable: the disk refused, now or before; the log must be opened again.
        """
        self._require_usable()
        if self._segments and height != self.height_max + 1:
            message = f"block {height} was to be appended after block {self.height_max}"
            raise Corrupt(message, height=height)
        if len(payload) > form.PAYLOAD_BYTES_MAX:
            raise Invalid(InvalidCode.TOO_LARGE, f"block {height} has {len(payload)} bytes")
        try:
            if not self._segments:
                self._mark_beginning(height, payload)
            if not self._segments or self._end >= self._segment_bytes:
                self._add_segment(height)
            segment = self._segments[-1]
            header = form.encode_frame_header(segment, height, self._confirmed, payload)
            segment.file.append(header, payload)
        except Unavailable as error:
            self._poison = error.message
            raise
        offset = self._end
        self._end += form.FRAME_HEADER_BYTES + len(payload)
        self._offsets.append(offset)

    def sync(self) -> int:
        """Make everything appended durable with one fdatasync; returns the confirmed height.

        Raises:
          Unavailable: the disk refused, now or before; the log must be opened again.
        """
        self._require_usable()
        with self._sync_lock:
            height = self.height_max
            if height == self._confirmed:
                return height
            try:
                self._make_durable(self._segments[-1].file)
                self._confirm(height)
                self._remove_pruned()
            except Unavailable as error:
                self._poison = error.message
                raise
            return height

    def prune(self, height: int) -> bool:
        """Forget the oldest segments that hold no block from `height` on; the last one stays.

        The next `sync` that confirms a block notes durably where the log begins now, then removes
        their files: a crash before the note brings them back. To be called where blocks are read
        and appended. Returns whether any was forgotten: none is while a sync is under way in
        another thread.
        """
        end = self.oldest_end
        if end is None or end > height or not self._sync_lock.acquire(blocking=False):
            return False
        try:
            while end is not None and end <= height:
                self._pruned.append(self._drop_first())
                end = self.oldest_end
            self._mark = form.make_mark(self.height_min, self.read(self.height_min))
            self._indexed = NOTHING  # the index begins with `height_min`: to be written anew
        finally:
            self._sync_lock.release()
        return True

    @property
    def oldest_end(self) -> int | None:
        """The height after those of the oldest segment; None if there is no other segment."""
        return self._segments[1].first if len(self._segments) > 1 else None

    def close(self) -> None:
        """Sync what was appended and give the folder back."""
        try:
            if not self._poison and self._segments:
                self.sync()
        finally:
            self._close_files()
            self._storage.unlock()

    def _require_usable(self) -> None:
        if self._poison:
            raise Unavailable(
                f"the block log stopped writing after a failure and must be opened again: "
                f"{self._poison}"
            )

    def _make_durable(self, file: StorageFile) -> None:
        file.sync()

    def _confirm(self, height: int) -> None:
        """Note a height that is durable now, in the index and in the confirmed record."""
        if self._index_file is None:
            self._index_file = self._storage.open(form.INDEX_NAME, writable=True, create=True)
            self._indexed = NOTHING
        minimum = self.height_min
        if self._indexed == NOTHING:
            self._index_file.truncate(0)
            entries = self._offsets[: height - minimum + 1]
            self._index_file.pwrite(form.encode_index(minimum, entries), 0)
        else:
            fresh = self._offsets[self._indexed + 1 - minimum : height - minimum + 1]
            start = form.INDEX_HEADER_BYTES + form.INDEX_ENTRY_BYTES * (self._indexed + 1 - minimum)
            self._index_file.pwrite(form.encode_index_entries(fresh), start)
        self._indexed = height
        file = self._make_confirmed_file()
        self._slot ^= form.CONFIRMED_SLOT_BYTES
        file.pwrite(form.encode_confirmed(height), self._slot)
        self._confirmed = height

    def _remove_pruned(self) -> None:
        """Remove the files of forgotten segments, oldest first, once it is noted that they go."""
        if self._mark is not None:
            self._storage.replace(form.MARK_NAME, form.encode_mark(self._mark))
            self._mark = None
        while self._pruned:
            self._storage.remove(self._pruned[0])
            del self._pruned[0]

    def _make_confirmed_file(self) -> StorageFile:
        if self._confirmed_file is None:
            blank = form.encode_confirmed(NOTHING)
            self._storage.replace(
                form.CONFIRMED_NAME, blank.ljust(2 * form.CONFIRMED_SLOT_BYTES, b"\0")
            )
            self._confirmed_file = self._storage.open(form.CONFIRMED_NAME, writable=True)
        return self._confirmed_file

    def _mark_beginning(self, height: int, payload: bytes) -> None:
        """Note durably where a log begins that has no block yet; of genesis there is no note."""
        if height > 0:
            mark = form.make_mark(height, payload)
            self._storage.replace(form.MARK_NAME, form.encode_mark(mark))
        elif form.MARK_NAME in self._storage.list():
            self._storage.remove(form.MARK_NAME)

    def _add_segment(self, first: int) -> None:
        """Start a file for `first` and the blocks after it; the file before is durable then."""
        if self._segments:
            self.sync()
        self._make_confirmed_file()  # first, so that readers know what to wait for
        name = form.segment_name(first)
        self._storage.replace(name, form.encode_segment_header(first, os.urandom(16)))
        file = self._storage.open(name, writable=True)
        self._segments.append(form.read_segment(self._storage.place, name, file))
        self._end = form.SEGMENT_HEADER_BYTES

    def _close_files(self) -> None:
        if self._index_file is not None:
            self._index_file.close()
            self._index_file = None
        super().close()

    # --- recovery ----------------------------------------------------------------------------

    def _recover(self, trusted_height: int | None) -> None:
        told = self._read_confirmed()
        confirmed = NOTHING if told is None else told
        self._open_segments()
        mark = self._read_mark()
        self._finish_pruning(mark)
        base, indexed = self._read_index()
        found = self._load(base, indexed, trusted_height)
        known = max(confirmed, NOTHING if trusted_height is None else trusted_height)
        if found is not None and found.fault:
            self._cut_tail(found, known)
        if self.height_max < known:
            raise form.describe_loss(self._storage.place, self.height_max, known)
        if not self._offsets:
            for segment in self._segments:  # made for a block that never came
                segment.file.close()
                self._storage.remove(segment.name)
            self._segments = []
            return
        self._check_beginning(mark)
        if self.height_max > confirmed:
            self._rewrite_tail(confirmed + 1)
        self._confirmed = confirmed
        self._confirm_anew(base, indexed)

    def _finish_pruning(self, mark: Mark | None) -> None:
        """Remove the segments that were to go when a process died.

        Raises:
          Corrupt: the one behind them is missing.
        """
        if mark is None or not self._segments:
            return
        if mark.height not in [segment.first for segment in self._segments]:
            raise form.describe_late_beginning(
                self._storage.place, self._first_behind(mark.height), mark
            )
        while self._segments[0].first < mark.height:
            self._storage.remove(self._drop_first())

    def _first_behind(self, height: int) -> int:
        """The first block kept behind a height that is not."""
        firsts = (segment.first for segment in self._segments if segment.first > height)
        return next(firsts, height + 1)

    def _confirm_anew(self, base: int, indexed: array[int]) -> None:
        """Bring index and confirmed record up to what was found."""
        if base == self.height_min and indexed[: len(self._offsets)] == self._offsets:
            self._index_file = self._storage.open(form.INDEX_NAME, writable=True, create=True)
            size = form.INDEX_HEADER_BYTES + form.INDEX_ENTRY_BYTES * len(self._offsets)
            self._index_file.truncate(size)
            self._indexed = self.height_max
        self._confirm(self.height_max)

    def _cut_tail(self, found: Walk, confirmed: int) -> None:
        """Cut off what a crash tore.

        Raises:
          Corrupt: the block at the fault was confirmed.
        """
        segment = self._segments[-1]
        size = segment.file.size()
        if found.height <= confirmed or form.is_confirmed_behind(
            segment, found.offset, found.height, size
        ):
            raise form.describe_fault(segment, found)
        segment.file.truncate(found.offset)
        segment.file.sync()
        self.recovered_bytes = size - found.offset

    def _rewrite_tail(self, height: int) -> None:
        """Write the unconfirmed frames again, byte for byte in their place, and sync.

        After a failed sync the system may show bytes that never reached the disk and hold them
        for clean; only a new write of them makes the next sync mean something.
        """
        segment = self._segments[-1]
        at = max(height, segment.first) - self.height_min
        offset = self._offsets[at] if at < len(self._offsets) else self._end
        while offset < self._end:
            data = segment.file.pread(min(_REWRITE_BYTES, self._end - offset), offset)
            segment.file.pwrite(data, offset)
            offset += len(data)
        self._make_durable(segment.file)
