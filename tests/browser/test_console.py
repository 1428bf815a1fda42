"""The console in a real Chromium, on a running node with a small town's ledger."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from dataclasses import dataclass

import pytest
from aiohttp import web
from tests.browser.conftest import LOOKS
from tests.browser.population import Town, make_town
from tests.browser.registries import CREDENTIAL_TYPES
from tests.world import ASSET, MINUTE_MS, key

from hansa.contracts import payments
from hansa.engine.storage import FileStorage
from hansa.engine.verification import InlineVerifier
from hansa.kernel.crypto.address import to_text
from hansa.kernel.receipt_file import verify_receipt_file
from hansa.node.api.keys import KeyRing, add_key
from hansa.node.api.rights import Role
from hansa.node.console.pages import CODE_PAGES
from hansa.node.console.reconciliation.pages import ROOT as RECONCILIATION
from hansa.node.console.risk.pages import ROOT as RISK
from hansa.node.console.routes import ROUTES
from hansa.node.service import Node, wall_clock_ms
from hansa.node.serving.app import create_app
from hansa.node.settings import Access, LoopbackReads, Settings
from hansa.node.web.sessions import UPDATE_HEADER
from hansa.sdk.build import sign_transaction

WIDTHS = (390, 1280)
ZOOMED_WIDTHS = (640, 320)
"""What 1,280 pixels are at a zoom of 200 and 400 percent."""


OVERFLOWING = """boxes => boxes.filter(box => box.scrollWidth > box.clientWidth)
    .map(box => box.innerText)"""
"""The boxes whose content is wider than they are."""

NAVIGATION = [
    "Overview",
    "Supply",
    "Blocks",
    "Members",
    "Identity",
    "Reconciliation",
    "Risk",
    "Governance",
    "Policy",
    "Validators",
]
ROOMS = (f"{RECONCILIATION}/", f"{RISK}/")
VISITED = [route.path for route in ROUTES if not route.path.startswith(ROOMS)]
"""The others are of a node that reconciles, or decides: tests of their own visit them."""
OPEN = Settings(access=Access(loopback=LoopbackReads.EVERYTHING))


@dataclass
class Site:
    """A running node and where its console is: open to this machine, and asking for a key."""

    url: str
    closed_url: str
    token: str
    """An API key of an operator."""
    town: Town
    node: Node
    loop: asyncio.AbstractEventLoop

    def pay(self, payer: str, payee: str, amount_minor: int, reference: str) -> bytes:
        """Have a payment confirmed; returns its id."""
        command = payments.Transfer(
            key(payer).address, key(payee).address, ASSET, amount_minor, reference
        )
        until = wall_clock_ms() + MINUTE_MS
        signed = sign_transaction(self.town.world.network, [key(payer)], [command], until)
        submitting = self.node.desk.submit(signed.envelope)
        answer = asyncio.run_coroutine_threadsafe(submitting, self.loop).result(60)
        assert answer.error is None
        return signed.tx_id


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Serve the console from a thread with an event loop of its own: Playwright has this one's."""
    town = make_town(FileStorage(tmp_path_factory.mktemp("log")))
    keys_path = tmp_path_factory.mktemp("keys") / "api-keys.json"
    ready: Future[Site] = Future()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def serve():
        chain = town.world.chain
        sponsor = (key("harbour").address, key("harbour server"))
        node = Node(chain, InlineVerifier(chain.network), *sponsor)
        _, token = add_key(
            keys_path,
            name="Harbour’s desk",
            role=Role.OPERATOR,
            now_ms=wall_clock_ms(),
            member=to_text(sponsor[0]),
        )
        runners, urls = [], []
        node.start()
        for settings in (OPEN, Settings()):
            app = create_app(node, settings, KeyRing(keys_path))
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            runners.append(runner)
            urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        ready.set_result(Site(*urls, token, town, node, loop))
        await stopping.wait()
        for runner in runners:
            await runner.cleanup()
        await node.stop()

    def run():
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    yield ready.result(60)
    loop.call_soon_threadsafe(stopping.set)
    thread.join(60)


