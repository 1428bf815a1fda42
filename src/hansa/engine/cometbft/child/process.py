"""CometBFT as a child of this process: started, watched, stopped, its log kept within bounds.

It ends with us, also by kill -9, and its own end is an error that names its last words: a node
without CometBFT has no order, and CometBFT without us has no state, so they start again together.

Source: docs/ARCHITECTURE.md, processes and threads of a node.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from hansa.engine.cometbft.child import launch
from hansa.engine.cometbft.home import CometHome
from hansa.kernel.errors import Corrupt, Unavailable
from hansa.system_errors import ADVICE

STOP_S: Final = 10
"""How long CometBFT may take to stop before it is killed."""
LOG_BYTES_MAX: Final = 8 << 20
"""Of one log file; one older one is kept beside it."""
WORDS_BYTES_MAX: Final = 65_536
"""Of the last output that is searched for errors."""
LAST_LINES: Final = 3
RECENT_S: Final = 10
"""Before its end; what it said earlier is not the cause."""
_KILLS: Final = {-signal.SIGKILL, -signal.SIGTERM}
"""Codes of an end that comes from outside, of which its own words tell nothing."""
KEPT_VARIABLES: Final = ("HOME", "LANG", "PATH", "TMPDIR", "TZ")
KEPT_BEGINNINGS: Final = ("CMT_", "GO")
"""Of variables by which an operator tunes CometBFT, and Go's own runtime, as GOMAXPROCS."""
HALTED: Final = re.compile(
    rb"\nE\[[0-9|:.-]{1,40}\] (?:Error in validation {1,40}module=blocksync height=\d{1,20} "
    rb'hash=[0-9A-F]{64} err="wrong Block\.Header\.'
    rb"|CONSENSUS FAILURE!!! {1,40}module=consensus "
    rb'err="(?:precommit step; )?\+2/3 (?:prevoted for|committed) an invalid block: '
    rb"wrong Block\.Header\."
    rb"|(?:CONSENSUS FAILURE!!!|State sync failed|Failed to bootstrap node"
    rb"|Failed to store last seen commit|Failed to switch to block sync) )"
)
"""What it logs when it takes part in no block any more: its state or its disk failed, or it could
not begin from a snapshot, or a block that more than two thirds of the power signed, as it checks
before, does not follow from its state. The process stays, and answers as before; it would never go
on. Words of peers may stand in a line, but never begin one."""
HALTED_BYTES_MAX: Final = 240
_OTHER_STATE: Final = "as its state is not the one that the others signed"
_CONSENSUS: Final = "as its consensus failed"
_JOINING: Final = "as it could not begin from a snapshot"
_NO_PORT: Final = re.compile(r"listen tcp[46]? (\S{1,300}): bind: ([a-z ]{1,80})")
_DAMAGED: Final = re.compile(
    r"(?:^|; )(?:panic|ERROR|Error):(?:(?!; ).)*(?:corrupt|AppHash does not match)", re.IGNORECASE
)
_TELLING = ("E[", "panic:", "ERROR", "Error:", "fatal error:")
"""Beginnings of lines that say why CometBFT ended."""


def build_launch(number: signal.Signals, program: Path, *arguments: Path | str) -> list[str]:
    """Build the command that starts a program which gets a signal when this process ends."""
    ours = (sys.executable, "-I", "-S", launch.__file__, os.getpid(), int(number))
    return [str(word) for word in (*ours, program, *arguments)]


