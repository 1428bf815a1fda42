"""Table files: RocksDB's settings, and the sorted files in which the store takes changes in.

Source: RocksDB wiki, "Creating and Ingesting SST files".
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import rocksdict

from hansa.kernel.errors import Corrupt

BLOCK_CACHE_BYTES = 128 << 20
HEIGHT_KEY = b"\x00height"
_HEIGHT = struct.Struct(">BQ")
_HEIGHT_VERSION = 1
_RECORD = struct.Struct("<IHB")  # checksum, length, kind; none crosses the end of a block
_RECORD_BLOCK_BYTES = 32_768
_KINDS_REUSED = frozenset({5, 6, 7, 8, 11})

Changes = Mapping[bytes, bytes | None]


def pack_height(height: int) -> bytes:
    """Pack what stands under `HEIGHT_KEY`."""
    return _HEIGHT.pack(_HEIGHT_VERSION, height)


def unpack_height(raw: bytes) -> int | None:
    """Unpack what stands under `HEIGHT_KEY`; None if another version wrote it."""
    if len(raw) != _HEIGHT.size or raw[0] != _HEIGHT_VERSION:
        return None
    return int(_HEIGHT.unpack(raw)[1])


def write_table(path: Path, changes: Changes, height: int) -> None:
    """Write changes in the order of their keys, in short steps.

    Sorting everything at once would hold up the other threads of this process for as long.
    """
    groups: dict[bytes, list[bytes]] = {HEIGHT_KEY[:2]: [HEIGHT_KEY]}
    for key in changes:
        start = key[:2]
        group = groups.get(start)
        if group is None:
            groups[start] = [key]
        else:
            group.append(key)
        if key < b"\x01":
            raise Corrupt("a key of the key space zero was to be written", key=key)
    writer = rocksdict.SstFileWriter(build_options(compressed=False))
    writer.open(str(path))
    for start in sorted(groups):
        group = groups[start]
        group.sort()
        for key in group:
            value = pack_height(height) if key is HEIGHT_KEY else changes[key]
            if value is None:
                del writer[key]
            else:
                writer[key] = value
    writer.finish()


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
