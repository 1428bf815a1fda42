"""An operator's customers screened against sanctions lists, as its folder has both.

FOLDER/customers.csv   who has which wallet: `wallet,name`, and `born,country`; may be missing
FOLDER/cleared.csv     hits that an officer found to be somebody else; may be missing
FOLDER/sanctions/      lists, as they are published
FOLDER/screened.bin    what screening found, so that only what is new is screened again

It takes a core 0.4 ms a name, so it is done where the folder is read, and never for a payment;
while payments are decided on, in a process beside those that do. No name leaves this but to whoever
asks for hits.

Source: docs/reference/screening.md.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from hansa.engine.workers import Workers, start_workers
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, Unavailable
from hansa.node.risk.files import locked, read_optional
from hansa.risk.decisions.policy import Screening as Thresholds
from hansa.risk.models.calibration import MILLION
from hansa.risk.screening.customers import (
    CLEARING_COLUMNS,
    CLEARING_OPTIONAL,
    Cleared,
    Customer,
    parse_clearings,
    parse_customers,
)
from hansa.risk.screening.hits import (
    CustomerHit,
    Known,
    Screened,
    build_screened,
    forget_others,
    hash_basis,
    list_hits,
    list_unknown,
    pack_known,
    screen_customers,
    unpack_known,
)
from hansa.risk.screening.published import LISTS_FOLDER, find_lists, hash_lists, read_lists
from hansa.risk.screening.screener import Screener
from hansa.sdk.files import write_file

CUSTOMERS: Final = "customers.csv"
CLEARED: Final = "cleared.csv"
SCREENED: Final = "screened.bin"
CUSTOMERS_BYTES_MAX: Final = 256 << 20
KNOWN_BYTES_MAX: Final = 1 << 30
FINDINGS_KEPT: Final = 20
PRIVATE: Final = 0o600


class Files(NamedTuple):
    """What of a folder is about customers, read and checked."""

    customers: tuple[Customer, ...]
    cleared: Cleared
    lists: tuple[Path, ...]
    lists_hash: bytes
    lists_ms: int
    """When the file was changed that was changed the longest ago, in milliseconds since 1970."""


class Screening(NamedTuple):
    """What came of screening the customers of an operator."""

    customers: int
    """Names that were screened."""
    entries: int
    """Of the lists."""
    lists_hash: bytes
    """Of the lists' files."""
    lists_ms: int
    """As in `Files`."""
    findings: tuple[str, ...]
    """What of the lists is not screened against; not all of many."""
    left_out: int
    """How many there are."""
    hits: tuple[CustomerHit, ...]
    """Cleared or not."""
    screened: Mapping[bytes, Screened]
    """By the address of a wallet: all that a payment is held against."""


def read_screening_files(folder: Path) -> Files | None:
    """Read the files about customers; None where there is no file of customers.

    Raises:
      Invalid: something is wrong in one; names all faults with their lines. Or there are customers,
        and no list to screen them against; or none any more, and what was found of them still is.
      Unavailable: one cannot be read.
    """
    raw = read_optional(folder / CUSTOMERS, CUSTOMERS_BYTES_MAX)
    if raw is None:
        if (folder / SCREENED).exists():
            told = (
                f"{folder / CUSTOMERS} is not there, and customers were screened before: put it "
                f"back, or take {SCREENED} away, too, to screen nobody"
            )
            raise Invalid(InvalidCode.MALFORMED, told, path=str(folder / CUSTOMERS))
        return None
    customers = tuple(parse_customers(raw, folder / CUSTOMERS))
    clearings = read_optional(folder / CLEARED, CUSTOMERS_BYTES_MAX)
    cleared = {} if clearings is None else parse_clearings(clearings, folder / CLEARED)
    try:
        lists = find_lists(folder / LISTS_FOLDER)
        lists_ms = min(path.stat().st_mtime_ns for path in lists) // 1_000_000
    except Invalid as error:
        told = f"{error.message}; or take {folder / CUSTOMERS} away"
        raise Invalid(InvalidCode.MALFORMED, told, path=str(folder / LISTS_FOLDER)) from None
    except OSError as error:
        raise Unavailable(f"{folder / LISTS_FOLDER}: {error.strerror}") from None
    return Files(customers, cleared, lists, hash_lists(lists), lists_ms)


class Overview(NamedTuple):
    """What is kept of screening, as it fits the files of a folder."""

    unscreened: int
    """Names of which nothing is known under these lists."""
    left_out: int
    findings: tuple[str, ...]
    """As in `Screening`."""


Screen = Callable[[Path, Thresholds], Screening | None]
"""Screens the customers of a folder; as `screen_folder`."""


