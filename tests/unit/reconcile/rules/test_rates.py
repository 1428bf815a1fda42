"""Rates: amounts converted exactly and rounded half to even, or told why not."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.kernel.errors import Invalid
from hansa.reconcile.rules.rates import load_rates

HEAD = "date,from,to,rate\n"


def load(text, days=0):
    return load_rates((HEAD + text).encode(), "rates.csv", days)


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**9))
def test_amounts_are_rounded_half_to_even(amount_minor, millionths):
    rate = Decimal(millionths).scaleb(-6)
    table = load(f"1970-01-02,EUR,KWD,{rate:f}\n")
    exact = Decimal(amount_minor).scaleb(-2) * rate
    expected = exact.quantize(Decimal("0.001"), ROUND_HALF_EVEN).scaleb(3)
    assert table.convert(amount_minor, 1, "EUR", "KWD") == int(expected)


def test_the_newest_rate_counts_for_a_few_days_and_so_does_its_inverse():
    table = load("1970-01-02,EUR,JPY,160\n1970-01-04,EUR,JPY,200\n", days=1)
    assert [table.convert(1_00, day, "EUR", "JPY") for day in range(6)] == [
        None, 160, 160, 200, 200, None,
    ]  # fmt: skip
    assert table.convert(100, 1, "JPY", "EUR") == 62  # 62.5 cents
    assert table.convert(7, 9, "EUR", "EUR") == 7
    assert table.convert(7, 1, "EUR", "CHF") is None


FAULTS = [
    ("2026-02-30,EUR,USD,1.1\n", "line 2: there is no day 2026-02-30"),
    ("2026-02-03,EUR,USD,1.1\n\n2026-02-03,eur,USD,1.1\n", "line 4: 'eur' is no currency"),
    ("2026-02-03,EUR,USD\n", "line 2: has 3 cells instead of 4"),
    ("2026-02-03,EUR,USD,0.0\n", "no rate"),
    ("2026-02-03,EUR,USD,-1\n", "no rate"),
    ("2026-02-03,EUR,USD,1e3\n", "no rate"),
    ("2026-02-03,EUR,USD,1.\n", "no rate"),
    ("2026-02-03,EUR,USD,1\n2026-02-03,EUR,USD,2\n", "line 3: there is another rate"),
    ('"', "is no CSV"),
]


@pytest.mark.parametrize(("text", "told"), FAULTS)
def test_what_is_wrong_is_told_with_its_line(text, told):
    with pytest.raises(Invalid, match=r"rates\.csv") as caught:
        load(text)
    assert told in caught.value.message


@pytest.mark.parametrize("raw", [b"", b"date;from;to;rate\n", b"\xff", b"x" * ((1 << 24) + 1)])
def test_what_is_no_such_file_is_refused(raw):
    with pytest.raises(Invalid):
        load_rates(raw, "rates.csv", 0)
