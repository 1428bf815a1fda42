"""The pass by evidence: what is compared and told, and what is not picked."""

import random
import re
from fractions import Fraction

import pytest
from tests.reconciled import make_side

from hansa.reconcile.batch.diagnosing import BreakClass
from hansa.reconcile.batch.engines import opened_duckdb
from hansa.reconcile.batch.passes.scored import LETTERS_MAX, make_rules, tell_reasons
from hansa.reconcile.batch.running import reconcile
from hansa.reconcile.entries import Entry
from hansa.reconcile.matching.comparisons import Measure
from hansa.reconcile.matching.linking import Evidence, Key, Reasons
from hansa.reconcile.rules.book import Comparison, Score
from hansa.reconcile.rules.loading import load_rules
from hansa.reconcile.rules.rates import RateTable

HEAD = """
name = "test"
sides = [{name = "ours"}, {name = "theirs", sign = -1}]

[[passes]]
name = "exact"
kind = "net"
on = ["account", "currency", "amount_minor", "value_date", "reference"]

[[passes]]
name = "evidence"
kind = "score"
"""
ON = 'on = ["account", "currency"]\n'
WORDS = ["rent", "power", "water", "school", "garden", "bread", "flour", "coal", "paper", "silk"]


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with opened_duckdb(tmp_path_factory.mktemp("duckdb"), threads=1) as opened:
        yield opened


def run(engine, left, right, lines=ON):
    book = load_rules((HEAD + lines).encode(), "rules.toml")
    tables = [engine.add(make_side(side)) for side in (left, right)]
    return reconcile(engine, *tables, book, sides=book.sides)


def entry(amount_minor, day, text, **more):
    return Entry("DE02", "EUR", amount_minor, day, day, text=text, **more)


def draw_sides(count, seed=1):
    """Two sides of late, rounded and cut payments; the rows of both are in the same order."""
    chance = random.Random(seed)
    left, right = [], []
    for at in range(count):
        minor, day = chance.randrange(10_000, 1_000_000), chance.randrange(60)
        text = f"{chance.choice(WORDS)} {chance.randrange(10**6):06} {chance.choice(WORDS)}"
        left.append(entry(minor, day, text, counterparty=f"c{at}"))
        off = minor // 200 if chance.random() < 0.4 else 0
        right.append(entry(-minor - off, day + chance.randrange(3), text[:14]))
    return left, right


def list_pairs(found):
    """Rows of both sides that the score matched."""
    (result,) = found.passes
    return [
        (int(found.rest.left.rows[each.left[0]]), int(found.rest.right.rows[each.right[0]]))
        for each in result.matches
    ]


def test_what_is_late_rounded_and_cut_is_matched_with_its_reasons(engine):
    left, right = draw_sides(150)
    found = run(engine, left, right)
    pairs = list_pairs(found)
    assert all(one == other for one, other in pairs)
    assert 145 - len(engine.fetch(found.pairs)) <= len(pairs) > 100
    for match in found.passes[0].matches:
        bits, rest = match.reason.split(" bits, 7.0 are asked: ", 1)
        weights = [float(each) for each in re.findall(r"\(([+-][0-9.]+)\)", rest)]
        assert float(bits) >= 7
        assert sum(weights) == pytest.approx(float(bits), abs=0.05 * (len(weights) + 1))
        assert "before comparing (-" in rest
        # What one side lacks is evidence of nothing, and is not told.
        assert "counterparty" not in rest
        assert "reference" not in rest
        assert rest.endswith(("no other has enough", " bits less"))


def test_reasons_are_told_in_words():
    measures = [
        ("amount_minor", "difference"), ("amount_minor", "ppm"), ("date", "days"),
        ("code", "equal"), ("counterparty_account", "letters"), ("text", "beginning"),
        ("text", "words"), ("batch", "equal"),
    ]  # fmt: skip
    asked = Score(
        name="s",
        on=("currency",),
        compare=tuple(Comparison(field=field, measure=measure) for field, measure in measures),
    )
    values = [-120, 4_200, -1, 0, 874, 8, 0, None]
    evidence = tuple(
        Evidence(f"{field} {measure}", field, value, 1_500 * (at - 2))
        for at, ((field, measure), value) in enumerate(zip(measures, values, strict=True))
    )
    assert tell_reasons(Reasons(evidence, -12_040, 7_000, 3_460), asked, "EUR") == (
        "10.5 bits, 7.0 are asked: -1.20 EUR apart (-3.0), amount 0.42 % apart (-1.5), "
        "1 day earlier (+0.0), another code (+1.5), counterparty account alike in 87 % of letters "
        "(+3.0), text with a beginning that one in 256 has (+4.5), text with no rare word in common"
        " (+6.0), before comparing (-12.0)"
    )


