"""The pages about risk control in a real Chromium, on the node of a bank that decides."""

from __future__ import annotations

import asyncio
import re
import threading
from concurrent.futures import Future

import pytest
from aiohttp import web
from tests.browser.conftest import LOOKS
from tests.decided import CUSTOMERS, RULES, decide_on_several
from tests.deciding_desk import Bank

from hansa.node.console.risk.pages import ROOT
from hansa.node.console.routes import ROUTES
from hansa.node.serving.app import create_app
from hansa.node.settings import Access, Limits, LoopbackReads, Settings

ZOOMED_WIDTH = 320
"""What 1,280 pixels are at a zoom of 400 percent."""
OPEN = Settings(access=Access(loopback=LoopbackReads.EVERYTHING), limits=Limits(known_per_s=0))
OVERFLOWING = """boxes => boxes.filter(box => box.scrollWidth > box.clientWidth)
    .map(box => box.innerText)"""
LETTERS_PX = 10
"""What letters of a picture have at least on a phone."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Serve the bank's console from a thread with an event loop of its own."""
    ready: Future[tuple[str, dict[str, str]]] = Future()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()
    bank = Bank(tmp_path_factory.mktemp("risk"), rules=RULES)
    bank.fund(*CUSTOMERS)

    async def serve():
        async with bank.running() as (node, desk):
            made = await decide_on_several(bank, node, desk)
            runner = web.AppRunner(create_app(node, OPEN, risk=desk), access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            pages = {route.path: route.path for route in ROUTES if route.path.startswith(ROOT)}
            decision = f"{ROOT}/decisions/{made.waits.hex()}"
            pages[f"{ROOT}/decisions/{{tx_id}}"] = decision
            ready.set_result((f"http://127.0.0.1:{runner.addresses[0][1]}", pages))
            await stopping.wait()
            await runner.cleanup()

    def run():
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    yield ready.result(60)
    loop.call_soon_threadsafe(stopping.set)
    thread.join(60)


def test_every_page_is_accessible_and_fits(site, open_page, check_accessible, check_fits):
    """All is asked on a phone in the dark; another width and theme change colours alone."""
    url, pages = site
    page = open_page(url)
    for route, path in pages.items():
        page.goto(url + path)
        assert page.locator("h1").count() == 1
        for width, colour_scheme in LOOKS:
            page.emulate_media(color_scheme=colour_scheme)
            page.set_viewport_size({"width": width, "height": 900})
            found = check_accessible(page, only_colours=colour_scheme != "dark")
            assert found == [], (path, width)
            assert page.locator(".scroll").evaluate_all(OVERFLOWING) == [], (path, width)
            assert check_fits(page), (path, width)
        page.set_viewport_size({"width": ZOOMED_WIDTH, "height": 600})
        assert check_fits(page), path
        if "{" in route:
            page.get_by_text(re.compile(r"All \d+ features")).click()
            assert page.locator(".scroll").evaluate_all(OVERFLOWING) == []
            height = page.locator(".graph text.other").first.bounding_box()["height"]
            assert height >= LETTERS_PX
