"""A job of several sides: each pair that the rules name is reconciled into a folder of its own.

Every side is read once. The folder of the result holds the folders of its sides, as that of a job
of two does, and beside them one for each pair, `left-right`, with a result as of these two alone;
its own manifest binds them all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.batch.job import (
    WORK,
    Settings,
    SideFiles,
    made_result,
    open_sides,
    opened_engine,
    read_rules,
    run_in_windows,
)
from hansa.reconcile.batch.manifest import write_manifest
from hansa.reconcile.batch.pairing import OpenedSide, Pair, Places, Rules, find_newest
from hansa.reconcile.batch.results import HASH_VERSION, VERSION, tell_rules
from hansa.reconcile.batch.summary import SUMMARY, Overview, PairCount, Summary, write_summary
from hansa.reconcile.batch.windows.earlier import Earlier, read_earlier
from hansa.reconcile.report.overview import write_overview
from hansa.reconcile.rules.book import RuleBook
from hansa.reconcile.rules.pairs import list_pairs

PAIRS = "pairs"
"""Key of the manifest."""


@dataclass(frozen=True, slots=True)
class SidesJob(Settings):
    """What is reconciled, and how."""

    sides: Mapping[str, SideFiles]
    """By the names that the rules have for them."""
    rules: Path


class _Named(NamedTuple):
    """A pair, and the folder of its result."""

    folder: str
    pair: Pair
    book: RuleBook


def run_sides(job: SidesJob, folder: Path) -> dict[str, Any]:
    """Run a job into a folder, which must not be there yet, or be empty; returns its manifest.

    Raises:
      NotFound: there is no such file.
      Invalid: rules, rates or a file of a side are wrong, or a side has no files.
      Unavailable: a file cannot be read, or the folder not be written.
    """
    rules = read_rules(job.rules)
    _require_files(job, rules.book)
    books = list_pairs(rules.book)
    carried = [_read_carried(job, each) for each in books]
    with made_result(folder) as unfinished:
        asked = [(each, job.sides[each.name]) for each in rules.book.sides]
        sides = {each.side.name: each for each in open_sides(asked, unfinished, job.on_error)}
        pairs = [
            _Named(name_pair(book), Pair(*_turn(sides, book), earlier), book)
            for book, earlier in zip(books, carried, strict=True)
        ]
        with opened_engine(job, unfinished) as engine:
            asked_of = [each.pair for each in pairs]
            as_of = job.as_of or find_newest(engine, asked_of, rules.book.calendar)
            found = []
            for name, pair, book in pairs:
                result = unfinished / name
                result.mkdir()
                places = Places(result, unfinished, unfinished / WORK / name)
                its_rules = rules._replace(book=book)
                found.append(run_in_windows(engine, pair, its_rules, as_of, places, job))
        for (name, *_), (told, _) in zip(pairs, found, strict=True):
            write_manifest(told, unfinished / name)
        return _tell(rules, sides.values(), found, unfinished, with_report=job.with_report)


def name_pair(book: RuleBook) -> str:
    """Name the folder of a pair by its two sides."""
    return "-".join(each.name for each in book.sides)


def _require_files(job: SidesJob, book: RuleBook) -> None:
    names = [each.name for each in book.sides]
    missing = [name for name in names if name not in job.sides]
    others = [name for name in job.sides if name not in names]
    if missing or others:
        wrong = [f"there is no side {each}" for each in others]
        wrong += [f"no file is given for {each}" for each in missing]
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"{job.rules} has the sides {', '.join(names)}: {'; '.join(wrong)}",
        )


def _read_carried(job: SidesJob, book: RuleBook) -> Earlier | None:
    if job.carry is None:
        return None
    left, right = book.sides
    return read_earlier(job.carry / name_pair(book), (left.name, right.name))


def _turn(sides: Mapping[str, OpenedSide], book: RuleBook) -> tuple[OpenedSide, OpenedSide]:
    """Take both sides of a pair, with the signs that they have in it."""
    left, right = (replace(sides[each.name], side=each) for each in book.sides)
    return left, right


def _tell(
    rules: Rules,
    sides: Iterable[OpenedSide],
    found: list[tuple[dict[str, Any], Summary]],
    folder: Path,
    *,
    with_report: bool,
) -> dict[str, Any]:
    """Tell what all pairs came to, in files of the whole."""
    pairs = [_tell_pair(told) for told, _ in found]
    result = _bind(pairs)
    overview = Overview(
        rules.book.name,
        found[0][0]["as_of"],
        rules.sha256,
        result,
        tuple(
            _count_pair(pair["folder"], summary)
            for pair, (_, summary) in zip(pairs, found, strict=True)
        ),
    )
    write_summary(overview, folder / SUMMARY)
    if with_report:
        write_overview(overview, folder)
    told = {
        "version": VERSION,
        "as_of": overview.as_of,
        **tell_rules(rules.sha256, rules.rates_file),
        "sides": [each.tell().tell() for each in sides],
        PAIRS: pairs,
        "result_sha256": result,
    }
    return write_manifest(told, folder)


def _tell_pair(told: Mapping[str, Any]) -> dict[str, Any]:
    names = [each["name"] for each in told["sides"]]
    counts = ("passes", "breaks", "unmatched", "result_sha256")
    return {"folder": "-".join(names), "sides": names, **{name: told[name] for name in counts}}


def _bind(pairs: Iterable[Mapping[str, Any]]) -> str:
    """Bind the hashes of all pairs into one, in the order of the rules."""
    digest = hashlib.sha256(f"{HASH_VERSION} pairs\n".encode())
    for each in pairs:
        digest.update(f"{each['folder']} {each['result_sha256']}\n".encode())
    return digest.hexdigest()


def _count_pair(folder: str, summary: Summary) -> PairCount:
    return PairCount(
        folder,
        tuple(each.name for each in summary.sides),
        tuple(each.entries for each in summary.sides),
        tuple(each.matched for each in summary.sides),
        tuple(each.unmatched for each in summary.sides),
        sum(each.matches for each in summary.passes),
        summary.breaks.breaks,
        summary.by_priority[0].breaks,
        summary.result_sha256,
    )
