"""Where the console meets the HTTP server: its routes, its guard, and errors in words."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web

from hansa.kernel.errors import HansaError, Invalid, InvalidCode, NotFound, Refused, Unavailable
from hansa.node.api.access import Access
from hansa.node.api.rights import ANYONE
from hansa.node.console.guard import HEADERS, find_fault
from hansa.node.console.pages import FILES, ROUTES, TAG, VIEWER, Console, Handler, Page
from hansa.node.console.sessions import Viewer, find_viewer
from hansa.node.service import Node


def add_console(
    app: web.Application,
    node: Node,
    access: Access,
    names: frozenset[str],
    clock_s: Callable[[], float] = time.monotonic,
) -> None:
    """Serve the console from an application that has not started yet.

    Args:
      app: also of the API; what is under `/v1` or is no page is left alone.
      node: whose chain is shown.
      access: who may read what.
      names: hosts, without port, under which it answers, besides plain network addresses.
      clock_s: never goes back; for sessions.
    """
    console = Console(node, access, names, clock_s)
    routes = (*ROUTES, *FILES)
    for route in routes:
        app.router.add_route(route.method, route.path, _bind(console, route.page))
        if route.method == "GET":
            app.router.add_head(route.path, _bind(console, route.page))
    app.middlewares.append(_build_middleware(console, frozenset(route.path for route in routes)))

    async def close(_: web.Application) -> AsyncIterator[None]:
        yield
        await console.supply.close()

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
        fault = find_fault(request, console.names)
        if fault is not None:
            return web.Response(text=fault, status=403, headers=HEADERS)
        request[VIEWER] = Viewer(ANYONE, console.access)
        request[TAG] = ""
        try:
            viewer = find_viewer(request, console.access, console.sessions)
            request[VIEWER] = viewer
            request[TAG] = tag = console.name_state(viewer)
            if request.headers.get("If-None-Match") == tag:
                return web.Response(status=304, headers={**HEADERS, "ETag": tag})
            return await handler(request)
        except HansaError as error:
            return await _say_error(console, request, error)
        except web.HTTPNotFound:
            return await console.say(
                request, 404, "There is no such page", "The address may be mistyped."
            )
        except web.HTTPMethodNotAllowed:
            return await console.say(
                request, 405, "This page only shows", "Nothing can be sent to it."
            )

    return guard


async def _say_error(console: Console, request: web.Request, error: HansaError) -> web.Response:
    """Say an error in words, and who must act; what is corrupt goes on to stop the node."""
    text = error.message[:1].upper() + error.message[1:] + "."
    if isinstance(error, NotFound):
        return await console.say(request, 404, "Not found on this ledger", text)
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
