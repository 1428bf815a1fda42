"""The server: binds a port, speaks TLS where the settings say so, and serves one node."""

from __future__ import annotations

import errno
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from hansa.kernel.errors import Unavailable
from hansa.node.api.keys import KeyRing
from hansa.node.channel.service import MessageChannel
from hansa.node.connections import BoundedSite, Shares, bound_connections
from hansa.node.service import Node
from hansa.node.serving.app import create_app
from hansa.node.serving.protocol import build_protocol
from hansa.node.settings import Settings, build_tls

if TYPE_CHECKING:  # of extras, which a node that does neither need not have
    from hansa.node.reconcile.service import PairService
    from hansa.node.risk.desk import RiskDesk

PORT_MAX = 65_535
EVERYWHERE = "::"
EVERYWHERE_IPV4 = "0.0.0.0"  # noqa: S104 - by the settings' leave alone
SHUTDOWN_S = 5.0
"""What requests at work may take once the server is told to stop."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server at work."""

    host: str
    port: int
    url: str
    """Under which this machine reaches it."""
    runner: web.AppRunner

    async def stop(self) -> None:
        """Take no more requests, let those at work end, and close."""
        await self.runner.cleanup()


async def serve(  # noqa: PLR0913 - what a node is made of, by keyword beyond the first
    node: Node,
    settings: Settings,
    keys: KeyRing | None = None,
    channel: MessageChannel | None = None,
    pairs: PairService | None = None,
    risk: RiskDesk | None = None,
    *,
    ports_tried: int = 1,
) -> Server:
    """Serve API and console of a node that has been started.

    Args:
      node: what is served; stop it after the server.
      settings: where to listen, TLS, rights and limits.
      keys: the API keys, `KeyRing(home.api_keys_path)`; None for a node without any.
      channel: its messages; stop them after the server. None for a node without a channel key.
      pairs: its reconciliation; stop it after the server. None for a node that does none.
      risk: its risk desk; stop it after the server. None for a node that does not decide.
      ports_tried: take the first free port of so many, from the settings' on.

    Raises:
      Invalid: the settings' TLS files are wrong.
      Unavailable: no port is free, or the address is not this machine's.
    """
    context = build_tls(settings)
    app = create_app(node, settings, keys, channel, pairs, risk)
    runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    limits = settings.limits
    shares = Shares(bound_connections(limits.connections), limits.connections_each)
    host, first = settings.listen.host, settings.listen.port
    last = min(first + ports_tried - 1, PORT_MAX)
    try:
        for port in range(first, last + 1):
            try:
                await _listen(runner, host, port, shares, context)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                raise Unavailable(
                    f"cannot listen on {host}:{port}: {error.strerror or error}; correct "
                    "[listen] of node.toml"
                ) from None
            return _describe(runner, host, is_tls=context is not None)
        ports = f"port {first} is" if last == first else f"ports {first} to {last} are"
        raise Unavailable(f"{ports} in use on {host}: end what listens there, or take another")
    except BaseException:
        await runner.cleanup()
        raise


async def _listen(
    runner: web.AppRunner, host: str, port: int, shares: Shares, context: ssl.SSLContext | None
) -> None:
    """Listen on an address; for `::` on those of IPv4, too, by a socket of their own.

    So a caller's IPv4 address is never seen mapped into IPv6. Raises `OSError`.
    """
    site = BoundedSite(runner, host, port, shares, context, build=build_protocol)
    await site.start()
    if host != EVERYWHERE:
        return
    bound: int = runner.addresses[0][1]
    try:
        second = BoundedSite(runner, EVERYWHERE_IPV4, bound, shares, context, build=build_protocol)
        await second.start()
    except OSError:
        await site.stop()
        raise


def _describe(runner: web.AppRunner, host: str, *, is_tls: bool) -> Server:
    port: int = runner.addresses[0][1]
    near = {EVERYWHERE_IPV4: "127.0.0.1", EVERYWHERE: "[::1]"}.get(host, host)
    name = f"[{near}]" if ":" in near and not near.startswith("[") else near
    return Server(host, port, f"{'https' if is_tls else 'http'}://{name}:{port}", runner)
