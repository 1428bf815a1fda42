"""Finds the listed names that are like one asked for, and says how much: loops over whole numbers.

The whole vocabulary is looked at for every token asked for, the most of it for a nanosecond: what
is counted of two tokens says what the edits between them cost at least. So there is no blocking key
that a wrong first letter would escape. The bearers of what is alike are summed up, and who could
reach the floor at best is aligned token by token.

All loops stand in this module: what is compiled of one is kept until its own source changes.

Source: weights of rare tokens after Fellegi and Sunter, A theory for record linkage (1969).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.risk.compiled import compiled
from hansa.risk.screening.index import Index, Vocabulary
from hansa.risk.screening.names import TOKEN_MAX, TOKENS_MAX
from hansa.risk.screening.spellings import CHEAP_SHIFT, LETTER_MASK

SCORE_ONE = 1_000_000
"""What every score stays below."""
_SIMILARITY_ONE = 1024


class Weighing(NamedTuple):
    """How what matched is weighed against what did not; weights are multiples of 1/1024 bit."""

    asked_left: int = 600
    """Thousandths that count of a token asked for which the listed name has not."""
    listed_left: int = 600
    """Thousandths that count of a listed token that was not asked for, as a second given name."""
    edit: int = 1_300
    """Thousandths of a similarity that are gone once edits cost 2 for every letter."""
    loss: int = 700
    """Thousandths that count of what a match lacks of its token's weight: no fewer than count of a
    listed token that was not asked for."""
    prior: int = 1_536
    """Weight against any match: of names that match wholly, the rarer one scores higher."""
    initial: int = 512
    """Weight of a single letter that stands for a token which begins with it."""


class Query(NamedTuple):
    """Tokens asked for, in alphabetical order; each array has a row for each."""

    letters: npt.NDArray[np.uint8]
    """As `encode_letters` gives them."""
    lengths: npt.NDArray[np.int64]
    letter_counts: npt.NDArray[np.int64]
    consonant_counts: npt.NDArray[np.int64]
    is_number: npt.NDArray[np.bool_]
    weights: npt.NDArray[np.int64]
    """What counts where nothing matches: the token's own weight, or that of the rarest."""


class Scratch(NamedTuple):
    """Memory of a search, which leaves it clean; two at a time need one each."""

    gains: npt.NDArray[np.int32]
    """Shape (TOKENS_MAX, n_tokens): what a token asked for gains by one listed."""
    alike: npt.NDArray[np.int32]
    """Shape (TOKENS_MAX, n_tokens): which these are."""
    best: npt.NDArray[np.int64]
    """Shape (n_names,): what a name gains at most."""
    last: npt.NDArray[np.int64]
    """Shape (n_names,): what of it the token that was last asked for gains."""
    answered: npt.NDArray[np.int64]
    """Shape (n_names,): weight of the tokens asked for that the name has something like."""
    seen: npt.NDArray[np.int64]
    """Shape (n_names,): the number of the token that was last asked for, from 1."""
    touched: npt.NDArray[np.int64]
    """Shape (n_names,): names that gain something."""
    rows: npt.NDArray[np.int64]
    """Shape (3, TOKEN_MAX + 1): costs of the beginnings of two tokens."""
    table: npt.NDArray[np.int64]
    """Shape (TOKENS_MAX, TOKENS_MAX): of the name last looked at, what each token asked for gains
    by each of its own."""
    used: npt.NDArray[np.bool_]
    """Shape (TOKENS_MAX,): which of its tokens were paired."""
    found: npt.NDArray[np.int64]
    """Shape (n_names,): names that reach the floor, not cleaned."""
    scores: npt.NDArray[np.int64]
    """Shape (n_names,): theirs."""
    pairs: npt.NDArray[np.int8]
    """Shape (n_names, TOKENS_MAX): for each of them, the place in it of what each token asked for
    was paired with, or -1."""


def build_scratch(names: int, tokens: int) -> Scratch:
    """Make clean memory for searches among so many names of so many tokens."""
    best, last, answered, seen, touched, found, scores = np.zeros((7, names), np.int64)
    return Scratch(
        np.zeros((TOKENS_MAX, tokens), np.int32),
        np.zeros((TOKENS_MAX, tokens), np.int32),
        best,
        last,
        answered,
        seen,
        touched,
        np.zeros((3, TOKEN_MAX + 1), np.int64),
        np.zeros((TOKENS_MAX, TOKENS_MAX), np.int64),
        np.zeros(TOKENS_MAX, np.bool_),
        found,
        scores,
        np.zeros((names, TOKENS_MAX), np.int8),
    )


