"""The demo's loans: shares to the cent, faults as they must be found, and a judge that tells."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from hansa.node.demo.books import PARTNERS, TODAY, judge, write_books
from hansa.node.demo.town import MEADOW
from hansa.reconcile.batch.diagnosing import BreakClass
from hansa.reconcile.stream.closing import Group, Outcome
from hansa.reconcile.stream.entries import write_entry
from hansa.reconcile.stream.terms import Place

FIRST_DAY = 20_000


def build_outcomes(planted):
    """Build what would come out of the windows if all of it were found."""
    outcomes = {}
    for partner in PARTNERS:
        for day in range(TODAY):
            breaks = tuple(
                Group(
                    each.kind.value,
                    "",
                    *(tuple(map(write_entry, side)) for side in (each.left, each.right)),
                    str(each).encode(),
                )
                for each in planted
                if each.partner == partner and each.day <= day and each.healed_day != day
            )
            outcomes[partner, day] = Outcome(day, 0, 0, 1, (), breaks, (), bytes(32))
    return outcomes


@pytest.mark.parametrize("seed", range(8))
def test_what_both_banks_enter_is_equal_but_for_what_is_planted(seed):
    books, planted = write_books(seed, 90, FIRST_DAY)
    assert len(planted) == 8
    assert {each.kind for each in planted} >= {BreakClass.AMOUNT, BreakClass.SPLIT, BreakClass.DATE}
    spoilt = {
        entry.reference.split("/")[0] for each in planted for entry in (*each.left, *each.right)
    }
    for partner in PARTNERS:
        sides = [
            {
                entry.reference: sign * entry.amount_minor
                for (of, whose, _), entries in books.days.items()
                for entry in entries
                if (of, whose) == (partner, place)
            }
            for place, sign in ((Place.LEFT, 1), (Place.RIGHT, -1))
        ]
        differ = {
            name.split("/")[0] for name, _ in set(sides[0].items()) ^ set(sides[1].items())
        } - spoilt
        # One is entered in parts by the partner, as the rules allow, one not yet by the platform.
        allowed = {name.split("/")[0] for name in sides[1] if "/" in name}
        withheld = {books.withheld.reference}
        assert differ <= allowed | withheld


def test_a_judge_tells_what_was_not_found_and_what_is_wrong():
    _, planted = write_books(7, 90, FIRST_DAY)
    outcomes = build_outcomes(planted)
    report = judge(planted, outcomes)
    assert (report.found, report.wrong, report.healed, report.is_right) == (8, 0, 2, True)
    last = outcomes[MEADOW, 1]
    fewer = {**outcomes, (MEADOW, 1): replace(last, breaks=last.breaks[1:])}
    report = judge(planted, fewer)
    assert (report.found, report.wrong, report.is_right) == (7, 0, False)
    renamed = replace(last.breaks[0], label="ambiguous")
    other = {**outcomes, (MEADOW, 1): replace(last, breaks=(renamed, *last.breaks[1:]))}
    report = judge(planted, other)
    assert (report.found, report.wrong, report.is_right) == (7, 1, False)
