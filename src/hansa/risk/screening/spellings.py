"""What differs between two spellings of a token, and what each difference costs.

Costs are whole: 2 for a letter that is another, too many or missing; 1 for two that changed
places, for a letter that sounds like the other, that is doubled in one spelling alone, or that is
a vowel (or h), of which transliterations have more or fewer.

Source: optimal string alignment, as Damerau's edits (1964) without one inside another; classes of
letters after Soundex (Russell 1918).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt

from hansa.risk.screening.names import TOKEN_MAX

LETTER_MASK = 63
"""What of a code says which letter it is."""
CHEAP_SHIFT = 6
"""Where a code says that the letter costs half where the other token has it not."""
_CODES = {letter: code for code, letter in enumerate("abcdefghijklmnopqrstuvwxyz0123456789", 1)}
_ALIKE = ("bfpvw", "cgjkqx", "sz", "dt", "aeiouy", "ijy", "ouw")
"""Letters that transliterations take for one another."""
_CLASSES = ("bfpvw", "cgjkqx", "sz", "dt", "l", "mn", "r")
"""Consonants by sound; none of a class sounds like one of another."""
_CHEAP = "aeiouyh"


def _build_costs() -> npt.NDArray[np.int8]:
    costs = np.full((LETTER_MASK + 1, LETTER_MASK + 1), 2, np.int8)
    np.fill_diagonal(costs, 0)
    for group in _ALIKE:
        for one in group:
            for other in group:
                costs[_CODES[one], _CODES[other]] = int(one != other)
    return costs


SUBSTITUTION_COSTS = _build_costs()
"""Of one letter for another, by their codes; shape (64, 64)."""


def encode_letters(tokens: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Lay out tokens as rows of codes; shape (n, TOKEN_MAX), zeros behind each."""
    encoded = bytearray()
    for token in tokens:
        before = ""
        for letter in token:
            is_cheap = letter in _CHEAP or letter == before
            encoded.append(_CODES[letter] | is_cheap << CHEAP_SHIFT)
            before = letter
        encoded.extend(bytes(TOKEN_MAX - len(token)))
    return np.frombuffer(bytes(encoded), np.uint8).reshape(len(tokens), TOKEN_MAX)


def count_letters(token: str) -> int:
    """Count each letter, to 2, in two bits of its own: one bit set for each that is there.

    An edit of whatever cost takes at most one bit away and adds at most one.
    """
    counted = 0
    for letter in token:
        place = 2 * _CODES[letter] - 2
        if place < _LETTER_BITS:
            counted |= 2 << place if counted >> place & 1 else 1 << place
    return counted


_LETTER_BITS = 52


def count_consonants(token: str) -> int:
    """Count consonants by class, to 4, in four bits each; doubled ones are counted once.

    An edit that costs 2 takes at most one bit away and adds at most one, and one that costs 1
    changes none; but for edits that join or part two letters that are the same.
    """
    counted = 0
    for letter, _ in groupby(token):
        place = _PLACES.get(letter)
        if place is not None:
            counted |= (counted >> place & 7) << (place + 1) | 1 << place
    return counted


_PLACES = {letter: 4 * place for place, letters in enumerate(_CLASSES) for letter in letters}
