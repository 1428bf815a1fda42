"""What a first pass leaves: in a fixed order, and told apart by all that entries say."""

from itertools import product

import numpy as np
from tests.reconciled import make_side

from hansa.reconcile.batch.preparing import name_key
from hansa.reconcile.batch.rest import RestSide
from hansa.reconcile.batch.windows.few import net_few, prepare_few
from hansa.reconcile.entries import Entry
from hansa.reconcile.rules.book import References, Side
from hansa.reconcile.rules.references import ReferenceForm


def make_rest(entries):
    left, right = (
        prepare_few(make_side(each), Side(name="ours"), References()) for each in (entries, [])
    )
    netted = net_few(left, right, [name_key("amount_minor")])
    return RestSide(netted.left, ReferenceForm(References()))


def test_only_entries_alike_in_all_they_say_are_of_one_class():
    """No date is like no date, and like no other; the bank's own number makes no difference."""
    contents = list(product((5, 7), (None, 1, 2), (None, 1), ("", "a")))
    entries = [
        Entry("1", "EUR", amount, booked, dated, text, bank_reference=number)
        for amount, booked, dated, text in contents
        for number in ("1", "2")
    ]
    rest = make_rest(entries[::-1])
    of_row = dict(zip(rest.rows.tolist(), rest.classes.tolist(), strict=True))
    classes = [of_row[row] for row in range(len(entries))]
    assert classes[::2] == classes[1::2]
    assert len(set(classes)) == len(contents)
    assert make_rest([]).classes.tolist() == []
    assert np.array_equal(rest.classes, make_rest(entries).classes)
