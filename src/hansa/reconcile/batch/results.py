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
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
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
VERSION = 1


class Input(NamedTuple):
    """One side that was reconciled."""

    name: str
    sha256: tuple[str, ...]
    """Of its files, in their order."""
    entries: int
    """All that it has, those left out by their status too."""


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
    as_of: str
    """Date as of which breaks are as old as they are."""
    carried_from: CarriedFrom | None = None


class _Group(NamedTuple):
    """A match or a break, as it is told."""

    label: str
    left: Places
    right: Places
    reason: str


class Groups(NamedTuple):
    """What was found beyond the pairs of the first pass."""

    matches: list[_Group]
    breaks: list[_Group]


def write_results(
    engine: Engine, found: Reconciled, origin: Origin, ageing: Ageing, folder: Path
) -> dict[str, Any]:
    """Write all files of a result into a folder; returns what its manifest tells."""
    names = origin.left.name, origin.right.name
    groups = list_groups(found)
    with ThreadPoolExecutor(1) as pool:
        # The engine needs this process for nothing meanwhile.
        writing = pool.submit(engine.write, found.pairs, folder / PAIRS)
        pq.write_table(lay_out_matches(found.rest, groups, names), folder / MATCHES)
        write_breaks(found.rest, groups, names, ageing, folder)
        pairs = writing.result()
    return tell_origin(origin) | tell_found(found, groups, pairs)


def list_groups(found: Reconciled | Passed) -> Groups:
    """List matches of all passes but the first, and breaks, as they are told."""
    return Groups(
        [_Group(each.name, *match) for each in found.passes for match in each.matches],
        [_Group(each.kind.value, *each[1:]) for each in found.breaks],
    )


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
    count = len(groups.matches)
    heads = {"match": pa.array(range(first, first + count), pa.int64())}
    if window is not None:
        heads[WINDOW] = pa.array([window] * count, pa.int32())
    return _lay_out(rest, groups.matches, pa.table(heads | _tell(groups.matches, "pass")), names)


def write_breaks(
    rest: Rest, groups: Groups, names: tuple[str, str], ageing: Ageing, folder: Path
) -> None:
    """Write what does not match: with what is told of it, and by itself with all its columns."""
    breaks = groups.breaks
    numbers = pa.array(range(len(breaks)), pa.int64())
    ages = _tell_ages(rest, breaks, ageing)
    heads = pa.table({"break": numbers, **_tell(breaks, "class"), **ages})
    pq.write_table(_lay_out(rest, breaks, heads, names), folder / BREAKS)
    write_by_side([side.take_open() for side in rest], names, folder / OPEN)


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
        "rules_sha256": origin.rules_sha256,
        "sides": [
            each._asdict() | {"sha256": list(each.sha256)} for each in (origin.left, origin.right)
        ],
    }
    if origin.carried_from is not None:
        carried = origin.carried_from
        told["carried_from"] = carried._asdict() | {"entries": list(carried.entries)}
    return told


def tell_found(found: Reconciled, groups: Groups, pairs: int) -> dict[str, Any]:
    """Tell what was found in one window, or in a run that has but one: counts, and their hash."""
    return {
        "passes": {found.first: pairs, **{each.name: len(each.matches) for each in found.passes}},
        "breaks": dict(sorted(Counter(each.label for each in groups.breaks).items())),
        "unmatched": [int(side.is_unmatched.sum()) for side in found.rest],
        "result_sha256": _hash(found.rest, pairs, [*groups.matches, *groups.breaks]),
    }


def hash_window(found: Reconciled | Passed, pairs: int) -> str:
    """Hash what was found in one window, or in a run that has but one.

    It is the same whoever computes it: neither numbers of rows count nor their order, and it makes
    no difference whether what the first pass matched was given to it as rows or only counted.

    Args:
      found: with what the first pass left.
      pairs: all that the first pass matched.
    """
    matches, breaks = list_groups(found)
    return _hash(found.rest, pairs, [*matches, *breaks])


def hash_even(pairs: int) -> str:
    """Hash a window of which the first pass matched all, as `hash_window` does."""
    return _hash_lines(pairs, ())


