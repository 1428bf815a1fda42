"""Pages as a client gets them: who is answered, with which headers, and what is counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from urllib.parse import quote

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from tests.browser.population import make_town
from tests.world import ASSET, START_MS, key, make_genesis, open_world, pay

from hansa.cli.main import build_parser
from hansa.contracts.balances import Balance
from hansa.engine.chain import ROW_SPACE
from hansa.engine.storage import FileStorage
from hansa.engine.verification import InlineVerifier
from hansa.kernel.block import Status, decode_receipt
from hansa.kernel.crypto.address import to_text
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Corrupt
from hansa.kernel.rows import decode_row
from hansa.node.api.access import Access
from hansa.node.console.blocks import SLOT_S, Blocks, Counts, count_receipts
from hansa.node.console.charts import build_chart
from hansa.node.console.guard import Gate
from hansa.node.console.routes import ROUTES
from hansa.node.console.site import add_console
from hansa.node.console.supply import SupplyWatch
from hansa.node.founding import MemberSpec, build_genesis
from hansa.node.limiter import Limiter
from hansa.node.service import Node, wall_clock_ms
from hansa.node.serving.app import create_app
from hansa.node.settings import Access as ReadAccess
from hansa.node.settings import Limits, Listen, LoopbackReads, Settings

OPEN = Settings(access=ReadAccess(loopback=LoopbackReads.EVERYTHING), limits=Limits(known_per_s=0))

ADDING = "All balances are being added up"
"""What pages say on a slow machine until there is a proof."""


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return make_town(FileStorage(tmp_path_factory.mktemp("log")))


def visit(town, use: Callable[[TestClient], Awaitable[None]], settings: Settings = OPEN) -> None:
    """Serve the console beside an API's path, and use it."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"from": "the API"})

    async def serve() -> None:
        chain = town.world.chain
        verifier = InlineVerifier(chain.network)
        node = Node(chain, verifier, key("harbour").address, key("harbour server"))
        app = web.Application()
        app.router.add_get("/v1/status", answer)
        access = Access(chain, settings, None, wall_clock_ms)
        limiter = Limiter(settings.limits, time.monotonic)
        add_console(app, node, Gate(access, settings.host_names, limiter))
        async with TestClient(TestServer(app)) as client:
            await use(client)

    asyncio.run(serve())


def test_a_page_may_load_nothing_but_the_consoles_own_files(town):
    async def use(client):
        response = await client.get("/")
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        text = await response.text()
        assert "http://" not in text
        assert "https://" not in text
        assert " style=" not in text
        assert "<style" not in text

    visit(town, use)


def test_every_file_that_a_page_names_is_there(town):
    async def use(client):
        text = await (await client.get("/")).text()
        names = [part.split('"')[0] for part in text.split('"/console/static/')[1:]]
        assert len(names) == 4
        for name in names:
            response = await client.get(f"/console/static/{name}")
            assert response.status == 200
            assert "immutable" in response.headers["Cache-Control"]
        assert (await client.get("/console/static/../pages.py")).status == 404

    visit(town, use)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "console.attacker.example"},
        {"Origin": "https://attacker.example"},
        {"Origin": "null"},
        {"Host": "[::1"},
        {"Host": "127.0.0.1:80;id"},
        {"Host": "user@127.0.0.1"},
        {"Host": "127.0.0.1/x"},
    ],
)
def test_foreign_names_and_pages_of_other_sites_are_refused(town, headers):
    async def use(client):
        for path in ("/", "/members", "/nowhere"):
            response = await client.get(path, headers={"Accept": "text/html", **headers})
            assert response.status == 403
            assert "Harbour" not in await response.text()

    visit(town, use)


def test_another_name_answers_where_settings_say_so(town):
    async def use(client):
        headers = {"Host": "ledger.bank.example:8460"}
        assert (await client.get("/", headers=headers)).status == 200
        headers["Origin"] = "https://ledger.bank.example:8460"
        assert (await client.get("/", headers=headers)).status == 200
        assert (await client.get("/", headers={"Host": "10.0.0.7:8460"})).status == 200

    visit(town, use, Settings(listen=Listen(public_names=("Ledger.bank.example",))))


def test_the_api_is_left_alone(town):
    async def use(client):
        response = await client.get("/v1/status", headers={"Host": "other.example"})
        assert await response.json() == {"from": "the API"}
        missing = await client.get("/v1/nothing", headers={"Accept": "application/json"})
        assert missing.status == 404
        assert "<html" not in await missing.text()

    visit(town, use)


