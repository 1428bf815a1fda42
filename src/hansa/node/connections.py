"""Places that callers share: live connections, requests at work, and the bytes of their bodies.

A caller that holds as many places as are still free gets no more, so that whoever comes new always
finds one until very many have come.

Source: dynamic thresholds, Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998.
"""

from __future__ import annotations

import asyncio
import functools
import os
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import NamedTuple, cast

from aiohttp import web

from hansa.node.limiter import name_remote

FILES_KEPT = 256
"""Of the process's open files, for what is no connection: the log, the store, the pool."""
KEPT_SHARE = 4
"""One in so many requests and streams is kept for known callers."""
KNOWN = "known"
HANDSHAKE_S = 10.0
GOODBYE_S = 5.0
STALL_S = 60.0
STALL_BYTES = 16_384
"""How much a reader must take in time, where so much waits."""
REST_S = 0.1
"""Before the next connection is accepted, where one could not be."""


class Shares:
    """Places given out to callers.

    Args:
      total: how many there are.
      each: how many one caller may hold at most; it gets fewer where many are taken.
    """

    def __init__(self, total: int, each: int) -> None:
        self._each = each
        self._held: Counter[str] = Counter()
        self.free = total

    def take(self, caller: str, count: int = 1) -> bool:
        """Take places for a caller, all or none; give them back by `give_back`."""
        held = self._held.get(caller, 0)
        if held + count > min(self._each, self.free):
            return False
        self._held[caller] = held + count
        self.free -= count
        return True

    def give_back(self, caller: str, count: int = 1) -> None:
        """Give back places that were taken."""
        self.free += count
        self._held[caller] -= count
        if not self._held[caller]:
            del self._held[caller]


class Slot(NamedTuple):
    """What one request at work holds."""

    caller: str
    body_bytes: int


class Slots:
    """Requests at work and their bodies: three quarters for all, the rest for those with a key.

    A body has its place from before it is read until its request is answered. A key that is none
    is refused before its request's body is read, so it holds no slot for long.

    Args:
      total: how many requests there may be.
      bytes_total: what their bodies may have together.
    """

    def __init__(self, total: int, bytes_total: int) -> None:
        strangers = total - total // KEPT_SHARE
        strangers_bytes = bytes_total - bytes_total // KEPT_SHARE
        self._strangers = Shares(strangers, strangers)
        self._strangers_bytes = Shares(strangers_bytes, strangers_bytes)
        self._free = total
        self._free_bytes = bytes_total

    def take(self, request: web.Request, *, is_known: bool) -> Slot | None:
        """Take a slot; returns what to give back, None where there is none to have."""
        size = _bound_body(request)
        if self._free <= 0 or size > self._free_bytes:
            return None
        caller = KNOWN if is_known or _shows_key(request) else name_remote(request.remote)
        if caller != KNOWN:
            if not self._strangers.take(caller):
                return None
            if not self._strangers_bytes.take(caller, size):
                self._strangers.give_back(caller)
                return None
        self._free -= 1
        self._free_bytes -= size
        return Slot(caller, size)

    def give_back(self, slot: Slot) -> None:
        """Give back what `take` returned."""
        self._free += 1
        self._free_bytes += slot.body_bytes
        if slot.caller != KNOWN:
            self._strangers.give_back(slot.caller)
            self._strangers_bytes.give_back(slot.caller, slot.body_bytes)


def _bound_body(request: web.Request) -> int:
    """Bound the bytes that are read of a body: what it says, or all it may have."""
    if not request.body_exists:
        return 0
    length = request.content_length
    return request.client_max_size if length is None else min(length, request.client_max_size)


def _shows_key(request: web.Request) -> bool:
    if "Authorization" in request.headers:
        return True
    return request.transport is not None and bool(request.transport.get_extra_info("peercert"))


class Patience(NamedTuple):
    """How long a connection is waited for."""

    handshake_s: float = HANDSHAKE_S
    """Within which TLS must be agreed on."""
    goodbye_s: float = GOODBYE_S
    """Within which the other side must agree that TLS ends, once the server closes."""
    stall_s: float = STALL_S
    """Within which a reader must take something of an answer."""


PATIENCE = Patience()


