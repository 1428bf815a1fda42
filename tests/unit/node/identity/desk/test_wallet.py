"""A wallet in the browser: what its pages show, ask and do, with an issuer and a verifier."""

import asyncio
import re
import secrets
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from tests.unit.identity.verifier.certifying import certify
from tests.unit.node.identity.desk.playing import cut, make_desk, opened
from tests.unit.node.identity.holder.playing import read_no_ledger, run_counter
from tests.unit.node.identity.issuer.playing import CHEAP, MEI, decide, run_issuer

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import generate_private_key
from hansa.identity.mdoc.issuing import Draft, issue_mdoc
from hansa.identity.mdoc.security_object import Validity
from hansa.identity.sd_jwt.credential import Credential, issue_credential
from hansa.identity.wallet.holdings import Origin, take_credential
from hansa.node.identity.desk.wallet.pages import add_pages
from hansa.node.identity.desk.wallet.receiving import RETURN_PATH
from hansa.node.identity.desk.wallet.work import IN_HAND_MAX, InHand, WalletWork
from hansa.node.identity.fetching import FetchRules
from hansa.node.identity.holder.carrying import Carrier
from hansa.node.identity.holder.checking import Checker
from hansa.node.identity.holder.presenting import Presenter
from hansa.node.identity.holder.vault import Kept, create_vault, open_vault
from hansa.node.service import wall_clock_ms

PASSPHRASE = "a holder's own"
PAGE_CLIENTS = '\n[clients]\n"wallet" = ["http://127.0.0.1:8475/receive/returned"]\n'
PAYMENT = {"type": "payment", "credential_ids": ["resident"], "amount": "12.50"}


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    with run_issuer(tmp_path_factory.mktemp("office") / "issuer", PAGE_CLIENTS) as office:
        yield office


@pytest.fixture(scope="module")
def counter():
    with run_counter() as counter:
        yield counter


@pytest.fixture
def play(tmp_path):
    """Play a scene with the desk of an empty wallet, open in a browser."""
    create_vault(tmp_path / "w", PASSPHRASE, secrets.token_bytes, CHEAP)

    @asynccontextmanager
    async def serve():
        carrier = Carrier(FetchRules(may_ask_loopback=True), secrets.token_bytes, wall_clock_ms)
        with open_vault(tmp_path / "w", PASSPHRASE, secrets.token_bytes) as vault:
            presenter = Presenter(vault, carrier, carrier.resolve)
            checker = Checker(carrier, carrier.resolve, read_no_ledger)
            desk = make_desk("Wallet", "my wallet")
            add_pages(desk, WalletWork(vault, carrier, presenter, checker))
            async with opened(desk) as browser:
                await browser.open(cut(browser.links[-1]))
                browser.vault = vault
                yield browser

    def run(scene):
        async def go():
            async with serve() as browser:
                await scene(browser)

        asyncio.run(go())

    return run


async def look_at(browser, uri):
    """Paste an offer, and look at it."""
    await browser.open("/receive")
    await browser.send("/receive", {"offer": uri})
    assert browser.status == 200, browser.text
    return browser.path


async def receive(browser, office, *wanted):
    """Receive a credential, and keep it."""
    made = office.offer(*wanted, needs_tx_code=False)
    path = await look_at(browser, made.uri)
    await browser.send(f"{path}/redeem", {})
    assert browser.path.startswith("/arrived/"), browser.text
    await browser.send(f"{browser.path}/keep", {})
    assert browser.path.startswith("/credentials/")
    return browser.path


async def ask(browser, counter, **more):
    """Paste a request, and look at it."""
    asking = counter.ask(**more)
    await browser.open("/present")
    await browser.send("/present", {"request": asking.uri})
    assert browser.status == 200, browser.text
    return SimpleNamespace(asking=asking, path=browser.path)


def test_a_credential_is_received_with_its_code(play, office):
    async def scene(browser):
        assert "holds nothing yet" in browser.text
        made = office.offer()
        path = await look_at(browser, made.uri)
        assert office.url in browser.text
        assert "calls itself <bdi>City of Example" in browser.text
        assert browser.vault.contents.waiting == (), "nothing is accepted yet"
        await browser.send(f"{path}/redeem", {"code": "000000"})
        assert (browser.status, "was declined" in browser.text) == (400, True)
        await browser.send(f"{path}/redeem", {"code": made.tx_code})
        arrived = browser.path
        assert "Given name" in browser.text
        assert "Mei" in browser.text
        assert browser.vault.contents.kept == ()
        await browser.open("/")
        assert "to be decided" in browser.text
        assert "did not arrive" not in browser.text
        await browser.send(f"{arrived}/keep", {})
        assert len(browser.vault.contents.kept) == 5
        assert "5, each with a key of its own" in browser.text
        await browser.send(f"{arrived}/keep", {})
        assert (browser.status, "no longer in hand" in browser.text) == (404, True)
        await browser.open("/")
        assert "never shown" in browser.text
        assert "to be decided" not in browser.text

    play(scene)


