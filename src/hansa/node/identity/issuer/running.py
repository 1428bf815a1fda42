"""An issuer as a process: from an opened folder until it is told to stop."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import uvloop

from hansa.node.identity.desk.issuer import opened_issuer_desk
from hansa.node.identity.desk.running import run_desk, served_desk
from hansa.node.identity.issuer.app import WORKER, create_app
from hansa.node.identity.issuer.ledger.running import opened_delivery, prepare
from hansa.node.identity.issuer.ledger.standing import StandingWatch
from hansa.node.identity.issuer.service import IssuerService
from hansa.node.identity.serving import listening, wait_until_stopped
from hansa.sdk.keys import KeyPair


class LedgerSide(NamedTuple):
    """What it takes to bring an issuer's decisions to the ledger."""

    folder: Path
    """Of the issuer."""
    key: KeyPair
    """Of the account that asserts for it."""
    warn: Callable[[str], None]
    """Gets what keeps verifiers from believing the issuer."""


def run_issuer(  # noqa: PLR0913 - the options of `hansa id issuer up`, by keyword
    service: IssuerService,
    tell: Callable[[str, str], None],
    *,
    host: str | None = None,
    port: int | None = None,
    ledger: LedgerSide | None = None,
    warn: Callable[[str], None] = lambda _: None,
    tell_desk: Callable[[str], None] | None = None,
) -> None:
    """Serve an issuer until Ctrl-C or SIGTERM, and close it.

    Args:
      service: what is served.
      tell: gets the address that is listened on, and the issuer's own, once it answers.
      host: where to listen instead of what the settings say.
      port: the same for the port.
      ledger: what it takes to bring decisions there, where the settings name one.
      warn: gets what could not be had when a wallet asked.
      tell_desk: gets each link that opens the officer's desk, which is served, too; None for none.

    Raises:
      Unavailable: the port is taken, or not this machine's; the ledger does not answer.
      Invalid: on the ledger the issuer has another key.
      Refused: the ledger lets this account make no status list.
      Corrupt: the records are damaged.
    """
    usual_host, usual_port = service.settings.place
    place = (usual_host if host is None else host, usual_port if port is None else port)

    async def run() -> None:
        opened = serving_issuer(service, tell, place, ledger=ledger, warn=warn, tell_desk=tell_desk)
        async with opened as failed:
            await wait_until_stopped(failed)

    try:
        uvloop.run(run())
    finally:
        service.close()


@asynccontextmanager
async def serving_issuer(
    service: IssuerService,
    tell: Callable[[str, str], None],
    place: tuple[str, int],
    *,
    ledger: LedgerSide | None = None,
    warn: Callable[[str], None] = lambda _: None,
    tell_desk: Callable[[str], None] | None = None,
) -> AsyncIterator[asyncio.Future[None]]:
    """Serve an issuer for as long as this lasts; gives what fails once its records are damaged.

    `place` is host and port; the rest is as for `run_issuer`, which closes the issuer, too.
    """
    async with AsyncExitStack() as stack:
        delivery = watch = None
        if ledger is not None:
            opened = opened_delivery(ledger.folder, service, ledger.key)
            delivery = await stack.enter_async_context(opened)
            watch = StandingWatch(service, delivery.registry, ledger.warn)
            await prepare(service, delivery, watch, ledger.warn)
        app = create_app(service, delivery, watch, warn=warn)
        worker = app[WORKER]
        tell(await stack.enter_async_context(listening(app, *place)), service.settings.url)
        if tell_desk is not None:
            pages = opened_issuer_desk(service, secrets.token_bytes, time.monotonic, worker)
            desk = await stack.enter_async_context(pages)
            await stack.enter_async_context(served_desk(desk, tell_desk))
        yield worker.failed


def run_issuer_desk(
    service: IssuerService, tell: Callable[[str], None], port: int | None = None
) -> None:
    """Serve an officer's desk until Ctrl-C or SIGTERM, and close the issuer.

    Args:
      service: whose desk it is.
      tell: gets each link that opens it.
      port: where to listen; else the first that is free.

    Raises:
      Unavailable: the port is taken.
      Corrupt: the records are damaged.
    """
    try:
        run_desk(
            lambda: opened_issuer_desk(service, secrets.token_bytes, time.monotonic), tell, port
        )
    finally:
        service.close()
