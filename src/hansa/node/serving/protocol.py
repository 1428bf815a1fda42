"""The server's side of one connection: what is no HTTP request is answered as every error is."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong

from hansa.kernel.errors import InvalidCode
from hansa.node.api.problems import build_problem

KEEP_ALIVE_S = 30.0
"""Within which the head of a request must have arrived, be it the first or another."""
LINE_BYTES = 8_190
"""Of a request's first line, and of each header."""
OPTIONS: dict[str, Any] = {
    "access_log": None,
    "auto_decompress": False,
    "keepalive_timeout": KEEP_ALIVE_S,
    "max_field_size": LINE_BYTES,
    "max_line_size": LINE_BYTES,
}
BAD_REQUEST = 400


class RequestProtocol(web.RequestHandler):
    """aiohttp's protocol, but for the answer to bytes that it cannot read as a request.

    Those never come to the application. Whoever sends them can send very many: none is logged.
    """

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what cannot be read with a problem, and close; anything else as aiohttp does."""
        if status != BAD_REQUEST:
            return super().handle_error(request, status, exc, message)
        response = build_problem(status, InvalidCode.MALFORMED, _explain(exc, message or ""))
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.force_close()
        return response


def build_protocol(server: web.Server) -> RequestProtocol:
    """Build the protocol of one connection."""
    return RequestProtocol(server, loop=asyncio.get_running_loop(), **OPTIONS)


def _explain(error: BaseException | None, message: str) -> str:
    if isinstance(error, LineTooLong):
        return (
            f"a line of the request's head has more than {LINE_BYTES} bytes: shorten the address "
            "or the header"
        )
    if isinstance(error, BadHttpMethod):
        return "HTTP has no such method: use GET, HEAD, POST or OPTIONS"
    what = message.partition("\n")[0].strip().rstrip(":.")
    return f"this cannot be read as an HTTP/1.1 request ({what}): send what HTTP asks for"
