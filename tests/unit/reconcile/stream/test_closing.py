"""What comes out of a window, whatever one of its banks had posted."""

from __future__ import annotations

from tests.streamed import RULES, build_pair, enter

from hansa.kernel.values import INT64_MAX
from hansa.reconcile.stream.closing import Even, close_window
from hansa.reconcile.stream.entries import write_entry


def test_amounts_and_charges_beyond_all_measure_keep_no_window_from_its_end():
    pair = build_pair(RULES.replace("days = 2", "days = 2\ncharges = true"))
    absurd = [
        enter(10, "A", charges_minor=INT64_MAX),
        enter(1 << 53, "B", charges_minor=1),
        enter(INT64_MAX, "C"),
    ]
    right = [enter(-12, "A"), enter(-INT64_MAX, "C/1")]
    sides = tuple([write_entry(each) for each in side] for side in (absurd, right))
    outcome = close_window(pair, 0, (3, 2), Even(0, {}), sides)
    assert [each.label for each in outcome.matches] == ["near"]
    assert sum(len(each.left) for each in outcome.breaks) == 2


def test_sets_that_cancel_out_match_as_they_do_in_files():
    sides = [enter(70), enter(30)], [enter(-45), enter(-55)]
    written = tuple([write_entry(each) for each in side] for side in sides)
    outcome = close_window(build_pair(), 0, (2, 2), Even(0, {}), written)
    assert [(each.label, len(each.left), len(each.right)) for each in outcome.matches] == [
        ("cancelled", 2, 2)
    ]
    assert not outcome.breaks