def test_equal_partners_are_told_and_not_picked(engine):
    left, right = draw_sides(100)
    left.append(entry(77_700, 70, "silk 123456 coal"))
    # Alike in all that is compared; nobody says whether one is the other.
    right += [
        entry(-77_700, 71, "silk 123456 co", counterparty_account=each) for each in ("1", "2")
    ]
    found = run(engine, left, right)
    assert 100 not in {left_row for left_row, _ in list_pairs(found)}
    ambiguous = [each for each in found.breaks if each.kind is BreakClass.AMBIGUOUS]
    assert [(len(each.left), len(each.right)) for each in ambiguous] == [(1, 2)]
    # Two that only their bank tells apart are interchangeable.
    right = [each._replace(counterparty_account="") for each in right]
    found = run(engine, left, right)
    assert 100 in {left_row for left_row, _ in list_pairs(found)}


def test_only_open_entries_of_the_same_fields_within_the_days_are_looked_at(engine):
    left, right = draw_sides(100)
    right[3] = right[3]._replace(currency="USD")
    right[4] = right[4]._replace(booking_date=None, value_date=None)
    right[5] = right[5]._replace(value_date=left[5].value_date + 8)
    right[6] = left[6]._replace(amount_minor=-left[6].amount_minor)  # the net matches it
    found = run(engine, left, right)
    pairs = dict(list_pairs(found))
    assert not {3, 4, 5, 6} & set(pairs)
    assert {3, 4, 5}.isdisjoint(pairs.values())
    late = dict(list_pairs(run(engine, left, right, f"{ON}days_after = 8\n")))
    assert late[5] == 5


def test_amounts_of_other_currencies_are_converted_first(engine):
    rules = """
[[passes]]
name = "never"
kind = "net"
on = ["account", "currency", "amount_minor"]

[rates]
file = "rates.csv"
currency = "EUR"
"""
    left, right = draw_sides(100)
    right = [
        each._replace(currency="JPY", amount_minor=each.amount_minor * 160 // 100, account="x")
        for each in right
    ]
    lines = 'on = ["code"]\nconverted = true\n' + rules
    book = load_rules((HEAD + lines).encode(), "rules.toml")
    rates = RateTable(100)
    rates.add(0, "EUR", "JPY", Fraction(160))
    tables = [engine.add(make_side(side)) for side in (left, right)]
    found = reconcile(engine, *tables, book, sides=book.sides, rates=rates)
    assert len(found.passes[0].matches) > 90


def test_rules_say_all_that_linking_asks():
    book = load_rules(
        f"""{HEAD}{ON}
days_before = 2
days_after = 9
threshold_millibits = -1
compare = [
  {{field = "amount_minor", measure = "difference", levels = [-5, 0, 5]}},
  {{field = "date"}},
  {{field = "text", measure = "words"}},
]
blocks = [
  {{share = [{{field = "code", letters = 2}}], amount_ppm = 9, teaches = ["amount_minor", "date"]}},
  {{amount_minor = 4, teaches = ["text"]}},
]
""".encode(),
        "rules.toml",
    )
    rules = make_rules(book.passes[1])
    first, second = rules.blocks
    assert first.keys[1:] == (Key("code", 2),)
    assert tuple(first.tolerance) == (0, 9, 2, 9)
    assert first.learns == ("amount_minor difference", "date days")
    assert (second.tolerance.amount_minor, second.learns) == (4, ("text words",))
    assert [each.measure for each in rules.comparisons] == [
        Measure.DIFFERENCE, Measure.DIFFERENCE, Measure.WORDS,
    ]  # fmt: skip
    assert rules.comparisons[0].bounds == (-5, 0, 5)
    assert rules.threshold_millibits == -1


def test_long_texts_are_compared_by_their_first_letters(engine):
    left, right = draw_sides(60)
    filling = "x" * LETTERS_MAX
    left[0], right[0] = (
        each[0]._replace(text=filling + end) for each, end in ((left, "a"), (right, "b"))
    )
    found = run(engine, left, right)
    (match,) = [each for each in found.passes[0].matches if found.rest.left.rows[each.left[0]] == 0]
    assert "text alike in 100 % of letters" in match.reason


@pytest.mark.parametrize("counts", [(0, 0), (0, 3), (3, 0), (1, 1)])
def test_few_entries_or_none_teach_nothing(engine, counts):
    left, right = draw_sides(3)
    found = run(engine, left[: counts[0]], right[: counts[1]])
    assert sum(len(each.left) + len(each.right) for each in found.breaks) == sum(counts)
