"""Rule files read: whole and sound, or refused with what is wrong and where."""

from __future__ import annotations

from collections.abc import Iterator

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.rules.book import (
    FORMS,
    Measured,
    Net,
    NetZero,
    RuleBook,
    Score,
)
from hansa.reconcile.rules.pairs import find_pair_faults
from hansa.reconcile.rules.scores import find_score_faults
from hansa.shapes import Unread, read_toml

RULES_BYTES_MAX = 1 << 18


def load_rules(raw: bytes, name: str) -> RuleBook:
    """Load a rule file.

    Args:
      raw: its content, TOML.
      name: what it is called in errors.

    Raises:
      Invalid: it is no TOML, has an unknown key, or a value cannot be.
    """
    try:
        return read_toml(
            raw, RuleBook, bytes_max=RULES_BYTES_MAX, forms=FORMS, find_faults=_find_faults
        )
    except Unread as error:
        raise Invalid(InvalidCode.MALFORMED, f"{name}: {error}") from None


def _find_faults(book: RuleBook) -> Iterator[str]:
    """Find what is wrong beyond single values."""
    for what, names in (
        ("sides", [each.name for each in book.sides]),
        ("passes", [each.name for each in book.passes]),
    ):
        twice = sorted({each for each in names if names.count(each) > 1})
        if twice:
            yield f"{what}: the name {twice[0]!r} stands there twice"
    yield from find_pair_faults(book)
    if book.sides[0].sign != 1:
        yield "sides[0].sign: the first side is what the others are held against; it must be 1"
    if len(set(book.calendar.weekend)) == 7:  # noqa: PLR2004 - the days of a week
        yield "calendar.weekend: at least one day must be a business day"
    ageing = book.breaks.ageing_days
    if list(ageing) != sorted(set(ageing)):
        yield "breaks.ageing_days: must rise"
    for number, each in enumerate(book.passes):
        at = f"passes[{number}] ({each.name})"
        if len(set(each.on)) < len(each.on):
            yield f"{at}.on: names a field twice"
        if isinstance(each, Net):
            yield from _find_net_faults(each, at)
            continue
        if "amount_minor" in each.on and not isinstance(each, Score):
            yield f"{at}.on: amounts are compared within the pass's own bounds, leave them out"
        yield from _find_currency_faults(book, each, at)
        if isinstance(each, NetZero):
            yield from _find_net_zero_faults(each, at)
        if isinstance(each, Score):
            yield from find_score_faults(each, at)


def _find_net_faults(asked: Net, at: str) -> Iterator[str]:
    """Find what a net pass must compare and does not: it has no bounds of its own."""
    missing = [each for each in ("currency", "amount_minor") if each not in asked.on]
    if missing:
        yield (
            f"{at}.on: must name {' and '.join(missing)}, or entries would match whatever they "
            "amount to; what is alike in other fields is for a pass with bounds, as net_zero"
        )


def _find_net_zero_faults(asked: NetZero, at: str) -> Iterator[str]:
    if asked.by != "amount":
        if asked.entries_max is not None:
            yield f"{at}.entries_max: bounds the sets that are searched by amount, not by a key"
        return
    # What a set may differ by must be known before there is one.
    if asked.amount_ppm:
        yield f"{at}.amount_ppm: sets are searched within amount_minor alone"
    if asked.charges:
        yield f"{at}.charges: sets are searched within amount_minor alone"


def _find_currency_faults(book: RuleBook, bounds: Measured, at: str) -> Iterator[str]:
    if bounds.converted and book.rates is None:
        yield f"{at}.converted: there is no [rates] table to convert by"
    if bounds.converted and "currency" in bounds.on:
        yield f"{at}.on: amounts of other currencies are to be compared, so leave currency out"
    if not bounds.converted and "currency" not in bounds.on:
        yield f"{at}.on: must name currency, or amounts of several would be compared as if equal"
