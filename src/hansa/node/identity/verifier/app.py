"""The web server of a verifier: requests that wallets fetch, answers that they send.

Source: OpenID4VP 1.0, sections 5.10, 8.2 and 8.3; RFC 9101, section 5.2.3.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from hansa.identity.faults import Unsound
from hansa.identity.oauth.refusals import OAuthError
from hansa.identity.verifier.registry import Registry
from hansa.identity.verifier.sessions import Accepted, Verifier
from hansa.kernel.errors import Corrupt, Unavailable
from hansa.node.identity.http import NO_STORE, answer_error, build_guard, read_form
from hansa.node.identity.verifier.folder import VerifierFolder
from hansa.node.limiter import Limiter
from hansa.node.service import wall_clock_ms
from hansa.node.settings import Limits

REQUEST_TYPE = "application/oauth-authz-req+jwt"
ANSWER_BYTES_MAX = 2 << 20
NONCE_LETTERS_MAX = 1_024
SWEEP_S = 60.0
BAD_REQUEST = 400
FAILED = web.AppKey("failed", asyncio.Future[None])


def create_app(
    folder: VerifierFolder,
    registry: Registry,
    *,
    warn: Callable[[str], None] = lambda _: None,
    accept: Callable[[Accepted], None] | None = None,
    clock_s: Callable[[], float] = time.monotonic,
    clock_ms: Callable[[], int] = wall_clock_ms,
) -> web.Application:
    """Create the application that serves a verifier; call it where an event loop runs.

    Args:
      folder: what is served; close its records after the application.
      registry: what it asks of the world.
      warn: gets what could not be had, of which wallets are told no more than that.
      accept: is told of what was accepted, before the wallet is.
      clock_s: never goes back; for rate limits.
      clock_ms: the wall clock.
    """
    asking = folder.settings.wallets
    limits = Limits(anyone_per_s=asking.requests_per_s, anyone_burst=asking.requests_burst)
    guard = build_guard(folder.settings.host_names, Limiter(limits, clock_s), warn)
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    app = web.Application(
        client_max_size=ANSWER_BYTES_MAX, middlewares=[guard, _build_watch(failed)]
    )
    app[FAILED] = failed
    handlers = _Handlers(folder.build(registry, accept), clock_ms)
    app.router.add_get("/requests/{id}", handlers.give)
    app.router.add_post("/requests/{id}", handlers.give)
    app.router.add_post("/answers/{id}", handlers.take)

    async def sweep(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(_sweep(folder, clock_ms))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    app.cleanup_ctx.append(sweep)
    return app


class _Handlers:
    """Answers each endpoint."""

    def __init__(self, verifier: Verifier, clock_ms: Callable[[], int]) -> None:
        self._verifier = verifier
        self._clock_ms = clock_ms

    async def give(self, request: web.Request) -> web.Response:
        """Give a wallet the request that it was invited to fetch."""
        nonce = ""
        if request.method == "POST":
            nonce = (await read_form(request)).get("wallet_nonce", "")
        if len(nonce) > NONCE_LETTERS_MAX:
            return _refuse(f"wallet_nonce has over {NONCE_LETTERS_MAX} letters")
        token = self._verifier.give_request(request.match_info["id"], nonce, self._clock_ms())
        return web.Response(body=token.encode(), content_type=REQUEST_TYPE, headers=NO_STORE)

    async def take(self, request: web.Request) -> web.Response:
        """Take a wallet's answer."""
        form = await read_form(request)
        try:
            told = await self._verifier.take_answer(
                request.match_info["id"], form, self._clock_ms()
            )
        except Unsound as error:
            return _refuse(error.message)
        return web.json_response(told, headers=NO_STORE)


def _build_watch(failed: asyncio.Future[None]) -> Middleware:
    """Build what tells that the records are damaged: then nothing can go on."""

    @web.middleware
    async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Corrupt as error:
            if not failed.done():
                failed.set_exception(error)
            raise Unavailable("this service has stopped: its records are damaged") from None

    return watch


async def _sweep(folder: VerifierFolder, clock_ms: Callable[[], int]) -> None:
    while True:
        folder.records.sweep(clock_ms())
        await asyncio.sleep(SWEEP_S)


def _refuse(why: str) -> web.Response:
    return answer_error(BAD_REQUEST, OAuthError.INVALID_REQUEST.value, why)
