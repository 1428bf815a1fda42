"""Debian's Chromium through Playwright, and axe's verdict on a page.

`chromium` is one browser per module; `open_page` makes pages of a given width and colour
scheme, each in a context of its own, and fails the test if the page logged an error; `turn_to` is
as that, in one page for all the tests of a module that only look.
`check_accessible` lists what axe finds. Tests start their own node and pass URLs in.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import sync_playwright

CHROMIUM = Path(os.environ.get("HANSA_CHROMIUM", "/usr/bin/chromium"))
LOOKS = ((390, "dark"), (1280, "light"))
"""Widths and colour schemes in which pages are looked at; the first is the hardest.

No rule of our style sheets is of a width and a scheme at once.
"""


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium for one module of tests.

    Not for the session: Playwright keeps an event loop running in this thread while it lives, and
    tests elsewhere call `asyncio.run`.
    """
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}: run make browser, or name one in HANSA_CHROMIUM")
    with sync_playwright() as playwright:
        # root has no user namespace to build Chromium's sandbox from
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            # no process is begun for a page that may come
            args=["--no-sandbox", "--disable-dev-shm-usage", "--renderer-process-limit=1"],
        )
        yield browser
        browser.close()


def note_problems(page, problems):
    """Have what a page logs as an error noted."""
    page.on("pageerror", lambda error: problems.append(f"{page.url}: {error}"))
    page.on(
        "console",
        lambda line: problems.append(f"{page.url}: {line.text}") if line.type == "error" else None,
    )


@pytest.fixture
def open_page(chromium):
    """A function that opens a URL: `open_page(url, width=1280, colour_scheme="light")`."""
    contexts, problems = [], []

    def open_url(url, *, width=1280, colour_scheme="light"):
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=colour_scheme,
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        note_problems(page, problems)
        page.goto(url)
        return page

    yield open_url
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(scope="module")
def kept_page(chromium):
    """One page, and the problems that it had: to begin another costs more than to look at it."""
    context = chromium.new_context(reduced_motion="reduce")
    page, problems = context.new_page(), []
    note_problems(page, problems)
    yield page, problems
    context.close()


@pytest.fixture
def turn_to(kept_page):
    """As `open_page`, in the page of the test before: for tests that leave nothing in a browser."""
    page, problems = kept_page

    def turn(url, *, width=1280, colour_scheme="light"):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=colour_scheme)
        page.goto("about:blank")  # or another place on the same page would not be loaded
        page.goto(url)
        return page

    yield turn
    page.goto("about:blank")  # it asks no more
    found = problems.copy()
    problems.clear()
    assert found == []


@pytest.fixture(scope="session")
def check_accessible():
    """A function that returns axe's findings on a page, one line each; none is the aim.

    `only_colours` asks the rules alone whose answer another theme can change.
    """

    def check(page, *, only_colours=False):
        if page.evaluate("typeof axe") == "undefined":
            page.evaluate(AXE_SCRIPT)
        options = {"resultTypes": ["violations"]}
        if only_colours:
            options["runOnly"] = ["color-contrast", "link-in-text-block"]
        found = page.evaluate("options => axe.run(document, options)", options)
        return [
            f"{violation['id']} ({violation['impact']}): {violation['help']}: "
            f"{' '.join(map(str, node['target']))}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    return check


@pytest.fixture(scope="session")
def check_fits():
    """A function that says whether a page fits its width, without scrolling sideways."""

    def check(page):
        return page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        )

    return check
