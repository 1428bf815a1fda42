"""Words by which a bank says what is in its books: add, complete."""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from hansa.cli.pair.parties import add_agreement, parse_agreement
from hansa.cli.pair.proposing import needing_extra
from hansa.cli.pair.reading import EPOCH
from hansa.cli.reconcile.readings import (
    SaidReading,
    open_reading,
    parse_currency,
    parse_encoding,
)
from hansa.cli.screen import ProgressBar, print_found
from hansa.cli.source import add_node, open_client, parse_count, parse_file
from hansa.contracts.reconciliation.windows import WINDOW_LATEST
from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.sdk.client import Client
from hansa.sdk.files import read_file, write_file
from hansa.sdk.reconciliation.pair_answers import PairDetails

CHUNK = 1_000
WAIT_S_MAX = 3_600
PAUSE_FIRST_S = 0.05
PAUSE_LAST_S = 2.0
QUARANTINE_BYTES_MAX = 1 << 30


class Statements(NamedTuple):
    """A file that was read."""

    folder: Path
    """With its entries, normalised."""
    sha256: bytes
    """Of the file as it is."""
    total: int
    left_out: int
    """That could not be read."""
    warnings: int


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `pair`."""
    add = words.add_parser("add", help="add the entries of a file to one's own side")
    add_agreement(add)
    add.add_argument("file", type=parse_file, help="statements of any format that is read")
    add.add_argument(
        "--map",
        type=parse_file,
        metavar="FILE",
        help="TOML file that says what the columns of a table mean",
    )
    add.add_argument(
        "--encoding",
        type=parse_encoding,
        metavar="NAME",
        help="of MT940 and MT942, if neither UTF-8 nor Windows-1252",
    )
    add.add_argument(
        "--currency",
        type=parse_currency,
        metavar="CODE",
        help="of accounts whose file tells none, in MT940, MT942 and BAI2",
    )
    add.add_argument(
        "--quarantine",
        type=parse_file,
        metavar="FILE",
        help="go on without entries that cannot be read, and write them into this new file",
    )
    add_node(add)
    add.set_defaults(function=_add)
    complete = words.add_parser("complete", help="say of which windows all entries are added")
    add_agreement(complete)
    which = complete.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "window", type=parse_count, nargs="?", help="this one, by its number, and all before it"
    )
    which.add_argument(
        "--before", type=_parse_date, metavar="DATE", help="all whose days are before this one"
    )
    complete.add_argument(
        "--wait",
        type=parse_count,
        metavar="SECONDS",
        default=0,
        help="until both banks have agreed on what came out of them",
    )
    add_node(complete)
    complete.set_defaults(function=_complete)


def _add(options: argparse.Namespace) -> int:
    agreement = parse_agreement(options)
    with _reading(options) as statements, open_client(options) as client:
        _require_near(statements.folder, options.file)
        bar = ProgressBar()
        added = left_out = repeated = done = 0
        for chunk in _iterate(statements.folder):
            try:
                found = client.pairs.add(agreement, chunk, statements.sha256, done)
            except Unavailable as error:
                raise Unavailable(
                    f"{done} of {statements.total} entries are added, and the next may be: the "
                    f"same command again goes on there. {error.message}",
                    **error.facts,
                ) from None
            added += found.taken
            left_out += found.left_out
            repeated += found.repeated
            done += len(chunk)
            bar.show("entries", done, statements.total)
    told = {
        "file": str(options.file),
        "entries": statements.total,
        "added": added,
        "added_before": repeated,
        "left_out": left_out,
        "quarantined": statements.left_out,
        "warnings": statements.warnings,
    }
    print_found(told, is_json=options.json)
    return 0


@contextmanager
def _reading(options: argparse.Namespace) -> Iterator[Statements]:
    """Read a file whole before anything of it is added, into a folder that is then removed.

    Raises:
      NotFound: there is no such file.
      Unavailable: it cannot be read.
      Invalid: it is of no format that is known, or something in it cannot be read.
    """
    with needing_extra():
        from hansa.reconcile import normalising  # noqa: PLC0415

        reading = open_reading(SaidReading(options.map, options.encoding, options.currency or ""))
    on_error = normalising.OnError.QUARANTINE if options.quarantine else normalising.OnError.REFUSE
    with tempfile.TemporaryDirectory(prefix="hansa-add-") as name:
        folder = Path(name)
        found = normalising.normalise([options.file], folder, reading, on_error=on_error)
        if options.quarantine and found.errors:
            _keep_quarantine(folder / normalising.QUARANTINE, options.quarantine)
        (source,) = found.sources
        sha256 = bytes.fromhex(source.sha256)
        yield Statements(folder, sha256, found.entries, found.errors, found.warnings)


def _keep_quarantine(path: Path, target: Path) -> None:
    try:
        write_file(target, read_file(path, QUARANTINE_BYTES_MAX), mode=0o600)
    except FileExistsError:
        raise Invalid(
            InvalidCode.ARGUMENTS, f"{target} is there already: name a new file"
        ) from None


def _require_near(folder: Path, file: Path) -> None:
    """Refuse a file with an entry far ahead, before a chunk of it is added; raises `Invalid`."""
    from hansa.reconcile.normalising import iterate_entries  # noqa: PLC0415 - an extra
    from hansa.reconcile.stream.entries import require_near  # noqa: PLC0415

    today = (dt.datetime.now(tz=dt.UTC).date() - EPOCH).days
    for entries in iterate_entries(folder, CHUNK):
        require_near(entries, today, f"{file}, ")


def _iterate(folder: Path) -> Iterator[list[bytes]]:
    """Iterate the entries as they travel, a chunk at a time; raises `Invalid` for what cannot."""
    from hansa.reconcile.normalising import iterate_entries  # noqa: PLC0415 - an extra
    from hansa.reconcile.stream.entries import write_entry  # noqa: PLC0415

    for entries in iterate_entries(folder, CHUNK):
        yield [write_entry(each) for each in entries]


def _complete(options: argparse.Namespace) -> int:
    agreement = parse_agreement(options)
    if options.wait > WAIT_S_MAX:
        raise Invalid(InvalidCode.ARGUMENTS, f"--wait {options.wait}: {WAIT_S_MAX} s at most")
    with open_client(options) as client:
        terms = client.pairs.get(agreement).terms
        below = options.window
        if below is not None:
            below += 1
        else:
            below = ((options.before - EPOCH).days - terms.from_day) // terms.window_days
        if not 0 < below <= WINDOW_LATEST:
            raise Invalid(InvalidCode.ARGUMENTS, "no window is over by then: nothing was done")
        pair = client.pairs.complete(agreement, below)
        if options.wait:
            pair = _wait_for(client, agreement, below, options.wait)
    last = EPOCH + dt.timedelta(days=terms.from_day + below * terms.window_days - 1)
    told = {
        "agreement": options.agreement,
        "complete_through_window": below - 1,
        "last_day": str(last),
        "windows_agreed": pair.on_ledger.agreed if pair.on_ledger else 0,
    }
    print_found(told, is_json=options.json)
    return 0


def _wait_for(client: Client, agreement: bytes, below: int, timeout_s: int) -> PairDetails:
    """Wait until the windows below a number are agreed; raises `Unavailable` if they are not."""
    end_s = time.monotonic() + timeout_s
    pause_s = PAUSE_FIRST_S
    while True:
        pair = client.pairs.get(agreement)
        row = pair.on_ledger
        if row is not None and row.agreed >= below:
            return pair
        if time.monotonic() >= end_s:
            closed = row.closed if row is not None else 0
            raise Unavailable(
                f"window {below - 1} is complete here, and not agreed after {timeout_s} s: "
                + (pair.trouble or f"both banks have completed {closed} windows")
            )
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, PAUSE_LAST_S)


def _parse_date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date, as 2026-11-30") from None
