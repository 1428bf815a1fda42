"""Hostile input is refused for what is wrong with it, and the same input without it is accepted."""

import json
from pathlib import Path

import pytest
from tests.hostile.page import PAGE, render
from tests.hostile.paths import expand, judge

VECTORS = Path(__file__).parents[2] / "vectors" / "hostile"
THEMES = {path.stem: json.loads(path.read_text()) for path in sorted(VECTORS.glob("*.json"))}
SOUND = [
    pytest.param(theme, each, id=f"{name}: {each['name']}")
    for name, theme in THEMES.items()
    for each in theme["sound"]
]
CASES = [
    pytest.param(theme, each, id=f"{name}: {each['name']}")
    for name, theme in THEMES.items()
    for each in theme["cases"]
]


def find_sound(theme, name):
    return next(each for each in theme["sound"] if each["name"] == name)


@pytest.mark.parametrize(("theme", "sound"), SOUND)
def test_what_attacks_begin_with_is_accepted(theme, sound):
    assert judge(theme["kind"], theme["pre"] | sound.get("pre", {}), sound["input"]) == []


@pytest.mark.parametrize(("theme", "case"), CASES)
def test_an_attack_is_refused_in_these_words(theme, case):
    sound = find_sound(theme, case["sound"])
    pre = theme["pre"] | sound.get("pre", {}) | case.get("pre", {})
    given = case.get("input", sound["input"])
    assert (given, pre) != (sound["input"], theme["pre"] | sound.get("pre", {}))
    found = judge(theme["kind"], pre, given)
    expected = [[each["check"], each["fault"], each["text"]] for each in case["refused"]]
    assert found == expected
    assert expected, "an attack that nobody notices"
    assert all(text.isprintable() and 10 < len(text) <= 601 for _, _, text in found)


def test_each_case_has_a_name_of_its_own_and_says_what_it_goes_against():
    for theme in THEMES.values():
        names = [each["name"] for each in theme["cases"]]
        assert len(set(names)) == len(names)
        assert all(each["attacks"] for each in theme["cases"])


def test_the_page_tells_them_all():
    assert PAGE.read_text() == render(), "run python -m tests.hostile.page"


def test_short_forms_are_written_out():
    told = {"a": [{"$join": ["x", {"$repeat": ["ab", 2]}]}], "b": 1}
    assert expand(told) == {"a": ["xabab"], "b": 1}
