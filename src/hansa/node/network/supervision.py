"""Running all nodes of a network on one machine: started, watched, started again, stopped.

Each node is a process of its own, as if it were alone. One that ends is started again after a
pause that grows as long as it does not last; one that ends with what somebody must look at first
(wrong input, something missing, damage) is left and told. If this process dies, all nodes stop.

Source: docs/how-to/run-a-network.md.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from hansa.engine.cometbft.child.process import BoundedLog, build_launch
from hansa.engine.storage import FileStorage
from hansa.kernel.encoding import DECODE_ERRORS
from hansa.kernel.errors import Unavailable
from hansa.node.network.folders import NodeFolder
from hansa.node.network.logs import HELD, End, EndFile, name_start

LOOK_FIRST: Final = (2, 4, 70)
"""Exit codes after which starting again would not help: `Invalid`, `NotFound`, `Corrupt`."""
PAUSES_S: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Before each next start, as long as the node does not last."""
LASTING_S: Final = 60.0
"""After so long it counts as one that lasts."""
HELD_POLL_S: Final = 0.2
"""Between two looks whether a node is to be stopped, or started again."""
STOP_S: Final = 60.0
"""How long a node may take to stop before it is killed."""
LINE_BYTES_MAX: Final = 1 << 20


class Happening(StrEnum):
    """What can be told of a node."""

    STARTED = "started"
    ANSWERS = "answers"
    ENDED = "ended"
    """It is started again after a pause."""
    LEFT = "left"
    """It ended, and somebody must look first."""
    HELD = "held"
    """It was stopped alone, and is started when somebody says so."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a node."""

    node: str
    what: Happening
    text: str

    def to_json(self) -> dict[str, str]:
        """Build the object that `--json` prints."""
        return {"node": self.node, "event": self.what.value, "text": self.text}


@dataclass(slots=True)
class Backoff:
    """How long to wait before the next start.

    >>> backoff = Backoff((1.0, 2.0))
    >>> [backoff.choose_pause(lasted_s) for lasted_s in (0.1, 0.1, 0.1, 99.0)]
    [1.0, 2.0, 2.0, 1.0]
    """

    pauses_s: Sequence[float] = PAUSES_S
    _failures: int = field(default=0, init=False)

    def choose_pause(self, lasted_s: float) -> float:
        """Choose the pause after a node ran for so long."""
        self._failures = 0 if lasted_s >= LASTING_S else self._failures
        pause = self.pauses_s[min(self._failures, len(self.pauses_s) - 1)]
        self._failures += 1
        return pause


class Supervisor:
    """Runs the nodes of one folder; only one does at a time."""

    def __init__(
        self,
        folder: Path,
        nodes: Sequence[NodeFolder],
        program: Callable[[NodeFolder], Sequence[str]],
        tell: Callable[[Event], None],
        *,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        """Prepare to run nodes.

        Args:
          folder: of the network, which is locked while they run.
          nodes: to run.
          program: gives the command of a node, which prints one JSON object once it answers.
          tell: called with what happens.
          pauses_s: see `Backoff`.
        """
        self._storage = FileStorage(folder)
        self._nodes = nodes
        self._program = program
        self._tell = tell
        self._pauses_s = pauses_s

    async def run(self, stopped: asyncio.Event) -> None:
        """Run all nodes until `stopped` is set, then stop them.

        Raises:
          Unavailable: another process runs this network, or all nodes ended and were left.
        """
        self._storage.lock()
        keepers = [asyncio.create_task(self._keep(node, stopped)) for node in self._nodes]
        try:
            await asyncio.gather(*keepers)
        except BaseException:
            stopped.set()
            await asyncio.gather(*keepers, return_exceptions=True)
            raise
        finally:
            self._storage.unlock()
        if not stopped.is_set():
            raise Unavailable(
                "no node runs any more: each ended with what somebody must look at first, see above"
            )

    async def _keep(self, node: NodeFolder, stopped: asyncio.Event) -> None:
        """Run one node again and again, until it is to stop or to be left."""
        backoff, end_file = Backoff(self._pauses_s), EndFile(node.end_path)
        clock = asyncio.get_running_loop().time
        node.held_path.unlink(missing_ok=True)
        while not stopped.is_set():
            if node.held_path.exists():
                await self._hold(node, stopped, end_file)
                continue
            began_s = clock()
            code, how = await self._run_once(node, stopped, end_file)
            if stopped.is_set():
                self._tell(Event(node.name, Happening.STOPPED, "stopped"))
                return
            if node.held_path.exists():
                continue
            if code in LOOK_FIRST:
                end_file.write(End(how, None))
                start = name_start(node.home.path)
                text = f"{how}. It is not started again: mend that, then start it by {start}"
                self._tell(Event(node.name, Happening.LEFT, text))
                return
            pause_s = backoff.choose_pause(clock() - began_s)
            end_file.write(End(how, time.time_ns() // 1_000_000 + round(pause_s * 1_000)))
            text = f"{how}. It starts again in {pause_s:g} s"
            self._tell(Event(node.name, Happening.ENDED, text))
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), pause_s)

    async def _hold(self, node: NodeFolder, stopped: asyncio.Event, end_file: EndFile) -> None:
        """Leave a node stopped until it is to run again, or all are to stop."""
        end_file.write(End(HELD, None))
        self._tell(Event(node.name, Happening.HELD, HELD))
        while node.held_path.exists() and not stopped.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), HELD_POLL_S)
        end_file.write(None)

    async def _run_once(
        self, node: NodeFolder, stopped: asyncio.Event, end_file: EndFile
    ) -> tuple[int | None, str]:
        """Run one node until its end; returns its code, None if it has not begun, and words."""

        def tell(event: Event) -> None:
            if event.what is Happening.ANSWERS:
                end_file.write(None)
            self._tell(event)

        try:
            run = await _Run.start(node, self._program(node), tell)
        except OSError as error:  # too many processes or files: the others must not end for it
            return None, f"cannot be started: {error.strerror}"
        halted = asyncio.Event()
        watching = asyncio.create_task(_halt(node, stopped, halted))
        code = await run.wait(halted)
        watching.cancel()
        return code, f"ended by signal {-code}" if code < 0 else f"ended {run.describe_end(code)}"


