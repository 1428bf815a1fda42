"""Values as people see them."""

from __future__ import annotations

import pytest

from hansa.node.console.text.formatting import (
    Format,
    Money,
    format_bytes,
    format_change,
    format_clock,
    format_duration,
    format_minor,
    format_moment,
    format_offset,
    shorten,
    split_middle,
)

NOON_MS = 1_700_000_000_000  # 2023-11-14T22:13:20Z
NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("amount_minor", "exponent", "text"),
    [
        (0, 2, "0.00"),
        (5, 2, "0.05"),
        (-5, 2, "−0.05"),
        (100_000_000, 2, "1,000,000.00"),
        (1_234, 0, "1,234"),
        (1_234_567, 3, "1,234.567"),
        (2**63 - 1, 2, "92,233,720,368,547,758.07"),
    ],
)
def test_amounts_are_exact_at_any_size(amount_minor, exponent, text):
    assert format_minor(amount_minor, exponent) == text


def test_a_change_has_its_sign():
    assert [format_change(each, 2) for each in (1, 0, -1)] == ["+0.01", "0.00", "−0.01"]


def test_times_are_those_of_the_zone():
    assert format_moment(NOON_MS, 0) == "14 Nov 2023, 22:13:20"
    assert format_moment(NOON_MS, 480) == "15 Nov 2023, 06:13:20"
    assert format_clock(0, -90) == "22:30:00"


@pytest.mark.parametrize(
    ("offset", "text"), [(0, "UTC"), (480, "UTC+08:00"), (-210, "UTC−03:30"), (45, "UTC+00:45")]
)
def test_a_zone_is_named_by_its_offset(offset, text):
    assert format_offset(offset) == text


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (0, "none"),
        (20, "20 ms"),
        (1_000, "1 second"),
        (86_400_000, "1 day"),
        (7 * 86_400_000, "7 days"),
        (90_061_000, "1 day 1 hour"),
    ],
)
def test_durations_are_in_their_two_largest_units(duration_ms, text):
    assert format_duration(duration_ms) == text


def test_sizes():
    assert [format_bytes(each) for each in (0, 1023, 1024, 2**40, 2**60)] == [
        "0 bytes",
        "1,023 bytes",
        "1.0 KiB",
        "1.0 TiB",
        "1,048,576.0 TiB",
    ]


def test_a_long_identifier_is_shortened_in_its_middle_and_nothing_is_lost():
    text = "".join(str(number % 10) for number in range(64))
    assert shorten(text) == "0123456789…890123"
    assert "".join(split_middle(text)) == text
    assert shorten("short") == "short"


def test_money_has_the_digits_of_its_asset():
    f = Format(480, {"MOP": 2, "JPY": 0})
    assert f.money(Money(123_456, "MOP")) == f"1,234.56{NBSP}MOP"
    assert f.money(Money(123_456, "JPY")) == f"123,456{NBSP}JPY"
    assert f.money(Money(3_200, "")) == f"3,200{NBSP}minor units"


def test_labels_below_an_axis_are_as_short_as_can_be():
    form = Format(0, {})
    start = 1_700_000_000_000  # 14 Nov 2023, 22:13:20

    def write(step_ms):
        return [tick.text for tick in form.ticks([start, start + step_ms, start + 2 * step_ms])]

    assert form.ticks([]) == []
    assert write(1_000) == ["22:13:20", "22:13:21", "22:13:22"]
    assert write(3_600_000) == ["22:13", "23:13", "00:13"]
    assert write(43_200_000 + 1) == ["14 Nov", "15 Nov", "22:13"]
    assert write(86_400_000) == ["14 Nov", "15 Nov", "16 Nov"]
