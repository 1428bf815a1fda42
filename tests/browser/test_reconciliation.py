"""The pages about reconciliation in a real Chromium, on the node of a bank that reconciles."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import msgspec
import pytest
from aiohttp import web
from tests.browser.conftest import LOOKS
from tests.browser.reconciling import list_pages, make_reconciled, write_rules
from tests.notarised import make_result, put_on_record
from tests.paired import Paired, running

from hansa.node.console.reconciliation.pages import ROOT
from hansa.node.console.routes import ROUTES
from hansa.node.serving.app import create_app
from hansa.node.settings import Access, Limits, LoopbackReads, Reconciliation, Settings

ZOOMED_WIDTH = 320
"""What 1,280 pixels are at a zoom of 400 percent."""
RESULTS = {f"{ROOT}/runs": f"{ROOT}/runs", f"{ROOT}/runs/{{name}}": f"{ROOT}/runs/books"}
"""Pages of results by their routes."""
OPEN = Settings(access=Access(loopback=LoopbackReads.EVERYTHING), limits=Limits(known_per_s=0))
OVERFLOWING = """boxes => boxes.filter(box => box.scrollWidth > box.clientWidth)
    .map(box => box.innerText)"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Serve the first bank's console from a thread with an event loop of its own."""
    ready: Future[tuple[str, dict[str, str]]] = Future()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()
    results = tmp_path_factory.mktemp("results")
    (results / "empty").mkdir()
    shown = Reconciliation(results=str(results))
    settings = msgspec.structs.replace(OPEN, reconciliation=shown)

    async def serve():
        paired = Paired(write_rules("Nostro"))
        put_on_record(paired.world, make_result(results, "books", tmp_path_factory.mktemp("work")))
        async with running(paired):
            made = await make_reconciled(paired)
            app = create_app(paired.node, settings, pairs=paired.services[0])
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            ready.set_result((url, {**list_pages(made), **RESULTS}))
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
    assert set(pages) == {route.path for route in ROUTES if route.path.startswith(ROOT)}
    page = open_page(url)
    for path in pages.values():
        page.goto(url + path)
        assert page.locator("h1").count() == 1
        for width, colour_scheme in LOOKS:
            page.emulate_media(color_scheme=colour_scheme)
            page.set_viewport_size({"width": width, "height": 900})
            found = check_accessible(page, only_colours=colour_scheme != "dark")
            assert found == [], (path, width)
            # Tables are read without scrolling sideways.
            assert page.locator(".scroll").evaluate_all(OVERFLOWING) == [], (path, width)
            assert check_fits(page), (path, width)
        page.set_viewport_size({"width": ZOOMED_WIDTH, "height": 600})
        assert check_fits(page), path
