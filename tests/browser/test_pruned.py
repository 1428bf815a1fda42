"""The pages of a node that does not keep its first blocks, in a real Chromium."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.pruned import make_pruned_folder
from tests.running import UNLIMITED, run_folder
from tests.world import key

from hansa.kernel.crypto.address import to_text
from hansa.node.records import open_log
from hansa.node.settings import Access, LoopbackReads

ANN = to_text(key("ann").address)
EVERYTHING = Access(loopback=LoopbackReads.EVERYTHING)


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    home = make_pruned_folder(tmp_path_factory.mktemp("pruned") / "node")
    with run_folder(home, replace(UNLIMITED, access=EVERYTHING)) as running:
        yield running


def find_lowest(running):
    reader = open_log(running.home.log_path)
    try:
        return reader.height_min
    finally:
        reader.close()


def test_pages_on_what_is_not_kept_fit_and_can_be_read(
    pruned, turn_to, check_fits, check_accessible
):
    lowest = find_lowest(pruned)
    places = ("/", "/supply", "/blocks", f"/blocks/{lowest}", f"/wallets/{ANN}")
    for place in places:
        page = turn_to(pruned.url + place, width=390)
        assert page.locator("h1").count() == 1
        assert check_fits(page), place
        assert check_accessible(page) == [], place
        page.set_viewport_size({"width": 1280, "height": 900})
        assert check_fits(page), place
