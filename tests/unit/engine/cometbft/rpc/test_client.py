"""CometBFT's RPC on a socket: answers, errors, and what is neither."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from aiohttp import web

from hansa.engine.cometbft.rpc.client import CometRpc, RpcError
from hansa.engine.cometbft.rpc.light import fetch_headers
from hansa.kernel.errors import Unavailable


def ask(folder, raw, use, told=None):
    """Use a client of a CometBFT that gives this answer, whatever it is asked, and `told` it."""

    async def answer(request):
        if told is not None:
            told.append((request.path, await request.read()))
        return web.Response(body=raw, content_type="application/json")

    async def run():
        app = web.Application()
        app.router.add_post("/{method:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        path = folder / "rpc.sock"
        await web.UnixSite(runner, str(path)).start()
        rpc = CometRpc(path)
        try:
            return await use(rpc)
        finally:
            await rpc.close()
            await runner.cleanup()

    return asyncio.run(run())


def test_answers_are_passed_on_and_errors_told(tmp_path):
    found = ask(tmp_path, b'{"result":{"a":"1"}}', lambda rpc: rpc.call("status"))
    assert found == {"a": "1"}
    with pytest.raises(RpcError, match="too high"):
        ask(tmp_path, b'{"error":{"data":"too high"}}', lambda rpc: rpc.call("commit"))


def test_a_batch_goes_as_a_form_and_as_json_where_that_would_be_too_long(tmp_path):
    told = []

    async def use(rpc):
        rpc.form_bytes_max = len("tx=0x61206261746368")
        return [await rpc.broadcast(raw) for raw in (b"a batch", b"a batch more")]

    assert ask(tmp_path, b'{"result":{"code":0}}', use, told) == [{"code": 0}] * 2
    (path, form), (plain, document) = told
    assert (path, form) == ("/broadcast_tx_sync", b"tx=0x61206261746368")
    asked = json.loads(document)
    assert (plain, asked["method"]) == ("/", "broadcast_tx_sync")
    assert base64.b64decode(asked["params"]["tx"]) == b"a batch more"


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"null", b"7", b'"', b"{}", b'{"result":null}', b'{"result":[]}',
     b'{"error":"x"}', b'{"error":null}', b'{"result":"x"}', b'{"result":"\xc1"}',
     b"[" * 100_000, b'{"result":' + b"[" * 100_000],
    ids=lambda raw: str(raw[:18]),
)  # fmt: skip
def test_an_answer_that_is_none_is_told(tmp_path, raw):
    for use in (
        lambda rpc: rpc.call("commit", height="1"),
        lambda rpc: rpc.read_height(),
        lambda rpc: rpc.count_transactions(1),
        lambda rpc: fetch_headers(rpc, 1, 2),
    ):
        with pytest.raises(Unavailable):
            ask(tmp_path, raw, use)


@pytest.mark.parametrize("result", [b"{}", b'{"sync_info":[]}', b'{"block_metas":[{}]}'])
def test_a_result_that_lacks_what_is_asked_for_is_told(tmp_path, result):
    raw = b'{"result":%s}' % result
    for use in (lambda rpc: rpc.read_height(), lambda rpc: rpc.count_transactions(1)):
        with pytest.raises(Unavailable, match="cannot read"):
            ask(tmp_path, raw, use)


def test_blocks_that_were_dropped_meanwhile_are_left_out(tmp_path):
    raw = b'{"result":{"block_metas":[null,{"num_txs":"3"}]}}'
    assert ask(tmp_path, raw, lambda rpc: rpc.count_transactions(1)) == 3
    raw = b'{"result":{"block_metas":[null,null]}}'
    assert ask(tmp_path, raw, lambda rpc: fetch_headers(rpc, 1, 2)) == []


def test_what_is_sent_on_a_connection_that_was_just_closed_is_sent_again(tmp_path):
    async def answer_once(reader, writer):
        """Answer one question, and close the connection without having said so."""
        await reader.readuntil(b"}}")
        body = b'{"result":{"a":1}}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    async def run():
        path = tmp_path / "rpc.sock"
        async with await asyncio.start_unix_server(answer_once, path):
            rpc = CometRpc(path)
            try:
                return [await rpc.call("status", height=str(number)) for number in range(3)]
            finally:
                await rpc.close()

    assert asyncio.run(run()) == [{"a": 1}] * 3


def test_who_asks_while_the_node_stops_is_told(tmp_path):
    async def run():
        asked = asyncio.Event()

        async def hold(reader, writer):
            await reader.readuntil(b"}}")
            asked.set()
            await reader.read()
            writer.close()

        path = tmp_path / "rpc.sock"
        async with await asyncio.start_unix_server(hold, path):
            rpc = CometRpc(path)
            waiting = asyncio.ensure_future(rpc.call("broadcast_tx_sync", tx=""))
            await asked.wait()
            await rpc.close()
            for asking in (waiting, rpc.call("health")):
                with pytest.raises(Unavailable, match="does not answer"):
                    await asking

    asyncio.run(run())
