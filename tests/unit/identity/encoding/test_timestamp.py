"""Moments are read with their time zone or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.identity.encoding.timestamp import read_timestamp, write_timestamp
from hansa.identity.faults import Fault, Unsound


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T19:30:00.25-04:30", 250),
        ("2026-11-29T12:00:00.123456789Z", 1_795_953_600_123),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000),
    ],
)
def test_a_moment_is_read(text, time_ms):
    assert read_timestamp(text, "it") == time_ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        None,
        7,
        "2026-11-29",
        "2026-11-29T12:00:00",
        "2026-11-29 12:00:00Z",
        "2026-11-29t12:00:00z",
        "2026-11-29T12:00Z",
        "2026-11-29T12:00:00.Z",
        "2026-11-29T12:00:00,5Z",
        "2026-02-30T12:00:00Z",
        "2026-11-29T24:00:00Z",
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+01:00",
        "2026-11-29T12:00:60Z",
        "2026-11-29T12:00:00+99:00",
        "2026-11-29T12:00:00+0100",
        "+026-11-29T12:00:00Z",
        "\uff12026-11-29T12:00:00Z",
        "0001-01-01T00:00:00+23:59Z",
        "0001-01-01T00:00:00." + "1" * 30 + "Z",
    ],
)
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(Unsound, match="it is no moment") as caught:
        read_timestamp(text, "it")
    assert caught.value.fault is Fault.MALFORMED


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_what_is_written_is_read(seconds):
    assert read_timestamp(write_timestamp(seconds * 1_000), "it") == seconds * 1_000


@given(st.text("0123456789-:TZ+. ", max_size=30))
def test_any_text_is_a_moment_or_refused(text):
    try:
        assert isinstance(read_timestamp(text, "it"), int)
    except Unsound:
        return
