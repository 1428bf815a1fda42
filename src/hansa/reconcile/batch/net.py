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
from hansa.reconcile.batch.preparing import (
    GROUP,
    LEFT,
    NUMBERING,
    RIGHT,
    ROW,
    SURPLUS,
    name_key,
)
from hansa.reconcile.entries import SCHEMA

_CONTENT = [name for name in SCHEMA.names if name not in NUMBERING]
_NAME, _SIDE, _NTH, _MATCHED = "name", "is_left", "nth", "is_matched"
_ACCOUNT = name_key("account")
ACCOUNTS_MAX = 1_000_000
"""That are numbered; looking up more would take longer than comparing them."""
NAMED_MAX = 3
"""Entries of a group that counting can name; a larger one is a crowd."""


@ibis.udf.agg.builtin  # type: ignore[untyped-decorator]
def bit_xor(names: int) -> int:  # type: ignore[empty-body]
    """Compute the exclusive or; both engines have it, and Ibis knows it of one only."""


class Netted(NamedTuple):
    """What a net pass makes of two sides; the engine holds it."""

    pairs: Table
    """`left_row` and `right_row` of what matches."""
    left: Table
    """Prepared entries of the left side that nothing matched, with `is_surplus` and so on."""
    right: Table


def net(engine: Engine, left: Table, right: Table, keys: list[str]) -> Netted:
    """Match what is equal in `keys`, columns without nulls, of two prepared tables.

    Each side is read once by its accounts, once by its keys to count, and once with all its columns
    for what is left; once more if there is a crowd.
    """
    groups = engine.keep(_count(*_number_accounts(engine, left, right, keys)))
    is_pair = (groups.entries == 2) & (groups.lowest < 0) & (groups.highest >= 0)  # noqa: PLR2004
    pairs = groups.filter(is_pair).select(**{LEFT: -1 - groups.lowest, RIGHT: groups.highest})
    named = engine.keep(_list_named(engine.keep(groups.filter(~is_pair))))
    sides = [
        engine.keep(_find_rest(left, named.filter(named[_NAME] < 0), -1 - named[_NAME])),
        engine.keep(_find_rest(right, named.filter(named[_NAME] >= 0), named[_NAME])),
    ]
    crowds = (side.filter(side.is_crowd).select(keys) for side in sides)
    crowd = engine.keep(next(crowds).union(next(crowds)).distinct())
    if engine.fetch(crowd.count().as_table())[0][0].as_py():
        sides = [
            engine.keep(_complete(rest, side, crowd, keys))
            for rest, side in zip(sides, (left, right), strict=True)
        ]
    members = engine.keep(_judge(_gather(sides), keys))
    return Netted(
        pairs.union(_pair_copies(members, keys)),
        *(
            _mark(side, members.filter(members[_SIDE] == is_left))
            for side, is_left in zip(sides, (True, False), strict=True)
        ),
    )


def _number_accounts(
    engine: Engine, left: Table, right: Table, keys: list[str]
) -> tuple[Table, Table, list[str]]:
    """Put numbers in place of accounts, where there are few; returns the keys to count by, too.

    While it counts, an engine holds the keys of all entries, and accounts are their longest texts:
    without them counting takes a sixth less of the processor's time.
    """
    if _ACCOUNT not in keys:
        return left, right, keys
    accounts = left.select(_ACCOUNT).union(right.select(_ACCOUNT)).distinct()
    number = ibis.row_number().over(order_by=_ACCOUNT).cast("int32")
    numbered = engine.keep(accounts.mutate(number=number))
    if engine.fetch(numbered.count().as_table())[0][0].as_py() > ACCOUNTS_MAX:
        return left, right, keys
    others = [name for name in keys if name != _ACCOUNT]
    sides = [side.join(numbered, _ACCOUNT).select("number", *others, ROW) for side in (left, right)]
    return sides[0], sides[1], ["number", *others]


def _count(left: Table, right: Table, keys: list[str]) -> Table:
    """Count the entries of each group, with names of up to three; the keys are left out again.

    An entry's name is its row on the right, and -1 - row on the left, so that of a pair the lowest
    is the left one. The exclusive or of all names, the lowest and the highest is the third of
    three. That is all that is kept of a group: each column more costs time, as groups are many.
    """
    both = left.select(*keys, **{_NAME: -1 - left[ROW]}).union(
        right.select(*keys, **{_NAME: right[ROW]})
    )
    name = both[_NAME]
    counted = both.group_by(keys).agg(
        entries=both.count(), lowest=name.min(), highest=name.max(), mixed=bit_xor(name)
    )
    return counted.drop(*keys)


def _list_named(groups: Table) -> Table:
    """List the entries that counting named: all of a group, or two of a crowd."""
    about = {"is_member": groups.entries > 1, "is_crowd": groups.entries > NAMED_MAX}
    third = groups.mixed ^ groups.lowest ^ groups.highest
    several, three = groups.entries > 1, groups.entries == NAMED_MAX
    return groups.select(**{_NAME: groups.lowest}, **about).union(
        groups.filter(several).select(**{_NAME: groups.highest}, **about),
        groups.filter(three).select(**{_NAME: third}, **about),
    )


def _find_rest(side: Table, named: Table, row: Column) -> Table:
    """Find the entries that counting named, of one side."""
    return side.join(named.select("is_member", "is_crowd", **{ROW: row}), ROW)


def _complete(rest: Table, side: Table, crowd: Table, keys: list[str]) -> Table:
    """Complete what is left of a side by those of a crowd that counting did not name."""
    others = side.semi_join(crowd, keys).anti_join(rest, ROW)
    marked = others.mutate(is_member=ibis.literal(True), is_crowd=ibis.literal(True))  # noqa: FBT003
    return rest.union(marked.select(rest.columns))


def _gather(sides: list[Table]) -> Table:
    """Gather the entries of groups with several, of both sides."""
    left, right = (
        side.filter(side.is_member).mutate(**{_SIDE: ibis.literal(is_left)})
        for side, is_left in zip(sides, (True, False), strict=True)
    )
    return left.union(right)


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
        # Of both sides, rows would be the same.
        group=is_left.ifelse(-1 - ranked[ROW], ranked[ROW]).min().over(group_by=keys),
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


def _mark(side: Table, members: Table) -> Table:
    """Mark what is left of a side: entries that are alone, and members that do not match."""
    alone = side.filter(~side.is_member).drop("is_member", "is_crowd")
    names = [*alone.columns, SURPLUS, GROUP]
    marked = alone.mutate(**{SURPLUS: ibis.literal(False), GROUP: ibis.null("int64")})  # noqa: FBT003
    return marked.select(names).union(members.filter(~members[_MATCHED]).select(names))
