"""Two officers at their desks in a real Chromium, and a wallet between them."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from jwcrypto.jwk import JWK
from tests.unit.node.identity.desk.playing import opened as opened_desk
from tests.unit.node.identity.issuer.foreign_wallet import ForeignWallet
from tests.unit.node.identity.issuer.playing import PASSPHRASE, Office, make_folder
from tests.unit.node.identity.issuer.playing import opened as opened_office
from tests.unit.node.identity.shop import believe
from tests.unit.node.identity.shop import opened as opened_shop
from tests.unit.node.identity.test_presenting import ForeignHolder, receive

from hansa.node.identity.desk.issuer import opened_issuer_desk
from hansa.node.identity.desk.verifier import open_verifier_desk
from hansa.node.identity.issuer.folder import open_issuer
from hansa.node.identity.verifier.folder import open_verifier
from hansa.node.identity.verifier.lists import LIST_KEPT_S
from hansa.node.identity.verifier.pinned import fetch_list
from hansa.node.service import wall_clock_ms

WAIT_S = 60


@dataclass
class Town:
    """An issuer and a verifier that are served, the desks of both, and a wallet."""

    loop: asyncio.AbstractEventLoop
    office: Office
    issuer_links: list[str]
    verifier_links: list[str]
    key: JWK = field(default_factory=lambda: JWK.generate(kty="EC", crv="P-256"))
    ahead_ms: int = 0
    """By which the verifier's clock for status lists is ahead."""

    def now_ms(self):
        return wall_clock_ms() + self.ahead_ms

    def receive(self, uri, code):
        """Have the wallet fetch what was offered."""
        return self._run(self._receive(uri, code))

    def present(self, uri, credential):
        """Have the wallet show what it is asked for."""
        return self._run(self._present(uri, credential))

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WAIT_S)

    async def _receive(self, uri, code):
        wallet = ForeignWallet(self.office.http)
        await wallet.scan(uri)
        await wallet.redeem_offer(code)
        _, body = await wallet.get_credential(self.key)
        return body["credentials"][0]["credential"]

    async def _present(self, uri, credential):
        holder = ForeignHolder(self.office.http)
        request = await holder.scan(uri)
        wanted = {"age_equal_or_over_18": True}
        shown = holder.present(request, credential, self.key, wanted)
        return await holder.answer(request, resident=shown)


@asynccontextmanager
async def served(path):
    """Serve a town."""
    url = make_folder(path / "issuer")
    service = open_issuer(path / "issuer", PASSPHRASE, secrets.token_bytes)
    town = None

    async def fetch(uri):
        return await fetch_list(town.office.http, uri)

    async with opened_office(path / "issuer", url) as office:
        town = Town(asyncio.get_running_loop(), office, [], [])
        _, _, issuer = await receive(office)
        issuers = believe(issuer, url)
        async with (
            opened_shop(path / "shop", issuers, fetch, clock_ms=town.now_ms),
            opened_issuer_desk(service, secrets.token_bytes, time.monotonic) as issuer_desk,
            opened_desk(issuer_desk) as at_issuer,
        ):
            folder = open_verifier(path / "shop", PASSPHRASE, secrets.token_bytes)
            async with opened_desk(open_verifier_desk(folder, time.monotonic)) as at_verifier:
                town.issuer_links, town.verifier_links = at_issuer.links, at_verifier.links
                yield town
            folder.records.close()
    service.close()


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """Serve a town from a thread with a loop of its own: Playwright has this one's."""
    ready: Future[Town] = Future()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def serve():
        async with served(tmp_path_factory.mktemp("town")) as town:
            ready.set_result(town)
            await stopping.wait()

    def run():
        try:
            loop.run_until_complete(serve())
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    yield ready.result(WAIT_S)
    loop.call_soon_threadsafe(stopping.set)
    thread.join()
    loop.close()


def fill_in(page):
    page.click("text=Offer it to somebody")
    page.fill("[name='claim.given_name']", "Mei")
    page.fill("[name='claim.family_name']", "Tan")
    page.fill("[name='claim.birthdate']", "1990-01-01")
    page.select_option("[name='claim.age_equal_or_over_18']", label="yes")


def read_link(page):
    return page.locator("main code").first.inner_text()


def test_from_an_offer_to_a_refusal(town, open_page, check_accessible, check_fits):
    """Offer, receive, ask, show, revoke, and ask again: each page is looked at on the way."""
    issuer, verifier = open_page(town.issuer_links[-1]), open_page(town.verifier_links[-1])
    assert "token" not in issuer.url + verifier.url
    findings = []

    def look(page):
        findings.extend(f"{page.url}: {each}" for each in check_accessible(page))
        page.set_viewport_size({"width": 390, "height": 844})
        assert check_fits(page), page.url
        page.set_viewport_size({"width": 1280, "height": 900})

    look(issuer)
    fill_in(issuer)
    look(issuer)
    issuer.click("text=Make the offer")
    look(issuer)
    code = issuer.locator(".secret").inner_text()
    credential = town.receive(read_link(issuer), code)
    issuer.wait_for_selector("text=The wallet has the credential")
    assert issuer.locator(".secret").inner_text() == code  # until the page is left

    look(verifier)
    verifier.click("text=Ask by QR code")
    look(verifier)
    town.present(read_link(verifier), credential)
    verifier.wait_for_selector(".answer.ok")
    look(verifier)
    assert verifier.locator("main").inner_text().count("does not hold") == 0

    issuer.click("nav >> text=Issued")
    look(issuer)
    issuer.click("tbody a")
    issuer.click("text=Revoke it …")
    look(issuer)
    issuer.click("text=Revoke it for good")
    issuer.wait_for_selector(".outcome.refused >> text=revoked")
    town.ahead_ms += 1_000 * LIST_KEPT_S
    verifier.click("text=Ask again")
    verifier.click("text=Ask by QR code")
    town.present(read_link(verifier), credential)
    verifier.wait_for_selector(".answer.refused")
    assert "the issuer has revoked it" in verifier.locator("main").inner_text()
    verifier.click("nav >> text=Requests")
    look(verifier)
    assert findings == []


def test_without_scripts_and_in_the_dark_the_pages_work(town, chromium):
    context = chromium.new_context(java_script_enabled=False, color_scheme="dark")
    try:
        page = context.new_page()
        page.goto(town.issuer_links[-1])
        fill_in(page)
        page.keyboard.press("Enter")  # in the last field: the first button is meant
        page.click("text=Make the offer")
        credential = town.receive(read_link(page), page.locator(".secret").inner_text())
        page.goto(town.verifier_links[-1])
        page.click("text=Ask by QR code")
        town.present(read_link(page), credential)
        page.wait_for_selector(".answer")  # the page comes again by itself
        assert page.evaluate("getComputedStyle(document.body).colorScheme") == "light dark"
    finally:
        context.close()
