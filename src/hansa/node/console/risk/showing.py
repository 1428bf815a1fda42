"""The pages about risk control, filled from what the node's risk desk knows.

What is decided and answered comes without a block: so a page here is the same only if that is, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from hansa.contracts.risk.in_force import NO_MODEL
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.node.console.pages import (
    NUMBER_DIGITS_MAX,
    TAG,
    Console,
    get_viewer,
    go_to,
    parse_number,
    read_number,
)
from hansa.node.console.risk import words
from hansa.node.console.risk.decisions import read_decision
from hansa.node.console.risk.models import MODELS_PER_PAGE, read_models
from hansa.node.console.risk.overview import read_overview
from hansa.node.console.risk.pages import ROOT
from hansa.node.console.risk.queue import LINES_PER_PAGE, Choice, read_held, read_waiting
from hansa.node.console.risk.reasons import read_rules
from hansa.node.console.risk.rules import RULES_PER_PAGE, list_rules
from hansa.node.console.risk.surroundings import OTHERS_SHOWN
from hansa.node.console.text.formatting import Money
from hansa.node.risk.clerk.journal import NEWEST
from hansa.node.risk.desk import RiskDesk
from hansa.node.risk.obstacles import find_obstacle
from hansa.node.risk.trying import Trier
from hansa.node.web.headers import OWN_FILES_HEADERS
from hansa.reconcile.report.texts import show
from hansa.risk.decisions.policy import NEVER_PPM
from hansa.risk.rules.book import Rule
from hansa.risk.verdicts import Verdict

Page = Callable[[Console, web.Request, RiskDesk], Awaitable[web.Response]]

STATE_MS = 10_000
"""After so long a page that brings itself up to date counts as another one, if nothing else did."""
_ID_DIGITS = 64
_LETTERS_MAX = 40
"""Of what was typed into a field."""
_MILLION = 1_000_000
_LEAST_PPM = 100


async def show_overview(console: Console, request: web.Request, desk: RiskDesk) -> web.Response:
    """Show how the node decides, and how that came out in the last day."""
    tx_text = request.query.get("tx", "").strip()
    if tx_text:
        return go_to(f"{ROOT}/decisions/{_parse_id(tx_text).hex()}")
    if _is_same(request, desk):
        return _tell_same(request)
    page = await read_overview(console.reader, desk, _read_book(desk), _read_now_ms(console, desk))
    return await _respond(console, request, "overview.html", desk, is_current=True, page=page)


async def show_waiting(console: Console, request: web.Request, desk: RiskDesk) -> web.Response:
    """Show what may be answered, what ends soonest first."""
    asked = _read_asked(request, Verdict.STEP_UP, Verdict.REVIEW)
    if asked.faults:
        return await _respond(console, request, "waiting.html", desk, **asked.context)
    if _is_same(request, desk):
        return _tell_same(request)
    first = read_number(request, "from", 0)
    lines, count = await read_waiting(console.reader, desk, _read_book(desk), asked.choice, first)
    return await _respond(
        console,
        request,
        "waiting.html",
        desk,
        is_current=True,
        lines=lines,
        count=count,
        first=first,
        per_page=LINES_PER_PAGE,
        **asked.context,
    )


async def show_held(console: Console, request: web.Request, desk: RiskDesk) -> web.Response:
    """Show what was not allowed at once, the newest first, with what became of it."""
    asked = _read_asked(request, Verdict.STEP_UP, Verdict.REVIEW, Verdict.BLOCK)
    if asked.faults:
        return await _respond(console, request, "held.html", desk, **asked.context)
    before = read_number(request, "before", NEWEST)
    page = await read_held(console.reader, desk, _read_book(desk), asked.choice, before)
    return await _respond(
        console,
        request,
        "held.html",
        desk,
        page=page,
        is_newest=before == NEWEST,
        **asked.context,
    )


async def show_decision(console: Console, request: web.Request, desk: RiskDesk) -> web.Response:
    """Show one decision, explained."""
    tx_id = _parse_id(request.match_info["tx_id"])
    viewer = get_viewer(request)

    def may_read(address: bytes) -> bool:
        return viewer.access.may_read_wallet(viewer.principal, address)

    number = read_number(request, "payment", 1)
    page = await read_decision(console.reader, desk, tx_id, max(0, number - 1), may_read)
    return await _respond(
        console, request, "decision.html", desk, page=page, others_shown=OTHERS_SHOWN
    )


async def show_rules(console: Console, request: web.Request, desk: RiskDesk) -> web.Response:
    """Show the rules in use, with what each would have done of late."""
    if console.trier is None:
        console.trier = Trier(desk)
    tried = await console.trier.try_rules()
    loaded = desk.tell_standing().loaded
    lines = list_rules(loaded, _read_book(desk), tried)
    first = min(read_number(request, "from", 0), len(lines))
    return await _respond(
        console,
        request,
        "rules.html",
        desk,
        lines=lines[first : first + RULES_PER_PAGE],
        first=first,
        count=len(lines),
        per_page=RULES_PER_PAGE,
        tried=tried,
        loaded=loaded,
    )


async def show_models(console: Console, request: web.Request, desk: RiskDesk) -> web.Response:
    """Show the models of the node's folder, with their standing on the ledger."""
    standing = desk.tell_standing()
    page = await read_models(console.reader, desk, standing, read_number(request, "from", 0))
    return await _respond(
        console,
        request,
        "models.html",
        desk,
        page=page,
        obstacle=find_obstacle(console.reader.rows, desk.operator, desk.registry, standing.loaded),
        policy_hash=standing.loaded.policy_hash,
        per_page=MODELS_PER_PAGE,
    )


