"""Rules fire as their conditions say, told by another who reads the same words."""

import operator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hansa.kernel.errors import Invalid
from hansa.risk.rules.backtest import Known, Tried, backtest
from hansa.risk.rules.book import load_rules
from hansa.risk.rules.firing import fire, fire_rows, lay_out
from hansa.risk.verdicts import Verdict

FEATURES = ("amount_minor", "mean_minor", "age_ms")
SIGNS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}


def holds(text, row):
    """Say whether a condition holds, in exact fractions."""
    name, sign, *right = text.split()
    values = dict(zip(FEATURES, row, strict=True))
    if right == ["missing"]:
        return SIGNS[sign](values[name], -1)
    other = values.get(right[-1], right[-1])
    if -1 in (values[name], other):
        return False
    factor = Fraction(right[0]) if len(right) > 1 else 1
    return SIGNS[sign](values[name], Fraction(other) * factor)


numbers = st.one_of(st.integers(0, 12), st.integers(0, 2**53))
values = st.one_of(st.just(-1), numbers, st.integers(2**53, 2**62 - 1))
factors = st.one_of(st.just(""), st.decimals(0, 100, places=3).map("{} * ".format))
conditions = st.one_of(
    st.builds("{} {} {}".format, st.sampled_from(FEATURES), st.sampled_from(list(SIGNS)), numbers),
    st.builds("{} {} missing".format, st.sampled_from(FEATURES), st.sampled_from(["=", "!="])),
    st.builds(
        "{} {} {}{}".format,
        st.sampled_from(FEATURES),
        st.sampled_from(list(SIGNS)),
        factors,
        st.sampled_from(FEATURES),
    ),
)
rules = st.tuples(
    st.sampled_from([each.name.lower() for each in Verdict]),
    st.lists(conditions, max_size=3),
    st.lists(conditions, max_size=2),
    st.booleans(),
).filter(lambda rule: rule[1] or rule[2])


def write(told):
    parts = ['name = "tried"']
    for number, (verdict, of_all, of_any, is_trial) in enumerate(told):
        parts.append(f'[[rules]]\nname = "rule_{number}"\nverdict = "{verdict}"')
        parts.append(f"all = {of_all}\nany = {of_any}\nis_trial = {str(is_trial).lower()}")
    return "\n".join(parts).encode()


@settings(max_examples=60)
@given(st.lists(rules, max_size=4), st.lists(st.tuples(values, values, values), min_size=1))
def test_what_fires_is_what_the_words_say(told, rows):
    laid = lay_out(load_rules(write(told), "rules.toml", FEATURES))
    table = np.array(rows, np.int64)
    fired = np.zeros((len(rows), len(told)), np.bool_)
    verdicts = np.zeros(len(rows), np.int64)
    fire_rows(laid, table, fired, verdicts)
    for row, found, verdict in zip(rows, fired, verdicts, strict=True):
        expected = [
            all(holds(each, row) for each in of_all)
            and (not of_any or any(holds(each, row) for each in of_any))
            for _, of_all, of_any, _ in told
        ]
        assert found.tolist() == expected
        deciding = [
            Verdict[rule[0].upper()]
            for rule, fires in zip(told, expected, strict=True)
            if fires and not rule[3]
        ]
        assert verdict == max(deciding, default=-1)
    alone = np.zeros(len(told), np.bool_)
    assert fire(laid, table[0], alone) == verdicts[0]
    assert alone.tolist() == fired[0].tolist()


def test_backtest_counts_what_each_rule_found_and_found_alone():
    raw = write(
        [
            ("block", ["amount_minor >= 100"], [], False),
            ("review", ["amount_minor >= 50"], [], True),
            ("review", ["age_ms < 1min"], [], False),
        ]
    )
    read = load_rules(raw, "rules.toml", FEATURES)
    rows = np.array([[200, 0, -1], [70, 0, -1], [60, 0, 10], [10, 0, 99], [10, 0, 10**6]])
    known = Known(
        np.array([True, True, False, True, True]),
        np.array([True, True, True, False, True]),
        rows[:, 0].copy(),
    )
    found = backtest(read, rows, known)
    assert found.rules == (
        Tried("rule_0", 1, 1, 0, 0, 200),
        Tried("rule_1", 3, 2, 1, 1, 270),
        Tried("rule_2", 2, 0, 1, 0, 0),
    )
    assert (found.payments, found.frauds, found.caught, found.alerts) == (5, 3, 2, 4)
    assert found.rules[1].precision_permille == 666


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ('all = ["amont_minor > 5"]', "amont_minor, which is no feature: perhaps amount_minor is"),
        ('all = ["amount_minor > missing"]', "only = and != can be asked"),
        ('all = ["amount_minor > 5h"]', "only features that end in _ms are"),
        ('any = ["age_ms > -1"]', r"any\[0\]: 'age_ms > -1' compares with '-1'"),
        ('all = ["age_ms is small"]', "is no condition: write a feature, one of"),
        ('all = ["age_ms > 101 * mean_minor"]', "multiplies by 101: by at most 100"),
        ("all = []", r"rules\[0\] \(odd\): has no condition"),
        ('al = ["age_ms > 1"]', "al"),
        ('all = ["age_ms > 9999999999999999"]', "at most 9007199254740992"),
    ],
)
def test_a_rule_that_is_none_is_refused_with_its_place(rule, told):
    raw = f'name = "x"\n[[rules]]\nname = "odd"\nverdict = "block"\n{rule}\n'.encode()
    with pytest.raises(Invalid, match=told):
        load_rules(raw, "rules.toml", FEATURES)


def test_two_rules_of_one_name_are_refused():
    one = '\n[[rules]]\nname = "odd"\nverdict = "block"\nall = ["age_ms > 1"]\n'
    with pytest.raises(Invalid, match=r"rules\[1\] \(odd\).name: another rule has it"):
        load_rules(f'name = "x"\n{one}{one}'.encode(), "rules.toml", FEATURES)


@pytest.mark.parametrize("sign", list(SIGNS))
def test_a_product_that_64_bits_do_not_hold_is_above_all(sign):
    text, row = f"amount_minor {sign} 100 * mean_minor", (2**62 - 1, 2**57 + 2**56, 0)
    laid = lay_out(load_rules(write([("block", [text], [], False)]), "rules.toml", FEATURES))
    fired = np.zeros(1, np.bool_)
    fire(laid, np.array(row, np.int64), fired)
    assert fired[0] == holds(text, row)
