"""The residue: entries that no rule matched, linked by what agreeing on a thing is worth.

1. Blocks propose candidates: entries that share keys and are within wide tolerances.
2. `learning` weighs agreement without knowing any true pair.
3. A candidate's score is the sum of its weights and of the prior, less the threshold: thousandths
   of a bit of the odds that it is a true pair. `assignment` picks pairs whose scores together are
   the highest, where that is unambiguous.
4. Weights are learnt again from the pairs that were picked, until the same ones are picked. This
   does not depend on the threshold, which only tells which of the last pairs are told.

Entries equal in all compared columns, and in those that `LinkRules.apart` adds, are
interchangeable. Scores are whole numbers, and neither
they nor what is picked depend on the order of rows.

Source: as `learning`; M. A. Jaro, "Advances in record-linkage methodology as applied to matching
the 1985 census of Tampa, Florida", JASA 84 (1989), on assignment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.matching.arrays import Bools, Ints, find_starts
from hansa.reconcile.matching.assignment import Assignment, Group, Limits, Reason, assign
from hansa.reconcile.matching.comparisons import MISSING, ON_TEXT, Columns, Comparison, Table
from hansa.reconcile.matching.learning import (
    GRAIN_RANDOM,
    GRAIN_TRUE,
    Levels,
    Rates,
    count_patterns,
    draw_pairs,
    estimate_rates,
    learn_rates,
    weigh,
    weigh_prior,
)
from hansa.reconcile.matching.text import group_beginnings
from hansa.reconcile.matching.tolerance import Side, Tolerance, find_candidates

CHUNK: Final = 1 << 17
"""Pairs that are compared at once."""
LEARNING_MILLIBITS: Final = -6_000
"""Odds of 1 to 64, from which pairs are learnt from, whatever the threshold is: true pairs that
agree badly must be among them, or bad levels would be taken for worse than they are."""


class Key(NamedTuple):
    """What entries of a block share."""

    column: str
    letters: int = 0
    """How many first letters of a text; 0 is all. Numbers are shared whole."""


class Block(NamedTuple):
    """A way to propose candidates; what any block proposes is compared."""

    keys: tuple[Key, ...]
    """All must be shared; who has none of a key is in no block. Without keys all is one block."""
    tolerance: Tolerance
    learns: tuple[str, ...]
    """Names of comparisons to learn from its candidates: those of which the block says little,
    neither by its keys nor by a tolerance that only true pairs are within."""


LETTERS_FIRST: Final = 3
PPM_APART: Final = 300_000
PPM_NEAR: Final = 15_000


def lay_blocks(
    comparisons: Sequence[Comparison], on: tuple[Key, ...], days: tuple[int, int]
) -> tuple[Block, ...]:
    """Lay blocks for rules that name none.

    One for each text that is compared: those that begin with the same three letters, amounts up to
    30 % apart; what is not of this text is learnt there. And one of amounts up to 1.5 % apart,
    whatever the texts; what is of texts is learnt there. `on` is shared in all of them; the
    right day is at most `days[0]` before the left one and `days[1]` after.
    """
    texts = sorted({each.column for each in comparisons if each.measure in ON_TEXT})
    blocks = [
        Block(
            (*on, Key(text, LETTERS_FIRST)),
            Tolerance(0, PPM_APART, *days),
            tuple(each.name for each in comparisons if each.column != text),
        )
        for text in texts
    ]
    of_texts = tuple(each.name for each in comparisons if not texts or each.column in texts)
    return (*blocks, Block(on, Tolerance(0, PPM_NEAR, *days), of_texts))


class LinkRules(NamedTuple):
    """What to compare, and how; a rule file fills it in."""

    amount: str
    """Column of the amount, and that of the day, to which tolerances apply."""
    day: str
    comparisons: tuple[Comparison, ...]
    blocks: tuple[Block, ...]
    apart: tuple[str, ...] = ()
    """Columns of numbers by which entries are told apart that are alike in all that is compared."""
    threshold_millibits: int = 0
    """Odds of a true pair above which two entries may be linked; 0 is even, 1,000 twice that."""
    random_pairs: int = 1_000_000
    rounds_max: int = 8
    """Times that weights are learnt again from what was picked."""
    block_pairs_max: int = 10_000_000
    pairs_max: int = 100_000_000
    """That one `Block` may look at; both as of `find_candidates`."""
    limits: Limits = Limits()


class Level(NamedTuple):
    """A level of a comparison and what was learnt of it."""

    comparison: str
    upto: int | None
    """Its bound; None of the one above all bounds."""
    weight_millibits: int


class Evidence(NamedTuple):
    """What one comparison says of two entries."""

    comparison: str
    column: str
    measured: int | None
    """None where either has nothing."""
    weight_millibits: int


class Reasons(NamedTuple):
    """Why two entries have their score."""

    evidence: tuple[Evidence, ...]
    prior_millibits: int
    threshold_millibits: int
    score: int
    """Of the evidence, plus the prior, less the threshold."""


class Links(NamedTuple):
    """What was linked; indexes are rows of the caller's tables, pairs by left row."""

    left: Ints
    right: Ints
    score: Ints
    other_left: Ints
    """The next best score of each left row, 0 if there is none; and of each right row."""
    other_right: Ints
    groups: tuple[Group, ...]
    levels: tuple[Level, ...]
    candidates: int
    crowded: tuple[Group, ...]
    """Blocks left out as they have more pairs than allowed, with all their entries."""
    scorer: Scorer | None
    """Explains scores; None if a side is empty."""


