"""Normalising: the files of one side become one Parquet of entries, and lines of what was found.

A folder is written whole or not at all: under another name first, which it loses by being renamed,
so that whoever is killed leaves nothing that looks like a result. In it:

- `entries.parquet`: `SCHEMA`, `source`, the number of the file that each entry is from, and `row`,
  its own number on this side;
- `statements.jsonl` and `findings.jsonl`: one JSON object each, with `file`, the same number;
- `<format>-<number>.json`, of a source that is no file: what was read of it, in the place of the
  file, whose hash and size it gives;
- `quarantine.jsonl`: what could not be read, as findings with their raw text; only where that was
  allowed.

Memory is bounded but for the statements, which are held against one another at the end: some
hundred bytes each.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet

from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.reconcile.checks import Located, Placed, check_statements, place_statements
from hansa.reconcile.entries import (
    NORMALISED,
    SCHEMA,
    Entry,
    Fault,
    Finding,
    Part,
    Severity,
    Statement,
)
from hansa.reconcile.readers.feeds import Feed
from hansa.reconcile.readers.opening import Opened, Reading
from hansa.reconcile.readers.parts import read_entries

ENTRIES, STATEMENTS, FINDINGS = "entries.parquet", "statements.jsonl", "findings.jsonl"
QUARANTINE = "quarantine.jsonl"
ROWS_PER_GROUP = 122_880
REPEATED = [
    *("account", "currency", "counterparty", "counterparty_account", "text"),
    *("code", "batch", "status", "original_currency"),
]
"""Columns that list their values once; trying that with references costs as much as the rest."""
TOLD_MAX = 20
"""Findings that a refusal lists."""


class OnError(StrEnum):
    """What becomes of entries that cannot be read."""

    REFUSE = "refuse"
    QUARANTINE = "quarantine"


class Source(NamedTuple):
    """A file that was read, or what tells of another source in its place."""

    name: str
    sha256: str
    """Of the file as it is, compressed or not."""
    size: int
    format: str
    entries: int
    statements: int
    errors: int
    warnings: int


class Normalised(NamedTuple):
    """What was written."""

    folder: Path
    sources: tuple[Source, ...]
    """In the order in which they were given."""
    entries: int
    errors: int
    """Findings for each of which an entry is missing."""
    warnings: int
    """Those across statements counted in."""


def normalise(
    paths: Sequence[Path | Feed],
    folder: Path,
    reading: Reading | None = None,
    *,
    on_error: OnError = OnError.REFUSE,
) -> Normalised:
    """Normalise the files of one side into a folder, which must not be there yet, or be empty.

    In the place of a file may be a feed, of which is kept what it says of itself.

    Raises:
      NotFound: there is no such file.
      Unavailable: one cannot be read, or the folder not be written.
      Invalid: a file is of no format that is known, or unsafe; or, with `REFUSE`, something in one
        cannot be read: lists the first findings. Nothing is written then.
    """
    if not paths:
        raise Invalid(InvalidCode.MALFORMED, "no files: name one at least")
    try:
        with make_folder(folder) as unfinished:
            with ExitStack() as stack:
                run = _Run(unfinished, stack, on_error)
                for path in paths:
                    if isinstance(path, Path):
                        run.read(path, reading)
                    else:
                        run.read_feed(path)
                run.check()
            for each in unfinished.iterdir():
                _sync(each)
        _sync(folder.parent)
    except OSError as error:
        raise Unavailable(
            f"{folder} cannot be written: {error}; nothing of it is kept: make room, or name "
            "another folder"
        ) from None
    return run.summarise(folder)


def iterate_entries(folder: Path, rows: int) -> Iterator[list[Entry]]:
    """Iterate the entries that were written into a folder, so many at a time."""
    with pyarrow.parquet.ParquetFile(folder / ENTRIES) as file:
        for batch in file.iter_batches(rows, columns=SCHEMA.names):
            yield read_entries(batch)


class _Run:
    """The files of one side, as they are being read."""

    def __init__(self, folder: Path, stack: ExitStack, on_error: OnError) -> None:
        self._folder = folder
        self._on_error = on_error
        self._entries = _EntriesFile(folder / ENTRIES, stack)
        self._statements = stack.enter_context((folder / STATEMENTS).open("wb"))
        self._findings = stack.enter_context((folder / FINDINGS).open("wb"))
        self._quarantine: BinaryIO | None = None
        if on_error is OnError.QUARANTINE:
            self._quarantine = stack.enter_context((folder / QUARANTINE).open("wb"))
        self._sources: list[Source] = []
        self._placed: list[Placed] = []
        self._refused: list[str] = []
        self._warnings = 0

    def read(self, path: Path, reading: Reading | None) -> None:
        """Read a file."""
        with Opened(path, reading) as opened, closing(opened.iterate()) as parts:
            digest, size = hash_file(path)
            counts = self._take(parts, str(path))
        self._sources.append(Source(path.name, digest, size, opened.format.name, *counts))

    def read_feed(self, feed: Feed) -> None:
        """Read what is no file."""
        name = f"{feed.format}-{len(self._sources)}.json"
        with closing(feed.iterate()) as parts:
            counts = self._take(parts, name)
        told = feed.describe()
        (self._folder / name).write_bytes(told)
        digest = hashlib.sha256(told).hexdigest()
        self._sources.append(Source(name, digest, len(told), feed.format, *counts))

    def _take(self, parts: Iterator[Part], name: str) -> tuple[int, int, int, int]:
        """Take the parts of a source; counts entries, statements, errors and warnings."""
        number = len(self._sources)
        statements: list[Statement] = []
        lines = array("q")
        entries = warnings = 0
        for part in parts:
            self._entries.add(part.entries, number)
            entries += part.entries.num_rows
            statements += part.statements
            lines.extend(self._tell(part, number, name))
            warnings += sum(each.severity is Severity.WARNING for each in part.findings)
        for statement in statements:
            _write(self._statements, number, statement)
        self._placed += place_statements(number, statements, lines)
        return entries, len(statements), len(lines), warnings

    def check(self) -> None:
        """Check the files and their statements against one another; refuse what must be."""
        if self._refused:
            self._refuse()
        self._entries.close()
        checked = check_statements(self._placed)
        for located in (*self._find_same_files(), *checked, *self._find_repeats(checked)):
            _write(self._findings, located.file, located.finding)
            self._warnings += 1

    def summarise(self, folder: Path) -> Normalised:
        sources = self._sources
        return Normalised(
            folder,
            tuple(sources),
            sum(source.entries for source in sources),
            sum(source.errors for source in sources),
            sum(source.warnings for source in sources) + self._warnings,
        )

    def _tell(self, part: Part, number: int, name: str) -> Iterator[int]:
        """Write the findings of a part; gives the lines of errors."""
        for finding in part.findings:
            _write(self._findings, number, finding)
            if finding.severity is Severity.WARNING:
                continue
            yield finding.line
            if self._quarantine is not None:
                _write(self._quarantine, number, finding)
                continue
            field = f", {finding.field}" if finding.field else ""
            self._refused.append(f"{name}, line {finding.line}{field}: {finding.text}")
            if len(self._refused) >= TOLD_MAX:
                self._refuse()

    def _refuse(self) -> None:
        count = len(self._refused)
        many = f"the first {count} faults" if count >= TOLD_MAX else f"{count} faults"
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{'1 fault' if count == 1 else many}; correct the files, or let what cannot be read "
            "be put into quarantine (--quarantine): "
            + " ".join(f"({number}) {text};" for number, text in enumerate(self._refused, 1))[:-1],
            findings=count,
        )

    def _find_repeats(self, told: Sequence[Located]) -> Iterator[Located]:
        """Find what stands in two statements that were not told as the same."""
        placed = [each for each in self._placed if self._sources[each.file].format == "ofx"]
        if len(placed) < 2:  # noqa: PLR2004 - one, and another
            return
        from hansa.reconcile.repeats import find_repeats  # noqa: PLC0415 - loads the engine

        known = {
            (each.file, each.finding.line) for each in told if each.finding.fault is Fault.DUPLICATE
        }
        for located in find_repeats(self._folder / ENTRIES, placed):
            if (located.file, located.finding.line) not in known:
                yield located

    def _find_same_files(self) -> Iterator[Located]:
        first: dict[str, int] = {}
        for number, source in enumerate(self._sources):
            before = first.setdefault(source.sha256, number)
            if before != number:
                text = (
                    f"the file is, to the byte, the same as file {before + 1}, "
                    f"{self._sources[before].name}: all its entries stand twice, leave one out"
                )
                yield Located(number, Finding(Severity.WARNING, Fault.DUPLICATE, 0, "", text))


class _EntriesFile:
    """Entries as Parquet, in row groups that are worth reading."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        writer = pyarrow.parquet.ParquetWriter(path, NORMALISED, use_dictionary=REPEATED)
        self._writer = stack.enter_context(writer)
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0
        self._written = 0

    def add(self, entries: pa.RecordBatch, source: int) -> None:
        """Add entries of a file."""
        if not entries.num_rows:
            return
        count = entries.num_rows
        sources = pa.repeat(pa.scalar(source, pa.int32()), count)
        rows = pa.array(range(self._written, self._written + count), pa.int64())
        self._batches.append(
            pa.RecordBatch.from_arrays([*entries.columns, sources, rows], schema=NORMALISED)
        )
        self._rows += count
        self._written += count
        if self._rows >= ROWS_PER_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write what there is."""
        if self._batches:
            self._writer.write_table(pa.Table.from_batches(self._batches), ROWS_PER_GROUP)
        self._batches, self._rows = [], 0

    def close(self) -> None:
        """Write what is left, and end the file, so that it can be read."""
        self.flush()
        self._writer.close()


def _write(file: BinaryIO, number: int, value: Statement | Finding) -> None:
    line = json.dumps({"file": number, **value._asdict()}, ensure_ascii=False)
    file.write(line.encode(errors="backslashreplace") + b"\n")  # JSON escapes alike


def hash_file(path: Path) -> tuple[str, int]:
    """Hash a file by SHA-256; gives the hash, in hexadecimal, and the size in bytes."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return digest.hexdigest(), file.tell()


@contextmanager
def make_folder(folder: Path) -> Iterator[Path]:
    """Make a folder that gets its name once all is in it, and goes if that fails."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Invalid(InvalidCode.MALFORMED, f"{folder} is there already: name another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield unfinished
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