class _Connection(asyncio.Protocol):
    """One connection: handed on to the server's own protocol, or closed at once.

    A reader that takes too little of what is sent is cut off: also a connection that is closed
    lasts until all was taken. Under TLS that is so while more is to be written; closing it has a
    bound of its own there.

    Args:
      build: builds the server's protocol.
      shares: the places of connections.
      stall_s: within which a reader must take something.
      caller: who has a place for it already; else it takes one.
    """

    def __init__(
        self,
        build: Callable[[], asyncio.Protocol],
        shares: Shares,
        stall_s: float,
        caller: str | None = None,
    ) -> None:
        self._build = build
        self._shares = shares
        self._stall_s = stall_s
        self._caller = caller
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is not of that class
        if self._caller is None:
            peer = transport.get_extra_info("peername")
            caller = name_remote(peer[0] if peer else None)
            if not self._shares.take(caller):
                self._transport.abort()
                return
            self._caller = caller
        if transport.get_extra_info("sslcontext") is None:  # else there is a second buffer below
            self._transport.set_write_buffer_limits(high=1, low=0)  # so that we hear of all
        self._inner = self._build()
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_watch()
        if self._inner is not None:
            self.give_back()
            self._inner.connection_lost(exc)
            self._inner = None

    def give_back(self) -> None:
        """Give the place back, if it has one; a second time does nothing."""
        if self._caller is not None:
            self._shares.give_back(self._caller)
            self._caller = None

    def data_received(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return None if self._inner is None else self._inner.eof_received()

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._begin_watch()
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._end_watch()
        if self._inner is not None:
            self._inner.resume_writing()

    def _begin_watch(self) -> None:
        if self._transport is not None:
            waiting = self._transport.get_write_buffer_size()
            loop = asyncio.get_running_loop()
            self._watch = loop.call_later(self._stall_s, self._check_reader, waiting)

    def _check_reader(self, waited: int) -> None:
        assert self._transport is not None  # noqa: S101 - its watch has begun
        if self._transport.get_write_buffer_size() > waited - STALL_BYTES:
            self._transport.abort()
        else:
            self._begin_watch()

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None


class BoundedSite(web.BaseSite):
    """A port that is listened on, with a bound on connections.

    asyncio tells of a connection under TLS only once TLS is agreed, so there we accept ourselves:
    a connection has a place from its beginning, and a handshake that never ends holds it no longer
    than its patience.

    Args:
      runner: of the application that is served.
      host: address to bind.
      port: the same; 0 for any free one.
      shares: the places of connections.
      context: TLS, or None.
      patience: how long a connection is waited for.
      build: builds the protocol of a connection; the server's own where not given.
    """

    def __init__(  # noqa: PLR0913 - what is listened on, and how, by keyword
        self,
        runner: web.AppRunner,
        host: str,
        port: int,
        shares: Shares,
        context: ssl.SSLContext | None,
        *,
        patience: Patience = PATIENCE,
        build: Callable[[web.Server], asyncio.Protocol] = web.Server.__call__,
    ) -> None:
        super().__init__(runner, ssl_context=context)
        self._host = host
        self._port = port
        self._shares = shares
        self._patience = patience
        self._build = build
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        """Its address, as aiohttp tells sites apart."""
        return f"{'https' if self._ssl_context else 'http'}://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen; raises `OSError`."""
        await super().start()
        server = self._runner.server
        assert server is not None  # noqa: S101 - the runner is set up
        build = functools.partial(self._build, server)
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(build, self._shares, self._patience.stall_s),
            self._host,
            self._port,
            backlog=self._backlog,
            start_serving=self._ssl_context is None,
        )
        if self._ssl_context is not None:
            try:
                for bound in self._server.sockets:
                    self._listen(bound.fileno(), build)
            except OSError:
                await self._close()
                raise

    async def stop(self) -> None:
        """Listen no more, and end the handshakes under way."""
        await super().stop()
        await self._close()

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _listen(self, descriptor: int, build: Callable[[], asyncio.Protocol]) -> None:
        listening = socket.socket(fileno=os.dup(descriptor))
        listening.settimeout(0)
        listening.listen(self._backlog)
        self._begin(self._accept(listening, build))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(
        self, listening: socket.socket, build: Callable[[], asyncio.Protocol]
    ) -> None:
        with listening:
            while True:
                try:
                    accepted, address = await asyncio.get_running_loop().sock_accept(listening)
                except OSError:  # gone already, or no more files
                    await asyncio.sleep(REST_S)
                    continue
                caller = name_remote(address[0])
                if self._shares.take(caller):
                    connection = _Connection(build, self._shares, self._patience.stall_s, caller)
                    self._begin(self._agree(accepted, connection))
                else:
                    accepted.close()

    async def _agree(self, accepted: socket.socket, connection: _Connection) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=self._ssl_context,
                ssl_handshake_timeout=self._patience.handshake_s,
                ssl_shutdown_timeout=self._patience.goodbye_s,
            )
        except OSError:  # no TLS, another version of it, too late, gone
            connection.give_back()
        except asyncio.CancelledError:
            connection.give_back()
            raise


def bound_connections(wanted: int) -> int:
    """Let this process open all the files that it may; returns how many connections fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):  # a system may forbid what it names as its bound
            pass
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, soft - FILES_KEPT))