def test_what_came_need_not_be_kept(play, office):
    async def scene(browser):
        made = office.offer(needs_tx_code=False)
        path = await look_at(browser, made.uri)
        await browser.send(f"{path}/redeem", {})
        await browser.send(f"{browser.path}/refuse", {})
        assert "holds nothing yet" in browser.text
        assert browser.vault.contents.waiting == ()
        path = await look_at(browser, office.offer().uri)
        await browser.send(f"{path}/drop", {})
        await browser.open(path)
        assert browser.status == 404

    play(scene)


def test_what_is_not_ready_is_asked_for_again(play, office):
    async def scene(browser):
        made = office.offer(("resident", None), needs_tx_code=False)
        path = await look_at(browser, made.uri)
        await browser.send(f"{path}/redeem", {})
        assert "not ready yet" in browser.text
        await browser.open("/")
        assert "not ready yet" in browser.text
        (waiting,) = browser.vault.contents.waiting
        office.work(lambda desk: desk.complete(made.datasets[0], MEI, wall_clock_ms()))
        await browser.send(f"/waiting/{waiting.id}/fetch", {})
        assert browser.path.startswith("/arrived/"), browser.text
        await browser.send(f"{browser.path}/keep", {})
        assert browser.path == f"/credentials/{waiting.id}"

    play(scene)


def test_waiting_ends_when_it_is_told_to(play, office):
    async def scene(browser):
        made = office.offer(("resident", None), needs_tx_code=False)
        path = await look_at(browser, made.uri)
        await browser.send(f"{path}/redeem", {})
        (waiting,) = browser.vault.contents.waiting
        await browser.open(f"/credentials/{waiting.id}/delete")
        assert "Wait no more for" in browser.text
        await browser.send(f"/credentials/{waiting.id}/delete", {})
        assert browser.vault.contents.waiting == ()
        await browser.open("/")
        await browser.send(f"/waiting/{waiting.id}/fetch", {})
        assert browser.status == 404

    play(scene)


def test_the_person_decides_on_the_issuers_page_and_comes_back(play, office):
    async def scene(browser):
        made = office.offer()
        path = await look_at(browser, made.uri)
        fields = {"client": "nobody", "redirect": "http://127.0.0.1:8475/receive/returned"}
        await browser.send(f"{path}/begin", fields)
        assert (browser.status, "was declined" in browser.text) == (400, True)
        await browser.send(f"{path}/begin", fields | {"client": "wallet"})
        (address,) = re.findall(r'href="([^"]+/authorize[^"]+)"', browser.text)
        desk = SimpleNamespace(url=office.url, http=browser.http)
        status, place, _ = await decide(desk, address, tx_code=made.tx_code, decision="approve")
        assert (status, place.startswith(fields["redirect"])) == (303, True)
        await browser.send(f"{path}/finish", {"returned": place.replace("state=", "state=x")})
        assert (browser.status, "belongs to another request" in browser.text) == (400, True)
        returned = RETURN_PATH + "?" + place.partition("?")[2]
        await browser.open(returned)
        assert browser.path.startswith("/arrived/"), browser.text
        await browser.send(f"{browser.path}/keep", {})
        assert "Mei" in browser.text
        await browser.open(returned)
        assert (browser.status, "no offer that is in hand" in browser.text) == (404, True)

    play(scene)


def test_a_browser_that_comes_back_without_its_cookie_is_led_once(play):
    """A browser keeps a strict cookie from whoever comes from another site."""

    async def scene(browser):
        browser.http.cookie_jar.clear()
        await browser.open(f"{RETURN_PATH}?code=a%26b&state=%22%3E")
        assert browser.status == 200
        (target,) = re.findall(r'content="0;url=([^"]+)"', browser.raw)
        assert "code=a%26b" in target
        assert target.endswith("&amp;hansa_returned=1")
        await browser.open(target.replace("&amp;", "&"))
        assert browser.status == 401
        await browser.open("/receive")
        assert browser.status == 401

    play(scene)