class ScreeningBeside:
    """Screens in processes beside this one, one after the other; in any thread."""

    def __init__(self) -> None:
        self._alone = Lock()
        self._workers: Workers | None = None
        self._is_closed = False

    def screen(self, folder: Path, thresholds: Thresholds) -> Screening | None:
        """As `screen_folder`; whoever asks meanwhile waits.

        Raises:
          Invalid, Unavailable: as `screen_folder`; or it was closed, or its process ended.
        """
        if not any((folder / name).exists() for name in (CUSTOMERS, SCREENED)):
            return None
        with self._alone, start_workers(1) as workers:
            self._workers = workers
            try:
                job = workers.submit(screen_folder, folder, thresholds)
                if self._is_closed:
                    workers.end()
                return job.result()
            except BrokenProcessPool:
                told = "the process that screens customers ended before it had: try again"
                raise Unavailable(told) from None
            finally:
                self._workers = None

    def close(self) -> None:
        """Screen nobody any more; who is being screened is left."""
        self._is_closed = True
        workers = self._workers
        if workers is not None:
            workers.end()


def screen_folder(folder: Path, thresholds: Thresholds) -> Screening | None:
    """Screen who is not screened yet; None where there is no file of customers.

    Raises:
      Invalid: as `read_screening_files`; or a list is none.
      Unavailable: a file cannot be read, or lists change while they are.
    """
    files = read_screening_files(folder)
    if files is None:
        return None
    score = thresholds.review_score
    known = _find_known(folder, files, score)
    asked = list_unknown(files.customers, known)
    if known is None or asked:
        known = _screen_anew(files, known, asked, score)
        with suppress(HansaError):  # as on a disk that is full: it is screened again the next time
            write_file(folder / SCREENED, pack_known(known), replace=True, mode=PRIVATE)
    hits = list_hits(files.customers, known, files.cleared, score)
    return Screening(
        len(files.customers),
        known.entries,
        files.lists_hash,
        files.lists_ms,
        known.findings,
        known.left_out,
        hits,
        build_screened(hits, score, thresholds.block_score),
    )


def look_over(folder: Path, files: Files, thresholds: Thresholds) -> Overview:
    """Look whether customers were screened against lists as they are; screens nobody."""
    known = _find_known(folder, files, thresholds.review_score)
    unscreened = len(list_unknown(files.customers, known))
    if known is None:
        return Overview(unscreened, 0, ())
    return Overview(unscreened, known.left_out, known.findings)


def _find_known(folder: Path, files: Files, score: int) -> Known | None:
    """Find what is kept of screening, if it holds for these lists and this score."""
    known = load_known(folder)
    if known is None or known.basis != hash_basis(files.lists_hash) or known.threshold > score:
        return None
    return known


def load_known(folder: Path) -> Known | None:
    """Load what screening found before; None if nothing is kept, or it cannot be read."""
    try:
        raw = read_optional(folder / SCREENED, KNOWN_BYTES_MAX)
    except (Invalid, Unavailable):
        return None
    return None if raw is None else unpack_known(raw)


def _screen_anew(
    files: Files, known: Known | None, asked: Mapping[bytes, Customer], score: int
) -> Known:
    """Screen who is new, and forget who is a customer no more."""
    published = read_lists(files.lists)
    if hash_lists(files.lists) != files.lists_hash:
        raise Unavailable("the sanctions lists change while they are read: try again in a moment")
    before = {} if known is None else known.found
    threshold = score if known is None else known.threshold
    found = screen_customers(asked, Screener(published.listed, min(threshold, MILLION)))
    left_out = [str(each) for each in published.findings if each.is_left_out]
    known = Known(
        hash_basis(files.lists_hash),
        threshold,
        len(published.listed.entries),
        tuple(left_out[:FINDINGS_KEPT]),
        len(left_out),
        {**before, **found},
    )
    return forget_others(known, files.customers)


def clear_hits(
    folder: Path,
    hits: Iterable[CustomerHit],
    *,
    why: str,
    until: str | None,
    by: str | None,
) -> None:
    """Keep that customers are not whom entries name; it counts from the next reading on.

    Args:
      folder: the operator's, which was just read.
      hits: in which somebody else was found.
      why: by what it is known.
      until: the last day on which it counts, or a time; None for no end.
      by: who found it.

    Raises:
      Invalid: `until` is neither a date nor a time, or a text is too long.
      Unavailable: the disk refuses.
    """
    told = {"why": why, "until": until, "by": by}
    named = [
        {"wallet": to_text(hit.wallet), "entry": hit.found.entry, "name": hit.name, **told}
        for hit in hits
    ]
    with locked(folder):  # another officer clears others meanwhile
        path = folder / CLEARED
        raw = read_optional(path, CUSTOMERS_BYTES_MAX) or b""
        rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
        content = _write_clearings(rows + named)
        parse_clearings(content, path)  # what could not be read again is not written
        write_file(path, content, replace=True, mode=PRIVATE)


def _write_clearings(rows: Iterable[Mapping[str, str | None]]) -> bytes:
    written = io.StringIO(newline="")
    columns = (*CLEARING_COLUMNS, *CLEARING_OPTIONAL)
    writer = csv.DictWriter(written, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue().encode()
