"""Commands that make something happen: demo, replay."""

from __future__ import annotations

import argparse
import os
import shlex
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from hansa.cli.screen import ProgressBar, complain, flush, print_json, print_table, say
from hansa.cli.source import parse_count, parse_file, parse_folder, parse_port
from hansa.engine.embedded import BLOCK_TRANSACTIONS, BLOCK_WAIT_MS, BLOCK_WORTHWHILE
from hansa.kernel.errors import Unavailable
from hansa.node.settings import DEFAULT_PORT
from hansa.program import name_program

BENCHES = ("ledger", "node", "network", "snapshot", "identity", "reconcile", "risk")
BENCH_FLAGS = (
    ("--quality", "of risk: how well it tells fraud, not how fast"),
    ("--no-check", "skip audit and verify"),
    ("--no-variants", "skip small blocks and a million wallets"),
    ("--json", "print one JSON object"),
)
DATASETS_VARIABLE = "HANSA_DATASETS"
REPLAY_FOLDER = "hansa-data/replay"
DEMO_SIZES = (
    ("people", 2_000, 3, 100_000, "residents"),
    ("merchants", 200, 2, 10_000, "shops"),
    ("payments", 10_000, 2, 1_000_000, "payments of the day"),
    ("loans", 300, 0, 100_000, "loans of four banks that reconcile them"),
    ("crimes", 12, 0, 200, "crimes that operators are to find among the payments"),
)
"""What the demo's size is chosen by: option, default, minimum, maximum, meaning. Two residents'
wallets are frozen, and another one's pays once the day is over. The town and its day are held in
memory, so each has a maximum."""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's commands to the parser."""
    demo = commands.add_parser("demo", help="play a resident's day on a fresh node and serve it")
    demo.add_argument(
        "--data", type=parse_folder, help="data folder (default: a new temporary one)"
    )
    demo.add_argument(
        "--port",
        type=parse_port,
        help=f"port of API and console (default {DEFAULT_PORT}; 0 for any); taken, the next free",
    )
    demo.add_argument("--no-serve", action="store_true", help="end after the summary")
    demo.add_argument("--seed", type=int, default=1, help="same seed, same day (default 1)")
    for name, usual, minimum, maximum, what in DEMO_SIZES:
        demo.add_argument(
            f"--{name}",
            type=partial(_parse_between, minimum=minimum, maximum=maximum),
            default=usual,
            metavar="N",
            help=f"{what}: {minimum} to {maximum} (default {usual})",
        )
    demo.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    demo.set_defaults(function=_demo)
    again = commands.add_parser("replay", help="replay a real payments file")
    again.add_argument("file", type=parse_file, help="CSV or Parquet")
    again.add_argument("--data", type=parse_folder, default=REPLAY_FOLDER, help="data folder")
    again.add_argument("--map", type=parse_file, help="TOML file that names the columns")
    again.add_argument("--limit", type=_at_least_one, help="only the first N payments")
    again.add_argument(
        "--rebuild", action="store_true", help="make the state store anew from the log"
    )
    again.add_argument("--json", action="store_true", help="print one JSON object")
    again.set_defaults(function=_replay)
    _add_bench(commands)


