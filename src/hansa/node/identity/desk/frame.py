"""The frame of a desk: who is let in, what stands around each page, and errors in words.

A desk is served on this machine alone, beside a folder, to whoever has the link that its command
printed. A link opens one browser, once: its token is exchanged for a cookie and leaves the address
bar; then the next link is told. Every form holds a token of its session, and must come from one of
the desk's own pages. The pages run no script but the console's, and work without it.

A page set is a function that adds pages to a desk, given the service that they show:

    def add_pages(desk: Desk, service: Service) -> None:
        pages = _Pages(desk, service)
        desk.add_page("/", pages.show_overview, "Overview")  # has a place in the navigation
        desk.add_page("/things/{id}", pages.show_thing)
        desk.add_form("/things", pages.make_thing)           # POST
    desk.add_return("/back", pages.go_on)                # where another site sends the browser

A page's handler gets the request, and answers by `desk.show(request, "things/thing.html", …)`; a
form's gets the request and the form's fields, and answers by `desk.go_to("/things/7")`, or by the
page again, with what was wrong. Whatever `HansaError` it raises becomes a page. Templates lie in
`templates/`, a folder for each page set; they extend `layout.html`, import `_parts.html` as `p`
with context, and put `{{ p.token() }}` into each form. `is_live=True` has the parts of a page that
are marked `data-live`, each with an id, brought up to date every second, or the page every five
without scripts, unless `reloads=False`. `hansa.node.identity.desk.running` serves a desk.

Source: OWASP Cross-Site Request Forgery Prevention Cheat Sheet; RFC 6265bis.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiohttp import web
from aiohttp.typedefs import Handler

import hansa
from hansa.identity.encoding.base64url import encode_base64url
from hansa.kernel.calendar import format_iso
from hansa.kernel.errors import (
    Corrupt,
    HansaError,
    Invalid,
    InvalidCode,
    NotFound,
    Refused,
    Unavailable,
)
from hansa.node import console
from hansa.node.settings import LOOPBACK_NAMES
from hansa.node.web.files import build_environment, load_files
from hansa.node.web.forms import read_form, require_token
from hansa.node.web.headers import OWN_FILES_HEADERS
from hansa.node.web.hosts import find_fault
from hansa.node.web.sessions import (
    Session,
    Sessions,
    clear_cookie,
    is_visit,
    name_cookie,
    set_cookie,
)

FOLDER = Path(__file__).parent
CONSOLE_FILES = Path(console.__file__).parent / "static"
FILES_PATH = "/desk-files/"
FORM_BYTES_MAX, FORM_FIELDS_MAX, FORM_S = 1 << 19, 512, 30.0
TOKEN_BYTES = 32
WORD_MAX, WORD_BEGIN, WORD_END = 60, 22, 8
"""Letters of a word that is shown whole, and of what is shown of a longer one."""
SESSION: Final = web.RequestKey("session", Session)
OWNER = "owner"
RETURNED = "hansa_returned"
"""In the query of a page that has led to itself."""
HEADERS = {**OWN_FILES_HEADERS, "Cache-Control": "no-store"}
OK, SEE_OTHER, BAD_REQUEST, FORBIDDEN = 200, 303, 400, 403

ShowPage = Callable[[web.Request], Awaitable[web.StreamResponse]]
TakeForm = Callable[[web.Request, Mapping[str, str]], Awaitable[web.StreamResponse]]


class Link(NamedTuple):
    """A place of the navigation."""

    path: str
    label: str


class Problem(NamedTuple):
    """What went wrong, as a page says it."""

    status: int
    heading: str
    advice: str


NOT_OPENED = Problem(
    401,
    "This desk is not open in this browser",
    "Open it by the link that the terminal shows where the desk was started. Each link opens one "
    "browser, once; the last one printed is good.",
)
NO_PAGE = Problem(404, "There is no such page", "The address may be mistyped.")
NO_METHOD = Problem(405, "This page only shows", "Nothing can be sent to it.")


class Desk:
    """The pages of one desk; make it where an event loop runs.

    Args:
      title: what kind of desk it is, as "Issuer desk".
      owner: whose it is, as the settings of its folder name it.
      draw: draws random bytes.
      clock_s: never goes back; for sessions.
      failed: raises what is damaged, once something is, so that the process ends.
    """

    def __init__(
        self,
        title: str,
        owner: str,
        draw: Callable[[int], bytes],
        clock_s: Callable[[], float],
        failed: asyncio.Future[None] | None = None,
    ) -> None:
        self.title = title
        self.owner = owner
        self.failed = asyncio.get_running_loop().create_future() if failed is None else failed
        self.tell_link: Callable[[str], None] = lambda _: None
        """Gets the path of each link that opens the desk, once there is one."""
        self._draw = draw
        self._sessions = Sessions(clock_s)
        self._cookie = f"hansa-desk-{draw(4).hex()}"  # browsers keep no ports apart
        self._link_digest = b""
        self._navigation: list[Link] = []
        self._returns: set[str] = set()
        self._files = load_files(CONSOLE_FILES, FOLDER / "static")
        self._templates = build_environment(FOLDER / "templates")
        self._templates.globals.update(
            desk=self,
            navigation=self._navigation,
            static=self._name_file,
            moment=write_moment,
            shorten=shorten_words,
            version=hansa.__version__,
        )
        self.app = web.Application(client_max_size=FORM_BYTES_MAX, middlewares=[self._guard])
        self.app.router.add_get(FILES_PATH + "{name}", self._send_file)
        self.add_form("/close", self._close)

    def add_page(self, path: str, show: ShowPage, label: str = "") -> None:
        """Add a page; with a label it has a place in the navigation."""
        self.app.router.add_get(path, show)
        if label:
            self._navigation.append(Link(path, label))

    def add_form(self, path: str, take: TakeForm) -> None:
        """Add where a form is sent to: its fields are read, and it is of this session."""

        async def handle(request: web.Request) -> web.StreamResponse:
            form = await read_form(
                request, FORM_S, bytes_max=FORM_BYTES_MAX, fields_max=FORM_FIELDS_MAX
            )
            require_token(form, request[SESSION].form_token)
            return await take(request, form)

        self.app.router.add_post(path, handle)

    def add_return(self, path: str, take: ShowPage) -> None:
        """Add a page to which another site sends the browser back.

        A browser keeps the session's cookie from whoever comes from elsewhere. So the page first
        leads to itself, which is the desk's own doing; once, or a browser without a session would
        go in circles.
        """
        self.app.router.add_get(path, take)
        self._returns.add(path)

    def show(
        self,
        request: web.Request,
        template: str,
        *,
        status: int = OK,
        **context: Any,  # noqa: ANN401 - what a template is filled with
    ) -> web.Response:
        """Show a page; `is_live=True` has it brought up to date."""
        session = request.get(SESSION)
        text = self._templates.get_template(template).render(
            **({"is_live": False, "reloads": True} | context),
            path=request.path,
            form_token="" if session is None else session.form_token,
        )
        return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)

    def go_to(self, path: str) -> web.Response:
        """Send the browser on to a page of this desk."""
        return web.Response(status=SEE_OTHER, headers={**HEADERS, "Location": path})

    def say(self, request: web.Request, problem: Problem, text: str = "") -> web.Response:
        """Say what went wrong, and what to do."""
        return self.show(
            request, "message.html", status=problem.status, problem=problem, text=_finish(text)
        )

    def make_link(self) -> None:
        """Make the link that opens the desk next, in place of an earlier one, and tell it."""
        token = encode_base64url(self._draw(TOKEN_BYTES))
        self._link_digest = hashlib.sha256(token.encode()).digest()
        self.tell_link(f"/?token={token}")

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in who was let in before, and say errors in words."""
        fault = find_fault(request, LOOPBACK_NAMES, "Open them by the link that was printed.")
        if fault is not None:
            return web.Response(text=fault, status=FORBIDDEN, headers=HEADERS)
        if request.path.startswith(FILES_PATH):
            return await handler(request)
        try:
            session = self._find_session(request)
            if request.method == "GET" and request.path == "/" and "token" in request.query:
                return self._open(request, is_open=session is not None)
            resource = request.match_info.route.resource
            if session is None and resource is not None and resource.canonical in self._returns:
                return self._lead_back(request)
            if session is None:
                return self.say(request, NOT_OPENED)
            request[SESSION] = session
            return await handler(request)
        except HansaError as error:
            return self._say_error(request, error)
        except web.HTTPNotFound:
            return self.say(request, NO_PAGE)
        except web.HTTPMethodNotAllowed:
            return self.say(request, NO_METHOD)
        except web.HTTPClientError as error:
            problem = Problem(error.status, "This cannot be taken", "Go back, and send it again.")
            return self.say(request, problem, error.text or "")

    def _lead_back(self, request: web.Request) -> web.Response:
        if RETURNED in request.query:
            return self.say(request, NOT_OPENED)
        target = f"{request.path_qs}{'&' if request.query_string else '?'}{RETURNED}=1"
        return self.show(request, "returned.html", target=target)

    def _find_session(self, request: web.Request) -> Session | None:
        secret = request.cookies.get(name_cookie(request, self._cookie), "")
        return self._sessions.find(secret, is_visit=is_visit(request)) if secret else None

    def _open(self, request: web.Request, *, is_open: bool) -> web.Response:
        """Exchange the token of a link for a cookie; it is good once."""
        if is_open:  # the same link again, in the same browser
            return self.go_to("/")
        given = request.query["token"].encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(hashlib.sha256(given).digest(), self._link_digest):
            return self.say(
                request, NOT_OPENED, "this link was used before, or is none of this desk"
            )
        response = self.go_to("/")
        set_cookie(request, response, self._cookie, self._sessions.begin(OWNER))
        self.make_link()
        return response

    async def _close(self, request: web.Request, _: Mapping[str, str]) -> web.Response:
        """Take the desk from this browser."""
        self._sessions.end(request.cookies[name_cookie(request, self._cookie)])
        response = self.go_to("/")
        clear_cookie(request, response, self._cookie)
        return response

    async def _send_file(self, request: web.Request) -> web.Response:
        found = self._files.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        return found.send(OWN_FILES_HEADERS)

    def _name_file(self, name: str) -> str:
        """Name a file by its content, so that browsers keep it for good."""
        return f"{FILES_PATH}{name}?v={self._files[name].version}"

    def _say_error(self, request: web.Request, error: HansaError) -> web.Response:
        if isinstance(error, Corrupt) and not self.failed.done():
            self.failed.set_exception(error)
        return self.say(request, find_problem(error), error.message)


