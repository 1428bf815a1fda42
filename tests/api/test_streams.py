"""Events, records, histories and proofs: resumed, filtered, bounded, and verified."""

from __future__ import annotations

import asyncio
import itertools
import json

import aiohttp
import pytest
from tests.api.served import ADA, BEN, NORTH, NOW_MS, UNLIMITED
from tests.world import MINUTE_MS, key, pay

from hansa.contracts.balances import Balance
from hansa.contracts.wallets import Wallet
from hansa.kernel.block import decode_header, decode_record
from hansa.kernel.errors import Corrupt, Invalid
from hansa.kernel.receipt_file import verify_receipt_file
from hansa.node.api.keys import KeyRing, list_keys, revoke_key
from hansa.node.service import wall_clock_ms
from hansa.node.settings import Limits, Settings
from hansa.sdk.build import sign_batch, sign_transaction
from hansa.sdk.proofs import verify_row_proof


async def read_events(response, count):
    """Read so many events of a stream: (event, id, data)."""
    found, fields = [], {}
    while len(found) < count:
        line = (await asyncio.wait_for(response.content.readline(), 60)).decode().rstrip("\n")
        if line:
            name, _, text = line.partition(": ")
            fields[name] = text
        elif "event" in fields:
            found.append((fields["event"], fields.get("id"), json.loads(fields["data"])))
            fields = {}
    return found


async def listen(client, count, path="/v1/events?from_height=0", headers=None):
    async with client.get(path, headers=headers) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        return await read_events(response, count)


def test_anyone_hears_of_blocks_from_any_height_and_resumes(town):
    async def use(client, _):
        events = await listen(client, 18)
        assert {name for name, _, _ in events} == {"block"}
        assert [int(id_) for _, id_, _ in events] == list(range(18))
        chain = [data for _, _, data in events]
        for before, after in itertools.pairwise(chain):
            assert after["previous_hash"] == before["hash"]
        path = "/v1/events?from_height=3"
        ((_, id_, _),) = await listen(client, 1, path, {"Last-Event-ID": "9"})
        assert id_ == "10"
        ((_, id_, _),) = await listen(client, 1, "/v1/events")
        assert id_ == "17"

    town.serve(use)


@pytest.mark.parametrize("query", ["from_height=19", "from_height=-1", "from_height=x"])
def test_a_stream_begins_where_there_is_something(town, query):
    async def use(client, _):
        assert (await client.get(f"/v1/events?{query}")).status == 400
        headers = {"Last-Event-ID": "18"}
        assert (await client.get("/v1/events", headers=headers)).status == 400

    town.serve(use)


def listen_as(town, caller):
    """All transactions that a caller hears of."""
    found = []

    async def use(client, _):
        async with client.get("/v1/events?from_height=0", headers=town.sign_in(caller)) as response:
            while True:
                ((name, id_, data),) = await read_events(response, 1)
                if name == "transaction":
                    found.append(data)
                elif int(id_) == town.world.chain.confirmed_height:
                    return

    town.serve(use)
    return found


def test_transactions_are_told_to_those_who_may_read_them(town):
    everything = listen_as(town, "regulator")
    assert len(everything) == sum(len(result.receipts) for result in town.world.results)
    customers = listen_as(town, "customer")
    assert {change["owner"] for data in customers for change in data["changes"]} == {ADA}
    own = [
        data["tx_id"]
        for data in everything
        if any(change["owner"] == ADA for change in data["changes"])
    ]
    refused = [data["tx_id"] for data in customers if data["status"] == "REFUSED"]
    assert len(refused) == 1
    assert sorted(data["tx_id"] for data in customers) == sorted(own + refused)
    owners = {change["owner"] for data in listen_as(town, "operator") for change in data["changes"]}
    assert {ADA, BEN, NORTH} < owners
    south = listen_as(town, "other_operator")
    assert [change["ledger"] for data in south for change in data["changes"]] == ["vault"]


def test_a_new_block_is_told_and_a_revoked_key_hears_no_more(own_town):
    async def use(client, node):
        async with client.get("/v1/events", headers=own_town.sign_in("customer")) as response:
            await read_events(response, 2)  # the newest block and its payment
            for number in range(2):
                command = pay("ada", "shop", 1, f"live {number}")
                until = wall_clock_ms() + MINUTE_MS
                signed = sign_transaction(own_town.world.network, [key("ada")], [command], until)
                items = [(signed.envelope, None)]
                batch = (own_town.world.network, key("north").address, key("north server"), items)
                if number:
                    (entry,) = [e for e in list_keys(own_town.path) if e.name == "customer"]
                    revoke_key(own_town.path, entry.id, NOW_MS)
                await node.engine.submit(sign_batch(*batch))
                if number:
                    with pytest.raises(aiohttp.ClientError):
                        await asyncio.wait_for(response.content.read(), 60)
                else:
                    heard, block = await read_events(response, 2)
                    assert heard[2]["tx_id"] == signed.tx_id.hex()
                    assert block[0] == "block"

    own_town.serve(use, is_started=True)


def test_streams_are_bounded(town):
    async def use(client, _):
        async with client.get("/v1/events") as first:
            await read_events(first, 1)
            second = await client.get("/v1/events")
            assert (second.status, second.headers["Retry-After"]) == (503, "1")

    limits = Limits(anyone_per_s=0, streams=1)
    town.serve(use, Settings(limits=limits))


