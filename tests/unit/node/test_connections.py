"""Places that callers share."""

from __future__ import annotations

import resource

from hansa.node.connections import FILES_KEPT, Shares, bound_connections


def take_all(shares, caller):
    count = 0
    while shares.take(caller):
        count += 1
    return count


def test_a_caller_has_its_bound_and_never_the_last_place():
    shares = Shares(100, 30)
    assert [take_all(shares, name) for name in ("a", "b", "c")] == [30, 30, 20]
    assert shares.free == 20
    assert shares.take("d")


def test_a_place_given_back_is_free_for_others():
    shares = Shares(1, 1)
    assert shares.take("a")
    assert not shares.take("b")
    shares.give_back("a")
    assert shares.take("b")


def test_places_are_taken_all_or_none():
    shares = Shares(100, 100)
    assert not shares.take("a", 101)
    assert shares.take("a", 30)
    assert not shares.take("a", 41)
    assert shares.take("b", 70)
    shares.give_back("a", 30)
    assert shares.free == 30
    assert shares.take("a", 30)


def test_connections_fit_under_the_bound_on_open_files():
    assert bound_connections(10) == 10
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == hard
    assert bound_connections(10**9) == hard - FILES_KEPT
