"""The page of validators and the banner, in a real Chromium, on a network that a test stalls."""

from __future__ import annotations

import re

import pytest
from tests.browser.conftest import LOOKS
from tests.browser.voting import serve_voting
from tests.watched import PREVOTE

from hansa.node.service import wall_clock_ms

STALLED = "No block for"
LIVE_MS = 30_000


@pytest.fixture(scope="module")
def voting(tmp_path_factory):
    with serve_voting(tmp_path_factory.mktemp("log")) as site:
        yield site


def stall(site, **more):
    site.see((1,), step=PREVOTE, round=3, block_ms=wall_clock_ms() - 41_000, **more)


def flatten(table):
    return " ".join(table.inner_text().split())


def read_votes(page):
    """Read of each validator what the page says of its vote."""
    rows = page.locator("table").first.locator("tbody tr")
    return [row.locator("td").nth(2).inner_text() for row in rows.all()]


def test_a_vote_is_told_by_the_block_it_is_on(voting, turn_to):
    voting.see(voted=(20, 20, 19, 7))
    page = turn_to(f"{voting.url}/validators")
    assert "Vote on block 20" in flatten(page.locator("thead").first)
    assert sorted(read_votes(page)) == ["no vote", "not yet", "voted", "voted"]


def test_in_a_stall_the_vote_that_is_waited_for_is_told(voting, turn_to):
    stall(voting, voting=(0,))
    page = turn_to(f"{voting.url}/validators")
    told = "4 validators: 2 connected, 1 voted on block 21"
    page.get_by_text(told).wait_for(timeout=LIVE_MS)  # not what another saw
    assert "Vote on block 21" in flatten(page.locator("thead").first)
    assert sorted(read_votes(page)) == ["has come", "not come", "not come", "not come"]


def test_validators_and_peers_are_shown_by_member(voting, turn_to):
    voting.see()
    page = turn_to(f"{voting.url}/validators")
    assert page.locator("h1").inner_text() == "Validators"
    page.get_by_text("Vote on block 20").first.wait_for(timeout=LIVE_MS)  # not what another saw
    voters, peers = page.locator("table").all()
    assert "Monetary Authority 100 this node voted block 20" in flatten(voters)
    assert "Vote on block 20" in flatten(voters)
    assert peers.locator("tbody tr").count() == 3
    assert page.locator("#banner").is_hidden()


@pytest.mark.parametrize("path", ["/", "/members", "/validators"])
def test_a_stall_is_told_in_words_on_every_page(voting, turn_to, path):
    stall(voting)
    page = turn_to(voting.url + path)
    page.locator("#banner").get_by_text(STALLED).wait_for(timeout=LIVE_MS)
    banner = page.locator("#banner").inner_text()
    assert re.match(r"The network has stalled\. No block for \d+ s", banner)
    assert "2 of 4 validators (power 200 of 400) are not connected to this node" in banner


def test_a_page_that_is_open_tells_of_a_stall_and_of_its_end(voting, turn_to):
    voting.see()
    page = turn_to(f"{voting.url}/validators")
    page.locator("#banner").wait_for(state="hidden", timeout=LIVE_MS)
    stall(voting)
    page.locator("#banner").get_by_text(STALLED).wait_for(timeout=LIVE_MS)
    assert page.locator("td", has_text="missing").count() == 2
    voting.see(height=21)
    page.locator("#banner").wait_for(state="hidden", timeout=LIVE_MS)


@pytest.mark.parametrize("path", ["/", "/validators"])
def test_a_stalled_network_is_accessible_and_fits(
    voting, turn_to, check_accessible, check_fits, path
):
    stall(voting)
    page = turn_to(voting.url + path)
    page.locator("#banner").get_by_text(STALLED).wait_for(timeout=LIVE_MS)
    for width, colour_scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=colour_scheme)
        assert check_accessible(page) == [], (width, colour_scheme)
        assert check_fits(page), (width, colour_scheme)
