"""The rules of a policy, with what each would have done of late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hansa.node.risk.loading import Loaded
from hansa.node.risk.trying import Tried
from hansa.risk.rules.backtest import Tried as TriedRule
from hansa.risk.rules.book import Rule
from hansa.risk.verdicts import Verdict

RULES_PER_PAGE = 25


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule."""

    name: str
    verdict: Verdict
    is_trial: bool
    note: str
    all: tuple[str, ...]
    any: tuple[str, ...]
    tried: TriedRule


def list_rules(loaded: Loaded, book: Mapping[str, Rule], tried: Tried) -> list[RuleLine]:
    """List all rules in the order of the file."""
    outcomes = {each.name: each for each in tried.outcome.rules}
    lines = []
    for rule in loaded.rules:
        written, outcome = book.get(rule.name), outcomes.get(rule.name)
        if written is not None and outcome is not None:
            note = " ".join(written.note.split())
            lines.append(
                RuleLine(
                    rule.name,
                    rule.verdict,
                    rule.is_trial,
                    note,
                    written.all,
                    written.any,
                    outcome,
                )
            )
    return lines
