"""Schemathesis drives every route from our own OpenAPI document, over real HTTP.

Left out of its checks: that whatever fits the schema is accepted, because no schema can say that
an address has a checksum or that a signature verifies; and the event stream, which never ends.
"""

from __future__ import annotations

import asyncio
import threading

import hypothesis
import msgspec
import pytest
import requests
import schemathesis
from aiohttp.test_utils import TestServer
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks
from tests.api.served import NOW_MS, UNLIMITED, make_town
from tests.world import key

from hansa.engine.verification import InlineVerifier
from hansa.node.api.keys import KeyRing
from hansa.node.api.openapi import build_document
from hansa.node.api.table import ROUTES
from hansa.node.service import Node
from hansa.node.serving.app import create_app
from hansa.node.settings import Limits, Settings

EXAMPLES = 12
SCHEMA = schemathesis.openapi.from_dict(build_document(ROUTES))
CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.negative_data_rejection,
    openapi_checks.missing_required_header,
    openapi_checks.unsupported_method,
    openapi_checks.allow_header_conformance,
]


@schemathesis.serializer("application/msgpack")
def write_msgpack(_, value):
    """Write whatever was made up: no schema describes a batch."""
    if isinstance(value, bytes):
        return value
    try:
        return msgspec.msgpack.encode(value)
    except OverflowError:  # MessagePack has no number so far from 0
        return msgspec.msgpack.encode(str(value))


@pytest.fixture(scope="module")
def base_url(tmp_path_factory):
    """A node that takes transactions, in a thread of its own."""
    town = make_town(tmp_path_factory.mktemp("town"))
    ready, stopping, found = threading.Event(), asyncio.Event(), {}

    async def serve() -> None:
        found["loop"] = asyncio.get_running_loop()
        verifier = InlineVerifier(town.world.network)
        node = Node(town.world.chain, verifier, key("north").address, key("north server"))
        node.engine.start()
        settings, keys = Settings(limits=UNLIMITED), KeyRing(town.path)
        app = create_app(node, settings, keys, clock_ms=lambda: NOW_MS)
        async with TestServer(app) as server:
            found["url"] = str(server.make_url("/")).rstrip("/")
            ready.set()
            await stopping.wait()
        await node.engine.stop()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(30)
    with requests.Session() as session:
        session.headers.update(town.sign_in("regulator"))
        yield found["url"], session
    found["loop"].call_soon_threadsafe(stopping.set)
    thread.join(30)


@SCHEMA.exclude(path="/v1/events").parametrize()
@hypothesis.settings(max_examples=EXAMPLES, derandomize=True, database=None)
def test_every_route_does_what_its_description_says(case, base_url):
    url, session = base_url
    case.call_and_validate(base_url=url, session=session, checks=CHECKS)


def test_the_document_is_one_of_openapi_3_1():
    document = build_document(ROUTES, "https://ledger.bank.example")
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": "https://ledger.bank.example"}]
    assert set(document["paths"]) == {route.path for route in ROUTES}
    SCHEMA.validate()


def test_the_document_is_charged_like_every_answer(town):
    async def use(client, _):
        statuses = [(await client.get("/openapi.json")).status for _ in range(3)]
        assert statuses == [200, 200, 429]

    town.serve(use, Settings(limits=Limits(anyone_per_s=1, anyone_burst=2)))
