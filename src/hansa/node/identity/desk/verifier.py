"""The pages of a verifier's officer: ask a wallet, wait for its answer, read what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from aiohttp import web

from hansa.identity.dcql.matching import list_asked
from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Unsound
from hansa.identity.verifier.findings import Check, Finding, Report
from hansa.identity.verifier.sessions import Session
from hansa.kernel.errors import NotFound
from hansa.node.identity.desk.drawing import draw_code
from hansa.node.identity.desk.frame import BAD_REQUEST, OK, Desk
from hansa.node.identity.desk.request_forms import (
    MDOC,
    SD_JWT,
    KnownType,
    list_types,
    read_wanted,
)
from hansa.node.identity.verifier.folder import VerifierFolder
from hansa.node.service import wall_clock_ms

KEY_BYTES: Final = 9
LISTED: Final = 100
REMEMBERED: Final = 1_000
"""Sessions of one device whose browser this desk knows; the oldest makes room."""
PURPOSE_LETTERS_MAX: Final = 120
FORMATS: Final = {SD_JWT: "SD-JWT VC", MDOC: "Mobile document"}
CHECKS: Final = {
    Check.FORMAT: "Form",
    Check.ISSUER: "Who issued it",
    Check.SIGNATURE: "Signature",
    Check.VALIDITY: "Valid now",
    Check.ACCREDITATION: "May the issuer issue it",
    Check.STATUS: "Revoked or suspended",
    Check.BINDING: "Shown by its holder",
    Check.TRANSACTION: "What was authorised",
    Check.REQUEST: "What was asked for",
}
TECHNICAL: Final = frozenset({"iss", "iat", "nbf", "exp", "vct", "cnf", "status"})
"""Claims about the credential, which the findings speak of."""


class _Group(NamedTuple):
    """What was found by one check."""

    name: str
    findings: list[Finding]
    is_sound: bool


class _Return(NamedTuple):
    """A session whose wallet sends the browser back here."""

    session_id: str
    code: str = ""
    """With which it came; empty while it has not."""


def open_verifier_desk(
    folder: VerifierFolder,
    clock_s: Callable[[], float],
    clock_ms: Callable[[], int] = wall_clock_ms,
) -> Desk:
    """Open the desk of a verifier, where an event loop runs; close its records afterwards.

    Args:
      folder: whose desk it is.
      clock_s: never goes back.
      clock_ms: the wall clock.
    """
    desk = Desk("Verifier desk", folder.settings.name, folder.draw, clock_s)
    pages = _Pages(desk, folder, clock_ms)
    desk.add_page("/", pages.list_questions, "Ask")
    desk.add_page("/ask", pages.build)
    desk.add_form("/sessions", pages.ask)
    desk.add_page("/sessions", pages.list_sessions, "Requests")
    desk.add_page("/sessions/{id}", pages.show_session)
    desk.add_return("/back", pages.come_back)
    return desk


class _Pages:
    """Fills the pages."""

    def __init__(self, desk: Desk, folder: VerifierFolder, clock_ms: Callable[[], int]) -> None:
        self._desk = desk
        self._folder = folder
        self._clock_ms = clock_ms
        self._types = list_types(folder.queries.values(), folder.settings.issuers)
        self._returns: dict[str, _Return] = {}

    async def list_questions(self, request: web.Request) -> web.Response:
        """Show what can be asked."""
        return self._desk.show(
            request,
            "verifier/questions.html",
            settings=self._folder.settings,
            asks={each: list_asked(query) for each, query in self._folder.queries.items()},
            types=self._types,
        )

    async def build(self, request: web.Request) -> web.Response:
        """Show the form of a request of one's own."""
        known = self._types.get(request.query.get("type", ""))
        values = {} if known is None else {"type": known.name, "format": known.format}
        return self._build(request, values, {})

    async def ask(self, request: web.Request, form: Mapping[str, str]) -> web.Response:
        """Ask, or show the form again with what is wrong."""
        question = form.get("question", "")
        key = encode_base64url(self._folder.draw(KEY_BYTES)) if "same_device" in form else ""
        back = f"http://{request.host}/back?for={key}&response_code=" if key else ""
        now_ms = self._clock_ms()
        if question:
            asking = self._folder.ask(question, now_ms, back)
        else:
            wanted = read_wanted(form)
            if wanted.query is None:
                return self._build(request, form, wanted.faults)
            purpose = form.get("purpose", "").strip()[:PURPOSE_LETTERS_MAX]
            try:
                asking = self._folder.ask_query(wanted.query, purpose, now_ms, back)
            except Unsound as error:
                return self._build(request, form, {"dcql": error.message})
        if key:
            while len(self._returns) >= REMEMBERED:
                del self._returns[next(iter(self._returns))]
            self._returns[key] = _Return(asking.session_id)
        return self._desk.go_to(f"/sessions/{asking.session_id}")

    async def list_sessions(self, request: web.Request) -> web.Response:
        """Show what was asked lately, and what came of it."""
        sessions = self._folder.list_sessions(self._clock_ms(), LISTED)
        return self._desk.show(
            request, "verifier/sessions.html", sessions=sessions, is_live=True, LISTED=LISTED
        )

    async def show_session(self, request: web.Request) -> web.Response:
        """Show a request for a wallet to scan, and what was found once it has answered."""
        session_id = request.match_info["id"]
        session = self._folder.get_session(session_id, self._clock_ms())
        uri = self._folder.write_request_uri(session_id)
        report = session.report
        is_elsewhere = report is not None and not self._may_show(session)
        return self._desk.show(
            request,
            "verifier/session.html",
            is_live=report is None,
            session=session,
            uri=uri,
            drawn=draw_code(uri, "The request, for a wallet to scan"),
            report=None if is_elsewhere else report,
            is_elsewhere=is_elsewhere,
            groups=() if report is None else group_findings(report),
            claims={} if report is None else sort_claims(report),
        )

    async def come_back(self, request: web.Request) -> web.Response:
        """Take the browser that a wallet has sent back, with the code that it was given."""
        key, code = request.query.get("for", ""), request.query.get("response_code", "")
        found = self._returns.get(key)
        if found is None:
            raise NotFound("this desk has asked for no such answer, or was started anew since")
        self._folder.get_report(found.session_id, self._clock_ms(), code)
        self._returns[key] = found._replace(code=code)
        return self._desk.go_to(f"/sessions/{found.session_id}")

    def _may_show(self, session: Session) -> bool:
        """Whether an answer may be shown: on one device, once its browser has come back."""
        if not session.redirect_uri:
            return True
        codes = [each.code for each in self._returns.values() if each.session_id == session.id]
        return bool(codes) and codes[0] == session.response_code

    def _build(
        self, request: web.Request, values: Mapping[str, str], faults: Mapping[str, str]
    ) -> web.Response:
        known = self._types.get(values.get("type", ""), KnownType(SD_JWT, "", ()))
        return self._desk.show(
            request,
            "verifier/build.html",
            status=BAD_REQUEST if faults else OK,
            types=self._types,
            known=known,
            formats=FORMATS,
            values=values,
            faults=faults,
        )


def group_findings(report: Report) -> list[_Group]:
    """Group findings by what was looked at, in the order in which people read it."""
    groups = []
    for check, name in CHECKS.items():
        found = [each for each in report.findings if each.check is check]
        if found:
            is_sound = all(each.fault is None for each in found)
            groups.append(_Group(name, found, is_sound))
    return groups


def sort_claims(report: Report) -> dict[str, list[dict[str, Any]]]:
    """Sort out what credentials say of their holder, by the id of each query."""
    return {
        name: [
            {key: value for key, value in claims.items() if key not in TECHNICAL}
            for claims in shown
        ]
        for name, shown in report.claims.items()
    }
