"""What the nodes of a network on this machine have said: the ends of their log files, and on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hansa.node.network.folders import NodeFolder

CHUNK_BYTES = 1 << 16


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
