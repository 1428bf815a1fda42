"""Groups that cancel out, held to trying every set of entries."""

from __future__ import annotations

from itertools import chain, combinations

from hypothesis import given
from hypothesis import strategies as st

from hansa.reconcile.matching.net_zero import find_by_key, find_net_groups
from hansa.reconcile.matching.subset_sum import Outcome, Search

AMOUNTS = st.lists(st.integers(-9, 9).filter(bool), max_size=5)
KEYED = st.lists(st.tuples(st.integers(0, 3), st.integers(-9, 9)), max_size=8)


def find_smallest(left, right, size_max, tolerance):
    """Smallest sets that cancel out, as their places in one list."""
    signed = [*left, *(-amount for amount in right)]
    sets = [
        frozenset(places)
        for size in range(2, size_max + 1)
        for places in combinations(range(len(signed)), size)
        if abs(sum(signed[place] for place in places)) <= tolerance
    ]
    return [each for each in sets if not any(other < each for other in sets)], len(sets)


@given(AMOUNTS, AMOUNTS, st.integers(0, 1))
def test_groups_are_the_smallest_that_overlap_with_no_other(left, right, tolerance):
    found = find_net_groups(left, right, Search(5, tolerance))
    smallest, count = find_smallest(left, right, 5, tolerance)
    if found.outcome is Outcome.UNDECIDED:
        assert count > 256
        return
    sure = [
        each for each in smallest if not any(each & other for other in smallest if other != each)
    ]
    told = [{*group.left, *(len(left) + place for place in group.right)} for group in found.groups]
    assert sorted(map(sorted, told)) == sorted(map(sorted, sure))
    unsure = {place for each in smallest if each not in sure for place in each}
    opened = [(*each.left, *(len(left) + at for at in each.right)) for each in found.open_nets]
    assert sorted(chain.from_iterable(opened)) == sorted(unsure)
    assert found.found == len(smallest)
    assert (found.outcome is Outcome.NONE) == (not smallest)
    assert (found.outcome is Outcome.AMBIGUOUS) == bool(unsure)
    for group in found.groups:
        difference = sum(left[i] for i in group.left) - sum(right[j] for j in group.right)
        assert difference == group.difference_minor


@given(AMOUNTS, AMOUNTS, st.randoms(use_true_random=False))
def test_the_order_of_entries_changes_only_the_indexes(left, right, random):
    def told(left, right):
        found = find_net_groups(left, right, Search(4))
        groups = [
            (sorted(left[i] for i in group.left), sorted(right[j] for j in group.right))
            for group in found.groups
        ]
        opened = [
            (sorted(left[i] for i in each.left), sorted(right[j] for j in each.right))
            for each in found.open_nets
        ]
        return found.outcome, sorted(groups), sorted(opened), found.found

    assert told(random.sample(left, len(left)), random.sample(right, len(right))) == told(
        left, right
    )


@given(KEYED, KEYED, st.integers(0, 2))
def test_keys_group_both_sides(left, right, tolerance):
    columns = [tuple(zip(*side, strict=True)) or ((), ()) for side in (left, right)]
    found = find_by_key(*columns, tolerance)
    for groups, is_balanced in ((found.balanced, True), (found.unbalanced, False)):
        for group in groups:
            lefts = [amount for key, amount in left if key == group.key]
            rights = [amount for key, amount in right if key == group.key]
            assert [left[i] for i in group.left] == [(group.key, amount) for amount in lefts]
            assert [right[j] for j in group.right] == [(group.key, amount) for amount in rights]
            assert group.difference_minor == sum(lefts) - sum(rights)
            assert (abs(group.difference_minor) <= tolerance) == is_balanced
    shared = ({key for key, _ in left} & {key for key, _ in right}) - {0}
    assert [group.key for group in sorted(found.balanced + found.unbalanced)] == sorted(shared)
