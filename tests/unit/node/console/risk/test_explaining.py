"""Values of features in units, and shapes of pictures."""

from __future__ import annotations

import pytest

from hansa.node.console.risk.pictures import WIDTH, draw
from hansa.node.console.risk.reasons import explain_reasons
from hansa.node.console.risk.surroundings import Flow, Surroundings
from hansa.node.console.risk.values import ONE, find_catalogue, read_values, say, write_value
from hansa.node.console.text.formatting import Format
from hansa.node.risk.clerk.format import KeptPayment
from hansa.risk.catalogue import Feature, encode_features, hash_features
from hansa.risk.intake.describing import CATALOGUE, FEATURES_HASH
from hansa.risk.packing import pack_row
from hansa.risk.rules.book import Rule

FORMATS = Format(0, {"MOP": 2})
BY_NAME = {feature.name: feature for feature in CATALOGUE}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("amount_minor", 123_450, "1,234.50\xa0MOP"),
        ("payer_idle_ms", 90_000_000, "1 day 1 hour"),
        ("amount_to_payer_mean_7d", ONE * 17 // 5, "3.4 times"),
        ("amount_to_payer_mean_7d", ONE * 250, "250 times"),
        ("amount_to_payer_mean_7d", 2**36, "16,384 times or more"),
        ("graph_back_share", ONE // 4, "25\xa0%"),
        ("payer_count_1h", 1_200, "1,200"),
        ("weekday", 6, "Sunday"),
        ("hour", 3, "3:00 to 3:59"),
        ("is_night", 1, "yes"),
        ("graph_capped", 5, "the search of the payer, for cycles"),
        ("pair_age_ms", -1, "not known"),
        ("pair_age_ms", 0, "0 seconds"),
    ],
)
def test_a_value_is_written_in_its_unit(name, value, text):
    assert write_value(BY_NAME[name], value, "MOP", FORMATS) == text


def test_what_a_feature_says_is_plain_text_and_a_row_of_others_is_not_read():
    assert not any("<" in say(feature) for feature in CATALOGUE)
    assert read_values((1, 2), CATALOGUE, "MOP", FORMATS) == []
    assert len(read_values([7] * len(CATALOGUE), CATALOGUE, "MOP", FORMATS)) == len(CATALOGUE)


def test_values_are_told_by_the_names_under_which_they_were_kept():
    others = [*CATALOGUE[1:], Feature("mood", "count", "How the payer felt.")]
    raw, row = encode_features(others), list(range(1, len(others) + 1))
    catalogue = find_catalogue(hash_features(others), raw)
    assert list(catalogue) == others
    assert find_catalogue(FEATURES_HASH, None) == CATALOGUE
    values = read_values(row, catalogue, "MOP", FORMATS)
    assert [each.name for each in values] == [each.name for each in others]
    payment = KeptPayment(bytes(32), bytes(32), "MOP", 5, 1, True, pack_row(row), None)
    rule = Rule("sad", "review", ("mood >= 3",))

    def explain(catalogue):
        codes = ("feature.mood", "rule.sad", "feature.amount_minor")
        return explain_reasons(codes, {"sad": rule}, [payment], catalogue, FORMATS)

    felt, sad, _ = explain(catalogue)
    assert (felt.sentence, felt.values) == ("By the model: how the payer felt", (str(row[-1]),))
    assert sad.conditions == (f"mood >= 3 (it was {row[-1]})",)
    for lost in (None, encode_features(CATALOGUE)):
        catalogue = find_catalogue(hash_features(others), lost)
        assert read_values(row, catalogue, "MOP", FORMATS) == []
        felt, sad, paid = explain(catalogue)
        assert (felt.values, sad.conditions) == ((), ("mood >= 3",))
        assert (paid.sentence, paid.values) == ("By the model: how much is paid", ())


@pytest.mark.parametrize("count", [0, 1, 12])
def test_a_picture_keeps_every_wallet_within_it_and_apart(count):
    others = [bytes([number]) * 32 for number in range(10, 10 + count)]
    payer, payee = b"\1" * 32, b"\2" * 32
    flows = [Flow(each, payer, 1, 100 + at, 0) for at, each in enumerate(others)]
    flows += [Flow(payee, payer, 1, 5, 0), Flow(payer, payee, 2, 9, 0)]
    around = Surroundings(payer, payee, "MOP", 50, tuple(flows), tuple(others), 0, (), is_cut=False)
    picture = draw(around)
    assert len(picture.arrows) == len(flows) + 1
    assert picture.arrows[-1].kind == "own"
    for node in picture.nodes:
        assert node.radius <= node.x <= WIDTH - node.radius
        assert node.radius <= node.y <= picture.height - node.radius
        for other in picture.nodes:
            if other is not node:
                apart = ((node.x - other.x) ** 2 + (node.y - other.y) ** 2) ** 0.5
                assert apart >= node.radius + other.radius
    assert {picture.name(payer), picture.name(payee)} == {"Payer", "Payee"}
