"""Where the console meets the HTTP server: its routes, its guard, and errors in words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from hansa.kernel.errors import HansaError, Invalid, InvalidCode, NotFound, Refused, Unavailable
from hansa.node.api.problems import check_expectation, meet_expectation
from hansa.node.api.rights import ANYONE
from hansa.node.console.guard import Gate, charge
from hansa.node.console.pages import FILE_PATH, TAG, VIEWER, Console
from hansa.node.console.routes import FILES, NAVIGATION, ROUTES, Page
from hansa.node.console.sessions import Viewer, find_viewer
from hansa.node.limiter import TooMany
from hansa.node.service import Node
from hansa.node.web.headers import OWN_FILES_HEADERS
from hansa.node.web.hosts import find_fault

if TYPE_CHECKING:  # of extras, which a node that does neither need not have
    from hansa.node.reconcile.service import PairService
    from hansa.node.risk.desk import RiskDesk

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PAGE_COST = 4
"""What a page counts for against the rate limits: as much as some requests of the API."""

NAME_ADVICE = (
    "Open them under the address that the node printed, or name this one in "
    "listen.public_names of its settings."
)


def add_console(
    app: web.Application,
    node: Node,
    gate: Gate,
    pairs: PairService | None = None,
    results: Path | None = None,
    risk: RiskDesk | None = None,
) -> None:
    """Serve the console from an application that has not started yet.

    Args:
      app: also of the API; what is under `/v1` or is no page is left alone.
      node: whose chain is shown.
      gate: who is let in to what.
      pairs: what its member reconciles; None if it does not.
      results: folder with what it reconciled of files; None if that is not shown.
      risk: what decides on its customers' payments; None if nothing does.
    """
    console = Console(node, gate, NAVIGATION, pairs, results, risk)
    routes = (*ROUTES, *FILES)
    for route in routes:
        methods = ("GET", "HEAD") if route.method == "GET" else (route.method,)
        for method in methods:
            handler = _bind(console, route.page)
            app.router.add_route(method, route.path, handler, expect_handler=meet_expectation)
    app.middlewares.append(_build_middleware(console, frozenset(route.path for route in routes)))

    async def close(_: web.Application) -> AsyncIterator[None]:
        yield
        await console.supply.close()
        if console.steps is not None:
            await console.steps.close()

    app.cleanup_ctx.append(close)


def _bind(console: Console, page: Page) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await page(console, request)

    return handle


def _build_middleware(console: Console, served: frozenset[str]) -> Any:  # noqa: ANN401 - aiohttp's
    """Build what guards the console's routes, and answers for paths that nobody serves."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        is_stray = resource is None and "text/html" in request.headers.get("Accept", "")
        if not is_stray and (resource is None or resource.canonical not in served):
            return await handler(request)
        fault = find_fault(request, console.gate.names, NAME_ADVICE)
        if fault is not None:
            return web.Response(text=fault, status=403, headers=OWN_FILES_HEADERS)
        request[VIEWER] = Viewer(ANYONE, console.access)
        request[TAG] = ""
        try:
            viewer = find_viewer(request, console.access, console.sessions)
            request[VIEWER] = viewer
            request[TAG] = tag = await console.name_state(viewer)
            check_expectation(request)
            is_same = request.headers.get("If-None-Match") == tag
            if resource is None or resource.canonical != FILE_PATH:
                charge(request, viewer, 1 if is_same else PAGE_COST, console.gate.limiter)
            if is_same:
                return web.Response(status=304, headers={**OWN_FILES_HEADERS, "ETag": tag})
            return await handler(request)
        except TooMany as error:
            headers = {**OWN_FILES_HEADERS, "Retry-After": str(error.wait_s)}
            return web.Response(text=error.message, status=429, headers=headers)
        except HansaError as error:
            return await _say_error(console, request, error)
        except web.HTTPNotFound:
            return await console.say(
                request, 404, "There is no such page", "The address may be mistyped."
            )
        except web.HTTPExpectationFailed as error:
            text = _write_sentence(error.text or "")
            return await console.say(request, error.status, "That cannot be expected", text)
        except web.HTTPMethodNotAllowed:
            return await console.say(
                request, 405, "This page only shows", "Nothing can be sent to it."
            )

    return guard


async def _say_error(console: Console, request: web.Request, error: HansaError) -> web.Response:
    """Say an error in words, and who must act; what is corrupt goes on to stop the node."""
    text = _write_sentence(error.message)
    if isinstance(error, NotFound):
        is_pruned = "height_min" in error.facts
        heading = "Not kept by this node" if is_pruned else "Not found on this ledger"
        return await console.say(request, 404, heading, text)
    if isinstance(error, Refused):
        return await console.say(request, 403, "Not for your eyes", text)
    if isinstance(error, Invalid) and error.code is InvalidCode.UNAUTHENTICATED:
        text = "It is shown to those whom it concerns, once they have signed in."
        return await console.say(request, 401, "Not shown to everybody", text)
    if isinstance(error, Invalid):
        return await console.say(request, 400, "This address cannot be read", text)
    if isinstance(error, Unavailable):
        return await console.say(request, 503, "Not there just now", text)
    raise error


def _write_sentence(message: str) -> str:
    return message[:1].upper() + message[1:] + "."
