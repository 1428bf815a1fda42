"""Backup of a data folder while its node runs, and the way back.

A backup is a folder: the block log up to its last confirmed block, genesis, the small files that
the node names (`hansa.node.home`), and a manifest with the SHA-256 of every file. It appears whole
under its name or not at all. The state store is left out: it is made anew from the log when the
restored folder is opened. Of a log without its first blocks it is made from a snapshot and the log:
then the oldest snapshot that the node keeps is taken along.

A restored node and its original must not both run: they would seal different blocks of the same
height with one key. What a validator signed last is never part of a backup, and never restored.

Source: docs/reference/backup.md.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hansa.engine.cometbft.home import SIGNING_STATE_NAME
from hansa.engine.log import PRUNED_SEGMENT_BYTES, SEGMENT_BYTES, BlockLog, BlockReader
from hansa.engine.snapshots.beginning import open_shelf
from hansa.engine.snapshots.carried import require_not_carried
from hansa.engine.snapshots.copying import check_base, copy_base
from hansa.engine.storage import LOCK_NAME, FileStorage, make_folder
from hansa.engine.whole_folder import making, require_folder, translating
from hansa.kernel.block import Header, decode_header, decode_record
from hansa.kernel.encoding import DECODE_ERRORS, tell_fault
from hansa.kernel.errors import Corrupt, Invalid, InvalidCode, NotFound
from hansa.kernel.genesis import Network, decode_genesis
from hansa.program import name_program
from hansa.sqlite_files import copy_database

FORMAT = "hansa-backup"
FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"
MANIFEST_SUM_NAME = "manifest.json.sha256"
MANIFEST_BYTES_MAX = 16 << 20

GENESIS_NAME = "genesis.bin"
LOG_NAME = "log"
SNAPSHOTS_NAME = "snapshots"
KEYS_NAME = "keys"

_CHUNK_BYTES = 1 << 20
_SYNC_BYTES = 64 << 20
_FORMAT_WITHIN_BYTES = 1 << 10

Progress = Callable[[int, int], None]


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a backup."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup holds; byte strings are lower-case hexadecimal."""

    format: str
    version: int
    network: str
    genesis_hash: str
    height: int
    """Of the last block."""
    time_ms: int
    """Ledger time of that block."""
    header_hash: str
    has_keys: bool
    files: dict[str, FileEntry]
    """By path within the backup, with `/`."""
    first_height: int = 0
    """Of the first block; above 0 a snapshot makes up for those before."""


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What was backed up or restored."""

    folder: Path
    manifest: Manifest

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.bytes for entry in self.manifest.files.values())

    def to_json(self) -> dict[str, object]:
        """Build the object that `--json` prints."""
        manifest = self.manifest
        return {
            "folder": str(self.folder),
            "network": manifest.network,
            "genesis_hash": manifest.genesis_hash,
            "first_height": manifest.first_height,
            "height": manifest.height,
            "time_ms": manifest.time_ms,
            "header_hash": manifest.header_hash,
            "has_keys": manifest.has_keys,
            "files": len(manifest.files),
            "bytes": self.size,
        }


def backup(
    home: Path,
    target: Path,
    files: Sequence[str] = (),
    databases: Sequence[str] = (),
    *,
    progress: Progress | None = None,
) -> BackupReport:
    """Back a data folder up, whether its node runs or not; checks every block it copies.

    Args:
      home: the data folder.
      target: the backup's folder; must not exist, nor lie in the data folder or in a backup.
      files: to take along where they are there, by path within the folder.
      databases: SQLite files that are treated so; each is as of a moment after the last block.
      progress: called with the heights copied and to be copied.

    Raises:
      NotFound: there is no node, or it has no block yet.
      Invalid: `target` exists or lies where it must not, or the genesis cannot be read.
      Corrupt: the log is damaged; names the height. Or a database is.
      Unavailable: the disk refused.
    """
    require_no_backup(target.parent)
    require_outside(home, target)
    with making(target) as folder:
        network = Network.of(decode_genesis(_read(home / GENESIS_NAME)))
        storage = FileStorage(folder)
        for name in (GENESIS_NAME, *files):
            if (home / name).is_file():
                _copy_file(home / name, folder / name)
        with _open_log(home / LOG_NAME) as reader:
            first = reader.height_min
            if first > 0:
                shelf = open_shelf(home / SNAPSHOTS_NAME, first)
                copy_base(shelf, folder / SNAPSHOTS_NAME, first)
            height, last = _copy_log(reader, folder / LOG_NAME, progress)
        for name in databases:
            if (home / name).is_file():
                make_folder((folder / name).parent)
                copy_database(home / name, folder / name)
        manifest = _describe(network, first, height, last, _list_files(folder))
        _write_manifest(storage, manifest)
    return BackupReport(target, manifest)


def read_manifest(archive: Path) -> Manifest:
    """Read the manifest of a backup.

    Raises:
      NotFound: this is no backup.
      Corrupt: the manifest is damaged, or missing beside what was backed up.
      Invalid: it has a version that this program does not read.
    """
    with translating(archive):
        _require_manifest(archive)
    raw, line = _read(archive / MANIFEST_NAME), _read(archive / MANIFEST_SUM_NAME)
    if line != _format_sum(raw):
        raise Corrupt(f"the manifest of {archive} is damaged: take another backup")
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except DECODE_ERRORS as error:
        raise Corrupt(f"the manifest of {archive} cannot be read: {tell_fault(error)}") from None
    if (manifest.format, manifest.version) != (FORMAT, FORMAT_VERSION):
        raise Invalid(
            InvalidCode.UNSUPPORTED_VERSION,
            f"{archive} is {manifest.format} of version {manifest.version}: this program reads "
            f"{FORMAT} of version {FORMAT_VERSION}",
        )
    return manifest


def _require_manifest(archive: Path) -> None:
    """Tell what is no backup from one of which the manifest or its checksum is missing."""
    made = f"the folder that {name_program()} backup made"
    require_folder(archive, made)
    names = (MANIFEST_NAME, MANIFEST_SUM_NAME)
    missing = [name for name in names if not os.path.lexists(archive / name)]
    if not missing:
        return
    if len(missing) == len(names) and not _is_copied_log(archive):
        raise NotFound(
            f"there is no backup in {archive}: it has no {MANIFEST_NAME}; name {made}",
            path=str(archive),
        )
    raise Corrupt(
        f"the backup {archive} is incomplete: {missing[0]} is missing, as where its copying was "
        "interrupted: copy it again as a whole, or take another backup",
        path=missing[0],
    )


def _is_copied_log(folder: Path) -> bool:
    """Whether there is the log of a node, but not the lock that every node leaves in it."""
    log = folder / LOG_NAME
    return log.is_dir() and not os.path.lexists(log / LOCK_NAME)


def check_backup(archive: Path) -> BackupReport:
    """Check all that `restore` checks, and make nothing: its medium may be read-only.

    Raises:
      NotFound: this is no backup.
      Invalid: it holds what a consensus key signed.
      Corrupt: the backup is damaged in any byte; names the file.
      Unavailable: the disk refused.
    """
    manifest = read_manifest(archive)
    with translating(archive):
        _require_no_signing_state(archive)
        _check_files(archive, manifest, lambda name: _hash_file(archive / name))
        _check_log(archive, manifest)
    return BackupReport(archive, manifest)


def restore(archive: Path, target: Path, folders: Sequence[str] = ()) -> BackupReport:
    """Restore a backup into a new data folder; opening that brings the state up from the log.

    Args:
      archive: the backup's folder.
      target: the data folder; must not exist, or be empty, and lies in no backup.
      folders: that it shall have for its owner alone, empty if the backup has nothing in them.

    Raises:
      NotFound: this is no backup.
      Invalid: `target` is not empty, or lies in a backup, or the backup holds what a consensus
        key signed.
      Corrupt: the backup is damaged in any byte; nothing is left in `target`.
      Unavailable: the disk refused.
    """
    manifest = read_manifest(archive)
    require_no_backup(target.parent)
    with making(target, may_be_empty=True) as folder:
        _require_no_signing_state(archive)
        _check_files(archive, manifest, lambda name: _copy_file(archive / name, folder / name))
        _check_log(folder, manifest)
        for name in folders:
            make_folder(folder / name)
    return BackupReport(target, manifest)


# --- a backup is nobody's data folder -----------------------------------------------------------


def require_no_backup(path: Path) -> None:
    """Refuse to write where a backup or a snapshot lies: it would not be whole any more.

    Raises:
      Invalid: the folder is one, or lies inside one, be that whole or half copied.
    """
    place = Path(os.path.realpath(path))
    for folder in (place, *place.parents):
        require_not_carried(folder)
        if _is_backup(folder):
            is_it = folder == place
            what = f"{folder} is a backup" if is_it else f"{path} lies inside the backup {folder}"
            raise Invalid(
                InvalidCode.MALFORMED,
                f"{what}, which stays as it was taken: name a folder outside it; to run "
                f"what it holds, {name_program()} restore {shlex.quote(str(folder))} --data DIR",
                path=str(path),
            )


def _is_backup(folder: Path) -> bool:
    """Whether a manifest lies there that is ours, or the checksum of one."""
    if os.path.lexists(folder / MANIFEST_SUM_NAME):
        return True
    path = folder / MANIFEST_NAME
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return FORMAT.encode() in file.read(_FORMAT_WITHIN_BYTES)
    except OSError:
        return False


def require_outside(home: Path, target: Path) -> None:
    """Refuse to write a copy of a folder into itself; raises `Invalid`."""
    if Path(os.path.realpath(home)) in Path(os.path.realpath(target)).parents:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{target} lies inside {home}, the folder that it would be a copy of: "
            "name a folder outside it, best on another disk",
            path=str(target),
        )


# --- the log ------------------------------------------------------------------------------------


@contextmanager
def _open_log(folder: Path) -> Iterator[BlockReader]:
    reader = BlockReader.open(FileStorage(folder, read_only=True))
    try:
        if reader.height_max < 0:
            raise NotFound(f"there is no block in {folder} yet", folder=str(folder))
        yield reader
    finally:
        reader.close()


def _copy_log(reader: BlockReader, target: Path, progress: Progress | None) -> tuple[int, bytes]:
    """Copy confirmed blocks into a log of their own; returns the last height and its record."""
    first, end = reader.height_min, reader.height_max
    size = SEGMENT_BYTES if first == 0 else PRUNED_SEGMENT_BYTES
    log = BlockLog.open(FileStorage(target), segment_bytes=size)
    unsynced = 0
    try:
        for height in range(first, end + 1):
            record = reader.read(height)
            log.append(height, record)
            unsynced += len(record)
            if unsynced > _SYNC_BYTES:
                log.sync()
                unsynced = 0
            if progress is not None:
                progress(height + 1 - first, end + 1 - first)
    finally:
        log.close()
    (target / LOCK_NAME).unlink()
    return end, record


def _check_log(folder: Path, manifest: Manifest) -> None:
    """Check that genesis, log and files are what the manifest says of them, in every field."""
    network = Network.of(decode_genesis(_read(folder / GENESIS_NAME)))
    with _open_log(folder / LOG_NAME) as reader:
        first, height = reader.height_min, reader.height_max
        found = _describe(network, first, height, reader.read(height), manifest.files)
        if first > 0:
            check_base(folder / SNAPSHOTS_NAME, reader)
    for name in Manifest.__struct_fields__:
        said, is_so = getattr(manifest, name), getattr(found, name)
        if said != is_so:
            raise Corrupt(
                f"the manifest of the backup says {name} {said!r}, but what was backed up says "
                f"{is_so!r}: the manifest was changed, take another backup",
                field=name,
                height=height,
            )


def _describe(
    network: Network, first: int, height: int, last: bytes, files: dict[str, FileEntry]
) -> Manifest:
    """Say what a backup holds whose log ends with this block."""
    header, header_hash = _read_head(last, height, network)
    return Manifest(
        format=FORMAT,
        version=FORMAT_VERSION,
        network=network.genesis.network,
        genesis_hash=network.genesis_hash.hex(),
        height=height,
        time_ms=header.time_ms,
        header_hash=header_hash,
        has_keys=any(name.startswith(f"{KEYS_NAME}/") for name in files),
        files=files,
        first_height=first,
    )


def _read_head(record: bytes, height: int, network: Network) -> tuple[Header, str]:
    """Read the last block's header and its hash."""
    try:
        raw = decode_record(record).header
        return decode_header(raw), network.digest(network.header_prefix + raw).hex()
    except (Corrupt, Invalid) as error:
        raise Corrupt(f"block {height} cannot be read: {error}", height=height) from None


