"""Both sides of a break, field by field: what each bank has, and where they differ.

A field that the rules compare counts; where another one differs, it may help whoever looks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from hansa.node.console.reconciliation.sides import Sides
from hansa.reconcile.entries import Entry
from hansa.reconcile.report.texts import show, show_amount, show_day
from hansa.reconcile.rules.book import RuleBook, Score
from hansa.reconcile.rules.references import ReferenceForm

LETTERS_MAX = 400
ENTRIES_MAX = 12
"""Of one side that are shown."""
DATES = frozenset({"booking_date", "value_date"})


class Verdict(StrEnum):
    """How the two sides of a field compare."""

    SAME = "same"
    ALIKE = "alike"
    """Written otherwise, and equal by the rules."""
    DIFFERS = "differs"
    ASIDE = "aside"
    """Differs, and no pass of the rules compares it."""
    ALONE = "alone"
    """One side has no entry to compare with."""


@dataclass(frozen=True, slots=True)
class FieldLine:
    """One field of the entries of both sides; one text an entry, in their order."""

    name: str
    label: str
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    verdict: Verdict


def compare(book: RuleBook, sides: Sides) -> list[FieldLine]:
    """Compare both sides of a group; fields that no entry has are left out."""
    asked = list_compared(book)
    form = ReferenceForm(book.references)
    lines = []
    for name, (label, write) in FIELDS.items():
        ours, theirs = (
            tuple(write(entry) for entry in side[:ENTRIES_MAX])
            for side in (sides.ours, sides.theirs)
        )
        if any(ours) or any(theirs):
            verdict = _judge(name, sides, asked, form)
            lines.append(FieldLine(name, label, ours, theirs, verdict))
    return lines


def list_compared(book: RuleBook) -> frozenset[str]:
    """List the fields of an entry that some pass of the rules compares."""
    found = {"amount_minor"}
    for each in book.passes:
        found.update(each.on)
        if getattr(each, "days", 0):
            found |= DATES
        if isinstance(each, Score):
            found.update(comparison.field for comparison in each.compare)
    if "date" in found:
        found |= DATES
    if "reference" in found:
        found.update(book.references.fields)
    return frozenset(found)


def _judge(name: str, sides: Sides, asked: frozenset[str], form: ReferenceForm) -> Verdict:
    if not sides.ours or not sides.theirs:
        return Verdict.ALONE
    ours, theirs = ([getattr(entry, name) for entry in side] for side in (sides.ours, sides.theirs))
    if name == "amount_minor":
        is_same = not any(sides.differences.values())
    else:
        is_same = Counter(ours) == Counter(theirs)
    if is_same:
        return Verdict.SAME
    if name not in asked:
        return Verdict.ASIDE
    if name == "reference" and Counter(map(form.write, ours)) == Counter(map(form.write, theirs)):
        return Verdict.ALIKE
    return Verdict.DIFFERS


def _write(name: str) -> Callable[[Entry], str]:
    def write(entry: Entry) -> str:
        return show(getattr(entry, name), LETTERS_MAX)

    return write


def _write_amount(entry: Entry) -> str:
    return f"{show_amount(entry.amount_minor, entry.currency)} {entry.currency}"


def _write_original(entry: Entry) -> str:
    if entry.original_minor is None:
        return ""
    currency = entry.original_currency or entry.currency
    return f"{show_amount(entry.original_minor, currency)} {currency}"


def _write_charges(entry: Entry) -> str:
    if entry.charges_minor is None:
        return ""
    return f"{show_amount(entry.charges_minor, entry.currency)} {entry.currency}"


FIELDS: Mapping[str, tuple[str, Callable[[Entry], str]]] = {
    "amount_minor": ("Amount", _write_amount),
    "value_date": ("Value date", lambda entry: show_day(entry.value_date)),
    "booking_date": ("Booking date", lambda entry: show_day(entry.booking_date)),
    "reference": ("End-to-end reference", _write("reference")),
    "transaction_id": ("Transaction id", _write("transaction_id")),
    "bank_reference": ("Account servicer’s reference", _write("bank_reference")),
    "account": ("Account", _write("account")),
    "counterparty": ("Counterparty", _write("counterparty")),
    "counterparty_account": ("Counterparty’s account", _write("counterparty_account")),
    "text": ("Remittance information", _write("text")),
    "code": ("Bank transaction code", _write("code")),
    "batch": ("Batch", _write("batch")),
    "original_minor": ("Instructed amount", _write_original),
    "charges_minor": ("Charges", _write_charges),
    "is_reversal": ("Reversal", lambda entry: "yes" if entry.is_reversal else ""),
}
"""Fields of an entry in the order in which they are shown, what they are called and how written."""
