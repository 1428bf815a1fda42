"""The ways to each set of validators: any of them is found from near."""

from __future__ import annotations

from hansa.kernel.light.commit import CommitSignature, SignedHeader
from hansa.kernel.light.header import BlockId, ConsensusHeader, Moment, Parts
from hansa.kernel.light.route import KEPT_EVERY, Route, Routes
from hansa.kernel.light.trail import HandOver
from hansa.kernel.light.validators import ValidatorSet

HASH, SIZE = bytes(32), 4
PARTS = Parts(1, HASH)


class Watched(list):
    """Counts what is read of it."""

    read = 0

    def __getitem__(self, at):
        found = super().__getitem__(at)
        self.read += len(found) if isinstance(at, slice) else 1
        return found


def make_set(number):
    """Make a set of four, one of which is another in the next."""
    numbers = range(number, number + SIZE)
    return ValidatorSet.of((each.to_bytes(32, "big"), 10) for each in numbers)


def hand_over(number):
    """Make the change from one set to the next; nobody looks at signatures here."""
    now, then = make_set(number), make_set(number + 1)
    header = ConsensusHeader(
        *(11, 0, "hansa-x", 10 * number + 5, Moment(number, 0), BlockId(HASH, PARTS), HASH, HASH),
        *(now.compute_hash(), then.compute_hash(), HASH, HASH, HASH, HASH, HASH[:20]),
    )
    signatures = tuple(CommitSignature(at, Moment(number, 0), bytes(64)) for at in range(SIZE))
    return HandOver(SignedHeader(header, 0, PARTS, signatures), then)


def test_each_way_is_that_of_all_its_hand_overs_and_found_from_near():
    made = Watched(map(hand_over, range(3 * KEPT_EVERY + 5)))
    routes = Routes(make_set(0))
    for each in made:
        routes.extend(each)
    for count in range(len(made) + 1):
        made.read = 0
        found = routes.find(made, count)
        assert made.read < KEPT_EVERY
        assert found == Route.of(make_set(0), list(made)[:count])
