"""A job: the files of two sides and a rule file in, a folder with the result out, whole or not.

The folder holds what `normalising` writes of each side under the side's name, and the result
beside it. A side may also be one Parquet file that normalising, or a generator, has made: it is
read where it lies.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.reconcile.batch.engines import MEMORY_MB, Engine, opened_duckdb, opened_spark
from hansa.reconcile.batch.manifest import READERS, write_manifest
from hansa.reconcile.batch.pairing import (
    OpenedSide,
    Pair,
    Places,
    Rules,
    find_newest,
    run_pair,
)
from hansa.reconcile.batch.preparing import ROW
from hansa.reconcile.batch.results import RatesFile
from hansa.reconcile.batch.summary import SideFacts, Summary
from hansa.reconcile.batch.windows.earlier import Earlier, find_first, read_earlier
from hansa.reconcile.batch.windows.parting import part_side
from hansa.reconcile.entries import NORMALISED, TIMES
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
from hansa.reconcile.rules.book import Rates, RuleBook, Side
from hansa.reconcile.rules.loading import RULES_BYTES_MAX, load_rules
from hansa.reconcile.rules.rates import RATES_BYTES_MAX, RateTable, load_rates
from hansa.regular_files import open_regular

ROWS_AT_ONCE = 1 << 20
WORK = ".work"
"""Folder for what a run does not keep."""


@dataclass(frozen=True, slots=True)
class SideFiles:
    """The files, or feeds, of one side, and how they are read where they do not say it."""

    paths: tuple[Path | Feed, ...]
    reading: Reading = field(default_factory=Reading)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How sides are reconciled."""

    as_of: dt.date | None = None
    """As of which breaks have an age; if left out, the newest date of an entry."""
    on_error: OnError = OnError.REFUSE
    uses_spark: bool = False
    """Instead of DuckDB: where one machine cannot hold the rows."""
    memory_mb: int = MEMORY_MB
    threads: int | None = None
    carry: Path | None = None
    """Folder of an earlier result: what it left open counts here, too."""
    with_report: bool = True
    """Whether the page and the workbook for people are written, too."""


@dataclass(frozen=True, slots=True)
class Job(Settings):
    """What is reconciled, and how."""

    left: SideFiles
    right: SideFiles
    rules: Path


def run_job(job: Job, folder: Path) -> dict[str, Any]:
    """Run a job into a folder, which must not be there yet, or be empty; returns its manifest.

    Raises:
      NotFound: there is no such file.
      Invalid: rules, rates or a file of a side are wrong; lists the first faults.
      Unavailable: a file cannot be read, or the folder not be written.
    """
    rules = read_rules(job.rules)
    book = rules.book
    if len(book.sides) != 2:  # noqa: PLR2004 - left and right
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"{job.rules} has {len(book.sides)} sides, and there are files of two: name the file "
            "of each, as --side NAME=FILE",
        )
    names = book.sides[0].name, book.sides[1].name
    earlier = None if job.carry is None else read_earlier(job.carry, names)
    with made_result(folder) as unfinished:
        both = zip(book.sides, (job.left, job.right), strict=True)
        left, right = open_sides(both, unfinished, job.on_error)
        pair = Pair(left, right, earlier)
        with opened_engine(job, unfinished) as engine:
            as_of = job.as_of or find_newest(engine, [pair], book.calendar)
            work = unfinished / WORK / "pair"
            places = Places(unfinished, unfinished, work)
            told, _ = run_in_windows(engine, pair, rules, as_of, places, job)
        return write_manifest(told, unfinished)


def read_rules(path: Path) -> Rules:
    """Read a rule file, and the rates that it names; raises as `run_job` does."""
    raw = _read(path, RULES_BYTES_MAX)
    book = load_rules(raw, str(path))
    rates, file = (None, None) if book.rates is None else _read_rates(path, book.rates)
    return Rules(book, rates, hashlib.sha256(raw).hexdigest(), file)


@contextmanager
def made_result(folder: Path) -> Iterator[Path]:
    """Make the folder of a result, whole or not at all; gives where to write meanwhile.

    Raises:
      Invalid: the folder is there, and not empty.
      Unavailable: it cannot be written.
    """
    try:
        with make_folder(folder) as unfinished:
            yield unfinished
    except OSError as error:
        raise Unavailable(
            f"{folder} cannot be written: {error}; nothing of it is kept: make room, or name "
            "another folder"
        ) from None


@contextmanager
def opened_engine(settings: Settings, folder: Path) -> Iterator[Engine]:
    """Open the engine of a run, with `WORK` in a folder, which goes when it is closed."""
    work = folder / WORK
    work.mkdir()
    opened = opened_spark if settings.uses_spark else opened_duckdb
    with opened(work, threads=settings.threads, memory_mb=settings.memory_mb) as engine:
        yield engine
    shutil.rmtree(work)


def open_sides(
    sides: Iterable[tuple[Side, SideFiles]], folder: Path, on_error: OnError
) -> list[OpenedSide]:
    """Open sides: normalise each into a folder of its name, unless that is done already.

    Raises:
      NotFound: there is no such file.
      Invalid: it cannot be read.
      Unavailable: likewise, for the moment.
    """
    asked = list(sides)
    with ThreadPoolExecutor(READERS) as pool:
        # These are the large ones; reading and hashing them leaves the interpreter to others.
        paths = list(pool.map(_find_normalised, [files for _, files in asked]))
        hashed = {path: pool.submit(hash_file, path) for path in paths if path is not None}
        return [
            _normalise(files, side, folder, on_error)
            if path is None
            else _open_normalised(path, side, *hashed[path].result())
            for (side, files), path in zip(asked, paths, strict=True)
        ]


