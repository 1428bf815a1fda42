"""An officer’s work at the issuer’s desk, while a wallet fetches what was offered."""

import asyncio
import re
import secrets
import time

import pytest
from jwcrypto.jwk import JWK
from tests.unit.node.identity.desk.playing import cut, opened
from tests.unit.node.identity.issuer.foreign_wallet import ForeignWallet
from tests.unit.node.identity.issuer.playing import PASSPHRASE, make_folder
from tests.unit.node.identity.issuer.playing import opened as opened_office

from hansa.node.identity.desk.issuer import PAGE, opened_issuer_desk
from hansa.node.identity.issuer.folder import open_issuer

TYPED = {
    "credential": "resident",
    "claim.given_name": "Mei",
    "claim.family_name": "Tán <b>",
    "claim.birthdate": "1990-01-01",
    "tx_code": "on",
    "when": "now",
}


def play(tmp_path, scene, bits=2):
    """Play a scene at the desk of an issuer that is served from the same files."""
    url = make_folder(tmp_path / "issuer")
    settings = tmp_path / "issuer" / "issuer.toml"
    settings.write_text(settings.read_text().replace("bits = 2", f"bits = {bits}"))

    async def run():
        service = open_issuer(tmp_path / "issuer", PASSPHRASE, secrets.token_bytes)
        try:
            async with (
                opened_office(tmp_path / "issuer", url) as office,
                opened_issuer_desk(service, secrets.token_bytes, time.monotonic) as desk,
                opened(desk) as browser,
            ):
                await browser.open(cut(browser.links[0]))
                await scene(office, browser)
        finally:
            service.close()

    asyncio.run(run())


async def offer(browser, **changes):
    await browser.open("/offer?credential=resident")
    await browser.send("/offers", TYPED | changes)
    return browser


async def receive(office, uri, code):
    """Have a wallet receive what was offered; returns the status of the answer."""
    wallet = ForeignWallet(office.http)
    await wallet.scan(uri)
    await wallet.redeem_offer(code)
    return (await wallet.get_credential(JWK.generate(kty="EC", crv="P-256")))[0]


def find_offer(browser):
    uri = re.search(r"<code>(openid-credential-offer://[^<]+)</code>", browser.text)[1]
    code = re.search(r'class="secret">(\d+)<', browser.text)
    dataset = re.search(r"<code>([\w-]+\.0)</code>", browser.text)[1]
    return uri, code and code[1], dataset


def test_the_first_page_shows_what_can_be_issued(tmp_path):
    async def scene(_, browser):
        assert "urn:example:resident:1" in browser.text
        assert "Given name*" in browser.text
        assert "Address (Street address, Postal code, Locality, Country)" in browser.text
        assert 'href="/offer?credential=resident"' in browser.text

    play(tmp_path, scene)


def test_an_offer_is_shown_with_its_code_once_and_says_when_it_was_fetched(tmp_path):
    async def scene(office, browser):
        await offer(browser)
        assert browser.path.startswith("/offers/")
        assert "<svg" in browser.raw
        assert "not fetched yet" in browser.text
        uri, code, dataset = find_offer(browser)
        assert len(code) == 6
        path = browser.path
        await browser.open(path)
        assert find_offer(browser) == (uri, None, dataset)
        assert code not in browser.text
        assert "It was shown once" in browser.text
        assert await receive(office, uri, code) == 200
        await browser.open(path)
        assert ">fetched<" in browser.text
        await browser.open("/issued")
        assert dataset in browser.text
        assert "Tán" not in browser.text
        assert ">valid<" in browser.text

    play(tmp_path, scene)


def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(tmp_path):
    async def scene(office, browser):
        await offer(browser, **{"claim.given_name": "", "claim.birthdate": "soon", "tx_code": ""})
        assert browser.status == 400
        assert 'value="Tán <b>"' in browser.text
        assert "Tán &lt;b&gt;" in browser.raw
        assert 'id="claim.given_name-fault">It is needed.<' in browser.text
        assert "'soon' is not a 'date'." in browser.text
        assert 'value="soon"' in browser.text
        assert browser.text.count('aria-invalid="true"') == 2
        assert 'value="on">' in browser.text  # the box stays unchecked
        await browser.open("/waiting")
        assert "Nothing waits" in browser.text
        assert office.work(lambda desk: desk.list_waiting(0)) == []

    play(tmp_path, scene)