async def _halt(node: NodeFolder, stopped: asyncio.Event, halted: asyncio.Event) -> None:
    """Set `halted` once all nodes are to stop, or this one."""
    while not stopped.is_set() and not node.held_path.exists():
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), HELD_POLL_S)
    halted.set()


class _Run:
    """One process of a node, from its start to its end."""

    def __init__(self, node: NodeFolder, process: Process, tell: Callable[[Event], None]) -> None:
        self._node = node
        self._process = process
        self._tell = tell
        self._words: deque[str] = deque(maxlen=1)

    @classmethod
    async def start(
        cls, node: NodeFolder, command: Sequence[str], tell: Callable[[Event], None]
    ) -> _Run:
        program, *arguments = command
        process = await asyncio.create_subprocess_exec(
            *build_launch(signal.SIGTERM, Path(program), *arguments),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            limit=LINE_BYTES_MAX,
            start_new_session=True,  # Ctrl-C at the terminal is for us, who stop it in order
        )
        tell(Event(node.name, Happening.STARTED, f"started as process {process.pid}"))
        return cls(node, process, tell)

    def describe_end(self, code: int) -> str:
        """Say with which code it ended, and what it said last on standard error."""
        said = "; ".join(self._words) or f"it said nothing; see {self._node.log_path}"
        return f"with exit code {code}: {said}"

    async def wait(self, stopped: asyncio.Event) -> int:
        """Wait for its end, which comes after `stopped` is set, or by itself; returns its code."""
        readers = [asyncio.create_task(each()) for each in (self._read_answer, self._keep_log)]
        stopping = asyncio.create_task(self._stop_after(stopped))
        try:
            await asyncio.gather(*readers)
            return await self._process.wait()
        finally:
            stopping.cancel()

    async def _stop_after(self, stopped: asyncio.Event) -> None:
        await stopped.wait()
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_S)
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def _read_answer(self) -> None:
        """Tell that it answers, once it says so; what else it prints is of no use here."""
        output = self._process.stdout
        while output is not None and (line := await _read_line(output)):
            with suppress(*DECODE_ERRORS, KeyError):
                found = json.loads(line)
                text = f"answers at {found['url']}/, block {found['height']}"
                self._tell(Event(self._node.name, Happening.ANSWERS, text))

    async def _keep_log(self) -> None:
        output = self._process.stderr
        log = BoundedLog(self._node.log_path)
        try:
            while output is not None and (line := await _read_line(output)):
                log.write(line)
                if text := line.decode("utf-8", "replace").strip():
                    self._words.append(_read_message(text))
        finally:
            log.close()


def _read_message(text: str) -> str:
    """Read what an error says; it is a JSON object, as the node was asked for."""
    try:
        return str(json.loads(text)["message"])
    except (*DECODE_ERRORS, KeyError):
        return text


async def _read_line(output: asyncio.StreamReader) -> bytes:
    """Read a line, or what there is of one that is longer than any should be."""
    try:
        return await output.readline()
    except ValueError:  # the reader has dropped what it held
        return b"(a line that is too long was left out)\n"
