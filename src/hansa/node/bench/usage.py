"""What processes and folders use: processor time from /proc, bytes from the file system.

Source: proc(5).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
BLOCK_BYTES = 512
"""Of `st_blocks`, stat(2)."""


def list_descendants(roots: Iterable[int]) -> list[int]:
    """List these processes and all that descend from them."""
    children: dict[int, list[int]] = {}
    for path in PROC.glob("[0-9]*"):
        with suppress(OSError):
            children.setdefault(int(_read_stat(path)[1]), []).append(int(path.name))
    found = list(roots)
    for process in found:  # grows meanwhile
        found += children.get(process, ())
    return found


def find_process(*words: str) -> int:
    """Find the process with these arguments, side by side; raises `LookupError`."""
    wanted = "\0".join(words).encode()
    for path in PROC.glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (path / "cmdline").read_bytes():
                return int(path.name)
    raise LookupError(f"no process has the arguments {' '.join(words)}")


def read_name(process: int) -> str:
    """Read a process's name, of at most 15 letters; empty if it has gone."""
    try:
        return (PROC / str(process) / "comm").read_text().strip()
    except OSError:
        return ""


def measure_cpu_s(processes: Iterable[int]) -> float:
    """Sum the processor time of processes, in user and kernel; of one that has gone, nothing."""
    ticks = 0
    for process in processes:
        with suppress(OSError):
            fields = _read_stat(PROC / str(process))
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure_resident_bytes(processes: Iterable[int]) -> int:
    """Sum the resident memory of processes; what they share counts in each."""
    pages = 0
    for process in processes:
        with suppress(OSError):
            pages += int((PROC / str(process) / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _read_stat(path: Path) -> list[str]:
    """Read what stands behind the name in parentheses: state, parent, ..."""
    return (path / "stat").read_text().rpartition(")")[2].split()


def measure_disk_bytes(folder: Path) -> int:
    """Sum what the files under a folder take on disk."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_blocks * BLOCK_BYTES
    return total
