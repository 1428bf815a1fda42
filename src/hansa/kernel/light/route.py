"""The few hand-overs that lead from one set of validators to a later one, of all there were.

Where more than two thirds of the power of a set signed a header much later, all hand-overs between
may be left out: a leap stands in their place. So one validator who changes its key every day makes
nobody's receipt longer; only where a third of the power is new does a link stay.

Source: docs/reference/light.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hansa.kernel.light.commit import SignedHeader, compute_shared_power
from hansa.kernel.light.trail import HandOver
from hansa.kernel.light.validators import ValidatorSet

KEPT_EVERY = 32


@dataclass(frozen=True, slots=True)
class Route:
    """A way from a set that is trusted to the newest that is known."""

    sets: tuple[ValidatorSet, ...]
    """The trusted one, then the one behind each link."""
    links: tuple[HandOver, ...] = ()
    count: int = 0
    """Of the hand-overs that were taken."""

    @staticmethod
    def of(start: ValidatorSet, hand_overs: Iterable[HandOver]) -> Route:
        """Take all of these, which were verified before."""
        route = Route((start,))
        for each in hand_overs:
            route = route.take(each)
        return route

    def take(self, hand_over: HandOver) -> Route:
        """Go on through the next hand-over, by the shortest way to the header that makes it."""
        way = self if hand_over.is_leap else self._shorten(hand_over.signed_header)
        sets, links = (*way.sets, hand_over.validators), (*way.links, hand_over)
        return Route(sets, links, self.count + 1)

    def lead_to(self, signed_header: SignedHeader) -> tuple[HandOver, ...]:
        """Find the links to a header that the newest set signed."""
        return self._shorten(signed_header).links

    def _shorten(self, signed: SignedHeader) -> Route:
        """Leap to a header of the newest set from as far back as enough power signed it."""
        newest = self.sets[-1]
        first = len(self.links)
        while first and _is_enough(signed, newest, self.sets[first - 1]):
            first -= 1
        sets, links = self.sets[: first + 1], self.links[:first]
        if sets[-1] == newest:
            return Route(sets, links, self.count)
        if len(self.links) - first <= 1:
            return self
        return Route((*sets, newest), (*links, HandOver(signed, newest)), self.count)


class Routes:
    """The ways from a set that is trusted to each later one.

    Every some of them are kept, as each may be as long as there are hand-overs; what lies between
    is found from the one before.
    """

    def __init__(self, start: ValidatorSet) -> None:
        self._kept = [Route((start,))]
        self._newest = self._kept[0]

    def extend(self, hand_over: HandOver) -> None:
        """Take the next hand-over, which was verified before."""
        self._newest = self._newest.take(hand_over)
        if self._newest.count % KEPT_EVERY == 0:
            self._kept.append(self._newest)

    def find(self, hand_overs: Sequence[HandOver], count: int) -> Route:
        """Find the way through the first so many hand-overs; takes fewer than `KEPT_EVERY`.

        Args:
          hand_overs: all that were taken.
          count: of those to pass, at most as many as there are.
        """
        if count == self._newest.count:
            return self._newest
        route = self._kept[count // KEPT_EVERY]
        for each in hand_overs[route.count : count]:
            route = route.take(each)
        return route


def _is_enough(signed: SignedHeader, validators: ValidatorSet, known: ValidatorSet) -> bool:
    return 3 * compute_shared_power(signed, validators, known) > 2 * known.power
