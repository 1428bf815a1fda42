"""Both sides of a break field by field, and what each kind of pass asks."""

from __future__ import annotations

from typing import get_args

from tests.streamed import RULES, enter

from hansa.node.console.reconciliation.comparing import compare, list_compared
from hansa.node.console.reconciliation.matches import tell_pass
from hansa.node.console.reconciliation.sides import Sides
from hansa.reconcile.rules.book import Parts, Pass, Tolerance
from hansa.reconcile.rules.loading import load_rules

REFERENCES = '\n[references]\nfields = ["reference", "text"]\nignore_case = true\n'
BOOK = load_rules((RULES + REFERENCES).encode(), "rules")


def judge(ours, theirs):
    return {line.name: line.verdict.value for line in compare(BOOK, Sides(ours, theirs))}


def test_what_the_rules_take_for_equal_does_not_differ():
    left = enter(5, "inv 7", text="a", counterparty="North")
    right = enter(5, "INV 7", text="b", counterparty="Nord", bank_reference="9")
    assert judge((left,), (right,)) == {
        "amount_minor": "same",
        "value_date": "same",
        "booking_date": "same",
        "reference": "alike",
        "bank_reference": "aside",
        "account": "same",
        "counterparty": "aside",
        "text": "differs",
    }


def test_several_are_compared_by_their_sum_and_one_side_by_nothing():
    parts = (enter(3, "A", 1), enter(2, "A", 1))
    verdicts = judge((enter(5, "A"),), parts)
    assert (verdicts["amount_minor"], verdicts["value_date"]) == ("same", "differs")
    assert set(judge(parts, ()).values()) == {"alone"}


def test_fields_that_a_pass_compares_are_those_of_its_rules():
    assert list_compared(BOOK) == {
        *("currency", "amount_minor", "reference", "text", "value_date", "booking_date")
    }


def test_each_kind_of_pass_is_told():
    kinds = get_args(Pass)
    told = [tell_pass(kind(name="x", on=("currency",))) for kind in kinds]
    assert len(set(told)) == len(kinds)
    assert all("the same currency" in each for each in told)
    wide = Tolerance(
        name="x", on=("currency",), amount_ppm=5_000, days=3, business_days=True, charges=True
    )
    assert "up to 0.5 % apart; up to 3 business days apart; or apart by just" in tell_pass(wide)
    assert "the first part of a reference" in tell_pass(Parts(name="x", on=("account",)))
