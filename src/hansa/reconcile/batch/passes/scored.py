"""The pass over what no rule matched: pairs by evidence that is learnt, each with its reasons.

What is compared comes from prepared entries; amounts and days are measured as other passes do. Who
has no date is in no pair, and a text that is empty is evidence of nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, get_args

import numpy as np
import pyarrow.compute as pc

from hansa.reconcile.batch.passes.bounds import Measured, Measuring, tell_days
from hansa.reconcile.batch.passes.found import Found, Match, OpenGroup
from hansa.reconcile.batch.passes.one_to_one import REASONS
from hansa.reconcile.batch.preparing import name_key
from hansa.reconcile.batch.rest import NO_DAY, Rest, RestSide
from hansa.reconcile.currencies import write_amount
from hansa.reconcile.matching.arrays import Ints
from hansa.reconcile.matching.assignment import Group
from hansa.reconcile.matching.comparisons import MISSING, Comparison, Table
from hansa.reconcile.matching.comparisons import Measure as Measurement
from hansa.reconcile.matching.linking import (
    Block,
    Evidence,
    Key,
    LinkRules,
    Links,
    Reasons,
    lay_blocks,
    link,
)
from hansa.reconcile.matching.tolerance import Tolerance
from hansa.reconcile.rules.book import ComparedText, Score
from hansa.reconcile.rules.scores import get_levels, get_measure

AMOUNT, DAY = "amount_minor", "date"
LETTERS_MAX: Final = 500
"""Of a text that are compared."""
_TEXTS = get_args(ComparedText)
_ON, _CONTENT = "on", "content"
_PPM_DIGITS = 4
"""Decimal places of a percentage that counts millionths."""


def match_scored(rest: Rest, asked: Score, measuring: Measuring) -> Found:
    """Match pairs whose evidence is enough, and which are in every best assignment."""
    left, right = (measuring.measure(side, asked) for side in (rest.left, rest.right))
    blocks = rest.number(asked.on)
    links = link(
        _lay_out(rest.left, left, blocks[0], asked),
        _lay_out(rest.right, right, blocks[1], asked),
        make_rules(asked),
    )
    groups = [_open(left, right, group) for group in (*links.groups, *links.crowded)]
    if links.scorer is None:
        return Found([], groups)
    told = zip(
        left.places[links.left].tolist(),
        right.places[links.right].tolist(),
        links.scorer.explain(links.left, links.right),
        _tell_others(links),
        strict=True,
    )
    matches = []
    for place, other_place, reasons, others in told:
        currency = measuring.tell_in(asked) or rest.left.read_currency(place)
        reason = f"{tell_reasons(reasons, asked, currency)}; {others}"
        matches.append(Match((place,), (other_place,), reason))
    return Found(matches, groups)


def make_rules(asked: Score) -> LinkRules:
    """Make what linking is told out of what a rule file says."""
    comparisons = tuple(
        Comparison(
            f"{each.field} {get_measure(each)}",
            each.field,
            Measurement.DIFFERENCE if each.field == DAY and get_measure(each) == "days"
            else Measurement(get_measure(each)),
            get_levels(each),
        )
        for each in asked.compare
    )  # fmt: skip
    on = (Key(_ON),)
    days = asked.days_before, asked.days_after
    blocks = tuple(
        Block(
            (*on, *(Key(each.field, each.letters) for each in block.share)),
            Tolerance(block.amount_minor, block.amount_ppm, *days),
            tuple(each.name for each in comparisons if each.column in block.teaches),
        )
        for block in asked.blocks
    )
    return LinkRules(
        AMOUNT,
        DAY,
        comparisons,
        blocks or lay_blocks(comparisons, on, days),
        apart=(_CONTENT,),
        threshold_millibits=asked.threshold_millibits,
    )


def _lay_out(side: RestSide, measured: Measured, blocks: Ints, asked: Score) -> Table:
    """Lay out what is compared of the entries that are measured."""
    places = measured.places
    names = {each.field for each in asked.compare}
    names |= {each.field for block in asked.blocks for each in block.share}
    texts: dict[str, list[str]] = {}
    for name in names.intersection(_TEXTS):
        column = side.entries.column(name if name == "text" else name_key(name)).take(places)
        texts[name] = pc.utf8_slice_codeunits(column, 0, LETTERS_MAX).to_pylist()
    days = np.where(measured.days == NO_DAY, MISSING, measured.days)
    numbers = {
        AMOUNT: measured.amounts,
        DAY: days,
        _ON: blocks[places],
        _CONTENT: side.classes[places],
    }
    return Table(numbers, texts)


def _open(left: Measured, right: Measured, group: Group) -> OpenGroup:
    return OpenGroup(
        tuple(left.places[list(group.left)].tolist()),
        tuple(right.places[list(group.right)].tolist()),
        REASONS[group.reason],
    )


def _tell_others(links: Links) -> Iterator[str]:
    """Tell of each match how much better it is than the next best of either entry."""
    columns = links.score.tolist(), links.other_left.tolist(), links.other_right.tolist()
    for score, *others in zip(*columns, strict=True):
        best = max(others)
        if best:
            yield f"the next best has {_write_bits(score - best)} bits less"
        else:
            yield "no other has enough"


def tell_reasons(reasons: Reasons, asked: Score, currency: str) -> str:
    """Tell why two entries match: what is known of them, and how many bits that is worth."""
    bits = reasons.score + reasons.threshold_millibits
    told = [
        f"{_tell_evidence(each, get_measure(compared), currency)} "
        f"({_write_bits(each.weight_millibits, '+')})"
        for each, compared in zip(reasons.evidence, asked.compare, strict=True)
        if each.measured is not None
    ]
    told.append(f"before comparing ({_write_bits(reasons.prior_millibits, '+')})")
    head = f"{_write_bits(bits)} bits, {_write_bits(reasons.threshold_millibits)} are asked"
    return f"{head}: {', '.join(told)}"


def _tell_evidence(evidence: Evidence, measure: str, currency: str) -> str:
    measured = evidence.measured or 0
    what = "amount" if evidence.column == AMOUNT else evidence.column.replace("_", " ")
    match measure:
        case "days":
            return tell_days(0, measured)
        case "ppm":
            whole, part = divmod(measured, 10**_PPM_DIGITS)
            percent = f"{whole}.{part:0{_PPM_DIGITS}}".rstrip("0").rstrip(".")
            return f"{what} {percent} % apart" if measured else f"the same {what}"
        case "difference":
            return f"{write_amount(measured, currency)} apart" if measured else f"the same {what}"
        case "equal":
            return f"the same {what}" if measured else f"another {what}"
        case "letters":
            return f"{what} alike in {measured // 10} % of letters"
    part = "beginning" if measure == "beginning" else "word"
    if measured:
        return f"{what} with a {part} that one in {1 << measured} has"
    return f"{what} with no rare {part} in common"


def _write_bits(millibits: int, sign: str = "") -> str:
    return f"{millibits / 1_000:{sign}.1f}"
