"""A disk that forgets: what was not synced may be lost, torn or out of order after a power cut.

The model is harsher than any one file system, and obeys what POSIX promises:

- A file has durable bytes and a list of changes made since its last sync. A power cut keeps any
  subset of the 512-byte sectors of those changes, one of them torn at any byte. Changes of a
  file's size survive in order, and may survive without the data (which then reads as zeros).
- Names made, renamed or removed survive in order, up to any point, unless the folder was synced.
- Every write, sync, rename, removal and folder sync is a *crash point*: the power can fail
  before it, after it, or in the middle of it. So are the beginning and the end of a flush of the
  simulated state store (`tests/simulation/store.py`).
- At any such operation the disk may also become full, or fail to sync.

Source: Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014; Rebello et al., "Can
Applications Recover from fsync Failures?", ATC 2020, for pages that are clean but not on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Self

from hansa.engine.storage import TEMPORARY_SUFFIX
from hansa.kernel.errors import NotFound, Unavailable

SECTOR_BYTES = 512
ENDLESS = 1 << 40
Change = tuple[bytes, int] | int  # data at an offset, or a new size


class PowerCutError(SystemExit):
    """The power failed; nothing of the process goes on: an event loop lets this through."""


@dataclass
class Node:
    """A file, under whatever names."""

    durable: bytearray = field(default_factory=bytearray)
    seen: bytearray = field(default_factory=bytearray)
    changes: list[Change] = field(default_factory=list)

    def copy(self) -> Node:
        return Node(bytearray(self.durable), bytearray(self.seen), list(self.changes))


@dataclass(frozen=True)
class Table:
    """What one flush of the state store put on this disk, whole or not at all."""

    height: int
    rows: Mapping[bytes, bytes | None]


class SimulatedDisk:
    """A folder on that disk; implements `hansa.engine.storage.Storage`.

    Args:
      seed: decides what a power cut keeps.
      crash_at: the number of the operation at which the power fails; none if `None`.
      capacity: bytes it holds; more is refused as a full disk would.
    """

    place = "the simulated disk"

    def __init__(self, seed: int, *, crash_at: int | None = None, capacity: int = ENDLESS) -> None:
        self.random = Random(seed)
        self.crash_at = crash_at
        self.capacity = capacity
        self.operations: list[str] = []
        self.observe: Callable[[], None] | None = None  # called before every operation
        self.full_at: int | None = None  # from this operation on the disk is full for a while
        self.refusals = 0
        self.fail_sync_at: int | None = None  # from this operation on the next sync fails
        self.fail_next_sync = False
        self.is_locked = False
        self.tables: list[Table] = []  # of the state store, oldest first
        self.names: dict[str, Node] = {}
        self.durable_names: dict[str, Node] = {}
        self.name_changes: list[tuple[str, Node | None]] = []
        self._boot = 0
        self._room_at = ENDLESS

    # --- Storage -----------------------------------------------------------------------------

    def open(self, name: str, *, writable: bool, create: bool = False) -> SimulatedFile:
        if name not in self.names:
            if not create:
                raise NotFound(f"cannot open {name}: it does not exist", path=name)
            self._name(name, Node())
        return SimulatedFile(self, name, self.names[name], self._boot)

    def replace(self, name: str, data: bytes) -> None:
        self.write_temporary(name, data)
        self.sync_temporary(name)
        self.rename_temporary(name)
        self.sync_folder()

    def write_temporary(self, name: str, data: bytes) -> None:
        temporary = name + TEMPORARY_SUFFIX
        self._name(temporary, Node())
        self.open(temporary, writable=True).append(data)

    def sync_temporary(self, name: str) -> None:
        self.open(name + TEMPORARY_SUFFIX, writable=True).sync()

    def rename_temporary(self, name: str) -> None:
        temporary = name + TEMPORARY_SUFFIX

        def rename() -> None:
            self._name(name, self.names[temporary])
            self._name(temporary, None)

        self.step(f"rename {name}", rename)

    def sync_folder(self) -> None:
        def sync() -> None:
            self.durable_names = dict(self.names)
            self.name_changes.clear()

        self._fail_sync("the folder")
        self.step("sync folder", sync)

    def remove(self, name: str) -> None:
        self.step(f"remove {name}", lambda: self._name(name, None))
        self.sync_folder()

    def list(self) -> list[str]:
        return sorted(self.names)

    def sync(self) -> None:
        self.sync_folder()

    def lock(self) -> None:
        if self.is_locked:
            raise Unavailable("the simulated folder is in use")
        self.is_locked = True

    def unlock(self) -> None:
        self.is_locked = False

    def free_bytes(self) -> int:
        used = sum(len(node.seen) for node in self.names.values())
        done = len(self.operations)
        if self.full_at is not None and done >= self.full_at:
            self.full_at, self._room_at = None, done + self.random.choice([1, 2, 3, 1000])
            self.capacity = used + self.random.choice([0, 1, 30, 200])
        elif done >= self._room_at:
            self.capacity = ENDLESS
        return self.capacity - used

    # --- faults ------------------------------------------------------------------------------

    def step(self, what: str, operation: Callable[[], object]) -> None:
        """Do one operation that the power may interrupt."""
        if self.observe is not None:
            self.observe()
        number = len(self.operations)
        self.operations.append(what)
        if number != self.crash_at:
            operation()
            return
        if self.random.random() < 0.5:  # the power fails before or after it
            operation()
        raise PowerCutError(what)

    def fork(self, seed: int) -> Self:
        """A disk that is the same up to now, and another from here on."""
        copies: dict[int, Node] = {}

        def copy(node: Node | None) -> Node | None:
            return None if node is None else copies.setdefault(id(node), node.copy())

        fork = type(self)(seed)
        fork.names = {name: copy(node) for name, node in self.names.items()}
        fork.durable_names = {name: copy(node) for name, node in self.durable_names.items()}
        fork.name_changes = [(name, copy(node)) for name, node in self.name_changes]
        fork.tables = list(self.tables)
        return fork

    def restart(self) -> None:
        """Let the process end and another begin: what was written is there, synced or not."""
        self._boot += 1
        self.is_locked = False
        self.full_at = self.fail_sync_at = None
        self.capacity = ENDLESS

    def reboot(self) -> None:
        """Go on with what a power cut leaves."""
        self.restart()
        self.crash_at = None
        self._forget_tables()
        kept = self.random.choice(["nothing", "everything", "some", "some"])
        count = len(self.name_changes)
        upto = {"nothing": 0, "everything": count}.get(kept, self.random.randint(0, count))
        for name, node in self.name_changes[:upto]:
            _set(self.durable_names, name, node)
        self.name_changes.clear()
        self.names = dict(self.durable_names)
        for node in {id(node): node for node in self.names.values()}.values():
            node.seen = self._survivor(node, kept)
            node.durable = bytearray(node.seen)
            node.changes.clear()

    def _forget_tables(self) -> None:
        """Keep any number of the state store's flushes, as one that never syncs would."""
        count = len(self.tables)
        kept = self.random.choice([count, count, count - 1, self.random.randint(0, count)])
        del self.tables[max(0, kept) :]

    def flip(self, name: str, offset: int, mask: int = 1) -> None:
        """Damage one byte of a file for good."""
        node = self.names[name]
        for data in (node.seen, node.durable):
            if offset < len(data):
                data[offset] ^= mask

    def _survivor(self, node: Node, kept: str) -> bytearray:
        if kept == "everything":
            return node.seen
        data = bytearray(node.durable)
        sized = 0 if kept == "nothing" else self.random.randint(0, len(node.changes))
        for number, change in enumerate(node.changes):
            if isinstance(change, int):
                if number < sized:
                    del data[change:]
                    data.extend(bytes(change - len(data)))
                continue
            written, offset = change
            if number < sized and offset + len(written) > len(data):
                data.extend(bytes(offset + len(written) - len(data)))
            if kept == "some":
                self._keep_sectors(data, offset, written)
        return data

    def _keep_sectors(self, data: bytearray, offset: int, written: bytes) -> None:
        share = self.random.choice([0.0, 0.5, 0.9, 1.0])
        start = offset
        while start < offset + len(written):
            stop = min((start // SECTOR_BYTES + 1) * SECTOR_BYTES, offset + len(written), len(data))
            if stop <= start:
                return
            if self.random.random() < share:
                if self.random.random() < 0.1:
                    stop = self.random.randint(start, stop)  # torn inside the sector
                data[start:stop] = written[start - offset : stop - offset]
            start = (start // SECTOR_BYTES + 1) * SECTOR_BYTES

    def _name(self, name: str, node: Node | None) -> None:
        _set(self.names, name, node)
        self.name_changes.append((name, node))

    def sync_file(self, name: str, node: Node) -> None:
        """Make a file durable, or fail as a broken disk does: dirty pages turn clean."""
        try:
            self._fail_sync(name)
        except Unavailable:
            node.changes.clear()
            raise

        def sync() -> None:
            for change in node.changes:  # only these: a page that is clean is not written
                if isinstance(change, int):
                    _resize(node.durable, change)
                else:
                    _put(node.durable, *change)
            node.changes.clear()

        self.step(f"sync {name}", sync)

    def refuse(self, name: str) -> Unavailable:
        """The error of a full disk."""
        self.refusals += 1
        return Unavailable(f"cannot write to {name}: the disk is full")

    def _fail_sync(self, name: str) -> None:
        if self.fail_sync_at is not None and len(self.operations) >= self.fail_sync_at:
            self.fail_sync_at, self.fail_next_sync = None, True
        if self.fail_next_sync:
            self.fail_next_sync = False
            raise Unavailable(f"cannot sync {name}: the disk reports an error")

    def check_alive(self, boot: int) -> None:
        if boot != self._boot:
            raise AssertionError("a file handle was used after the power cut")


class SimulatedFile:
    """One open file on the simulated disk."""

    def __init__(self, disk: SimulatedDisk, name: str, node: Node, boot: int) -> None:
        self._disk, self._name, self._node, self._boot = disk, name, node, boot

    def append(self, *parts: bytes) -> None:
        data = b"".join(parts)
        free = self._disk.free_bytes()
        if len(data) > free:
            self._write(data[: max(0, free)], len(self._node.seen))
            raise self._disk.refuse(self._name)
        self._write(data, len(self._node.seen))

    def pwrite(self, data: bytes, offset: int) -> None:
        growth = offset + len(data) - len(self._node.seen)
        if growth > max(0, self._disk.free_bytes()):
            raise self._disk.refuse(self._name)
        self._write(data, offset)

    def pread(self, length: int, offset: int) -> bytes:
        self._disk.check_alive(self._boot)
        return bytes(self._node.seen[offset : offset + length])

    def size(self) -> int:
        return len(self._node.seen)

    def truncate(self, size: int) -> None:
        def cut() -> None:
            _resize(self._node.seen, size)
            self._node.changes.append(size)

        self._disk.step(f"truncate {self._name}", cut)

    def sync(self) -> None:
        self._disk.check_alive(self._boot)
        self._disk.sync_file(self._name, self._node)

    def close(self) -> None:
        pass

    def _write(self, data: bytes, offset: int) -> None:
        self._disk.check_alive(self._boot)

        def write() -> None:
            _put(self._node.seen, data, offset)
            self._node.changes.append((data, offset))

        self._disk.step(f"write {self._name}", write)


def _resize(data: bytearray, size: int) -> None:
    del data[size:]
    data.extend(bytes(size - len(data)))


def _put(data: bytearray, written: bytes, offset: int) -> None:
    _resize(data, max(len(data), offset))
    data[offset : offset + len(written)] = written


def _set(names: dict[str, Node], name: str, node: Node | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node
