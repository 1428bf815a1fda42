"""What an earlier run left open, taken into this one as entries of its sides.

An earlier result is taken as it stands in its folder. Its entries get new numbers of rows, behind
those of the files, and count as of one more file of their side.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.reconcile.batch.manifest import MANIFEST
from hansa.reconcile.batch.results import OPEN, WINDOWS, CarriedFrom
from hansa.reconcile.entries import NORMALISED, TIMES
from hansa.reconcile.normalising import Source, hash_file
from hansa.reconcile.rules.book import Window
from hansa.reconcile.rules.windows import find_window

FORMAT = "carried"
"""What a carried file is told as, where others tell their format."""
_EPOCH = dt.date(1970, 1, 1)


class Earlier(NamedTuple):
    """What an earlier run left open."""

    origin: CarriedFrom
    left: pa.Table
    """By `NORMALISED`."""
    right: pa.Table
    sources: tuple[Source, Source]
    """The file they are from, with as many entries as are of the left and the right side."""
    last_day: dt.date | None
    """Of its last window, if it had any."""


def read_earlier(folder: Path, names: tuple[str, str]) -> Earlier:
    """Read what an earlier run left open, from the folder of its result.

    Args:
      folder: of the result; of one pair of sides, where there were more.
      names: of the sides, left and right.

    Raises:
      NotFound: there is no such result.
      Invalid: it is of other sides, or does not hold together.
      Unavailable: it cannot be read.
    """
    try:
        raw = (folder / MANIFEST).read_bytes()
        digest, size = hash_file(folder / OPEN)
        manifest = _read_manifest(folder, raw)
        if manifest["open_sha256"] != digest:
            raise _wrong(folder, f"{OPEN} was changed")
        schema = NORMALISED.insert(0, pa.field("side", pa.string()))
        table = _read_open(folder / OPEN, schema)
    except FileNotFoundError as error:
        missing = Path(str(error.filename or folder / OPEN)).name
        raise NotFound(f"{folder} holds no result to carry on: {missing} is not there") from None
    except (pa.ArrowInvalid, KeyError) as error:
        raise _wrong(folder, f"{OPEN} has not what a result has: {error}") from None
    except OSError as error:
        raise Unavailable(f"{folder} cannot be read: {error}") from None
    found = tuple(manifest["names"])
    if found != names:
        raise _wrong(folder, f"it is of {' and '.join(found)}, not of {' and '.join(names)}")
    left, right = (
        table.filter(pc.equal(table.column("side"), name)).select(NORMALISED.names)
        for name in names
    )
    label = f"{folder.name}/{OPEN}"
    sources = (
        Source(label, digest, size, FORMAT, len(left), 0, 0, 0),
        Source(label, digest, size, FORMAT, len(right), 0, 0, 0),
    )
    hashes = hashlib.sha256(raw).hexdigest(), manifest["result_sha256"]
    origin = CarriedFrom(*hashes, (len(left), len(right)))
    return Earlier(origin, left, right, sources, manifest["last_day"])


def _read_open(path: Path, schema: pa.Schema) -> pa.Table:
    """Read open entries; earlier versions told no times."""
    table = pq.read_table(path)
    for each in TIMES:
        if each.name not in table.column_names:
            table = table.append_column(each, pa.nulls(len(table), each.type))
    return table.select(schema.names).cast(schema)


def find_first(earlier: Earlier | None, window: Window) -> int:
    """Find the number of the first window of a run: the one after the last of an earlier run."""
    if earlier is None or earlier.last_day is None:
        return 0
    return find_window(window, (earlier.last_day - _EPOCH).days + 1, None)


def _read_manifest(folder: Path, raw: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(raw)
        windows = manifest.get(WINDOWS)
        return {
            "names": [str(each["name"]) for each in manifest["sides"]],
            "open_sha256": manifest["files"][OPEN],
            "result_sha256": str(manifest["result_sha256"]),
            "last_day": dt.date.fromisoformat(windows[-1]["last_day"]) if windows else None,
        }
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise _wrong(folder, f"{MANIFEST} is not that of one pair of sides") from None


def renumber(carried: pa.Table, first: int, source: int | None) -> pa.Table:
    """Number carried entries anew.

    Args:
      carried: by `NORMALISED`.
      first: the number of the first row.
      source: the number of the file that they count as of; if None, they keep their own.
    """
    rows = pa.array(range(first, first + len(carried)), pa.int64())
    columns = {"row": rows}
    if source is not None:
        columns["source"] = pa.repeat(pa.scalar(source, pa.int32()), len(carried))
    for name, column in columns.items():
        carried = carried.set_column(
            NORMALISED.get_field_index(name), NORMALISED.field(name), column
        )
    return carried


def _wrong(folder: Path, what: str) -> Invalid:
    return Invalid(InvalidCode.ARGUMENTS, f"{folder} cannot be carried on: {what}")
