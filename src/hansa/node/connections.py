"""Places that callers share: live connections, and requests at work; no caller takes all.

A caller that holds as many places as are still free gets no more, so that whoever comes new always
finds one until very many have come.

Source: dynamic thresholds, Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998.
"""

from __future__ import annotations

import asyncio
import resource
import ssl
from collections import Counter
from collections.abc import Callable

from aiohttp import web

from hansa.node.limiter import name_remote

FILES_KEPT = 256
"""Of the process's open files, for what is no connection: the log, the store, the pool."""
KEPT_SHARE = 4
"""One in so many requests and streams is kept for known callers."""
KNOWN = "known"
HANDSHAKE_S = 10.0
"""Within which TLS must be agreed on."""


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

    def take(self, caller: str) -> bool:
        """Take a place for a caller, if it may have one; give it back by `give_back`."""
        held = self._held.get(caller, 0)
        if self.free <= 0 or held >= self._each or 0 < held >= self.free:
            return False
        self._held[caller] = held + 1
        self.free -= 1
        return True

    def give_back(self, caller: str) -> None:
        """Give back a place that was taken."""
        self.free += 1
        self._held[caller] -= 1
        if not self._held[caller]:
            del self._held[caller]


class Slots:
    """Requests at work: three quarters shared by those that show no key, the rest kept for others.

    A key that is none is refused before its request's body is read, so it holds no slot for long.

    Args:
      total: how many there are.
    """

    def __init__(self, total: int) -> None:
        strangers = total - total // KEPT_SHARE
        self._strangers = Shares(strangers, strangers)
        self._free = total

    def take(self, request: web.Request, *, is_known: bool) -> str | None:
        """Take a slot; returns what to give back, None where there is none to have."""
        if self._free <= 0:
            return None
        caller = KNOWN if is_known or _shows_key(request) else name_remote(request.remote)
        if caller != KNOWN and not self._strangers.take(caller):
            return None
        self._free -= 1
        return caller

    def give_back(self, slot: str) -> None:
        """Give back what `take` returned."""
        self._free += 1
        if slot != KNOWN:
            self._strangers.give_back(slot)


def _shows_key(request: web.Request) -> bool:
    if "Authorization" in request.headers:
        return True
    return request.transport is not None and bool(request.transport.get_extra_info("peercert"))


class _Connection(asyncio.Protocol):
    """One connection: handed on to the server's own protocol, or closed at once."""

    def __init__(self, build: Callable[[], asyncio.Protocol], shares: Shares) -> None:
        self._build = build
        self._shares = shares
        self._caller = ""
        self._inner: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self._caller = name_remote(peer[0] if peer else None)
        if self._shares.take(self._caller):
            self._inner = self._build()
            self._inner.connection_made(transport)
        elif isinstance(transport, asyncio.WriteTransport):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._inner is not None:
            self._shares.give_back(self._caller)
            self._inner.connection_lost(exc)
            self._inner = None

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

    Args:
      runner: of the application that is served.
      host: address to bind.
      port: the same; 0 for any free one.
      shares: the places of connections.
      context: TLS, or None.
    """

    def __init__(
        self,
        runner: web.AppRunner,
        host: str,
        port: int,
        shares: Shares,
        context: ssl.SSLContext | None,
    ) -> None:
        super().__init__(runner, ssl_context=context)
        self._host = host
        self._port = port
        self._shares = shares

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
            ssl=self._ssl_context,
            backlog=self._backlog,
            ssl_handshake_timeout=HANDSHAKE_S if self._ssl_context else None,
        )


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
