"""Pairs of sides: which of several are reconciled with each other, and each pair's own rules.

Source: docs/reference/reconciliation-rules.md, "Pairs".
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from hansa.reconcile.rules.book import RuleBook, Side, SidePair


def find_pair_faults(book: RuleBook) -> Iterator[str]:
    """Find what is wrong with the pairs of a rule file."""
    sides, passes = ({each.name for each in of} for of in (book.sides, book.passes))
    seen: set[frozenset[str]] = set()
    for number, each in enumerate(book.pairs):
        at, both = f"pairs[{number}]", frozenset((each.left, each.right))
        yield from (f"{at}: there is no side {name!r}" for name in sorted(both - sides))
        if each.left == each.right:
            yield f"{at}: a side is not reconciled with itself"
        if both in seen:
            yield f"{at}: {each.left} and {each.right} are a pair already"
        seen.add(both)
        yield from (
            f"{at}.passes: there is no pass {name!r}" for name in sorted({*each.passes} - passes)
        )
    if book.pairs and len(book.sides) == 2:  # noqa: PLR2004 - a pair
        yield "pairs: two sides are a pair already"
    alone = sorted(sides.difference(*seen)) if seen else []
    yield from (f"pairs: the side {name!r} is in none" for name in alone)


def list_pairs(book: RuleBook) -> list[RuleBook]:
    """List the pairs of a rule file: for each the rules of its two sides.

    A sign says how a side stands to the first one of the file; of a pair, the left one's is 1.
    """
    sides = {each.name: each for each in book.sides}
    first, *others = book.sides
    pairs = book.pairs or [SidePair(left=first.name, right=each.name) for each in others]
    return [_narrow(book, each, sides[each.left], sides[each.right]) for each in pairs]


def _narrow(book: RuleBook, pair: SidePair, left: Side, right: Side) -> RuleBook:
    turned = replace(right, sign=1 if left.sign == right.sign else -1)
    taken = tuple(each for each in book.passes if not pair.passes or each.name in pair.passes)
    return replace(book, sides=(replace(left, sign=1), turned), pairs=(), passes=taken)