class Scorer:
    """Weights that were learnt, on the entries that they were learnt from."""

    def __init__(self, columns: Columns, rules: LinkRules) -> None:
        self._columns = columns
        self._rules = rules
        self._random = self._rate_random()
        self.weights: list[tuple[int, ...]] = []
        """Of each comparison's levels, in millibits."""
        self.prior = 0
        self.row_of = [np.argsort(order) for order in columns.order]
        """Canonical row of each of the caller's, of both sides."""

    def _rate_random(self) -> list[Rates]:
        pairs = _list_pairs(*self._columns.sizes, self._rules.random_pairs)
        ones = np.ones(pairs[0].size, np.int64)
        levels = compare(self._columns, self._rules.comparisons, pairs)
        return [
            estimate_rates(comparison, column, ones, GRAIN_RANDOM)
            for comparison, column in zip(self._rules.comparisons, levels, strict=True)
        ]

    def learn(self, levels: Sequence[Levels], proposed: Sequence[Bools]) -> None:
        """Learn from candidates of each block; of several blocks the mean, by true pairs."""
        learnt: dict[str, list[tuple[Rates, float]]] = {}
        for block, which in zip(self._rules.blocks, proposed, strict=True):
            places = [
                place
                for place, each in enumerate(self._rules.comparisons)
                if each.name in block.learns
            ]
            if not places or not which.any():
                continue
            comparisons = [self._rules.comparisons[place] for place in places]
            patterns = count_patterns(comparisons, [levels[place][which] for place in places])
            random = [self._random[place] for place in places]
            rates, expected = learn_rates(comparisons, patterns, random)
            for comparison, each in zip(comparisons, rates, strict=True):
                learnt.setdefault(comparison.name, []).append((each, expected))
        true = []
        for comparison, random_rates in zip(self._rules.comparisons, self._random, strict=True):
            found = learnt.get(comparison.name)
            if found is None:
                true.append(random_rates)
                continue
            total = sum(expected for _, expected in found)
            mean = np.zeros(random_rates.size)
            for each, expected in found:
                mean += each * (expected / total if total else 1 / len(found))
            true.append(mean)
        self._weigh(true, min(self._columns.sizes))

    def learn_again(self, levels: Sequence[Levels], picked: Ints) -> None:
        """Learn from the candidates that were picked."""
        ones = np.ones(picked.size, np.int64)
        true = [
            estimate_rates(comparison, column[picked], ones, GRAIN_TRUE)
            for comparison, column in zip(self._rules.comparisons, levels, strict=True)
        ]
        self._weigh(true, picked.size)

    def _weigh(self, true: Sequence[Rates], pairs: int) -> None:
        self.weights = [weigh(*rates) for rates in zip(true, self._random, strict=True)]
        self.prior = weigh_prior(pairs, *self._columns.sizes)

    def score(self, levels: Sequence[Levels]) -> Ints:
        """Compute the odds of being true pairs, in millibits."""
        score = np.full(levels[0].size, self.prior)
        for weights, column in zip(self.weights, levels, strict=True):
            score += np.array(weights, np.int64)[column]
        return score

    def explain(self, left: Ints, right: Ints) -> Iterator[Reasons]:
        """Explain the scores of pairs of rows of the caller's tables."""
        pairs = self.row_of[0][left], self.row_of[1][right]
        told = []
        for comparison, weights in zip(self._rules.comparisons, self.weights, strict=True):
            measured = self._columns.measure(comparison, *pairs).tolist()
            levels = self._columns.find_levels(comparison, *pairs).tolist()
            told.append(
                [
                    Evidence(comparison.name, comparison.column, said, weights[level])
                    for said, level in zip(_say(measured), levels, strict=True)
                ]
            )
        threshold = self._rules.threshold_millibits
        for evidence in zip(*told, strict=True):
            score = self.prior - threshold + sum(each.weight_millibits for each in evidence)
            yield Reasons(evidence, self.prior, threshold, score)

    def list_levels(self) -> tuple[Level, ...]:
        """List what was learnt, for people."""
        return tuple(
            Level(comparison.name, upto, weight)
            for comparison, weights in zip(self._rules.comparisons, self.weights, strict=True)
            for upto, weight in zip((*comparison.bounds, None), weights[:-1], strict=True)
        )


