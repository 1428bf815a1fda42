"""The demo as a process: a fresh node, the day, the summary, and serving until Ctrl-C."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import uvloop
from msgspec.structs import replace

from hansa.contracts.proposals import HOUR_MS
from hansa.engine.chain import Chain
from hansa.engine.verification import PoolVerifier
from hansa.kernel.errors import Corrupt, Invalid, InvalidCode, Unavailable
from hansa.node.api.keys import KeyRing
from hansa.node.demo.council import FIRST_MEETING_MS
from hansa.node.demo.crimes import Crimes
from hansa.node.demo.desks import DeskLink, make_folders, served_desks
from hansa.node.demo.run import DemoReport, DemoRun, Progress, TownClock
from hansa.node.demo.summary import Served, summarise
from hansa.node.demo.town import PASSPHRASE, VISITOR, Town, make_genesis, make_town
from hansa.node.home import Home, create_home, open_chain
from hansa.node.running import stopped_by_signals
from hansa.node.service import Node, wall_clock_ms
from hansa.node.serving.serve import serve
from hansa.node.settings import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    Access,
    Limits,
    Listen,
    LoopbackReads,
    Settings,
    Sponsored,
)
from hansa.program import name_program

if TYPE_CHECKING:  # of an extra
    from hansa.node.demo.guarding import Guard
    from hansa.node.demo.lending import CoLending
    from hansa.node.risk.desk import RiskDesk

PORTS_TRIED = 100

SETTINGS = Settings(
    access=Access(loopback=LoopbackReads.EVERYTHING, sponsor_for=Sponsored.ANYONE),
    limits=Limits(known_per_s=0, anyone_per_s=0),
)
"""The demo runs on one's own machine, for whoever sits there."""

ATTESTED = {
    "payments.attestation_from_minor": (50_000,),
    "payments.model_from_minor": (100_000,),
}
"""Policy where operators decide: from 500.00 on they attest, from 1,000.00 on by a model."""

Tell = Callable[[dict[str, object], list[str]], None]
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What the demo is asked for."""

    folder: Path
    """Absolute: the commands in the summary work from anywhere."""
    seed: int
    people: int
    merchants: int
    payments: int
    loans: int
    """0 leaves the banks that lend, and what they load, out of the day."""
    crimes: int
    """0 leaves risk control, and what it loads, out of it."""
    port: int | None
    is_served: bool


def run_demo(
    settings: DemoSettings, progress: Progress, tell: Tell, note: Note = lambda _: None
) -> int:
    """Run the demo; returns the exit code: 0 if audit, supply and banks' books are right.

    A day that was not played to its end, because the disk is full, no port is free or somebody
    pressed Ctrl-C, leaves nothing behind: a demo does not go on where another ended.

    `tell` gets the summary, as an object and in lines, and `note` what comes later.

    Raises:
      Invalid: the folder holds something already, or is none.
      Unavailable: the disk refused, or no port is free.
    """
    _require_free(settings)
    with _whole_or_none(settings.folder) as is_over:
        return _play(settings, progress, tell, note, is_over)


def _require_free(settings: DemoSettings) -> None:
    if settings.folder.exists() and not settings.folder.is_dir():
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{settings.folder} is no folder: name one that is new or empty",
        )
    if settings.folder.exists() and any(settings.folder.iterdir()):
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{settings.folder} is not empty: the demo begins with a fresh folder",
        )


@contextmanager
def _whole_or_none(folder: Path) -> Iterator[Event]:
    """Remove what a day made that had to end too early, and nothing else.

    Args:
      folder: of the day; empty, or not there yet.

    Yields what to set once the day is over.
    """
    is_ours = not folder.exists()
    parents = [parent for parent in folder.parents if not parent.exists()]
    is_over = Event()
    try:
        yield is_over
    except (Unavailable, OSError, KeyboardInterrupt):
        if not is_over.is_set():
            _empty(folder)
            if is_ours:
                with suppress(OSError):  # somebody else put something there
                    for made in (folder, *parents):
                        made.rmdir()
        raise


def _empty(folder: Path) -> None:
    for item in folder.iterdir() if folder.is_dir() else ():
        if item.is_dir():
            shutil.rmtree(item, ignore_errors=True)
        else:
            item.unlink(missing_ok=True)


def _play(
    settings: DemoSettings, progress: Progress, tell: Tell, note: Note, is_over: Event
) -> int:
    town = make_town(settings.seed, settings.people, settings.merchants)
    clock_ms = TownClock(wall_clock_ms, FIRST_MEETING_MS + HOUR_MS)
    is_guarded = settings.crimes > 0 and _may_guard(note)
    genesis = make_genesis(town, clock_ms(), ATTESTED if is_guarded else {})
    keys = {"node": town.sealer, "sponsor": town.servers[1], "resident": town.people[VISITOR]}
    home = create_home(settings.folder, genesis, keys, PASSPHRASE)
    chain = open_chain(home, town.sealer)
    verifier = PoolVerifier(chain.network, os.cpu_count() or 1)
    sponsor = (town.institutions[1].address, town.servers[1])
    links = _Links(note)
    make_desks = partial(make_folders, settings.folder, town, chain.network)

    async def run() -> int:
        guard = _open_guard(settings, town, chain, clock_ms) if is_guarded else None
        risk = None if guard is None else guard.served
        node = Node(chain, verifier, *sponsor, clock_ms=clock_ms, risk=risk)
        node.start()
        try:
            async with AsyncExitStack() as stack:
                if guard is not None:
                    await guard.start(stack, node)
                lending = _open_lending(stack, settings.loans, note, town, node)
                address = ""
                if settings.is_served:
                    address = await _serve(stack, node, home, settings.port, (lending, risk))
                desks = make_desks(address) if address else None
                methods = desks.methods if desks else {}
                player = DemoRun(node.engine, town, clock_ms, methods, lending, guard)
                report = await player.play(settings.payments, progress)
                served = _leave(home, lending, guard, address)
                is_over.set()
                if desks is not None:
                    await stack.enter_async_context(served_desks(desks, town, links.add))
                found = {**report.to_json(), "data": str(settings.folder)}
                told = summarise(report, town, settings.folder, links.take(), served)
                tell(found, told)
                if address:
                    with stopped_by_signals() as stopped:
                        await node.run_until(stopped)
        finally:
            await node.stop()
        _require_right(report)
        return 0

    return uvloop.run(run())


def _leave(home: Home, lending: CoLending | None, guard: Guard | None, address: str) -> Served:
    """Leave to somebody what a node that serves has: at no address, nothing."""
    if not address:
        return Served()
    books = None if lending is None else lending.open_today(home)
    return Served(address, books, "" if guard is None else guard.open_desk(home))


class _Links:
    """Links that open desks: the first stand in the summary, later ones are told as they come."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._first: list[DeskLink] | None = []

    def add(self, link: DeskLink) -> None:
        """Take a link."""
        if self._first is None:
            self._note(f"The next link to {link.owner}: {link.url}")
        else:
            self._first.append(link)

    def take(self) -> list[DeskLink]:
        """Take the links that there are; those that come later are told."""
        first, self._first = self._first or [], None
        return first


