"""Texts of both sides, and how much they have in common, in whole numbers.

Each different text is measured once. What is rare says more: the rarity of something that both
texts have is how often its share of all rows must be doubled to reach them all, in whole bits,
rounded down. A word that one row in 1,000 has is worth 9.

Source: W. E. Winkler, "Frequency-based matching in Fellegi-Sunter model of record linkage", US
Census Bureau RR2000/06 (rare values that agree weigh more).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import Indel

from hansa.reconcile.matching.arrays import Ints, count_within

BEGINNING_MAX = 64
"""Letters of a beginning that are looked at."""
PERMILLE = 1_000


class Texts:
    """The different texts of a column, in order; a row has the number of its text."""

    def __init__(self, left: Sequence[str], right: Sequence[str]) -> None:
        self.values = sorted({*left, *right})
        number = {text: place for place, text in enumerate(self.values)}
        self.left: Ints = np.array([number[text] for text in left], np.int64)
        self.right: Ints = np.array([number[text] for text in right], np.int64)
        self.rows = np.bincount(np.concatenate([self.left, self.right]), minlength=len(number))
        """How many rows of both sides have it."""
        self._objects = np.array(self.values, dtype=object)
        self._lengths: Ints = np.array([len(text) for text in self.values], np.int64)
        self._beginnings: list[tuple[Ints, Ints]] | None = None
        self._words: tuple[Ints, Ints, Ints, Ints] | None = None

    @property
    def is_missing(self) -> npt.NDArray[np.bool_]:
        """Whether a text says nothing."""
        missing: npt.NDArray[np.bool_] = self._lengths == 0
        return missing

    def compare_letters(self, one: Ints, other: Ints) -> Ints:
        """Count letters that pairs of texts share in their order, in permille of all letters.

        This is twice the longest common subsequence by both lengths; O(length²/64) each.
        """
        apart = process.cpdist(
            self._objects[one], self._objects[other], scorer=Indel.distance, dtype=np.int64
        )
        letters = np.maximum(self._lengths[one] + self._lengths[other], 1)
        shared: Ints = (letters - apart) * PERMILLE // letters
        return shared

    def compare_beginnings(self, one: Ints, other: Ints) -> Ints:
        """Find the rarity of the longest beginning that pairs of texts share, in bits."""
        if self._beginnings is None:
            self._beginnings = self._index_beginnings()
        bits = np.zeros(one.size, np.int64)
        places = np.arange(one.size)
        for group, rarity in self._beginnings:
            same = group[one[places]]
            places = places[(same == group[other[places]]) & (same >= 0)]
            bits[places] = rarity[one[places]]
        return bits

    def compare_words(self, one: Ints, other: Ints) -> Ints:
        """Find the rarity of the rarest word that pairs of texts share, in bits."""
        if self._words is None:
            self._words = self._index_words()
        start, count, word, rarity = self._words
        counts = count[one]
        pair = np.repeat(np.arange(one.size), counts)
        words = word[np.repeat(start[one], counts) + count_within(counts)]
        width = rarity.size + 1
        known = np.repeat(np.arange(count.size), count) * width + word
        wanted = other[pair] * width + words
        at = np.minimum(np.searchsorted(known, wanted), max(known.size - 1, 0))
        is_shared = known[at] == wanted if known.size else np.zeros(0, np.bool_)
        bits = np.zeros(one.size, np.int64)
        np.maximum.at(bits, pair[is_shared], rarity[words[is_shared]])
        return bits

    def _index_beginnings(self) -> list[tuple[Ints, Ints]]:
        """Of each length: which texts begin alike, -1 if it is shorter, and the rarity of that."""
        width = min(int(self._lengths.max(initial=0)), BEGINNING_MAX)
        if not width:
            return []
        letters = np.array(self.values, dtype=f"U{width}").view(np.uint32).reshape(-1, width)
        is_alike = np.cumprod(letters[1:] == letters[:-1], axis=1, dtype=np.bool_)
        index = []
        for length in range(1, width + 1):
            group = np.cumsum(np.append([True], ~is_alike[:, length - 1])) - 1
            rows = np.bincount(group, self.rows).astype(np.int64)
            group[self._lengths < length] = -1
            index.append((group, self._rate(rows)[group]))
        return index

    def _index_words(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Of each text where its words are and how many; the words, by text; their rarity."""
        split = [sorted(set(text.split())) for text in self.values]
        known = {word: place for place, word in enumerate(sorted({w for ws in split for w in ws}))}
        count: Ints = np.array([len(words) for words in split], np.int64)
        word: Ints = np.array([known[word] for words in split for word in words], np.int64)
        rows = np.bincount(word, np.repeat(self.rows, count), minlength=len(known))
        return np.cumsum(count) - count, count, word, self._rate(rows.astype(np.int64))

    def _rate(self, rows: Ints) -> Ints:
        """Compute the rarity of what so many rows have."""
        ratio = int(self.rows.sum()) // np.maximum(rows, 1)
        exponent: Ints = np.frexp(ratio)[1].astype(np.int64)
        return exponent - 1


def group_beginnings(texts: Texts, letters: int) -> tuple[Ints, Ints]:
    """Number texts by their first letters, or by all if 0; -1 if one is empty. Left, right."""
    cut = [text[:letters] if letters else text for text in texts.values]
    number: Ints = np.zeros(len(cut), np.int64)
    if cut:
        changes = [one != other for one, other in zip(cut[1:], cut[:-1], strict=True)]
        number = np.cumsum([0, *changes]).astype(np.int64)
        number[texts.is_missing] = -1
    return number[texts.left], number[texts.right]
