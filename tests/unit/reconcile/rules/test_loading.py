"""Rule files: read as they stand, or refused with what is wrong and where."""

import datetime as dt
import re
from pathlib import Path

import pytest

from hansa.kernel.errors import Invalid
from hansa.reconcile.rules.book import Net, Side, Sum, Window
from hansa.reconcile.rules.loading import RULES_BYTES_MAX, load_rules
from hansa.reconcile.rules.pairs import list_pairs
from hansa.reconcile.rules.scores import get_levels, get_measure

ROOT = Path(__file__).parents[4]
WHOLE = """
name = "Nostro at River Bank"

[[sides]]
name = "ours"

[[sides]]
name = "theirs"
sign = -1

[calendar]
holidays = [2026-12-25, 2027-01-01]
cut_off = 17:00:00
offset_minutes = 60

[window]
days = 7
from = 2026-01-05

[references]
fields = ["reference", "text"]
ignore_case = true
prefixes = ["EREF+"]

[rates]
file = "rates.csv"
currency = "EUR"

[breaks]
ageing_days = [1, 5]
priorities = [{priority = 1, over_minor = 100_000_00}, {priority = 3}]

[[passes]]
name = "exact"
kind = "net"
on = ["account", "currency", "amount_minor", "value_date", "reference"]

[[passes]]
name = "sums"
kind = "sum"
on = ["account", "currency"]
days = 2
business_days = true
"""


def change(old, new):
    assert old in WHOLE
    return WHOLE.replace(old, new, 1).encode()


def test_a_file_is_read_whole():
    book = load_rules(WHOLE.encode(), "rules.toml")
    assert book.sides == (Side(name="ours"), Side(name="theirs", sign=-1))
    exact, sums = book.passes
    assert isinstance(exact, Net)
    assert isinstance(sums, Sum)
    assert (sums.parts_max, sums.days, sums.amount_minor) == (4, 2, 0)
    assert book.calendar.holidays == (dt.date(2026, 12, 25), dt.date(2027, 1, 1))
    assert book.window == Window(days=7, start=dt.date(2026, 1, 5))
    assert [each.priority for each in book.breaks.priorities] == [1, 3]


NET = 'kind = "net_zero"\nby = "amount"'
PAIR = '[[pairs]]\nleft = "theirs"\nright = "ours"\n'
THIRD = '[[sides]]\nname = "third"\n[[pairs]]\nleft = "ours"\nright = "theirs"\n'
FAULTS = [
    (change('name = "theirs"', 'name = "ours"'), "sides: the name 'ours' stands there twice"),
    (change('name = "sums"', 'name = "exact"'), "passes: the name 'exact' stands there twice"),
    (change('name = "ours"', 'name = "ours"\nsign = -1'), "sides[0].sign"),
    (change("[1, 5]", "[5, 1]"), "breaks.ageing_days: must rise"),
    (change('kind = "sum"', 'kind = "magic"'), "magic"),
    (change("days = 2", "days = -2"), "passes"),
    (change(', "currency", "amount_minor"', ""), "(exact).on: must name currency and amount_minor"),
    (change('"amount_minor", ', ""), "passes[0] (exact).on: must name amount_minor, or"),
    (change("days = 2", "dais = 2"), "dais"),
    (change("days = 2", f"amount_minor = {2**53 + 1}"), "amount_minor"),
    (change("days = 2", "converted = true"), "passes[1] (sums).on"),
    (change('["account", "currency"]', '["account"]'), "must name currency"),
    (change('["account", "currency"]', '["currency", "currency"]'), "names a field twice"),
    (change('["account", "currency"]', '["currency", "amount_minor"]'), "leave them out"),
    (change('"EUR"', '"euro"'), "three capital letters"),
    (change("days = 7", "days = 0"), "window.days"),
    (change("from = 2026-01-05", ""), "window.from is missing"),
    (change("from = 2026-01-05", "from = 5"), "window.from"),
    (change("[calendar]", "[calendar"), "not TOML"),
    (
        change(
            "[calendar]",
            '[calendar]\nweekend = ["monday", "tuesday", "wednesday", "thursday", "friday", '
            '"saturday", "sunday"]',
        ),
        "calendar.weekend",
    ),
    (change("[calendar]", PAIR + "[calendar]"), "pairs: two sides are a pair already"),
    (change("[calendar]", THIRD + "[calendar]"), "pairs: the side 'third' is in none"),
    (change("[calendar]", THIRD + PAIR + "[calendar]"), "pairs[1]: theirs and ours are a pair"),
    (
        change("[calendar]", THIRD + PAIR.replace('"ours"', '"yours"') + "[calendar]"),
        "pairs[1]: there is no side 'yours'",
    ),
    (
        change("[calendar]", THIRD + PAIR.replace('"ours"', '"theirs"') + "[calendar]"),
        "pairs[1]: a side is not reconciled with itself",
    ),
    (change("[calendar]", THIRD + 'passes = ["x"]\n[calendar]'), "pairs[0].passes: there is no"),
    (change('kind = "sum"', 'kind = "net_zero"\nentries_max = 3'), "passes[1] (sums).entries_max"),
    (change('kind = "sum"', f"{NET}\nentries_max = 13"), "entries_max"),
    (change('kind = "sum"', f"{NET}\namount_ppm = 3"), "passes[1] (sums).amount_ppm"),
    (change('kind = "sum"', f"{NET}\ncharges = true"), "passes[1] (sums).charges"),
    (b"\xff", "not TOML"),
    (b"\n" + b"a." * 100_000 + b"b = 1", "line 2 has more than 100 dots"),
    (b"#" * (RULES_BYTES_MAX + 1), "bytes"),
]