def _add_bench(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    bench = commands.add_parser("bench", help="measure engine, node, network, snapshot and so on")
    bench.add_argument("name", choices=BENCHES)
    bench.add_argument(
        "--seconds",
        type=_at_least_one,
        help="of a run (default 30; node 15), or of each rate of identity (default 1)",
    )
    bench.add_argument("--wallets", type=_at_least_two, default=10_000)
    bench.add_argument(
        "--rows",
        type=_at_least_one,
        help="of a snapshot (default 1000000), or payments of reconcile (default 15000000)",
    )
    bench.add_argument(
        "--block",
        type=_at_least_one,
        default=BLOCK_TRANSACTIONS,
        help=f"most transactions a block (default {BLOCK_TRANSACTIONS}): one closes when "
        f"{BLOCK_WORTHWHILE} wait, or {BLOCK_WAIT_MS} ms after its first, and takes what waits",
    )
    bench.add_argument(
        "--clients",
        type=Path,
        default=Path("tests/clients"),
        metavar="DIR",
        help="whose node_modules identity measures as peers (default tests/clients: make clients)",
    )
    bench.add_argument(
        "--datasets",
        type=Path,
        default=Path(os.environ.get(DATASETS_VARIABLE) or "../shared/data"),
        metavar="DIR",
        help="public data that reconcile and risk are measured on, if they are there "
        f"(default {DATASETS_VARIABLE}, else ../shared/data)",
    )
    bench.add_argument(
        "--peers",
        type=Path,
        default=Path(".tools/peers"),
        metavar="DIR",
        help="environments of other software, which reconcile and risk measure beside themselves "
        "(default .tools/peers: make peers)",
    )
    for flag, what in BENCH_FLAGS:
        bench.add_argument(flag, action="store_true", help=what)
    bench.set_defaults(function=_bench)


def _demo(options: argparse.Namespace) -> int:
    from hansa.node.demo.serve import DemoSettings, run_demo  # noqa: PLC0415 - loads a server

    bar = ProgressBar()
    folder = (options.data or Path(tempfile.mkdtemp(prefix="hansa-demo-"))).absolute()
    settings = DemoSettings(
        folder,
        options.seed,
        options.people,
        options.merchants,
        options.payments,
        options.loans,
        options.crimes,
        options.port,
        is_served=not options.no_serve,
    )

    def tell(summary: dict[str, object], lines: list[str]) -> None:
        if options.json:
            print_json(summary)
            flush()
            return
        for line in lines:
            say(line)
        flush()

    try:
        return run_demo(settings, bar.show, tell, complain if options.json else say)
    except KeyboardInterrupt:
        is_left = folder.is_dir() and any(folder.iterdir())
        complain(
            f"Data in {folder}; nobody removes it but you."
            if is_left
            else "The day was not over; nothing of it is left."
        )
        raise
    finally:
        if options.data is None:
            with suppress(OSError):  # it holds a day
                folder.rmdir()


def _replay(options: argparse.Namespace) -> int:
    try:  # only replay needs the extra, and half a second to import it
        from hansa.node.replay.run import replay  # noqa: PLC0415
        from hansa.node.replay.source import DEFAULT_MAP, ColumnMap, PaymentsFile  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"replay reads files with {error.name}, which is not installed: "
            "pip install 'hansa[data]'"
        ) from None
    bar = ProgressBar()
    columns = (
        ColumnMap.parse(DEFAULT_MAP, "the default map")
        if options.map is None
        else ColumnMap.load(options.map)
    )
    source = PaymentsFile(options.file, columns)
    report = replay(
        source,
        options.data,
        options.limit,
        lambda done, total: bar.show("payments", done, total),
        rebuild=options.rebuild,
    )
    if options.limit is not None and report.resumed_at > options.limit:
        complain(
            f"{options.data} holds the first {report.resumed_at} payments already, "
            f"more than --limit {options.limit}: nothing was added"
        )
    found = report.to_json()
    if options.json:
        print_json(found)
        return 0
    say(f"Replayed {options.file} into {options.data}:")
    print_table(found)
    program, data = name_program(), shlex.quote(str(options.data))
    say(f"Check it:  {program} audit --data {data} && {program} verify --data {data}")
    return 0


def _bench(options: argparse.Namespace) -> int:
    from hansa.node.bench.ledger import LedgerSettings, run_ledger  # noqa: PLC0415 - load a server
    from hansa.node.bench.node import NodeSettings, run_node_bench  # noqa: PLC0415

    if options.name == "node":
        found = run_node_bench(NodeSettings(options.seconds or 15, options.wallets))
    elif options.name == "network":
        from hansa.node.bench.network import NetworkSettings, run_network_bench  # noqa: PLC0415

        found = run_network_bench(NetworkSettings(options.seconds or 30, options.wallets))
    elif options.name == "snapshot":
        from hansa.node.bench.snapshot import SnapshotSettings, run_snapshot_bench  # noqa: PLC0415

        found = run_snapshot_bench(SnapshotSettings(options.rows or 1_000_000))
    elif options.name == "reconcile":
        from hansa.node.bench.reconcile.running import (  # noqa: PLC0415 - an extra
            ReconcileSettings,
            run_reconcile_bench,
        )

        found = run_reconcile_bench(
            ReconcileSettings(
                options.rows or 15_000_000, datasets=options.datasets, peers=options.peers
            ),
            complain,
        )
    elif options.name == "risk":
        found = _bench_risk(options)
    elif options.name == "identity":
        from hansa.node.bench.identity.rates import IdentitySettings, run_identity_bench  # noqa: PLC0415

        found = run_identity_bench(IdentitySettings(options.clients, options.seconds or 1))
    else:
        found = run_ledger(
            LedgerSettings(
                seconds=options.seconds or 30,
                wallets=options.wallets,
                block_transactions=options.block,
                is_checked=not options.no_check,
                has_variants=not options.no_variants,
            )
        )
    if options.json:
        print_json(found)
    else:
        print_table(found)
    return 0


def _bench_risk(options: argparse.Namespace) -> dict[str, Any]:
    if options.quality:
        from hansa.node.bench.risk.quality import (  # noqa: PLC0415 - an extra
            QualitySettings,
            run_quality_bench,
        )

        settings = QualitySettings(options.datasets, options.peers)
        return run_quality_bench(settings, complain)
    from hansa.node.bench.risk.speed import SpeedSettings, run_speed_bench  # noqa: PLC0415

    return run_speed_bench(SpeedSettings(options.datasets, options.peers), complain)


def _at_least_one(text: str) -> int:
    return _at_least(text, 1)


def _at_least_two(text: str) -> int:
    return _at_least(text, 2)


def _parse_between(text: str, minimum: int, maximum: int) -> int:
    number = parse_count(text)
    if not minimum <= number <= maximum:
        raise argparse.ArgumentTypeError(f"must be from {minimum} to {maximum}")
    return number


def _at_least(text: str, minimum: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
    if value < minimum:
        raise argparse.ArgumentTypeError(f"must be at least {minimum}")
    return value
