"""Groups that cancel out: unions are not told as groups, and chance is not taken for one."""

from __future__ import annotations

from hansa.reconcile.matching.net_zero import (
    KeyGroup,
    NetGroup,
    NetWindow,
    find_by_key,
    find_net_groups,
)
from hansa.reconcile.matching.subset_sum import Outcome, Search


def test_two_of_each_side_cancel_out():
    found = find_net_groups([700, 300, 11], [450, 550, 12], Search(size_max=4))
    assert found.outcome is Outcome.UNIQUE
    assert found.groups == (NetGroup((0, 1), (0, 1), 0),)


def test_two_groups_are_two_and_not_also_one():
    found = find_net_groups([700, 40], [700, 40], Search(size_max=4))
    assert found.groups == (NetGroup((0,), (0,), 0), NetGroup((1,), (1,), 0))
    assert found.found == 2


def test_a_reversal_is_a_group_of_one_side():
    assert find_net_groups([250, -250], [3]).groups == (NetGroup((0, 1), (), 0),)


def test_groups_that_share_an_entry_are_open():
    found = find_net_groups([100, 8], [100, 100, 8])
    assert found.outcome is Outcome.AMBIGUOUS
    assert found.groups == (NetGroup((1,), (2,), 0),)
    [each] = found.open_nets
    assert (each.left, each.right) == ((0,), (0, 1))
    assert each.alternatives == (NetGroup((0,), (0,), 0), NetGroup((0,), (1,), 0))
    assert not each.is_undecided


def test_so_many_that_they_must_be_chance_are_undecided():
    found = find_net_groups([1] * 20, [1] * 20)
    assert found.outcome is Outcome.UNDECIDED
    assert found.groups == ()
    assert [(len(each.left), len(each.right)) for each in found.open_nets] == [(20, 20)]


def test_interchangeable_entries_make_one_group():
    found = find_net_groups([100], [100, 100], classes=([1], [1, 1]))
    assert found.groups == (NetGroup((0,), (0,), 0),)


def test_copies_of_a_whole_group_make_as_many_groups():
    found = find_net_groups(
        [70, 70, 30, 30], [45, 45, 55, 55], classes=([1, 1, 2, 2], [3, 3, 4, 4])
    )
    assert found.groups == (NetGroup((0, 2), (0, 2), 0), NetGroup((1, 3), (1, 3), 0))


def test_a_group_of_two_windows_is_one_and_is_held_against_those_of_both():
    windows = [NetWindow((0, 1), (0, 1)), NetWindow((1, 2), (1, 2))]
    found = find_net_groups([7, 100, 9], [8, 100, 2], Search(4), windows=windows)
    assert found.groups == (NetGroup((1,), (1,), 0),)
    found = find_net_groups([7, 100, 9], [8, 100, 109], Search(4), windows=windows)
    assert (found.groups, found.open_nets[0].left) == ((), (0, 1, 2)[1:])


def test_keys_that_both_sides_have_are_balanced_or_not():
    left = [7, 7, 8, 9, 0], [40, 60, 5, 1, 3]
    right = [7, 8, 8, 6, 0], [99, 4, 4, 1, 3]
    found = find_by_key(left, right, tolerance_minor=1)
    assert found.balanced == (KeyGroup(7, (0, 1), (0,), 1),)
    assert found.unbalanced == (KeyGroup(8, (2,), (1, 2), -3),)