def list_pages(town: Town) -> dict[str, list[str]]:
    """List the pages of each route that are worth a look; the fullest first."""
    person = to_text(key("person0").address)
    return {
        "/": ["/"],
        "/supply": ["/supply"],
        "/blocks": ["/blocks"],
        "/blocks/{height}": [f"/blocks/{town.last_height}", "/blocks/0"],
        "/transactions/{tx_id}": [
            f"/transactions/{tx_id.hex()}" for tx_id in (town.refused, town.posted, town.opened)
        ],
        "/wallets/{address}": [
            f"/wallets/{to_text(key(name).address)}" for name in ("person1", "person0", "person6")
        ],
        "/members": ["/members"],
        "/members/{address}": [
            f"/members/{to_text(key(name).address)}" for name in ("harbour", "officer0")
        ],
        "/identity": ["/identity"],
        "/identity/did/{did}": [
            f"/identity/did/{to_text(key(name).address)}"
            for name in ("civic", "licences", "academy")
        ],
        "/identity/type/{name}": [f"/identity/type/{name}" for name in CREDENTIAL_TYPES[:2]],
        "/reconciliation": ["/reconciliation"],
        "/risk": ["/risk"],
        "/governance": ["/governance"],
        "/policy": ["/policy"],
        "/validators": ["/validators"],
        **{
            path: [f"{path}#{next(iter(groups.values()))[0]}"]
            for path, groups in CODE_PAGES.items()
        },
        "/search": ["/search", f"/search?q={person}"],
        "/sign-in": ["/sign-in"],
    }


def test_every_route_has_a_page_to_look_at(site):
    assert set(list_pages(site.town)) == set(VISITED)


@pytest.mark.parametrize("route", VISITED)
def test_a_route_is_accessible_and_fits(site, turn_to, check_accessible, check_fits, route):
    """The fullest page of each route in both looks; the others in the hardest.

    On a phone, tables are read without scrolling sideways.
    """
    for number, path in enumerate(list_pages(site.town)[route]):
        page = turn_to(site.url + path, width=WIDTHS[0])
        assert page.locator("h1").count() == 1
        assert page.locator(".scroll").evaluate_all(OVERFLOWING) == [], path
        for width, colour_scheme in LOOKS[: 1 if number else None]:
            page.emulate_media(color_scheme=colour_scheme)
            page.set_viewport_size({"width": width, "height": 900})
            assert check_accessible(page) == [], (path, width, colour_scheme)
            assert check_fits(page), (path, width, colour_scheme)
        for width in ZOOMED_WIDTHS:
            page.set_viewport_size({"width": width, "height": 600})
            assert check_fits(page), (path, width)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_history_shows_each_balance(site, turn_to, width):
    """As a statement does, and one goes into the next by the change beside it."""
    wallet = to_text(key("person1").address)
    page = turn_to(f"{site.url}/wallets/{wallet}", width=width)
    columns = [page.locator(f"table.lines tbody td:nth-child({number})") for number in (3, 4)]
    assert all(cell.is_visible() for column in columns for cell in column.all())
    changes, balances = (
        [
            int("".join(each for each in text.replace("−", "-") if each in "-0123456789"))
            for text in column.all_inner_texts()
        ]
        for column in columns
    )
    assert len(balances) > 5
    assert (
        balances[1:]
        == [balance - change for balance, change in zip(balances, changes, strict=True)][:-1]
    )


def test_an_error_page_is_accessible_and_fits(site, chromium, check_accessible, check_fits):
    context = chromium.new_context(viewport={"width": WIDTHS[0], "height": 900})
    page = context.new_page()
    for path, words in (
        ("/nowhere", "There is no such page"),
        ("/blocks/999999", "Not found on this ledger"),
        ("/transactions/zz", "This address cannot be read"),
        ("/search?q=nobody", "Search"),
        ("/identity?q=nobody", "Identity"),
    ):
        response = page.goto(site.url + path)
        assert response.status in {400, 404}
        assert page.locator("h1").inner_text() == words
        assert check_accessible(page) == []
        assert check_fits(page)
    context.close()


