"""Where a node keeps its snapshots: flat files of one folder, a snapshot's manifest last.

    <height, 20 digits>.manifest          there only if all chunks are
    <height, 20 digits>-<number, 6>.chunk
    joining                               a node is being built of chunks that come in

Source: docs/reference/snapshots.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hansa.engine.snapshots.format import (
    CHUNK_BYTES,
    MANIFEST_BYTES_MAX,
    Manifest,
    compute_sum,
    decode_manifest,
    refuse,
)
from hansa.engine.storage import TEMPORARY_SUFFIX, Storage
from hansa.kernel.errors import Corrupt, HansaError, NotFound

_JOINING_NAME = "joining"
MANIFEST_SUFFIX = ".manifest"
_CHUNK_SUFFIX = ".chunk"
_DIGITS = 20
ROOM_FACTOR = 3
"""How many times its chunks a snapshot takes on disk: they are kept, beside log and store."""


def name_manifest(height: int) -> str:
    """Name the file of a manifest so that names sort as heights do."""
    return f"{height:0{_DIGITS}d}{MANIFEST_SUFFIX}"


def name_chunk(height: int, number: int) -> str:
    """Name the file of a chunk, numbered from 0."""
    return f"{height:0{_DIGITS}d}-{number:06d}{_CHUNK_SUFFIX}"


class Shelf:
    """Snapshots of one node; one process writes, others may read."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def list(self) -> list[Manifest]:
        """List the snapshots that are whole, oldest first.

        Raises:
          Corrupt: a manifest is damaged.
        """
        names = [name for name in self._storage.list() if name.endswith(MANIFEST_SUFFIX)]
        return [self._read_manifest(name) for name in names]

    def find(self, height: int) -> Manifest:
        """Find the snapshot whose last block has this height; raises `NotFound`."""
        return self._read_manifest(name_manifest(height))

    def load_chunk(self, height: int, number: int) -> bytes:
        """Load a chunk of the snapshot of this height.

        Raises:
          NotFound: there is none.
        """
        return self._read(name_chunk(height, number), CHUNK_BYTES)

    def iterate_chunks(self, manifest: Manifest) -> Iterator[bytes]:
        """Iterate a snapshot's chunks, each compared with its sum.

        Raises:
          Corrupt: one is damaged or missing.
        """
        height = manifest.height
        for number, expected in enumerate(manifest.chunks):
            try:
                chunk = self.load_chunk(height, number)
            except NotFound:
                chunk = b""
            if compute_sum(chunk) != expected:
                raise describe_damage(self._storage.place, manifest, number)
            yield chunk

    def measure(self, manifest: Manifest) -> int:
        """Measure the chunks of a snapshot, in bytes.

        Raises:
          Corrupt: one is missing.
        """
        size = 0
        for number in range(len(manifest.chunks)):
            try:
                file = self._storage.open(name_chunk(manifest.height, number), writable=False)
            except NotFound:
                raise describe_damage(self._storage.place, manifest, number) from None
            try:
                size += file.size()
            finally:
                file.close()
        return size

    def put_chunk(self, height: int, number: int, chunk: bytes) -> None:
        """Write a chunk durably."""
        file = self._storage.open(name_chunk(height, number), writable=True, create=True)
        try:
            file.truncate(0)
            file.append(chunk)
            file.sync()
        finally:
            file.close()

    def put_manifest(self, manifest: Manifest) -> None:
        """Say that all chunks are there: the snapshot counts when this returns."""
        self._storage.sync()
        self._storage.replace(name_manifest(manifest.height), manifest.encoded())

    def drop(self, height: int) -> None:
        """Remove a snapshot, its manifest first."""
        self._storage.remove(name_manifest(height))
        prefix = name_chunk(height, 0)[: _DIGITS + 1]
        self._remove(name for name in self._storage.list() if name.startswith(prefix))

    def drop_all(self) -> None:
        """Remove every snapshot, and what was left half made."""
        for name in self._storage.list():
            if name.endswith(MANIFEST_SUFFIX):
                self._storage.remove(name)
        self.clear()

    def clear(self) -> None:
        """Remove what was left half made: chunks without a manifest, temporary files."""
        names = self._storage.list()
        whole = {name[:_DIGITS] for name in names if name.endswith(MANIFEST_SUFFIX)}
        self._remove(
            name
            for name in names
            if name.endswith(TEMPORARY_SUFFIX)
            or (name.endswith(_CHUNK_SUFFIX) and name[:_DIGITS] not in whole)
        )

    # --- a node that joins -------------------------------------------------------------------

    @property
    def is_joining(self) -> bool:
        """Whether log and store are being built from a snapshot, or were when a process died."""
        return _JOINING_NAME in self._storage.list()

    def require_room(self, manifest: Manifest) -> None:
        """Refuse a snapshot that this disk has no room for; raises `Invalid`."""
        needed = ROOM_FACTOR * CHUNK_BYTES * len(manifest.chunks)
        free = self._storage.free_bytes()
        if needed > free:
            raise refuse(f"restoring it may take {needed:,} bytes of disk, and {free:,} are free")

    def begin_joining(self, manifest: Manifest) -> None:
        """Note durably that log and store are not whole from now on."""
        self._storage.replace(_JOINING_NAME, manifest.encoded())

    def end_joining(self) -> None:
        """Note durably that they are, or that they are empty again."""
        self._storage.remove(_JOINING_NAME)

    def _remove(self, names: Iterable[str]) -> None:
        for name in list(names):
            self._storage.remove(name)

    def _read_manifest(self, name: str) -> Manifest:
        try:
            manifest = decode_manifest(self._read(name, MANIFEST_BYTES_MAX))
            if name_manifest(manifest.height) == name:
                return manifest
            what = f"it is that of block {manifest.height}"
        except NotFound:
            raise
        except HansaError as error:
            what = error.message
        raise Corrupt(
            f"the snapshot manifest {name} in {self._storage.place} is damaged: {what}; use "
            "another snapshot, or another copy of this one",
            name=name,
        )

    def _read(self, name: str, bytes_max: int) -> bytes:
        file = self._storage.open(name, writable=False)
        try:
            return file.pread(min(file.size(), bytes_max + 1), 0)
        finally:
            file.close()


def describe_damage(place: str, manifest: Manifest, number: int) -> Corrupt:
    """Build the error for a chunk that is not what its manifest names."""
    height = manifest.height
    return Corrupt(
        f"chunk {number} of the snapshot of block {height} in {place} is damaged or missing: "
        "use another snapshot, or another copy of this one",
        height=height,
        chunk=number,
    )
