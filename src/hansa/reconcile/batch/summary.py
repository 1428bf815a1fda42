"""A result in figures: sides and their files, matches by pass, breaks by class, age and priority.

Amounts are told for each currency by itself and are never added across two. They are whole minor
units, however large a sum grows. Reports and whoever serves them read their figures here.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hansa.reconcile.batch.ageing import PRIORITY_LEAST
from hansa.reconcile.batch.diagnosing import BreakClass
from hansa.reconcile.batch.results import WINDOWS
from hansa.reconcile.normalising import Source
from hansa.reconcile.rules.book import RuleBook

SUMMARY = "summary.json"
VERSION = 1
UNDATED = "undated"
"""Stands for the age of a break none of whose entries has a date."""
BREAK_COLUMNS = ["break", "class", "age", "priority", "side", "currency", "amount_minor"]
MATCH_COLUMNS = ["pass", "side"]
"""Columns of the results that figures are made of."""
_DIMENSIONS = ["class", "age", "priority"]
_HALF = 32
_SUMS = ["high", "low", "gross_high", "gross_low"]


class Amount(NamedTuple):
    """What the breaks of one kind amount to, in one currency."""

    currency: str
    left: int
    """Entries of the left side in it."""
    right: int
    left_minor: int
    """Sum of the left entries' amounts, without their signs."""
    right_minor: int
    difference_minor: int
    """Left less right, with signs as the rules turn them: how far these breaks move the books
    apart."""


class BreakCount(NamedTuple):
    """Breaks of one kind."""

    name: str
    breaks: int
    left: int
    """Entries of the left side in them."""
    right: int
    amounts: tuple[Amount, ...]
    """The currency of most entries first."""


class PassCount(NamedTuple):
    """What one pass matched."""

    name: str
    kind: str
    matches: int
    left: int
    """Entries of the left side in them."""
    right: int


class SideCount(NamedTuple):
    """One side, and how much of it is matched."""

    name: str
    files: tuple[Source, ...]
    is_read: bool
    """Whether these files were read in this run; if not, its entries were normalised before."""
    entries: int
    matched: int
    unmatched: int
    left_out: int
    """Entries whose status does not count."""
    errors: int
    """Findings for each of which an entry is missing."""
    warnings: int


class WindowCount(NamedTuple):
    """One window of a run by windows, or several one after the other that found the same."""

    number: int
    through: int
    """Number of the last of these windows."""
    first_day: str
    last_day: str
    new: tuple[int, int]
    """Entries that are dated in it, left and right."""
    carried: tuple[int, int]
    """Entries that were open before."""
    matches: int
    """Of all passes."""
    breaks: int
    unmatched: tuple[int, int]
    """Entries in these breaks."""
    result_sha256: str


class Summary(NamedTuple):
    """A result in figures."""

    title: str
    """Name of the rule file, as it calls itself."""
    as_of: str
    rules_sha256: str
    result_sha256: str
    sides: tuple[SideCount, SideCount]
    """Left and right."""
    passes: tuple[PassCount, ...]
    """In the order they were taken."""
    breaks: BreakCount
    """All of them."""
    by_class: tuple[BreakCount, ...]
    """In order of precedence, those that there are."""
    by_age: tuple[BreakCount, ...]
    """All classes, the youngest first; what has no date last, if there is any."""
    by_priority: tuple[BreakCount, ...]
    """From 1, the most urgent."""
    windows: tuple[WindowCount, ...] = ()
    """In their order; breaks are those of the last. Empty where time is not cut."""


class PairCount(NamedTuple):
    """One pair of a result of several sides; figures of two are of the left and the right one."""

    folder: str
    """Of its own result."""
    sides: tuple[str, ...]
    entries: tuple[int, ...]
    matched: tuple[int, ...]
    unmatched: tuple[int, ...]
    matches: int
    """Of all passes."""
    breaks: int
    urgent: int
    """Breaks of priority 1."""
    result_sha256: str


class Overview(NamedTuple):
    """A result of several sides in figures; each pair has a summary of its own."""

    title: str
    as_of: str
    rules_sha256: str
    result_sha256: str
    pairs: tuple[PairCount, ...]


class SideFacts(NamedTuple):
    """What reading one side told; its fields are those of `SideCount`."""

    files: tuple[Source, ...]
    errors: int = 0
    warnings: int = 0
    is_read: bool = False


def summarise(
    manifest: Mapping[str, Any],
    book: RuleBook,
    facts: Sequence[SideFacts],
    ages: Sequence[str],
    results: tuple[pa.Table, pa.Table],
) -> Summary:
    """Summarise a result.

    Args:
      manifest: of the result.
      book: the rules it was made by.
      facts: of the left and the right side.
      ages: all classes of age, the youngest first.
      results: matches and breaks as they are written, `MATCH_COLUMNS` and `BREAK_COLUMNS` at least.
    """
    matches, breaks = results
    names = [each["name"] for each in manifest["sides"]]
    passes = tuple(_count_passes(manifest["passes"], book, matches, names))
    cells = list(_count_breaks(breaks, names[0], book.sides[1].sign))
    classes = [each.value for each in BreakClass if each.value in manifest["breaks"]]
    of_sides = [each.left for each in passes], [each.right for each in passes]
    undated = [UNDATED] if any(each.labels[1] == UNDATED for each in cells) else []
    left, right = (
        _count_side(manifest, place, fact, sum(matched))
        for place, (fact, matched) in enumerate(zip(facts, of_sides, strict=True))
    )
    priorities = [str(each) for each in range(1, PRIORITY_LEAST + 1)]
    return Summary(
        book.name,
        manifest["as_of"],
        manifest["rules_sha256"],
        manifest["result_sha256"],
        (left, right),
        passes,
        _add("all", cells),
        tuple(_split(cells, 0, classes)),
        tuple(_split(cells, 1, [*ages, *undated])),
        tuple(_split(cells, 2, priorities)),
        tuple(_count_window(each) for each in manifest.get(WINDOWS, ())),
    )


