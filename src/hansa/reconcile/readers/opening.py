"""Opening files: what format a file has, by how it begins, and its parts.

A file may be compressed by gzip. One that unpacks to very many times its size is refused, as is
every other archive.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

import msgspec

from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.reconcile.entries import Fault, Finding, Part, Severity
from hansa.reconcile.readers.bai2 import CURRENCY_USUAL, is_bai2, read_bai2
from hansa.reconcile.readers.camt import is_camt, read_camt
from hansa.reconcile.readers.mt import is_mt, read_mt
from hansa.reconcile.readers.ofx import is_ofx, read_ofx
from hansa.reconcile.readers.tables.building import NO_ENTRIES
from hansa.reconcile.readers.tables.delimited import read_csv
from hansa.reconcile.readers.tables.mapping import Mapping, parse_mapping
from hansa.reconcile.readers.tables.parquet import is_parquet, read_parquet
from hansa.reconcile.readers.tables.workbook import is_xlsx, read_xlsx
from hansa.regular_files import open_regular

HEAD_BYTES = 4_096
"""By which a format is told."""
GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"
SEEKING = ("parquet", "xlsx")
"""Formats whose files are not read from front to back."""
OLD_MAGIC = b"\xd0\xcf\x11\xe0"
RATIO_MAX = 250
"""How many times its size a compressed file may have; statements reach some fifty."""
FREE_BYTES = 1 << 26
"""That any file may unpack to."""


class Reading(NamedTuple):
    """How files are read that do not say it themselves."""

    mapping: Mapping | None = None
    """Of tables."""
    encoding: str | None = None
    """Of MT940 and MT942; None to find it out. A table's is in its mapping."""
    currency: str = ""
    """Of accounts whose file does not tell it."""
    mapping_sha256: str = ""
    """Of the file that the mapping is from, if it is from one."""

    def tell(self) -> dict[str, str]:
        """Tell what of it is given; a mapping by the hash of its file, or else of what it says."""
        told = {"encoding": self.encoding or "", "currency": self.currency}
        if self.mapping is not None:
            said = msgspec.json.encode(self.mapping)
            told["mapping_sha256"] = self.mapping_sha256 or hashlib.sha256(said).hexdigest()
        return {name: value for name, value in told.items() if value}


def map_tables(raw: bytes, name: str) -> Reading:
    """Read tables by a mapping file.

    Args:
      raw: its content.
      name: what it is called in errors.

    Raises:
      Invalid: it is no mapping.
    """
    digest = hashlib.sha256(raw).hexdigest()
    return Reading(parse_mapping(raw, name), mapping_sha256=digest)


class Format(NamedTuple):
    """A format, and how its files are told and read."""

    name: str
    is_it: Callable[[bytes], bool]
    read: Callable[[BinaryIO, Reading], Iterator[Part]]


def _read_mapped(
    read: Callable[[BinaryIO, Mapping], Iterator[Part]],
) -> Callable[[BinaryIO, Reading], Iterator[Part]]:
    def read_by(stream: BinaryIO, reading: Reading) -> Iterator[Part]:
        if reading.mapping is None:
            raise _malformed("a table needs a mapping that says what its columns mean")
        return read(stream, reading.mapping)

    return read_by


def _read_mt(stream: BinaryIO, reading: Reading) -> Iterator[Part]:
    return read_mt(stream, encoding=reading.encoding, currency=reading.currency)


def _read_bai2(stream: BinaryIO, reading: Reading) -> Iterator[Part]:
    return read_bai2(stream, currency=reading.currency or CURRENCY_USUAL)


def _read_ofx(stream: BinaryIO, _: Reading) -> Iterator[Part]:
    return read_ofx(stream)


def _read_camt(stream: BinaryIO, _reading: Reading) -> Iterator[Part]:
    return read_camt(stream)


FORMATS: tuple[Format, ...] = (
    Format("parquet", is_parquet, _read_mapped(read_parquet)),
    Format("xlsx", is_xlsx, _read_mapped(read_xlsx)),
    Format("camt", is_camt, _read_camt),
    Format("mt", is_mt, _read_mt),
    Format("bai2", is_bai2, _read_bai2),
    Format("ofx", is_ofx, _read_ofx),
)
"""In the order in which they are tried; whatever else there is a mapping for is CSV."""
CSV = Format("csv", bool, _read_mapped(read_csv))


