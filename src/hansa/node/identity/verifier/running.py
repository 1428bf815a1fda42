"""A verifier as a process: from an opened folder until it is told to stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import uvloop
from aiohttp import ClientSession, DummyCookieJar

from hansa.identity.verifier.certified import Roots
from hansa.identity.verifier.registry import Registry
from hansa.node.identity.desk.frame import Desk
from hansa.node.identity.desk.running import run_desk, served_desk
from hansa.node.identity.desk.verifier import open_verifier_desk
from hansa.node.identity.serving import listening, wait_until_stopped
from hansa.node.identity.verifier.app import FAILED, create_app
from hansa.node.identity.verifier.folder import VerifierFolder
from hansa.node.identity.verifier.ledger import NodeRegistry
from hansa.node.identity.verifier.pinned import NO_ROOTS, PinnedRegistry, fetch_list
from hansa.node.identity.verifier.settings import Settings
from hansa.node.service import wall_clock_ms
from hansa.sdk.async_client import AsyncClient


@asynccontextmanager
async def opened_registry(
    settings: Settings, roots: Mapping[str, Roots] = NO_ROOTS
) -> AsyncIterator[Registry]:
    """Open the registry that the settings name: a node's ledger, or the issuers in the file.

    `roots` are those of the files that the settings name.
    """
    if settings.node is not None:
        async with AsyncClient(settings.node.url, settings.node.genesis) as client:
            yield NodeRegistry(client, roots.get(settings.node.roots))
        return
    async with ClientSession(cookie_jar=DummyCookieJar()) as session:
        yield PinnedRegistry(settings.issuers, partial(fetch_list, session), wall_clock_ms, roots)


def run_verifier(
    folder: VerifierFolder,
    tell: Callable[[str, str], None],
    *,
    host: str | None = None,
    port: int | None = None,
    warn: Callable[[str], None] = lambda _: None,
    tell_desk: Callable[[str], None] | None = None,
) -> None:
    """Serve a verifier until Ctrl-C or SIGTERM, and close it.

    Args:
      folder: what is served.
      tell: gets the address that is listened on, and the verifier's own, once it answers.
      host: where to listen instead of what the settings say.
      port: the same for the port.
      warn: gets what could not be had when a wallet asked.
      tell_desk: gets each link that opens the officer's desk, which is served, too; None for none.

    Raises:
      Unavailable: the port is taken, or the address is not this machine's.
      Corrupt: the records are damaged.
    """
    usual_host, usual_port = folder.settings.place
    place = (usual_host if host is None else host, usual_port if port is None else port)

    async def run() -> None:
        async with serving_verifier(folder, tell, place, warn=warn, tell_desk=tell_desk) as failed:
            await wait_until_stopped(*failed)

    try:
        uvloop.run(run())
    finally:
        folder.records.close()


@asynccontextmanager
async def serving_verifier(
    folder: VerifierFolder,
    tell: Callable[[str, str], None],
    place: tuple[str, int],
    *,
    warn: Callable[[str], None] = lambda _: None,
    tell_desk: Callable[[str], None] | None = None,
) -> AsyncIterator[list[asyncio.Future[None]]]:
    """Serve a verifier for as long as this lasts; gives what fails once its records are damaged.

    `place` is host and port; the rest is as for `run_verifier`, which closes the records, too.
    """
    settings = folder.settings
    async with AsyncExitStack() as stack:
        opened = opened_registry(settings, folder.roots)
        app = create_app(folder, await stack.enter_async_context(opened), warn=warn)
        tell(await stack.enter_async_context(listening(app, *place)), settings.url)
        failed = [app[FAILED]]
        if tell_desk is not None:
            desk = open_verifier_desk(folder, time.monotonic)
            await stack.enter_async_context(served_desk(desk, tell_desk))
            failed.append(desk.failed)
        yield failed


def run_verifier_desk(
    folder: VerifierFolder, tell: Callable[[str], None], port: int | None = None
) -> None:
    """Serve an officer's desk until Ctrl-C or SIGTERM, and close the verifier.

    Args:
      folder: whose desk it is.
      tell: gets each link that opens it.
      port: where to listen; else the first that is free.

    Raises:
      Unavailable: the port is taken.
      Corrupt: the records are damaged.
    """

    @asynccontextmanager
    async def opened() -> AsyncIterator[Desk]:
        yield open_verifier_desk(folder, time.monotonic)

    try:
        run_desk(opened, tell, port)
    finally:
        folder.records.close()
