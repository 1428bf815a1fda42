"""Places that callers share: live connections, requests at work, and the bytes of their bodies.

A caller that holds as many places as are still free gets no more, so that whoever comes new always
finds one until very many have come.

Source: dynamic thresholds, Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import NamedTuple

from aiohttp import web

from hansa.node.limiter import name_remote

FILES_KEPT = 256
"""Of the process's open files, for what is no connection: the log, the store, the pool."""
KEPT_SHARE = 4
"""One in so many requests and streams is kept for known callers."""
KNOWN = "known"
HANDSHAKE_S = 10.0
"""Within which TLS must be agreed on."""
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


class _Connection(asyncio.Protocol):
    """One connection: handed on to the server's own protocol, or closed at once.

    Args:
      build: builds the server's protocol.
      shares: the places of connections.
      caller: who has a place for it already; else it takes one.
    """

    def __init__(
        self, build: Callable[[], asyncio.Protocol], shares: Shares, caller: str | None = None
    ) -> None:
        self._build = build
        self._shares = shares
        self._caller = caller
        self._inner: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._caller is None:
            peer = transport.get_extra_info("peername")
            caller = name_remote(peer[0] if peer else None)
            if not self._shares.take(caller):
                if isinstance(transport, asyncio.WriteTransport):
                    transport.abort()
                return
            self._caller = caller
        self._inner = self._build()
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
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
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()


class BoundedSite(web.BaseSite):
    """A port that is listened on, with a bound on connections.

    asyncio tells of a connection under TLS only once TLS is agreed, so there we accept ourselves:
    a connection has a place from its beginning, and a handshake that never ends holds it no longer
    than `handshake_s`.

    Args:
      runner: of the application that is served.
      host: address to bind.
      port: the same; 0 for any free one.
      shares: the places of connections.
      context: TLS, or None.
      handshake_s: within which TLS must be agreed on.
    """

    def __init__(
        self,
        runner: web.AppRunner,
        host: str,
        port: int,
        shares: Shares,
        context: ssl.SSLContext | None,
        *,
        handshake_s: float = HANDSHAKE_S,
    ) -> None:
        super().__init__(runner, ssl_context=context)
        self._host = host
        self._port = port
        self._shares = shares
        self._handshake_s = handshake_s
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
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(server, self._shares),
            self._host,
            self._port,
            backlog=self._backlog,
            start_serving=self._ssl_context is None,
        )
        if self._ssl_context is not None:
            try:
                for bound in self._server.sockets:
                    self._listen(bound.fileno(), server)
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
                    self._begin(self._agree(accepted, _Connection(build, self._shares, caller)))
                else:
                    accepted.close()

    async def _agree(self, accepted: socket.socket, connection: _Connection) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=self._ssl_context,
                ssl_handshake_timeout=self._handshake_s,
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
