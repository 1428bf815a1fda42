"""Token buckets: bursts, debts, refilling, and how many callers are remembered."""

from __future__ import annotations

import pytest

from hansa.node.limiter import Limiter, TooMany, name_remote
from hansa.node.settings import Limits


class Clock:
    """Time that passes when a test says so."""

    s = 0.0

    def __call__(self):
        return self.s


@pytest.fixture
def clock():
    return Clock()


def make(clock, **limits):
    return Limiter(Limits(anyone_per_s=2, anyone_burst=3, **limits), clock, buckets_max=4)


def count_let_in(limiter, caller, tries=10):
    let_in = 0
    for _ in range(tries):
        try:
            limiter.charge(caller, 1, is_known=False)
        except TooMany:
            break
        let_in += 1
    return let_in


def test_a_bucket_holds_its_burst_and_fills_at_its_rate(clock):
    limiter = make(clock)
    assert count_let_in(limiter, "a") == 3
    clock.s += 1
    assert count_let_in(limiter, "a") == 2
    clock.s += 1_000
    assert count_let_in(limiter, "a") == 3
    assert count_let_in(limiter, "b") == 3


def test_a_large_cost_passes_and_is_a_debt(clock):
    limiter = make(clock)
    limiter.charge("a", 1, is_known=False)
    limiter.add_cost("a", 10, is_known=False)
    with pytest.raises(TooMany) as caught:
        limiter.charge("a", 1, is_known=False)
    assert caught.value.wait_s == 4
    clock.s += 4
    with pytest.raises(TooMany):
        limiter.charge("a", 1, is_known=False)
    clock.s += 0.5
    limiter.charge("a", 1, is_known=False)


def test_being_refused_costs_nothing(clock):
    limiter = make(clock)
    count_let_in(limiter, "a")
    for _ in range(100):
        assert count_let_in(limiter, "a") == 0
    clock.s += 0.5
    assert count_let_in(limiter, "a") == 1


def test_a_rate_of_zero_is_no_limit(clock):
    limiter = make(clock, known_per_s=0)
    for _ in range(1_000):
        limiter.charge("a", 1_000, is_known=True)


def test_those_who_ask_are_remembered_before_those_who_do_not(clock):
    limiter = make(clock)
    count_let_in(limiter, "busy")
    for number in range(40):
        clock.s += 0.01
        limiter.add_cost("busy", 1, is_known=False)
        limiter.charge(f"passing {number}", 1, is_known=False)
    assert count_let_in(limiter, "busy") == 0


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        (None, "no address", True),
    ],
)
def test_an_ipv6_site_is_one_caller(one, other, is_same):
    assert (name_remote(one) == name_remote(other)) is is_same