def test_something_is_shown_once_agreed(play, office, counter):
    async def scene(browser):
        credential = await receive(browser, office)
        found = await ask(browser, counter, transactions=[PAYMENT])
        assert "did:jwk:" in browser.text
        leaves, stays = browser.text.split('class="staying"')
        assert "Mei" in leaves
        assert "Tan" not in leaves
        assert "1990-01-01" in stays
        assert "did not ask for all" not in browser.text
        assert "To show it is to sign this" in browser.text
        assert "12.50" in browser.text
        assert browser.vault.contents.shown == ()
        await browser.send(f"{found.path}/approve", {})
        assert "The verifier has taken it" in browser.text
        assert counter.report(found.asking).is_accepted
        await browser.send(f"{found.path}/approve", {}, token=None)
        assert browser.status in (400, 404)
        for page in ("/history", credential):
            await browser.open(page)
            assert "given_name" in browser.text
            assert "taken" in browser.text
            assert "12.50" in browser.text
        await browser.open("/")
        assert "shown once" in browser.text

    play(scene)


def test_what_leaves_though_it_was_not_asked_for_is_told(play, counter):
    key = generate_private_key(KeyKind.P256, secrets.token_bytes)
    made = issue_credential(
        key,
        Credential(
            vct="urn:example:resident:1",
            claims={"given_name": "Mei", "birthdate": "1990-01-01", "ssn": "7"},
            selective=(("birthdate",),),
            issuer="did:web:city.example",
            holder_key=key.public_key,
        ),
        secrets.token_bytes,
    )
    holding = take_credential(
        "dc+sd-jwt",
        made.encode(),
        holding_id="open.0",
        origin=Origin("https://city.example", 0),
        keys={key.public_key: key},
    )

    async def scene(browser):
        browser.vault.change(kept=(Kept(holding, "open", key),))
        await ask(browser, counter)
        warning = browser.text.split("did not ask for all of this")[1].partition("</p>")[0]
        assert "ssn" in warning
        assert "given_name" not in warning
        assert "birthdate" not in warning

    play(scene)


def test_nothing_is_shown_to_who_is_declined(play, office, counter):
    async def scene(browser):
        await receive(browser, office)
        found = await ask(browser, counter)
        await browser.send(f"{found.path}/decline", {})
        assert "was told that you do not agree" in browser.text
        assert "the holder does not agree" in counter.report(found.asking).findings[0].text
        assert browser.vault.contents.shown == ()

    play(scene)


def test_what_a_broken_verifier_may_have_seen_is_told(play, office, counter):
    async def scene(browser):
        await receive(browser, office)
        found = await ask(browser, counter)
        counter.is_broken = True
        try:
            await browser.send(f"{found.path}/approve", {})
        finally:
            counter.is_broken = False
        assert browser.status == 400
        assert "has seen what you agreed to" in browser.text
        await browser.open("/history")
        assert "declined" in browser.text

    play(scene)


def test_what_is_not_held_is_missing(play, counter):
    async def scene(browser):
        found = await ask(browser, counter)
        assert "This wallet cannot answer" in browser.text
        assert f"{found.path}/approve" not in browser.text
        await browser.send(f"{found.path}/approve", {})
        assert "No credentials for resident" in browser.text
        assert browser.vault.contents.shown == ()

    play(scene)


def test_of_two_that_would_do_one_is_chosen(play, office, counter):
    async def scene(browser):
        await receive(browser, office)
        kept = await receive(browser, office, ("resident", MEI | {"given_name": "Mei Ling"}))
        batch = kept.rpartition("/")[2]
        found = await ask(browser, counter)
        choices = dict.fromkeys(re.findall(r'name="with.resident" value="([^"]+)"', browser.text))
        assert len(choices) == 2
        (chosen,) = (each for each in choices if each.startswith(batch))
        await browser.send(f"{found.path}/choose", {"with.resident": chosen})
        assert "Mei Ling" in browser.text
        await browser.send(f"{found.path}/choose", {"with.nothing": chosen})
        assert browser.status == 400
        await browser.open(found.path)
        await browser.send(f"{found.path}/approve", {})
        (claims,) = counter.report(found.asking).claims["resident"]
        assert claims["given_name"] == "Mei Ling"

    play(scene)