def _say(measured: Sequence[int]) -> Iterator[int | None]:
    return (None if each == MISSING else each for each in measured)


def _list_pairs(rows_left: int, rows_right: int, number: int) -> tuple[Ints, Ints]:
    """List all pairs, or draw so many where there are more."""
    if rows_left * rows_right > number:
        return draw_pairs(rows_left, rows_right, number)
    left, right = np.divmod(np.arange(rows_left * rows_right), rows_right)
    return left, right


def link(left: Table, right: Table, rules: LinkRules) -> Links:
    """Link the entries of two sides, one to one.

    O(n log n) for n rows, and O(c log c) per round for c candidates; a few bytes per candidate and
    comparison are held.

    Raises:
      Invalid: `ARGUMENTS`, of columns or rules that do not fit; `AMOUNT`, of a number beyond 2^53.
    """
    columns = _check(left, right, rules)
    if not all(columns.sizes):
        empty = np.zeros(0, np.int64)
        return Links(empty, empty, empty, empty, empty, (), (), 0, (), None)
    scorer = Scorer(columns, rules)
    pairs, proposed, crowded = _propose(columns, rules)
    levels = compare(columns, rules.comparisons, pairs)
    scorer.learn(levels, proposed)
    picked = np.zeros(0, np.int64)
    learning = rules._replace(threshold_millibits=LEARNING_MILLIBITS)
    for _ in range(rules.rounds_max):
        assignment = _assign(columns, scorer, pairs, levels, learning)
        was, picked = picked, _find_places(columns, pairs, assignment)
        if np.array_equal(was, picked):
            break
        scorer.learn_again(levels, picked)
    assignment = _assign(columns, scorer, pairs, levels, rules)
    return _tell(columns, scorer, assignment, pairs[0].size, crowded)


def _check(left: Table, right: Table, rules: LinkRules) -> Columns:
    names = [
        rules.amount,
        rules.day,
        *(comparison.column for comparison in rules.comparisons),
        *(key.column for block in rules.blocks for key in block.keys),
        *rules.apart,
    ]
    columns = Columns(left, right, names)
    for comparison in rules.comparisons:
        columns.check(comparison)
    known = {comparison.name for comparison in rules.comparisons}
    learnt = {name for block in rules.blocks for name in block.learns}
    if len(known) < len(rules.comparisons) or learnt != known:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            "comparisons have different names, and each is learnt in some block",
            names=", ".join(sorted(known ^ learnt)),
        )
    return columns


def compare(
    columns: Columns, comparisons: Sequence[Comparison], pairs: tuple[Ints, Ints]
) -> list[Levels]:
    """Find the levels of all pairs in all comparisons; `CHUNK` pairs at a time."""
    levels: list[Levels] = [np.zeros(pairs[0].size, np.int8) for _ in comparisons]
    for start in range(0, pairs[0].size, CHUNK):
        part = slice(start, start + CHUNK)
        for comparison, column in zip(comparisons, levels, strict=True):
            column[part] = columns.find_levels(comparison, pairs[0][part], pairs[1][part])
    return levels


