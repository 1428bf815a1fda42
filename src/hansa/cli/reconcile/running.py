"""`hansa reconcile`: files of two sides and a rule file in, a folder with the result out."""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hansa.cli.reconcile.ledgers import (
    LedgerFolder,
    add_options,
    open_sources,
    parse_source,
    require_used,
)
from hansa.cli.reconcile.notarising import add_options as add_notarising
from hansa.cli.reconcile.notarising import load_notary, notarise_result
from hansa.cli.screen import print_json, print_table, say
from hansa.cli.source import parse_file

if TYPE_CHECKING:
    from hansa.reconcile.batch.job import SideFiles

MEMORY_MB = 3_000


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's command to the parser."""
    command = commands.add_parser(
        "reconcile", help="match the entries of two sides, and tell what does not match"
    )
    command.add_argument(
        "left", type=parse_source, help="file of the first side of the rules, or ledger:DIR"
    )
    command.add_argument("right", type=parse_source, help="file of the second, or ledger:DIR")
    command.add_argument(
        "--rules", type=parse_file, required=True, help="TOML file of what counts as the same"
    )
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the result, a new one"
    )
    _add_side_options(command)
    add_options(command, _parse_date)
    command.add_argument(
        "--carry",
        type=Path,
        metavar="DIR",
        help="folder of an earlier result: what it left open is reconciled here, too",
    )
    command.add_argument(
        "--as-of",
        type=_parse_date,
        metavar="DATE",
        help="day as of which breaks have an age (default: the newest of an entry)",
    )
    command.add_argument(
        "--quarantine",
        action="store_true",
        help="go on without entries that cannot be read, and put them into quarantine.jsonl",
    )
    command.add_argument(
        "--no-report",
        action="store_true",
        help="leave out report.html and report.xlsx; summary.json has their figures",
    )
    _add_engine_options(command)
    add_notarising(command)
    command.set_defaults(function=_reconcile)


def _add_side_options(command: argparse.ArgumentParser) -> None:
    for side in ("left", "right"):
        command.add_argument(
            f"--more-{side}",
            type=parse_source,
            action="append",
            default=[],
            metavar="FILE",
            help=f"another file of the {side} side; may be said again",
        )
        command.add_argument(
            f"--map-{side}",
            type=parse_file,
            metavar="FILE",
            help=f"TOML file that says what the columns of the {side} side's tables mean",
        )


def _add_engine_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--memory",
        type=_parse_megabytes,
        default=MEMORY_MB,
        metavar="MB",
        help=f"of the engine, beyond which it uses the disk (default {MEMORY_MB})",
    )
    command.add_argument(
        "--engine",
        choices=("duckdb", "spark"),
        default="duckdb",
        help="what all rows go through: DuckDB here, or Spark (default duckdb)",
    )


def _reconcile(options: argparse.Namespace) -> int:
    from hansa.reconcile.batch.job import Job, run_job  # noqa: PLC0415 - an extra
    from hansa.reconcile.batch.manifest import MANIFEST  # noqa: PLC0415
    from hansa.reconcile.normalising import OnError  # noqa: PLC0415
    from hansa.reconcile.report.page import PAGE  # noqa: PLC0415
    from hansa.reconcile.report.workbook import WORKBOOK  # noqa: PLC0415

    require_used(options, *(_list_sources(options, side) for side in ("left", "right")))
    notary = load_notary(options)
    job = Job(
        _open_side(options, "left"),
        _open_side(options, "right"),
        options.rules,
        options.as_of,
        OnError.QUARANTINE if options.quarantine else OnError.REFUSE,
        options.engine == "spark",
        options.memory,
        carry=options.carry,
        with_report=not options.no_report,
    )
    manifest = run_job(job, options.out)
    if not options.json:
        _print_result(manifest, options.out)
        if job.with_report:
            say(f"Report: {options.out / PAGE}, and the same with all breaks as {WORKBOOK}")
    try:
        if notary is not None:
            notarised = notarise_result(options, notary, options.out / MANIFEST)
            manifest["notarised"] = notarised
            if not options.json:
                print_table(notarised)
    finally:
        if options.json:
            print_json(manifest)
    return 0


def _list_sources(options: argparse.Namespace, side: str) -> tuple[Path | LedgerFolder, ...]:
    return getattr(options, side), *getattr(options, f"more_{side}")


def _open_side(options: argparse.Namespace, side: str) -> SideFiles:
    from hansa.reconcile.batch.job import SideFiles  # noqa: PLC0415 - an extra
    from hansa.reconcile.readers.opening import Reading  # noqa: PLC0415
    from hansa.reconcile.readers.tables.mapping import parse_mapping  # noqa: PLC0415

    paths = open_sources(options, _list_sources(options, side))
    mapped: Path | None = getattr(options, f"map_{side}")
    if mapped is None:
        return SideFiles(paths)
    return SideFiles(paths, Reading(parse_mapping(mapped.read_bytes(), str(mapped))))


def _print_result(manifest: dict[str, Any], folder: Path) -> None:
    for side, unmatched in zip(manifest["sides"], manifest["unmatched"], strict=True):
        say(f"{side['name']}: {side['entries']} entries, {unmatched} of them unmatched")
    print_table({f"matches of {name}": count for name, count in manifest["passes"].items()})
    breaks = {f"breaks: {name}": count for name, count in manifest["breaks"].items()}
    print_table(breaks or {"breaks": 0})
    say(f"Result in {folder}, as of {manifest['as_of']}; its hash: {manifest['result_sha256']}")


def _parse_date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date, as 2026-11-30") from None


def _parse_megabytes(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 100 <= int(text[:9]) <= 1_000_000):  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text!r} is no number of megabytes from 100 to 1000000")
    return int(text)
