"""Rule files: what may stand in one, and whether it is sound.

Source: docs/reference/risk-rules.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.rules.conditions import Condition, Unsound, parse_condition
from hansa.risk.verdicts import Verdict
from hansa.shapes import Unread, read_toml

RULES_BYTES_MAX = 1 << 20
RULES_MAX = 1_000
CONDITIONS_MAX = 32

Name = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]{0,47}\Z")]
_FORMS = {r"\A[a-z][a-z0-9_]{0,47}\Z": "1 to 48 of the characters a-z 0-9 _, a letter first"}
Conditions = Annotated[tuple[str, ...], Meta(max_length=CONDITIONS_MAX)]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule: where all of `all` hold, and one of `any` if there are any, it fires."""

    name: Name
    """The reason code by which a decision names it."""
    verdict: Literal["allow", "step_up", "review", "block"]
    all: Conditions = ()
    any: Conditions = ()
    is_trial: bool = False
    """It is told where it fires, and decides nothing."""
    note: str = ""
    """Why there is such a rule, for whoever reads it."""


class RuleBook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule file."""

    name: Name
    rules: Annotated[tuple[Rule, ...], Meta(max_length=RULES_MAX)] = ()


class ReadRule(msgspec.Struct, frozen=True):
    """A rule whose conditions are read."""

    name: str
    verdict: Verdict
    all: tuple[Condition, ...]
    any: tuple[Condition, ...]
    is_trial: bool


def load_rules(raw: bytes, name: str, features: Sequence[str]) -> tuple[ReadRule, ...]:
    """Load a rule file, for rows of these features.

    Args:
      raw: its content, TOML.
      name: what it is called in errors.
      features: names of what a row holds, in its order.

    Raises:
      Invalid: it is no TOML, has an unknown key or value, or a condition that is none.
    """
    places = {feature: place for place, feature in enumerate(features)}
    try:
        book = read_toml(
            raw,
            RuleBook,
            bytes_max=RULES_BYTES_MAX,
            forms=_FORMS,
            find_faults=lambda book: _find_faults(book, places),
        )
    except Unread as error:
        raise Invalid(InvalidCode.MALFORMED, f"{name}: {error}") from None
    return tuple(
        ReadRule(
            rule.name,
            Verdict[rule.verdict.upper()],
            tuple(parse_condition(each, places) for each in rule.all),
            tuple(parse_condition(each, places) for each in rule.any),
            rule.is_trial,
        )
        for rule in book.rules
    )


def _find_faults(book: RuleBook, places: dict[str, int]) -> Iterator[str]:
    """Find what is wrong beyond single values."""
    names: set[str] = set()
    for number, rule in enumerate(book.rules):
        at = f"rules[{number}] ({rule.name})"
        if rule.name in names:
            yield f"{at}.name: another rule has it"
        names.add(rule.name)
        if not rule.all and not rule.any:
            yield f"{at}: has no condition, so it would fire at every payment"
        for kind, conditions in (("all", rule.all), ("any", rule.any)):
            for place, text in enumerate(conditions):
                try:
                    parse_condition(text, places)
                except Unsound as error:
                    yield f"{at}.{kind}[{place}]: {text!r} {error}"
