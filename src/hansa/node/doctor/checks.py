"""What a check says, what the doctor asks of a machine, and what it knows of its patient."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hansa.contracts.activations import Activation
from hansa.kernel.block import Header
from hansa.kernel.genesis import Network
from hansa.node.home import Home
from hansa.node.settings import Settings

if TYPE_CHECKING:  # of an extra
    from hansa.node.risk.loading import RiskFolder

CONNECT_TIMEOUT_S = 0.5


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    status: Status
    found: str
    where: str = ""
    mend: str = ""
    """What to do; empty if nothing needs to be done."""

    def to_json(self) -> dict[str, str]:
        """Build the object that `--json` prints."""
        return {
            "name": self.name,
            "status": self.status.value,
            "found": self.found,
            "where": self.where,
            "mend": self.mend,
        }


class Surroundings(Protocol):
    """What the doctor asks of the machine."""

    def now_ms(self) -> int:
        """Read the wall clock."""

    def free_bytes(self, folder: Path) -> int:
        """Bytes that can be written to the disk of a folder."""

    def is_read_only(self, folder: Path) -> bool:
        """Whether the file system of a folder lets nobody write."""

    def is_listening(self, host: str, port: int) -> bool:
        """Whether somebody answers there."""

    def is_alive(self, pid: int) -> bool:
        """Whether there is such a process."""

    def python_version(self) -> tuple[int, int]:
        """Major and minor version."""

    def list_missing_libraries(self) -> list[str]:
        """Names of required libraries that are not installed."""


class ThisMachine:
    """The machine that this program runs on."""

    def now_ms(self) -> int:
        """Read the wall clock."""
        return time.time_ns() // 1_000_000

    def free_bytes(self, folder: Path) -> int:
        """Bytes that can be written to the disk of a folder."""
        return shutil.disk_usage(folder).free

    def is_read_only(self, folder: Path) -> bool:
        """Whether the file system of a folder lets nobody write."""
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)

    def is_listening(self, host: str, port: int) -> bool:
        """Whether somebody answers there."""
        try:
            with socket.create_connection((host, port), CONNECT_TIMEOUT_S):
                return True
        except OSError:
            return False

    def is_alive(self, pid: int) -> bool:
        """Whether there is such a process."""
        if pid < 1:
            return False
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:
            return True
        return True

    def python_version(self) -> tuple[int, int]:
        """Major and minor version."""
        return sys.version_info[:2]

    def list_missing_libraries(self) -> list[str]:
        """Names of required libraries that are not installed."""
        missing = []
        for line in importlib.metadata.requires("hansa") or ():
            if "extra ==" in line:
                continue
            name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
            try:
                importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                missing.append(name)
        return missing


@dataclass(slots=True)
class Patient:
    """A data folder, and what earlier checks learnt of it."""

    home: Home
    machine: Surroundings
    passphrase: str | None
    listen: tuple[str, int] | None
    certificate: Path | None
    settings: Settings | None = None
    network: Network | None = None
    head: Header | None = None
    log_height: int = -1
    consensus_height: int = 0
    """Of CometBFT, that of the newest block in the log."""
    is_new: bool = False
    """Whether there is no block yet, and nothing says that there was one."""
    activations: Sequence[Activation] = field(default_factory=tuple)
    risk: RiskFolder | None = None
    """What is to decide on payments; None where nothing is, or where it cannot be read."""
    pid: int | None = None
    """Of the process that runs the node, if one does; 0 if it is not known."""

    @property
    def is_voted(self) -> bool:
        """Whether it is known that nodes vote on the blocks of its network."""
        return self.network is not None and self.network.genesis.is_voted
