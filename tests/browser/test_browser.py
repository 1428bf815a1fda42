"""The browser itself: that Chromium starts, and that axe finds what is planted for it."""

from __future__ import annotations

import pytest

PAGE = (
    "data:text/html,<!doctype html><html lang=en><title>A page</title>"
    "<main><h1>A page</h1>{}</main></html>"
)


@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
def test_a_sound_page_has_no_findings(turn_to, check_accessible, check_fits, colour_scheme):
    page = turn_to(PAGE.format("<p>Text</p>"), width=390, colour_scheme=colour_scheme)
    assert page.title() == "A page"
    assert check_accessible(page) == []
    assert check_fits(page)


def test_axe_finds_what_is_planted(turn_to, check_accessible):
    page = turn_to(PAGE.format("<img src='data:,'><button></button>"))
    found = {line.split(" ", 1)[0] for line in check_accessible(page)}
    assert {"button-name", "image-alt"} <= found


def test_a_page_too_wide_is_noticed(turn_to, check_fits):
    assert not check_fits(turn_to(PAGE.format("<pre style='width:900px'>x</pre>"), width=390))