def test_signing_in_shows_what_the_role_may_see(site, chromium, check_accessible, check_fits):
    """One signs in with the keyboard, is told of a wrong key, and signs out again."""
    context = chromium.new_context(viewport={"width": WIDTHS[0], "height": 900})
    page = context.new_page()
    wallet = f"/wallets/{to_text(key('person0').address)}"
    page.goto(site.closed_url)
    assert check_accessible(page) == []
    assert page.locator("#latest-title ~ .lead").count() == 1
    page.goto(site.closed_url + wallet)
    assert page.locator("h1").inner_text() == "Not shown to everybody"
    assert check_accessible(page) == []
    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    page.get_by_label("API key").fill("hansa-00000000-wrong")
    page.keyboard.press("Enter")
    assert "unknown, expired or revoked" in page.get_by_role("alert").inner_text()
    assert check_accessible(page) == []
    assert check_fits(page)
    page.get_by_label("API key").fill(site.token)
    page.keyboard.press("Enter")
    page.wait_for_selector("h1 .id")
    assert page.url == site.closed_url + wallet
    assert "Harbour’s desk" in page.locator(".who").inner_text()
    assert check_accessible(page) == []
    assert check_fits(page)
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Sign out").click()
    page.goto(site.closed_url + wallet)
    assert page.locator("h1").inner_text() == "Not shown to everybody"
    context.close()


def test_a_payment_appears_without_a_reload(site, open_page):
    page = open_page(site.url)
    page.evaluate("window.isTheSameDocument = true")
    height = page.locator("#strip a").inner_text()
    tx_id = site.pay("person0", "ferry", 4_321, "live")
    page.wait_for_selector(f'#live a[href="/transactions/{tx_id.hex()}"]', timeout=30_000)
    row = page.locator("#latest-title ~ .scroll tbody tr").first
    assert "43.21" in row.inner_text()
    assert page.locator("#strip a").inner_text() != height
    assert page.evaluate("window.isTheSameDocument")


def test_an_update_says_that_it_is_none_of_the_viewers_visits(site, open_page):
    page = open_page(site.url)
    with page.expect_request(lambda request: request.resource_type == "fetch") as update:
        pass  # it asks once a second
    assert update.value.headers[UPDATE_HEADER.lower()] == "1"
    page.close()


def test_what_did_not_change_stays_as_it_is(site, open_page):
    """An update touches only what differs: nothing flickers, and no place is lost."""
    page = open_page(site.url)
    page.evaluate(
        """() => {
            window.kept = document.querySelector('.hero .verdict');
            window.changed = [];
            const note = ({target}) => window.changed.push(target.parentElement || target);
            const watch = new MutationObserver((changes) => changes.forEach(note));
            watch.observe(document.body, {subtree: true, childList: true, characterData: true});
        }"""
    )
    height = page.locator("#strip a").inner_text()
    site.pay("person0", "ferry", 3, "small")
    page.wait_for_function(
        "before => document.querySelector('#strip a').innerText !== before", arg=height
    )
    assert page.evaluate("window.kept.isConnected")
    assert page.evaluate(
        "!window.changed.some((each) => each.closest('#members-title, .places dt, h1, h2'))"
    )


def test_every_control_is_reached_by_keyboard_and_shows_it(site, turn_to):
    """In the order of the page; what has the focus is outlined."""
    page = turn_to(site.url)
    seen = []
    for _ in range(len(NAVIGATION) + 7):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.textContent.trim().slice(0, 20)"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", seen[-1]
    assert seen[0] == "Skip to the content"
    assert [name for name in seen if name in NAVIGATION] == NAVIGATION
    assert "Pause updates" in seen


def test_a_command_is_copied(site, chromium):
    context = chromium.new_context()
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url)
    page = context.new_page()
    page.goto(f"{site.url}/supply")
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("pre code").first.inner_text()
    assert copied.startswith(f"hansa audit --node {site.url} --genesis ")
    context.close()


