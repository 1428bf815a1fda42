"""The block log: the durable truth. Append-only, framed, checksummed, one fdatasync a block.

A block is *confirmed* when the sync after it returned. A crash may tear what was not confirmed;
opening the log cuts such a tail off and says so. Anything else that is wrong is `Corrupt`.

Source: docs/reference/log.md; https://wiki.postgresql.org/wiki/Fsync_Errors for why a failed
sync ends the life of a writer.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Lock
from typing import Self

from hansa.engine import log_format as form
from hansa.engine.log_format import NOTHING, Segment, Walk
from hansa.engine.storage import TEMPORARY_SUFFIX, Storage, StorageFile
from hansa.kernel.errors import Corrupt, Invalid, InvalidCode, NotFound, Unavailable

SEGMENT_BYTES = 1 << 30
_REWRITE_BYTES = 4 << 20


class BlockReader:
    """Reads the log beside the process that writes it: takes no lock, writes nothing.

    Shows confirmed blocks only, so that what it shows survives a crash. `refresh` looks for
    newer ones; so does `read` when asked for a height it does not know yet.
    """

    _is_intact: form.Intact = staticmethod(form.is_intact)
    _writable = False

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._segments: list[Segment] = []
        self._offsets: array[int] = array("Q")  # of the frame of height_min + i in its segment
        self._end = form.SEGMENT_HEADER_BYTES  # where the last good frame of the log ends
        self._confirmed = NOTHING
        self._confirmed_file: StorageFile | None = None

    @classmethod
    def open(cls, storage: Storage) -> Self:
        """Open for reading only.

        Raises:
          Corrupt: a segment is damaged or missing.
        """
        reader = cls(storage)
        reader._open_segments()
        base, indexed = reader._read_index()
        reader._load(base, indexed, base + len(indexed) - 1)
        reader.refresh()
        return reader

    @property
    def height_min(self) -> int:
        """The lowest height kept; 0 if the log is empty."""
        return self._segments[0].first if self._segments else 0

    @property
    def height_max(self) -> int:
        """The highest height that can be read; -1 if there is none."""
        return self.height_min + len(self._offsets) - 1 if self._offsets else NOTHING

    def refresh(self) -> int:
        """Look for blocks confirmed since; returns `height_max`.

        Raises:
          Corrupt: a confirmed block is damaged or missing.
        """
        confirmed = self._read_confirmed()  # before the walk, which then must get that far
        known = len(self._segments)
        self._open_segments()
        for at in range(max(0, known - 1), len(self._segments)):
            segment = self._segments[at]
            if at >= known:
                self._end = form.SEGMENT_HEADER_BYTES
            found = self._extend(
                segment, self._end, self.height_max + 1 if self._offsets else segment.first
            )
            if found.height <= confirmed and segment is self._segments[-1]:
                raise form.describe_fault(segment, found)
        if confirmed > NOTHING and not self._segments:
            raise form.describe_loss(self.height_max, confirmed)
        if self._confirmed_file is not None:
            self._forget_above(confirmed)
        return self.height_max

    def _forget_above(self, confirmed: int) -> None:
        """Drop what a crash could still undo; the next refresh finds it again."""
        while self._segments and self._segments[-1].first > confirmed + 1:
            self._segments.pop().file.close()
            self._end = self._segments[-1].file.size() if self._segments else self._end
        keep = max(0, confirmed + 1 - self.height_min)
        if keep < len(self._offsets):
            self._end = self._offsets[keep] if self._segments else self._end
            del self._offsets[keep:]

    def read(self, height: int) -> bytes:
        """The payload appended at `height`.

        Raises:
          NotFound: below `height_min` or above `height_max`.
          Corrupt: the frame is damaged; names the height.
        """
        if not self._writable and height > self.height_max:
            self.refresh()
        if not self.height_min <= height <= self.height_max:
            raise NotFound(
                f"there is no block {height}: this log holds {self.height_min} to "
                f"{self.height_max}",
                height=height,
            )
        segment = self._segment_of(height)
        payload = self._payload(segment, height)
        if payload is None and self._walk_again(segment):  # the index was wrong
            payload = self._payload(segment, height)
        if payload is None:
            offset = self._offsets[height - self.height_min]
            raise form.describe_fault(segment, Walk(offset, height, fault="frame is damaged"))
        return payload

    def iterate(self, from_height: int) -> Iterator[tuple[int, bytes]]:
        """Heights and payloads in order, up to the `height_max` of each step."""
        height = max(from_height, self.height_min)
        while height <= self.height_max:
            yield height, self.read(height)
            height += 1

    def close(self) -> None:
        """Close the files."""
        for segment in self._segments:
            segment.file.close()
        if self._confirmed_file is not None:
            self._confirmed_file.close()
        self._segments, self._confirmed_file = [], None
        self._offsets = array("Q")

    def _segment_of(self, height: int) -> Segment:
        return self._segments[bisect_right(self._segments, height, key=lambda s: s.first) - 1]

    def _payload(self, segment: Segment, height: int) -> bytes | None:
        """The payload, or `None` if there is no good frame of that height where it should be."""
        at = height - self.height_min
        offset = self._offsets[at]
        if segment is self._segments[-1]:
            stop = self._offsets[at + 1] if at + 1 < len(self._offsets) else self._end
        elif self._segment_of(height + 1) is segment:
            stop = self._offsets[at + 1]
        else:
            stop = segment.file.size()
        span = stop - offset
        if not 0 < span <= form.FRAME_HEADER_BYTES + form.PAYLOAD_BYTES_MAX:
            return None
        raw = segment.file.pread(span, offset)
        frame = form.decode_frame_header(segment, raw)
        if frame is None or frame.height != height or len(raw) != span:
            return None
        payload = raw[form.FRAME_HEADER_BYTES :]
        if frame.length != len(payload):
            return None
        return payload if self._is_intact(payload, frame.payload_checksum) else None

    def _walk_again(self, segment: Segment) -> bool:
        """Take the offsets of a segment from its frames; false if they do not lead through."""
        at = segment.first - self.height_min
        is_last = segment is self._segments[-1]
        end = self._end if is_last else segment.file.size()
        following = self.height_max + 1 if is_last else self._first_after(segment)
        found = form.walk(segment, form.SEGMENT_HEADER_BYTES, segment.first, end, None)
        if found.fault or found.height != following:
            return False
        self._offsets[at : at + len(found.offsets)] = found.offsets
        return True

    def _first_after(self, segment: Segment) -> int:
        return self._segments[self._segments.index(segment) + 1].first

    # --- opening -----------------------------------------------------------------------------

    def _open_segments(self) -> None:
        known = {segment.name for segment in self._segments}
        for name in filter(form.is_segment_name, self._storage.list()):
            if name not in known:
                file = self._storage.open(name, writable=self._writable)
                self._segments.append(form.read_segment(name, file))

    def _read_confirmed(self) -> int:
        if self._confirmed_file is None:
            try:
                self._confirmed_file = self._storage.open(
                    form.CONFIRMED_NAME, writable=self._writable
                )
            except NotFound:
                return NOTHING
        return form.decode_confirmed(self._confirmed_file.pread(2 * form.CONFIRMED_SLOT_BYTES, 0))

    def _read_index(self) -> tuple[int, array[int]]:
        """First height and offsets of the side file, cut to start at `height_min`."""
        try:
            file = self._storage.open(form.INDEX_NAME, writable=False)
        except NotFound:
            return self.height_min, array("Q")
        try:
            base, offsets = form.decode_index(file.pread(file.size(), 0))
        finally:
            file.close()
        if base > self.height_min:
            return self.height_min, array("Q")
        return self.height_min, offsets[self.height_min - base :]

    def _load(self, base: int, indexed: array[int], start: int | None) -> Walk | None:
        """Fill in the offsets: from the index below `start`, from the frames from there on.

        Returns where the walk through the last segment ended; `None` if there is no segment.
        """
        if not self._segments:
            return None
        last = len(self._segments) - 1
        first, offset, height = last, form.SEGMENT_HEADER_BYTES, self._segments[last].first
        if start is not None and base <= start < base + len(indexed):
            at = bisect_right(self._segments, start, key=lambda s: s.first) - 1
            segment = self._segments[at]
            if form.is_plausible(segment, indexed[segment.first - base : start - base + 1]):
                first, offset, height = at, indexed[start - base], start
        for at in range(first):
            self._offsets.extend(self._sealed(at, indexed, base))
        self._offsets.extend(indexed[self._segments[first].first - base : height - base])
        found = self._extend(self._segments[first], offset, height)
        for segment in self._segments[first + 1 :]:
            if found.fault or found.height != segment.first:
                raise form.describe_fault(self._segments[self._segments.index(segment) - 1], found)
            found = self._extend(segment, form.SEGMENT_HEADER_BYTES, segment.first)
        return found

    def _extend(self, segment: Segment, offset: int, height: int) -> Walk:
        """Walk to the end of a segment and remember what was found."""
        intact = self._is_intact if self._writable else None
        found = form.walk(segment, offset, height, segment.file.size(), intact)
        self._offsets.extend(found.offsets)
        self._end = found.offset
        return found

    def _sealed(self, at: int, indexed: array[int], base: int) -> array[int]:
        """Offsets of a segment that another one follows."""
        segment, following = self._segments[at], self._segments[at + 1].first
        size = segment.file.size()
        offsets = indexed[segment.first - base : following - base]
        if len(offsets) == following - segment.first and form.is_plausible(segment, offsets):
            raw = segment.file.pread(form.FRAME_HEADER_BYTES, offsets[-1])
            frame = form.decode_frame_header(segment, raw)
            if frame and offsets[-1] + form.FRAME_HEADER_BYTES + frame.length == size:
                return offsets
        found = form.walk(segment, form.SEGMENT_HEADER_BYTES, segment.first, size, None)
        if found.fault or found.height != following:
            raise form.describe_fault(segment, found)
        return found.offsets


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
            except Unavailable as error:
                self._poison = error.message
                raise
            return height

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
            self._index_file.truncate(0)
            self._indexed = NOTHING
        minimum = self.height_min
        if self._indexed == NOTHING:
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

    def _make_confirmed_file(self) -> StorageFile:
        if self._confirmed_file is None:
            blank = form.encode_confirmed(NOTHING)
            self._storage.replace(
                form.CONFIRMED_NAME, blank.ljust(2 * form.CONFIRMED_SLOT_BYTES, b"\0")
            )
            self._confirmed_file = self._storage.open(form.CONFIRMED_NAME, writable=True)
        return self._confirmed_file

    def _add_segment(self, first: int) -> None:
        """Start a file for `first` and the blocks after it; the file before is durable then."""
        if self._segments:
            self.sync()
        self._make_confirmed_file()  # first, so that readers know what to wait for
        name = form.segment_name(first)
        self._storage.replace(name, form.encode_segment_header(first, os.urandom(16)))
        file = self._storage.open(name, writable=True)
        self._segments.append(form.read_segment(name, file))
        self._end = form.SEGMENT_HEADER_BYTES

    def _close_files(self) -> None:
        if self._index_file is not None:
            self._index_file.close()
            self._index_file = None
        super().close()

    # --- recovery ----------------------------------------------------------------------------

    def _recover(self, trusted_height: int | None) -> None:
        confirmed = self._read_confirmed()
        self._open_segments()
        base, indexed = self._read_index()
        found = self._load(base, indexed, trusted_height)
        known = max(confirmed, NOTHING if trusted_height is None else trusted_height)
        if found is not None and found.fault:
            self._cut_tail(found, known)
        if self.height_max < known:
            raise form.describe_loss(self.height_max, known)
        if not self._offsets:
            for segment in self._segments:  # made for a block that never came
                segment.file.close()
                self._storage.remove(segment.name)
            self._segments = []
            return
        if self.height_max > confirmed:
            self._rewrite_tail(confirmed + 1)
        self._confirmed = confirmed
        self._confirm_anew(base, indexed)

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
