"""The names of a list laid out for the search: a vocabulary of tokens, and who bears each.

A token's weight is how much it tells: the logarithm of how few of the entries have it, in bits. It
is computed in whole numbers, so that all machines agree.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.risk.screening.entries import Entry
from hansa.risk.screening.names import TOKEN_MAX, TOKENS_MAX, split_name
from hansa.risk.screening.spellings import (
    SUBSTITUTION_COSTS,
    count_consonants,
    count_letters,
    encode_letters,
)

_FRACTION_BITS = 10
"""Weights are multiples of 1/1024 bit."""
_LETTER_WEIGHT_MAX = 1_024


class Vocabulary(NamedTuple):
    """Tokens in order of length, of counted consonants, and of the alphabet, a row for each."""

    letters: npt.NDArray[np.uint8]
    """Shape (n_tokens, TOKEN_MAX), as `encode_letters` gives them."""
    lengths: npt.NDArray[np.int64]
    letter_counts: npt.NDArray[np.int64]
    is_number: npt.NDArray[np.bool_]
    """Whether it has a digit: numbers are equal or not, never alike."""
    weights: npt.NDArray[np.int64]
    """In multiples of 1/1024 bit."""
    group_consonants: npt.NDArray[np.int64]
    """Shape (n_groups,): what the tokens of a group share, beside their length."""
    group_start: npt.NDArray[np.int64]
    """Shape (n_groups + 1,): where a group's tokens start."""
    length_start: npt.NDArray[np.int64]
    """Shape (TOKEN_MAX + 2,): where the groups of each length start."""
    costs: npt.NDArray[np.int8]
    """Of one letter for another."""


class Index(NamedTuple):
    """What the compiled search reads: arrays alone."""

    vocabulary: Vocabulary
    bearers_start: npt.NDArray[np.int64]
    """Shape (n_tokens + 1,): where a token's bearers start."""
    bearers: npt.NDArray[np.int64]
    """Numbers of names, ascending for each token."""
    tokens_start: npt.NDArray[np.int64]
    """Shape (n_names + 1,): where a name's tokens start."""
    tokens: npt.NDArray[np.int64]
    """Numbers of tokens, ascending for each name; one that it has twice stands there twice."""
    totals: npt.NDArray[np.int64]
    """Shape (n_names,): sum of the weights of a name's tokens."""
    heaviest: npt.NDArray[np.int64]
    """Shape (n_names,): the greatest of them."""
    initials: npt.NDArray[np.int64]
    """Shape (n_names,): how many of its tokens are single letters."""


class ListedName(NamedTuple):
    """A name that is searched for."""

    entry: int
    """Its place among the entries."""
    text: str
    is_weak: bool


def compute_weight(count: int, bearers: int) -> int:
    """Compute log2(`count` / `bearers`) in multiples of 1/1024, rounded down.

    Args:
      count: of all entries, at least `bearers`, and under 2**31.
      bearers: entries that have the token, at least 1.
    """
    value = (count << 32) // bearers
    whole = value.bit_length() - 1
    mantissa = value << (63 - whole)  # of 64 bits, the first of them set
    fraction = 0
    for _ in range(_FRACTION_BITS):
        mantissa = mantissa * mantissa >> 63
        fraction <<= 1
        if mantissa >> 64:
            mantissa >>= 1
            fraction |= 1
    return ((whole - 32) << _FRACTION_BITS) + fraction


def weigh_token(token: str, entries: int, bearers: int) -> int:
    """Weigh a token that so many of the entries have, or else as if one had it.

    A single letter weighs little: it is an initial, which one spelling has and the other has not.
    """
    weight = compute_weight(entries + 1, max(1, bearers))
    return min(weight, _LETTER_WEIGHT_MAX) if len(token) == 1 else weight


def build_index(entries: Sequence[Entry]) -> tuple[Index, list[ListedName], list[str]]:
    """Lay out the names of entries.

    Returns:
      The arrays, the names by their numbers, and the tokens by theirs.
    """
    names, split = _list_names(entries)
    bearers = Counter(
        token
        for _, token in {
            (name.entry, token)
            for name, tokens in zip(names, split, strict=True)
            for token in tokens
        }
    )
    words = sorted(bearers, key=lambda word: (*_describe(word), word))
    groups = [(described, len(list(alike))) for described, alike in groupby(map(_describe, words))]
    lengths = [length for (length, _), _ in groups]
    weights = [weigh_token(word, len(entries), bearers[word]) for word in words]
    numbers = {word: number for number, word in enumerate(words)}
    rows = [[numbers[token] for token in tokens] for tokens in split]
    borne: dict[int, list[int]] = defaultdict(list)
    for name, row in enumerate(rows):
        for token in sorted(set(row)):
            borne[token].append(name)
    bearers_start, bearers_flat = _flatten(borne[token] for token in range(len(words)))
    tokens_start, tokens_flat = _flatten(rows)
    index = Index(
        Vocabulary(
            encode_letters(words),
            np.array([len(word) for word in words], np.int64),
            np.array([count_letters(word) for word in words], np.int64),
            np.array([not word.isalpha() for word in words], np.bool_),
            np.array(weights, np.int64),
            np.array([consonants for (_, consonants), _ in groups], np.int64),
            np.cumsum([0, *(count for _, count in groups)]),
            np.searchsorted(lengths, np.arange(TOKEN_MAX + 2)),
            SUBSTITUTION_COSTS,
        ),
        bearers_start,
        bearers_flat,
        tokens_start,
        tokens_flat,
        np.array([sum(weights[token] for token in row) for row in rows], np.int64),
        np.array([max(weights[token] for token in row) for row in rows], np.int64),
        np.array([sum(len(words[token]) == 1 for token in row) for row in rows], np.int64),
    )
    return index, names, words


def _list_names(entries: Sequence[Entry]) -> tuple[list[ListedName], list[tuple[str, ...]]]:
    """List the names of entries with their tokens; of an entry's names of the same tokens, one."""
    names: list[ListedName] = []
    split: list[tuple[str, ...]] = []
    for number, entry in enumerate(entries):
        by_tokens: dict[tuple[str, ...], ListedName] = {}
        for text, is_weak in ((entry.name, False), *entry.aliases):
            tokens = tuple(sorted(split_name(text)[:TOKENS_MAX]))
            known = by_tokens.get(tokens)
            if tokens and (known is None or known.is_weak > is_weak):
                by_tokens[tokens] = ListedName(number, text, is_weak)
        names.extend(by_tokens.values())
        split.extend(by_tokens)
    return names, split


def _describe(word: str) -> tuple[int, int]:
    return len(word), count_consonants(word)


def _flatten(rows: Iterable[Sequence[int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Lay rows out one after the other; also where each starts, and the last ends."""
    starts = [0]
    flat: list[int] = []
    for row in rows:
        flat.extend(row)
        starts.append(len(flat))
    return np.array(starts, np.int64), np.array(flat, np.int64)
