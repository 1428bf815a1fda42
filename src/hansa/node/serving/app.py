"""The application of one node: API and console, and what stands around every request.

request -> host and origin -> who asks -> rate -> right -> parameters -> handler -> JSON or problem
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from hansa.kernel.errors import Corrupt, HansaError, Unavailable
from hansa.node.api.access import Access, is_loopback
from hansa.node.api.handlers import streams
from hansa.node.api.keys import KeyRing
from hansa.node.api.openapi import build_document
from hansa.node.api.problems import (
    answer_error,
    answer_http,
    check_expectation,
    meet_expectation,
    rewrite_expectation,
)
from hansa.node.api.routes import Api, bind, encode_json
from hansa.node.api.table import ROUTES
from hansa.node.api.telemetry import Meters
from hansa.node.channel.service import MessageChannel
from hansa.node.connections import Slots
from hansa.node.console.guard import Gate
from hansa.node.console.pages import FILE_PATH
from hansa.node.console.site import add_console
from hansa.node.limiter import Limiter
from hansa.node.service import Node, wall_clock_ms
from hansa.node.settings import LoopbackReads, Settings
from hansa.node.tables import Tables
from hansa.node.web.hosts import is_foreign, is_own

if TYPE_CHECKING:  # of extras, which a node that does neither need not have
    from hansa.node.reconcile.service import PairService
    from hansa.node.risk.desk import RiskDesk

API_KEY = web.AppKey("api", Api)
METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
"""Counted by name; others together."""
READS = frozenset({"GET", "HEAD"})
PREFIX = "/v1/"
"""Of the API's routes, and of what asks for one that is not there."""
SLOTLESS = frozenset({"/healthz", "/readyz", "/metrics", FILE_PATH})
"""Answered however many requests are at work."""
TIMELESS = SLOTLESS | {"/openapi.json"}
"""Show nothing of the ledger that is not confirmed: answered at once, also by a failed engine."""
NO_CONTENT = 204


def create_app(  # noqa: PLR0913 - what a node is made of, by keyword beyond the first
    node: Node,
    settings: Settings | None = None,
    keys: KeyRing | None = None,
    channel: MessageChannel | None = None,
    pairs: PairService | None = None,
    risk: RiskDesk | None = None,
    *,
    clock_s: Callable[[], float] = time.monotonic,
    clock_ms: Callable[[], int] = wall_clock_ms,
) -> web.Application:
    """Create the application that serves one node: API and console.

    Args:
      node: what is served.
      settings: who may ask for what, and how much; the defaults where not given.
      keys: the API keys; None for a node without any.
      channel: its messages; None for a node without a channel key.
      pairs: its reconciliation; None for a node that does none.
      risk: its risk desk; None for a node that does not decide.
      clock_s: never goes back; for rate limits.
      clock_ms: the wall clock; for the keys' expiry.
    """
    settings = settings or Settings()
    access = Access(node.chain, settings, keys, clock_ms)
    meters = Meters()
    node.engine.listen(meters.note_block)
    limiter = Limiter(settings.limits, clock_s)
    document = encode_json(build_document(ROUTES, settings.listen.url))
    tables = Tables(node.chain, clock_s)
    api = Api(node, settings, access, limiter, meters, tables, channel, pairs, risk, document)
    paths = frozenset(route.path for route in ROUTES)
    app = web.Application(
        client_max_size=settings.limits.body_bytes, middlewares=[_build_guard(api, paths)]
    )
    app[API_KEY] = api
    _add_routes(app, api)
    gate = Gate(access, settings.host_names, limiter, settings.limits.body_s, clock_s)
    add_console(app, node, gate, pairs, settings.results_folder, risk)

    async def end_streams(_: web.Application) -> None:
        await streams.end_streams(api)

    app.on_shutdown.append(end_streams)
    app.on_response_prepare.append(rewrite_expectation)
    return app


def _add_routes(app: web.Application, api: Api) -> None:
    """Add the API's routes."""
    for route in ROUTES:
        handler = bind(api, route)
        if route.method == "GET":
            app.router.add_get(
                route.path,
                handler,
                allow_head=not route.is_stream,
                expect_handler=meet_expectation,
            )
        else:
            app.router.add_post(route.path, handler, expect_handler=meet_expectation)


def _build_guard(api: Api, paths: frozenset[str]) -> Middleware:
    """Build what every request passes: bounds, host and origin, errors as problems, figures."""
    names = api.settings.host_names
    is_free = api.settings.access.loopback is LoopbackReads.EVERYTHING
    limits = api.settings.limits
    slots = Slots(limits.requests, limits.bodies_bytes)
    unbound = SLOTLESS | {route.path for route in ROUTES if route.is_stream}

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        path = None if resource is None else resource.canonical
        is_api = path in paths or (path is None and request.path.startswith(PREFIX))
        is_timeless = request.method not in READS or path in TIMELESS
        is_bound = path not in unbound
        is_known = is_free and is_loopback(request.remote)
        slot = slots.take(request, is_known=is_known) if is_bound else None
        is_refused = is_bound and slot is None
        if is_refused:
            response: web.StreamResponse = answer_error(
                Unavailable("too many requests, or too large ones, at one time: send again")
            )
        else:
            try:
                if is_api:
                    _check_host(request, names)
                    check_expectation(request)
                response = await _answer_durably(
                    api.node, request, handler, is_timeless=is_timeless
                )
            except (web.HTTPException, HansaError) as error:
                response = _answer_failure(api, request, error)
            finally:
                if slot is not None:
                    slots.give_back(slot)
        if (is_api or is_refused) and not response.prepared:
            response.headers.setdefault("Cache-Control", "no-store")
            response.headers["X-Content-Type-Options"] = "nosniff"
            response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        method = request.method if request.method in METHODS else "other"
        api.meters.requests[method, response.status] += 1
        return response

    return guard


async def _answer_durably(
    node: Node, request: web.Request, handler: Handler, *, is_timeless: bool
) -> web.StreamResponse:
    """Answer a reader only once every block that the answer may show is durable.

    Rows are read as of the newest block executed; a power cut could still undo it. An error shows
    rows, too: what is not found, or whose key does not count.

    Raises:
      Unavailable: that block is not durable in time, or never will be.
    """
    try:
        response = await handler(request)
    except (HansaError, web.HTTPException):
        if not is_timeless:
            await node.confirm()
        raise
    if not is_timeless and not response.prepared:
        await node.confirm()
    return response


def _answer_failure(
    api: Api, request: web.Request, error: web.HTTPException | HansaError
) -> web.StreamResponse:
    """Answer an error; what is corrupt stops the node."""
    if isinstance(error, web.HTTPException):
        return _answer_http(request, error)
    if isinstance(error, Corrupt):
        api.node.engine.fail(error)
        return answer_error(Unavailable("the node has stopped: its data are damaged"))
    return answer_error(error)


def _answer_http(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    if request.method == "OPTIONS" and isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))
        return web.Response(status=NO_CONTENT, headers={"Allow": allowed})
    if error.status < 400:  # noqa: PLR2004 - a redirect of the console
        return error
    return answer_http(error)


def _check_host(request: web.Request, names: frozenset[str]) -> None:
    """Refuse names that are not this node's (DNS rebinding), and pages of other sites."""
    host = request.headers.get("Host", "")
    if not is_own(host, names):
        raise web.HTTPMisdirectedRequest(
            text=f"this node does not answer to the name {host[:80]!r}: name it in "
            "listen.public_names of its settings"
        )
    if is_foreign(request.headers.get("Origin"), host):
        raise web.HTTPForbidden(text="a page of another site asked: ask from this node's own")
