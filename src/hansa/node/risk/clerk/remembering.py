"""What a clerk remembers, in a file beside its journal: a start takes in only what came since.

It can be gigabytes, and payments do not wait while it is written: a fork of the clerk's process has
all of it as it was at that moment, and writes that while the clerk goes on. The file is replaced
whole. Whoever finds it missing, cut off or of another journal takes all events in anew.

Encrypted under the journal's key, in parts, each bound to its place and to the last event that is
in it, as its value lies in the journal: under a nonce that no other copy has behind that place.
"""

from __future__ import annotations

import gc
import os
import signal
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, NoReturn

from hansa.encrypted_file import OVERHEAD_BYTES, EncryptedFile
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Corrupt, Unavailable
from hansa.regular_files import sync_names

PART_BYTES: Final = 1 << 24
"""On the disk at once, so that what the journal has to sync never waits for more."""
NICENESS: Final = 10
"""Of the process that writes: whoever decides goes first."""
DESCRIPTORS_MAX: Final = 1 << 16
_ORPHANED: Final = 255
_HEAD = struct.Struct(">8sQQI")  # what it is, events, the length of all, parts
_KIND: Final = b"HnsRmem1"


class Stamp(NamedTuple):
    """Which events something is remembered of."""

    events: int
    """So many, from the first on."""
    last: bytes
    """Hash of the journal's value that has the last of them; empty for none."""


class RememberedFile:
    """The file; one process writes it, others may read it."""

    def __init__(self, path: Path, file: EncryptedFile) -> None:
        """Name the file.

        Args:
          path: of it; need not be there.
          file: of the journal, under whose key it is encrypted.
        """
        self._path = path
        self._file = file

    def write(self, kept: bytes, stamp: Stamp, may_go_on: Callable[[], bool]) -> None:
        """Write the file, durably, in the place of what was.

        Args:
          kept: what is remembered.
          stamp: of which events.
          may_go_on: is asked before each part; where it says no, all is left as it was.

        Raises:
          OSError: the disk refuses; what was before is there still.
        """
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}.partial")
        parts = range(0, len(kept), PART_BYTES)
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb", buffering=0) as written:
                head = _HEAD.pack(_KIND, stamp.events, len(kept), len(parts))
                _write_all(written, head)
                for place, begin in enumerate(parts):
                    if not may_go_on():
                        return
                    part = kept[begin : begin + PART_BYTES]
                    _write_all(written, self._file.encrypt(part, _name(head, stamp, place)))
                    os.fdatasync(descriptor)
            partial.replace(self._path)
            sync_names(self._path.parent)
        finally:
            partial.unlink(missing_ok=True)

    def load(self, find_stamp: Callable[[int], Stamp | None]) -> tuple[bytes, int] | None:
        """Load what is remembered, and of how many events.

        Args:
          find_stamp: what the stamp of so many events is in the journal; None if it has fewer.

        Returns:
          None if there is no such file.

        Raises:
          Corrupt: it is damaged, or of another journal.
          Unavailable: it cannot be read.
        """
        try:
            with self._path.open("rb") as read:
                return self._read(read, find_stamp)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"cannot read {self._path}: {error.strerror}") from None

    def clear(self) -> None:
        """Remove what writers left that were killed."""
        for each in self._path.parent.glob(f".{self._path.name}.*.partial"):
            with suppress(OSError):
                each.unlink()

    def _read(self, read: BinaryIO, find_stamp: Callable[[int], Stamp | None]) -> tuple[bytes, int]:
        head = read.read(_HEAD.size)
        if len(head) != _HEAD.size or not head.startswith(_KIND):
            raise Corrupt(f"{self._path} is damaged, or of another version")
        _, events, length, parts = _HEAD.unpack(head)
        stamp = find_stamp(events)
        if stamp is None:
            raise Corrupt(f"{self._path} has {events} events, which the journal has not")
        kept = b"".join(self._iterate_parts(read, (head, stamp), parts))
        if len(kept) != length or read.read(1):
            raise Corrupt(f"{self._path} is damaged: it has not the length that it names")
        return kept, events

    def _iterate_parts(
        self, read: BinaryIO, bound: tuple[bytes, Stamp], parts: int
    ) -> Iterator[bytes]:
        for place in range(parts):
            value = read.read(PART_BYTES + OVERHEAD_BYTES)
            try:
                yield self._file.decrypt(value, _name(*bound, place))
            except Corrupt:
                raise Corrupt(f"{self._path} is damaged, or of another journal") from None


class Writing:
    """One process at a time that writes what is remembered beside its parent's work."""

    def __init__(self) -> None:
        """Write nothing yet."""
        self._pid = 0
        self._events = 0

    @property
    def is_under_way(self) -> bool:
        """Whether a process writes."""
        return self._pid != 0

    def begin(self, write: Callable[[Callable[[], bool]], None], events: int) -> None:
        """Have a fork of this process write.

        No other thread of this process may hold what the fork needs: it takes no locks, and leaves
        files, sockets and stores alone.

        Args:
          write: what it does; it is to stop once what it is given says so.
          events: so many are in what it writes.

        Raises:
          OSError: the system has no process more.
        """
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _write_and_end(write, parent)
        self._pid, self._events = pid, events

    def look(self) -> int | None:
        """Look whether it has ended; returns how many events are kept then, None if it has not.

        Raises:
          Unavailable: it could not write all of it.
        """
        return self._end(os.WNOHANG) if self._pid else None

    def stop(self) -> None:
        """Have it end, whatever it has written."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            with suppress(Unavailable):
                self._end(0)

    def _end(self, how: int) -> int | None:
        pid, status = os.waitpid(self._pid, how)
        if not pid:
            return None
        self._pid = 0
        code = os.waitstatus_to_exitcode(status)
        if code:
            why = os.strerror(code) if 0 < code < _ORPHANED else f"it ended with {code}"
            raise Unavailable(why)
        return self._events


def _write_and_end(write: Callable[[Callable[[], bool]], None], parent: int) -> NoReturn:
    """Write, in a process that was just forked, and end it: nothing of its parent's is ended."""
    code = _ORPHANED  # also of what it was not made for
    try:
        gc.disable()  # or what is let go of would be closed here, which is its parent's to close
        os.closerange(
            3, DESCRIPTORS_MAX
        )  # or whoever waits for the parent's end waits for this one
        os.nice(NICENESS)
        write(lambda: os.getppid() == parent)
        code = 0 if os.getppid() == parent else _ORPHANED
    except OSError as error:
        code = error.errno or _ORPHANED
    finally:
        os._exit(code)


def _name(head: bytes, stamp: Stamp, place: int) -> bytes:
    return encode(("remembered", head, stamp.last, place))


def _write_all(written: BinaryIO, value: bytes) -> None:
    """Write all of it: an unbuffered file may take less at a time."""
    view = memoryview(value)
    while view:
        view = view[written.write(view) :]
