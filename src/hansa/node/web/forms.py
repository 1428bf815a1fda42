"""Bodies and forms that browsers send to pages, bounded in bytes, fields and time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from hansa.kernel.errors import Invalid, InvalidCode

FORM_TYPE: Final = "application/x-www-form-urlencoded"
TOKEN_FIELD: Final = "token"  # noqa: S105 - the name of a field
"""In which a form shows that it is of a page that this session was given."""


async def read_body(request: web.Request, timeout_s: float) -> bytes:
    """Read a request's body; an error of HTTP where it does not arrive within `timeout_s`."""
    try:
        if request.content.is_eof():  # all of it came with the head, as small ones do
            return await request.read()
        async with asyncio.timeout(timeout_s):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise web.HTTPRequestEntityTooLarge(
            request.client_max_size,
            text=f"the body has more than {request.client_max_size} bytes, the most that this node "
            "takes: send less at a time",
        ) from None
    except TimeoutError:
        raise web.HTTPRequestTimeout(text=f"the body did not arrive within {timeout_s} s") from None
    except ConnectionError:  # nobody will read this: it is no fault of the node
        raise web.HTTPBadRequest(text="the connection ended before the body did") from None


async def read_form(
    request: web.Request, timeout_s: float, *, bytes_max: int, fields_max: int
) -> Mapping[str, str]:
    """Read the fields of a form; raises `Invalid` for what none of our forms sends."""
    if request.content_type != FORM_TYPE or "Content-Encoding" in request.headers:
        raise Invalid(InvalidCode.MALFORMED, f"this page takes a form of its own: {FORM_TYPE}")
    if (request.content_length or 0) > bytes_max:
        raise _too_large(bytes_max)
    raw = await read_body(request, timeout_s)
    if len(raw) > bytes_max:
        raise _too_large(bytes_max)
    try:
        text = raw.decode("ascii")
        return dict(
            parse_qsl(text, keep_blank_values=True, max_num_fields=fields_max, errors="strict")
        )
    except ValueError:
        raise Invalid(InvalidCode.MALFORMED, "the form cannot be read: reload its page") from None


def require_token(form: Mapping[str, str], expected: str) -> None:
    """Require that a form is of the session that sends it; raises `Invalid`."""
    given = form.get(TOKEN_FIELD, "").encode("utf-8", "surrogatepass")
    if not secrets.compare_digest(given, expected.encode()):
        raise Invalid(InvalidCode.MALFORMED, "this form is of another session: try again")


def _too_large(bytes_max: int) -> Invalid:
    return Invalid(
        InvalidCode.TOO_LARGE, f"the form has over {bytes_max} bytes, more than any of these pages"
    )
