"""An issuer as a process: from an opened folder until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import uvloop

from hansa.node.identity.issuer.app import WORKER, create_app
from hansa.node.identity.issuer.ledger.running import opened_delivery, prepare
from hansa.node.identity.issuer.service import IssuerService
from hansa.node.identity.serving import serve_until_stopped
from hansa.sdk.keys import KeyPair


class LedgerSide(NamedTuple):
    """What it takes to bring an issuer's decisions to the ledger."""

    folder: Path
    """Of the issuer."""
    key: KeyPair
    """Of the account that asserts for it."""
    warn: Callable[[str], None]
    """Gets what keeps verifiers from believing the issuer."""


def run_issuer(
    service: IssuerService,
    tell: Callable[[str, str], None],
    *,
    host: str | None = None,
    port: int | None = None,
    ledger: LedgerSide | None = None,
) -> None:
    """Serve an issuer until Ctrl-C or SIGTERM, and close it.

    Args:
      service: what is served.
      tell: gets the address that is listened on, and the issuer's own, once it answers.
      host: where to listen instead of what the settings say.
      port: the same for the port.
      ledger: what it takes to bring decisions there, where the settings name one.

    Raises:
      Unavailable: the port is taken, or the address is not this machine's; or the ledger does not
        answer, and without it there is no status list.
      Invalid: on the ledger the issuer has another key.
      Refused: the ledger lets this account make no status list.
      Corrupt: the records are damaged.
    """
    (usual_host, usual_port), url = service.settings.place, service.settings.url

    async def run() -> None:
        async with AsyncExitStack() as stack:
            delivery = None
            if ledger is not None:
                opened = opened_delivery(ledger.folder, service, ledger.key)
                delivery = await stack.enter_async_context(opened)
                await prepare(service, delivery, ledger.warn)
            app = create_app(service, delivery)
            await serve_until_stopped(
                app,
                usual_host if host is None else host,
                usual_port if port is None else port,
                lambda address: tell(address, url),
                app[WORKER].failed,
            )

    try:
        uvloop.run(run())
    finally:
        service.close()