def _require_right(report: DemoReport) -> None:
    """Raise `Corrupt` if something came out that must not be."""
    lending = report.lending
    if not lending.is_right:
        raise Corrupt(
            f"of {lending.planted} faults in the banks' books {lending.found} were found, and "
            f"{lending.wrong} that are none",
            height=report.height,
        )
    if not (report.audit_ok and report.supply_ok):
        raise Corrupt(
            f"the audit found what must not be: see {name_program()} audit", height=report.height
        )


def _may_guard(note: Note) -> bool:
    """Whether operators can decide on payments here."""
    try:
        import hansa.node.demo.guarding  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError as error:
        note(
            f"Risk control is left out: {error.name} is not installed (pip install 'hansa[risk]')."
        )
        return False
    return True


def _open_guard(settings: DemoSettings, town: Town, chain: Chain, clock_ms: TownClock) -> Guard:
    from hansa.node.demo.guarding import Guard, name_folders  # noqa: PLC0415 - an extra

    folders = name_folders(settings.folder, Home(settings.folder).risk_path)
    crimes = Crimes(town).draw(settings.crimes)
    return Guard(town, chain, folders, crimes, clock_ms, wall_clock_ms)


def _open_lending(
    stack: AsyncExitStack, loans: int, note: Note, town: Town, node: Node
) -> CoLending | None:
    """Open the services of the banks that lend, if there are loans."""
    if not loans:
        return None
    try:
        from hansa.node.demo.lending import CoLending  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        note(
            f"Banks that reconcile are left out: {error.name} is not installed "
            "(pip install 'hansa[reconcile]')."
        )
        return None
    lending = CoLending(town, node, loans)
    stack.push_async_callback(lending.stop)
    return lending


async def _serve(
    stack: AsyncExitStack,
    node: Node,
    home: Home,
    port: int | None,
    parts: tuple[CoLending | None, RiskDesk | None],
) -> str:
    """Serve on the first free port from the wanted one on; returns the address."""
    lending, risk = parts
    listen = Listen(port=DEFAULT_PORT if port is None else port)
    settings = replace(SETTINGS, listen=listen)
    pairs = None if lending is None else lending.platform
    keys = KeyRing(home.api_keys_path)
    server = await serve(node, settings, keys, pairs=pairs, risk=risk, ports_tried=PORTS_TRIED)
    stack.push_async_callback(server.stop)
    return f"http://{DEFAULT_HOST}:{server.port}"
