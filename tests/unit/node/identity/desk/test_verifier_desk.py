"""An officer asks at the verifier’s desk, while a wallet of another make answers."""

import re
import secrets
import time
from contextlib import asynccontextmanager

import pytest
from tests.unit.node.identity.desk.playing import cut, opened
from tests.unit.node.identity.issuer.playing import PASSPHRASE, play
from tests.unit.node.identity.shop import believe
from tests.unit.node.identity.shop import opened as opened_shop
from tests.unit.node.identity.test_presenting import ADULT, ForeignHolder, receive

from hansa.kernel.errors import Unavailable
from hansa.node.identity.desk.verifier import open_verifier_desk
from hansa.node.identity.verifier.folder import open_verifier
from hansa.node.identity.verifier.pinned import fetch_list

AWAY = "10.0.0.7:8460 does not answer"


@asynccontextmanager
async def at_desk(path, office, *, fetch=None):
    """Serve a shop that believes the office, and its desk; gives credential, holder and browser."""
    credential, key, issuer = await receive(office)
    async with opened_shop(path, believe(issuer, office.url), fetch) as shop:
        folder = open_verifier(path, PASSPHRASE, secrets.token_bytes)
        try:
            async with opened(open_verifier_desk(folder, time.monotonic)) as browser:
                await browser.open(cut(browser.links[0]))
                wallet = Wallet(office, credential, key)
                yield shop, wallet, browser
        finally:
            folder.records.close()


class Wallet:
    """A wallet that shows what it is asked for."""

    def __init__(self, office, credential, key):
        self.holder = ForeignHolder(office.http)
        self.credential, self.key = credential, key

    async def answer(self, browser, disclosed=None, name="resident"):
        """Answer the request of the page that is shown."""
        uri = re.search(r"<code>(openid4vp://[^<]+)</code>", browser.text)[1]
        request = await self.holder.scan(uri)
        wanted = {"age_equal_or_over_18": True} if disclosed is None else disclosed
        shown = self.holder.present(request, self.credential, self.key, wanted)
        return await self.holder.answer(request, **{name: shown})


async def ask(browser, **more):
    await browser.open("/")
    return await browser.send("/sessions", {"question": "adult"} | more)


def test_what_a_wallet_shows_is_told_check_by_check(tmp_path):
    async def scene(office):
        async with at_desk(tmp_path / "shop", office) as (_, wallet, browser):
            assert "urn:example:resident:1: age_equal_or_over_18" in browser.text
            await ask(browser)
            path = browser.path
            assert ">waiting<" in browser.text
            assert "<svg" in browser.raw
            assert 'href="openid4vp://' in browser.text
            await wallet.answer(browser)
            await browser.open(path)
            assert "<h2>Accepted</h2>" in browser.text
            assert "<dt>age_equal_or_over_18</dt>" in browser.text
            assert "<dt>cnf</dt>" not in browser.text
            assert "given_name" not in browser.text
            rows = re.findall(r'<th scope="row">([^<]+)</th>', browser.text)
            assert rows[0] == "Form"
            assert {"Revoked or suspended", "May the issuer issue it"} <= set(rows)
            assert "does not hold" not in browser.text
            await browser.open("/sessions")
            assert path in browser.text
            assert ">accepted<" in browser.text

    play(tmp_path, scene)


def test_what_does_not_hold_is_marked_and_nothing_shown_is_kept(tmp_path):
    async def scene(office):
        async with at_desk(tmp_path / "shop", office) as (_, wallet, browser):
            office.work(lambda desk: desk.revoke(1, 1_795_000_000_000))
            await ask(browser)
            path = browser.path
            await wallet.answer(browser)
            await browser.open(path)
            assert "<h2>Not accepted</h2>" in browser.text
            assert "the issuer has revoked it" in browser.text
            assert browser.text.count(">does not hold<") == 1
            assert "age_equal_or_over_18" not in browser.text
            await browser.open("/sessions")
            assert ">not accepted<" in browser.text

    play(tmp_path, scene)


