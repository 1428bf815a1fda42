"""The bytes of the block log: segments, frames, the confirmed record, the index and the mark.

All integers are little-endian. A checksum is CRC-32 as in zlib. Frame headers are salted with
sixteen random bytes of their segment, so that nobody can put bytes into a payment that look like
a frame.

Source: docs/reference/log.md, the same to the byte.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

from hansa.engine.storage import StorageFile
from hansa.kernel.errors import Corrupt, Fact

FORMAT_VERSION = 1
PAYLOAD_BYTES_MAX = 256 << 20

_SEGMENT = struct.Struct("<8sIQ16sI")
SEGMENT_MAGIC = b"HANSALOG"
SEGMENT_HEADER_BYTES = _SEGMENT.size  # 40

_FRAME = struct.Struct("<4sIQqII")
FRAME_MAGIC = b"HBLK"
FRAME_HEADER_BYTES = _FRAME.size  # 32
_FRAME_CHECKED_BYTES = FRAME_HEADER_BYTES - 4

CONFIRMED_NAME = "confirmed"
_CONFIRMED = struct.Struct("<4sqI")
_CONFIRMED_MAGIC = b"HCNF"
CONFIRMED_SLOT_BYTES = 512  # one sector each: a torn write spoils one slot, never both

INDEX_NAME = "blocks.idx"
_INDEX = struct.Struct("<8sQ")
_INDEX_MAGIC = b"HANSAIDX"
INDEX_HEADER_BYTES = _INDEX.size  # 16
INDEX_ENTRY_BYTES = 8

MARK_NAME = "pruned"
_MARK = struct.Struct("<8sIQ32sI")
_MARK_MAGIC = b"HANSACUT"

NOTHING = -1  # the height before the first block
_CHUNK_BYTES = 1 << 16
_NAME_DIGITS = 20

Intact = Callable[[bytes, int], bool]


def is_intact(payload: bytes, checksum: int) -> bool:
    """Tell whether a payload is the one its frame was written for."""
    return crc32(payload) == checksum


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of the log: frames of consecutive heights from `first` on.

    `place` is its folder, for people; `seed` is the checksum of the salt, from which frame header
    checksums start.
    """

    place: str
    name: str
    first: int
    seed: int
    file: StorageFile


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame header: `confirmed` is the highest height that was durable when it was written."""

    length: int
    height: int
    confirmed: int
    payload_checksum: int


@dataclass(slots=True)
class Walk:
    """What a walk found: offsets of good frames, where it stopped, and why if not at the end."""

    offset: int
    height: int
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    fault: str = ""


def segment_name(first: int) -> str:
    """Name a segment so that names sort as heights do."""
    return f"blocks-{first:0{_NAME_DIGITS}d}.log"


def is_segment_name(name: str) -> bool:
    """Tell whether a file of the folder is a segment."""
    digits = name.removeprefix("blocks-").removesuffix(".log")
    is_height = len(digits) == _NAME_DIGITS and digits.isascii() and digits.isdigit()
    return is_height and name == segment_name(int(digits))


def encode_segment_header(first: int, salt: bytes) -> bytes:
    """The first 40 bytes of a segment."""
    raw = _SEGMENT.pack(SEGMENT_MAGIC, FORMAT_VERSION, first, salt, 0)[:-4]
    return raw + crc32(raw).to_bytes(4, "little")


def read_segment(place: str, name: str, file: StorageFile) -> Segment:
    """Read and check the header of a segment.

    Raises:
      Corrupt: it is not whole, or of an unknown version; names the height that it begins with.
    """
    raw = file.pread(SEGMENT_HEADER_BYTES, 0)
    if len(raw) == SEGMENT_HEADER_BYTES:
        magic, version, first, salt, checksum = _SEGMENT.unpack(raw)
        if (
            magic == SEGMENT_MAGIC
            and checksum == crc32(raw[:-4])
            and name == segment_name(first)
            and version == FORMAT_VERSION
        ):
            return Segment(place, name, first, crc32(salt), file)
    height = int(name.removeprefix("blocks-").removesuffix(".log"))
    raise _build_damage(
        place,
        f"the header of log segment {name}, which holds block {height}, is damaged",
        height=height,
        segment=name,
        offset=0,
    )


def encode_frame_header(segment: Segment, height: int, confirmed: int, payload: bytes) -> bytes:
    """The 32 bytes before a payload."""
    raw = _FRAME.pack(FRAME_MAGIC, len(payload), height, confirmed, crc32(payload), 0)[:-4]
    return raw + crc32(raw, segment.seed).to_bytes(4, "little")


def decode_frame_header(segment: Segment, raw: bytes) -> Frame | None:
    """Decode a header; `None` if it is short, damaged, or of another segment."""
    if len(raw) < FRAME_HEADER_BYTES:
        return None
    magic, length, height, confirmed, payload_checksum, checksum = _FRAME.unpack_from(raw)
    if magic != FRAME_MAGIC or checksum != crc32(raw[:_FRAME_CHECKED_BYTES], segment.seed):
        return None
    return Frame(length, height, confirmed, payload_checksum)


def walk(segment: Segment, offset: int, height: int, end: int, intact: Intact | None) -> Walk:
    """Step from frame to frame; `offset` must be where the frame of `height` starts.

    Args:
      segment: the file to walk through.
      offset: of the first frame.
      height: of the first frame.
      end: the size of the file.
      intact: checks payloads; `None` looks at headers only (about a microsecond a block).
    """
    found = Walk(offset, height)
    file, seed, unpack = segment.file, segment.seed, _FRAME.unpack_from
    chunk, base = b"", offset
    while offset < end:
        at = offset - base
        if at + FRAME_HEADER_BYTES > len(chunk):
            chunk, base, at = file.pread(_CHUNK_BYTES, offset), offset, 0
            if len(chunk) < FRAME_HEADER_BYTES:
                found.fault = "incomplete frame header"
                break
        magic, length, frame_height, _, payload_checksum, checksum = unpack(chunk, at)
        if magic != FRAME_MAGIC or checksum != crc32(chunk[at : at + _FRAME_CHECKED_BYTES], seed):
            found.fault = "damaged frame header"
            break
        if frame_height != height:
            found.fault = f"frame of height {frame_height} in its place"
            break
        start = at + FRAME_HEADER_BYTES
        stop = offset + FRAME_HEADER_BYTES + length
        if stop > end:
            found.fault = "incomplete frame"
            break
        if intact is not None:
            if start + length <= len(chunk):
                payload = chunk[start : start + length]
            else:
                payload = file.pread(length, offset + FRAME_HEADER_BYTES)
            if not intact(payload, payload_checksum):
                found.fault = "payload does not match its checksum"
                break
        found.offsets.append(offset)
        offset, height = stop, height + 1
    found.offset, found.height = offset, height
    return found


def is_plausible(segment: Segment, offsets: array[int]) -> bool:
    """Tell whether index entries can be those of the first frames of a segment."""
    if not offsets or offsets[0] != SEGMENT_HEADER_BYTES or 0 in offsets:
        return False
    if offsets[-1] > segment.file.size():
        return False
    raw = segment.file.pread(FRAME_HEADER_BYTES, offsets[-1])
    frame = decode_frame_header(segment, raw)
    return frame is not None and frame.height == segment.first + len(offsets) - 1


def describe_fault(segment: Segment, found: Walk) -> Corrupt:
    """The error for a fault in a block that must be there."""
    return _build_damage(
        segment.place,
        f"block {found.height} in {segment.name} at offset {found.offset}: "
        f"{found.fault or 'the segment ends too early'}",
        height=found.height,
        segment=segment.name,
        offset=found.offset,
    )


def describe_loss(place: str, height_max: int, confirmed: int) -> Corrupt:
    """The error for a log that ends below a block that was confirmed."""
    return _build_damage(
        place,
        f"the block log ends at height {height_max}, but {confirmed} was confirmed: "
        "blocks are missing",
        height=height_max + 1,
    )


def is_confirmed_behind(segment: Segment, offset: int, height: int, end: int) -> bool:
    """Tell whether a later frame was written when `height` was already durable.

    Looks for whole frame headers anywhere after `offset`. Frames appended together before one
    sync may reach the disk in any order, so a later frame alone proves nothing.
    """
    keep = FRAME_HEADER_BYTES - 1
    position, tail = offset, b""
    while position < end:
        data = tail + segment.file.pread(1 << 20, position)
        start = position - len(tail)
        position = start + len(data)
        if len(data) <= len(tail):
            return False
        at = data.find(FRAME_MAGIC)
        while at >= 0:
            frame = decode_frame_header(segment, data[at : at + FRAME_HEADER_BYTES])
            if frame is not None and frame.height > height and frame.confirmed >= height:
                return True
            at = data.find(FRAME_MAGIC, at + 1)
        tail = data[-keep:]
    return False


def encode_confirmed(height: int) -> bytes:
    """The record of the highest durable height; belongs into one of the two slots."""
    raw = _CONFIRMED.pack(_CONFIRMED_MAGIC, height, 0)[:-4]
    return raw + crc32(raw).to_bytes(4, "little")


def decode_confirmed(raw: bytes) -> int | None:
    """The higher of the two slots; None if neither is whole: then the record tells nothing."""
    best: int | None = None
    for start in (0, CONFIRMED_SLOT_BYTES):
        slot = raw[start : start + _CONFIRMED.size]
        if len(slot) == _CONFIRMED.size:
            magic, height, checksum = _CONFIRMED.unpack(slot)
            if magic == _CONFIRMED_MAGIC and checksum == crc32(slot[:-4]):
                best = height if best is None else max(best, height)
    return best


def encode_index(first: int, offsets: array[int]) -> bytes:
    """The whole index file: its header, then one offset per height from `first` on."""
    return _INDEX.pack(_INDEX_MAGIC, first) + encode_index_entries(offsets)


def encode_index_entries(offsets: array[int]) -> bytes:
    """Eight bytes per height."""
    if sys.byteorder == "big":
        offsets = array("Q", offsets)
        offsets.byteswap()
    return offsets.tobytes()


def decode_index(raw: bytes) -> tuple[int, array[int]]:
    """First height and offsets; empty if the header is damaged. Entries are not to be trusted."""
    offsets = array("Q")
    if len(raw) < INDEX_HEADER_BYTES:
        return 0, offsets
    magic, first = _INDEX.unpack_from(raw)
    if magic != _INDEX_MAGIC:
        return 0, offsets
    whole = (len(raw) - INDEX_HEADER_BYTES) // INDEX_ENTRY_BYTES * INDEX_ENTRY_BYTES
    offsets.frombytes(raw[INDEX_HEADER_BYTES : INDEX_HEADER_BYTES + whole])
    if sys.byteorder == "big":
        offsets.byteswap()
    return first, offsets


class Mark(NamedTuple):
    """Says that a log begins later than genesis because it is meant to."""

    height: int
    """Of its first block."""
    payload_hash: bytes
    """SHA-256 of what was appended at that height."""


def make_mark(height: int, payload: bytes) -> Mark:
    """Make the mark of a log that begins with a block."""
    return Mark(height, hashlib.sha256(payload).digest())


def encode_mark(mark: Mark) -> bytes:
    """The whole file `pruned`."""
    raw = _MARK.pack(_MARK_MAGIC, FORMAT_VERSION, *mark, 0)[:-4]
    return raw + crc32(raw).to_bytes(4, "little")


def decode_mark(place: str, raw: bytes) -> Mark:
    """Decode the file `pruned`.

    Raises:
      Corrupt: it is damaged, or of an unknown version.
    """
    if len(raw) == _MARK.size:
        magic, version, height, payload_hash, checksum = _MARK.unpack(raw)
        if (magic, version, checksum) == (_MARK_MAGIC, FORMAT_VERSION, crc32(raw[:-4])):
            return Mark(height, payload_hash)
    raise _build_damage(
        place,
        f"the file {MARK_NAME} of the block log, which says from which block on blocks are kept, "
        "is damaged",
        height=0,
    )


def describe_late_beginning(place: str, first: int, mark: Mark | None) -> Corrupt:
    """The error for a log that begins later than it is meant to."""
    if mark is None:
        missing = 0
        said = f"there is no file {MARK_NAME} that would say that it was pruned"
    else:
        missing = mark.height
        said = f"by its file {MARK_NAME} it was pruned only up to block {missing}"
    return _build_damage(
        place,
        f"blocks {missing} to {first - 1} are missing: the log begins with block {first}, and "
        f"{said}",
        height=missing,
    )


def describe_other_beginning(place: str, height: int) -> Corrupt:
    """The error for a log whose first block is not the one that it was pruned to."""
    return _build_damage(
        place,
        f"block {height}, with which the log begins, is not the one that the file {MARK_NAME} "
        "beside it was written for",
        height=height,
    )


def _build_damage(place: str, what: str, **facts: Fact) -> Corrupt:
    """Build the error for a log that is not whole: no node may go on with it."""
    return Corrupt(
        f"{what}. The log is in {place}: stop the node, keep that folder, and restore a backup "
        "(docs/how-to/back-up-and-restore.md); where validators vote, the node may also be set up "
        "anew from the others (docs/how-to/run-a-network.md, When it does not go on)",
        **facts,
    )
