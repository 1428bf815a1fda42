"""Checks across statements: what stands twice, what is missing, what does not add up."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.reconcile.checks import Placed, check_statements, place_statements
from hansa.reconcile.entries import Fault, Kind, Severity, Statement

NEW_YEAR = 20_454  # 2026-01-01


def make(number=None, opening=0, booked=10, **fields):
    """Make a statement of a day that adds up, unless `fields` say otherwise."""
    day = fields.pop("day", NEW_YEAR + 100 + (number or 0))
    given_fields = {
        "number": number,
        "from_date": day,
        "to_date": day,
        "opening_minor": opening,
        "closing_minor": None if opening is None else opening + booked,
        "booked_minor": booked,
        "entries": 1,
        "line": fields.pop("line", 1),
    }
    account = fields.pop("account", "DE02")
    kind = fields.pop("kind", Kind.STATEMENT)
    return Statement(kind, account, "EUR", **given_fields | fields)


def check(*statements):
    """Check statements, each in a file of its own; gives (file, fault) and the texts."""
    placed = [Placed(file, statement) for file, statement in enumerate(statements)]
    found = check_statements(placed)
    assert all(each.finding.severity is Severity.WARNING for each in found)
    return [(each.file, each.finding.fault) for each in found], [
        each.finding.text for each in found
    ]


def test_a_series_without_fault_has_no_findings():
    assert check(make(1, 0), make(2, 10), make(3, 20), make(1, 5, account="NL03"))[0] == []


def test_the_same_statement_twice_is_told_once_and_does_not_break_the_series():
    found, (text,) = check(make(1, 0), make(2, 10), make(1, 0, id="fetched again", line=9))
    assert found == [(2, Fault.DUPLICATE)]
    assert "statement 1 of DE02 to 2026-04-12" in text
    assert "line 1 of file 1" in text


@pytest.mark.parametrize(
    ("statement", "is_double"),
    [
        (make(None, 0, day=NEW_YEAR), True),
        (make(None, None, day=NEW_YEAR, id="x"), True),
        (make(None, None, day=NEW_YEAR), False),
        (make(None, 0, day=None), False),
        (make(7, None, kind=Kind.REPORT), True),
        (make(None, None, id="n", kind=Kind.NOTIFICATION), True),
        (make(7, 0, kind=Kind.LIST), False),
    ],
)
def test_statements_are_the_same_if_they_say_enough(statement, is_double):
    assert check(statement, statement._replace(line=5))[0] == is_double * [(1, Fault.DUPLICATE)]


def test_a_number_with_other_content_is_a_clash():
    found, (text,) = check(make(1, 0), make(1, 0, booked=12))
    assert found == [(1, Fault.CLASH)]
    assert "other content" in text
    assert check(make(4, 0), make(5, 10), make(5, 20, day=NEW_YEAR + 200))[0] == [(2, Fault.CLASH)]


def test_pages_that_a_bank_does_not_count_are_no_clash():
    assert check(make(1, 0, page=1), make(1, 10, page=1), make(2, 20))[0] == []
    assert check(make(1, 0, page=1), make(1, 11, page=1))[0] == [(1, Fault.CLASH)]


def test_missing_numbers_are_gaps():
    found, texts = check(make(1, 0), make(3, 10), make(7, 30))
    assert found == [(1, Fault.GAP), (2, Fault.GAP)]
    assert "number 2 is missing" in texts[0]
    assert "numbers 4 to 6 are missing" in texts[1]


def test_numbers_begin_anew_with_a_year():
    last = make(251, 0, day=NEW_YEAR - 1)
    assert check(last, make(1, 10, day=NEW_YEAR + 4))[0] == []
    assert check(last, make(252, 10, day=NEW_YEAR + 4))[0] == []
    found, (text,) = check(last, make(3, 10, day=NEW_YEAR + 4))
    assert found == [(1, Fault.GAP)]
    assert "before it in its sequence" in text


@pytest.mark.parametrize("form", ["{:%Y%m%d}", "{:%y%m%d}", "{:%y%j}", "{:%j}", "{:%j01}"])
def test_numbers_that_are_days_have_no_gaps(form):
    first, second = dt.date(2026, 4, 3), dt.date(2026, 4, 7)
    days = [day.toordinal() - 719_163 for day in (first, second)]
    numbers = [int(form.format(day)) for day in (first, second)]
    statements = [make(numbers[0], 0, day=days[0]), make(numbers[1], 10, day=days[1])]
    assert check(*statements)[0] == []
    assert check(statements[0], make(numbers[1], 11, day=days[1]))[0] == [(1, Fault.BALANCE)]


def test_a_number_that_never_changes_says_nothing():
    days = [NEW_YEAR + each for each in range(3)]
    assert check(*[make(1, 10 * each, day=day) for each, day in enumerate(days)])[0] == []


def test_pages_are_one_statement():
    def page(number, opening, **fields):
        return make(5, opening, page=number, day=NEW_YEAR, **fields)

    before, after = make(4, 0, day=NEW_YEAR - 9), make(6, 40, day=NEW_YEAR + 9)
    pages = [page(1, 10), page(2, 20), page(3, 30)]
    assert check(before, *pages, after)[0] == []
    whole = [
        each._replace(opening_minor=10, closing_minor=40) for each in pages
    ]  # each page has the balances of the whole
    assert check(before, *whole, after)[0] == []
    found, (text,) = check(before, pages[0], pages[2], after)
    assert found == [(1, Fault.GAP)]
    assert "without its pages 2" in text
    assert check(before, page(1, 10), page(2, 20), page(3, 30, booked=9), after)[0] == [
        (4, Fault.BALANCE)
    ]


def test_balances_must_add_up_unless_an_entry_is_bad():
    wrong = make(1, 0, closing_minor=1_234)
    found, (text,) = check(wrong)
    assert found == [(0, Fault.BALANCE)]
    assert "lacks 12.24 EUR" in text
    assert check_statements([Placed(0, wrong, is_whole=False)]) == []
    assert check(wrong._replace(opening_minor=None))[0] == []


def test_a_closing_must_be_the_next_opening():
    found, (text,) = check(make(1, 0), make(2, 11))
    assert found == [(1, Fault.BALANCE)]
    assert "opens with 0.11 EUR" in text
    unnumbered = [make(None, 0, day=NEW_YEAR), make(None, 11, day=NEW_YEAR + 1)]
    assert check(*unnumbered)[0] == [(1, Fault.BALANCE)]
    of_one_day = [make(None, 0, day=NEW_YEAR), make(None, 11, day=NEW_YEAR)]
    assert check(*of_one_day)[0] == []


def test_statements_whose_periods_overlap_do_not_follow_on_each_other():
    month = make(None, 0, day=NEW_YEAR + 30, from_date=NEW_YEAR, booked=300)
    day = make(None, 100, day=NEW_YEAR + 15)
    assert check(month, day)[0] == []


def test_errors_belong_to_the_statement_around_them():
    statements = [make(1, line=3), make(2, line=10), make(3, line=20)]
    placed = place_statements(4, statements, [19, 1])
    assert [each.is_whole for each in placed] == [True, False, True]
    assert {each.file for each in placed} == {4}
    assert place_statements(4, [], [1]) == []


days = st.none() | st.integers(NEW_YEAR - 3, NEW_YEAR + 3)
statements = st.builds(
    make,
    st.none() | st.integers(0, 4),
    st.none() | st.integers(-20, 20),
    st.integers(-20, 20),
    page=st.none() | st.integers(0, 3),
    day=days,
    from_date=days,
    line=st.integers(1, 3),
    id=st.sampled_from(["", "a"]),
    closing_minor=st.none() | st.integers(-20, 20),
    account=st.sampled_from(["A", "B"]),
    kind=st.sampled_from(Kind),
)


@given(st.lists(st.builds(Placed, st.integers(0, 2), statements, st.booleans())), st.randoms())
def test_the_order_of_statements_does_not_matter(placed, randoms):
    found = check_statements(placed)
    shuffled = list(placed)
    randoms.shuffle(shuffled)
    assert check_statements(shuffled) == found


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=8), st.data())
def test_whatever_is_taken_out_or_doubled_is_found(amounts, data):
    opening, series = 0, []
    for number, booked in enumerate(amounts, 1):
        series.append(make(number, opening, booked))
        opening += booked
    assert check(*series)[0] == []
    at = data.draw(st.integers(0, len(series) - 1))
    assert check(*series, series[at])[0] == [(len(series), Fault.DUPLICATE)]
    if 0 < at < len(series) - 1:
        assert check(*series[:at], *series[at + 1 :])[0] == [(at, Fault.GAP)]
