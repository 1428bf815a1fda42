"""Texts as reports show them: nothing that acts, nothing without bound, whatever stood there."""

from hypothesis import given
from hypothesis import strategies as st

from hansa.reconcile.currencies import write_amount
from hansa.reconcile.report.texts import show, show_amount, show_day

ANY = st.text(st.characters() | st.sampled_from("\x00\u202e\u2066\ud800\ufffe\xa0\u3000\xad"))


@given(ANY, st.integers(1, 50))
def test_whatever_is_shown_is_printable_and_bounded(text, letters_max):
    shown = show(text, letters_max)
    assert shown.isprintable()
    assert shown.encode().decode() == shown
    assert len(shown) <= letters_max + len(f"… ({len(text):,} letters)")


@given(ANY)
def test_what_shows_as_itself_is_left_alone(text):
    plain = "".join(letter for letter in text if letter.isprintable())
    assert show(plain, 1_000) == plain


def test_an_escape_is_shown_whole_or_not_at_all():
    assert show("ab\u202e", 7) == "ab… (3 letters)"
    assert show("ab\u202e", 8) == r"ab\u202e"


@given(st.integers(-(10**30), 10**30), st.sampled_from(["EUR", "JPY", "KWD", "CLF", "???"]))
def test_amounts_are_those_of_the_rest_of_the_program(minor, currency):
    told = show_amount(minor, currency).replace(",", "").replace("−", "-")
    assert f"{told} {currency}" == write_amount(minor, currency)


def test_days_beyond_calendars_are_told_as_numbers():
    assert show_day(None) == ""
    assert show_day(0) == "1970-01-01"
    assert (show_day(2_932_896), show_day(-719_162)) == ("9999-12-31", "0001-01-01")
    assert show_day(2_932_897) == "day 2932897 from 1970-01-01"
