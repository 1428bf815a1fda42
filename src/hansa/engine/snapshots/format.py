"""The bytes of a snapshot: its manifest, and the frames of which its chunks are cut.

    frames: blocks, oldest first, then rows by key  ->  one stream  ->  chunks of 2 MiB

Any two nodes make the same bytes of the same checkpoint.

Source: docs/reference/snapshots.md, the same to the byte.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from hansa.kernel.block import BlockRecord, Drop, Header, decode_header
from hansa.kernel.encoding import Decoder, Document, encode
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.values import Hash, NonNegative, Positive

FORMAT_VERSION = 1
CHUNK_BYTES = 2 << 20
MANIFEST_BYTES_MAX = 3 << 20
"""CometBFT passes on 4 MB of a snapshot at most; this is enough for 190 GB of chunks."""

KEY_BYTES_MAX = 4_096
VALUE_BYTES_MAX = 256 << 20
"""As much as a block of the log may have."""

_FRAME = struct.Struct("<II")
FRAME_HEADER_BYTES = _FRAME.size

Frame = tuple[bytes, bytes]
"""A row's key and value; a block has an empty key."""


class Manifest(Document, frozen=True, array_like=True):
    """What a snapshot holds, and by what each of its chunks is known."""

    version: Positive
    consensus_height: NonNegative
    """Of the block of CometBFT that brought the last block; 0 on the embedded engine."""
    header: bytes
    """Of the last block, a checkpoint: its state root proves the rows."""
    seals: tuple[tuple[int, bytes, bytes], ...]
    """Over that header; none where validators vote."""
    first_height: NonNegative
    """Of the oldest block."""
    chunks: tuple[Hash, ...]
    """SHA-256 of each."""

    @property
    def head(self) -> Header:
        """The header of the last block."""
        return decode_header(self.header)

    @property
    def height(self) -> int:
        """Of the last block."""
        return self.head.height

    @property
    def hash(self) -> bytes:
        """SHA-256 of the manifest, which names the snapshot."""
        return compute_sum(self.encoded())

    def encoded(self) -> bytes:
        """Encode canonically."""
        return encode(self)


_decode_manifest: Decoder[Manifest] = Decoder(Manifest, "snapshot manifest")


def decode_manifest(raw: bytes) -> Manifest:
    """Decode and check a manifest that comes from anywhere.

    Raises:
      Invalid: malformed, too large, of another version, without chunks, or not of a checkpoint.
    """
    if len(raw) > MANIFEST_BYTES_MAX:
        raise Invalid(InvalidCode.TOO_LARGE, f"a snapshot's manifest has {len(raw)} bytes")
    manifest = _decode_manifest.decode(raw)
    if manifest.version != FORMAT_VERSION:
        raise Invalid(
            InvalidCode.UNSUPPORTED_VERSION,
            f"the snapshot has format {manifest.version}: this program reads {FORMAT_VERSION}",
        )
    head = manifest.head
    if head.checkpoint_height != head.height:
        raise refuse(f"its last block, {head.height}, is no checkpoint")
    if not manifest.chunks or manifest.first_height > head.height:
        raise refuse("it has no chunks or no blocks")
    return manifest


def compute_sum(data: bytes) -> bytes:
    """Compute the SHA-256 by which chunks and manifests are known, whatever the network's hash."""
    return hashlib.sha256(data).digest()


def refuse(what: str) -> Invalid:
    """Build the error for a snapshot that is not what it should be."""
    return Invalid(InvalidCode.MALFORMED, f"the snapshot is refused: {what}; take another one")


def strip_record(record: BlockRecord) -> BlockRecord:
    """Leave out of a block what no hash covers: facts, words on what was dropped, updates."""
    dropped = tuple(Drop(each.batch, each.item, each.code, "") for each in record.dropped)
    return replace(record, facts=(), dropped=dropped, validator_updates=())


def encode_frame(frame: Frame) -> bytes:
    """Length of the key and of the value, little-endian in four bytes each, then both."""
    key, value = frame
    return _FRAME.pack(len(key), len(value)) + key + value


def cut(frames: Iterable[Frame], size: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Cut the stream of frames into chunks of exactly `size` bytes, but for the last."""
    rest = bytearray()
    for frame in frames:
        rest += encode_frame(frame)
        while len(rest) > size:
            yield bytes(rest[:size])
            del rest[:size]
    yield bytes(rest)


class FrameReader:
    """Puts frames together from chunks; holds no more than one frame and one chunk."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """Take the next chunk; yields the frames that it completes.

        Raises:
          Invalid: a frame is longer than any can be.
        """
        rest = self._rest
        rest += chunk
        at = 0
        while len(rest) - at >= FRAME_HEADER_BYTES:
            key_bytes, value_bytes = _FRAME.unpack_from(rest, at)
            if key_bytes > KEY_BYTES_MAX or value_bytes > VALUE_BYTES_MAX:
                raise refuse("it has a row or a block that is too long")
            start = at + FRAME_HEADER_BYTES
            end = start + key_bytes + value_bytes
            if end > len(rest):
                break
            yield bytes(rest[start : start + key_bytes]), bytes(rest[start + key_bytes : end])
            at = end
        del rest[:at]

    def finish(self) -> None:
        """Say that there are no more chunks; raises `Invalid` if a frame is not whole."""
        if self._rest:
            raise refuse("its last frame is not whole")
