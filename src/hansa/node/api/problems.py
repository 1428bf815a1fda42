"""Errors as RFC 9457 problem documents, whose `type` is the anchor of the code in the docs.

The console serves what it leads to (`hansa.node.console.pages`), from the same texts.

Source: RFC 9457; RFC 9110 section 15; docs/reference/http-api.md, docs/reference/contracts.md.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from aiohttp import HttpVersion11, web

from hansa.kernel.authority import AuthorityCode
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, NotFound, Refused
from hansa.node.api.access import AccessCode
from hansa.node.channel.codes import ChannelCode
from hansa.node.limiter import TooMany
from hansa.node.reconcile.codes import PairCode
from hansa.node.risk.codes import RiskCode
from hansa.node.sponsor.desk import Unsponsored
from hansa.sdk.answers import Problem, TransactionResult

CONTENT_TYPE = "application/problem+json"
API_PAGE = "/docs/reference/http-api.md"
CODES_PAGE = "/docs/reference/contracts.md"
"""Where codes of invalid input and of contracts are explained."""
RETRY_AFTER_S = 1
PERMISSION_CODES = frozenset({*AuthorityCode, *AccessCode})
HTTP_CODES = {
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.METHOD_NOT_ALLOWED: "METHOD_NOT_ALLOWED",
    HTTPStatus.REQUEST_TIMEOUT: "TIMEOUT",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "TOO_LARGE",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "MEDIA_TYPE",
    HTTPStatus.MISDIRECTED_REQUEST: "WRONG_HOST",
    HTTPStatus.FORBIDDEN: "FOREIGN_ORIGIN",
    HTTPStatus.EXPECTATION_FAILED: "EXPECTATION",
}
"""Codes of what HTTP itself refuses; any other status is that of a malformed request."""

OWN_CODES = frozenset(
    {
        *AccessCode,
        *ChannelCode,
        *PairCode,
        *RiskCode,
        "NOT_FOUND",
        "UNAVAILABLE",
        "TOO_MANY_REQUESTS",
        *HTTP_CODES.values(),
    }
) - frozenset(InvalidCode)
"""Codes that only the API has."""

HTTP_TEXTS = {
    HTTPStatus.NOT_FOUND: "there is no such route: /openapi.json lists them",
    HTTPStatus.METHOD_NOT_ALLOWED: "this route has no such method: Allow names those it has",
}

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_encode = msgspec.json.Encoder().encode


def name_type(code: str) -> str:
    """Name the anchor that explains a code: in the docs, and under the same path on the node."""
    return f"{API_PAGE if code in OWN_CODES else CODES_PAGE}#{code}"


def build_problem(
    status: int, code: str, detail: str, receipt: TransactionResult | None = None
) -> web.Response:
    """Build a problem document; `receipt` is that of a transaction which a rule refused."""
    found = Problem(
        type=name_type(code),
        title=code,
        status=status,
        detail=detail,
        receipt=msgspec.UNSET if receipt is None else receipt,
    )
    return web.Response(body=_encode(found), status=status, content_type=CONTENT_TYPE)


def answer_error(error: HansaError) -> web.Response:
    """Answer an error by its class: who must act decides the status."""
    if isinstance(error, Invalid):
        return _answer_invalid(error)
    if isinstance(error, NotFound):
        return build_problem(404, "NOT_FOUND", error.message)
    if isinstance(error, Refused):
        status = 403 if error.code in PERMISSION_CODES else 409
        return build_problem(status, error.code.value, error.message)
    if isinstance(error, TooMany):
        response = build_problem(429, "TOO_MANY_REQUESTS", error.message)
        response.headers["Retry-After"] = str(error.wait_s)
        return response
    if isinstance(error, Unsponsored):
        return build_problem(503, InvalidCode.UNKNOWN_SPONSOR.value, error.message)
    response = build_problem(503, "UNAVAILABLE", error.message)
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _answer_invalid(error: Invalid) -> web.Response:
    if error.code is InvalidCode.UNAUTHENTICATED:
        response = build_problem(401, error.code.value, error.message)
        response.headers["WWW-Authenticate"] = 'Bearer realm="hansa"'
        return response
    status = 413 if error.code is InvalidCode.TOO_LARGE else 400
    return build_problem(status, error.code.value, error.message)


def answer_http(error: web.HTTPException) -> web.Response:
    """Answer what HTTP itself refuses: no such route, method, size, media type."""
    status = HTTPStatus(error.status)
    code = HTTP_CODES.get(status, InvalidCode.MALFORMED)
    response = build_problem(
        error.status, code, HTTP_TEXTS.get(status, error.text or status.phrase)
    )
    if isinstance(error, web.HTTPMethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))
    return response


async def meet_expectation(request: web.Request) -> None:
    """Say `100 Continue` to those who wait for it, as a route's handler of `Expect`.

    The server asks before any middleware, so what cannot be met is left to `check_expectation`.
    """
    if request.version == HttpVersion11 and _expects(request) == "100-continue":
        await request.writer.write(CONTINUE)
        request.writer.output_size = 0  # the answer has not begun


def check_expectation(request: web.Request) -> None:
    """Refuse an `Expect` that nobody meets; raises `HTTPExpectationFailed`."""
    if request.version == HttpVersion11 and _expects(request) not in {"", "100-continue"}:
        raise web.HTTPExpectationFailed(
            text="this server meets no expectation but 100-continue: leave Expect out"
        )


async def rewrite_expectation(_: web.Request, response: web.StreamResponse) -> None:
    """Put into a problem what the server itself refuses: an `Expect` where there is no route."""
    if isinstance(response, web.HTTPExpectationFailed):
        found = answer_http(response)
        assert isinstance(found.body, bytes)  # noqa: S101 - a problem is built of them
        response.body = found.body
        response.headers.update(found.headers)
        response.headers["Content-Length"] = str(len(found.body))


def _expects(request: web.Request) -> str:
    return request.headers.get("Expect", "").lower()
