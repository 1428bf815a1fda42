"""The report as one page: HTML that needs nothing beside it, neither script nor network.

Whatever stands in files goes through `show` and is escaped by the templates. A policy in the page
itself lets nothing run and nothing load, should that ever fail.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jinja2

from hansa.reconcile.batch.results import BREAKS
from hansa.reconcile.batch.summary import UNDATED, Amount, BreakCount, SideCount, Summary
from hansa.reconcile.entries import Severity
from hansa.reconcile.normalising import FINDINGS
from hansa.reconcile.report.excerpts import Located, read_findings, read_urgent
from hansa.reconcile.report.texts import name_class, name_file, show, show_amount, show_day

PAGE = "report.html"
URGENT_MAX, ENTRIES_MAX = 50, 6
FINDINGS_MAX = 50
"""Of a side, of each severity."""
FILES_MAX = 100
WINDOWS_MAX = 100
"""The last of a run; a year by days has 366."""
CURRENCIES_MAX = 12
"""Of each class, age or priority."""
LETTERS_MAX = 140
SHARE_MIN = 0.6
"""Percent of a chart's width that a bar has at least, so that few are not none."""
_FOLDER = Path(__file__).parent / "templates"


class Bar(NamedTuple):
    """One bar of a chart that lies on its side."""

    label: str
    value: int
    width: float
    """Percent of the chart's width."""


class AmountRow(NamedTuple):
    """A line of a table of amounts."""

    label: str
    amount: Amount


class Table(NamedTuple):
    """Breaks by one of their labels: a chart, a table of counts and one of amounts."""

    id: str
    title: str
    column: str
    counts: tuple[BreakCount, ...]
    """By their labels for people."""
    bars: tuple[Bar, ...]
    amounts: tuple[AmountRow, ...]
    more: int
    """Currencies beyond these, of all labels together."""


class SideFindings(NamedTuple):
    """What reading a side found."""

    side: SideCount
    errors: Sequence[Located]
    warnings: Sequence[Located]


def write_page(summary: Summary, folder: Path, sides: Path) -> None:
    """Write the page into the folder of a result, from files that stand already there.

    Args:
      summary: of the result.
      folder: of the result.
      sides: where what was read of each side lies, in a folder of its name.
    """
    show_texts = {"name_class": partial(_name_class, summary)}
    write_template(
        "report.html",
        folder / PAGE,
        show_texts,
        s=summary,
        pass_bars=_build_bars((each.name, each.matches) for each in summary.passes),
        tables=_build_tables(summary),
        urgent=read_urgent(folder / BREAKS, URGENT_MAX, ENTRIES_MAX),
        findings=[_read_findings(each, sides) for each in summary.sides],
        files_max=FILES_MAX,
        windows_max=WINDOWS_MAX,
        sides_at="" if sides == folder else "../",
    )


def write_template(
    name: str, path: Path, filters: Mapping[str, Callable[[str], str]], **values: object
) -> None:
    """Write a page from a template.

    Args:
      name: of the template.
      path: where the page goes.
      filters: that it uses beside `show`.
      values: that it tells.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["show"] = partial(show, letters_max=LETTERS_MAX)
    environment.filters.update(filters)
    environment.globals.update(amount=show_amount, day=show_day, file_of=name_file)
    style = (_FOLDER / "report.css").read_text()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    parts = environment.get_template(name).generate(style=style, style_hash=digest, **values)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(parts)


def _name_class(summary: Summary, kind: str) -> str:
    left, right = (each.name for each in summary.sides)
    return name_class(kind, left, right)


def _read_findings(side: SideCount, sides: Path) -> SideFindings:
    path = sides / side.name / FINDINGS
    if not side.is_read:
        return SideFindings(side, (), ())
    found = read_findings(path, FINDINGS_MAX)
    return SideFindings(side, found[Severity.ERROR], found[Severity.WARNING])


def _build_tables(summary: Summary) -> list[Table]:
    classes = [each._replace(name=_name_class(summary, each.name)) for each in summary.by_class]
    ages = [each._replace(name=_name_age(each.name)) for each in summary.by_age]
    return [
        _build_table("class", "Breaks by class", "Class", classes),
        _build_table("age", "Breaks by age", "Business days", ages),
        _build_table("priority", "Breaks by priority", "Priority", summary.by_priority),
    ]


def _name_age(label: str) -> str:
    return "No date" if label == UNDATED else label


def _build_table(name: str, title: str, column: str, counts: Sequence[BreakCount]) -> Table:
    return Table(
        name,
        title,
        column,
        tuple(counts),
        _build_bars((each.name, each.breaks) for each in counts),
        tuple(
            AmountRow(each.name, amount)
            for each in counts
            for amount in each.amounts[:CURRENCIES_MAX]
        ),
        sum(max(0, len(each.amounts) - CURRENCIES_MAX) for each in counts),
    )


def _build_bars(counts: Iterable[tuple[str, int]]) -> tuple[Bar, ...]:
    told = list(counts)
    most = max((count for _, count in told), default=0)
    return tuple(
        Bar(label, count, round(max(SHARE_MIN, 100 * count / most), 2) if count else 0)
        for label, count in told
    )
