"""A run over two sides: pass after pass, then what is left put into breaks.

All rows go through the first pass in the engine; what it leaves comes into this process, where the
others look at it. Nothing depends on the order of rows: only their numbers tell which is which.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.batch.diagnosing import Break, diagnose
from hansa.reconcile.batch.passes.bounds import Measuring
from hansa.reconcile.batch.passes.cancelling import match_cancelling
from hansa.reconcile.batch.passes.found import Found, Match, OpenGroup
from hansa.reconcile.batch.passes.one_to_one import match_reversals, match_within
from hansa.reconcile.batch.passes.scored import match_scored
from hansa.reconcile.batch.passes.several import match_net_zero, match_parts, match_sum
from hansa.reconcile.batch.preparing import GROUP, LEFT, RIGHT, ROW, SURPLUS, name_key, prepare
from hansa.reconcile.batch.rest import Rest, RestSide, read_ints
from hansa.reconcile.rules.book import (
    Net,
    NetZero,
    Parts,
    Pass,
    Reversal,
    RuleBook,
    Side,
    Sum,
    Tolerance,
)
from hansa.reconcile.rules.calendars import BusinessDays
from hansa.reconcile.rules.rates import RateTable
from hansa.reconcile.rules.references import ReferenceForm

if TYPE_CHECKING:  # loads slowly, and whoever has few rows needs no engine
    from ibis.expr.types import Table

    from hansa.reconcile.batch.engines import Engine
    from hansa.reconcile.batch.net import Netted

REST_MAX = 5_000_000
"""Entries of a side that the first pass may leave to this process."""


class PassResult(NamedTuple):
    """What one pass matched."""

    name: str
    matches: tuple[Match, ...]


class Passed(NamedTuple):
    """What the passes after the first make of what that one left."""

    rest: Rest
    passes: tuple[PassResult, ...]
    breaks: tuple[Break, ...]


class Reconciled(NamedTuple):
    """Two sides reconciled; matches and breaks name entries by their places in `rest`."""

    first: str
    """Name of the first pass."""
    pairs: Table
    """`left_row` and `right_row` of what it matched; the engine holds it."""
    rest: Rest
    passes: tuple[PassResult, ...]
    """After the first."""
    breaks: tuple[Break, ...]


def reconcile(
    engine: Engine,
    left: Table,
    right: Table,
    book: RuleBook,
    *,
    sides: tuple[Side, Side],
    rates: RateTable | None = None,
) -> Reconciled:
    """Reconcile two sides.

    Args:
      engine: that both tables are of.
      left: entries with their numbers in `row`.
      right: the same.
      book: the rules.
      sides: of the rules, which these are.
      rates: where the rules convert.

    Raises:
      Invalid: the first pass is not `net`, or it leaves more than this process takes.
    """
    first = require_first(book)
    prepared = [
        prepare(entries, side, book.references)
        for entries, side in zip((left, right), sides, strict=True)
    ]
    netted = _net(engine, prepared[0], prepared[1], first)
    rest = _fetch_rest(engine, netted, ReferenceForm(book.references))
    match_equal = partial(_match_equal, engine)
    passed = run_passes(rest, group_undecided(rest), book, rates, match_equal)
    return Reconciled(first.name, netted.pairs, *passed)


def require_first(book: RuleBook) -> Net:
    """Get the first pass; raises `Invalid` if it is not `net`."""
    first = book.passes[0]
    if not isinstance(first, Net):
        raise Invalid(
            InvalidCode.ARGUMENTS, f"the first pass must be of kind net, not {first.name!r}"
        )
    return first


def run_passes(
    rest: Rest,
    groups: list[OpenGroup],
    book: RuleBook,
    rates: RateTable | None,
    match_equal: Callable[[Rest, Net], Found],
) -> Passed:
    """Run all passes but the first, and put what is left into breaks.

    Args:
      rest: what the first pass left.
      groups: that it could not decide.
      book: the rules.
      rates: where the rules convert.
      match_equal: how a later net pass matches.
    """
    measuring = Measuring(
        BusinessDays(book.calendar), rates, book.rates.currency if book.rates else ""
    )
    results, open_groups = [], [groups]
    for each in book.passes[1:]:
        matches: list[Match] = []
        for step in _list_steps(rest, each, measuring, match_equal):
            found = step()
            rest.left.close(chain.from_iterable(match.left for match in found.matches))
            rest.right.close(chain.from_iterable(match.right for match in found.matches))
            matches += found.matches
            open_groups.append(found.open_groups)
        results.append(PassResult(each.name, tuple(matches)))
    newest_first = [group for groups in reversed(open_groups) for group in groups]
    return Passed(rest, tuple(results), tuple(diagnose(rest, newest_first, book)))


def _net(engine: Engine, left: Table, right: Table, asked: Net) -> Netted:
    """Match what is equal in the fields of a pass, in the engine."""
    from hansa.reconcile.batch.net import net  # noqa: PLC0415 - loads the engines' expressions

    return net(engine, left, right, [name_key(each) for each in asked.on])


def _fetch_rest(engine: Engine, netted: Netted, form: ReferenceForm) -> Rest:
    sides = []
    for table in (netted.left, netted.right):
        count = engine.fetch(table.count().as_table())[0][0].as_py()
        if count > REST_MAX:
            raise Invalid(
                InvalidCode.ARGUMENTS,
                f"the first pass leaves {count} entries of a side, more than {REST_MAX}: are these "
                "two sides of the same account, and does it ask for what both tell alike?",
            )
        sides.append(RestSide(engine.fetch(table), form))
    return Rest(*sides)


def group_undecided(rest: Rest) -> list[OpenGroup]:
    """Group what the first pass could not decide."""
    return _group_open(*map(_list_undecided, rest))


def _list_undecided(side: RestSide) -> Iterable[tuple[int, int]]:
    """List the places that a net pass put into groups; most it did not."""
    group = side.entries.column(GROUP)
    places = np.flatnonzero(group.is_valid().to_numpy())
    return zip(places.tolist(), group.drop_null().to_pylist(), strict=True)


def _group_open(*sides: Iterable[tuple[int, int | None]]) -> list[OpenGroup]:
    """Group places left and right by the group that a net pass put them in, if any."""
    members: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for at, side in enumerate(sides):
        for place, group in side:
            if group is not None:
                members[group][at].append(place)
    reason = "one side has fewer of them, and those of the other are not alike"
    # In an order of their own, as an engine gives them in any.
    found = sorted((sorted(ours), sorted(theirs)) for ours, theirs in members.values())
    return [OpenGroup(tuple(ours), tuple(theirs), reason) for ours, theirs in found]


def _list_steps(
    rest: Rest, asked: Pass, measuring: Measuring, match_equal: Callable[[Rest, Net], Found]
) -> list[Callable[[], Found]]:
    """List the steps of a pass; what one matches is closed before the next."""
    if isinstance(asked, Tolerance):
        return [partial(match_within, rest, asked, measuring)]
    if isinstance(asked, Sum):
        return [partial(match_sum, rest, asked, measuring)]
    if isinstance(asked, NetZero):
        if asked.by == "amount":
            return [partial(match_cancelling, rest, asked, measuring)]
        return [partial(match_net_zero, rest, asked, asked.by, measuring)]
    if isinstance(asked, Parts):
        match = partial(match_parts, rest, asked, measuring)
        return [partial(match, left_is_whole=each) for each in (True, False)]
    if isinstance(asked, Reversal):
        match = partial(match_reversals, rest, asked, measuring)
        return [partial(match, is_left=each) for each in (True, False)]
    if isinstance(asked, Net):
        return [partial(match_equal, rest, asked)]
    return [partial(match_scored, rest, asked, measuring)]


def _match_equal(engine: Engine, rest: Rest, asked: Net) -> Found:
    """Match by a later net pass, over what is left."""
    tables = [engine.add(each) for each in list_open(rest)]
    netted = _net(engine, tables[0], tables[1], asked)
    pairs = engine.fetch(netted.pairs.order_by(LEFT))
    rows = zip(read_ints(pairs[LEFT]).tolist(), read_ints(pairs[RIGHT]).tolist(), strict=True)
    left_over = [engine.fetch(table.select(ROW, GROUP)) for table in (netted.left, netted.right)]
    return find_equal(rest, asked, rows, left_over)


def list_open(rest: Rest) -> list[pa.Table]:
    """List the prepared entries of both sides that no pass has matched."""
    return [
        side.entries.filter(pa.array(side.is_unmatched)).drop([SURPLUS, GROUP]) for side in rest
    ]


def find_equal(
    rest: Rest, asked: Net, pairs: Iterable[tuple[int, int]], left_over: Iterable[pa.Table]
) -> Found:
    """Find what a later net pass matches, by places.

    Args:
      rest: over what is left of which it was run.
      asked: the pass.
      pairs: rows of what matches, in the order of the left ones.
      left_over: row and group of what does not, of each side.
    """
    places = [{row: place for place, row in enumerate(side.rows.tolist())} for side in rest]
    reason = f"equal in {', '.join(asked.on)}"
    matches = [Match((places[0][left],), (places[1][right],), reason) for left, right in pairs]
    undecided = []
    for of_side, table in zip(places, left_over, strict=True):
        numbers = [of_side[row] for row in table[ROW].to_pylist()]
        undecided.append(zip(numbers, table[GROUP].to_pylist(), strict=True))
    return Found(matches, _group_open(*undecided))
