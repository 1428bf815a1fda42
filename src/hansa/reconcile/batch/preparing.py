"""Entries prepared for passes: the side turned round, references made comparable, no nulls in keys.

A prepared table has all columns of entries as they were read, and beside each field that a pass may
name its comparable form, `key_` before its name.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, get_args

from hansa.reconcile.entries import NORMALISED, TIMES
from hansa.reconcile.rules.book import Field, References, Side
from hansa.reconcile.rules.references import ReferenceForm

if TYPE_CHECKING:  # loads slowly, and whoever has few rows needs no engine
    from ibis.expr.types import StringValue, Table

ROW = "row"
SOURCE = "source"
"""Columns that normalising adds."""
PREFIX = "key_"
CHOSEN = "chosen_reference"
"""Column of the reference that counts, before it is made comparable."""
LEFT, RIGHT = "left_row", "right_row"
"""Columns of pairs: what a net pass matches, by its rows."""
SURPLUS = "is_surplus"
"""Of what it leaves: a copy of what matched."""
GROUP = "undecided_group"
"""Of what it leaves: the group that could not be decided, by the name of one in it; else null."""
NUMBERING = frozenset({"bank_reference", "statement", "line", *(each.name for each in TIMES)})
"""Fields by which a bank, or a file, tells copies apart that are otherwise the same."""
NO_DATE = dt.date(1, 1, 1)
"""Stands for none in keys, where none equals none."""


def name_key(field: str) -> str:
    """Name the comparable form of a field."""
    return PREFIX + field


def prepare(entries: Table, side: Side, references: References) -> Table:
    """Prepare a side's entries, and leave out those whose status does not count.

    Args:
      entries: by `NORMALISED`.
      side: whose they are.
      references: how these are made comparable.
    """
    form = ReferenceForm(references)
    chosen: StringValue = entries[references.fields[0]]
    for other in references.fields[1:]:
        chosen = (chosen == "").ifelse(entries[other], chosen)
    keys = {name: entries[name] for name in get_args(Field)}
    if side.sign != 1:
        keys["amount_minor"] *= side.sign
    keys["reference"] = form.express(chosen)
    for name in ("booking_date", "value_date"):
        keys[name] = entries[name].fill_null(NO_DATE)
    columns = {name: entries[name] for name in NORMALISED.names} | {CHOSEN: chosen}
    prepared = entries.select(**columns, **{name_key(each): keys[each] for each in keys})
    return prepared.filter(prepared.status.isin(side.statuses))