def test_what_its_issuer_has_taken_back_is_told(play, office):
    async def scene(browser):
        credential = await receive(browser, office)
        assert "keeps a list of what it has taken back" in browser.text
        await browser.send(f"{credential}/check", {})
        assert "not taken back" in browser.text
        issued = office.work(lambda desk: desk.list_issued(0, 500))[-5:]
        office.work(lambda desk: desk.suspend(issued[0].number, wall_clock_ms()))
        await browser.send(f"{credential}/check", {})
        assert "1 of 5 copies suspended" in browser.text
        for each in issued:
            office.work(lambda desk, each=each: desk.revoke(each.number, wall_clock_ms()))
        await browser.send(f"{credential}/check", {})
        assert ">revoked</span>" in browser.text

    play(scene)


def test_a_credential_is_deleted_once_confirmed(play, office):
    async def scene(browser):
        credential = await receive(browser, office)
        await browser.open(f"{credential}/delete")
        assert "gone for good" in browser.text
        assert len(browser.vault.contents.kept) == 5
        await browser.send(f"{credential}/delete", {}, token="another")
        assert (browser.status, len(browser.vault.contents.kept)) == (400, 5)
        await browser.open(f"{credential}/delete")
        await browser.send(f"{credential}/delete", {})
        assert browser.vault.contents.kept == ()
        for page in (credential, f"{credential}/delete"):
            await browser.open(page)
            assert browser.status == 404

    play(scene)


def test_what_was_deleted_meanwhile_is_neither_shown_nor_noted(play, office, counter):
    async def scene(browser):
        credential = await receive(browser, office)
        found = await ask(browser, counter)
        await browser.open(f"{credential}/delete")
        await browser.send(f"{credential}/delete", {})
        await browser.open(found.path)
        await browser.send(f"{found.path}/approve", {})
        assert browser.status == 400
        assert "olds no credential" in browser.text
        assert "Nothing was shown" in browser.text
        assert "has seen" not in browser.text
        assert browser.vault.contents.shown == ()

    play(scene)


@pytest.mark.parametrize(
    ("page", "field", "text", "told"),
    [
        ("/receive", "offer", "", "offer"),
        ("/receive", "offer", "nonsense <b>", "offer"),
        (
            "/receive",
            "offer",
            "openid-credential-offer://?credential_offer_uri=http%3A%2F%2F10.0.0.1",
            "",
        ),
        (
            "/receive",
            "offer",
            "openid-credential-offer://?credential_offer_uri=http%3A%2F%2F127.0.0.1%3A1%2Fo",
            "",
        ),
        ("/present", "request", "openid4vp://?x=1", "one client_id and request_uri"),
        (
            "/present",
            "request",
            "openid4vp://?client_id=a&request_uri=http%3A%2F%2F127.0.0.1%3A1%2Fr",
            "",
        ),
    ],
)
def test_what_cannot_be_read_or_reached_is_told_beside_the_field(play, page, field, text, told):
    async def scene(browser):
        await browser.open(page)
        await browser.send(page, {field: text})
        assert browser.status == 400
        assert 'aria-invalid="true"' in browser.text
        assert "<b>" not in browser.raw
        (fault,) = re.findall(r'role="alert">([^<]+)<', browser.text)
        assert told in fault
        assert len(fault) > 10

    play(scene)


def test_the_oldest_in_hand_gives_way():
    numbers = iter(range(100))
    held = InHand("this", lambda count: next(numbers).to_bytes(count, "big"))
    names = [held.add(number) for number in range(IN_HAND_MAX + 1)]
    assert names[0] not in held
    assert held.find(names[-1]) == IN_HAND_MAX


def test_a_mobile_document_is_shown_by_namespace(play):
    now_ms = wall_clock_ms()
    key, signer = (generate_private_key(KeyKind.P256, secrets.token_bytes) for _ in range(2))
    elements = {"mo.city.resident.1": {"given_name": "Mei"}, "extra": {"districts": ["Taipa"]}}
    validity = Validity(now_ms - 2_000, now_ms - 2_000, now_ms - 1_000)
    draft = Draft("mo.city.resident.1", elements, key.public_key, validity)
    raw = issue_mdoc(draft, signer, [certify(signer)], secrets.token_bytes)
    holding = take_credential(
        "mso_mdoc",
        encode_base64url(raw),
        holding_id="doc.0",
        origin=Origin("https://city.example", now_ms),
        keys={key.public_key: key},
    )

    async def scene(browser):
        browser.vault.change(kept=(Kept(holding, "doc", key),))
        await browser.open("/")
        assert "expired" in browser.text
        await browser.open("/credentials/doc")
        for told in ("Extra", "Districts", "Taipa", "Given name", "Mei", "a certificate"):
            assert f">{told}<" in browser.text, told

    play(scene)
