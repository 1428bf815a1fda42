"""Serving an issuer, verifier or desk: a port, bounded connections, until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from hansa.kernel.errors import Unavailable
from hansa.node.connections import BoundedSite, Shares, bound_connections
from hansa.node.running import stopped_by_signals
from hansa.node.serving.protocol import build_protocol
from hansa.node.serving.serve import SHUTDOWN_S
from hansa.node.settings import Limits


@asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """Serve an application for as long as this lasts; gives the address that is listened on.

    Raises:
      Unavailable: the port is taken, or the address is not this machine's.
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
        yield f"http://{f'[{host}]' if ':' in host else host}:{bound}"
    finally:
        await runner.cleanup()


async def wait_until_stopped(*failed: asyncio.Future[None]) -> None:
    """Wait for Ctrl-C or SIGTERM.

    Raises:
      HansaError: what one of `failed` ends with.
    """
    with stopped_by_signals() as stopped:
        stopping = asyncio.create_task(stopped.wait())
        waiting: tuple[asyncio.Future[Any], ...] = (stopping, *failed)
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
    for each in failed:
        if each.done():
            each.result()
