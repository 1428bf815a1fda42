"""Results as files: pairs, matches, breaks, and what binds them to what they are of.

- `pairs.parquet`: `left_row` and `right_row` of what the first pass matched;
- `matches.parquet`: entries of all other matches, one row each, by the number of their match;
- `breaks.parquet`: entries that do not match, likewise, with class, age and priority.

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
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hansa.reconcile.batch.ageing import Ageing
from hansa.reconcile.batch.engines import Engine
from hansa.reconcile.batch.passes.found import Places
from hansa.reconcile.batch.preparing import ROW, SOURCE
from hansa.reconcile.batch.rest import CONTENT, NO_DAY, Rest, RestSide
from hansa.reconcile.batch.running import Passed, Reconciled

PAIRS, MATCHES, BREAKS = "pairs.parquet", "matches.parquet", "breaks.parquet"
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


class Origin(NamedTuple):
    """What a result is of."""

    left: Input
    right: Input
    rules_sha256: str
    as_of: str
    """Date as of which breaks are as old as they are."""


class _Group(NamedTuple):
    """A match or a break, as it is told."""

    label: str
    left: Places
    right: Places
    reason: str


def write_results(
    engine: Engine, found: Reconciled, origin: Origin, ageing: Ageing, folder: Path
) -> dict[str, Any]:
    """Write all files of a result into a folder; returns what its manifest tells."""
    names = origin.left.name, origin.right.name
    matches, breaks = _list_matches(found), _list_breaks(found)
    with ThreadPoolExecutor(1) as pool:
        # The engine needs this process for nothing meanwhile.
        writing = pool.submit(engine.write, found.pairs, folder / PAIRS)
        numbers = pa.array(range(len(matches)), pa.int64())
        heads = pa.table({"match": numbers, **_tell(matches, "pass")})
        pq.write_table(_lay_out(found.rest, matches, heads, names), folder / MATCHES)
        numbers = pa.array(range(len(breaks)), pa.int64())
        ages = _tell_ages(found.rest, breaks, ageing)
        heads = pa.table({"break": numbers, **_tell(breaks, "class"), **ages})
        pq.write_table(_lay_out(found.rest, breaks, heads, names), folder / BREAKS)
        pairs = writing.result()
    return {
        "version": VERSION,
        "as_of": origin.as_of,
        "rules_sha256": origin.rules_sha256,
        "sides": [
            each._asdict() | {"sha256": list(each.sha256)} for each in (origin.left, origin.right)
        ],
        "passes": {found.first: pairs, **{each.name: len(each.matches) for each in found.passes}},
        "breaks": dict(sorted(Counter(each.label for each in breaks).items())),
        "unmatched": [int(side.is_unmatched.sum()) for side in found.rest],
        "result_sha256": _hash(found.rest, pairs, [*matches, *breaks]),
    }


def hash_window(found: Reconciled | Passed, pairs: int) -> str:
    """Hash what was found in one window, or in a run that has but one.

    It is the same whoever computes it: neither numbers of rows count nor their order, and it makes
    no difference whether what the first pass matched was given to it as rows or only counted.

    Args:
      found: with what the first pass left.
      pairs: all that the first pass matched.
    """
    return _hash(found.rest, pairs, [*_list_matches(found), *_list_breaks(found)])


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


def _list_matches(found: Reconciled | Passed) -> list[_Group]:
    """List matches of all passes but the first."""
    return [_Group(each.name, *match) for each in found.passes for match in each.matches]


def _list_breaks(found: Reconciled | Passed) -> list[_Group]:
    return [_Group(each.kind.value, *each[1:]) for each in found.breaks]


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