def _propose(
    columns: Columns, rules: LinkRules
) -> tuple[tuple[Ints, Ints], list[Bools], list[Group]]:
    """Propose candidates, by left, then right row; which each block proposes; crowded blocks."""
    codes = []
    crowded: list[Group] = []
    width = columns.sizes[1]
    for block in rules.blocks:
        keys = _number_blocks(columns, block)
        kept = []
        sides = []
        for side, key in enumerate(keys):
            amount, day = columns.get(rules.amount, side), columns.get(rules.day, side)
            rows = np.flatnonzero((key >= 0) & (amount != MISSING) & (day != MISSING))
            kept.append(rows)
            sides.append(Side(key[rows], amount[rows], day[rows]))
        found = find_candidates(
            sides[0],
            sides[1],
            block.tolerance,
            block_pairs_max=rules.block_pairs_max,
            pairs_max=rules.pairs_max,
        )
        for number in found.crowded.tolist():
            ours, theirs = (
                tuple(rows[key[rows] == number].tolist())
                for rows, key in zip(kept, keys, strict=True)
            )
            crowded.append(Group(Reason.UNDECIDED, ours, theirs))
        codes.append(kept[0][found.left] * width + kept[1][found.right])
    code = np.sort(np.concatenate(codes))
    code = code[find_starts(code)]  # NumPy's own way to leave out copies takes ten times as long
    proposed = []
    for each in codes:
        which = np.zeros(code.size, np.bool_)
        which[np.searchsorted(code, each)] = True
        proposed.append(which)
    left, right = np.divmod(code, width)
    return (left, right), proposed, crowded


def _number_blocks(columns: Columns, block: Block) -> tuple[Ints, Ints]:
    """Number the blocks that rows are in, of both sides; -1 of rows in none."""
    sizes = columns.sizes
    number = np.zeros(sum(sizes), np.int64)
    for key in block.keys:
        if key.column in columns.texts:
            sides = group_beginnings(columns.texts[key.column], key.letters)
        else:
            sides = columns.numbers[key.column]
        part = np.concatenate(
            [side[order] for side, order in zip(sides, columns.order, strict=True)]
        )
        is_out = (number < 0) | (part == MISSING) | (part == -1)
        part = np.unique(part, return_inverse=True)[1]
        number = np.unique(number * (part.max(initial=0) + 1) + part, return_inverse=True)[1]
        number[is_out] = -1
    return number[: sizes[0]], number[sizes[0] :]


def _assign(
    columns: Columns,
    scorer: Scorer,
    pairs: tuple[Ints, Ints],
    levels: Sequence[Levels],
    rules: LinkRules,
) -> Assignment:
    score = scorer.score(levels) - rules.threshold_millibits
    enough = score > 0
    return assign(pairs[0][enough], pairs[1][enough], score[enough], columns.classes, rules.limits)


def _find_places(columns: Columns, pairs: tuple[Ints, Ints], assignment: Assignment) -> Ints:
    width = columns.sizes[1]
    code = pairs[0] * width + pairs[1]
    return np.searchsorted(code, assignment.left * width + assignment.right).astype(np.int64)


def _tell(
    columns: Columns, scorer: Scorer, assignment: Assignment, candidates: int, crowded: list[Group]
) -> Links:
    """Tell rows of the caller's tables instead of canonical ones."""
    left, right = columns.order[0][assignment.left], columns.order[1][assignment.right]
    order = np.argsort(left)
    return Links(
        left[order],
        right[order],
        assignment.score[order],
        assignment.other_left[order],
        assignment.other_right[order],
        _name_rows(columns, assignment.groups),
        scorer.list_levels(),
        candidates,
        _name_rows(columns, crowded),
        scorer,
    )


def _name_rows(columns: Columns, groups: Sequence[Group]) -> tuple[Group, ...]:
    rows = [each.tolist() for each in columns.order]
    return tuple(
        sorted(
            Group(
                group.reason,
                tuple(sorted(rows[0][row] for row in group.left)),
                tuple(sorted(rows[1][row] for row in group.right)),
            )
            for group in groups
        )
    )
