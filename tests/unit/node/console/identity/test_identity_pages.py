"""The pages about identity as a client gets them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from html import unescape
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from tests.browser.population import make_town
from tests.browser.registries import NUMBER_OF_ISSUERS, do
from tests.world import key

from hansa.contracts.identity import schemas
from hansa.contracts.identity.documents import PastDocument
from hansa.engine.storage import FileStorage
from hansa.engine.verification import InlineVerifier
from hansa.identity.methods.hansa import write_did
from hansa.kernel.calendar import format_iso
from hansa.kernel.crypto.address import to_text
from hansa.node.api.access import Access
from hansa.node.console.guard import Gate
from hansa.node.console.identity.kinds import ISSUERS_PER_PAGE, find_title, write_pretty
from hansa.node.console.site import add_console
from hansa.node.limiter import Limiter
from hansa.node.service import Node, wall_clock_ms
from hansa.node.settings import Access as ReadAccess
from hansa.node.settings import Limits, LoopbackReads, Settings

LIMITS = Limits(known_per_s=0, anyone_per_s=0)
OPEN = Settings(access=ReadAccess(loopback=LoopbackReads.EVERYTHING), limits=LIMITS)
CLOSED = Settings(limits=LIMITS)
NAMES = ("civic", "regulator", "licences", "academy", "school3", "branch", "person0")
CIVIC, OFFICE, LICENCES, ACADEMY, SCHOOL, BRANCH, PERSON = (
    to_text(key(name).address) for name in NAMES
)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return make_town(FileStorage(tmp_path_factory.mktemp("log")))


@pytest.fixture
def get(town):
    """Get pages of the console; returns status and text of each."""

    def fetch(*paths: str, settings: Settings = OPEN) -> list[tuple[int, str]]:
        async def ask(client: TestClient) -> list[tuple[int, str]]:
            found = []
            for path in paths:
                response = await client.get(path)
                found.append((response.status, await response.text()))
            return found

        return serve(town, ask, settings)

    return fetch


def serve(town, ask: Callable[[TestClient], Awaitable], settings: Settings = OPEN):
    async def run():
        chain = town.world.chain
        node = Node(
            chain, InlineVerifier(chain.network), key("harbour").address, key("harbour server")
        )
        app = web.Application()
        access = Access(chain, settings, None, wall_clock_ms)
        gate = Gate(access, settings.host_names, Limiter(settings.limits, time.monotonic))
        add_console(app, node, gate)
        async with TestClient(TestServer(app)) as client:
            return await ask(client)

    return asyncio.run(run())


def test_the_overview_tells_types_issuers_and_status_lists(get, town):
    ((status, text),) = get("/identity")
    assert status == 200
    for name in ("resident", "business-licence", "training-certificate"):
        assert f'href="/identity/type/{name}"' in text
    assert f"All {NUMBER_OF_ISSUERS + 2} issuers" in text
    assert "Resident &lt;b&gt;card&lt;/b&gt;" in text, "what a member publishes is no markup"
    head = town.world.chain.head
    assert head.state_root.hex()[:10] in text
    assert CIVIC in text
    assert "suspended" in text


def test_a_page_of_types_ends_with_where_more_are(get):
    ((_, whole), (_, rest)) = get("/identity", "/identity?after=resident")
    assert "More types" not in whole
    assert "training-certificate" in rest
    assert 'href="/identity/type/resident"' not in rest
    assert "First types" in rest


@pytest.mark.parametrize(
    ("query", "target"),
    [
        (f"did:hansa:harbour-town:{CIVIC}", f"/identity/did/{CIVIC}"),
        (f" {CIVIC.upper()} ", f"/identity/did/{CIVIC}"),
        ("resident", "/identity/type/resident"),
    ],
)
def test_a_search_goes_to_what_it_names(town, query, target):
    async def ask(client):
        own = await client.get(f"/identity?q={quote(query)}", allow_redirects=False)
        general = await client.get(f"/search?q={quote(query)}", allow_redirects=False)
        return own.headers["Location"], general.headers["Location"]

    own, general = serve(town, ask)
    assert own == target
    assert general in (target, f"/wallets/{CIVIC}")


@pytest.mark.parametrize(
    "query",
    ["did:web:example.com", "did:hansa:other:" + CIVIC, "hansa1nothing", "no-such", "n" * 300],
)
def test_a_search_for_nothing_says_so(get, query):
    ((status, text),) = get(f"/identity?q={quote(query)}")
    assert status == 404
    assert f'have nothing for <strong class="breaks">{query}' in text


def test_a_did_shows_document_chain_and_past(get):
    ((status, text),) = get(f"/identity/did/{CIVIC}")
    assert status == 200
    assert write_did("harbour-town", key("civic").address) in text
    chain = text[text.index('class="trust"') : text.index("</ol>")]
    assert chain.index("The network, by vote") < chain.index(OFFICE) < chain.index("this DID")
    for told in (
        "A recovery is under way",
        "https://civic.example/desk",
        "may sign credentials and evidence for it until",
        "2 of 3 may replace lost keys after 1 day",
        "its bytes are not published",
        "service desk added",
        "account with 2 keys",
        "Status lists",
    ):
        assert told in text, told


def test_a_did_is_told_as_it_was(get, town):
    """Before it had an account, its one key was its own; before its document, there was none."""
    rows = town.world.chain.machine.state
    first = rows.load(PastDocument, PastDocument.key(key("civic").address, 1))
    begun, changed = first.document.since_ms, first.until_ms
    paths = [f"/identity/did/{CIVIC}?at={format_iso(at, 0)}" for at in (begun, changed, begun - 1)]
    (_, early), (_, late), (status, before) = get(*paths)
    assert "https://civic.example/desk" not in early
    assert "https://civic.example/desk" in late
    assert "A recovery is under way" not in late
    assert (status, "no document then" in before) == (200, True)
    assert f"--at {format_iso(begun, 0)}" in early


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("2999-01-01T00:00:00Z", "has not been yet"),
        ("2999-01-01", "has not been yet"),
        ("yesterday", "no moment with a time zone"),
        ("1969-12-31T00:00:00Z", "before 1970"),
        ("9999-12-31T23:59:59-23:59", "no moment"),
    ],
)
def test_a_moment_that_cannot_be_shown_is_refused(get, at, told):
    ((status, text),) = get(f"/identity/did/{CIVIC}?at={at}")
    assert status == 400
    assert told in unescape(text).lower()


def test_a_moment_without_a_zone_is_in_that_of_the_network(get):
    """The town is eight hours ahead: its midnight is four in the afternoon of the day before."""
    ((_, text),) = get(f"/identity/did/{OFFICE}?at=2026-01-02T00:00")
    assert "2026-01-02T00:00:00.000+08:00" in text


def test_a_suspended_issuer_is_told_with_reasons(get):
    ((_, own), (_, page)) = get(f"/identity/did/{LICENCES}", "/identity/type/business-licence")
    for text in (own, page):
        assert "a key was compromised" in text
        assert "what it was suspended for has been put right" in text
        assert "breach of its duties" in text
    assert "not asked, as the link below does not hold" in own
    assert "older credentials count only if they were anchored" in own


def test_a_deactivated_did_has_no_keys(get):
    ((_, text),) = get(f"/identity/did/{ACADEMY}")
    assert "no key counts any more" in text
    assert "deactivated for good" in text
    assert "and 35 more, which the pages of the types list" in text


def test_a_type_is_shown_by_version_with_its_issuers_in_pages(get):
    ((_, text), (_, old)) = get("/identity/type/resident", "/identity/type/resident?version=1")
    assert "&#34;given_name&#34;: {" in text
    assert "version 1 is retired" not in text
    assert "version 1 is retired" in old
    ((_, first),) = get("/identity/type/training-certificate")
    assert first.count('data-label="Standing"') == ISSUERS_PER_PAGE
    following = first.split("?after=")[1].split("#")[0]
    ((_, second),) = get(f"/identity/type/training-certificate?after={following}")
    assert second.count('data-label="Standing"') == NUMBER_OF_ISSUERS + 2 - ISSUERS_PER_PAGE
    assert "More issuers" not in second


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/identity/type/nothing", 404, "there is no type"),
        (f"/identity/type/{'n' * 300}", 404, "there is no type"),
        ("/identity/type/resident?version=9", 404, "has versions 1 to 2"),
        ("/identity/type/resident?after=x", 400, ""),
        ("/identity/did/did:web:example.com", 400, "not of the method hansa"),
        ("/identity/did/nothing", 400, ""),
        (f"/identity/did/{to_text(key('nobody').address)}", 404, "has no document"),
    ],
)
def test_what_is_not_there_is_told(get, path, status, told):
    ((found, text),) = get(path)
    assert found == status
    assert told in unescape(text).lower()


def test_a_pseudonym_is_shown_to_its_readers_alone(get):
    """A wallet's address without a document: its keys would link it to others."""
    path = f"/identity/did/{PERSON}"
    ((status, _),) = get(path, settings=CLOSED)
    assert status == 404
    ((_, text),) = get(f"/identity/did/{CIVIC}", settings=CLOSED)
    assert "2 of 3 may replace lost keys after 1 day." in text, "but not who they are"


def test_a_new_type_appears_with_the_next_checkpoint(town):
    office = key("regulator").address
    world = town.world

    async def ask(client):
        before = await (await client.get("/identity")).text()
        world.time_ms = wall_clock_ms()
        command = schemas.Publish(office, "new-type", 1, "[[[", "]]")
        do(world, "regulator", command)
        world.time_ms += 5_000
        do(world, "regulator", schemas.Publish(office, "other", 1, "{}", "{}"))
        found = ""
        async with asyncio.timeout(60):  # tables rest for as long as they took, many times
            while "new-type" not in found:
                found = await (await client.get("/identity")).text()
        page = await (await client.get("/identity/type/new-type")).text()
        return before, found, page

    before, after, page = serve(town, ask)
    assert "new-type" not in before
    assert "new-type" in after
    assert "[[[" in page
    assert "It has no display data" in page


def test_texts_that_are_no_json_stay_as_they_are():
    assert write_pretty("[" * 5_000) == "[" * 5_000
    assert write_pretty('{"a": NaN}') == '{"a": NaN}'
    assert find_title('[{"name": 7}, {"name": "Pass"}]') == "Pass"
    assert find_title('"text"') == ""
