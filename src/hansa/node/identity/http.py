"""What stands around every request to an issuer or verifier: bounds, host, and errors in JSON.

Source: RFC 6749, section 5.2 (errors); RFC 9110; RFC 6585, section 4.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from hansa.identity.oauth.refusals import Declined, OAuthError
from hansa.kernel.errors import Corrupt, HansaError, NotFound, Unavailable
from hansa.node.identity.records import RecordFile
from hansa.node.limiter import Limiter, TooMany, name_remote
from hansa.node.web.hosts import is_own

T = TypeVar("T")

FORM = "application/x-www-form-urlencoded"
BODY_BYTES_MAX = 1 << 20
BODY_S = 30.0
FIELDS_MAX = 64
RETRY_S = 5
NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
AWAY = "this service cannot do that just now: try again in a moment"
_NOT_PLAIN = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")
"""What an error_description cannot hold."""


class Worker:
    """Does the work of requests in one thread, each piece of it at once or not at all."""

    def __init__(self, records: RecordFile) -> None:
        self._records = records
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="identity")
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises what is damaged, once something is: then nothing can go on."""

    async def run(self, work: Callable[[], T]) -> T:
        """Run work behind what was asked for before."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._work, work)
        except Corrupt as error:
            if not self.failed.done():
                self.failed.set_exception(error)
            raise Unavailable("this service has stopped: its records are damaged") from None

    def fail_with(self, task: asyncio.Task[None]) -> None:
        """End the service if a task of it has ended by an error, which it should not."""
        if not task.cancelled() and (error := task.exception()) and not self.failed.done():
            self.failed.set_exception(error)

    def close(self) -> None:
        """Wait for what is at work."""
        self._thread.shutdown()

    def _work(self, work: Callable[[], T]) -> T:
        with self._records.at_once():
            return work()


def build_guard(
    names: frozenset[str], limiter: Limiter, warn: Callable[[str], None] = lambda _: None
) -> Middleware:
    """Build what every request passes: its host, its caller's rate, and errors as JSON.

    `warn` gets what could not be had: strangers are told only that something could not, for the
    whole text names addresses and files of the inside.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if not is_own(request.headers.get("Host", ""), names):
                raise web.HTTPMisdirectedRequest(
                    text="this service does not answer to that name: it is not the one in its url"
                )
            limiter.charge(name_remote(request.remote), 1, is_known=False)
            return await handler(request)
        except web.HTTPException as error:
            if error.status < 400:  # noqa: PLR2004 - the page sends the browser on
                raise
            headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            text = error.reason if error.status != 421 else error.text or ""  # noqa: PLR2004
            return answer_error(error.status, OAuthError.INVALID_REQUEST.value, text, headers)
        except HansaError as error:
            if isinstance(error, Unavailable) and not isinstance(error, TooMany):
                warn(f"{request.path} was not answered: {error.message}")
            return answer_failure(error)

    return guard


def answer_failure(error: HansaError) -> web.Response:
    """Answer an error that is none of the protocol's refusals at a certain endpoint."""
    if isinstance(error, Declined):
        return answer_error(error.status, error.error.value, error.message)
    if isinstance(error, NotFound):
        return answer_error(404, "not_found", error.message)
    if isinstance(error, TooMany):
        retry = {"Retry-After": str(error.wait_s)}
        return answer_error(429, "temporarily_unavailable", error.message, retry)
    if isinstance(error, Unavailable):
        retry = {"Retry-After": str(RETRY_S)}
        return answer_error(503, "temporarily_unavailable", AWAY, retry)
    return answer_error(500, "server_error", error.message)


def answer_error(
    status: int, error: str, description: str, headers: dict[str, str] | None = None
) -> web.Response:
    """Answer an error as OAuth writes it; the description is plain ASCII."""
    told = {"error": error, "error_description": make_plain(description)}
    return web.json_response(told, status=status, headers=NO_STORE | (headers or {}))


def make_plain(text: str) -> str:
    """Write a text in the letters that an error_description may hold."""
    return _NOT_PLAIN.sub(lambda found: "'" if found[0] in '"“”’' else "?", text)


async def read_body(request: web.Request) -> bytes:
    """Read a request's body, bounded in bytes and time.

    Raises:
      Declined: `INVALID_REQUEST`: it did not arrive in time.
      web.HTTPRequestEntityTooLarge: it is too large.
    """
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError:
        raise _invalid(f"the body did not arrive within {BODY_S:.0f} s") from None


async def read_form(request: web.Request) -> dict[str, str]:
    """Read a form, in which each name stands once.

    Raises:
      Declined: `INVALID_REQUEST`.
    """
    if request.content_type != FORM:
        raise _invalid(f"the Content-Type must be {FORM}")
    raw = await read_body(request)
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        raise _invalid("the form cannot be read: UTF-8, and not over 64 fields") from None
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _invalid("a parameter stands twice")
    return found


def _invalid(why: str) -> Declined:
    return Declined(OAuthError.INVALID_REQUEST, why)
