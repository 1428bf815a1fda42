"""What a node cannot make a client believe that knows the genesis of its network."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest
from aiohttp import web
from tests.faked import (
    BASE,
    GENESIS,
    NETWORK,
    OTHER_ID,
    answer_json,
    make_done,
    make_head,
    make_proof,
    make_status,
    make_whole,
    name_sent,
)
from tests.running import run_fake
from tests.world import key, make_genesis, open_world, pay

from hansa.contracts.wallets import Wallet
from hansa.engine.storage import FileStorage
from hansa.kernel.block import Receipt, Status
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.node.service import wall_clock_ms
from hansa.sdk.build import VALIDITY_MS, sign_batch
from hansa.sdk.client import Client
from hansa.sdk.proofs import verify_row_proof
from hansa.sdk.streams.events import iterate_once
from hansa.sdk.transport import JSON_BYTES_MAX, Transport

ADA = key("ada")
ANOTHER = f"another transaction: {OTHER_ID}"


def sign(client, reference="x"):
    return client.sign([ADA], [pay("ada", "shop", 1, reference)])


# --- the payment of somebody else, or another of one's own ---------------------------------------


def test_another_transaction_is_no_answer_to_what_was_sent():
    async def post(_):
        return answer_json(200, make_done(OTHER_ID))

    with (
        run_fake(*BASE, web.post("/v1/transactions", post)) as url,
        Client(url, NETWORK.genesis_hash, attempts=1) as client,
    ):
        signed = sign(client)
        with pytest.raises(Unavailable, match=ANOTHER) as error:
            client.submit(signed.envelope)
        assert error.value.facts["tx_id"] == signed.tx_id, "this is what to ask for"
        with pytest.raises(Unavailable, match=ANOTHER):
            client.send([ADA], [pay("ada", "shop", 1, "y")])


def test_another_transaction_is_none_that_was_waited_for():
    async def post(request):
        return answer_json(202, {"tx_id": name_sent(await request.read()), "status": "PENDING"})

    async def get(_):
        return answer_json(200, make_whole(OTHER_ID))

    routes = (web.post("/v1/transactions", post), web.get("/v1/transactions/{id}", get))
    with run_fake(*BASE, *routes) as url, Client(url, attempts=1) as client:
        signed = sign(client)
        for ask in (client.get_transaction, client.wait_for):
            with pytest.raises(Unavailable, match=ANOTHER):
                ask(signed.tx_id)
        with pytest.raises(Unavailable, match=ANOTHER):
            client.submit(signed.envelope)


def test_each_of_many_has_its_own_answer():
    answered = []

    async def post(_):
        return answer_json(200, {"results": answered})

    with run_fake(*BASE, web.post("/v1/transactions", post)) as url, Client(url) as client:
        first, second = sign(client, "1"), sign(client, "2")
        named = [make_done(item.tx_id.hex()) for item in (first, second)]
        envelopes = [first.envelope, second.envelope]
        answered[:] = named
        assert [item.tx_id for item in client.submit_many(envelopes)] == [
            item["tx_id"] for item in named
        ]
        answered[:] = [named[0], named[0]]
        kept, other = client.submit_many(envelopes)
        assert kept.tx_id == first.tx_id.hex()
        assert isinstance(other, Unavailable)
        assert other.facts["tx_id"] == second.tx_id
        answered.pop()
        (none,) = client.submit_many([b"no envelope"])
        assert isinstance(none, Invalid), "nothing can be confirmed that has no id"


def test_a_batch_has_the_receipts_of_its_own_items():
    def tell(tx_id):
        receipt = Receipt(tx_id, Status.OK, "", 0, [])
        return (encode(receipt), 7, 0, "")

    rows = []

    async def post(_):
        return web.Response(body=msgspec.msgpack.encode(rows), content_type="application/msgpack")

    with run_fake(*BASE, web.post("/v1/transactions", post)) as url, Client(url) as client:
        items = [sign(client, "1"), sign(client, "2")]
        envelopes = [(item.envelope, None) for item in items]
        sponsor = key("north").address
        batch = sign_batch(NETWORK, sponsor, key("north server"), [*envelopes, (b"none", None)])
        none = (None, 0, 0, "MALFORMED")
        first, second = (tell(item.tx_id) for item in items)
        rows[:] = [first, second, none]
        found = [item.receipt and item.receipt.tx_id for item in client.submit_batch(batch)]
        assert found == [items[0].tx_id, items[1].tx_id, None]
        for lie in ([first, first, none], [first, second, first]):
            rows[:] = lie
            with pytest.raises(Unavailable, match="another transaction"):
                client.submit_batch(batch)
        rows[:] = [first, second]
        with pytest.raises(Unavailable, match="each item"):
            client.submit_batch(batch)
        rows[:] = [first, second, (b"no receipt", 7, 0, "")]
        with pytest.raises(Unavailable, match="something else"):
            client.submit_batch(batch)


# --- what stood long ago ------------------------------------------------------------------------


def test_a_client_does_not_go_back_behind_a_checkpoint(tmp_path):
    world = open_world(FileStorage(tmp_path / "log"), make_genesis())
    proofs = [make_proof(world.chain, Wallet.key(ADA.address))]
    world.fund("ada")
    world.time_ms += 2_000
    world.fund("ben")
    proofs.append(make_proof(world.chain, Wallet.key(ADA.address)))
    world.chain.close()
    asked = iter((0, 1, 1, 0, 1))

    async def prove(_):
        return answer_json(200, proofs[next(asked)])

    with (
        run_fake(*BASE, web.get("/v1/proofs/wallets/{key}", prove)) as url,
        Client(url, NETWORK.genesis_hash) as client,
    ):
        rows = [client.prove_row("wallets", ADA.address).row for _ in range(3)]
        assert [row is None for row in rows] == [True, False, False]
        with pytest.raises(Unavailable, match="as of block 0, and has proved it as of block"):
            client.prove_row("wallets", ADA.address)
        assert client.prove_row("wallets", ADA.address).row is not None


def test_that_nothing_has_a_key_that_nothing_can_have_proves_nothing(tmp_path):
    """The place of an address as text is empty, however much money the wallet has."""
    world = open_world(FileStorage(tmp_path / "log"), make_genesis())
    world.fund("ada")
    world.time_ms += 2_000
    world.fund("ben")
    text = ADA.address_text
    proof = make_proof(world.chain, Wallet.key(text))
    good = make_proof(world.chain, Wallet.key(ADA.address))
    world.chain.close()
    assert verify_row_proof(NETWORK, Wallet, (ADA.address,), good).row is not None
    with pytest.raises(Invalid, match="its wallet is 32 bytes"):
        verify_row_proof(NETWORK, Wallet, (text,), proof)
    with Client("http://127.0.0.1:1") as client:
        for table, parts, words in (
            ("wallets", (text,), "its wallet is 32 bytes"),
            ("wallets", (ADA.address[:31],), "its wallet is 32 bytes"),
            ("balances", (ADA.address, b"MOP"), "its asset is text"),
            ("policy", ("\ud800",), "its name is text"),
            ("policy", ("",), "its name is text"),
            ("balances", (ADA.address,), "is named by wallet, asset: 2 parts, not 1"),
        ):
            with pytest.raises(Invalid, match=words) as error:
                client.prove_row(table, *parts)
            assert error.value.code is InvalidCode.ARGUMENTS


# --- the time -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gap_ms", "words"), [(86_400_000, "86400 s ahead of"), (-600_000, "600 s behind")]
)
def test_nothing_is_signed_by_a_clock_that_is_far_from_ones_own(gap_ms, words):
    async def say(_):
        return answer_json(200, make_status(wall_clock_ms() + gap_ms))

    with run_fake(GENESIS, web.get("/v1/status", say)) as url:
        with Client(url, NETWORK.genesis_hash) as client:
            with pytest.raises(Invalid, match=words):
                sign(client)
            assert client.get_valid_until(abs(gap_ms) + 60_000) > wall_clock_ms()
        with Client(url, believes_clock=True) as client:
            assert abs(client.get_valid_until() - wall_clock_ms() - gap_ms - VALIDITY_MS) < 60_000


# --- streams, and answers without an end --------------------------------------------------------


def tell_block(height, told=None):
    head = json.dumps(make_head(height if told is None else told))
    return f"id: {height}\nevent: block\ndata: {head}\n\n"


@pytest.mark.parametrize(
    ("start", "heights", "words"),
    [
        (5, (5, 6, 8), "block 8 where block 7 is due"),
        (5, (5, 5), "block 5 where block 6 is due"),
        (5, (4,), "block 4 where block 5 is due"),
        (None, (9, 8), "block 8 where block 10 is due"),
    ],
)
def test_a_stream_leaves_no_block_out_and_repeats_none(start, heights, words):
    async def events(_):
        text = "".join(map(tell_block, heights))
        return web.Response(text=text, content_type="text/event-stream")

    with run_fake(web.get("/v1/events", events)) as url, Client(url) as client:
        blocks = client.stream_blocks(start)
        assert [next(blocks).height for _ in heights[:-1]] == [*heights[:-1]]
        with pytest.raises(Unavailable, match=words) as error:
            next(blocks)
        assert error.value.facts["height"] == int(words.split()[4])


def test_a_stream_tells_of_the_block_that_it_names():
    async def events(_):
        return web.Response(text=tell_block(5, told=6), content_type="text/event-stream")

    with (
        run_fake(web.get("/v1/events", events)) as url,
        Client(url) as client,
        pytest.raises(Unavailable, match="block 6 where block 5 is due"),
    ):
        next(client.stream_blocks(5))


def test_answers_and_blocks_have_an_end():
    async def answer(_):
        return web.Response(body=b" " * (JSON_BYTES_MAX + 1))

    async def events(_):
        text = 'event: transaction\ndata: {"a": 1}\n\n' * 100 + tell_block(5)
        return web.Response(text=text, content_type="text/event-stream")

    async def read_events(url, size_max):
        transport = Transport(url)
        try:
            return [item async for item in iterate_once(transport, 5, size_max)]
        finally:
            await transport.close()

    routes = (web.get("/v1/status", answer), web.get("/v1/events", events))
    with run_fake(*routes) as url, Client(url) as client:
        with pytest.raises(Unavailable, match=f"more than {JSON_BYTES_MAX} bytes"):
            client.get_status()
        with pytest.raises(Unavailable, match="over 1000 bytes of a block"):
            asyncio.run(read_events(url, 1_000))
        ((height, data),) = asyncio.run(read_events(url, 10_000))
        assert (height, len(data["transactions"])) == (5, 100)