def test_the_desk_is_told_what_could_not_be_checked_and_the_wallet_only_that(tmp_path):
    away = [True]

    async def fetch(uri):
        if away[0]:
            raise Unavailable(AWAY)
        return await fetched(uri)

    async def scene(office):
        nonlocal fetched

        async def fetched(uri):
            return await fetch_list(office.http, uri)

        async with at_desk(tmp_path / "shop", office, fetch=fetch) as (_, wallet, browser):
            await ask(browser)
            path, page = browser.path, browser.text
            with pytest.raises(Exception, match="503") as caught:
                await wallet.answer(browser)
            assert AWAY not in str(caught.value)
            assert "try again in a moment" in str(caught.value)
            await browser.open(path)
            assert ">could not be checked<" in browser.text
            assert AWAY in browser.text
            away[0] = False
            browser.text = page
            await wallet.answer(browser)
            await browser.open(path)
            assert "<h2>Accepted</h2>" in browser.text
            assert AWAY not in browser.text

    fetched = None
    play(tmp_path, scene)


def test_on_one_device_the_answer_is_shown_to_the_browser_that_comes_back(tmp_path):
    async def scene(office):
        async with at_desk(tmp_path / "shop", office) as (_, wallet, browser):
            await ask(browser, same_device="on")
            path = browser.path
            told = await wallet.answer(browser)
            await browser.open(path)
            assert "did not send its browser back here" in browser.text
            assert "Accepted" not in browser.text
            place = told["redirect_uri"].removeprefix(browser.address)
            await browser.open(place[:-1])
            assert browser.status == 404
            browser.http.cookie_jar.clear()
            await browser.open(place)  # as from a wallet on the web: it comes without the cookie
            assert "Accepted" not in browser.text
            onward = re.search(r'url=([^"]+)"', browser.text)[1]
            await browser.open(cut(browser.links[-1]))
            await browser.open(onward)
            assert browser.path == path
            assert "<h2>Accepted</h2>" in browser.text
            await browser.open("/back?for=nothing&response_code=x")
            assert browser.status == 404

    play(tmp_path, scene)


def test_a_request_is_built_of_a_type_and_its_claims(tmp_path):
    async def scene(office):
        async with at_desk(tmp_path / "shop", office) as (_, wallet, browser):
            await browser.open("/ask?type=urn:example:resident:1")
            assert 'name="claim.age_equal_or_over_18"' in browser.text
            fields = {
                "type": "urn:example:resident:1",
                "format": "dc+sd-jwt",
                "claim.age_equal_or_over_18": "on",
                "claims": "given_name\n",
                "purpose": "Library <card>",
            }
            await browser.send("/sessions", fields)
            path = browser.path
            assert "<h1>Library &lt;card&gt;</h1>" in browser.raw
            wanted = {"age_equal_or_over_18": True, "given_name": True}
            await wallet.answer(browser, wanted, "credential")
            await browser.open(path)
            assert "<h2>Accepted</h2>" in browser.text
            assert ADULT["given_name"] in browser.text

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("fields", "name", "why"),
    [
        ({}, "type", "Name the type of credential"),
        ({"dcql": "{"}, "dcql", "The query is no sound JSON"),
        ({"dcql": "{}"}, "dcql", "This is no DCQL query"),
        (
            {
                "dcql": '{"credentials": [{"id": "a", "format": "dc+sd-jwt", "meta": {}, '
                '"trusted_authorities": [{"type": "aki", "values": ["x"]}]}]}'
            },
            "dcql",
            "Trusted_authorities are not checked here",
        ),
    ],
)
def test_what_is_wrong_with_a_request_stands_beside_its_field(tmp_path, fields, name, why):
    async def scene(office):
        async with at_desk(tmp_path / "shop", office) as (_, _, browser):
            await browser.open("/ask")
            await browser.send("/sessions", {"purpose": "to try"} | fields)
            assert browser.status == 400
            assert f'id="{name}-fault">{why}' in browser.text
            assert 'value="to try"' in browser.text
            assert fields.get("dcql", "") in browser.text

    play(tmp_path, scene)


def test_what_is_not_there_is_not_found(tmp_path):
    async def scene(office):
        async with at_desk(tmp_path / "shop", office) as (_, _, browser):
            await browser.open("/sessions/nothing")
            assert browser.status == 404
            await ask(browser, question="nothing")
            assert browser.status == 404
            await browser.open("/sessions")
            assert "None just now" in browser.text

    play(tmp_path, scene)