def write_summary(summary: Summary | Overview, path: Path) -> None:
    """Write a summary as JSON; amounts are texts of digits, as browsers lose large numbers."""
    path.write_text(json.dumps({"version": VERSION, **_tell(summary)}, indent=2) + "\n")


def _tell(value: Any) -> Any:  # noqa: ANN401 - any value of a summary, as JSON has it
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {
            name: str(each) if name.endswith("_minor") else _tell(each)
            for name, each in value._asdict().items()
        }
    return [_tell(each) for each in value] if isinstance(value, tuple) else value


def _count_side(
    manifest: Mapping[str, Any], place: int, facts: SideFacts, matched: int
) -> SideCount:
    side, unmatched = manifest["sides"][place], manifest["unmatched"][place]
    return SideCount(
        side["name"],
        facts.files,
        facts.is_read,
        side["entries"],
        matched,
        unmatched,
        side["entries"] - matched - unmatched,
        facts.errors,
        facts.warnings,
    )


def _count_window(told: Mapping[str, Any]) -> WindowCount:
    counted = dict(told)
    counted |= {name: tuple(told[name]) for name in ("new", "carried", "unmatched")}
    counted |= {"matches": sum(told["passes"].values()), "breaks": sum(told["breaks"].values())}
    return WindowCount(*(counted[name] for name in WindowCount._fields))


def _count_passes(
    passes: Mapping[str, int], book: RuleBook, matches: pa.Table, names: Sequence[str]
) -> Iterator[PassCount]:
    grouped = matches.group_by(MATCH_COLUMNS).aggregate([([], "count_all")])
    entries = {(each["pass"], each["side"]): each["count_all"] for each in grouped.to_pylist()}
    kinds = {each.name: str(each.__struct_config__.tag) for each in book.passes}
    for number, (name, count) in enumerate(passes.items()):
        # Of the first pass there are only pairs, and these stand in a file of their own.
        left, right = (entries.get((name, side), 0) if number else count for side in names)
        yield PassCount(name, kinds[name], count, left, right)


class _Cell(NamedTuple):
    """Breaks alike in class, age and priority, as far as they are in one currency."""

    labels: tuple[str, str, str]
    breaks: int
    amounts: tuple[Amount, ...]


def _count_breaks(rows: pa.Table, left: str, right_sign: int) -> Iterator[_Cell]:
    """Count breaks, and add up their entries, one cell for each class, age and priority."""
    number = rows.column("break").to_numpy()
    is_first = np.ones(len(number), np.bool_)
    is_first[1:] = number[1:] != number[:-1]  # entries of a break stand together
    heads = rows.select(_DIMENSIONS).filter(pa.array(is_first))
    counted = heads.group_by(_DIMENSIONS).aggregate([([], "count_all")])
    amounts: dict[tuple[str, str, str], list[Amount]] = defaultdict(list)
    for each in _sum_amounts(rows, left).to_pylist():
        high, low, gross_high, gross_low = (each[f"{name}_sum"] for name in _SUMS)
        net, gross, entries = (high << _HALF) + low, (gross_high << _HALF) + gross_low, each["n"]
        amounts[_label(each)].append(
            Amount(each["currency"], entries, 0, gross, 0, net)
            if each["is_left"]
            else Amount(each["currency"], 0, entries, 0, gross, -right_sign * net)
        )
    for each in counted.to_pylist():
        yield _Cell(_label(each), each["count_all"], tuple(amounts[_label(each)]))


def _label(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["class"], row["age"] or UNDATED, str(row["priority"])


def _sum_amounts(rows: pa.Table, left: str) -> pa.Table:
    """Sum amounts in two halves each, as a sum of 64-bit numbers can need more than 64 bits."""
    amount = rows.column("amount_minor")
    high = pc.shift_right(amount, _HALF)
    low = pc.bit_wise_and(amount, (1 << _HALF) - 1)
    sign = pc.if_else(pc.less(amount, 0), -1, 1)
    halves = (high, low, pc.multiply(high, sign), pc.multiply(low, sign))
    keys = [*_DIMENSIONS, "currency", "is_left"]
    table = rows.select([*_DIMENSIONS, "currency"])
    table = table.append_column("is_left", pc.equal(rows.column("side"), left))
    for name, half in zip(_SUMS, halves, strict=True):
        table = table.append_column(name, half)
    sums = table.group_by(keys).aggregate([*((name, "sum") for name in _SUMS), ([], "count_all")])
    return sums.rename_columns([*keys, *(f"{name}_sum" for name in _SUMS), "n"])


def _split(cells: Sequence[_Cell], place: int, labels: Iterable[str]) -> Iterator[BreakCount]:
    """Split all breaks by one of their labels."""
    for label in labels:
        yield _add(label, [each for each in cells if each.labels[place] == label])


def _add(name: str, cells: Iterable[_Cell]) -> BreakCount:
    """Add up cells, each currency by itself."""
    breaks = 0
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for cell in cells:
        breaks += cell.breaks
        for currency, *figures in cell.amounts:
            sums[currency].update(dict(zip(Amount._fields[1:], figures, strict=True)))
    amounts = [
        Amount(currency, *map(each.__getitem__, Amount._fields[1:]))
        for currency, each in sums.items()
    ]
    amounts.sort(key=lambda each: (-each.left - each.right, each.currency))
    left, right = sum(each.left for each in amounts), sum(each.right for each in amounts)
    return BreakCount(name, breaks, left, right, tuple(amounts))
