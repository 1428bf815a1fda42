"""The first pass over few rows, in this process: what `batch.net` does, without an engine.

An engine takes half a second to put its expressions into words, whatever it is given. Of a window
that closes it would be given some hundred entries, by both banks, and a run over files may have a
window for each day of years. So the same rule stands here once more, for rows that are held anyway;
tests hold one against the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, get_args

import pyarrow as pa
import pyarrow.compute as pc

from hansa.reconcile.batch.passes.found import Found
from hansa.reconcile.batch.preparing import CHOSEN, GROUP, NO_DATE, ROW, SURPLUS, name_key
from hansa.reconcile.batch.rest import CONTENT, Rest, RestSide, number, read_ints
from hansa.reconcile.batch.running import (
    Passed,
    find_equal,
    group_undecided,
    list_open,
    require_first,
    run_passes,
)
from hansa.reconcile.entries import NORMALISED
from hansa.reconcile.rules.book import Field, Net, References, RuleBook, Side
from hansa.reconcile.rules.rates import RateTable
from hansa.reconcile.rules.references import ReferenceForm

Pairs = list[tuple[int, int]]
"""Rows left and right of what a net pass matches."""


class NettedFew(NamedTuple):
    """What a net pass makes of two sides; as `batch.net.Netted`."""

    pairs: Pairs
    left: pa.Table
    right: pa.Table


class ReconciledFew(NamedTuple):
    """Two sides reconciled; as `batch.running.Reconciled`."""

    pairs: Pairs
    passed: Passed


def reconcile_few(
    left: pa.Table,
    right: pa.Table,
    book: RuleBook,
    *,
    sides: tuple[Side, Side],
    rates: RateTable | None = None,
) -> ReconciledFew:
    """Reconcile two sides, by `NORMALISED`; as `batch.running.reconcile`, which says more.

    Raises:
      Invalid: the first pass is not `net`.
    """
    first = require_first(book)
    form = ReferenceForm(book.references)
    prepared = [
        prepare_few(entries, side, book.references)
        for entries, side in zip((left, right), sides, strict=True)
    ]
    netted = net_few(prepared[0], prepared[1], [name_key(each) for each in first.on])
    rest = Rest(RestSide(netted.left, form), RestSide(netted.right, form))
    passed = run_passes(rest, group_undecided(rest), book, rates, _match_equal)
    return ReconciledFew(netted.pairs, passed)


def prepare_few(entries: pa.Table, side: Side, references: References) -> pa.Table:
    """Prepare a side's entries; as `batch.preparing.prepare`."""
    form = ReferenceForm(references)
    entries = entries.select(NORMALISED.names)
    entries = entries.filter(pc.is_in(entries["status"], pa.array(side.statuses, pa.string())))
    texts = zip(*(entries[each].to_pylist() for each in references.fields), strict=True)
    chosen = [next(filter(None, each), "") for each in texts]
    keys = {name: entries[name] for name in get_args(Field)}
    keys["amount_minor"] = pc.multiply_checked(keys["amount_minor"], pa.scalar(side.sign))
    keys["reference"] = pa.array(map(form.write, chosen), pa.string())
    for name in ("booking_date", "value_date"):
        keys[name] = pc.fill_null(keys[name], NO_DATE)
    prepared = entries.append_column(CHOSEN, pa.array(chosen, pa.string()))
    for name, column in keys.items():
        prepared = prepared.append_column(name_key(name), column)
    return prepared


def net_few(left: pa.Table, right: pa.Table, keys: Sequence[str]) -> NettedFew:
    """Match what is equal in `keys` of two prepared tables; as `batch.net.net`."""
    # Copies stand in the order in which they match, as they stand in their groups then.
    order = [(name, "ascending") for name in [*CONTENT, ROW]]
    tables = [each.sort_by(order) for each in (left, right)]
    rows = [read_ints(each[ROW]).tolist() for each in tables]
    likeness = [number([each], CONTENT)[0].tolist() for each in tables]
    groups: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for at, codes in enumerate(number(tables, keys)):
        for place, code in enumerate(codes.tolist()):
            groups[code][at].append(place)
    pairs: Pairs = []
    rest = _Marked([], [], []), _Marked([], [], [])
    for ours, theirs in groups.values():
        fewer = min(len(ours), len(theirs))
        # Which copies of the longer side are left over, is no choice if all are alike.
        at, longer = (0, ours) if len(ours) > fewer else (1, theirs)
        is_decided = len(longer) == fewer or len({likeness[at][place] for place in longer}) == 1
        matched = fewer if is_decided else 0
        pairs += [(rows[0][ours[nth]], rows[1][theirs[nth]]) for nth in range(matched)]
        group = None if is_decided or not fewer else -1 - max(rows[0][place] for place in ours)
        for side, places in zip(rest, (ours[matched:], theirs[matched:]), strict=True):
            side.places.extend(places)
            side.surplus.extend([is_decided and fewer > 0] * len(places))
            side.groups.extend([group] * len(places))
    return NettedFew(pairs, rest[0].take(tables[0]), rest[1].take(tables[1]))


class _Marked(NamedTuple):
    """Of what is left of a side: places, and what a net pass says of them."""

    places: list[int]
    surplus: list[bool]
    groups: list[int | None]

    def take(self, table: pa.Table) -> pa.Table:
        """Take the entries with their marks."""
        taken = table.take(pa.array(self.places, pa.int64()))
        taken = taken.append_column(SURPLUS, pa.array(self.surplus, pa.bool_()))
        return taken.append_column(GROUP, pa.array(self.groups, pa.int64()))


def _match_equal(rest: Rest, asked: Net) -> Found:
    """Match by a later net pass, over what is left."""
    left, right = list_open(rest)
    netted = net_few(left, right, [name_key(each) for each in asked.on])
    undecided = [table.select([ROW, GROUP]) for table in (netted.left, netted.right)]
    return find_equal(rest, asked, sorted(netted.pairs), undecided)
