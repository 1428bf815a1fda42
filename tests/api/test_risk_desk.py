"""A node's risk desk over HTTP: what its officers read and answer, and who may not."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestClient, TestServer
from msgspec import to_builtins
from tests.api.served import UNLIMITED
from tests.deciding_desk import RULES, Bank
from tests.listed import RAMIRO, write_customers
from tests.world import key, pay

from hansa.cli.main import main
from hansa.kernel.calendar import format_iso
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, NotFound, Refused
from hansa.kernel.transaction import compute_tx_id, decode_envelope
from hansa.node.api.keys import KeyRing, add_key, list_keys
from hansa.node.api.rights import Right, Role
from hansa.node.risk.loading import decode_basis
from hansa.node.serving.app import create_app
from hansa.node.settings import Settings
from hansa.risk.decisions.commitment import decode_record
from hansa.risk.intake.describing import FEATURES
from hansa.risk.models.file import read_model
from hansa.sdk.async_client import AsyncClient

UNKNOWN = bytes(31) + b"\x01"
OFFICERS = ("north's cases", "north", Right.RISK_RELEASE)
APP = ("north's app", "north", Right.RISK_CONFIRM)


@pytest.fixture
def bank(tmp_path):
    bank = Bank(tmp_path)
    bank.fund("ann", "shop")
    return bank


@asynccontextmanager
async def served(bank):
    """Serve north's node; gives plain HTTP, and clients of its officers, its app, and south's."""
    path = bank.path / "api-keys.json"
    tokens = [add_own_key(path, *own) for own in (OFFICERS, APP, ("south's cases", "south"))]
    async with bank.running() as (node, desk):
        app = create_app(
            node, Settings(limits=UNLIMITED), KeyRing(path), risk=desk, clock_ms=bank.now_ms
        )
        async with TestClient(TestServer(app)) as plain:
            url = str(plain.make_url("/")).rstrip("/")
            async with (
                AsyncClient(url, api_key=tokens[0], attempts=1) as north,
                AsyncClient(url, api_key=tokens[1], attempts=1) as app,
                AsyncClient(url, api_key=tokens[2], attempts=1) as south,
            ):
                yield plain, north, app, south


def add_own_key(path, name, member, *rights):
    bound = {"role": Role.OPERATOR, "member": to_text(key(member).address), "rights": rights}
    return add_key(path, name=name, now_ms=1, **bound)[1]


async def show_standing(bank, plain, capsys):
    """Show people how the node decides."""
    path = bank.path / "own.key"
    path.write_text(add_own_key(bank.path / "api-keys.json", "own", "north"))
    path.chmod(0o600)
    words = ("risk", "standing", "--node", str(plain.make_url("/")), "--api-key-file", str(path))
    assert await asyncio.to_thread(main, words) == 0
    return capsys.readouterr().out


def name_key(bank, name):
    """Name a key as answers by it do."""
    (found,) = [each.id for each in list_keys(bank.path / "api-keys.json") if each.name == name]
    return f"{name} ({found})"


def find_id(bank, envelope):
    return compute_tx_id(bank.world.network, decode_envelope(envelope)[0].body)


async def post(plain, wait_ms, *items):
    """Send one, or many; the status, and what is told of each."""
    sent = [{**item, "envelope": base64.b64encode(item["envelope"]).decode()} for item in items]
    body = sent[0] if len(sent) == 1 else {"transactions": sent}
    async with plain.post(f"/v1/transactions?wait_ms={wait_ms}", json=body) as response:
        found = await response.json()
        return response.status, found.get("results", [found])


async def wait_until_listed(client, count):
    """Wait until so many wait for somebody."""
    async with asyncio.timeout(60):
        while True:
            page = await client.risk.list_waiting()
            if len(page.transactions) == count:
                return page.transactions
            await asyncio.sleep(0.01)


async def read_missing(plain, tx_id):
    async with plain.get(f"/v1/transactions/{tx_id.hex()}") as response:
        assert response.status == 404
        return (await response.text()).replace(tx_id.hex(), "")


@asynccontextmanager
async def holding(bank):
    """Send one that steps up, one to be reviewed and one that is blocked; gives their ids, too."""
    paid = [pay("ann", "shop", 450, "chair"), pay("ann", "shop", 700, "table")]
    envelopes = [bank.sign("ann", each) for each in (*paid, pay("ann", "shop", 5_000, "house"))]
    stepped, *others = envelopes
    ids = [find_id(bank, each) for each in envelopes]
    async with served(bank) as (plain, north, app, _):
        status, [told] = await post(plain, 20, {"envelope": stepped, "device": "ann's phone"})
        assert (status, told["tx_id"], told["status"]) == (202, ids[0].hex(), "PENDING")
        _, many = await post(plain, 20, *({"envelope": each} for each in others))
        assert {each["status"] for each in many} == {"PENDING"}
        yield plain, north, app, envelopes, ids


def test_officers_read_what_waits_and_nobody_else_can_tell_that_it_does(bank):
    async def run():
        async with holding(bank) as (plain, north, _, _, (stepped, reviewed, blocked)):
            first, second = await wait_until_listed(north, 2)
            assert [first.tx_id, second.tx_id] == [stepped.hex(), reviewed.hex()]
            assert (first.verdict, first.reasons) == ("step_up", ["rule.notable"])
            assert (second.verdict, second.ppm, second.state) == ("review", 900_000, "waiting")
            assert [each.amount_minor for each in second.payments] == ["700"]
            page = await north.risk.list_waiting(limit=1)
            assert [each.tx_id for each in page.transactions] == [first.tx_id]
            page = await north.risk.list_waiting(after=page.next, limit=1)
            assert [each.tx_id for each in page.transactions] == [second.tx_id]
            assert (await north.risk.list_waiting(after=page.next)).transactions == []
            missing = {await read_missing(plain, each) for each in (stepped, blocked, UNKNOWN)}
            assert len(missing) == 1

    asyncio.run(run())


def test_officers_answer_for_what_waits_and_read_what_was_decided(bank):
    async def run():
        async with holding(bank) as (plain, north, app, envelopes, (stepped, reviewed, _)):
            await wait_until_listed(app, 2)
            with pytest.raises(Invalid, match="it cannot be confirmed"):
                await app.risk.answer(reviewed, "confirmed")
            given = await app.risk.answer(stepped, "confirmed", "ann's phone")
            assert given.by == f"{name_key(bank, APP[0])}: ann's phone"
            assert await app.risk.answer(stepped, "confirmed", "ann's phone") == given
            for tx_id in (stepped, UNKNOWN):
                with pytest.raises(NotFound):
                    await north.risk.answer(tx_id, "refused")
            await north.risk.answer(reviewed, "released")
            for envelope in envelopes[:2]:
                status, [told] = await post(plain, 60_000, {"envelope": envelope})
                assert (status, told["status"]) == (200, "OK")
            page = await north.risk.list_held(limit=2)
            assert [(each.state, each.by) for each in page.transactions] == [
                ("blocked", None),
                ("released", name_key(bank, OFFICERS[0])),
            ]
            [last] = (await north.risk.list_held(before=page.next)).transactions
            assert (last.state, last.tx_id) == ("confirmed", stepped.hex())
            await check_decision(north, stepped, given)
            assert (await north.risk.get_standing()).events == 3
            assert (await north.risk.label(reviewed, is_fraud=True)).payments == 1
            told = (await north.risk.get_standing()).events
            assert 4 <= told <= 6  # and what was let through, as far as blocks were seen

    asyncio.run(run())


def test_who_answers_for_customers_answers_for_no_officer_nor_the_other_way_round(bank):
    async def run():
        async with holding(bank) as (plain, north, app, _, (stepped, reviewed, blocked)):
            await wait_until_listed(north, 2)
            url = str(plain.make_url("/")).rstrip("/")
            token = add_own_key(bank.path / "api-keys.json", "books", "north")
            async with AsyncClient(url, api_key=token, attempts=1) as books:
                assert len((await books.risk.list_waiting()).transactions) == 2
                for client, tx_id, answer, right in (
                    (app, reviewed, "released", "risk_release"),
                    (app, stepped, "released", "risk_release"),
                    (app, reviewed, "refused", "risk_release"),
                    (app, blocked, "refused", "risk_release"),
                    (north, stepped, "confirmed", "risk_confirm"),
                    (books, stepped, "confirmed", "risk_confirm"),
                    (books, stepped, "refused", "risk_release"),
                ):
                    with pytest.raises(Refused) as refused:
                        await client.risk.answer(tx_id, answer)
                    assert f"it comes with a key made with --right {right}" in refused.value.message
                with pytest.raises(Refused):
                    await app.risk.label(reviewed, is_fraud=False)
                with pytest.raises(Refused):
                    await app.risk.reload()
            with pytest.raises(NotFound):
                await app.risk.answer(UNKNOWN, "refused")
            assert (await app.risk.answer(stepped, "refused")).by == name_key(bank, APP[0])
            assert (await north.risk.answer(reviewed, "refused")).answer == "refused"

    asyncio.run(run())


async def check_decision(north, tx_id, given):
    decision = await north.risk.get_decision(tx_id)
    assert decision.answer == given
    assert decode_record(bytes.fromhex(decision.document)).tx_id == tx_id
    assert decision.features == list(FEATURES)
    [payment] = decision.payments
    row = dict(zip(decision.features, payment.row, strict=True))
    assert (row["amount_minor"], row["is_first_of_device"], payment.number) == (450, 1, 0)


def test_the_desk_tells_how_it_stands_and_reads_its_files_anew(bank):
    async def run():
        async with served(bank) as (_, north, _, _):
            before = await north.risk.get_standing()
            assert (before.is_scored, before.obstacle) == (True, None)
            assert (before.rules, before.listed, before.faults) == (2, 1, [])
            assert before.model == bank.models["champion"].hex()
            bank.registry.stop()
            stopped = await north.risk.get_standing()
            assert (stopped.is_scored, stopped.model) == (False, None)
            assert before.model in stopped.obstacle.command
            bank.registry.promote(before.model)
            files = decode_basis(await north.risk.fetch_policy(bytes.fromhex(before.policy)))
            assert files.rules == RULES
            raw = await north.risk.fetch_model(bank.models["champion"])
            assert read_model(raw, "fetched", FEATURES).manifest.name == "champion"
            for each in (north.risk.fetch_policy, north.risk.fetch_model):
                with pytest.raises(NotFound):
                    await each(UNKNOWN)
            rules = bank.path / "rules.toml"
            rules.write_text("name = 1")
            with pytest.raises(Invalid, match=r"rules\.toml"):
                await north.risk.reload()
            assert await north.risk.get_standing() == before
            rules.write_text('name = "none"\n')
            after = await north.risk.reload()
            assert (after.rules, after.is_scored) == (0, False)
            assert after.policy != before.policy
            assert "not under the policy that is loaded" in after.obstacle.words
            assert (after.obstacle.is_sent, after.policy in after.obstacle.command) == (True, True)

    asyncio.run(run())


def test_customers_are_screened_and_officers_clear_who_is_somebody_else(bank, capsys):
    (bank.path / "genesis.bin").touch()
    (bank.path / "risk").symlink_to(bank.path)

    async def run():
        async with served(bank) as (plain, north, app, _):
            assert (await north.risk.get_standing()).screening is None
            assert (await north.risk.list_hits()).hits == []
            with pytest.raises(Refused, match="FORBIDDEN"):
                await app.risk.list_hits()
            write_customers(bank.path)
            told = (await north.risk.reload()).screening
            assert (told.customers, told.hits, told.cleared, told.wallets) == (3, 2, 0, 2)
            assert (told.entries, told.left_out, told.findings) == (3, 0, [])
            lists_of = format_iso(told.lists_ms, 0)
            assert f"lists_of: {lists_of}" in await show_standing(bank, plain, capsys)
            first = await north.risk.list_hits(limit=1)
            [hit] = first.hits
            assert (hit.name, hit.entry, hit.verdict) == (RAMIRO, "OFAC-SDN 306", "review")
            assert (hit.born, hit.country, hit.cleared) == ("agrees", "agrees", None)
            [other] = (await north.risk.list_hits(first.next, 1)).hits
            envelope = bank.sign("ann", pay("ann", "shop", 20, "tea"))
            await post(plain, 20, {"envelope": envelope})
            [held] = await wait_until_listed(north, 1)
            assert (held.verdict, held.reasons) == ("review", ["list.sanctions"])
            for each in (hit, other):
                words = ("risk", "clear", each.wallet, each.entry, "--why", "born elsewhere")
                assert await asyncio.to_thread(main, [*words, "--data", str(bank.path)]) == 0
            told = (await north.risk.reload()).screening
            assert (told.hits, told.cleared, told.wallets) == (0, 2, 0)
            [hit] = (await north.risk.list_hits(limit=1)).hits
            assert (hit.verdict, hit.cleared.why, hit.cleared.by) == (
                "allow",
                "born elsewhere",
                None,
            )
            envelope = bank.sign("ann", pay("ann", "shop", 20, "milk"))
            assert (await post(plain, 60_000, {"envelope": envelope}))[0] == 200
            return await north.risk.get_decision(bytes.fromhex(held.tx_id))

    decision = asyncio.run(run())
    assert RAMIRO not in json.dumps(to_builtins(decision))


def test_only_keys_of_the_nodes_own_institution_ask_and_answer(bank):
    async def run():
        async with served(bank) as (plain, _, _, south):
            for asking in (
                south.risk.get_standing(),
                south.risk.list_waiting(),
                south.risk.list_held(),
                south.risk.list_hits(),
                south.risk.get_decision(UNKNOWN),
                south.risk.answer(UNKNOWN, "released"),
                south.risk.label(UNKNOWN, is_fraud=True),
                south.risk.reload(),
                south.risk.fetch_policy(UNKNOWN),
                south.risk.fetch_model(UNKNOWN),
            ):
                with pytest.raises(Refused) as refused:
                    await asking
                assert str(refused.value.code) == "api.FORBIDDEN"
            async with plain.get("/v1/risk/waiting") as response:
                assert response.status in (401, 403)
            body = json.dumps({"envelope": "", "device": "x" * 201})
            headers = {"Content-Type": "application/json"}
            async with plain.post("/v1/transactions", data=body, headers=headers) as response:
                assert response.status == 400
                assert "device" in (await response.json())["detail"]

    asyncio.run(run())
