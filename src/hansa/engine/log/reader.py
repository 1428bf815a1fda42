"""Reads the block log, also beside the process that writes it.

Source: docs/reference/log.md.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import Self

from hansa.engine.log import format as form
from hansa.engine.log.format import NOTHING, Mark, Segment, Walk
from hansa.engine.storage import Storage, StorageFile
from hansa.kernel.errors import NotFound


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
          Corrupt: a segment is damaged or missing, or the log begins later than it is meant to.
        """
        reader = cls(storage)
        reader._open_segments()
        base, indexed = reader._read_index()
        reader._load(base, indexed, base + len(indexed) - 1)
        reader.refresh()
        reader._check_beginning(reader._read_mark())  # read last: what it names was there then
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
        told = self._read_confirmed()  # before the walk, which then must get that far
        confirmed = NOTHING if told is None else told
        names = self._list_segments()
        while self._segments and self._segments[0].name not in names:
            self._drop_first()  # the writer has pruned it
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
            raise form.describe_loss(self._storage.place, self.height_max, confirmed)
        if told is not None:
            self._forget_above(told)
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
            raise self._describe_absence(height)
        segment = self._segment_of(height)
        payload = self._payload(segment, height)
        if payload is None and self._walk_again(segment):  # the index was wrong
            payload = self._payload(segment, height)
        if payload is None:
            offset = self._offsets[height - self.height_min]
            raise form.describe_fault(segment, Walk(offset, height, fault="frame is damaged"))
        return payload

    def require_kept(self, height: int) -> None:
        """Refuse a height below those that are kept; raises `NotFound`, which says what to do."""
        if height < self.height_min:
            raise self._describe_absence(height)

    def _describe_absence(self, height: int) -> NotFound:
        lowest, highest = self.height_min, self.height_max
        if 0 <= height < lowest:
            return NotFound(
                f"block {height} is not kept here: it was pruned, or the node joined later; the "
                f"oldest kept is {lowest}; ask a node that keeps all",
                height=height,
                height_min=lowest,
            )
        return NotFound(
            f"there is no block {height}: this log holds {lowest} to {highest}", height=height
        )

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
        for name in self._list_segments():
            if name in known:
                continue
            try:
                file = self._storage.open(name, writable=self._writable)
            except NotFound:  # the writer has pruned it meanwhile; a gap is found by its heights
                continue
            self._segments.append(form.read_segment(self._storage.place, name, file))

    def _list_segments(self) -> list[str]:
        return list(filter(form.is_segment_name, self._storage.list()))

    def _drop_first(self) -> str:
        """Forget the first segment and its blocks; returns its name."""
        first = self._segments[0]
        is_last = len(self._segments) == 1
        count = len(self._offsets) if is_last else self._segments[1].first - first.first
        del self._offsets[:count]
        del self._segments[0]
        first.file.close()
        return first.name

    def _read_mark(self) -> Mark | None:
        """Read from which block on this log is kept; None for genesis."""
        try:
            file = self._storage.open(form.MARK_NAME, writable=False)
        except NotFound:
            return None
        try:
            return form.decode_mark(self._storage.place, file.pread(file.size(), 0))
        finally:
            file.close()

    def _check_beginning(self, mark: Mark | None) -> None:
        """Check that the log begins no later than it was pruned, or was begun.

        Raises:
          Corrupt: it does, or with another block; names the first height that is missing.
        """
        first = self.height_min
        if first > (0 if mark is None else mark.height):
            raise form.describe_late_beginning(self._storage.place, first, mark)
        if mark is not None and self._offsets and first == mark.height:
            found = form.make_mark(first, self.read(first))
            if found != mark:
                raise form.describe_other_beginning(self._storage.place, first)

    def _read_confirmed(self) -> int | None:
        """Read the highest confirmed height; None where its record is missing or damaged."""
        if self._confirmed_file is None:
            try:
                self._confirmed_file = self._storage.open(
                    form.CONFIRMED_NAME, writable=self._writable
                )
            except NotFound:
                return None
        return form.decode_confirmed(self._confirmed_file.pread(2 * form.CONFIRMED_SLOT_BYTES, 0))

    def _read_index(self) -> tuple[int, array[int]]:
        """First height, at most `height_min`, and offsets of the side file."""
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
        return base, offsets

    def _load(self, base: int, indexed: array[int], start: int | None) -> Walk | None:
        """Fill in the offsets: from the index below `start`, from the frames from there on.

        Returns where the walk through the last segment ended; `None` if there is no segment.
        """
        if not self._segments:
            return None
        last = len(self._segments) - 1
        first, offset, height = last, form.SEGMENT_HEADER_BYTES, self._segments[last].first
        if start is not None and self.height_min <= start < base + len(indexed):
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
