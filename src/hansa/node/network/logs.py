"""What the nodes of a network on this machine have said, and how each ended last."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from hansa.kernel.encoding import DECODE_ERRORS
from hansa.node.network.folders import NodeFolder
from hansa.program import name_program

CHUNK_BYTES = 1 << 16
END_BYTES: Final = 4096
WORDS_MAX: Final = 600
HELD: Final = "was stopped on request"
"""How a node ended that is not to run until somebody starts it."""


class End(msgspec.Struct, frozen=True):
    """How a node's process ended."""

    how: str
    """Exit code or signal, and last words."""
    again_ms: int | None
    """When it is started again; None where somebody must look first."""

    def describe(self, folder: Path, now_ms: int, *, is_supervised: bool) -> str:
        """Say it in words, and what becomes of the node.

        Args:
          folder: of the node.
          now_ms: the wall clock.
          is_supervised: whether somebody starts it again.
        """
        if self.how == HELD and is_supervised:
            where = f"--dir {shlex.quote(str(folder.parent))} --node {folder.name}"
            return f"{HELD}; start it by {name_program()} network start {where}"
        if self.again_ms is None:
            return f"{self.how}; it was left: mend that, then start it by {name_start(folder)}"
        if not is_supervised:
            return self.how
        return f"{self.how}; it starts again in {max(self.again_ms - now_ms, 0) // 1_000 + 1} s"


def name_start(folder: Path) -> str:
    """Name the command that starts one node, also beside who runs the others of its network."""
    return f"{name_program()} up --data {shlex.quote(str(folder.absolute()))}"


class EndFile:
    """Keeps how a node ended, for `read_end`; takes its room at once, as a disk may be full later.

    What cannot be written does not end who supervises: it is lost.
    """

    def __init__(self, path: Path) -> None:
        """Take the room; what was kept before is gone."""
        self._path = path
        self.write(None)

    def write(self, end: End | None) -> None:
        """Keep an end, or that there is none to tell of."""
        if end is not None:
            end = End(end.how[:WORDS_MAX], end.again_ms)
        data = msgspec.json.encode(end).ljust(END_BYTES)[:END_BYTES]
        with suppress(OSError):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, data)
            finally:
                os.close(descriptor)


def read_end(path: Path) -> End | None:
    """Read how a node ended last; None where nothing tells, or it has answered since."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=End | None)
    except (*DECODE_ERRORS, OSError):
        return None


@dataclass(slots=True)
class LogFile:
    """A log file that is read to its end, again and again."""

    name: str
    """Of what speaks there."""
    path: Path
    _place: int = field(default=0, init=False)
    _inode: int = field(default=0, init=False)
    _rest: bytes = field(default=b"", init=False)

    def read_last(self, count: int) -> list[str]:
        """Read the last lines, and go on from there; none where there is no file."""
        try:
            with self.path.open("rb") as file:
                found = os.fstat(file.fileno())
                end = found.st_size
                place, raw = end, b""
                while place > 0 and raw.count(b"\n") <= count:
                    place = max(place - CHUNK_BYTES, 0)
                    file.seek(place)
                    raw = file.read(end - place)
        except OSError:
            return []
        self._inode, self._place = found.st_ino, end
        return _split(raw)[-count:] if count else []

    def read_new(self) -> list[str]:
        """Read the whole lines that came since; begins anew where the file was put aside."""
        try:
            with self.path.open("rb") as file:
                if (inode := os.fstat(file.fileno()).st_ino) != self._inode:
                    self._inode, self._place = inode, 0
                file.seek(self._place)
                raw = file.read()
        except OSError:
            return []
        self._place += len(raw)
        whole, _, self._rest = (self._rest + raw).rpartition(b"\n")
        return _split(whole)


def _split(raw: bytes) -> list[str]:
    return raw.decode("utf-8", "replace").splitlines()


def list_files(nodes: Sequence[NodeFolder]) -> Iterator[LogFile]:
    """List the log files of nodes: of the node's own process, and of its CometBFT."""
    for node in nodes:
        yield LogFile(node.name, node.log_path)
        yield LogFile(f"{node.name}/cometbft", node.home.comet.log_path)
