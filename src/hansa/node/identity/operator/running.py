"""An operator as a process: it answers wallets, brings lifts to the ledger, and watches them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import uvloop

from hansa.kernel.calendar import DAY_MS
from hansa.kernel.errors import HansaError
from hansa.node.identity.issuer.ledger.node import opened_node
from hansa.node.identity.operator.delivery import TierDelivery
from hansa.node.identity.operator.folder import OperatorFolder
from hansa.node.identity.serving import listening, wait_until_stopped
from hansa.node.identity.verifier.app import FAILED, create_app
from hansa.node.identity.verifier.running import opened_registry
from hansa.node.service import wall_clock_ms
from hansa.sdk.keys import KeyPair

POLL_S = 1.0
AWAY_MAX_S = 30.0


@asynccontextmanager
async def opened_delivery(folder: OperatorFolder, key: KeyPair) -> AsyncIterator[TierDelivery]:
    """Open a delivery through the node of the settings, with whom the verifier believes."""
    verifier, settings = folder.verifier, folder.settings
    async with (
        opened_registry(verifier.settings, verifier.roots) as registry,
        opened_node(folder.path, settings.ledger, key) as node,
    ):
        yield TierDelivery(folder.desk.cases, settings, node, registry, wall_clock_ms)


async def check_once(folder: OperatorFolder, key: KeyPair) -> HansaError | None:
    """Bring what waits to the ledger, read all statuses, and bring what follows; what failed."""
    async with opened_delivery(folder, key) as delivery:
        first = await delivery.deliver()
        watched = await delivery.watch()
        return await delivery.deliver() or watched or first


def run_operator(
    folder: OperatorFolder,
    key: KeyPair,
    tell: Callable[[str, str], None],
    warn: Callable[[str], None],
    *,
    host: str | None = None,
    port: int | None = None,
) -> None:
    """Serve an operator's verifier until Ctrl-C or SIGTERM, lift and watch, and close it.

    Args:
      folder: what is served.
      key: of an account that may operate.
      tell: gets the address that is listened on, and the verifier's own, once it answers.
      warn: gets what fails and is tried again.
      host: where to listen instead of what the settings say.
      port: the same for the port.

    Raises:
      Unavailable: the port is taken, or the address is not this machine's.
      Corrupt: the records are damaged.
    """
    usual_host, usual_port = folder.verifier.settings.place
    place = (usual_host if host is None else host, usual_port if port is None else port)

    async def run() -> None:
        async with serving_operator(folder, key, tell, place, warn) as failed:
            await wait_until_stopped(*failed)

    try:
        uvloop.run(run())
    finally:
        folder.close()


@asynccontextmanager
async def serving_operator(
    folder: OperatorFolder,
    key: KeyPair,
    tell: Callable[[str, str], None],
    place: tuple[str, int],
    warn: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[list[asyncio.Future[None]]]:
    """Serve an operator's verifier, lift and watch for as long as this lasts; gives what fails.

    `place` is host and port; the rest is as for `run_operator`, which closes the folder, too.
    """
    verifier = folder.verifier
    woken = asyncio.Event()
    async with (
        opened_registry(verifier.settings, verifier.roots) as registry,
        opened_delivery(folder, key) as delivery,
    ):
        accept = folder.desk.build_accept(woken.set)
        app = create_app(verifier, registry, warn=warn, accept=accept)
        working = asyncio.create_task(_work(folder, delivery, woken, warn))
        try:
            async with listening(app, *place) as address:
                tell(address, verifier.settings.url)
                yield [app[FAILED], working]
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working


async def _work(
    folder: OperatorFolder,
    delivery: TierDelivery,
    woken: asyncio.Event,
    warn: Callable[[str], None],
) -> None:
    """Bring cases on for good; status lists are read as often as the settings say."""
    watch_s = folder.settings.watch_minutes * 60.0
    next_watch_s, pause_s, told = time.monotonic(), POLL_S, ""
    while True:
        trouble = await delivery.deliver()
        if time.monotonic() >= next_watch_s:
            trouble = await delivery.watch() or trouble
            folder.desk.cases.sweep(wall_clock_ms() - DAY_MS)
            next_watch_s = time.monotonic() + watch_s
        if trouble is None:
            pause_s, told = POLL_S, ""
        else:
            if trouble.message != told:
                told = trouble.message
                warn(f"{told}; it is tried again")
            pause_s = min(2 * pause_s, AWAY_MAX_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await woken.wait()
        woken.clear()
