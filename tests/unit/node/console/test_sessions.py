"""Signing in: what each role is shown, and what keeps a session from anybody else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request
from tests.browser.population import make_town
from tests.world import key

from hansa.engine.storage import FileStorage
from hansa.engine.verification import InlineVerifier
from hansa.kernel.crypto.address import to_text
from hansa.node.api.keys import KeyRing, add_key, revoke_key
from hansa.node.api.rights import Role
from hansa.node.console.sessions import COOKIE, is_own_path
from hansa.node.service import Node, wall_clock_ms
from hansa.node.serving.app import create_app
from hansa.node.settings import Settings
from hansa.node.web.sessions import (
    IDLE_S,
    SESSION_S,
    SESSIONS_EACH,
    SESSIONS_MAX,
    UPDATE_HEADER,
    Sessions,
    name_cookie,
)

PERSON = to_text(key("person0").address)
OTHER = to_text(key("person1").address)
HARBOUR = to_text(key("harbour").address)
RIVER = to_text(key("river").address)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return make_town(FileStorage(tmp_path_factory.mktemp("log")))


@pytest.fixture(scope="module")
def keys_path(tmp_path_factory):
    return tmp_path_factory.mktemp("keys") / "api-keys.json"


@pytest.fixture(scope="module")
def tokens(keys_path):
    """One key a role; all wallets of the town are kept by Harbour Bank."""
    made = {}
    for name, role, bound in (
        ("harbour", Role.OPERATOR, {"member": HARBOUR}),
        ("river", Role.OPERATOR, {"member": RIVER}),
        ("bank", Role.CENTRAL_BANK, {"member": to_text(key("officer0").address)}),
        ("person", Role.CUSTOMER, {"wallets": (PERSON,)}),
        ("leaver", Role.OPERATOR, {"member": HARBOUR}),
    ):
        made[name] = add_key(keys_path, name=name, role=role, now_ms=wall_clock_ms(), **bound)
    return made


class Clock:
    """A clock that tests turn."""

    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def visit(town, keys_path, use: Callable[[TestClient], Awaitable[None]], clock_s=None) -> None:
    """Serve a node with default settings: on loopback, too, nobody sees all without a key."""

    async def serve() -> None:
        chain = town.world.chain
        verifier = InlineVerifier(chain.network)
        node = Node(chain, verifier, key("harbour").address, key("harbour server"))
        app = create_app(node, Settings(), KeyRing(keys_path), clock_s=clock_s or Clock())
        async with TestClient(TestServer(app)) as client:
            await use(client)

    asyncio.run(serve())


async def sign_in(client, token: str, target: str = "/", origin: str | None = None):
    """Send the form as a browser would."""
    headers = {"Origin": origin or f"http://{client.host}:{client.port}", "Accept": "text/html"}
    form = {"key": token, "next": target}
    return await client.post("/sign-in", data=form, headers=headers, allow_redirects=False)


async def read(client, path: str) -> tuple[int, str]:
    """Get a page as a browser would."""
    response = await client.get(path, headers={"Accept": "text/html"})
    return response.status, await response.text()


def test_without_a_key_only_what_is_public_is_shown(town, keys_path):
    async def use(client):
        status, text = await read(client, "/")
        assert status == 200
        assert "Payments per second" in text
        assert "sign in" in text
        assert "/transactions/" not in text
        assert "balances.SINGLE_LIMIT" not in text
        for path in ("/supply", "/blocks", "/members", "/governance", "/policy"):
            status, text = await read(client, path)
            assert status == 200, path
            assert "/transactions/" not in text, path
        status, text = await read(client, f"/blocks/{town.last_height}")
        assert status == 200
        assert "Receipt root" in text
        assert "/transactions/" not in text
        assert "Without receipt" not in text
        assert "In the vault" not in (await read(client, f"/members/{HARBOUR}"))[1]
        for address in (PERSON, to_text(bytes(32))):
            status, text = await read(client, f"/wallets/{address}")
            assert status == 401
            assert "Sign in" in text
            assert "Category" not in text

    visit(town, keys_path, use)


def test_whoever_knows_an_id_may_look_it_up(town, keys_path):
    async def use(client):
        assert (await read(client, f"/transactions/{town.paid.hex()}"))[0] == 200
        receipt = await client.get(f"/transactions/{town.paid.hex()}/receipt")
        assert receipt.status == 200

    visit(town, keys_path, use)


def test_an_operator_sees_its_customers_and_nobody_elses(town, keys_path, tokens):
    async def use(client):
        assert (await sign_in(client, tokens["harbour"][1])).status == 303
        assert "/transactions/" in (await read(client, "/"))[1]
        assert (await read(client, f"/wallets/{PERSON}"))[0] == 200
        assert "/transactions/" in (await read(client, f"/blocks/{town.last_height}"))[1]
        assert "In the vault" in (await read(client, f"/members/{HARBOUR}"))[1]
        assert "In the vault" not in (await read(client, f"/members/{RIVER}"))[1]
        supply = (await read(client, "/supply"))[1]
        assert supply.count("/members/" + RIVER) == 0

    async def use_other(client):
        assert (await sign_in(client, tokens["river"][1])).status == 303
        status, text = await read(client, f"/wallets/{PERSON}")
        assert status == 403
        assert "Category" not in text
        assert "/transactions/" not in (await read(client, f"/blocks/{town.last_height}"))[1]

    visit(town, keys_path, use)
    visit(town, keys_path, use_other)


def test_a_customer_sees_its_own_wallet(town, keys_path, tokens):
    async def use(client):
        assert (await sign_in(client, tokens["person"][1])).status == 303
        assert (await read(client, f"/wallets/{PERSON}"))[0] == 200
        assert (await read(client, f"/wallets/{OTHER}"))[0] == 403
        assert "balances.SINGLE_LIMIT" not in (await read(client, "/"))[1]

    visit(town, keys_path, use)


def test_the_central_bank_sees_all(town, keys_path, tokens):
    async def use(client):
        assert (await sign_in(client, tokens["bank"][1])).status == 303
        text = ""
        async with asyncio.timeout(60):
            while "balances.SINGLE_LIMIT" not in text:  # the past is read in slices
                text = (await read(client, "/"))[1]
        assert "Sign out" in text
        assert (await read(client, f"/wallets/{PERSON}"))[0] == 200
        assert "Without receipt" in (await read(client, f"/blocks/{town.last_height}"))[1]
        assert RIVER in (await read(client, "/supply"))[1]

    visit(town, keys_path, use)


def test_the_cookie_is_for_this_site_alone(town, keys_path, tokens):
    async def use(client):
        response = await sign_in(client, tokens["bank"][1], f"/wallets/{PERSON}")
        assert response.headers["Location"] == f"/wallets/{PERSON}"
        cookie = response.cookies[COOKIE]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Strict"
        assert cookie["path"] == "/"
        assert not cookie["domain"]
        assert tokens["bank"][1] not in response.headers["Set-Cookie"]
        page = await client.get("/")
        assert page.headers["Cache-Control"] == "no-store"
        assert "Cookie" in page.headers["Vary"]

    visit(town, keys_path, use)


def test_under_tls_the_cookie_is_bound_to_tls():
    plain = make_mocked_request("GET", "/")
    secured = make_mocked_request("GET", "/", sslcontext=True)
    assert name_cookie(plain, COOKIE) == COOKIE
    assert name_cookie(secured, COOKIE) == f"__Host-{COOKIE}"


def test_a_page_of_another_site_can_neither_sign_in_nor_out(town, keys_path, tokens):
    async def use(client):
        for origin in ("https://attacker.example", "null"):
            response = await sign_in(client, tokens["bank"][1], origin=origin)
            assert response.status == 403
            assert COOKIE not in response.cookies
        bare = await client.post("/sign-in", data={"key": tokens["bank"][1]})
        assert bare.status == 403
        await sign_in(client, tokens["bank"][1])
        origin = {"Origin": f"http://{client.host}:{client.port}", "Accept": "text/html"}
        forged = await client.post("/sign-out", data={"token": "x"}, headers=origin)
        assert forged.status == 400
        assert "Sign out" in (await read(client, "/"))[1]

    visit(town, keys_path, use)


@pytest.mark.parametrize("token", ["", "nonsense", "hansa-00000000-AAAA", "\u00e9" * 20])
def test_a_wrong_key_begins_no_session(town, keys_path, tokens, token):
    async def use(client):
        response = await sign_in(client, token)
        assert response.status == 401
        assert COOKIE not in response.cookies
        text = await response.text()
        assert 'role="alert"' in text
        assert "unknown, expired or revoked" in text

    visit(town, keys_path, use)


def test_a_large_form_is_not_read(town, keys_path, tokens):
    async def use(client):
        assert (await sign_in(client, "x" * 5_000)).status == 400

    visit(town, keys_path, use)


def test_a_revoked_key_ends_the_session(town, keys_path, tokens):
    async def use(client):
        await sign_in(client, tokens["leaver"][1])
        assert (await read(client, f"/wallets/{PERSON}"))[0] == 200
        revoke_key(keys_path, tokens["leaver"][0].id, wall_clock_ms())
        assert (await read(client, f"/wallets/{PERSON}"))[0] == 401

    visit(town, keys_path, use)


# What pages send that bring themselves up to date: over plain HTTP to another machine, browsers
# do not say what a request is for.
UPDATES = [{"Sec-Fetch-Mode": "cors", UPDATE_HEADER: "1"}, {UPDATE_HEADER: "1"}]


@pytest.mark.parametrize("headers", UPDATES)
def test_a_session_ends_by_itself(town, keys_path, tokens, headers):
    clock = Clock()

    async def use(client):
        await sign_in(client, tokens["bank"][1])
        clock.now_s += IDLE_S - 1
        assert (await read(client, f"/wallets/{PERSON}"))[0] == 200
        clock.now_s += IDLE_S - 1
        update = await client.get(f"/wallets/{PERSON}", headers=headers)
        assert update.status == 200
        clock.now_s += 2
        assert (await read(client, f"/wallets/{PERSON}"))[0] == 401

    visit(town, keys_path, use, clock)


def test_signing_out_ends_the_session_on_the_node_too(town, keys_path, tokens):
    async def use(client):
        response = await sign_in(client, tokens["bank"][1])
        secret = response.cookies[COOKIE].value
        text = (await read(client, "/"))[1]
        token = re.search(r'name="token" value="([^"]+)"', text).group(1)
        origin = {"Origin": f"http://{client.host}:{client.port}", "Accept": "text/html"}
        await client.post("/sign-out", data={"token": token}, headers=origin)
        client.session.cookie_jar.clear()
        again = await client.get(f"/wallets/{PERSON}", headers={"Cookie": f"{COOKIE}={secret}"})
        assert again.status == 401

    visit(town, keys_path, use)


def test_a_page_is_another_for_another_viewer(town, keys_path, tokens):
    async def use(client):
        public = await client.get("/members")
        await sign_in(client, tokens["bank"][1])
        headers = {"If-None-Match": public.headers["ETag"]}
        assert (await client.get("/members", headers=headers)).status == 200

    visit(town, keys_path, use)


def test_a_session_lasts_no_longer_than_a_day_of_work():
    clock = Clock()
    sessions = Sessions(clock)
    secret = sessions.begin("00000000")
    while clock.now_s <= 1_000 + SESSION_S:
        assert sessions.find(secret, is_visit=True) is not None
        clock.now_s += IDLE_S / 2
    assert sessions.find(secret, is_visit=True) is None


def test_sessions_are_bounded_and_their_numbers_are_random():
    sessions = Sessions(Clock())
    secrets = [sessions.begin(f"{number:08}") for number in range(SESSIONS_MAX + 1)]
    assert len(set(secrets)) == SESSIONS_MAX + 1
    assert min(map(len, secrets)) >= 43
    assert sessions.find(secrets[0], is_visit=False) is None
    assert sessions.find(secrets[1], is_visit=False) is not None


def test_no_key_ends_the_sessions_of_others():
    sessions = Sessions(Clock())
    other = sessions.begin("00000001")
    own = [sessions.begin("00000000") for _ in range(SESSIONS_MAX + 1)]
    assert sessions.find(other, is_visit=False) is not None
    found = [secret for secret in own if sessions.find(secret, is_visit=False) is not None]
    assert found == own[-SESSIONS_EACH:]


@pytest.mark.parametrize(
    ("path", "is_own"),
    [
        ("/wallets/x", True),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("https://evil.example", False),
        ("/a\r\nSet-Cookie: x", False),
        ("", False),
    ],
)
def test_signing_in_leads_nowhere_else(path, is_own):
    assert is_own_path(path) is is_own
