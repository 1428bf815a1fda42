"""The demo as a process: a fresh node, the day, the summary, and serving until Ctrl-C."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import uvloop
from msgspec.structs import replace

from hansa.contracts.proposals import HOUR_MS
from hansa.engine.verification import PoolVerifier
from hansa.kernel.errors import Corrupt, Invalid, InvalidCode, Unavailable
from hansa.node.demo.council import FIRST_MEETING_MS
from hansa.node.demo.offices import IdentityReport
from hansa.node.demo.run import DemoReport, DemoRun, Progress, TownClock
from hansa.node.demo.town import Town, make_genesis, make_town
from hansa.node.home import create_home, open_chain
from hansa.node.running import stopped_by_signals
from hansa.node.service import Node, wall_clock_ms
from hansa.node.serving.serve import Server, serve
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

PORTS_TRIED = 100
HOST = DEFAULT_HOST
PASSPHRASE = "demo"  # noqa: S105 - the demo's keys come from a public seed

SETTINGS = Settings(
    access=Access(loopback=LoopbackReads.EVERYTHING, sponsor_for=Sponsored.ANYONE),
    limits=Limits(known_per_s=0, anyone_per_s=0),
)
"""The demo runs on one's own machine, for whoever sits there."""

Tell = Callable[[dict[str, object], list[str]], None]


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What the demo is asked for."""

    folder: Path
    """Absolute: the commands in the summary work from anywhere."""
    seed: int
    people: int
    merchants: int
    payments: int
    port: int | None
    is_served: bool


def run_demo(settings: DemoSettings, progress: Progress, tell: Tell) -> int:
    """Run the demo; returns the exit code: 0 if audit and supply are right.

    A day that was not played to its end, because the disk is full, no port is free or somebody
    pressed Ctrl-C, leaves nothing behind: a demo does not go on where another ended.

    Raises:
      Invalid: the folder holds something already, or is none.
      Unavailable: the disk refused, or no port is free.
    """
    _require_free(settings)
    with _whole_or_none(settings.folder) as is_over:
        return _play(settings, progress, tell, is_over)


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


def _play(settings: DemoSettings, progress: Progress, tell: Tell, is_over: Event) -> int:
    town = make_town(settings.seed, settings.people, settings.merchants)
    clock_ms = TownClock(wall_clock_ms, FIRST_MEETING_MS + HOUR_MS)
    genesis = make_genesis(town, clock_ms())
    keys = {"node": town.sealer, "sponsor": town.servers[1], "resident": town.people[1]}
    home = create_home(settings.folder, genesis, keys, PASSPHRASE)
    chain = open_chain(home, town.sealer)
    verifier = PoolVerifier(chain.network, os.cpu_count() or 1)

    async def run() -> int:
        node = Node(
            chain, verifier, town.institutions[1].address, town.servers[1], clock_ms=clock_ms
        )
        node.start()
        server = await _serve(node, settings.port) if settings.is_served else None
        port = 0 if server is None else server.port
        try:
            player = DemoRun(node.engine, town, clock_ms)
            report = await player.play(settings.payments, progress)
            found = {**report.to_json(), "data": str(settings.folder)}
            is_over.set()
            tell(found, _summarise(report, town, settings, port))
            if server is not None:
                with stopped_by_signals() as stopped:
                    await node.run_until(stopped)
        finally:
            if server is not None:
                await server.stop()
            await node.stop()
        if not (report.audit_ok and report.supply_ok):
            raise Corrupt(
                f"the audit found what must not be: see {name_program()} audit",
                height=report.height,
            )
        return 0

    return uvloop.run(run())


async def _serve(node: Node, port: int | None) -> Server:
    """Serve on the first free port from the wanted one on."""
    listen = Listen(port=DEFAULT_PORT if port is None else port)
    return await serve(node, replace(SETTINGS, listen=listen), ports_tried=PORTS_TRIED)


def _summarise(report: DemoReport, town: Town, settings: DemoSettings, port: int) -> list[str]:
    money = [
        f"  {asset}: issued {_format(totals['issued'])} = vaults {_format(totals['vault'])} + "
        f"wallets {_format(totals['wallet'])} + held {_format(totals['held'])}"
        for asset, totals in report.assets.items()
    ]
    refused = [f"  {count:>7,}  {code}" for code, count in sorted(report.refused.items())]
    lines = [
        (
            f"The day is over: {report.confirmed:,} transactions confirmed in "
            f"{report.seconds:.1f} s, "
            f"{sum(report.refused.values()):,} refused, {report.height} blocks."
        ),
        *money,
        "Refused by rule:",
        *refused,
        (
            f"Audit from receipts: {'passed' if report.audit_ok else 'FAILED'}. "
            f"Supply: {'proved' if report.supply_ok else 'WRONG'}."
        ),
        *_tell_identity(report.identity),
        "",
        "Next, in another terminal:" if port else "Next:",
        *_list_commands(report, town, settings, port),
        "",
        f"Data in {settings.folder}; nobody removes it but you.",
    ]
    if port:
        lines += [f"Console at http://{HOST}:{port}/ and API under /v1. Ctrl-C ends it."]
    return lines


def _tell_identity(report: IdentityReport) -> list[str]:
    issued = ", ".join(f"{count:,} {name}" for name, count in sorted(report.issued.items()))
    raised = ", ".join(f"{count:,} to {name}" for name, count in sorted(report.raised.items()))
    lines = [
        f"Credentials issued: {issued}.",
        (
            f"Wallets raised by showing one: {raised}; {report.not_raised:,} were too young, "
            f"{report.lowered:,} lowered again: the credential was revoked."
        ),
        "Training certificates, as an employer found them:",
    ]
    for each in report.checked:
        found = "accepted" if each["is_accepted"] else f"refused: {'; '.join(each['faults'])}"
        lines.append(f"  {each['count']:>7,}  {each['kind']}: {found}")
    return lines


def _list_commands(report: DemoReport, town: Town, settings: DemoSettings, port: int) -> list[str]:
    """List commands that a shell takes as they are; only a node that serves can be paid through."""
    hansa, folder = name_program(), shlex.quote(str(settings.folder))
    tx, shop = report.example_tx, town.merchants[1].address_text
    receipt = f"receipt-{tx[:8]}.bin"
    pay = (
        f"  HANSA_PASSPHRASE={PASSPHRASE} {hansa} pay {folder}/keys/resident.json {shop} 1.50"
        f" --node http://{HOST}:{port}"
    )
    return [
        *([pay] if port else []),
        f"  {hansa} tx {tx} --data {folder}",
        f"  {hansa} block {report.height} --data {folder}",
        (
            f"  {hansa} receipt save {tx} {receipt} --data {folder} && "
            f"{hansa} receipt verify {receipt}"
        ),
        f"  {hansa} audit --data {folder}",
    ]


def _format(minor: int) -> str:
    return f"{minor // 100:,}.{minor % 100:02d}"
