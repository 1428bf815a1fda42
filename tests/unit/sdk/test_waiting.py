"""How long the client waits for a receipt that the node does not have yet."""

from __future__ import annotations

import asyncio
import re
import time

import pytest
from aiohttp import web
from tests.faked import BASE, answer_json, make_whole, name_sent
from tests.running import run_fake
from tests.world import key, pay

from hansa.kernel.errors import Invalid, Unavailable
from hansa.sdk.async_client import AsyncClient
from hansa.sdk.client import Client

ADA = key("ada")


def test_what_is_pending_is_waited_for():
    asked_for = []

    async def post(request):
        return answer_json(202, {"tx_id": name_sent(await request.read()), "status": "PENDING"})

    async def get(request):
        asked_for.append(request.match_info["id"])
        if len(asked_for) < 2:
            return answer_json(404, {"title": "NOT_FOUND", "detail": "not yet"})
        return answer_json(200, make_whole(asked_for[-1]))

    routes = (web.post("/v1/transactions", post), web.get("/v1/transactions/{id}", get))
    with run_fake(*BASE, *routes) as url, Client(url) as client:
        answer = client.send([ADA], [pay("ada", "shop", 1, "x")])
    assert (answer.status, asked_for) == ("OK", [answer.tx_id, answer.tx_id])


@pytest.mark.parametrize(("wait_s", "grace_s"), [(0.1, 600.0), (600.0, 2.0)])
def test_what_a_node_took_is_not_sent_again_and_waited_for_only_while_it_is_valid(wait_s, grace_s):
    posted = []

    async def post(request):
        posted.append(name_sent(await request.read()))
        return answer_json(202, {"tx_id": posted[-1], "status": "PENDING"})

    async def get(_):
        return answer_json(404, {"title": "NOT_FOUND", "detail": "not yet"})

    async def use():
        async with AsyncClient(url) as client:
            client.wait_s, client.grace_s = wait_s, grace_s
            signed = await client.sign([ADA], [pay("ada", "shop", 1, "x")], validity_ms=100)
            begun_s = time.monotonic()
            with pytest.raises(Unavailable, match=signed.tx_id.hex()) as error:
                await client.submit(signed.envelope)
            waited_s = time.monotonic() - begun_s
        assert posted == [signed.tx_id.hex()]
        told = re.fullmatch(r"there is no receipt after (.*) s", error.value.facts["reason"])
        assert 0.1 <= float(told[1]) <= waited_s + 0.1

    routes = (web.post("/v1/transactions", post), web.get("/v1/transactions/{id}", get))
    with run_fake(*BASE, *routes) as url:
        asyncio.run(use())


def test_of_many_nothing_is_said_to_be_refused_where_an_earlier_try_may_have_been_confirmed():
    tries = []

    async def lose_then_refuse(request):
        tries.append(await request.read())
        if len(tries) == 1:
            request.transport.close()
        error = {"title": "QUOTA", "detail": "no quota is left"}
        return answer_json(200, {"results": [{"error": error}, {"error": error}]})

    routes = web.post("/v1/transactions", lose_then_refuse)
    with run_fake(*BASE, routes) as url, Client(url) as client:
        signed = client.sign([ADA], [pay("ada", "shop", 1, "x")])
        for count in (2, 3):
            answer, broken = client.submit_many([signed.envelope, b"no envelope"])
            assert len(tries) == count
            assert isinstance(broken, Invalid)
            assert "no quota is left" in answer.message
            is_unknown = isinstance(answer, Unavailable) and answer.facts["tx_id"] == signed.tx_id
            assert is_unknown == (count == 2)