def _normalise(files: SideFiles, side: Side, folder: Path, on_error: OnError) -> OpenedSide:
    made = normalise(files.paths, folder / side.name, files.reading, on_error=on_error)
    facts = SideFacts(made.sources, made.errors, made.warnings, is_read=True)
    reading = files.reading.tell() | {"on_error": str(on_error)}
    return OpenedSide(side, made.folder / ENTRIES, made.entries, facts, reading)


def _open_normalised(path: Path, side: Side, digest: str, size: int) -> OpenedSide:
    count = pq.read_metadata(path).num_rows
    source = Source(path.name, digest, size, "entries", count, 0, 0, 0)
    return OpenedSide(side, path, count, SideFacts((source,)))


def _find_normalised(files: SideFiles) -> Path | None:
    """Find the one file of a side, if it is entries already."""
    first, *others = files.paths
    return first if isinstance(first, Path) and not others and _is_normalised(first) else None


def _is_normalised(path: Path) -> bool:
    """Whether a file is entries already: all columns of `NORMALISED`, each row with its number.

    Those of times may be missing: earlier versions wrote none. Passes join by columns that are
    never null and know an entry by its row, so that of a file with nulls there, or a number twice,
    entries would be lost or counted twice.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
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
    wanted = [each for each in NORMALISED if each.name in found or each not in TIMES]
    if any(found.get(each.name) != each.type for each in wanted):
        return False
    needed = [each.name for each in NORMALISED if not each.nullable]
    return (
        _find_first_row(metadata) >= 0
        and all(_is_without_nulls(metadata, name) for name in needed)
        and _is_each_once(path, metadata)
    )


def _is_without_nulls(metadata: pq.FileMetaData, name: str) -> bool:
    """Whether a file says of all its parts that no value of a column is missing."""
    told = _list_statistics(metadata, name)
    return all(each is not None and each.has_null_count and not each.null_count for each in told)


def _is_each_once(path: Path, metadata: pq.FileMetaData) -> bool:
    """Whether no number of a row, none of which is below 0, is there twice."""
    highest = max((int(each.max) for each in _list_statistics(metadata, ROW)), default=0)
    if highest >= 8 * metadata.num_rows:
        numbers = pq.read_table(path, columns=[ROW])[ROW].to_numpy()
        return len(np.unique(numbers)) == len(numbers)
    seen = np.zeros(highest + 1, np.bool_)
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=[ROW]):
            part = batch.column(0).to_numpy()
            if len(part) and not 0 <= part.min() <= part.max() <= highest:  # it says otherwise
                return False
            seen[part] = True
    count: int = metadata.num_rows
    return int(np.count_nonzero(seen)) == count


def _list_statistics(metadata: pq.FileMetaData, name: str) -> list[Any]:
    """List what a file says of a column in each of its parts that has rows; None if nothing."""
    at = [metadata.schema.column(each).path for each in range(metadata.num_columns)].index(name)
    parts = [metadata.row_group(each) for each in range(metadata.num_row_groups)]
    return [each.column(at).statistics for each in parts if each.num_rows]


def _find_first_row(metadata: pq.FileMetaData) -> int:
    """Find the lowest number of a row, from what the file says of its parts; -1 if it does not."""
    told = _list_statistics(metadata, ROW)
    if not all(each is not None and each.has_min_max for each in told):
        return -1
    return min((int(each.min) for each in told), default=0)


def run_in_windows(
    engine: Engine, pair: Pair, rules: Rules, as_of: dt.date, places: Places, settings: Settings
) -> tuple[dict[str, Any], Summary]:
    """Run a pair as `run_pair` does, by windows where the rules have some."""
    places.work.mkdir()
    parts = places.work.with_name(f"{places.work.name}-parts")
    left, right = (_part(engine, each, rules.book, pair.earlier, parts) for each in pair[:2])
    pair = pair._replace(left=left, right=right)
    return run_pair(engine, pair, rules, as_of, places, with_report=settings.with_report)


def _part(
    engine: Engine, opened: OpenedSide, book: RuleBook, earlier: Earlier | None, parts: Path
) -> OpenedSide:
    """Part a side, where rules cut time into windows."""
    if book.window is None:
        return opened
    entries, folder = opened.read(engine, book.calendar), parts / opened.side.name
    parts.mkdir(exist_ok=True)
    first = find_first(earlier, book.window)
    parted = part_side(engine, entries, opened.side, book.window, folder, first=first)
    return replace(opened, parted=parted)


def _read_rates(rules: Path, asked: Rates) -> tuple[RateTable, RatesFile]:
    path = rules.parent / asked.file
    raw = _read(path, RATES_BYTES_MAX)
    table = load_rates(raw, str(path), asked.days)
    return table, RatesFile(asked.file, hashlib.sha256(raw).hexdigest())


def _read(path: Path, bytes_max: int) -> bytes:
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            return file.read(bytes_max + 1)
    except FileNotFoundError:
        raise NotFound(f"{path} is not there") from None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error}") from None
