"""A wallet's desk in a real Chromium, with an issuer and a verifier on this machine."""

from __future__ import annotations

import asyncio
import secrets
import threading
from concurrent.futures import Future

import pytest
from aiohttp import web
from tests.running import run_fake
from tests.unit.node.identity.desk.playing import make_desk
from tests.unit.node.identity.holder.playing import read_no_ledger, run_counter
from tests.unit.node.identity.issuer.playing import CHEAP, CLIENTS, MEI, run_issuer

from hansa.node.identity.desk.running import served_desk
from hansa.node.identity.desk.wallet.pages import add_pages
from hansa.node.identity.desk.wallet.receiving import RETURN_PATH
from hansa.node.identity.desk.wallet.work import WalletWork
from hansa.node.identity.fetching import FetchRules
from hansa.node.identity.holder.carrying import Carrier
from hansa.node.identity.holder.checking import Checker
from hansa.node.identity.holder.presenting import Presenter
from hansa.node.identity.holder.vault import create_vault, open_vault
from hansa.node.service import wall_clock_ms

PASSPHRASE = "a holder's own"
PAYMENT = {"type": "payment", "credential_ids": ["resident"], "amount": "12.50"}
WIDTHS = (390, 1280)


@pytest.fixture
def desk(tmp_path):
    """Serve the desk of an empty wallet from a thread; gives the links that open it."""
    create_vault(tmp_path / "w", PASSPHRASE, secrets.token_bytes, CHEAP)
    links: list[str] = []
    ready: Future[asyncio.AbstractEventLoop] = Future()
    stopping = asyncio.Event()

    async def serve():
        carrier = Carrier(FetchRules(may_ask_loopback=True), secrets.token_bytes, wall_clock_ms)
        with open_vault(tmp_path / "w", PASSPHRASE, secrets.token_bytes) as vault:
            presenter = Presenter(vault, carrier, carrier.resolve)
            checker = Checker(carrier, carrier.resolve, read_no_ledger)
            made = make_desk("Wallet", "my wallet")
            add_pages(made, WalletWork(vault, carrier, presenter, checker))
            async with served_desk(made, links.append, 0):
                ready.set_result(asyncio.get_running_loop())
                await stopping.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    loop = ready.result(60)
    yield links
    loop.call_soon_threadsafe(stopping.set)
    thread.join(60)


@pytest.fixture
def look(check_accessible, check_fits):
    """A function that checks a page at both widths."""

    def check(page):
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert check_fits(page), page.url
        assert check_accessible(page) == [], page.url

    return check


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def test_a_credential_is_received_and_shown(desk, open_page, look, tmp_path):
    """By its code, then to a verifier who asks for a payment to be signed; and deleted."""
    with run_issuer(tmp_path / "issuer") as office, run_counter() as counter:
        page = open_page(desk[0])
        look(page)
        made = office.offer()
        page.get_by_role("link", name="Receive a credential").click()
        page.get_by_label("Offer").fill(made.uri)
        press(page, "Look at it")
        look(page)
        page.get_by_label("Code").fill(made.tx_code)
        press(page, "Accept")
        look(page)
        press(page, "Keep it")
        look(page)
        page.get_by_role("link", name="Credentials").first.click()
        look(page)
        asking = counter.ask(transactions=[PAYMENT])
        page.get_by_role("link", name="Present").click()
        page.get_by_label("Request").fill(asking.uri)
        press(page, "Look at it")
        look(page)
        assert page.locator(".leaving dd").all_inner_texts() == ["Mei"]
        assert "12.50" in page.get_by_label("Transaction").first.inner_text()
        press(page, "Show it and sign")
        assert page.locator("h1").inner_text() == "The verifier has taken it"
        assert counter.report(asking).is_accepted
        page.get_by_role("link", name="History").first.click()
        look(page)
        assert "given_name" in page.get_by_role("main").inner_text()
        page.get_by_role("link", name="urn:example:resident:1").click()
        page.get_by_role("link", name="Delete").click()
        look(page)
        press(page, "Delete for good")
        assert "holds nothing yet" in page.get_by_role("main").inner_text()


def test_the_person_comes_back_from_the_issuers_page(desk, open_page, tmp_path):
    address = desk[0].partition("/?")[0]
    clients = CLIENTS.replace("http://127.0.0.1:1/back", address + RETURN_PATH)
    with run_issuer(tmp_path / "issuer", clients) as office:
        page = open_page(desk[0])
        made = office.offer()
        page.goto(f"{address}/receive")
        page.get_by_label("Offer").fill(made.uri)
        press(page, "Look at it")
        page.get_by_text("Decide on the issuer’s page instead").click()
        page.get_by_label("Name under which the issuer knows this wallet").fill("wallet")
        press(page, "Prepare")
        page.get_by_role("link", name="Go to the issuer’s page").click()
        page.locator("input[name=tx_code]").fill(made.tx_code)
        page.locator("button[value=approve]").click()
        page.wait_for_url(f"{address}/arrived/*")
        press(page, "Keep it")
        assert MEI["given_name"] in page.get_by_role("main").inner_text()


def test_a_browser_comes_back_from_another_site(desk, chromium):
    """It keeps the session's cookie at first; led once by the desk itself, it is known again."""
    address = desk[0].partition("/?")[0]

    async def show(_):
        link = f'<a href="{address}{RETURN_PATH}?state=unknown">back</a>'
        return web.Response(text=link, content_type="text/html")

    context = chromium.new_context()
    page = context.new_page()
    page.goto(desk[0])
    with run_fake(web.get("/", show)) as url:
        page.goto(url.replace("127.0.0.1", "localhost"))
        seen = []
        page.on("response", lambda response: seen.append((response.status, response.url)))
        page.get_by_role("link", name="back").click()
        page.get_by_text("no offer that is in hand here").wait_for()
    documents = [(status, "hansa_returned" in url) for status, url in seen if RETURN_PATH in url]
    assert documents == [(200, False), (404, True)]
    context.close()
