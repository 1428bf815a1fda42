"""An operator as a process: it answers wallets, brings lifts to the ledger, and watches them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
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
        async with (
            working(folder, delivery, woken, warn) as tasks,
            listening(app, *place) as address,
        ):
            tell(address, verifier.settings.url)
            yield [app[FAILED], *tasks]


@asynccontextmanager
async def working(
    folder: OperatorFolder,
    delivery: TierDelivery,
    woken: asyncio.Event,
    warn: Callable[[str], None],
) -> AsyncIterator[Sequence[asyncio.Task[None]]]:
    """Bring cases on for as long as this lasts; gives what ends only by an error.

    What was shown is good for minutes: so it does not wait until all status lists are read.
    """
    tasks = (
        asyncio.create_task(_deliver(delivery, woken, _Teller(warn))),
        asyncio.create_task(_watch(folder, delivery, woken, _Teller(warn))),
    )
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Teller:
    """Tells what fails, each trouble once until it is another one, or over."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._told = ""

    def tell(self, trouble: HansaError | None) -> None:
        text = "" if trouble is None else trouble.message
        if text not in ("", self._told):
            self._warn(f"{text}; it is tried again")
        self._told = text


async def _deliver(delivery: TierDelivery, woken: asyncio.Event, teller: _Teller) -> None:
    pause_s = POLL_S
    while True:
        trouble = await delivery.deliver()
        teller.tell(trouble)
        pause_s = POLL_S if trouble is None else min(2 * pause_s, AWAY_MAX_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await woken.wait()
        woken.clear()


async def _watch(
    folder: OperatorFolder, delivery: TierDelivery, woken: asyncio.Event, teller: _Teller
) -> None:
    """Read status lists as often as the settings say."""
    while True:
        teller.tell(await delivery.watch())
        woken.set()
        folder.desk.cases.sweep(wall_clock_ms() - DAY_MS)
        await asyncio.sleep(folder.settings.watch_minutes * 60.0)
