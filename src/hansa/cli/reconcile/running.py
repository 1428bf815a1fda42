"""`hansa reconcile`: files of two sides and a rule file in, a folder with the result out."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hansa.cli.reconcile.ledgers import add_options
from hansa.cli.reconcile.notarising import add_options as add_notarising
from hansa.cli.reconcile.notarising import load_notary, notarise_result
from hansa.cli.reconcile.sides import LEFT, RIGHT, SaidSide, list_sides, open_sides
from hansa.cli.reconcile.sides import add_options as add_sides
from hansa.cli.screen import print_json, print_table, say
from hansa.cli.source import parse_file

MEMORY_MB = 3_000


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's command to the parser."""
    command = commands.add_parser(
        "reconcile", help="match the entries of two sides, and tell what does not match"
    )
    command.add_argument(
        "--rules", type=parse_file, required=True, help="TOML file of what counts as the same"
    )
    command.add_argument(
        "--out",
        type=parse_file,
        required=True,
        metavar="DIR",
        help="folder for the result, a new one",
    )
    add_sides(command)
    add_options(command, _parse_date)
    command.add_argument(
        "--carry",
        type=parse_file,
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
    from hansa.reconcile.batch.manifest import MANIFEST  # noqa: PLC0415 - an extra

    sides = list_sides(options)
    notary = load_notary(options)
    manifest = _run(options, sides)
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


def _run(options: argparse.Namespace, said: Mapping[str, SaidSide]) -> dict[str, Any]:
    from hansa.reconcile.batch.job import Job, run_job  # noqa: PLC0415 - an extra
    from hansa.reconcile.batch.sides import SidesJob, run_sides  # noqa: PLC0415
    from hansa.reconcile.normalising import OnError  # noqa: PLC0415

    sides = dict(open_sides(options, said))
    settings: dict[str, Any] = {
        "as_of": options.as_of,
        "on_error": OnError.QUARANTINE if options.quarantine else OnError.REFUSE,
        "uses_spark": options.engine == "spark",
        "memory_mb": options.memory,
        "carry": options.carry,
        "with_report": not options.no_report,
    }
    if options.side:
        manifest = run_sides(SidesJob(sides, options.rules, **settings), options.out)
    else:
        job = Job(sides[LEFT], sides[RIGHT], options.rules, **settings)
        manifest = run_job(job, options.out)
    if not options.json:
        (_print_pairs if options.side else _print_result)(manifest, options.out)
        _print_findings(manifest, options.out)
        if not options.no_report:
            _print_report(options)
    return manifest


def _print_report(options: argparse.Namespace) -> None:
    from hansa.reconcile.report.page import PAGE  # noqa: PLC0415 - an extra
    from hansa.reconcile.report.workbook import WORKBOOK  # noqa: PLC0415

    more = (
        f"which leads to those of the pairs and their {WORKBOOK}"
        if options.side
        else f"and the same with all breaks as {WORKBOOK}"
    )
    say(f"Report: {options.out / PAGE}, {more}")


def _print_findings(manifest: dict[str, Any], folder: Path) -> None:
    """Say what is not in the result, and what is doubtful: no figure above shows it."""
    from hansa.reconcile.normalising import FINDINGS, QUARANTINE  # noqa: PLC0415 - an extra

    for side in manifest["sides"]:
        errors, found = (
            _count_lines(folder / side["name"] / name) for name in (QUARANTINE, FINDINGS)
        )
        if errors:
            where = folder / side["name"] / QUARANTINE
            say(f"{side['name']}: left out as it cannot be read: {errors}, in {where}")
        if found > errors:
            where = folder / side["name"] / FINDINGS
            say(f"{side['name']}: warnings: {found - errors}, in {where}")


def _count_lines(path: Path) -> int:
    """Count the lines of a file; none where there is none, as of a side that was read before."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _print_pairs(manifest: dict[str, Any], folder: Path) -> None:
    for side in manifest["sides"]:
        say(f"{side['name']}: {side['entries']} entries")
    for pair in manifest["pairs"]:
        left, right = pair["unmatched"]
        matches, breaks = sum(pair["passes"].values()), sum(pair["breaks"].values())
        told = f"{matches} matches, {breaks} breaks of {left} and {right} entries"
        say(f"{' and '.join(pair['sides'])}: {told}, in {folder / pair['folder']}")
    say(f"As of {manifest['as_of']}; hash of the whole: {manifest['result_sha256']}")


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