def test_a_wallet_shows_its_new_balance_without_a_reload(site, open_page):
    wallet = to_text(key("books").address)
    page = open_page(f"{site.url}/wallets/{wallet}")
    before = page.locator(".figures dd").first.inner_text()
    site.pay("person0", "books", 1, "one cent")
    page.wait_for_function(
        "before => document.querySelector('.figures dd').innerText !== before",
        arg=before,
        timeout=30_000,
    )
    assert page.locator("table.lines tbody tr").first.inner_text().count("+0.01") == 1


def test_updates_can_be_paused(site, open_page):
    page = open_page(site.url)
    page.clock.install()
    page.reload()
    page.get_by_role("button", name="Pause updates").click()
    height = page.locator("#strip a").inner_text()
    tx_id = site.pay("person1", "ferry", 77, "unseen")
    page.clock.run_for(10_000)
    assert page.locator("#strip a").inner_text() == height
    page.get_by_role("button", name="Pause updates").click()
    page.clock.run_for(2_000)
    page.wait_for_selector(f'#live a[href="/transactions/{tx_id.hex()}"]', timeout=30_000)


def test_a_chosen_theme_is_remembered(site, open_page):
    page = open_page(site.url, colour_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Use the dark theme").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.goto(f"{site.url}/members")
    assert page.evaluate(ground) == dark


def test_pages_work_without_script(site, chromium):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.url)
    assert page.locator("#rate-title").inner_text() == "Payments per second"
    assert page.locator(".under tbody tr").count() == 3
    page.get_by_role("searchbox").fill(to_text(key("person0").address))
    page.get_by_role("button", name="Find").click()
    assert page.locator("h1").inner_text().startswith("Wallet")
    context.close()


def test_the_keyboard_reaches_the_content_first(site, turn_to):
    page = turn_to(site.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_an_address_is_copied_whole(site, turn_to):
    text = to_text(key("person0").address)
    page = turn_to(f"{site.url}/wallets/{text}")
    copied = page.evaluate(
        "() => { getSelection().selectAllChildren(document.querySelector('h1 .id'));"
        " return getSelection().toString(); }"
    )
    assert copied == text


def test_a_did_is_looked_up_and_shown_as_it_was(site, turn_to):
    """By its DID, then by the link beside a change of its past."""
    page = turn_to(f"{site.url}/identity", width=WIDTHS[0])
    civic = to_text(key("civic").address)
    page.get_by_label("DID, address, or name of a type").fill(f"did:hansa:harbour-town:{civic}")
    page.get_by_role("button", name="Look up").click()
    assert page.locator(".trust li").count() == 3
    assert "this DID" in page.locator(".trust li").last.inner_text()
    assert "https://civic.example/desk" in page.get_by_role("main").inner_text()
    page.locator("#history-title ~ .scroll tbody tr").last.get_by_role("link").click()
    assert "the past" in page.locator(".notice-past").inner_text()
    assert "https://civic.example/desk" not in page.get_by_role("main").inner_text()
    page.get_by_label("As it was at (UTC+08:00)").fill("2020-01-01T12:00:00")
    page.get_by_role("button", name="Show").click()
    assert "no document then" in page.get_by_role("main").inner_text()
    page.get_by_role("link", name="Show the present").click()
    assert page.url == f"{site.url}/identity/did/{civic}"


def test_a_refusal_is_explained(site, turn_to):
    page = turn_to(f"{site.url}/transactions/{site.town.refused.hex()}")
    answer = page.locator(".answer").inner_text()
    assert "Refused" in answer
    assert "what a wallet of this category may pay at once" in answer
    assert "4,500.00" in answer
    assert "2,000.00" in answer
    assert "balances.SINGLE_LIMIT" in answer


def test_a_receipt_file_verifies_offline(site, turn_to):
    page = turn_to(f"{site.url}/transactions/{site.town.posted.hex()}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the receipt file").click()
    raw = download.value.path().read_bytes()
    assert download.value.suggested_filename in page.locator("pre").inner_text()
    verified = verify_receipt_file(raw, site.town.world.network.genesis_hash)
    assert verified.tx_id == site.town.posted