def test_the_nodes_own_application_serves_it(town):
    """Its middleware turns errors of the API into problem documents; pages stay pages."""

    async def use() -> None:
        verifier = InlineVerifier(town.world.network)
        node = Node(town.world.chain, verifier, key("harbour").address, key("harbour server"))
        async with TestClient(TestServer(create_app(node, OPEN))) as client:
            found = await client.get("/search", params={"q": "12"})
            assert (found.status, found.url.path) == (200, "/blocks/12")
            stray = await client.get("/nowhere", headers={"Accept": "text/html"})
            assert stray.content_type == "text/html"
            problem = await client.get("/v1/nowhere", headers={"Accept": "application/json"})
            assert problem.content_type == "application/problem+json"

    asyncio.run(use())


def test_a_page_is_sent_again_only_when_there_is_something_new(town):
    async def use(client):
        tag = (await client.get("/members")).headers["ETag"]
        again = await client.get("/members", headers={"If-None-Match": tag})
        assert again.status == 304
        other = await client.get("/members", headers={"If-None-Match": '"other"'})
        assert other.status == 200

    visit(town, use)


def test_errors_are_said_in_words(town):
    async def use(client):
        for path, status in (
            ("/blocks/abc", 400),
            (f"/blocks/{10**30}", 400),
            ("/blocks/100000", 404),
            (f"/transactions/{'0' * 64}", 404),
            ("/transactions/xyz", 400),
            ("/wallets/hansa1nonsense", 400),
            (f"/wallets/{to_text(bytes(32))}", 404),
            (f"/members/{to_text(bytes(32))}", 404),
            ("/nowhere", 404),
        ):
            response = await client.get(path, headers={"Accept": "text/html"})
            assert response.status == status, path
            assert "<h1>" in await response.text()
        own = {"Accept": "text/html", "Origin": f"http://{client.host}:{client.port}"}
        assert (await client.post("/", headers=own)).status == 405

    visit(town, use)


def test_what_people_type_is_escaped(town):
    async def use(client):
        response = await client.get("/search", params={"q": "<script>alert(1)</script>"})
        assert response.status == 404
        assert "<script>alert" not in await response.text()

    visit(town, use)


def test_what_members_and_payers_write_is_escaped(tmp_path):
    """Names and references come from others: no page may take them for markup."""
    hostile = '"><script>alert(1)</script>'
    bank = (key("officer0").address, key("officer1").address, key("officer2").address)
    members = [
        MemberSpec(f"Bank {hostile}", ("central_bank",), bank, key("bank server").address, 2, 1),
        MemberSpec(
            f"North {hostile}", ("operator",), (key("north").address,), key("north server").address
        ),
    ]
    genesis = build_genesis(f"net {hostile}", START_MS, members, sealer=key("sealer"))
    world = open_world(FileStorage(tmp_path), genesis)
    world.fund("ada", "ben")
    assert world.do("ada", pay("ada", "ben", 5, hostile)) == ""
    paid = world.results[-1].tx_ids[0].hex()
    assert world.do("ada", pay("ada", "ben", 10**9, hostile)) != ""
    refused = world.results[-1].tx_ids[0].hex()
    ada, north = to_text(key("ada").address), to_text(key("north").address)
    head = world.chain.confirmed_height
    fixed = ("/", "/supply", "/blocks", "/members", "/governance", "/policy", "/sign-in")
    named = (f"/blocks/{head}", f"/transactions/{paid}", f"/transactions/{refused}")
    owned = (f"/wallets/{ada}", f"/members/{north}", f"/search?q={quote(hostile)}xx")

    async def use(client):
        for path in (*fixed, *named, *owned, f"/sign-in?next={quote('/' + hostile)}"):
            text = await (await client.get(path)).text()
            assert "<script>alert" not in text, path
            assert '"><' + "script" not in text.replace('"></script>', ""), path
            assert "&lt;script&gt;alert(1)" in text, path

    visit(SimpleNamespace(world=world), use)


def test_search_goes_to_what_was_meant(town):
    harbour = to_text(key("harbour").address)
    person = to_text(key("person0").address)

    async def use(client):
        for query, target in (
            ("12", "/blocks/12"),
            ("#12", "/blocks/12"),
            (town.paid.hex().upper(), f"/transactions/{town.paid.hex()}"),
            (person, f"/wallets/{person}"),
            (harbour.upper(), f"/members/{harbour}"),
            (to_text(key("harbour server").address), f"/members/{harbour}"),
            ("harbour", f"/members/{harbour}"),
        ):
            response = await client.get("/search", params={"q": query}, allow_redirects=False)
            assert (response.status, response.headers.get("Location")) == (303, target)

    visit(town, use)


