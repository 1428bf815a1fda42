"""Table files: RocksDB's settings and errors, and the sorted files that the store takes in.

Source: RocksDB wiki, "Creating and Ingesting SST files".
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import rocksdict

from hansa.kernel.errors import Corrupt, HansaError, Unavailable
from hansa.system_errors import ADVICE

BLOCK_CACHE_BYTES = 128 << 20
HEIGHT_KEY = b"\x00height"
_HEIGHT = struct.Struct(">BQ")
_HEIGHT_VERSION = 2
"""Raised with any change to what rows and nodes mean, so that no program goes on with another's: 2
since a row's place in the tree begins with its table."""
_RECORD = struct.Struct("<IHB")  # checksum, length, kind; none crosses the end of a block
_RECORD_BLOCK_BYTES = 32_768
_KINDS_REUSED = frozenset({5, 6, 7, 8, 11})

_WRITTEN_BESIDE = ("LOG", "LOCK", "rocksdict-config")
"""How the names begin of what is written where a store is only read."""

_LOOKED_THROUGH = 16
"""Keys looked through in the time that it takes to write one."""

NOTHING = -1
"""The height of an empty store."""

_SIGNS_OF_DAMAGE = ("Corruption", "No such file", "NotFound:", "Invalid argument: ")
"""An invalid argument, for those we give do not change, comes from what lies beside the tables."""

Changes = Mapping[bytes, bytes | None]


def pack_height(height: int) -> bytes:
    """Pack what stands under `HEIGHT_KEY`."""
    return _HEIGHT.pack(_HEIGHT_VERSION, height)


def unpack_height(raw: bytes) -> int | None:
    """Unpack what stands under `HEIGHT_KEY`; None if another version wrote it."""
    if len(raw) != _HEIGHT.size or raw[0] != _HEIGHT_VERSION:
        return None
    return int(_HEIGHT.unpack(raw)[1])


class TableWriter:
    """Writes changes into a new table file in the order of their keys, so many at a time.

    So a part can be written with each block. A thread that wrote everything would take turns with
    the one that executes, 5 ms each, for as long as 75,000 keys take: a third of a second. Errors
    are rocksdict's own.
    """

    def __init__(self, path: Path, changes: Changes, height: int | None = None) -> None:
        """Begin a file.

        Args:
          path: of the file, which is not there yet.
          changes: what to write, None for a deletion; not to be changed before the file's end.
          height: what `HEIGHT_KEY` is to say; it is left out where not given.
        """
        self._height = pack_height(height) if height is not None else b""
        self._changes = changes
        self._unsorted = iter(changes)
        self._groups: dict[bytes, list[bytes]] = {}
        if height is not None:
            self._groups[HEIGHT_KEY[:2]] = [HEIGHT_KEY]
        self._sorted = _iterate_sorted(self._groups)
        self._writer = rocksdict.SstFileWriter(build_options(compressed=False))
        self._writer.open(str(path))

    def write(self, keys: int | None = None) -> bool:
        """Write up to so many keys more, or all that are left; True if there are no others.

        Before the first is written, all are looked through, some for each that is asked for.
        """
        looked = None if keys is None else keys * _LOOKED_THROUGH
        return self._group(looked) and self._write(keys)

    def finish(self) -> None:
        """Complete the file, on the disk."""
        self._writer.finish()

    def _group(self, count: int | None) -> bool:
        """Put the next keys with those that start alike; True if there are no others."""
        groups = self._groups
        keys = list(islice(self._unsorted, count))
        for key in keys:
            start = key[:2]
            group = groups.get(start)
            if group is None:
                groups[start] = [key]
            else:
                group.append(key)
            if key < b"\x01":
                raise Corrupt("a key of the key space zero was to be written", key=key)
        return len(keys) != count

    def _write(self, count: int | None) -> bool:
        writer, changes = self._writer, self._changes
        keys = list(islice(self._sorted, count))
        for key in keys:
            value = self._height if key is HEIGHT_KEY else changes[key]
            if value is None:
                del writer[key]
            else:
                writer[key] = value
        return len(keys) != count


def _iterate_sorted(groups: dict[bytes, list[bytes]]) -> Iterator[bytes]:
    """Iterate all keys in order, sorted a group at a time: all at once would take long."""
    for start in sorted(groups):
        groups[start].sort()
        yield from groups[start]


