"""Multiset net: entries equal in the fields of a pass, copy against copy, over all rows at once.

Both sides are counted together by these fields. Where each has one entry, they match; where one
side has one and the other none, it is left; only the few groups beyond that are looked at row by
row. A plain outer join would let two copies on one side match the same entry of the other.

Where one side has more copies, some match and some are left over. Which, is no choice only if they
are alike in all but what their bank numbers them by; else the whole group is left, and told as
ambiguous should no later pass decide it.
"""

from __future__ import annotations

from typing import NamedTuple

import ibis
from ibis.expr.types import Column, Table

from hansa.reconcile.batch.engines import Engine
from hansa.reconcile.batch.preparing import ROW
from hansa.reconcile.entries import SCHEMA

LEFT, RIGHT = "left_row", "right_row"
"""Columns of pairs: what matched, by its rows."""
SURPLUS = "is_surplus"
"""Of what is left: a copy of what matched."""
GROUP = "undecided_group"
"""Of what is left: the group that could not be decided, numbered by a row of its own; else null."""
NUMBERING = frozenset({"bank_reference", "statement", "line"})
"""Fields by which a bank, or a file, tells copies apart that are otherwise the same."""
_CONTENT = [name for name in SCHEMA.names if name not in NUMBERING]
_SIDE, _NTH, _MATCHED = "is_left", "nth", "is_matched"


class Netted(NamedTuple):
    """What a net pass makes of two sides; the engine holds it."""

    pairs: Table
    """`left_row` and `right_row` of what matches."""
    left: Table
    """Prepared entries of the left side that nothing matched, with `is_surplus` and so on."""
    right: Table


def net(engine: Engine, left: Table, right: Table, keys: list[str]) -> Netted:
    """Match what is equal in `keys`, columns without nulls, of two prepared tables.

    Each side is read whole once by its keys to count, and once with all its columns for what is
    left; twice more by its keys if any are on a side more than once.
    """
    groups = engine.keep(_count(left, right, keys))
    counts = groups.left_count, groups.right_count
    lone = groups.filter(counts[0] + counts[1] == 1)
    several = groups.filter((counts[0] > 1) | (counts[1] > 1))
    named = engine.keep(_name_several(left, right, several, keys))
    left, right = (
        engine.keep(_find_rest(side, lone[row], named, keys))
        for side, row in ((left, LEFT), (right, RIGHT))
    )
    members = engine.keep(_judge(_gather(left, right, named, keys), keys))
    one_each = groups.filter((counts[0] == 1) & (counts[1] == 1)).select(LEFT, RIGHT)
    return Netted(
        one_each.union(_pair_copies(members, keys)),
        *(
            _mark(side.anti_join(named, keys), members.filter(members[_SIDE] == is_left))
            for side, is_left in ((left, True), (right, False))
        ),
    )


def _count(left: Table, right: Table, keys: list[str]) -> Table:
    """Count the entries of each group, with a row of each side; the keys are left out again."""
    none = ibis.null("int64")
    both = left.select(*keys, **{LEFT: left[ROW], RIGHT: none}).union(
        right.select(*keys, **{LEFT: none, RIGHT: right[ROW]})
    )
    grouped = both.group_by(keys).agg(
        left_count=both[LEFT].count(),
        right_count=both[RIGHT].count(),
        **{LEFT: both[LEFT].min(), RIGHT: both[RIGHT].min()},
    )
    return grouped.drop(*keys)


def _name_several(left: Table, right: Table, several: Table, keys: list[str]) -> Table:
    """Name groups with several by their keys."""
    names = left.semi_join(several, left[ROW] == several[LEFT]).select(keys)
    return names.union(
        right.semi_join(several, right[ROW] == several[RIGHT]).select(keys)
    ).distinct()


def _find_rest(side: Table, lone: Column, named: Table, keys: list[str]) -> Table:
    """Find entries that are alone, and all of groups with several."""
    rows = lone.name(ROW).as_table().union(side.semi_join(named, keys).select(ROW))
    return side.semi_join(rows, ROW)


def _gather(left: Table, right: Table, named: Table, keys: list[str]) -> Table:
    """Gather the entries of groups with several, of both sides."""
    sides = (
        side.semi_join(named, keys).mutate(**{_SIDE: ibis.literal(is_left)})
        for side, is_left in ((left, True), (right, False))
    )
    return next(sides).union(next(sides))


def _judge(members: Table, keys: list[str]) -> Table:
    """Say of each member which copy of its side it is, and what becomes of its group."""
    side = [*keys, _SIDE]
    content = [members[name] for name in _CONTENT]
    ranked = members.mutate(
        **{
            _NTH: ibis.row_number().over(group_by=side, order_by=[*content, members[ROW]]),
            # Copies that are alike have the same rank; of nulls, too.
            "likeness": ibis.dense_rank().over(group_by=side, order_by=content),
        }
    )
    is_left = ranked[_SIDE]
    counted = ranked.mutate(
        left_count=is_left.cast("int64").sum().over(group_by=keys),
        right_count=(~is_left).cast("int64").sum().over(group_by=keys),
        left_unlike=is_left.ifelse(ranked.likeness, 0).max().over(group_by=keys),
        right_unlike=is_left.ifelse(0, ranked.likeness).max().over(group_by=keys),
        group=ranked[ROW].min().over(group_by=keys),
    )
    counts = counted.left_count, counted.right_count
    is_decided = (
        (counts[0] == counts[1])
        | ((counts[0] > counts[1]) & (counted.left_unlike == 0))
        | ((counts[0] < counts[1]) & (counted.right_unlike == 0))
    )
    fewer = ibis.least(*counts)
    is_matched = is_decided & (counted[_NTH] < fewer)
    return counted.mutate(
        **{
            _MATCHED: is_matched,
            SURPLUS: is_decided & (fewer > 0) & ~is_matched,
            GROUP: ((fewer > 0) & ~is_decided).ifelse(counted.group, ibis.null("int64")),
        }
    )


def _pair_copies(members: Table, keys: list[str]) -> Table:
    """Pair the copies of both sides that match, in their order."""
    matched = members.filter(members[_MATCHED])
    left, right = (
        matched.filter(matched[_SIDE] == is_left).select(*keys, _NTH, **{name: matched[ROW]})
        for is_left, name in ((True, LEFT), (False, RIGHT))
    )
    return left.join(right, [*keys, _NTH]).select(LEFT, RIGHT)


def _mark(alone: Table, members: Table) -> Table:
    """Mark what is left of a side: entries that are alone, and members that do not match."""
    names = [*alone.columns, SURPLUS, GROUP]
    marked = alone.mutate(**{SURPLUS: ibis.literal(False), GROUP: ibis.null("int64")})  # noqa: FBT003
    return marked.select(names).union(members.filter(~members[_MATCHED]).select(names))