def test_one_caller_does_not_take_all_streams(town):
    async def use(client, _):
        async with client.get("/v1/events") as first:
            await read_events(first, 1)
            second = await client.get("/v1/events")
            assert (second.status, second.headers["Retry-After"]) == (429, "15")
            ((_, id_, _),) = await listen(client, 1, "/v1/events?from_height=0", headers)
            assert id_ == "0"

    headers = town.sign_in("customer")
    town.serve(use, Settings(limits=Limits(anyone_per_s=0, streams_each=1)))


def read_frames(raw):
    frames = []
    while raw:
        size = int.from_bytes(raw[:4], "big")
        frames.append(raw[4 : 4 + size])
        assert len(frames[-1]) == size
        raw = raw[4 + size :]
    return frames


def test_records_are_the_logs_own_bytes(town):
    async def use(client, _):
        headers = town.sign_in("member")
        log = town.world.chain.log
        for query, heights in (
            ("", range(18)),
            ("?from_height=3&to_height=5", range(3, 6)),
            ("?from_height=17&to_height=99", range(17, 18)),
            ("?from_height=18", range(0)),
        ):
            raw = await (await client.get(f"/v1/records{query}", headers=headers)).read()
            assert read_frames(raw) == [log.read(height) for height in heights]
        assert decode_header(decode_record(log.read(3)).header).height == 3
        for wrong in ("from_height=5&to_height=2", "from_height=19", "from_height=19&to_height=20"):
            answer = await client.get(f"/v1/records?{wrong}", headers=headers)
            assert (answer.status, answer.content_type) == (400, "application/problem+json")

    town.serve(use)


class ShortRing(KeyRing):
    """Knows its keys so many times, then no more."""

    left = 5

    def find_token(self, token):
        self.left -= 1
        return super().find_token(token) if self.left >= 0 else None


def test_records_that_break_off_do_not_look_complete(own_town):
    segment = next((own_town.path.parent / "log").glob("*.log"))

    async def use(client, node):
        headers = own_town.sign_in("member")
        with pytest.raises(aiohttp.ClientError):
            await (await client.get("/v1/records", headers=headers)).read()
        assert node.engine.failure is None

    async def use_damaged(client, node):
        raw = segment.read_bytes()
        segment.write_bytes(raw[:-20] + bytes((raw[-20] ^ 1,)) + raw[-19:])
        headers = own_town.sign_in("member")
        with pytest.raises(aiohttp.ClientError):
            await (await client.get("/v1/records", headers=headers)).read()
        assert isinstance(node.engine.failure, Corrupt)

    own_town.serve(use, keys=ShortRing(own_town.path))
    own_town.serve(use_damaged)


def test_a_history_is_whole_and_in_pages(town):
    async def use(client, _):
        headers = town.sign_in("customer")
        path = f"/v1/wallets/{ADA}/transactions"
        whole = await (await client.get(f"{path}?limit=100", headers=headers)).json()
        assert whole["next"] is None
        entries, query = [], ""
        while query is not None:
            page = await (await client.get(f"{path}?limit=3{query}", headers=headers)).json()
            entries += page["transactions"]
            query = f"&before={page['next']}" if page["next"] else None
        assert entries == whole["transactions"]
        told = [data["tx_id"] for data in reversed(listened) if data["status"] == "OK"]
        assert [entry["tx_id"] for entry in entries] == told
        changes = [change for entry in entries for change in entry["changes"]]
        assert {change["owner"] for change in changes} == {ADA}
        balance = sum(int(change["amount_minor"]) for change in changes)
        wallet = await (await client.get(f"/v1/wallets/{ADA}", headers=headers)).json()
        (money,) = wallet["balances"]
        assert balance == int(money["available_minor"]) + int(money["held_minor"])
        for before in (1, 2**40, entries[0]["height"] << 20 | 999):
            wrong = await client.get(f"{path}?before={before}", headers=headers)
            assert wrong.status == 400

    listened = listen_as(town, "customer")
    town.serve(use)


def test_a_receipt_file_verifies_without_the_node(town):
    async def use(client, _):
        raw = await (await client.get(f"/v1/receipts/{town.last_tx_id}")).read()
        found = verify_receipt_file(raw, town.world.network.genesis_hash)
        assert found.tx_id.hex() == town.last_tx_id

    town.serve(use)


def test_a_proof_of_a_balance_or_of_its_absence_verifies(town):
    network = town.world.network
    nobody = key("nobody")

    async def use(client, _):
        headers = town.sign_in("regulator")

        async def prove(path):
            response = await client.get(f"/v1/proofs/{path}", headers=headers)
            assert response.status == 200
            return await response.json()

        found = await prove(f"balances/{ADA}?asset=MOP")
        parts = (key("ada").address, "MOP")
        proven = verify_row_proof(network, Balance, parts, found)
        assert proven.row.available_minor == town.world.balance("ada")[0]
        assert proven.header.height == found["height"]
        absent = await prove(f"wallets/{nobody.address_text}")
        assert verify_row_proof(network, Wallet, (nobody.address,), absent).row is None
        for wrong in (
            {**found, "value": None},
            {**found, "value": found["value"][:-2] + "7f"},
            {**found, "path": found["path"][:-1]},
            {**found, "seals": []},
            {**found, "header": absent["header"][:-2] + "7f"},
            {**found, "header": "zz"},
            {},
        ):
            with pytest.raises(Invalid):
                verify_row_proof(network, Balance, parts, wrong)
        with pytest.raises(Invalid):
            verify_row_proof(network, Balance, (key("ben").address, "MOP"), found)
        for path in (f"balances/{ADA}", f"wallets/{ADA}?asset=MOP", "nothing/x", "members/x"):
            assert (await client.get(f"/v1/proofs/{path}", headers=headers)).status == 400

    town.serve(use, Settings(limits=UNLIMITED))
