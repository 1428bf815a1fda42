"""The client against a real node, and against one that breaks off, lies or is busy."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
from pathlib import Path

import pytest
from aiohttp import web
from tests.authority import Authority
from tests.faked import (
    BASE,
    NETWORK,
    OTHER_ID,
    answer_json,
    make_done,
    make_head,
    name_sent,
)
from tests.played import CHEAP
from tests.running import run_fake, run_folder, run_played
from tests.world import ASSET, key, pay

from hansa.contracts.wallets import Wallet
from hansa.kernel.block import decode_record
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Refused, Unavailable
from hansa.kernel.receipt_file import verify_receipt_file
from hansa.node.api.keys import add_key, read_certificate
from hansa.node.api.rights import Role
from hansa.node.home import Home
from hansa.node.service import wall_clock_ms
from hansa.node.settings import Listen, Settings, Tls
from hansa.sdk.async_client import AsyncClient
from hansa.sdk.build import sign_batch, sign_transaction
from hansa.sdk.client import Client
from hansa.sdk.keys import save_key
from hansa.sdk.streams.events import iterate_once
from hansa.sdk.transport import TlsFiles, Transport

ADA, SHOP = key("ada"), key("shop")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with run_played(tmp_path_factory.mktemp("client") / "node") as running:
        yield running


@pytest.fixture
def client(running):
    with Client(running.url, NETWORK.genesis_hash, api_key=running.token) as client:
        yield client


# --- a real node --------------------------------------------------------------------------------


def test_a_payment_and_what_can_be_read_of_it(client):
    before = client.get_wallet(SHOP.address).get_available(ASSET)
    answer = client.send([ADA], [pay("ada", "shop", 25, "client-1")]).require_ok()
    assert client.get_wallet(SHOP.address).get_available(ASSET) == before + 25
    tx_id = bytes.fromhex(answer.tx_id)
    found = client.wait_for(tx_id)
    assert (found.calls, found.height) == (["payments.transfer"], answer.height)
    assert sorted(change.amount_minor for change in found.changes) == ["-25", "25"]
    assert answer.tx_id in client.get_block(answer.height).transactions
    receipt = client.get_receipt(tx_id)
    assert (receipt.tx_id, receipt.is_genesis_trusted) == (tx_id, True)
    assert client.get_status().height >= answer.height


def test_an_amount_that_no_wire_holds_is_invalid(client):
    for amount in (2**64, 2**63, -(2**70)):
        with pytest.raises(Invalid, match="amount_minor") as error:
            client.send([ADA], [pay("ada", "shop", amount, "huge")])
        assert error.value.code is InvalidCode.AMOUNT
    with pytest.raises(Invalid, match="end_to_end_id") as error:
        client.send([ADA], [pay("ada", "shop", 1, 2**64)])
    assert error.value.code is InvalidCode.ARGUMENTS


def test_a_genesis_hash_is_checked_at_once(running):
    for wrong in (b"x", b"", "hex text", "", "ab" * 31, 7, "ab " * 32):
        with pytest.raises(Invalid, match="is no genesis hash") as error:
            Client(running.url, wrong)
        assert error.value.code is InvalidCode.MALFORMED
    with Client(running.url, NETWORK.genesis_hash.hex()) as client:
        assert client.get_network().genesis_hash == NETWORK.genesis_hash


def test_a_refusal_is_an_answer_and_an_error_if_wanted(client):
    answer = client.send([ADA], [pay("ada", "shop", 10**9, "too much")])
    assert (answer.status, answer.code) == ("REFUSED", "balances.INSUFFICIENT_FUNDS")
    with pytest.raises(Refused) as error:
        answer.require_ok()
    assert error.value.code.name == "INSUFFICIENT_FUNDS"


def test_the_same_envelope_again_has_the_first_receipt(client):
    signed = client.sign([ADA], [pay("ada", "shop", 1, "again")])
    first = client.submit(signed.envelope)
    assert client.submit(signed.envelope) == first
    assert bytes.fromhex(first.tx_id) == signed.tx_id


def test_many_at_once_with_one_answer_each(client):
    good = [client.sign([ADA], [pay("ada", "shop", 1, f"many-{n}")]).envelope for n in range(3)]
    answers = client.submit_many([good[0], good[1][:-1], b"", good[2]])
    assert [getattr(answer, "status", None) for answer in answers] == ["OK", None, None, "OK"]
    assert isinstance(answers[1], Invalid)
    batch = sign_batch(
        NETWORK, key("north").address, key("north server"), [(item, None) for item in good]
    )
    repeated = client.submit_batch(batch)
    assert repeated[0].height == answers[0].height
    assert repeated[1].receipt is not None
    with pytest.raises(Invalid):
        client.submit_batch(batch[:-1])


def test_one_that_is_too_large_has_its_own_error_and_keeps_none_of_the_others_back(client):
    good = [client.sign([ADA], [pay("ada", "shop", 1, f"large-{n}")]).envelope for n in range(4)]
    answers = client.submit_many([*good[:2], bytes(5 << 20), *good[2:]])
    assert [getattr(each, "status", None) for each in answers] == ["OK", "OK", None, "OK", "OK"]
    assert isinstance(answers[2], Invalid)


def test_a_list_that_is_too_large_for_a_node_is_sent_in_parts():
    seen = []

    async def post(request):
        items = (await request.json())["transactions"]
        seen.append(len(items))
        if len(items) > 2:
            return answer_json(413, {"title": "TOO_LARGE", "detail": "the body is too large"})
        return answer_json(200, {"results": [{"error": {"title": "EXPIRED"}} for _ in items]})

    with run_fake(*BASE, web.post("/v1/transactions", post)) as url, Client(url) as client:
        answers = client.submit_many([bytes([number]) for number in range(7)])
    assert [type(each) for each in answers] == [Invalid] * 7
    assert seen == [7, 3, 1, 2, 4, 2, 2]


def test_the_errors_of_items_keep_their_class():
    titles = {"UNAVAILABLE": Unavailable, "EXPIRED": Invalid, "wallets.FROZEN": Refused}

    async def post(request):
        items = (await request.json())["transactions"]
        errors = [{"error": {"title": title, "detail": "no"}} for title in titles]
        return answer_json(200, {"results": errors[: len(items)]})

    with run_fake(*BASE, web.post("/v1/transactions", post)) as url, Client(url) as client:
        answers = client.submit_many([b"a", b"b", b"c"])
        assert [type(answer) for answer in answers] == list(titles.values())


def test_tls_with_an_authority_of_ones_own_and_a_client_certificate(running, tmp_path):
    authority = Authority(tmp_path)
    authority.issue("server", is_server=True)
    authority.issue("me")
    home = Home(tmp_path / "node")
    shutil.copytree(running.home.path, home.path)
    fields = {"role": Role.CENTRAL_BANK, "member": key("officer0").address_text}
    certificate = read_certificate(tmp_path / "me.crt")
    add_key(
        home.api_keys_path, name="me", now_ms=wall_clock_ms(), certificate=certificate, **fields
    )
    settings = Settings(
        listen=Listen(host="localhost", port=0),
        tls=Tls(certificate="server.crt", key="server.key", client_ca="ca.crt"),
        folder=str(tmp_path),
    )
    mine = TlsFiles(tmp_path / "ca.crt", tmp_path / "me.crt", tmp_path / "me.key")
    with run_folder(home, settings) as node:
        assert node.url.startswith("https://localhost:")
        with Client(node.url, tls=mine) as client:
            assert client.get_wallet(ADA.address).operator == key("north").address_text
        with Client(node.url, tls=TlsFiles(tmp_path / "ca.crt")) as nobody:
            assert nobody.get_status().network == "test"
            with pytest.raises(Invalid, match="API key"):
                nobody.get_wallet(ADA.address)
        with Client(node.url) as believer, pytest.raises(Unavailable, match="certificate"):
            believer.get_status()


def test_invalid_and_missing_things_keep_their_class(client):
    late = sign_transaction(NETWORK, [ADA], [pay("ada", "shop", 1, "late")], 1)
    with pytest.raises(Invalid) as error:
        client.submit(late.envelope)
    assert error.value.code is InvalidCode.EXPIRED
    with pytest.raises(NotFound):
        client.get_transaction(bytes(32))
    with pytest.raises(NotFound):
        client.get_wallet(key("nobody").address)
    with pytest.raises(Unavailable, match="no receipt after"):
        client.wait_for(bytes(32), timeout_s=0.1)


def test_rows_with_their_proof(client):
    client.send([ADA], [pay("ada", "shop", 1, "before the proof")]).require_ok()
    found = client.prove_row("wallets", ADA.address)
    assert isinstance(found.row, Wallet)
    assert found.row.operator == key("north").address
    assert client.prove_row("balances", ADA.address, ASSET).row.available_minor > 0
    assert client.prove_row("wallets", key("nobody").address).row is None
    with pytest.raises(Invalid, match="prove one of"):
        client.prove_row("secrets", b"")
    with pytest.raises(Invalid, match="is named by"):
        client.prove_row("balances", ADA.address)
    for name in ("a/b", "é?#%2e", "...", " "):
        assert client.prove_row("assets", name).row is None
    for name in (".", ".."):
        with pytest.raises(Invalid, match="means another path") as error:
            client.prove_row("assets", name)
        assert error.value.code is InvalidCode.ARGUMENTS
        assert client.prove_row("balances", ADA.address, name).row is None


def test_blocks_and_records_stream(client):
    height = client.get_status().height
    blocks = client.stream_blocks(2)
    assert [next(blocks).height for _ in range(2, height + 1)] == list(range(2, height + 1))
    blocks.close()
    paid = client.send([ADA], [pay("ada", "shop", 2, "streamed")])
    blocks = client.stream_blocks(paid.height)
    (told,) = next(blocks).transactions
    blocks.close()
    assert (told.tx_id, sorted(each.amount_minor for each in told.changes)) == (
        paid.tx_id,
        ["-2", "2"],
    )
    records = [decode_record(raw) for raw in client.stream_records(1, height)]
    assert len(records) == height


def test_who_may_not_read_is_told_so(running):
    with Client(running.url) as stranger:
        assert len(stranger.list_members()) == 4
        with pytest.raises(Invalid) as error:
            next(stranger.stream_records(0, 1))
        assert error.value.code is InvalidCode.UNAUTHENTICATED


def test_another_network_is_refused(running):
    with (
        Client(running.url, bytes(32)) as client,
        pytest.raises(Invalid, match="another network"),
    ):
        client.send([ADA], [pay("ada", "shop", 1, "elsewhere")])


def test_the_asynchronous_client_in_a_loop(running):
    async def use():
        async with AsyncClient(running.url, api_key=running.token) as client:
            payments = [pay("ada", "shop", 1, f"async-{number}") for number in range(5)]
            answers = await asyncio.gather(*(client.send([ADA], [each]) for each in payments))
            assert {answer.status for answer in answers} == {"OK"}

    asyncio.run(use())


def test_the_page_on_the_sdk_runs(running, tmp_path, capsys):
    page = Path(__file__).parents[3] / "docs" / "how-to" / "use-the-sdk.md"
    save_key(tmp_path / "ada", ADA, "page", cost=CHEAP)
    names = {
        "url": running.url,
        "genesis_hash": NETWORK.genesis_hash,
        "api_key": running.token,
        "key_file": tmp_path / "ada",
        "passphrase": "page",
        "shop": SHOP.address_text,
        "issuer": SHOP.address,
        "issued_ms": 0,
        "indices": [0, 7],
    }
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 7
    for block in blocks:
        exec(block, names)  # noqa: S102 - our own page
    assert verify_receipt_file(names["receipt_file"], NETWORK.genesis_hash).receipt.code == ""
    assert "as of block" in capsys.readouterr().out


def test_a_forgotten_client_closes_itself(running):
    client = Client(running.url)
    assert client.get_status().network == "test"
    del client


# --- a node that is busy, breaks off or lies ----------------------------------------------------


def test_the_same_bytes_are_sent_until_the_node_is_back():
    bodies = []

    async def post(request):
        bodies.append(await request.read())
        if len(bodies) < 3:
            return answer_json(
                503, {"title": "UNAVAILABLE", "detail": "busy"}, **{"Retry-After": "0"}
            )
        return answer_json(200, make_done(name_sent(bodies[-1])))

    with run_fake(*BASE, web.post("/v1/transactions", post)) as url, Client(url) as client:
        assert client.send([ADA], [pay("ada", "shop", 1, "x")]).height == 7
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert base64.b64decode(json.loads(bodies[0])["envelope"])


def test_after_all_attempts_it_says_which_transaction_is_in_doubt():
    async def post(request):
        await request.read()
        request.transport.abort()
        return web.Response()

    with (
        run_fake(*BASE, web.post("/v1/transactions", post)) as url,
        Client(url, attempts=1) as client,
    ):
        signed = client.sign([ADA], [pay("ada", "shop", 1, "x")])
        with pytest.raises(Unavailable, match="not known") as error:
            client.submit(signed.envelope)
        assert error.value.facts["tx_id"] == signed.tx_id


def test_a_broken_stream_is_taken_up_behind_the_last_block():
    begun = []

    async def events(request):
        begun.append(request.query["from_height"])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        first = int(begun[-1])
        for height in (first, first + 1):
            data = json.dumps(make_head(height))
            told = json.dumps({**make_done(OTHER_ID), "changes": []})
            text = f": hello\nevent: transaction\ndata: {told}\n\n"
            text += f"id: {height}\nevent: block\ndata: {data}\n\n"
            half = len(text) // 2
            await response.write(text[:half].encode())
            await response.write(text[half:].encode())
        request.transport.close()
        return response

    with run_fake(web.get("/v1/events", events)) as url, Client(url) as client:
        blocks = client.stream_blocks(5)
        came = [next(blocks) for _ in range(5)]
        assert [block.height for block in came] == [5, 6, 7, 8, 9]
        assert {len(block.transactions) for block in came} == {1}
        blocks.close()
    # A connection may be cut before all that was written on it has come.
    assert begun[0] == "5"
    assert len(begun) >= 3
    assert begun == sorted(set(begun))


def test_events_that_are_none():
    async def events(request):
        text = {"0": "id: x\nevent: block\ndata: {}\n\n", "1": "id: 1\nevent: block\ndata: 7\n\n"}
        body = text[request.query["from_height"]]
        return web.Response(text=body, content_type="text/event-stream")

    with run_fake(web.get("/v1/events", events)) as url:
        for start, words in ((0, "without its height"), (1, "no object")):

            async def use(start=start, words=words):
                transport = Transport(url)
                try:
                    with pytest.raises(Unavailable, match=words):
                        await anext(iterate_once(transport, start))
                finally:
                    await transport.close()

            asyncio.run(use())


FRAME = (3).to_bytes(4, "big") + b"abc"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (FRAME, "1 of 2 blocks"),
        (FRAME + FRAME[:-1], "6 bytes of one more"),
        (FRAME * 3, "3 of 2 blocks"),
        (b"\xff\xff\xff\xff", "no block is that large"),
        (b"", "0 of 2 blocks"),
    ],
)
def test_records_that_are_too_few_or_no_frames(body, words):
    async def records(request):
        return web.Response(body=body)

    with (
        run_fake(web.get("/v1/records", records)) as url,
        Client(url) as client,
        pytest.raises(Unavailable, match=words),
    ):
        list(client.stream_records(0, 1))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((200, b"not JSON"), Unavailable),
        ((200, b"[1]"), Unavailable),
        ((200, b"\xff"), Unavailable),
        ((200, b"[" * 100_000), Unavailable),
        ((200, b'{"height": "x"}'), Unavailable),
        ((302, b""), Unavailable),
        ((400, b'{"title": "EXPIRED", "detail": "late"}'), Invalid),
        ((401, b'{"title": "UNAUTHENTICATED", "detail": "who?"}'), Invalid),
        ((403, b'{"title": "api.FORBIDDEN", "detail": "no"}'), Refused),
        ((404, b"{}"), NotFound),
        ((404, b"<html>"), Unavailable),
        ((409, b'{"title": "wallets.FROZEN", "detail": "no"}'), Refused),
        ((429, b'{"detail": "slow"}'), Unavailable),
        ((500, b"<html>"), Unavailable),
        ((503, b"\x00"), Unavailable),
    ],
)
def test_whatever_a_node_answers_is_one_of_our_errors(answer, kind):
    async def lie(request):
        return web.Response(status=answer[0], body=answer[1])

    with (
        run_fake(web.get("/v1/status", lie)) as url,
        Client(url) as client,
        pytest.raises(kind) as error,
    ):
        client.get_status()
    assert error.value.message


def test_a_lying_proof_or_receipt_is_found(running):
    """A node that answers with another row's proof, or another transaction's receipt."""
    with Client(running.url, api_key=running.token) as client:
        proof = client.get(f"/v1/proofs/wallets/{SHOP.address_text}")
        tx_id = bytes.fromhex(client.send([ADA], [pay("ada", "shop", 1, "for a lie")]).tx_id)
        receipt = client.fetch_receipt(tx_id)

    async def lie(request):
        return answer_json(200, proof)

    async def other(request):
        return web.Response(body=receipt)

    routes = (web.get("/v1/proofs/wallets/{key}", lie), web.get("/v1/receipts/{id}", other))
    with run_fake(*BASE, *routes) as url, Client(url) as client:
        assert client.prove_row("wallets", SHOP.address).row is not None
        with pytest.raises(Invalid):
            client.prove_row("wallets", ADA.address)
        with pytest.raises(Invalid, match="answers with the receipt of"):
            client.get_receipt(bytes(32))
        proof["seals"] = []
        with pytest.raises(Invalid, match="not sealed"):
            client.prove_row("wallets", SHOP.address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://x",
        "http://",
        "127.0.0.1:8460",
        "http://x:0",
        "http://x:99999",
        "http://x?y",
        "http://\udcff",
    ],
)
def test_what_is_no_address_of_a_node(url):
    with pytest.raises(Invalid, match="no address"):
        Client(url)


def test_api_keys_and_tls_files_that_are_none(tmp_path):
    for text in ("", "two words", "line\nbreak", "ключ"):
        with pytest.raises(Invalid, match="API key"):
            Client("http://127.0.0.1:1", api_key=text)
    (tmp_path / "rubbish.pem").write_bytes(b"\xff")
    for name, error, text in (
        ("rubbish.pem", Invalid, "rubbish.pem for TLS"),
        ("none.pem", NotFound, "there is no file .*none.pem"),
    ):
        tls = TlsFiles(ca=tmp_path / name)
        with Client("https://127.0.0.1:1", tls=tls) as client, pytest.raises(error, match=text):
            client.get_status()