@pytest.mark.parametrize(("raw", "told"), FAULTS)
def test_what_is_wrong_is_told(raw, told):
    with pytest.raises(Invalid) as caught:
        load_rules(raw, "rules.toml")
    assert caught.value.message.startswith("rules.toml: ")
    assert told in caught.value.message


def test_amounts_of_other_currencies_need_rates():
    raw = change('[rates]\nfile = "rates.csv"\ncurrency = "EUR"', "")
    raw = raw.replace(b"days = 2", b"converted = true").replace(b', "currency"]\nconv', b"]\nconv")
    with pytest.raises(Invalid, match=r"passes\[1\] \(sums\)\.converted: there is no \[rates\]"):
        load_rules(raw, "rules.toml")


SCORE = """
name = "t"
sides = [{name = "a"}, {name = "b"}]

[[passes]]
name = "evidence"
kind = "score"
on = ["currency"]
"""


def test_a_short_score_has_usual_comparisons():
    (score,) = load_rules(SCORE.encode(), "r").passes
    assert (score.days_before, score.days_after, score.threshold_millibits) == (7, 7, 7_000)
    measured = [(each.field, get_measure(each)) for each in score.compare]
    assert measured == [
        ("amount_minor", "ppm"),
        ("date", "days"),
        ("reference", "letters"),
        ("counterparty", "letters"),
        ("text", "letters"),
        ("text", "beginning"),
    ]
    assert all(get_levels(each) for each in score.compare)


LEVELS = ", ".join(map(str, range(30)))
MANY = ", ".join(
    f'{{field = "{field}", measure = "{measure}", levels = [{LEVELS}]}}'
    for field in ("reference", "text", "code", "batch", "counterparty")
    for measure in ("letters", "beginning", "words")
)
SCORE_FAULTS = [
    ('compare = [{field = "date", measure = "ppm"}]', "it may be days, equal"),
    ('compare = [{field = "text", measure = "difference"}]', "compare[0] (text).measure: "),
    ('compare = [{field = "amount_minor", measure = "difference"}]', "list their upper ends"),
    ('compare = [{field = "code", measure = "equal", levels = [0]}]', "leave the levels out"),
    ('compare = [{field = "text", levels = [500, 500]}]', "compare[0] (text).levels: must rise"),
    ('compare = [{field = "text"}, {field = "text", measure = "letters"}]', "by letters twice"),
    (f"compare = [{MANY}]", "too many comparisons, or levels of them"),
    ("compare = []", "compare"),
    ('compare = [{field = "colour"}]', "colour"),
    ('blocks = [{teaches = ["code"]}]', "blocks[0].teaches: code is not compared"),
    ('blocks = [{teaches = ["text"]}]', "none teaches amount_minor, counterparty, date, reference"),
    ('blocks = [{share = [{field = "date"}], teaches = ["text"]}]', "blocks"),
    ("threshold_millibits = 0.5", "threshold_millibits"),
    ("days_before = -1", "days_before"),
    ("converted = true", "there is no [rates]"),
]


@pytest.mark.parametrize(("lines", "told"), SCORE_FAULTS)
def test_what_a_score_cannot_compare_is_told(lines, told):
    with pytest.raises(Invalid) as caught:
        load_rules(f"{SCORE}{lines}\n".encode(), "r")
    assert told in caught.value.message


def test_a_score_may_lie_below_even_odds_and_list_its_blocks():
    lines = """
threshold_millibits = -5000
compare = [{field = "amount_minor"}, {field = "text", measure = "words"}]
blocks = [
  {share = [{field = "text", letters = 3}], amount_ppm = 300000, teaches = ["amount_minor"]},
  {amount_minor = 5, teaches = ["text"]},
]
"""
    (score,) = load_rules(f"{SCORE}{lines}".encode(), "r").passes
    assert score.threshold_millibits == -5_000
    assert [len(each.share) for each in score.blocks] == [1, 0]


def test_the_examples_of_the_reference_are_rules():
    text = (ROOT / "docs" / "reference" / "reconciliation-rules.md").read_text()
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    whole, pairs, calendar, window, net_zero, score = examples
    assert [each.name for each in load_rules(whole.encode(), "r").passes][-1] == "evidence"
    head = 'name = "t"\nsides = [{name = "a"}, {name = "b"}]\n'
    book = load_rules(f"{head}{calendar}{window}{net_zero}{score}".encode(), "r")
    assert (book.calendar.offset_minutes, book.window.days) == (60, 1)
    assert book.passes[0].entries_max == 5
    assert len(book.passes[1].blocks) == 2
    passes = whole[whole.index("[[passes]]") :]
    lent, shared = list_pairs(load_rules(f'name = "t"\n{pairs}{passes}'.encode(), "r"))
    assert [(each.name, each.sign) for each in lent.sides] == [("platform", 1), ("lender", -1)]
    assert [(each.name, each.sign) for each in shared.sides] == [("lender", 1), ("partner", 1)]
    assert [len(each.passes) for each in (lent, shared)] == [3, 1]
