"""Forms as browsers send them, and what none of our pages sends."""

import asyncio

import aiohttp
import pytest
from aiohttp import web
from tests.running import run_fake

from hansa.kernel.errors import Invalid
from hansa.node.web.forms import FORM_TYPE, read_form, require_token


async def answer(request):
    try:
        form = await read_form(request, 5.0, bytes_max=200, fields_max=3)
        require_token(form, "of this session")
    except Invalid as error:
        return web.Response(status=400, text=error.message)
    return web.json_response(dict(form))


async def _send(url, raw, kind, **headers):
    async with aiohttp.ClientSession() as http:
        headers |= {"Content-Type": kind}
        async with http.post(url, data=raw, headers=headers) as response:
            return response.status, await response.text()


def send(raw, kind=FORM_TYPE, **headers):
    with run_fake(web.post("/", answer)) as url:
        return asyncio.run(_send(f"{url}/", raw, kind, **headers))


def test_fields_are_read_with_the_empty_ones():
    status, text = send(b"token=of+this+session&name=Mei+T%C3%A1n&empty=")
    assert status == 200
    assert text.encode().decode("unicode_escape").count("Mei Tán") == 1
    assert '"empty": ""' in text


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"token=another", "of another session"),
        (b"", "of another session"),
        (b"token=%ff", "cannot be read"),
        ("token=ü".encode(), "cannot be read"),
        (b"a=1&b=2&c=3&d=4", "cannot be read"),
        (b"a=" + b"1" * 200, "over 200 bytes"),
    ],
)
def test_what_no_form_of_ours_sends_is_refused(raw, why):
    status, text = send(raw)
    assert status == 400
    assert why in text


def test_only_forms_are_read():
    assert send(b"{}", "application/json")[0] == 400
    assert send(b"token=x", **{"Content-Encoding": "identity"})[0] == 400
