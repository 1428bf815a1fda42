"""Results as files: pairs, matches, breaks, and what binds them to what they are of.

- `pairs.parquet`: `left_row` and `right_row` of what the first pass matched;
- `matches.parquet`: entries of all other matches, one row each, by the number of their match;
- `breaks.parquet`: entries that do not match, likewise, with class, age and priority;
- `open.parquet`: the same entries with all that they say, for the run that carries them on.

What is told of them, for the manifest: hashes of inputs and rules, counts, and the hash of the
result.

The hash of the result is that of its other matches and breaks by what their entries say, sorted,
and of the number of pairs. It does not depend on the order of rows; the pairs follow from the
inputs, the rules and the rest.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hansa.reconcile.batch.ageing import Ageing
from hansa.reconcile.batch.passes.found import Places
from hansa.reconcile.batch.preparing import ROW, SOURCE
from hansa.reconcile.batch.rest import CONTENT, NO_DAY, Rest, RestSide
from hansa.reconcile.batch.running import Passed, Reconciled
from hansa.reconcile.matching.arrays import Ints, find_starts

if TYPE_CHECKING:  # loads slowly, and whoever has few rows needs no engine
    from hansa.reconcile.batch.engines import Engine

PAIRS, MATCHES, BREAKS, OPEN = (
    "pairs.parquet",
    "matches.parquet",
    "breaks.parquet",
    "open.parquet",
)
WINDOW, WINDOWS = "window", "windows"
"""Column of results, and key of the manifest, of a run by windows."""
TOLD = [
    "account", "currency", "amount_minor", "booking_date", "value_date", "reference",
    "bank_reference", "counterparty", "text", SOURCE, "line",
]  # fmt: skip
"""Columns of an entry that results repeat, so that they can be read by themselves."""
VERSION = 2
"""Of manifests; the first told neither rates nor how files were read."""
HASH_VERSION = 1
"""Of how a result is hashed."""
_AGES = {"age_days": pa.int32(), "age": pa.string(), "priority": pa.int8()}
_NEVER = 1 << 62
"""Later than every day."""


class Input(NamedTuple):
    """One side that was reconciled."""

    name: str
    sha256: tuple[str, ...]
    """Of its files, in their order."""
    entries: int
    """All that it has, those left out by their status too."""
    reading: Mapping[str, str]
    """How its files were read, beyond what they say themselves; empty of entries read before."""

    def tell(self) -> dict[str, Any]:
        """Tell it, as the manifest does."""
        return self._asdict() | {"sha256": list(self.sha256), "reading": dict(self.reading)}


class RatesFile(NamedTuple):
    """The file of rates that rules name."""

    name: str
    """As the rules have it."""
    sha256: str


class CarriedFrom(NamedTuple):
    """An earlier result, whose open entries a run took over."""

    manifest_sha256: str
    result_sha256: str
    entries: tuple[int, int]
    """How many, left and right; the sides count them in."""


class Origin(NamedTuple):
    """What a result is of."""

    left: Input
    right: Input
    rules_sha256: str
    rates: RatesFile | None
    as_of: str
    """Date as of which breaks are as old as they are."""
    carried_from: CarriedFrom | None = None


class _Listed(NamedTuple):
    """Matches or breaks, as they are told; columns are equally long."""

    labels: list[str]
    left: list[Places]
    right: list[Places]
    reasons: list[str]


class Groups(NamedTuple):
    """What was found beyond the pairs of the first pass."""

    matches: _Listed
    breaks: _Listed


class _Spread(NamedTuple):
    """Groups with a row for each of their entries: left, then right."""

    group: Ints
    """Number of the group, from 0; ascends."""
    at: Ints
    """Place of the entry, where those of the right side stand behind all of the left one."""


def write_results(
    engine: Engine, found: Reconciled, origin: Origin, ageing: Ageing, folder: Path
) -> dict[str, Any]:
    """Write all files of a result into a folder; returns what its manifest tells."""
    names = origin.left.name, origin.right.name
    groups = list_groups(found)
    with ThreadPoolExecutor(1) as pool:
        # Neither the engine nor writing needs this process's interpreter meanwhile.
        pairs = pool.submit(engine.write, found.pairs, folder / PAIRS)
        matches = lay_out_matches(found.rest, groups, names)
        writing = [pool.submit(pq.write_table, matches, folder / MATCHES)]
        breaks = _lay_out_breaks(found.rest, groups.breaks, names, ageing)
        writing.append(pool.submit(pq.write_table, breaks, folder / BREAKS))
        still = [side.take_open() for side in found.rest]
        writing.append(pool.submit(write_by_side, still, names, folder / OPEN))
        count = pairs.result()
        told = tell_origin(origin) | tell_found(found, groups, count)
        for each in writing:
            each.result()
    return told


def list_groups(found: Reconciled | Passed) -> Groups:
    """List matches of all passes but the first, and breaks, as they are told."""
    matches = _Listed([], [], [], [])
    for each in found.passes:
        if each.matches:
            left, right, reasons = zip(*each.matches, strict=True)
            matches.labels.extend([each.name] * len(left))
            matches.left.extend(left)
            matches.right.extend(right)
            matches.reasons.extend(reasons)
    if not found.breaks:
        return Groups(matches, _Listed([], [], [], []))
    kinds, left, right, reasons = zip(*found.breaks, strict=True)
    return Groups(matches, _Listed([*map(str, kinds)], [*left], [*right], [*reasons]))


def lay_out_matches(
    rest: Rest,
    groups: Groups,
    names: tuple[str, str],
    *,
    first: int = 0,
    window: int | None = None,
) -> pa.Table:
    """Lay out the matches of all passes but the first, a row for each of their entries.

    Args:
      rest: what the first pass left, in one window or in the whole run.
      groups: matches among it.
      names: of the sides.
      first: the number of the first match.
      window: the number of the window, where there are several.
    """
    count = len(groups.matches.labels)
    heads = {"match": pa.array(range(first, first + count), pa.int64())}
    if window is not None:
        heads[WINDOW] = pa.array([window] * count, pa.int32())
    heads |= _tell(groups.matches, "pass")
    return _lay_out(rest, _spread(rest, groups.matches), pa.table(heads), names)


def write_breaks(
    rest: Rest, groups: Groups, names: tuple[str, str], ageing: Ageing, folder: Path
) -> None:
    """Write what does not match: with what is told of it, and by itself with all its columns."""
    pq.write_table(_lay_out_breaks(rest, groups.breaks, names, ageing), folder / BREAKS)
    write_by_side([side.take_open() for side in rest], names, folder / OPEN)


def _lay_out_breaks(
    rest: Rest, breaks: _Listed, names: tuple[str, str], ageing: Ageing
) -> pa.Table:
    spread = _spread(rest, breaks)
    numbers = pa.array(range(len(breaks.labels)), pa.int64())
    ages = _tell_ages(rest, spread, ageing)
    heads = pa.table({"break": numbers, **_tell(breaks, "class"), **ages})
    return _lay_out(rest, spread, heads, names)


def write_by_side(sides: Iterable[pa.Table], names: Iterable[str], path: Path) -> None:
    """Write entries of both sides into one file, each with the name of its side."""
    named = [
        side.add_column(0, "side", pa.array([name] * len(side), pa.string()))
        for side, name in zip(sides, names, strict=True)
    ]
    pq.write_table(pa.concat_tables(named), path)


def tell_origin(origin: Origin) -> dict[str, Any]:
    """Tell what a result is of, as the manifest does."""
    told = {
        "version": VERSION,
        "as_of": origin.as_of,
        **tell_rules(origin.rules_sha256, origin.rates),
        "sides": [each.tell() for each in (origin.left, origin.right)],
    }
    if origin.carried_from is not None:
        carried = origin.carried_from
        told["carried_from"] = carried._asdict() | {"entries": list(carried.entries)}
    return told


def tell_rules(rules_sha256: str, rates: RatesFile | None) -> dict[str, Any]:
    """Tell by what sides were reconciled, as the manifest does."""
    return {"rules_sha256": rules_sha256, "rates": None if rates is None else rates._asdict()}


def tell_found(found: Reconciled, groups: Groups, pairs: int) -> dict[str, Any]:
    """Tell what was found in one window, or in a run that has but one: counts, and their hash."""
    return {
        "passes": {found.first: pairs, **{each.name: len(each.matches) for each in found.passes}},
        "breaks": dict(sorted(Counter(groups.breaks.labels).items())),
        "unmatched": [int(side.is_unmatched.sum()) for side in found.rest],
        "result_sha256": _hash(found.rest, pairs, groups),
    }


def hash_window(found: Reconciled | Passed, pairs: int) -> str:
    """Hash what was found in one window, or in a run that has but one.

    It is the same whoever computes it: neither numbers of rows count nor their order, and it makes
    no difference whether what the first pass matched was given to it as rows or only counted.

    Args:
      found: with what the first pass left.
      pairs: all that the first pass matched.
    """
    return _hash(found.rest, pairs, list_groups(found))


def hash_even(pairs: int) -> str:
    """Hash a window of which the first pass matched all, as `hash_window` does."""
    return _hash_lines(pairs, ())


def bind_windows(hashes: Iterable[tuple[int, str]]) -> str:
    """Bind the hashes of all windows of a run, each with its number, into the run's own.

    Example:
      >>> bind_windows([(0, "ab"), (3, "cd")])[:12]
      '673cda97b05b'
    """
    digest = hashlib.sha256(f"{HASH_VERSION} windows\n".encode())
    for number, each in hashes:
        digest.update(f"{number} {each}\n".encode())
    return digest.hexdigest()


def _tell(groups: _Listed, label: str) -> dict[str, pa.Array]:
    return {
        label: pa.array(groups.labels, pa.string()),
        "reason": pa.array(groups.reasons, pa.string()),
    }


def _spread(rest: Rest, groups: _Listed) -> _Spread:
    """Spread groups into a row for each of their entries."""
    of_group, places = [], []
    for side, first in ((groups.left, 0), (groups.right, len(rest.left))):
        sizes = np.fromiter(map(len, side), np.int64, len(side))
        of_group.append(np.repeat(np.arange(len(side)), sizes))
        places.append(np.fromiter(chain.from_iterable(side), np.int64, sizes.sum()) + first)
    group = np.concatenate(of_group)
    # A stable order: the left entries of each group stand before the right ones.
    order = np.argsort(group, kind="stable")
    return _Spread(group[order], np.concatenate(places)[order])


def _tell_ages(rest: Rest, spread: _Spread, ageing: Ageing) -> dict[str, pa.Array]:
    """Tell age, class of age and priority of each break; no age of what has no date."""
    starts = find_starts(spread.group)
    if not starts.size:
        return {name: pa.array([], kind) for name, kind in _AGES.items()}
    days = np.concatenate([side.days for side in rest])[spread.at]
    oldest = np.minimum.reduceat(np.where(days == NO_DAY, _NEVER, days), starts)
    different, of_break = np.unique(oldest, return_inverse=True)
    told = [None if day == _NEVER else ageing.tell_age(day) for day in different.tolist()]
    age_days = np.array([each.days if each else 0 for each in told])[of_break]
    amounts = np.concatenate([side.amounts for side in rest])[spread.at]
    # Without a sign the lowest number has room for its magnitude.
    largest = np.maximum.reduceat(np.abs(amounts).astype(np.uint64), starts)
    is_undated = pa.array(oldest == _NEVER)
    labels = pa.array([each.label if each else None for each in told], pa.string())
    columns = (
        pc.if_else(is_undated, None, pa.array(age_days, pa.int32())),
        labels.take(pa.array(of_break)),
        pa.array(ageing.tell_priorities(largest, age_days), pa.int8()),
    )
    return dict(zip(_AGES, columns, strict=True))


def _lay_out(rest: Rest, spread: _Spread, heads: pa.Table, names: tuple[str, str]) -> pa.Table:
    """Lay out groups with a row for each of their entries: what heads tell of it, and itself."""
    both = pa.concat_tables([side.entries.select([ROW, *TOLD]) for side in rest])
    # Of one chunk each column is taken much more quickly than of two.
    entries = both.combine_chunks().take(pa.array(spread.at))
    laid_out = heads.take(pa.array(spread.group))
    is_right = pa.array((spread.at >= len(rest.left)).astype(np.int64))
    laid_out = laid_out.append_column("side", pa.array(names, pa.string()).take(is_right))
    for column in (ROW, *TOLD):
        laid_out = laid_out.append_column(column, entries.column(column))
    return laid_out


def _hash(rest: Rest, pairs: int, groups: Groups) -> str:
    """Hash what was found, by what entries say, whatever order they came in."""
    left, right = (_write_lines(side) for side in rest)
    lines = [
        f"{label}\x1d{_join(left, ours)}\x1d{_join(right, theirs)}"
        for listed in groups
        for label, ours, theirs in zip(*listed[:3], strict=True)
    ]
    return _hash_lines(pairs, sorted(lines))


def _join(lines: list[str], places: Places) -> str:
    if len(places) == 1:
        return lines[places[0]]
    return "\x1e".join(sorted([lines[place] for place in places]))


def _hash_lines(pairs: int, lines: Iterable[str]) -> str:
    digest = hashlib.sha256(f"{HASH_VERSION} {pairs}\n".encode())
    sha256 = hashlib.sha256
    digest.update(b"".join([sha256(line.encode()).digest() for line in lines]))
    return digest.hexdigest()


def _write_lines(side: RestSide) -> list[str]:
    """Write each entry as a line of its content."""
    columns = [pc.fill_null(side.entries.column(name).cast(pa.string()), "") for name in CONTENT]
    lines: list[str] = pc.binary_join_element_wise(*columns, "\x1f").to_pylist()
    return lines
