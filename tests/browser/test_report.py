"""The report of a reconciliation in a real Chromium, from the file system and on paper."""

from __future__ import annotations

import pytest
from tests.browser.conftest import LOOKS
from tests.reconciled import run_sides

from hansa.reconcile.entries import Entry
from hansa.reconcile.report.page import PAGE

pytestmark = pytest.mark.browser

PAPER_WIDTH = 688
"""What A4 leaves between margins of 14 mm, in pixels of CSS."""
SHORTENED = """() => [...document.querySelectorAll("main *")]
    .filter(each => !each.closest(".unseen, .stack thead") && each.clientWidth)
    .filter(each => each.scrollWidth > each.clientWidth + 1)
    .map(each => each.tagName + " " + each.className + ": " + each.innerText.slice(0, 60))"""
"""What is wider than the room it has, so that some of it is cut off or must be scrolled to."""
HOSTILE = [
    "<script>document.title = 'ran'</script>",
    "<img src=x onerror=\"document.title = 'ran'\">",
    "</style></table></svg><iframe srcdoc='<script>top.document.title = 1</script>'>",
    "W" * 3_000,
    "\u202egnp.exe\u2066\x00\x1b[2J",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The address of the page of a result with all kinds of breaks and texts."""
    folder = tmp_path_factory.mktemp("reconciled")
    left = [
        Entry("1", currency, 10 ** (3 + at) + 7, 20_000 + at, 20_000 + at, f"{at} {text}",
              counterparty=text, text=text)
        for at, text in enumerate(HOSTILE)
        for currency in ("EUR", "JPY")
    ]  # fmt: skip
    right = [Entry("1", "EUR", -5_00, 20_001, 20_001, "twice", text=str(at)) for at in range(9)]
    left += [Entry("1", "EUR", 5_00, 20_001, 20_001, "twice", text=f"ours {at}") for at in range(2)]
    left += [
        Entry("1", "EUR", (1 << 63) - 1, 20_001, 20_001, "large"),
        Entry("1", "EUR", 1, None, None),
    ]
    return (run_sides(folder, left, right) / PAGE).as_uri()


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_it_is_accessible_and_fits(report, turn_to, check_accessible, check_fits, width, scheme):
    page = turn_to(report, width=width, colour_scheme=scheme)
    assert check_accessible(page) == []
    assert check_fits(page)
    assert page.evaluate(SHORTENED) == []


def test_it_fits_on_paper_whatever_the_theme(report, open_page, check_fits):
    page = open_page(report, width=PAPER_WIDTH, colour_scheme="dark")
    page.emulate_media(media="print")
    assert check_fits(page)
    assert page.evaluate(SHORTENED) == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF-")


def test_nothing_of_the_files_runs_or_loads(report, open_page):
    requests = []
    page = open_page("about:blank")
    page.on("request", lambda request: requests.append(request.url))
    page.goto(report)
    assert requests == [report]
    assert page.title() == "books and bank as of 2024-10-09 · Hansa"
    assert page.locator("script, iframe, img, a, form").count() == 0
    assert page.get_by_text(HOSTILE[0]).count() > 0


def test_the_page_lets_nothing_load_even_if_markup_got_in(report, chromium):
    page = chromium.new_page()  # not by open_page, which takes what the browser logs for a fault
    page.goto(report)
    page.evaluate("""() => {
        document.addEventListener("securitypolicyviolation", event => {
            document.documentElement.dataset.blocked = event.effectiveDirective;
        });
        const image = document.createElement("img");
        document.body.append(image);
        image.src = "https://example.org/";
    }""")
    page.wait_for_selector("html[data-blocked='img-src']")
    page.close()


def test_charts_are_told_to_screen_readers(report, turn_to):
    page = turn_to(report)
    chart = page.get_by_role("img", name="Breaks by priority")
    assert chart.count() == 1
    assert "Priority" in page.get_by_role("region", name="Breaks by priority").first.inner_text()