def has_reused_record(manifest: bytes) -> bool:
    """Tell whether RocksDB's list of its files has a record of a kind that only reused logs have.

    It never has; one flipped bit makes it seem so, and then opening would read that record for
    ever. All other damage is RocksDB's to find.

    Source: rocksdb/db/log_format.h; https://github.com/facebook/rocksdb/issues/13333
    """
    at = 0
    while at + _RECORD.size <= len(manifest):
        left = _RECORD_BLOCK_BYTES - at % _RECORD_BLOCK_BYTES
        if left < _RECORD.size:
            at += left
            continue
        _, length, kind = _RECORD.unpack_from(manifest, at)
        if kind in _KINDS_REUSED:
            return True
        at += _RECORD.size + length
    return False


@contextmanager
def linking(folder: Path) -> Iterator[Path]:
    """Make a folder for a moment in which links to the files of a store lie, to read it there.

    Whoever only reads may have no right to write into a store, and has no business there: but
    rocksdict writes its settings, and RocksDB its diary, wherever it opens one.

    Raises:
      Unavailable: no folder can be made, or the store's is not to be read.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix="hansa-read-")
    except OSError as error:
        raise Unavailable(
            f"cannot make a folder to read the state store in {folder} from: {error.strerror}; "
            "name one that can be written as TMPDIR"
        ) from None
    with made as name, Guard(folder):
        for each in folder.absolute().iterdir():
            if not each.name.startswith(_WRITTEN_BESIDE):
                (Path(name) / each.name).symlink_to(each)
        yield Path(name)


class Guard:
    """Turns what rocksdict raises, bare `Exception`s, into our errors.

    Args:
      folder: of the store, which they name.
      links: where it was opened instead.
    """

    __slots__ = ("_folder", "_links", "height")

    def __init__(self, folder: Path, links: Path | None = None) -> None:
        self._folder = folder
        self._links = str(links or folder)
        self.height = NOTHING

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, HansaError):
            raise self.translate(str(error)) from error

    def translate(self, text: str) -> HansaError:
        """Build our error for what RocksDB says."""
        folder = str(self._folder)
        text = text.replace(self._links, folder)
        if any(sign in text for sign in _SIGNS_OF_DAMAGE):
            at = f", last flushed at height {self.height}," if self.height != NOTHING else ""
            return Corrupt(
                f"the state store in {folder}{at} is damaged; start the node with --rebuild, and "
                f"it is made anew from the block log: {text}",
                folder=folder,
                height=self.height,
            )
        if "LOCK" in text and "lock" in text:
            text = "another process has it open: stop that process first"
        else:
            said = (advice for code, advice in ADVICE.items() if os.strerror(code) in text)
            text = next(said, text)
        return Unavailable(f"the state store in {folder}: {text}", folder=folder)


def check_manifest(folder: Path) -> None:
    """Keep RocksDB from what it would not return from; raises `Corrupt`."""
    try:
        manifest = folder / (folder / "CURRENT").read_text("ascii", "replace").strip()
        is_bad = has_reused_record(manifest.read_bytes())
    except (OSError, ValueError):  # RocksDB says what is wrong with it, or that it is new
        return
    if is_bad:
        raise Guard(folder).translate(f"Corruption: {manifest.name} has a record of a wrong kind")


def build_options(*, compressed: bool = True) -> rocksdict.Options:
    """Settings for random keys in an ingested layout, at most about 200 MB of memory."""
    tables = rocksdict.BlockBasedOptions()
    tables.set_block_cache(_block_cache())
    tables.set_bloom_filter(10, False)  # noqa: FBT003 - not keywords there
    tables.set_cache_index_and_filter_blocks(True)
    tables.set_pin_l0_filter_and_index_blocks_in_cache(True)
    tables.set_format_version(5)
    environment = rocksdict.Env()
    environment.lower_thread_pool_cpu_priority()  # compaction gives way to execution
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(create_if_missing=True)
    options.set_env(environment)
    options.set_block_based_table_factory(tables)
    options.set_max_background_jobs(1)
    options.set_max_open_files(512)
    options.set_write_buffer_size(4 << 20)  # nothing goes through it
    options.set_level_zero_file_num_compaction_trigger(6)
    options.set_max_bytes_for_level_base(256 << 20)
    options.set_keep_log_file_num(3)
    options.set_max_log_file_size(1 << 20)  # or RocksDB's diary grows by 1.5 KB a flush for ever
    compression = rocksdict.DBCompressionType
    options.set_compression_type(compression.lz4() if compressed else compression.none())
    return options


_caches: list[rocksdict.Cache] = []


def _block_cache() -> rocksdict.Cache:
    """One cache for all stores of the process."""
    if not _caches:
        _caches.append(rocksdict.Cache(BLOCK_CACHE_BYTES))
    return _caches[0]
