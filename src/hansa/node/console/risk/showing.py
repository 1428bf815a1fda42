"""The pages about risk control, filled from what the node's risk desk knows.

What is decided and answered comes without a block: so a page here is the same only if that is, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from hansa.contracts.risk.in_force import NO_MODEL
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.node.console.pages import TAG, Console, get_viewer, go_to, read_number
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
    if _is_same(request, desk):
        return _tell_same(request)
    choice, query = _read_choice(request)
    first = read_number(request, "from", 0)
    lines, count = await read_waiting(console.reader, desk, _read_book(desk), choice, first)
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
        query=query,
        offered=(Verdict.STEP_UP, Verdict.REVIEW),
        chosen=urlencode({name: value for name, value in query.items() if value}),
    )


async def show_held(console: Console, request: web.Request, desk: RiskDesk) -> web.Response:
    """Show what was not allowed at once, the newest first, with what became of it."""
    choice, query = _read_choice(request)
    before = read_number(request, "before", NEWEST)
    page = await read_held(console.reader, desk, _read_book(desk), choice, before)
    return await _respond(
        console,
        request,
        "held.html",
        desk,
        page=page,
        is_newest=before == NEWEST,
        query=query,
        offered=(Verdict.STEP_UP, Verdict.REVIEW, Verdict.BLOCK),
        chosen=urlencode({name: value for name, value in query.items() if value}),
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


def _read_choice(request: web.Request) -> tuple[Choice, dict[str, str]]:
    """Read what is asked for; whatever is none of it counts as not given."""
    name = request.query.get("verdict", "").upper()
    verdict = Verdict[name] if name in Verdict.__members__ else None
    amount = read_number(request, "amount", 0)
    query = {
        "verdict": "" if verdict is None else name.lower(),
        "amount": str(amount) if amount else "",
    }
    return Choice(verdict, amount), query


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