def make_claims():
    """A network in which North lists a person's address and South's key among its own."""
    bank = (key("officer0").address, key("officer1").address, key("officer2").address)
    claims = tuple(key(name).address for name in ("north", "ada", "south", "north officer"))
    server = key("north server").address
    return build_genesis(
        "claims",
        START_MS,
        [
            MemberSpec("Bank", ("central_bank",), bank, key("bank server").address, 2, 1),
            MemberSpec("North", ("operator",), claims, server),
            MemberSpec("Other", ("operator",), (key("other").address, key("south").address)),
            MemberSpec("North", ("regulator",), (key("namesake").address,)),
        ],
        sealer=key("sealer"),
    )


def test_a_member_names_nobody_but_itself(tmp_path):
    world = open_world(FileStorage(tmp_path), make_claims())
    world.fund("ada", "ben")
    assert world.do("ada", pay("ada", "ben", 5, "mine")) == ""
    paid = world.results[-1].tx_ids[0].hex()
    ada, south, officer = (to_text(key(name).address) for name in ("ada", "south", "north officer"))
    north = to_text(key("north").address)

    async def use(client):
        text = await (await client.get(f"/transactions/{paid}")).text()
        assert f'href="/wallets/{ada}"' in text
        assert "North, officer" not in text
        for query, target in (
            (ada, f"/wallets/{ada}"),
            (south, f"/wallets/{south}"),
            (officer, f"/members/{north}"),
            ("north", "/members"),
        ):
            response = await client.get("/search", params={"q": query}, allow_redirects=False)
            assert (response.status, response.headers.get("Location")) == (303, target)

    visit(SimpleNamespace(world=world), use)


def test_a_refusal_leads_to_what_its_code_means(town):
    """From its transaction, from the count of refusals, and from a search for the code."""
    code = "balances.SINGLE_LIMIT"
    link = f"/docs/reference/contracts.md#{code}"

    async def use(client):
        shown = await (await client.get(f"/transactions/{town.refused.hex()}")).text()
        assert f'href="{link}">{code}</a>' in shown
        overview = ""
        async with asyncio.timeout(60):
            while "reasons" not in overview:
                overview = await (await client.get("/")).text()
        assert '<a class="code" href="/docs/reference/contracts.md#' in overview
        found = await client.get("/search", params={"q": code}, allow_redirects=False)
        assert (found.status, found.headers["Location"]) == (303, link)

    visit(town, use)


def test_history_pages_join_without_gap(town):
    person = to_text(key("person0").address)

    async def use(client):
        seen: list[str] = []
        path = f"/wallets/{person}?asset=MOP"
        while path:
            text = await (await client.get(path)).text()
            rows = text.split('<td role="cell" class="nowrap"><a href="/transactions/')[1:]
            seen += [row[:64] for row in rows]
            older = text.split('" rel="next">Older')
            link = older[0].rsplit('href="', 1)[1] if len(older) > 1 else ""
            path = f"/wallets/{person}{link.replace('&amp;', '&')}" if link else ""
        chain = town.world.chain
        expected = [
            receipt.tx_id.hex()
            for record in chain.iterate_records(1)
            for receipt in map(decode_receipt, record.receipts)
            for _, _, fields in receipt.events
            for delta in fields[0]
            if delta[1] == key("person0").address and delta[2] == "MOP"
        ]
        assert seen == expected[::-1]
        assert len(seen) > 40
        assert (await client.get(f"/wallets/{person}?before=7")).status == 404

    visit(town, use)


def test_amounts_of_holds_are_in_the_asset_of_their_payment(town):
    async def use(client):
        text = await (await client.get(f"/transactions/{town.posted.hex()}")).text()
        assert text.count("32.00\N{NO-BREAK SPACE}MOP") == 2
        assert "minor units" not in text

    visit(town, use)


def test_counting_by_bytes_agrees_with_decoding(town):
    for record in town.world.chain.iterate_records(0):
        receipts = [decode_receipt(raw) for raw in record.receipts]
        refused = sum(receipt.status is not Status.OK for receipt in receipts)
        payments = sum(
            receipt.status is Status.OK and any(each[0] == "payments" for each in receipt.events)
            for receipt in receipts
        )
        others = len(receipts) - refused - payments
        assert count_receipts(record.receipts) == Counts(payments, others, refused)


