"""Rule files: read as they stand, or refused with what is wrong and where."""

import datetime as dt

import pytest

from hansa.kernel.errors import Invalid
from hansa.reconcile.rules.book import Net, Side, Sum
from hansa.reconcile.rules.loading import RULES_BYTES_MAX, load_rules

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
    assert [each.priority for each in book.breaks.priorities] == [1, 3]


FAULTS = [
    (change('name = "theirs"', 'name = "ours"'), "sides: the name 'ours' stands there twice"),
    (change('name = "sums"', 'name = "exact"'), "passes: the name 'exact' stands there twice"),
    (change('name = "ours"', 'name = "ours"\nsign = -1'), "sides[0].sign"),
    (change("[1, 5]", "[5, 1]"), "breaks.ageing_days: must rise"),
    (change('kind = "sum"', 'kind = "magic"'), "magic"),
    (change("days = 2", "days = -2"), "passes"),
    (change("days = 2", "dais = 2"), "dais"),
    (change("days = 2", "converted = true"), "passes[1] (sums).on"),
    (change('["account", "currency"]', '["account"]'), "must name currency"),
    (change('["account", "currency"]', '["currency", "currency"]'), "names a field twice"),
    (change('["account", "currency"]', '["currency", "amount_minor"]'), "leave them out"),
    (change('"EUR"', '"euro"'), "three capital letters"),
    (change("[calendar]", "[calendar"), "not TOML"),
    (
        change(
            "[calendar]",
            '[calendar]\nweekend = ["monday", "tuesday", "wednesday", "thursday", "friday", '
            '"saturday", "sunday"]',
        ),
        "calendar.weekend",
    ),
    (b"\xff", "not TOML"),
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