def find_format(head: bytes, reading: Reading) -> Format:
    """Find the format of a file by its first kilobytes.

    Raises:
      Invalid: it is none that is known.
    """
    for form in FORMATS:
        if form.is_it(head):
            return form
    if head.startswith(ZIP_MAGIC):
        raise _malformed("it is a ZIP archive: unpack it, and give the files in it")
    if head.startswith(OLD_MAGIC):
        raise _malformed(
            "it is a workbook of before 2007, or one under a password: save it as .xlsx, without"
        )
    if reading.mapping is not None:
        return CSV
    names = ", ".join(form.name for form in FORMATS)
    raise _malformed(
        f"it begins like none of the formats that are known ({names}); if it is a table, give a "
        "mapping that says what its columns mean"
    )


class Opened:
    """A file of statements that is open; a context, which closes it.

    Raises:
      NotFound: there is no such file.
      Unavailable: it cannot be read.
      Invalid: it is no regular file, is empty, or of no format that is known.
    """

    def __init__(self, path: Path, reading: Reading | None = None) -> None:
        self._path = path
        self._reading = reading or Reading()
        self._unpacked: _Unpacked | None = None
        self._exit = ExitStack()
        with ExitStack() as undo:
            self._stream = self._open(undo)
            self.format = self._find_format()
            self._exit = undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def iterate(self) -> Generator[Part]:
        """Iterate the parts of the file; whoever does not go to the end closes it before the file.

        Raises:
          Invalid: it is not of its format after all, or unsafe.
          Unavailable: it cannot be read any more.
        """
        try:
            yield from self.format.read(self._stream, self._reading)
        except Invalid as error:
            raise Invalid(error.code, f"{self._path}: {error.message}", **error.facts) from None
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be read: {error}") from None
        if self._unpacked is not None and self._unpacked.fault:
            text = (
                f"the compressed file is damaged or cut off ({self._unpacked.fault}): what stood "
                "before is read, and nothing after; fetch it anew"
            )
            yield Part(NO_ENTRIES, (), (Finding(Severity.ERROR, Fault.STRUCTURE, 0, "", text),))

    def _open(self, undo: ExitStack) -> BinaryIO:
        try:
            file = undo.enter_context(os.fdopen(open_regular(self._path), "rb"))
            is_gzip = file.peek(2).startswith(GZIP_MAGIC)
        except FileNotFoundError:
            raise NotFound(f"there is no file {self._path}") from None
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be read: {error}") from None
        if not is_gzip:
            return file
        self._unpacked = _Unpacked(file)
        return undo.enter_context(io.BufferedReader(self._unpacked, 1 << 16))

    def _find_format(self) -> Format:
        try:
            head = self._stream.peek(HEAD_BYTES)[:HEAD_BYTES]  # type: ignore[attr-defined]
            if not head:
                raise _malformed("it is empty")
            form = find_format(head, self._reading)
            if form.name in SEEKING and self._unpacked is not None:
                raise _malformed(f"it is {form.name} compressed once more: unpack it")
        except Invalid as error:
            raise Invalid(error.code, f"{self._path}: {error.message}", **error.facts) from None
        return form


def open_statements(path: Path, reading: Reading | None = None) -> Iterator[Part]:
    """Read a file of statements, of whichever format it is.

    Raises:
      NotFound: there is no such file.
      Unavailable: it cannot be read.
      Invalid: it is of no format that is known, or unsafe.
    """
    with Opened(path, reading) as opened:
        yield from opened.iterate()


class _Unpacked(io.RawIOBase):
    """What a gzip file holds, until it is damaged, cut off, or too much for its size."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._file = gzip.GzipFile(fileobj=packed, mode="rb")
        self._count = 0
        self.fault = ""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - whatever holds bytes
        if self.fault:
            return 0
        view = memoryview(buffer).cast("B")
        try:
            data = self._file.read1(len(view))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self.fault = str(error)
            return 0
        view[: len(data)] = data
        self._count += len(data)
        if self._count > FREE_BYTES and self._count > RATIO_MAX * self._packed.tell():
            raise _malformed(
                f"it unpacks to more than {RATIO_MAX} times its size, as no statement does: "
                "unpack it yourself if you trust it"
            )
        return len(data)


def _malformed(message: str) -> Invalid:
    return Invalid(InvalidCode.MALFORMED, message)