def test_the_minute_holds_the_blocks_of_that_minute(town):
    chain = town.world.chain
    blocks = Blocks(chain)
    rate = blocks.rate()
    from_ms, to_ms = rate.slots[0].from_ms, rate.slots[-1].from_ms + 1_000 * SLOT_S
    expected = [
        block.counts.total
        for block in map(blocks.get, range(chain.confirmed_height + 1))
        if from_ms <= block.time_ms < to_ms
    ]
    assert rate.total.total == sum(expected)
    chart = build_chart(rate)
    assert all(0 <= bar.y <= bar.y + bar.height <= 100.01 for bar in chart.bars)


def test_blocks_that_are_confirmed_later_are_counted(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())
    blocks = Blocks(world.chain)
    world.fund("ada")
    for result in world.results:
        blocks.note(result)
    assert blocks.rate().total.payments == 1


def test_the_supply_proof_finds_every_unit(town):
    async def read():
        watch = SupplyWatch(town.world.chain)
        await watch.read()
        await watch.finish()
        return await watch.read()

    proof = asyncio.run(read())
    assert {asset.difference_minor for asset in proof.assets} == {0}
    assert [asset.asset for asset in proof.assets] == ["MOP", "EUR"]
    assert proof.assets[0].supply.issued_minor == 999_500_000
    assert proof.assets[1].supply.wallets_minor == 12_345


def test_a_network_without_transactions_has_all_pages(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())
    north = to_text(key("north").address)
    paths = [route.path for route in ROUTES if "{" not in route.path]

    async def use(client):
        for path in (*paths, "/blocks/0", f"/members/{north}"):
            response = await client.get(path)
            assert response.status == 200, path
        text = await (await client.get("/supply")).text()
        assert "None of it has been issued yet" in text
        assert "No proposal has been made" in await (await client.get("/governance")).text()
        assert "None." in await (await client.get("/")).text()

    visit(SimpleNamespace(world=world), use)


def test_an_engine_that_has_stopped_is_said_on_every_page(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())

    async def use() -> None:
        node = Node(
            world.chain, InlineVerifier(world.network), key("north").address, key("north server")
        )
        async with TestClient(TestServer(create_app(node, OPEN))) as client:
            node.engine.fail(Corrupt("block 7 is damaged", height=7))
            for path in ("/", "/members", "/nowhere"):
                response = await client.get(path, headers={"Accept": "text/html"})
                assert "The engine has stopped: block 7 is damaged" in await response.text()

    asyncio.run(use())


def test_commands_to_paste_are_commands(town):
    """Whatever a page offers to paste is understood by the command line as it is."""
    parser = build_parser()

    async def use(client):
        found = set()
        for path in ("/supply", f"/transactions/{town.paid.hex()}", "/sign-in"):
            text = await (await client.get(path)).text()
            found |= {part.split("</code>")[0] for part in text.split("<code>")[1:]}
        assert len(found) == 6
        for line in found - {"hansa key api new --help"}:
            name, *words = line.split()
            assert name == "hansa"
            parser.parse_args(words)

    visit(town, use)


def test_money_that_is_not_accounted_for_is_said_first(tmp_path):
    """A wallet that holds a cent more than it was ever given is found, and not glossed over."""
    world = open_world(FileStorage(tmp_path), make_genesis())
    world.fund("ada")
    world.time_ms += 5_000
    assert world.do("ada", pay("ada", "ada", 1, "to make a checkpoint")) != ""
    store = world.chain.store
    row_key = ROW_SPACE + Balance.key(key("ada").address, ASSET)
    balance = decode_row(Balance, store.get(row_key))
    richer = msgspec.structs.replace(balance, available_minor=balance.available_minor + 1)
    store.write({row_key: encode(richer)}, store.pending_height + 1)
    assert world.do("ada", pay("ada", "ada", 1, "no checkpoint")) != ""
    assert store.pending_height == world.chain.confirmed_height

    async def use(client):
        for path in ("/", "/supply"):
            text = ADDING
            async with asyncio.timeout(60):
                while ADDING in text:
                    text = await (await client.get(path)).text()
            assert "not in balance" in text
            assert "differ by \N{MINUS SIGN}0.01" in text

    visit(SimpleNamespace(world=world), use)


def test_pages_count_against_the_rate_limits(town):
    async def use(client):
        statuses = [(await client.get("/members")).status for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        refused = await client.get("/policy")
        assert int(refused.headers["Retry-After"]) >= 1
        assert "too many requests" in await refused.text()
        assert (await client.get("/console/static/console.css")).status == 200

    visit(town, use, Settings(limits=Limits(anyone_per_s=0.001, anyone_burst=10)))