@compiled
def find_names(index: Index, query: Query, weighing: Weighing, floor: int, scratch: Scratch) -> int:
    """Find all names that score at least the floor, which is over 0: the lower, the slower.

    Returns:
      How many there are; which, what they score and how they were aligned, is in the scratch.
    """
    n_asked = query.lengths.shape[0]
    count = n_touched = n_initials = asked_total = heaviest = 0
    for i in range(n_asked):
        weight = query.weights[i]
        asked_total += weight
        heaviest = max(heaviest, weight)
        n_initials += query.lengths[i] == 1
        n_alike = _find_alike(index.vocabulary, query, weighing, i, scratch)
        n_touched = _sum_up(index, weight, i, n_alike, n_touched, scratch)
    best, answered, seen = scratch.best, scratch.answered, scratch.seen
    for at in range(n_touched):
        name = scratch.touched[at]
        n_listed = index.initials[name]
        gained = min(best[name] + (n_initials + n_listed) * weighing.initial, index.totals[name])
        # A single letter may stand for whatever is left on the other side.
        asked_left = asked_total - answered[name] - (n_initials + n_listed) * heaviest
        listed_left = index.totals[name] - gained - n_initials * index.heaviest[name]
        bound = _score(gained, max(0, asked_left), max(0, listed_left), 0, weighing)
        if bound >= floor:
            score = _align(index, query, weighing, name, floor, scratch.pairs[count], scratch)
            if score >= floor:
                scratch.found[count] = name
                scratch.scores[count] = score
                count += 1
        best[name] = answered[name] = seen[name] = 0
    _clean(n_asked, scratch)
    return count


@compiled
def _find_alike(
    vocabulary: Vocabulary, query: Query, weighing: Weighing, i: int, scratch: Scratch
) -> int:
    """Find the tokens that are like one asked for, and what each gains; return how many."""
    length = query.lengths[i]
    letters, consonants = query.letter_counts[i], query.consonant_counts[i]
    count = 0
    for other in range(max(1, length - 4), min(TOKEN_MAX, length + 4) + 1):
        most = _compute_cost_max(max(length, other))
        if abs(length - other) > most:
            continue
        for group in range(vocabulary.length_start[other], vocabulary.length_start[other + 1]):
            listed = vocabulary.group_consonants[group]
            apart = max(_count_bits(consonants & ~listed), _count_bits(listed & ~consonants))
            if 2 * apart > most:
                continue
            for token in range(vocabulary.group_start[group], vocabulary.group_start[group + 1]):
                listed = vocabulary.letter_counts[token]
                if apart + _count_bits(letters & ~listed) > most:
                    continue
                if apart + _count_bits(listed & ~letters) > most:
                    continue
                gain = _compute_gain(vocabulary, query, weighing, i, token, most, scratch.rows)
                if gain:
                    scratch.gains[i, token] = gain
                    scratch.alike[i, count] = token
                    count += 1
    if count < scratch.alike.shape[1]:
        scratch.alike[i, count] = -1
    return count


@compiled
def _compute_cost_max(length: int) -> int:
    """Compute what tokens that are alike may cost, by the longer one's length: at most 4."""
    if length <= 2:  # noqa: PLR2004 - the table is what there is to say
        return length - 1
    return 2 + (length > 5) + (length > 8)  # noqa: PLR2004