def bind_windows(hashes: Iterable[tuple[int, str]]) -> str:
    """Bind the hashes of all windows of a run, each with its number, into the run's own.

    Example:
      >>> bind_windows([(0, "ab"), (3, "cd")])[:12]
      '673cda97b05b'
    """
    digest = hashlib.sha256(f"{VERSION} windows\n".encode())
    for number, each in hashes:
        digest.update(f"{number} {each}\n".encode())
    return digest.hexdigest()


def _tell(groups: Sequence[_Group], label: str) -> dict[str, pa.Array]:
    return {
        label: pa.array([each.label for each in groups], pa.string()),
        "reason": pa.array([each.reason for each in groups], pa.string()),
    }


def _tell_ages(rest: Rest, breaks: Sequence[_Group], ageing: Ageing) -> dict[str, pa.Array]:
    """Tell age, class of age and priority of each break; no age of what has no date."""
    left_days, right_days = rest.left.days.tolist(), rest.right.days.tolist()
    left_amounts, right_amounts = rest.left.amounts.tolist(), rest.right.amounts.tolist()
    tell_age = cache(ageing.tell_age)
    told = []
    for each in breaks:
        days = [*_pick(left_days, each.left), *_pick(right_days, each.right)]
        dated = [day for day in days if day != NO_DAY]
        age = tell_age(min(dated)) if dated else None
        amounts = [*_pick(left_amounts, each.left), *_pick(right_amounts, each.right)]
        priority = ageing.tell_priority(amounts, age.days if age else 0)
        told.append((age.days if age else None, age.label if age else None, priority))
    columns = zip(*told, strict=True) if told else ((), (), ())
    kinds = {"age_days": pa.int32(), "age": pa.string(), "priority": pa.int8()}
    return {
        name: pa.array(column, kind)
        for (name, kind), column in zip(kinds.items(), columns, strict=True)
    }


def _pick(column: list[int], places: Places) -> list[int]:
    return [column[place] for place in places]


def _lay_out(
    rest: Rest, groups: Sequence[_Group], heads: pa.Table, names: tuple[str, str]
) -> pa.Table:
    """Lay out groups with a row for each of their entries: left, then right."""
    parts = []
    for at, (side, name) in enumerate(zip(rest, names, strict=True)):
        places_of = [each[1 + at] for each in groups]
        of_group = np.repeat(np.arange(len(groups)), [len(each) for each in places_of])
        places = np.fromiter(chain.from_iterable(places_of), np.int64)
        entries = side.entries.select([ROW, *TOLD]).take(places)
        part = heads.take(of_group).append_column(
            "side", pa.array([name] * len(places), pa.string())
        )
        for column in (ROW, *TOLD):
            part = part.append_column(column, entries.column(column))
        parts.append(part)
    both = pa.concat_tables(parts)
    # A stable order: the left entries of each group stand before the right ones.
    order = np.argsort(both.column(0).to_numpy(), kind="stable")
    return both.take(order)


def _hash(rest: Rest, pairs: int, groups: Iterable[_Group]) -> str:
    """Hash what was found, by what entries say, whatever order they came in."""
    left, right = (_write_lines(side) for side in rest)
    lines = sorted(
        "\x1d".join(
            (
                each.label,
                "\x1e".join(sorted([left[place] for place in each.left])),
                "\x1e".join(sorted([right[place] for place in each.right])),
            )
        )
        for each in groups
    )
    return _hash_lines(pairs, lines)


def _hash_lines(pairs: int, lines: Iterable[str]) -> str:
    digest = hashlib.sha256(f"{VERSION} {pairs}\n".encode())
    for line in lines:
        digest.update(hashlib.sha256(line.encode()).digest())
    return digest.hexdigest()


def _write_lines(side: RestSide) -> list[str]:
    """Write each entry as a line of its content."""
    columns = [pc.fill_null(side.entries.column(name).cast(pa.string()), "") for name in CONTENT]
    lines: list[str] = pc.binary_join_element_wise(*columns, "\x1f").to_pylist()
    return lines
