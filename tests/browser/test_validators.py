"""The page of validators and the banner, in a real Chromium, on a network that a test stalls."""

from __future__ import annotations

import pytest
from tests.browser.voting import serve_voting
from tests.watched import PREVOTE

from hansa.node.service import wall_clock_ms

WIDTHS = (390, 1280)
SCHEMES = ("light", "dark")
STALLED = "No block for"
LIVE_MS = 15_000


@pytest.fixture(scope="module")
def voting(tmp_path_factory):
    with serve_voting(tmp_path_factory.mktemp("log")) as site:
        yield site


def stall(site):
    site.see((1,), step=PREVOTE, round=3, block_ms=wall_clock_ms() - 41_000)


def test_validators_and_peers_are_shown_by_member(voting, open_page):
    voting.see()
    page = open_page(f"{voting.url}/validators")
    assert page.locator("h1").inner_text() == "Validators"
    voters, peers = page.locator("table").all()
    assert "Monetary Authority 100 this node voted" in " ".join(voters.inner_text().split())
    assert peers.locator("tbody tr").count() == 3
    assert page.locator("#banner").is_hidden()


@pytest.mark.parametrize("path", ["/", "/members", "/validators"])
def test_a_stall_is_told_in_words_on_every_page(voting, open_page, path):
    stall(voting)
    page = open_page(voting.url + path)
    page.locator("#banner").get_by_text(STALLED).wait_for(timeout=LIVE_MS)
    banner = page.locator("#banner").inner_text()
    assert banner.startswith("The network has stalled. No block for 4")
    assert "2 of 4 validators (power 200 of 400) are not connected to this node" in banner


def test_a_page_that_is_open_tells_of_a_stall_and_of_its_end(voting, open_page):
    voting.see()
    page = open_page(f"{voting.url}/validators")
    page.locator("#banner").wait_for(state="hidden", timeout=LIVE_MS)
    stall(voting)
    page.locator("#banner").get_by_text(STALLED).wait_for(timeout=LIVE_MS)
    assert page.locator("td", has_text="missing").count() == 2
    voting.see(height=21)
    page.locator("#banner").wait_for(state="hidden", timeout=LIVE_MS)


@pytest.mark.parametrize("path", ["/", "/validators"])
def test_a_stalled_network_is_accessible_and_fits(
    voting, open_page, check_accessible, check_fits, path
):
    stall(voting)
    page = open_page(voting.url + path)
    page.locator("#banner").get_by_text(STALLED).wait_for(timeout=LIVE_MS)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for colour_scheme in SCHEMES:
            page.emulate_media(color_scheme=colour_scheme)
            assert check_accessible(page) == [], (width, colour_scheme)
            assert check_fits(page), (width, colour_scheme)