@compiled
def _compute_gain(  # noqa: PLR0913 - a loop takes what it reads
    vocabulary: Vocabulary,
    query: Query,
    weighing: Weighing,
    i: int,
    token: int,
    most: int,
    rows: npt.NDArray[np.int64],
) -> int:
    """Compute what a token asked for gains by one listed; 0 if they are not alike."""
    length, other = query.lengths[i], vocabulary.lengths[token]
    if query.is_number[i] or vocabulary.is_number[token]:
        most = 0
    one, two = query.letters[i], vocabulary.letters[token]
    cost = _compute_cost(one, length, two, other, most, vocabulary.costs, rows)
    if cost > most:
        return 0
    lost = cost * _SIMILARITY_ONE * weighing.edit // (2_000 * max(length, other))
    return int(max(0, _SIMILARITY_ONE - lost) * vocabulary.weights[token] // _SIMILARITY_ONE)


@compiled
def _compute_cost(  # noqa: PLR0913 - a loop takes what it reads
    one: npt.NDArray[np.uint8],
    one_length: int,
    other: npt.NDArray[np.uint8],
    other_length: int,
    most: int,
    costs: npt.NDArray[np.int8],
    rows: npt.NDArray[np.int64],
) -> int:
    """Compute the cost of turning one token into the other; if over `most`, anything over it."""
    rows[0, 0] = 0
    for j in range(other_length):
        rows[0, j + 1] = rows[0, j] + 2 - (other[j] >> CHEAP_SHIFT)
    before = above = here = 0
    left = least_above = 0
    last = LETTER_MASK
    for i in range(one_length):
        before, above, here = above, here, (here + 1) % 3
        letter, gap = one[i] & LETTER_MASK, 2 - (one[i] >> CHEAP_SHIFT)
        least = left = rows[above, 0] + gap
        rows[here, 0] = left
        for j in range(other_length):
            listed = other[j] & LETTER_MASK
            left += 2 - (other[j] >> CHEAP_SHIFT)
            left = min(left, rows[above, j] + costs[letter, listed], rows[above, j + 1] + gap)
            if i and j and listed == last and letter == other[j - 1] & LETTER_MASK:
                left = min(left, rows[before, j - 1] + (letter != listed))
            rows[here, j + 1] = left
            least = min(least, left)
        if least > most and least_above > most:
            return int(least)
        least_above, last = least, letter
    return int(left)


@compiled
def _count_bits(value: int) -> int:
    """Count the bits that are set in a number from 0 to 2**62."""
    value -= (value >> 1) & 0x5555555555555555
    value = (value & 0x3333333333333333) + ((value >> 2) & 0x3333333333333333)
    value = (value + (value >> 4)) & 0x0F0F0F0F0F0F0F0F
    value += value >> 8
    value += value >> 16
    return (value + (value >> 32)) & 0x7F


@compiled
def _sum_up(
    index: Index, weight: int, i: int, n_alike: int, n_touched: int, scratch: Scratch
) -> int:
    """Add to every name the most that one token asked for gains by any of its tokens."""
    seen, best, last, bearers = scratch.seen, scratch.best, scratch.last, index.bearers
    for at in range(n_alike):
        token = scratch.alike[i, at]
        gain = scratch.gains[i, token]
        for place in range(index.bearers_start[token], index.bearers_start[token + 1]):
            name = bearers[place]
            if seen[name] == i + 1:
                best[name] += max(0, gain - last[name])
                last[name] = max(gain, last[name])
                continue
            if seen[name] == 0:
                scratch.touched[n_touched] = name
                n_touched += 1
            seen[name] = i + 1
            scratch.answered[name] += weight
            best[name] += gain
            last[name] = gain
    return n_touched


@compiled
def _align(  # noqa: PLR0913 - a loop takes what it reads
    index: Index,
    query: Query,
    weighing: Weighing,
    name: int,
    floor: int,
    pairs: npt.NDArray[np.int8],
    scratch: Scratch,
) -> int:
    """Pair tokens, those first that gain most, and score what comes of it; 0 if under the floor."""
    first, total = index.tokens_start[name], index.totals[name]
    n_asked, n_listed = query.lengths.shape[0], index.tokens_start[name + 1] - first
    most = _tabulate(index, query, weighing, name, scratch)
    # What an initial is paired with counts as neither left nor lost.
    has_initial = index.initials[name]
    for length in query.lengths:
        has_initial |= length == 1
    left = 0 if has_initial else total - most
    if _score(most, 0, left, 0, weighing) < floor:
        return 0
    table, used = scratch.table, scratch.used
    tokens, weights, lengths = index.tokens, index.vocabulary.weights, index.vocabulary.lengths
    pairs[:n_asked] = -1
    used[:n_listed] = False
    gained = loss = answered = 0
    while True:
        most, asked, listed = 0, -1, -1
        for j in range(n_listed):
            if not used[j]:
                for i in range(n_asked):
                    if pairs[i] < 0 and table[i, j] > most:
                        most, asked, listed = table[i, j], i, j
        if not most:
            break
        pairs[asked] = listed
        used[listed] = True
        gained += most
        weight = weights[tokens[first + listed]]
        answered += weight
        if query.lengths[asked] > 1 and lengths[tokens[first + listed]] > 1:
            loss += weight - most
    asked_left = 0
    for i in range(n_asked):
        if pairs[i] < 0:
            asked_left += query.weights[i]
    return _score(gained, asked_left, total - answered, loss, weighing)


@compiled
def _tabulate(index: Index, query: Query, weighing: Weighing, name: int, scratch: Scratch) -> int:
    """Tabulate what each token asked for gains by each of a name; return what is gained at most."""
    gains, table, tokens = scratch.gains, scratch.table, index.tokens
    letters, lengths = index.vocabulary.letters, index.vocabulary.lengths
    first = index.tokens_start[name]
    most = 0
    for j in range(index.tokens_start[name + 1] - first):
        token = tokens[first + j]
        best = 0
        for i in range(query.lengths.shape[0]):
            gain = int(gains[i, token])
            if (
                not gain
                and (query.lengths[i] == 1 or lengths[token] == 1)
                and not (query.letters[i, 0] ^ letters[token, 0]) & LETTER_MASK
            ):
                gain = min(weighing.initial, int(index.vocabulary.weights[token]))
            table[i, j] = gain
            best = max(best, gain)
        most += best
    return most


@compiled
def _score(gained: int, asked_left: int, listed_left: int, loss: int, weighing: Weighing) -> int:
    """Score what was gained against what was not, in millionths.

    A name has at most 64 tokens of under 2**15 each: nothing exceeds 2**21, times 10**6.
    """
    against = asked_left * weighing.asked_left + listed_left * weighing.listed_left
    against = (against + loss * weighing.loss) // 1_000 + weighing.prior
    return gained * SCORE_ONE // (gained + against)


@compiled
def _clean(n_asked: int, scratch: Scratch) -> None:
    """Forget what was found out of tokens."""
    for i in range(n_asked):
        for at in range(scratch.alike.shape[1]):
            token = scratch.alike[i, at]
            if token < 0:
                break
            scratch.gains[i, token] = 0