def find_problem(error: HansaError) -> Problem:
    """Find how a page says an error: whose turn it is, and what to do."""
    if isinstance(error, NotFound):
        return Problem(404, "Not found", "It may have ended, or the address may be mistyped.")
    if isinstance(error, Refused):
        return Problem(409, "A rule refuses this", "Nothing was changed.")
    if isinstance(error, Unavailable):
        return Problem(503, "Not there just now", "Try again in a moment. Nothing was lost.")
    if isinstance(error, Corrupt):
        return Problem(500, "This desk has stopped", "See the terminal where it was started.")
    if isinstance(error, Invalid) and error.code is InvalidCode.UNAUTHENTICATED:
        return Problem(401, "Not allowed", "Give the right passphrase or key, and try again.")
    return Problem(BAD_REQUEST, "This cannot be done so", "Go back, correct it, and try again.")


def write_moment(time_ms: int) -> str:
    """Write a moment to the minute, in UTC."""
    return format_iso(time_ms, 0)[:16].replace("T", " ")


def shorten_words(text: str) -> str:
    """Shorten what is too long for people to read in a sentence: keys, DIDs.

    >>> shorten_words("signed by did:jwk:" + "a" * 80 + " yesterday")
    'signed by did:jwk:aaaaaaaaaaaaaa…aaaaaaaa yesterday'
    """
    return " ".join(
        f"{word[:WORD_BEGIN]}…{word[-WORD_END:]}" if len(word) > WORD_MAX else word
        for word in text.split(" ")
    )


def _finish(text: str) -> str:
    """Make a sentence of a message."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""
