"""Name screening by a slow search that looks at everything."""

from functools import cache
from itertools import groupby

from hansa.risk.screening.index import weigh_token
from hansa.risk.screening.names import split_name
from hansa.risk.screening.search import SCORE_ONE, Weighing

CHEAP = "aeiouyh"
ALIKE = ("bfpvw", "cgjkqx", "sz", "dt", "aeiouy", "ijy", "ouw")
CLASSES = ("bfpvw", "cgjkqx", "sz", "dt", "l", "mn", "r")
WEIGHING = Weighing()


def score_slowly(names: list[str], asked: str) -> list[int]:
    """Score each name, being the only one of its entry, against the one asked for."""
    listed = [split_name(name) for name in names]
    asked_tokens = sorted(split_name(asked))
    weights = {
        token: weigh_token(token, len(names), sum(token in tokens for tokens in listed))
        for token in {*asked_tokens, *(token for tokens in listed for token in tokens)}
    }
    return [_score(asked_tokens, sorted(tokens), weights) for tokens in listed]


def _score(asked: list[str], listed: list[str], weights: dict[str, int]) -> int:
    # The search knows tokens by their place, which is by length first.
    listed = sorted(listed, key=lambda token: (len(token), _consonants(token), token))
    asked_left, listed_left = list(asked), list(listed)
    gained = loss = 0
    while True:
        pairs = [
            (_gain(one, other, weights[other]), -at, -i, one, other)
            for at, other in enumerate(listed_left)
            for i, one in enumerate(asked_left)
        ]
        gain, _, _, one, other = max(pairs, default=(0, 0, 0, "", ""))
        if not gain:
            break
        asked_left.remove(one)
        listed_left.remove(other)
        gained += gain
        if min(len(one), len(other)) > 1:
            loss += weights[other] - gain
    # A name is found by a token that is like one of it: initials alone find nothing.
    if not any(_similarity(one, other) for one in asked for other in listed):
        return 0
    against = WEIGHING.asked_left * sum(weights[token] for token in asked_left)
    against += WEIGHING.listed_left * sum(weights[token] for token in listed_left)
    against = (against + WEIGHING.loss * loss) // 1_000 + WEIGHING.prior
    return gained * SCORE_ONE // (gained + against)


def _gain(one: str, other: str, weight: int) -> int:
    gain = _similarity(one, other) * weight // 1_024
    if not gain and min(len(one), len(other)) == 1 and one[0] == other[0]:
        return min(WEIGHING.initial, weight)
    return gain


def _similarity(one: str, other: str) -> int:
    longer = max(len(one), len(other))
    most = longer - 1 if longer <= 2 else 2 if longer <= 5 else 3 if longer <= 8 else 4
    if not (one + other).isalpha():
        most = 0
    apart = _exceed(_consonants(one), _consonants(other))
    letters = _exceed(
        [min(one.count(each), 2) for each in "abcdefghijklmnopqrstuvwxyz"],
        [min(other.count(each), 2) for each in "abcdefghijklmnopqrstuvwxyz"],
    )
    cost = _cost(one, other)
    if cost > most or 2 * apart > most or apart + letters > most:
        return 0
    return max(0, 1_024 - cost * 1_024 * WEIGHING.edit // (2_000 * longer))


def _exceed(one: list[int], other: list[int]) -> int:
    pairs = list(zip(one, other, strict=True))
    return max(sum(max(0, a - b) for a, b in pairs), sum(max(0, b - a) for a, b in pairs))


def _consonants(token: str) -> list[int]:
    single = [letter for letter, _ in groupby(token)]
    return [min(4, sum(letter in each for letter in single)) for each in CLASSES]


@cache
def _cost(one: str, other: str) -> int:
    """Cost of the cheapest edits, tried from the end."""
    if not one and not other:
        return 0
    costs = []
    if one:
        costs.append(_cost(one[:-1], other) + _gap(one))
    if other:
        costs.append(_cost(one, other[:-1]) + _gap(other))
    if one and other:
        a, b = one[-1], other[-1]
        is_alike = any(a in each and b in each for each in ALIKE)
        costs.append(_cost(one[:-1], other[:-1]) + (0 if a == b else 1 if is_alike else 2))
        if one[-2:] == other[-2:][::-1] and len(one) > 1:
            costs.append(_cost(one[:-2], other[:-2]) + (a != b))
    return min(costs)


def _gap(token: str) -> int:
    return 1 if token[-1] in CHEAP or token[-2:-1] == token[-1] else 2