# --- files --------------------------------------------------------------------------------------


def _read(path: Path) -> bytes:
    """Read a small file."""
    file = FileStorage(path.parent, read_only=True).open(path.name, writable=False)
    try:
        if file.size() > MANIFEST_BYTES_MAX:
            raise Invalid(InvalidCode.TOO_LARGE, f"{path} is too large", size=file.size())
        return file.pread(file.size(), 0)
    finally:
        file.close()


def _write_manifest(storage: FileStorage, manifest: Manifest) -> None:
    raw = msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"
    storage.replace(MANIFEST_NAME, raw)
    storage.replace(MANIFEST_SUM_NAME, _format_sum(raw))


def _format_sum(raw: bytes) -> bytes:
    """Format a checksum so that `sha256sum -c` takes it."""
    return f"{hashlib.sha256(raw).hexdigest()}  {MANIFEST_NAME}\n".encode()


def _list_files(folder: Path) -> dict[str, FileEntry]:
    return {name: _hash_file(folder / name) for name in sorted(_iterate_files(folder))}


def _iterate_files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise Corrupt(f"{path} is neither a file nor a folder", path=str(path))
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def _hash_file(path: Path) -> FileEntry:
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return FileEntry(size, digest.hexdigest())


def _copy_file(source: Path, target: Path) -> FileEntry:
    """Copy a file, for its owner alone; returns what was read.

    The copy is of the same time: how old sanctions lists are, their files tell.
    """
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.sha256()
    size = 0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with source.open("rb") as reading, os.fdopen(descriptor, "wb") as writing:
        while chunk := reading.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            writing.write(chunk)
        time_ns = os.fstat(reading.fileno()).st_mtime_ns
    os.utime(target, ns=(time_ns, time_ns))
    return FileEntry(size, digest.hexdigest())


def _require_no_signing_state(archive: Path) -> None:
    """Refuse to bring back what a consensus key signed once: it could sign a height twice."""
    for path in archive.rglob(f"{SIGNING_STATE_NAME}*"):
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{path} lies in the backup: what a consensus key signed last is never restored, as "
            f"with an older state it could sign a height twice. {name_program()} backup takes none "
            "along: take another backup, and give the restored node a new consensus key",
            path=str(path),
        )


def _check_files(archive: Path, manifest: Manifest, measure: Callable[[str], FileEntry]) -> None:
    """Check that a backup has exactly the files of its manifest, byte for byte, as measured."""
    found = set(_iterate_files(archive)) - {MANIFEST_NAME, MANIFEST_SUM_NAME}
    listed = set(manifest.files)
    if found != listed:
        name = min(found ^ listed)
        what = "is missing" if name in listed else "does not belong"
        raise Corrupt(
            f"{name} {what} in the backup {archive.absolute()}: copy the backup here again from "
            "where it is whole, or take another",
            path=name,
        )
    for name, entry in manifest.files.items():
        if measure(name) != entry:
            raise Corrupt(
                f"{name} of the backup {archive.absolute()} is damaged: copy the backup here again "
                "from where it is whole, or take another",
                path=name,
            )
