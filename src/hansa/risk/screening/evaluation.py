"""Measures screening on the public fixtures of OpenSanctions' yente, against OFAC and UN lists.

The rows of each file whose number is even, from 0, are those that weights and the threshold were
chosen on; the others were not looked at for that.

Source: https://github.com/opensanctions/yente/tree/main/contrib/candidate_generation_benchmark.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.screening.entries import SanctionsList, build_list
from hansa.risk.screening.names import split_name
from hansa.risk.screening.ofac import read_ofac
from hansa.risk.screening.screener import Screener
from hansa.risk.screening.un import SOURCE, read_un

NEGATIVES = ("negatives_us", "negatives_global")
UNTREATED = "positives_un_untreated"
TREATED = "positives_un_treated"


class Outcome(NamedTuple):
    """What came of screening one row."""

    is_tuning: bool
    """Weights and threshold were chosen with it in sight."""
    is_hit: bool
    is_found: bool
    """The entry that bears the name is among the hits; of a negative, never."""
    is_tie: bool
    """The two best hits have the same score, though their names differ."""
    took_ns: int


def read_folder(folder: Path) -> SanctionsList:
    """Read `sdn.csv`, `alt.csv`, `add.csv`, `cons_prim.csv` and `UN_consolidated.xml`.

    Raises:
      Invalid: one of them is not there, or is no such list.
    """
    sdn = read_ofac("OFAC-SDN", folder / "sdn.csv", folder / "alt.csv", folder / "add.csv")
    other = read_ofac("OFAC-CONS", folder / "cons_prim.csv")
    un = read_un(folder / "UN_consolidated.xml")
    return build_list([*sdn.entries, *other.entries, *un.entries])


def evaluate_screening(
    lists: Path, fixtures: Path, clock_ns: Callable[[], int]
) -> dict[str, float | int]:
    """Measure recall, false hits and the time that a name takes.

    Args:
      lists: the folder that `read_folder` reads.
      fixtures: the folder of the fixtures.
      clock_ns: nanoseconds, which never go back.

    Returns:
      `screening_recall`: of the positives that are on the UN list under the name given, treated
      and not, the fraction whose entry is a hit; `screening_flagged`: of all negatives, the
      fraction that is a hit of whatever entry; `screening_p99_us`, of all of them; each of the
      first two also as `…_other_half`, of the rows that nothing was chosen on; and
      `screening_listed`, `screening_negatives`, `screening_names`, `screening_p50_us`, and
      `screening_ties`: of the rows with a hit, the fraction whose best two bear different names
      and score the same.

    Raises:
      Invalid: a file is not there, or is not such a one.
    """
    listed = read_folder(lists)
    screener = Screener(listed)
    untreated = read_names(fixtures / f"{UNTREATED}.csv")
    treated = read_names(fixtures / f"{TREATED}.csv")
    positives: list[Outcome] = []
    for names in (untreated, treated):
        wanted = find_wanted(listed, untreated, names)
        outcomes = run(screener, names, wanted, clock_ns)
        positives.extend(each for each, ids in zip(outcomes, wanted, strict=True) if ids)
    negatives = [
        outcome
        for file in NEGATIVES
        for outcome in run(screener, read_names(fixtures / f"{file}.csv"), (), clock_ns)
    ]
    figures = _summarise(positives, negatives)
    figures["screening_listed"] = len(positives) // 2
    figures["screening_names"] = screener.name_count
    return figures


def _summarise(
    positives: Sequence[Outcome], negatives: Sequence[Outcome]
) -> dict[str, float | int]:
    both = [*positives, *negatives]
    took = sorted(outcome.took_ns for outcome in both)
    return {
        "screening_recall": _average(outcome.is_found for outcome in positives),
        "screening_recall_other_half": _average(
            outcome.is_found for outcome in positives if not outcome.is_tuning
        ),
        "screening_flagged": _average(outcome.is_hit for outcome in negatives),
        "screening_flagged_other_half": _average(
            outcome.is_hit for outcome in negatives if not outcome.is_tuning
        ),
        "screening_ties": _average(outcome.is_tie for outcome in both if outcome.is_hit),
        "screening_negatives": len(negatives),
        "screening_p50_us": took[len(took) // 2] / 1_000,
        "screening_p99_us": took[len(took) * 99 // 100] / 1_000,
    }


def run(
    screener: Screener,
    names: Sequence[str],
    wanted: Sequence[frozenset[str]],
    clock_ns: Callable[[], int],
) -> Iterable[Outcome]:
    """Screen names, each by itself.

    Args:
      screener: which is asked once before, so that its loops are compiled.
      names: of a file, in its order.
      wanted: ids of the UN entries that may be found by each, or nothing at all.
      clock_ns: nanoseconds.
    """
    screener.screen(names[0])
    for place, name in enumerate(names):
        began = clock_ns()
        hits = screener.screen(name).hits
        took = clock_ns() - began
        found = {hit.entry.id for hit in hits if hit.entry.source == SOURCE}
        yield Outcome(
            place % 2 == 0,
            bool(hits),
            bool(wanted) and bool(wanted[place] & found),
            len(hits) > 1
            and hits[0].score == hits[1].score
            and _key(hits[0].name) != _key(hits[1].name),
            took,
        )


def find_wanted(
    listed: SanctionsList, untreated: Sequence[str], names: Sequence[str]
) -> list[frozenset[str]]:
    """Find the ids of the UN entries that each positive should be found as; none if not listed.

    They are those that bear its own name, as does one that was treated into the name of another
    listed person, or else the name that it had before it was treated.
    """
    bearers = find_bearers(listed)
    return [
        bearers.get(_key(name)) or bearers.get(_key(before)) or frozenset()
        for before, name in zip(untreated, names, strict=True)
    ]


def find_bearers(listed: SanctionsList) -> dict[tuple[str, ...], frozenset[str]]:
    """Find the ids of UN entries by each of their names, its tokens in alphabetical order."""
    bearers: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for entry in listed.entries:
        if entry.source == SOURCE:
            for name in (entry.name, *(alias.name for alias in entry.aliases)):
                bearers[_key(name)].add(entry.id)
    return {key: frozenset(ids) for key, ids in bearers.items()}


def read_names(path: Path) -> list[str]:
    """Read the column `full_name`.

    Raises:
      Invalid: the file is not there, or has no such column.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [row["full_name"] for row in csv.DictReader(file, strict=True)]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise Invalid(
            InvalidCode.MALFORMED, f"{path} is no file of names: {error}", file=str(path)
        ) from None


def _key(name: str) -> tuple[str, ...]:
    return tuple(sorted(split_name(name)))


def _average(values: Iterable[bool]) -> float:
    counted = list(values)
    return sum(counted) / len(counted) if counted else 0.0
