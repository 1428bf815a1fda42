"""An issuer as a process: from an opened folder until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable

import uvloop

from hansa.node.identity.issuer.app import WORKER, create_app
from hansa.node.identity.issuer.service import IssuerService
from hansa.node.identity.serving import serve_until_stopped


def run_issuer(
    service: IssuerService,
    tell: Callable[[str, str], None],
    *,
    host: str | None = None,
    port: int | None = None,
) -> None:
    """Serve an issuer until Ctrl-C or SIGTERM, and close it.

    Args:
      service: what is served.
      tell: gets the address that is listened on, and the issuer's own, once it answers.
      host: where to listen instead of what the settings say.
      port: the same for the port.

    Raises:
      Unavailable: the port is taken, or the address is not this machine's.
      Corrupt: the records are damaged.
    """
    (usual_host, usual_port), url = service.settings.place, service.settings.url

    async def run() -> None:
        app = create_app(service)
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
