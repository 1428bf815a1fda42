"""Where a clerk works: in a thread of the node's process, or in a process of its own.

The node executes blocks under one interpreter's lock. A clerk beside it would take turns with it,
and deciding on a payment takes nearly as long as executing it; in a process of its own it has a
core, and the node waits for neither its journal nor its memory.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, Final, NamedTuple, ParamSpec, Protocol, TypeVar

from hansa.engine.workers import Workers
from hansa.kernel.errors import HansaError, Unavailable
from hansa.kernel.genesis import Network, decode_genesis
from hansa.node.risk.clerk.clerk import Clerk
from hansa.node.risk.clerk.deciding import Deciding
from hansa.node.risk.clerk.journal import Journal
from hansa.node.risk.loading import RiskFolder, Sources

P = ParamSpec("P")
T = TypeVar("T")

ENDED: Final = "the process that decides on payments ended, and is started anew"

_LOG = logging.getLogger("hansa.risk")


class Place(Protocol):
    """Where a clerk works."""

    async def ask(
        self, work: Callable[Concatenate[Clerk, P], T], /, *arguments: P.args, **named: P.kwargs
    ) -> T:
        """Have the clerk do something, behind all that it was asked before.

        Raises:
          Unavailable: it is not there; where it was asked to keep something, it may have.
          HansaError: as what it does.
        """

    async def put(self, sources: Sources) -> None:
        """Have it decide by this; raises as `Clerk.put`."""

    def close(self) -> None:
        """Let it end what it was asked, keep what it remembers, and close the journal."""


class InThread:
    """A clerk in a thread of this process: for tests, for several desks in one process."""

    def __init__(self, clerk: Clerk) -> None:
        self.clerk = clerk
        self._worker = ThreadPoolExecutor(1, "risk")

    async def ask(
        self, work: Callable[Concatenate[Clerk, P], T], /, *arguments: P.args, **named: P.kwargs
    ) -> T:
        """As `Place`."""
        loop = asyncio.get_running_loop()
        done = partial(work, self.clerk, *arguments, **named)
        return await loop.run_in_executor(self._worker, done)

    async def put(self, sources: Sources) -> None:
        """As `Place`."""
        await self.ask(Clerk.put, sources)

    def close(self) -> None:
        """As `Place`."""
        self._worker.shutdown()
        self.clerk.close()


class Opening(NamedTuple):
    """What a clerk is opened with."""

    folder: Path
    """Policy, rules, lists and models."""
    journal: Path
    passphrase: str
    """Of the journal."""
    genesis: bytes
    operator: bytes
    zone_offset_ms: int
    """What local time is ahead of UTC, for a journal that is new."""

    def open(self, sources: Sources, now_ms: int) -> Clerk:
        """Open one.

        Raises:
          Invalid: the passphrase is wrong, or what the folder says.
          Corrupt: the journal is damaged.
          Unavailable: the disk refuses.
        """
        folder = RiskFolder(self.folder, sources)
        journal = Journal.open(self.journal, self.passphrase)
        network = Network.of(decode_genesis(self.genesis))
        deciding = Deciding(
            network,
            self.operator,
            journal,
            os.urandom,
            find_begin(journal, now_ms),
            zone_offset_ms=self.zone_offset_ms,
            forks=True,  # the process has one thread, beside those of stores, which it leaves alone
        )
        return Clerk(deciding, folder)


class Apart:
    """A clerk in a process of its own; a new one if that dies."""

    def __init__(self, opening: Opening, sources: Sources, read_now_ms: Callable[[], int]) -> None:
        """Start the process, and open the journal there.

        Args:
          opening: what the clerk is opened with.
          sources: what it decides by.
          read_now_ms: what the time is, where one is opened.

        Raises:
          HansaError: as `Opening.open`.
        """
        self._opening = opening
        self._sources = sources
        self._read_now_ms = read_now_ms
        self._is_closed = False
        self._pool = self._start()
        try:
            self._pool.submit(_do, Clerk.count_events, (), {}).result()
        except (HansaError, BrokenProcessPool, OSError) as error:
            self._is_closed = True
            self._pool.shutdown()
            raise _tell(error) from None

    async def ask(
        self, work: Callable[Concatenate[Clerk, P], T], /, *arguments: P.args, **named: P.kwargs
    ) -> T:
        """As `Place`."""
        if self._is_closed:
            raise Unavailable("the node is stopping: send again when it is back")
        pool = self._pool
        try:
            return await pool.run(_do, work, arguments, named)
        except BrokenProcessPool as error:
            if pool is self._pool and not self._is_closed:  # the first to notice
                _LOG.error(ENDED)
                pool.shutdown(wait=False)
                with suppress(OSError):  # of what the system has no more: who asks next tries again
                    self._pool = self._start()
            raise _tell(error) from None
        except OSError as error:
            raise _tell(error) from None

    async def put(self, sources: Sources) -> None:
        """As `Place`."""
        await self.ask(Clerk.put, sources)
        self._sources = sources

    def close(self) -> None:
        """As `Place`."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._pool.submit(_do, Clerk.close, (), {}).result()
        except (HansaError, BrokenProcessPool, OSError) as error:
            _LOG.warning("what is remembered of payments could not be kept: %s", error)
        self._pool.shutdown()

    def _start(self) -> Workers:
        opened = (self._opening, self._sources, self._read_now_ms())
        return Workers(1, _begin, opened, niceness=0)  # payments wait for it


def find_begin(journal: Journal, now_ms: int) -> int:
    """Find when a clerk begins to decide: not before any decision, if the clock was put back.

    What it decided before is then known as that, and not taken in a second time. The last decision
    need not be the latest: the clock may have been put back, and more decided, before it ended.
    """
    return max(now_ms, journal.find_end())


def _tell(error: Exception) -> HansaError:
    """Tell in our errors why a clerk cannot be asked."""
    if isinstance(error, HansaError):
        return error
    if isinstance(error, OSError):
        return Unavailable(f"no process can be started that decides on payments: {error.strerror}")
    return Unavailable(f"{ENDED}: send again in a moment")


_open: Callable[[], Clerk] | None = None
_clerk: Clerk | None = None


def _begin(opening: Opening, sources: Sources, now_ms: int) -> None:
    """Begin in the process; the clerk is opened when it is first asked, so that errors are told."""
    global _open  # noqa: PLW0603 - one clerk for the life of the process
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # whoever started it stops it, in order
    _open = partial(opening.open, sources, now_ms)


def _do(work: Callable[..., T], arguments: tuple[Any, ...], named: dict[str, Any]) -> T:
    global _clerk  # noqa: PLW0603 - one clerk for the life of the process
    if _clerk is None:
        assert _open is not None  # noqa: S101 - set by the initializer
        _clerk = _open()
    return work(_clerk, *arguments, **named)