def test_what_is_left_for_later_waits_and_is_completed_or_declined(tmp_path):
    async def scene(_, browser):
        found = []
        for _ in range(2):
            await offer(browser, when="later")
            assert "waits for you" in browser.text
            found.append(find_offer(browser)[2])
        await browser.open("/waiting")
        assert all(dataset in browser.text for dataset in found)
        await browser.open(f"/waiting/{found[0]}")
        await browser.send(f"/waiting/{found[0]}/complete", TYPED | {"claim.family_name": ""})
        assert browser.status == 400
        assert 'value="Mei"' in browser.text
        await browser.send(f"/waiting/{found[0]}/complete", TYPED)
        assert ">completed<" in browser.text
        await browser.open(f"/waiting/{found[1]}")
        await browser.send(f"/waiting/{found[1]}/decline", {"why": "no such person"})
        assert ">declined<" in browser.text
        assert "Nothing waits" in browser.text
        for dataset in found:
            await browser.open(f"/waiting/{dataset}")
            assert browser.status == 404
        await browser.open("/waiting/nothing.0")
        assert browser.status == 404

    play(tmp_path, scene)


def test_a_credential_is_suspended_reinstated_and_revoked_after_a_question(tmp_path):
    async def scene(office, browser):
        await offer(browser)
        uri, code, _ = find_offer(browser)
        await receive(office, uri, code)
        states = []
        for change in ("suspend", "reinstate", "revoke"):
            await browser.open(f"/issued/1/{change}")
            assert f"{change.capitalize()} credential 1?" in browser.text
            await browser.open("/issued/1")
            states.append(re.search(r'<span class="outcome \w+">(\w+)<', browser.text)[1])
            await browser.open(f"/issued/1/{change}")
            await browser.send(f"/issued/1/{change}", {})
            assert browser.path == "/issued/1"
        assert states == ["valid", "suspended", "valid"]
        assert "for good" in browser.text
        assert "/issued/1/revoke" not in browser.text
        await browser.send("/issued/1/reinstate", {}, token=read_token(browser))
        assert browser.status == 409
        assert "The ledger" not in browser.text
        assert "revoked for good" in browser.text

    play(tmp_path, scene)


def test_the_question_names_all_copies_and_the_decision_is_for_all(tmp_path):
    async def scene(office, browser):
        raw = (
            b'{"credential":"resident","dataset":"d.%d","holder_key":"","issued_s":1,"expires_s":2}'
        )
        for place, dataset in enumerate((0, 1, 0)):
            office.work(lambda desk, p=place, d=dataset: desk.records.add_issued(p, raw % d))
        await browser.open("/issued/2/revoke")
        assert "Copies" not in browser.text
        await browser.open("/issued/1/revoke")
        assert "numbers 1, 3" in browser.text
        await browser.send("/issued/1/revoke", {})
        await browser.open("/issued")
        assert re.findall(r"revoked|expired", browser.text) == ["revoked", "expired", "revoked"]

    play(tmp_path, scene)


def read_token(browser):
    return re.search(r'name="token" value="([^"]+)"', browser.text)[1]


def test_what_is_not_there_is_not_found(tmp_path):
    async def scene(_, browser):
        paths = ["/offer?credential=x", "/offers/x", "/issued/7", "/issued/x", "/issued/1/burn"]
        for path in paths:
            await browser.open(path)
            assert browser.status == 404, path

    play(tmp_path, scene)


def test_what_was_issued_is_listed_page_by_page(tmp_path):
    async def scene(office, browser):
        raw = (
            b'{"credential":"resident","dataset":"d.0","holder_key":"","issued_s":1,"expires_s":2}'
        )
        office.work(lambda desk: [desk.records.add_issued(place, raw) for place in range(PAGE + 2)])
        await browser.open("/issued")
        numbers = re.findall(r'href="/issued/(\d+)"', browser.text)
        assert numbers == [str(number) for number in range(PAGE + 2, 2, -1)]
        assert ">expired<" in browser.text
        await browser.open(re.search(r'href="(/issued\?before=\d+)"', browser.text)[1])
        assert re.findall(r'href="/issued/(\d+)"', browser.text) == ["2", "1"]
        assert "Older" not in browser.text

    play(tmp_path, scene)


@pytest.mark.parametrize("bits", [1, 2])
def test_suspending_is_offered_where_the_lists_have_room_for_it(tmp_path, bits):
    async def scene(office, browser):
        await offer(browser)
        uri, code, _ = find_offer(browser)
        await receive(office, uri, code)
        await browser.open("/issued/1")
        assert ("/issued/1/suspend" in browser.text) == (bits == 2)

    play(tmp_path, scene, bits)
