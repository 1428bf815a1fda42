"""Reason codes of a decision as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from hansa.kernel.errors import HansaError
from hansa.node.console.risk.values import say, write_value
from hansa.node.console.risk.words import LISTS, REASONS
from hansa.node.console.text.formatting import Format
from hansa.node.risk.format import KeptPayment
from hansa.node.risk.loading import decode_basis
from hansa.risk.intake.describing import CATALOGUE
from hansa.risk.packing import unpack
from hansa.risk.rules.book import RULES_BYTES_MAX, Rule, RuleBook
from hansa.shapes import Unread, read_toml

VALUES_SHOWN = 4
"""Payments of one transaction of which a feature is told."""

_FEATURES = {feature.name: place for place, feature in enumerate(CATALOGUE)}


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of a decision."""

    code: str
    sentence: str
    values: tuple[str, ...] = ()
    """Of a feature: its value in each of the payments."""
    conditions: tuple[str, ...] = ()
    """Of a rule: what it asks for."""


def read_book(raw: bytes | None) -> Mapping[str, Rule]:
    """Read the rules of a policy that was kept, by their names; none where it cannot be read."""
    if raw is None:
        return {}
    try:
        return read_rules(decode_basis(raw).rules)
    except (HansaError, msgspec.MsgspecError):
        return {}


def read_rules(raw: bytes) -> Mapping[str, Rule]:
    """Read a rule file for what stands in it beside the conditions; none where it is none."""
    try:
        book = read_toml(raw, RuleBook, bytes_max=RULES_BYTES_MAX, find_faults=lambda _: ())
    except Unread:
        return {}
    return {rule.name: rule for rule in book.rules}


def explain_reasons(
    codes: Sequence[str],
    rules: Mapping[str, Rule],
    payments: Sequence[KeptPayment],
    formats: Format,
) -> list[Reason]:
    """Explain reason codes, in their order."""
    return [_explain(code, rules, payments, formats) for code in codes]


def tell_reason(code: str, rules: Mapping[str, Rule]) -> str:
    """Tell a reason in a sentence, of whichever payment."""
    return _explain(code, rules, (), None).sentence


def _explain(
    code: str,
    rules: Mapping[str, Rule],
    payments: Sequence[KeptPayment],
    formats: Format | None,
) -> Reason:
    if code in REASONS:
        return Reason(code, REASONS[code])
    kind, _, name = code.partition(".")
    if kind == "list":
        return Reason(code, LISTS.get(name, f"A list says: {name}."))
    if kind == "rule":
        return _explain_rule(code, name, rules)
    place = _FEATURES.get(name) if kind == "feature" else None
    if place is None:
        return Reason(code, f"A reason that this program does not know: {code}.")
    feature = CATALOGUE[place]
    rows = [(unpack(each.row).tolist(), each.asset) for each in payments]
    known = [(row, asset) for row, asset in rows if len(row) == len(CATALOGUE)][:VALUES_SHOWN]
    values = [
        write_value(feature, row[place], asset, formats)
        for row, asset in known
        if formats is not None
    ]
    says = say(feature).removesuffix(".")
    return Reason(code, f"By the model: {says[:1].lower()}{says[1:]}", tuple(values))


def _explain_rule(code: str, name: str, rules: Mapping[str, Rule]) -> Reason:
    rule = rules.get(name)
    if rule is None:
        return Reason(code, f"The rule {name} fired.")
    note = " ".join(rule.note.split())
    asked = (*rule.all, *([" or ".join(rule.any)] if rule.any else []))
    return Reason(code, note or f"The rule {name} fired.", (), asked)
