"""A job: the files of two sides and a rule file in, a folder with the result out, whole or not.

The folder holds what `normalising` writes of each side under the side's name, and the result
beside it. A side may also be one Parquet file that normalising, or a generator, has made: it is
read where it lies.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.reconcile.batch.ageing import Ageing
from hansa.reconcile.batch.engines import MEMORY_MB, Engine, opened_duckdb, opened_spark
from hansa.reconcile.batch.manifest import write_manifest
from hansa.reconcile.batch.preparing import ROW
from hansa.reconcile.batch.results import BREAKS, MATCHES, Input, Origin, write_results
from hansa.reconcile.batch.running import reconcile
from hansa.reconcile.batch.summary import (
    BREAK_COLUMNS,
    MATCH_COLUMNS,
    SUMMARY,
    SideFacts,
    summarise,
    write_summary,
)
from hansa.reconcile.entries import NORMALISED
from hansa.reconcile.normalising import (
    ENTRIES,
    OnError,
    Source,
    hash_file,
    make_folder,
    normalise,
)
from hansa.reconcile.readers.feeds import Feed
from hansa.reconcile.readers.opening import Reading
from hansa.reconcile.readers.tables.parquet import is_parquet
from hansa.reconcile.report.writing import write_report
from hansa.reconcile.rules.book import RuleBook, Side
from hansa.reconcile.rules.calendars import BusinessDays
from hansa.reconcile.rules.loading import RULES_BYTES_MAX, load_rules
from hansa.reconcile.rules.rates import RATES_BYTES_MAX, RateTable, load_rates

WORK = ".work"
"""Folder for what a run does not keep."""
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class SideFiles:
    """The files, or feeds, of one side, and how they are read where they do not say it."""

    paths: tuple[Path | Feed, ...]
    reading: Reading = field(default_factory=Reading)


@dataclass(frozen=True, slots=True)
class Job:
    """What is reconciled, and how."""

    left: SideFiles
    right: SideFiles
    rules: Path
    as_of: dt.date | None = None
    """As of which breaks have an age; if left out, the newest date of an entry."""
    on_error: OnError = OnError.REFUSE
    uses_spark: bool = False
    """Instead of DuckDB: where one machine cannot hold the rows."""
    memory_mb: int = MEMORY_MB
    threads: int | None = None
    with_report: bool = True
    """Whether the page and the workbook for people are written, too."""


def run_job(job: Job, folder: Path) -> dict[str, Any]:
    """Run a job into a folder, which must not be there yet, or be empty; returns its manifest.

    Raises:
      NotFound: there is no such file.
      Invalid: rules, rates or a file of a side are wrong; lists the first faults.
      Unavailable: a file cannot be read, or the folder not be written.
    """
    raw = _read(job.rules, RULES_BYTES_MAX)
    book = load_rules(raw, str(job.rules))
    if len(book.sides) != 2:  # noqa: PLR2004 - left and right
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"{job.rules} has {len(book.sides)} sides, and there are files of two",
        )
    if book.window is not None:
        raise Invalid(InvalidCode.ARGUMENTS, f"{job.rules}: [window] is not run over files yet")
    rates = _read_rates(job.rules, book)
    try:
        with make_folder(folder) as unfinished:
            work = unfinished / WORK
            work.mkdir()
            sides = [
                _open_side(files, side, unfinished, job.on_error)
                for files, side in zip((job.left, job.right), book.sides, strict=True)
            ]
            opened = opened_spark if job.uses_spark else opened_duckdb
            with opened(work, threads=job.threads, memory_mb=job.memory_mb) as engine:
                told = _run(engine, job, (book, rates, raw), sides, unfinished)
            shutil.rmtree(work)
            manifest = write_manifest(told, unfinished)
    except OSError as error:
        raise Unavailable(f"{folder} cannot be written: {error}") from None
    return manifest


@dataclass(frozen=True, slots=True)
class _Opened:
    """A side that is normalised."""

    side: Side
    entries: Path
    count: int
    facts: SideFacts


def _open_side(files: SideFiles, side: Side, folder: Path, on_error: OnError) -> _Opened:
    first, *others = files.paths
    if isinstance(first, Path) and not others and _is_normalised(first):
        digest, size = hash_file(first)
        count = pq.read_metadata(first).num_rows
        source = Source(first.name, digest, size, "entries", count, 0, 0, 0)
        return _Opened(side, first, count, SideFacts((source,)))
    made = normalise(files.paths, folder / side.name, files.reading, on_error=on_error)
    facts = SideFacts(made.sources, made.errors, made.warnings, is_read=True)
    return _Opened(side, made.folder / ENTRIES, made.entries, facts)


def _is_normalised(path: Path) -> bool:
    """Whether a file is entries already: all columns of `NORMALISED`, rows numbered from 0."""
    try:
        with path.open("rb") as file:
            if not is_parquet(file.read(8)):
                return False
        metadata = pq.read_metadata(path)
    except FileNotFoundError:
        raise NotFound(f"{path} is not there") from None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error}") from None
    except pa.ArrowInvalid:
        return False
    found = {each.name: each.type for each in metadata.schema.to_arrow_schema()}
    if any(found.get(each.name) != each.type for each in NORMALISED):
        return False
    return _find_first_row(metadata) >= 0


def _find_first_row(metadata: pq.FileMetaData) -> int:
    """Find the lowest number of a row, from what the file says of its parts; -1 if it does not."""
    at = [metadata.schema.column(each).path for each in range(metadata.num_columns)].index(ROW)
    parts = [metadata.row_group(each) for each in range(metadata.num_row_groups)]
    told = [each.column(at).statistics for each in parts if each.num_rows]
    if not all(each is not None and each.has_min_max for each in told):
        return -1
    return min((int(each.min) for each in told), default=0)


def _run(
    engine: Engine,
    job: Job,
    rules: tuple[RuleBook, RateTable | None, bytes],
    sides: list[_Opened],
    folder: Path,
) -> dict[str, Any]:
    book, rates, raw = rules
    left, right = sides
    tables = [engine.read(each.entries) for each in sides]
    found = reconcile(
        engine, tables[0], tables[1], book, sides=(left.side, right.side), rates=rates
    )
    as_of = job.as_of or _find_newest(engine, sides)
    inputs = [
        Input(each.side.name, tuple(file.sha256 for file in each.facts.files), each.count)
        for each in sides
    ]
    origin = Origin(
        inputs[0],
        inputs[1],
        hashlib.sha256(raw).hexdigest(),
        as_of.isoformat(),
    )
    ageing = Ageing(book.breaks, BusinessDays(book.calendar), (as_of - _EPOCH).days)
    told = write_results(engine, found, origin, ageing, folder)
    results = (
        pq.read_table(folder / MATCHES, columns=MATCH_COLUMNS),
        pq.read_table(folder / BREAKS, columns=BREAK_COLUMNS),
    )
    summary = summarise(told, book, [each.facts for each in sides], ageing.labels, results)
    write_summary(summary, folder / SUMMARY)
    if job.with_report:
        write_report(summary, folder, folder / WORK)
    return told


def _find_newest(engine: Engine, sides: list[_Opened]) -> dt.date:
    """Find the newest date of an entry; the first day of all where none has one."""
    dates = []
    for each in sides:
        table = engine.read(each.entries)
        newest = table.aggregate(value=table.value_date.max(), booking=table.booking_date.max())
        dates += [date for date in engine.fetch(newest).to_pylist()[0].values() if date is not None]
    return max(dates, default=_EPOCH)


def _read_rates(rules: Path, book: RuleBook) -> RateTable | None:
    if book.rates is None:
        return None
    path = rules.parent / book.rates.file
    return load_rates(_read(path, RATES_BYTES_MAX), str(path), book.rates.days)


def _read(path: Path, bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(bytes_max + 1)
    except FileNotFoundError:
        raise NotFound(f"{path} is not there") from None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error}") from None