PAGES: Mapping[str, Page] = {
    "overview": show_overview,
    "waiting": show_waiting,
    "held": show_held,
    "decision": show_decision,
    "rules": show_rules,
    "models": show_models,
}
"""What each route of `hansa.node.console.routes` leads to."""


async def _respond(
    console: Console,
    request: web.Request,
    template: str,
    desk: RiskDesk,
    *,
    is_current: bool = False,
    **context: Any,  # noqa: ANN401 - what a template is filled with
) -> web.Response:
    return await console.respond(
        request,
        f"risk/{template}",
        is_current=is_current,
        said=words,
        operator=desk.operator,
        node_url=f"{request.scheme}://{request.host}",
        letters=show,
        percent=_write_percent,
        make_money=Money,
        no_model=NO_MODEL,
        never_ppm=NEVER_PPM,
        Verdict=Verdict,
        **context,
    )


def _read_now_ms(console: Console, desk: RiskDesk) -> int:
    """Read the time as decisions do: the desk's clock, and never before the newest block."""
    return max(desk.read_now_ms(), console.reader.head.time_ms)


def _read_book(desk: RiskDesk) -> Mapping[str, Rule]:
    return read_rules(desk.tell_standing().loaded.files.rules)


class _Asked(NamedTuple):
    """What of a queue is asked for, as it was typed, and what is wrong with that."""

    choice: Choice
    offered: tuple[Verdict, ...]
    query: Mapping[str, str]
    faults: Mapping[str, str]
    """By the name of a field, in words."""

    @property
    def context(self) -> dict[str, Any]:
        """What the form is filled with."""
        chosen = urlencode({name: value for name, value in self.query.items() if value})
        return {**self._asdict(), "chosen": chosen, "status": 400 if self.faults else 200}


def _read_asked(request: web.Request, *offered: Verdict) -> _Asked:
    """Read what is asked for; a field that says nothing asks for all."""
    query = {
        name: request.query.get(name, "").strip()[:_LETTERS_MAX] for name in ("verdict", "amount")
    }
    verdicts = {each.name.lower(): each for each in offered}
    verdict, amount = verdicts.get(query["verdict"]), parse_number(query["amount"] or "0")
    faults = {}
    if query["verdict"] and verdict is None:
        known = ", ".join(f"{name} ({words.VERDICTS[each]})" for name, each in verdicts.items())
        faults["verdict"] = f"{_quote(query['verdict'])} is no decision of this page: {known}"
    if amount is None:
        faults["amount"] = (
            f"{_quote(query['amount'])} is no whole number: 100 is, of {NUMBER_DIGITS_MAX} digits "
            "at most"
        )
    return _Asked(Choice(verdict, amount or 0), offered, query, faults)


def _quote(text: str) -> str:
    return f"“{show(text, _LETTERS_MAX)}”"


def _is_same(request: web.Request, desk: RiskDesk) -> bool:
    """Whether the browser has a page already; names in its tag what changes without a block."""
    standing = desk.tell_standing()
    known = (
        standing.events,
        standing.waiting,
        standing.is_scored,
        standing.loaded.policy_hash,
        standing.loaded.model_id,
        desk.registry.roles,
        desk.read_now_ms() // STATE_MS,
        request.query_string,
    )
    digest = hashlib.sha256(repr(known).encode()).hexdigest()[:12]
    request[TAG] = tag = f'{request[TAG].removesuffix(chr(34))}-{digest}"'
    return request.headers.get("If-None-Match") == tag


def _tell_same(request: web.Request) -> web.Response:
    return web.Response(status=304, headers={**OWN_FILES_HEADERS, "ETag": request[TAG]})


def _write_percent(ppm: int) -> str:
    """Write a probability in millionths as percent; very small ones are said to be so."""
    if 0 < ppm < _LEAST_PPM:
        return "<\N{NO-BREAK SPACE}0.01\N{NO-BREAK SPACE}%"
    percent = f"{100 * ppm / _MILLION:.2f}".rstrip("0").rstrip(".")
    return f"{percent}\N{NO-BREAK SPACE}%"


def _parse_id(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(text) != _ID_DIGITS or len(found) != _ID_DIGITS // 2:
        raise Invalid(InvalidCode.MALFORMED, "a transaction’s id has 64 hexadecimal digits")
    return found
