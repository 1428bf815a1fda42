"""Bringing decisions to the ledger as a process does: at its start, beside its work, or at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from hansa.kernel.errors import Unavailable
from hansa.node.identity.issuer.ledger.delivery import POLL_S, Delivery, Outcome, RunWork
from hansa.node.identity.issuer.ledger.node import opened_node
from hansa.node.identity.issuer.ledger.standing import StandingWatch, check_standing
from hansa.node.identity.issuer.ledger.wants import Matter
from hansa.node.identity.issuer.service import IssuerService
from hansa.node.identity.records import RecordFile
from hansa.node.service import wall_clock_ms
from hansa.sdk.keys import KeyPair

T = TypeVar("T")
Pause = Callable[[float], Awaitable[None]]


@asynccontextmanager
async def opened_delivery(
    folder: Path, service: IssuerService, key: KeyPair | None
) -> AsyncIterator[Delivery]:
    """Open a delivery through the node that an issuer's settings name.

    Raises:
      NotFound: a file that the settings name is missing.
      Invalid: the issuer has no ledger, or the file is wrong.
    """
    settings, wants = service.settings, service.wants
    assert settings.ledger is not None, "only with a ledger is anything brought there"  # noqa: S101
    assert wants is not None, "they go together"  # noqa: S101
    async with opened_node(folder, settings.ledger, key) as node:
        address, length = settings.read_address(), settings.status.length
        yield Delivery(wants, address, length, node, time.monotonic)


def run_alone(records: RecordFile) -> RunWork:
    """Build what runs work on records that nobody else in this process uses."""

    async def run(work: Callable[[], T]) -> T:
        with records.at_once():
            return work()

    return run


async def prepare(
    service: IssuerService,
    delivery: Delivery,
    watch: StandingWatch,
    warn: Callable[[str], None],
    pause: Pause = asyncio.sleep,
) -> None:
    """Check an issuer's standing, and make the status lists that it needs.

    An issuer whose lists are there already starts also while the ledger does not answer.

    Args:
      service: of the issuer.
      delivery: to the ledger.
      watch: of its standing, which warns by itself.
      warn: gets what is wrong and does not keep it from starting.
      pause: waits so many seconds.

    Raises:
      Invalid: the key that signs is not the issuer's on the ledger, or a list is another.
      Refused: a rule of the ledger lets no list be made.
      Unavailable: the ledger does not answer, and there is no list yet.
    """
    wants = service.wants
    assert wants is not None, "only with a ledger is anything brought there"  # noqa: S101
    run = run_alone(service.records)
    try:
        await watch.check()
    except Unavailable as error:
        if not wants.has_room():
            raise
        warn(f"whether verifiers believe this issuer was not checked: {error.message}")
    wants.adopt()
    while not wants.has_room():
        outcome = await delivery.step(run)
        if delivery.trouble is not None:
            raise delivery.trouble
        if outcome is not Outcome.DONE:
            await pause(POLL_S)


async def warn_of_standing(
    service: IssuerService, delivery: Delivery, warn: Callable[[str], None]
) -> None:
    """Check an issuer's standing; raises as `check_standing`."""
    kinds = service.settings.credentials
    found = await check_standing(service, delivery.registry, wall_clock_ms(), kinds)
    for each in found.values():
        warn(each)


async def deliver_status(
    service: IssuerService, delivery: Delivery, number: int, pause: Pause = asyncio.sleep
) -> None:
    """Take steps until a credential's status is confirmed, or something fails."""
    run = run_alone(service.records)
    wants = service.wants
    assert wants is not None, "only with a ledger is anything brought there"  # noqa: S101
    while (found := wants.get_progress(Matter.STATUS, number)) is not None and not found.height:
        outcome = await delivery.step(run)
        if outcome is Outcome.TROUBLED:
            return
        if outcome is not Outcome.DONE:
            await pause(POLL_S)
