"""Serving an issuer or verifier: a port, bounded connections, until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from hansa.kernel.errors import Unavailable
from hansa.node.connections import BoundedSite, Shares, bound_connections
from hansa.node.running import stopped_by_signals
from hansa.node.serving.protocol import build_protocol
from hansa.node.serving.serve import SHUTDOWN_S
from hansa.node.settings import Limits


async def serve_until_stopped(
    app: web.Application,
    host: str,
    port: int,
    tell: Callable[[str], None],
    failed: asyncio.Future[None],
) -> None:
    """Serve until Ctrl-C or SIGTERM; `tell` gets the address once it answers.

    Raises:
      Unavailable: the port is taken, or the address is not this machine's.
      HansaError: what `failed` ends with.
    """
    runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    limits = Limits()
    shares = Shares(bound_connections(limits.connections), limits.connections_each)
    try:
        try:
            await BoundedSite(runner, host, port, shares, None, build=build_protocol).start()
        except OSError as error:
            raise Unavailable(
                f"cannot listen on {host}:{port}: {error.strerror or error}; end what listens "
                "there, or take another port"
            ) from None
        bound: int = runner.addresses[0][1]
        tell(f"http://{f'[{host}]' if ':' in host else host}:{bound}")
        with stopped_by_signals() as stopped:
            stopping = asyncio.create_task(stopped.wait())
            await asyncio.wait((stopping, failed), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
        if failed.done():
            failed.result()
    finally:
        await runner.cleanup()
