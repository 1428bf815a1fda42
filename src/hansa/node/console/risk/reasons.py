"""Reason codes of a decision as sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from hansa.kernel.errors import HansaError
from hansa.node.console.risk.values import say, write_value
from hansa.node.console.risk.words import LISTS, REASONS
from hansa.node.console.text.formatting import Format
from hansa.node.risk.clerk.format import KeptPayment
from hansa.node.risk.loading import decode_basis
from hansa.risk.catalogue import Feature, find_columns
from hansa.risk.intake.describing import CATALOGUE
from hansa.risk.packing import unpack
from hansa.risk.rules.book import RULES_BYTES_MAX, Rule, RuleBook
from hansa.shapes import Unread, read_toml

VALUES_SHOWN = 4
"""Payments of one transaction of which a feature is told."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FEATURES = {feature.name: feature for feature in CATALOGUE}


class _Known(NamedTuple):
    """What is known of the payments that reasons are of."""

    features: Mapping[str, Feature]
    """By which they were described, by their names."""
    write: Callable[[str], list[str]]
    """Writes the values of one of them."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of a decision."""

    code: str
    sentence: str
    values: tuple[str, ...] = ()
    """Of a feature: its value in each of the payments."""
    conditions: tuple[str, ...] = ()
    """Of a rule: what it asks for, and the values of what it asks about."""


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
    catalogue: Sequence[Feature],
    formats: Format,
) -> list[Reason]:
    """Explain reason codes, in their order.

    Args:
      codes: of a decision.
      rules: of its policy, by their names.
      payments: that it is on.
      catalogue: the features by which they were described; none where they are lost, and then no
        values are told.
      formats: of the network.
    """
    rows = [(unpack(each.row).tolist(), each.asset) for each in payments]
    read = [(row, asset) for row, asset in rows if row and len(row) == len(catalogue)]
    places = find_columns(catalogue)

    def write(name: str) -> list[str]:
        place = places.get(name)
        if place is None:
            return []
        return [
            write_value(catalogue[place], row[place], asset, formats)
            for row, asset in read[:VALUES_SHOWN]
        ]

    features = {feature.name: feature for feature in catalogue} or _FEATURES
    return [_explain(code, rules, _Known(features, write)) for code in codes]


def tell_reason(code: str, rules: Mapping[str, Rule]) -> str:
    """Tell a reason in a sentence, of whichever payment."""
    return _explain(code, rules, _Known(_FEATURES, lambda _: [])).sentence


def _explain(code: str, rules: Mapping[str, Rule], known: _Known) -> Reason:
    if code in REASONS:
        return Reason(code, REASONS[code])
    kind, _, name = code.partition(".")
    if kind == "list":
        return Reason(code, LISTS.get(name, f"A list says: {name}."))
    if kind == "rule":
        return _explain_rule(code, name, rules, known)
    feature = known.features.get(name) if kind == "feature" else None
    if feature is None:
        return Reason(code, f"A reason that this program does not know: {code}.")
    says = say(feature).removesuffix(".")
    return Reason(code, f"By the model: {says[:1].lower()}{says[1:]}", tuple(known.write(name)))


def _explain_rule(code: str, name: str, rules: Mapping[str, Rule], known: _Known) -> Reason:
    rule = rules.get(name)
    if rule is None:
        return Reason(code, f"The rule {name} fired.")
    note = " ".join(rule.note.split())
    asked = (*rule.all, *([" or ".join(rule.any)] if rule.any else []))
    told = tuple(each + _tell_values(each, known) for each in asked)
    return Reason(code, note or f"The rule {name} fired.", (), told)


def _tell_values(condition: str, known: _Known) -> str:
    """Tell what the features that a condition asks about were."""
    named = dict.fromkeys(word for word in _NAME.findall(condition) if word in known.features)
    values = [", ".join(known.write(word)) for word in named]
    if len(named) == 1:
        return f" (it was {values[0]})" if values[0] else ""
    told = [f"{word} was {value}" for word, value in zip(named, values, strict=True) if value]
    return f" ({'; '.join(told)})" if told else ""
