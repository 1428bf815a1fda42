"""Screens a name against a list: the hits, best first, each with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from threading import Lock
from typing import NamedTuple

import numpy as np

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.screening.entries import THRESHOLD, Days, Entry, SanctionsList
from hansa.risk.screening.index import build_index, weigh_token
from hansa.risk.screening.names import TOKENS_MAX, split_name
from hansa.risk.screening.search import (
    Query,
    Weighing,
    build_scratch,
    find_names,
)
from hansa.risk.screening.spellings import count_consonants, count_letters, encode_letters

HITS_MAX = 10
"""Hits that are given unless more are asked for, of however many there are."""
_WEIGHING = Weighing()


class Agreement(IntEnum):
    """Whether what is known besides the name agrees."""

    DIFFERS = -1
    UNKNOWN = 0
    AGREES = 1


class Match(NamedTuple):
    """A token asked for, and the listed one that it was paired with."""

    asked: str
    listed: str


class Hit(NamedTuple):
    """An entry that may be who was asked for, and why."""

    entry: Entry
    name: str
    """Which of its names matched best, as the list writes it."""
    is_weak: bool
    """The list's publisher says that this alias identifies badly."""
    score: int
    """In millionths; of the name alone."""
    matches: tuple[Match, ...]
    asked_left: tuple[str, ...]
    """Tokens asked for that the name has not."""
    listed_left: tuple[str, ...]
    """Tokens of the name that were not asked for."""
    born: Agreement
    country: Agreement


class Screening(NamedTuple):
    """What came of screening a name."""

    hits: tuple[Hit, ...]
    """Best first: by score, then by dates of birth, countries, source and id."""
    hit_count: int
    """Of all entries that are hits, also of those that are not given."""
    content_hash: bytes
    """Of the list."""


class _Ranked(NamedTuple):
    """An entry with its best name; the lesser comes first. What is more is negated."""

    score: int
    born: int
    country: int
    place: int
    at: int
    """Where the search left its name."""


class Screener:
    """A list, laid out for the search. Threads that ask it at once wait for one another."""

    def __init__(self, listed: SanctionsList, threshold: int = THRESHOLD) -> None:
        """Lay out a list.

        Raises:
          Invalid: no entry of it has a name that can be searched for, or the threshold is not
            between 0 and a million.
        """
        if not 0 < threshold <= 1_000_000:  # noqa: PLR2004 - millionths
            raise Invalid(InvalidCode.MALFORMED, f"a threshold of {threshold} millionths")
        self.listed = listed
        self.threshold = threshold
        self._index, self._names, self._words = build_index(listed.entries)
        if not self._names:
            raise Invalid(InvalidCode.MALFORMED, "a list without a name to search for")
        self.name_count = len(self._names)
        self._numbers = {word: number for number, word in enumerate(self._words)}
        self._scratch = build_scratch(len(self._names), len(self._words))
        self._lock = Lock()  # the search lets go of the interpreter's

    def screen(
        self,
        name: str,
        born: Days | None = None,
        countries: Sequence[str] = (),
        *,
        hits_max: int | None = HITS_MAX,
    ) -> Screening:
        """Screen a name.

        Dates of birth and countries, where they are given, decide between hits of the same score;
        none makes a hit, and none unmakes one.

        Args:
          name: in any script, its parts in any order.
          born: the days on which its bearer may have been born.
          countries: of the bearer, by their English names.
          hits_max: hits that are given at most; None for all of them.

        Raises:
          Invalid: the name has no letter or digit, or is longer than names are.
        """
        tokens = sorted(split_name(name))
        if not tokens:
            raise Invalid(InvalidCode.MALFORMED, "a name without a letter that could be screened")
        if len(tokens) > TOKENS_MAX:
            raise Invalid(
                InvalidCode.TOO_LARGE,
                f"a name of {len(tokens)} parts; at most {TOKENS_MAX} are screened",
            )
        query = self._build_query(tokens)
        with self._lock:
            ranked = self._rank(query, born, {_fold(country) for country in countries})
            hits = tuple(self._explain(tokens, each) for each in ranked[:hits_max])
        return Screening(hits, len(ranked), self.listed.content_hash)

    def _rank(self, query: Query, born: Days | None, wanted: set[frozenset[str]]) -> list[_Ranked]:
        scratch = self._scratch
        best: dict[int, tuple[int, bool, str, int]] = {}
        for at in range(find_names(self._index, query, _WEIGHING, self.threshold, scratch)):
            listed = self._names[scratch.found[at]]
            rank = (-int(scratch.scores[at]), listed.is_weak, listed.text, at)
            best[listed.entry] = min(best.get(listed.entry, rank), rank)
        ranked = []
        for place, (negated, *_, at) in best.items():
            entry = self.listed.entries[place]
            agreeing = (_compare_born(entry, born), _compare_countries(entry, wanted))
            ranked.append(_Ranked(negated, -agreeing[0], -agreeing[1], place, at))
        return sorted(ranked)

    def _explain(self, tokens: Sequence[str], ranked: _Ranked) -> Hit:
        index, scratch = self._index, self._scratch
        number = scratch.found[ranked.at]
        first, end = index.tokens_start[number : number + 2]
        words = [self._words[token] for token in index.tokens[first:end]]
        pairs = scratch.pairs[ranked.at, : len(tokens)].tolist()
        listed = self._names[number]
        return Hit(
            self.listed.entries[ranked.place],
            listed.text,
            listed.is_weak,
            -ranked.score,
            tuple(
                Match(token, words[at]) for token, at in zip(tokens, pairs, strict=True) if at >= 0
            ),
            tuple(token for token, at in zip(tokens, pairs, strict=True) if at < 0),
            tuple(word for at, word in enumerate(words) if at not in pairs),
            Agreement(-ranked.born),
            Agreement(-ranked.country),
        )

    def _build_query(self, tokens: Sequence[str]) -> Query:
        weights = self._index.vocabulary.weights
        known = [self._numbers.get(token) for token in tokens]
        entries = len(self.listed.entries)
        return Query(
            encode_letters(tokens),
            np.array([len(token) for token in tokens], np.int64),
            np.array([count_letters(token) for token in tokens], np.int64),
            np.array([count_consonants(token) for token in tokens], np.int64),
            np.array([not token.isalpha() for token in tokens], np.bool_),
            np.array(
                [
                    weigh_token(token, entries, 0) if number is None else weights[number]
                    for token, number in zip(tokens, known, strict=True)
                ],
                np.int64,
            ),
        )


def _compare_born(entry: Entry, born: Days | None) -> Agreement:
    if born is None or not entry.born:
        return Agreement.UNKNOWN
    agrees = any(days.first <= born.last and born.first <= days.last for days in entry.born)
    return Agreement.AGREES if agrees else Agreement.DIFFERS


def _compare_countries(entry: Entry, wanted: set[frozenset[str]]) -> Agreement:
    """Compare names of countries, which may say more than is asked for: *Iran (Islamic …)*."""
    if not wanted or not entry.countries:
        return Agreement.UNKNOWN
    listed = [_fold(country) for country in entry.countries]
    agrees = any(one <= other for one in wanted for other in listed)
    return Agreement.AGREES if agrees else Agreement.DIFFERS


def _fold(country: str) -> frozenset[str]:
    return frozenset(split_name(country))
