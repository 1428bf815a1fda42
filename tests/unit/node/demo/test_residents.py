"""Who lives in the demo: enough for its day, however small the town and whatever the seed."""

from datetime import date

import pytest

from hansa.node.demo.residents import ADULTS_MIN, draw_residents
from hansa.node.demo.town import make_town

DAY = date(2026, 11, 29)


@pytest.mark.parametrize("seed", [1, 4, 37, 136])
def test_the_smallest_town_has_somebody_to_apply_for_work(seed):
    """Of seed 4 and the others all three residents would be children."""
    residents = list(draw_residents(make_town(seed, 3, 2), DAY))
    assert sum(each.is_adult for each in residents) >= ADULTS_MIN


def test_the_same_seed_gives_the_same_people():
    first, again = (
        [(each.claims, each.wanted) for each in draw_residents(make_town(7, 20, 2), DAY)]
        for _ in range(2)
    )
    assert first == again
    assert not all(claims.get("age_over_18", True) for claims, _ in first)