def choose_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Choose which of our variables CometBFT gets, which reads what strangers send: no secret."""
    return {
        name: value
        for name, value in variables.items()
        if name in KEPT_VARIABLES or name.startswith(KEPT_BEGINNINGS)
    }


class BoundedLog:
    """A log file that is put aside when it is full, and dropped when the next one is.

    A disk that takes no more of it does not end the node: what does not fit is lost.
    """

    def __init__(self, path: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._descriptor = -1
        self._size = 0
        self._open()

    @property
    def older_path(self) -> Path:
        """The file that was full before."""
        return self._path.with_name(f"{self._path.name}.1")

    def write(self, data: bytes) -> None:
        """Append; starts a new file where this one would grow beyond its bound."""
        if self._size and self._size + len(data) > self._bytes_max:
            self.close()
            with suppress(OSError):
                self._path.replace(self.older_path)
            self._open()
        with suppress(OSError):
            self._size += os.write(self._descriptor, data)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        with suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
            self._size = os.fstat(self._descriptor).st_size


class CometProcess:
    """A running CometBFT; made by `start`."""

    def __init__(self, process: Process, log: BoundedLog, log_path: Path) -> None:
        self._process = process
        self._log = log
        self._log_path = log_path
        self._words: deque[tuple[float, bytes]] = deque()
        """What it said last, and when that came."""
        self._words_bytes = 0
        self._is_stopping = False
        self._halted = ""
        """How it stopped to take part, if it did."""
        self._halting_line = ""
        """How the line begins that said so."""
        self._pump = asyncio.create_task(self._keep_log())

    @classmethod
    async def start(cls, binary: Path, home: CometHome) -> CometProcess:
        """Start CometBFT in its folder, which must be written; our ABCI socket must be there.

        Args:
          binary: see `find_binary`.
          home: CometBFT's folder.

        Raises:
          Unavailable: the system starts no process.
        """
        with suppress(OSError):
            home.rpc_path.unlink(missing_ok=True)  # left by one that was killed
        log = BoundedLog(home.log_path)
        try:
            process = await asyncio.create_subprocess_exec(
                *build_launch(signal.SIGKILL, binary, "start", "--home", home.path.absolute()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=PIPE,
                stderr=STDOUT,
                env=choose_environment(os.environ),
                start_new_session=True,  # Ctrl-C at the terminal is for us, who stop it in order
            )
        except OSError as error:
            log.close()
            raise Unavailable(f"CometBFT cannot be started: {error.strerror}") from None
        return cls(process, log, home.log_path)

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    async def watch(self) -> None:
        """Wait until it was stopped.

        Raises:
          Corrupt: more than two thirds of the power signed another state than the one here.
          Unavailable: it ended by itself otherwise. Both messages have the last errors of its log.
        """
        await asyncio.shield(self._pump)
        code = await self._process.wait()
        if self._is_stopping:
            return
        if code in _KILLS and not self._halted:
            raise Unavailable(
                f"CometBFT ended by signal {-code}, and the node with it: it was killed by "
                "somebody, or by the system, as that does where memory is short (dmesg tells). "
                f"Its log: {self._log_path}",
                path=str(self._log_path),
            )
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        how = self._halted or how
        said = "; ".join(self._find_errors()) or "nothing"
        advice = _find_advice(self._halted, said, self._log_path.parent / "data")
        error = Corrupt if self._halted == _OTHER_STATE else Unavailable
        raise error(
            f"CometBFT ended {how}, and the node with it{advice}. Last it said: {said}. "
            f"All of it: {self._log_path}",
            path=str(self._log_path),
        )

    async def stop(self, within_s: float = STOP_S) -> None:
        """Stop it, and return once it has ended; kills it where it takes too long."""
        self._is_stopping = True
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within_s):
                await self._process.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._process.wait()
        await self._pump

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def _keep_log(self) -> None:
        """Bring what CometBFT says into its log, until it says no more; end it if it has halted."""
        output = self._process.stdout
        end = b"\n"
        try:
            while output is not None and (data := await output.read(WORDS_BYTES_MAX)):
                self._log.write(data)
                if not self._halted and (found := HALTED.search(end + data)) is not None:
                    self._halted = _tell_halt(found[0])
                    self._halting_line = _tidy(found[0].decode())
                    self._signal(signal.SIGKILL)
                end = (end + data)[-HALTED_BYTES_MAX:]
                self._words.append((time.monotonic(), data))
                self._words_bytes += len(data)
                while self._words_bytes - len(self._words[0][1]) >= WORDS_BYTES_MAX:
                    self._words_bytes -= len(self._words.popleft()[1])
        finally:
            self._log.close()

    def _find_errors(self) -> list[str]:
        """Find its last errors; what it said after it halted is an effect of that."""
        since_s = time.monotonic() - RECENT_S
        words = b"".join(data for came_s, data in self._words if came_s >= since_s)
        lines = words.decode("utf-8", "replace").splitlines()
        lines = [_tidy(line.partition(' stack="')[0]) for line in lines if line.strip()]
        if self._halted:
            halts = (n for n, line in enumerate(lines, 1) if line.startswith(self._halting_line))
            lines = lines[: next(halts, None)]
        return ([line for line in lines if line.startswith(_TELLING)] or lines)[-LAST_LINES:]


def _tidy(line: str) -> str:
    return " ".join(line.split())


def _tell_halt(line: bytes) -> str:
    if b"wrong Block.Header." in line:
        return _OTHER_STATE
    return _CONSENSUS if b"CONSENSUS" in line else _JOINING


def _find_advice(halted: str, said: str, data: Path) -> str:
    """Find what to do: it halted so, or names a fault of the system, as Go writes it."""
    if (found := _NO_PORT.search(said)) is not None:
        return (
            f", as it cannot listen on {found[1]} ({found[2]}): end what listens there, or correct "
            "cometbft.listen in node.toml"
        )
    if halted == _OTHER_STATE:
        return (
            ": this program differs from theirs (hansa --version), or something changed the state "
            "here; set the node up anew from a snapshot (docs/how-to/run-a-network.md)"
        )
    if _DAMAGED.search(said) is not None:
        return (
            f", as {data} is damaged: keep it, and do what docs/how-to/run-a-network.md says, "
            '"Where CometBFT\'s data are damaged"'
        )
    named = (text for number, text in ADVICE.items() if os.strerror(number).lower() in said)
    return "".join(f": {advice}" for advice in islice(named, 1))
