"""The pages about reconciliation, filled from what the node's bank knows.

Entries that a bank adds, and what the other one shows, come without a block: so a page here is the
same only if these are, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from hansa.contracts.reconciliation.cases import EYES, Case
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.node.console.pages import NUMBER_DIGITS_MAX, TAG, Console, read_number
from hansa.node.console.reading import Pace
from hansa.node.console.reconciliation import words
from hansa.node.console.reconciliation.breaks import (
    Choice,
    build_ageing,
    list_offered,
    read_queue,
)
from hansa.node.console.reconciliation.cases import Asked, read_case
from hansa.node.console.reconciliation.matches import list_passes, read_match
from hansa.node.console.reconciliation.netting import list_positions
from hansa.node.console.reconciliation.pairs import (
    WINDOWS_PER_PAGE,
    PairLine,
    compute_day,
    name_state,
    read_line,
    read_pair,
)
from hansa.node.console.reconciliation.sides import add_up, find_day, list_references
from hansa.node.console.reconciliation.windows import read_window
from hansa.node.reconcile.service import PairService
from hansa.node.web.headers import OWN_FILES_HEADERS
from hansa.reconcile.report.texts import show, show_amount, show_day

Page = Callable[[Console, web.Request, PairService], Awaitable[web.Response]]

PAIRS_PER_PAGE = 25
BREAKS_PER_PAGE = 25
MATCHES_PER_PAGE = 25
CASES_SHOWN = 25
"""Of breaks that are none any more."""
CHOSEN_BY = ("class", "currency", "age", "case")
"""Names of what breaks are chosen by, in the query; in the order of `Choice`."""
QUERY_LETTERS_MAX = 32
TEXT_LETTERS = 140
"""Of a text that somebody else wrote."""
_HASH_DIGITS = 64


async def show_pairs(console: Console, request: web.Request, pairs: PairService) -> web.Response:
    """Show the bank's agreements, each in a line."""
    views = pairs.list_pairs()
    count = len(views)
    first = min(read_number(request, "from", 0), count)
    views = views[first : first + PAIRS_PER_PAGE]
    if _is_same(request, [name_state(pairs, each.agreement) for each in views]):
        return _tell_same(request)
    pace = Pace()
    lines = []
    for view in views:
        lines.append(read_line(pairs, view.agreement))
        await pace.rest()
    return await _respond(
        console,
        request,
        "pairs.html",
        is_current=True,
        bank=pairs.bank,
        lines=lines,
        first=first,
        count=count,
        per_page=PAIRS_PER_PAGE,
    )


async def show_pair(console: Console, request: web.Request, pairs: PairService) -> web.Response:
    """Show one agreement: how far it is, its windows, and how old what is open is."""
    agreement = _read_hash(request, "agreement")
    if _is_same(request, [name_state(pairs, agreement)]):
        return _tell_same(request)
    first = read_number(request, "from", -1)
    page = await read_pair(pairs, agreement, None if first < 0 else first, _find_today(console))
    return await _respond(
        console,
        request,
        "pair.html",
        is_current=True,
        bank=pairs.bank,
        page=page,
        line=page.line,
        per_page=WINDOWS_PER_PAGE,
    )


async def show_breaks(console: Console, request: web.Request, pairs: PairService) -> web.Response:
    """Show what is open, of the kinds that are asked for, the most urgent first."""
    line = read_line(pairs, _read_hash(request, "agreement"))
    view = line.view
    ageing = build_ageing(view.pair, _find_today(console))
    queue = await read_queue(view.pair, view.place, ageing, line.open)
    query = {name: request.query.get(name, "")[:QUERY_LETTERS_MAX] for name in CHOSEN_BY}
    choice = Choice(*query.values())
    found = [each for each in queue if choice.admits(each)]
    first = min(read_number(request, "from", 0), len(found))
    cases = await _list_closed(console, pairs, line)
    return await _respond(
        console,
        request,
        "breaks.html",
        cases=cases[:CASES_SHOWN],
        cases_count=len(cases),
        line=line,
        breaks=found[first : first + BREAKS_PER_PAGE],
        count=len(found),
        total=len(queue),
        first=first,
        per_page=BREAKS_PER_PAGE,
        offered=list_offered(queue, ageing),
        query=query,
        chosen=urlencode({name: value for name, value in query.items() if value}),
    )


async def show_case(console: Console, request: web.Request, pairs: PairService) -> web.Response:
    """Show a break with both sides, what is proposed, who has signed and what is missing."""
    line = read_line(pairs, _read_hash(request, "agreement"))
    case_id = _read_hash(request, "case_id")
    assert console.steps is not None  # noqa: S101 - kept wherever there are pairs
    await console.steps.read()
    asked = Asked(
        line,
        case_id,
        console.reader.load(Case, line.view.agreement, case_id),
        console.steps.list_steps((line.view.agreement, case_id)),
        _find_today(console),
        console.node.chain.network.digest,
    )
    return await _respond(
        console,
        request,
        "case.html",
        bank=pairs.bank,
        line=line,
        page=read_case(pairs, asked),
        steps_from=console.steps.from_height,
        is_whole=console.steps.is_whole,
        eyes=EYES,
    )


async def show_matches(console: Console, request: web.Request, pairs: PairService) -> web.Response:
    """Show the matches of a window, each with what made it one."""
    line = read_line(pairs, _read_hash(request, "agreement"))
    view = line.view
    number = _read_window(request, view.windows[0].number)
    found = pairs.get_window(view.agreement, number)
    name = request.query.get("pass", "")[:QUERY_LETTERS_MAX]
    outcome = found.outcome
    groups = [each for each in outcome.matches if name in {"", each.label}] if outcome else []
    first = min(read_number(request, "from", 0), len(groups))
    shown = groups[first : first + MATCHES_PER_PAGE]
    return await _respond(
        console,
        request,
        "matches.html",
        line=line,
        window=read_window(view.pair, view.place, view.progress, found),
        passes=list_passes(view.pair, outcome) if outcome else [],
        first_pass=view.pair.first.name,
        chosen=name,
        matches=[read_match(view.pair, view.place, each) for each in shown],
        first=first,
        count=len(groups),
        per_page=MATCHES_PER_PAGE,
    )


async def show_positions(
    console: Console, request: web.Request, pairs: PairService
) -> web.Response:
    """Show net positions, the newest window first."""
    line = read_line(pairs, _read_hash(request, "agreement"))
    assert console.steps is not None  # noqa: S101 - kept wherever there are pairs
    await console.steps.read()
    newest = line.view.progress.agreed - 1
    top = min(read_number(request, "from", newest), newest)
    windows = range(top, max(-1, top - WINDOWS_PER_PAGE), -1)
    return await _respond(
        console,
        request,
        "positions.html",
        bank=pairs.bank,
        line=line,
        positions=list_positions(pairs, line.view, console.reader, console.steps, windows),
        windows=windows,
        newest=newest,
    )


PAGES: Mapping[str, Page] = {
    "pairs": show_pairs,
    "pair": show_pair,
    "breaks": show_breaks,
    "case": show_case,
    "matches": show_matches,
    "positions": show_positions,
}
"""What each route of `hansa.node.console.routes` leads to."""


async def _respond(
    console: Console,
    request: web.Request,
    template: str,
    *,
    is_current: bool = False,
    **context: Any,  # noqa: ANN401 - what a template is filled with
) -> web.Response:
    return await console.respond(
        request,
        f"reconciliation/{template}",
        is_current=is_current,
        said=words,
        node_url=f"{request.scheme}://{request.host}",
        text=_show_text,
        letters=show,
        add_up=add_up,
        find_day=find_day,
        name_references=list_references,
        amount=show_amount,
        day=show_day,
        **context,
    )


def _is_same(request: web.Request, states: Sequence[str]) -> bool:
    """Whether the browser has a page already; names in its tag what changes without a block."""
    digest = hashlib.sha256(" ".join(states).encode()).hexdigest()[:12]
    request[TAG] = tag = f'{request[TAG].removesuffix(chr(34))}-{digest}"'
    return request.headers.get("If-None-Match") == tag


def _tell_same(request: web.Request) -> web.Response:
    return web.Response(status=304, headers={**OWN_FILES_HEADERS, "ETag": request[TAG]})


async def _list_closed(console: Console, pairs: PairService, line: PairLine) -> list[Case]:
    """List the cases of what is no break any more, the newest first.

    Those of the last checkpoint, and those since then of which steps are known.
    """
    assert console.steps is not None  # noqa: S101 - kept wherever there are pairs
    await console.steps.read()
    agreement = line.view.agreement
    ids = {each.case_id for each in pairs.list_cases(agreement)}
    ids |= console.steps.list_cases(agreement)
    ids -= {each.group.id for each in line.open}
    rows = [console.reader.load(Case, agreement, each) for each in ids]
    found = [row for row in rows if row is not None]
    return sorted(found, key=lambda row: (-row.since_ms, row.case_id))


def _show_text(text: str) -> str:
    """Show what somebody else wrote, so that it shows as what it is."""
    return show(text, TEXT_LETTERS)


def _find_today(console: Console) -> int:
    return compute_day(console.reader.head.time_ms, console.reader.get_format().offset_minutes)


def _read_hash(request: web.Request, name: str) -> bytes:
    text = request.match_info[name]
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(text) != _HASH_DIGITS or len(found) != _HASH_DIGITS // 2:
        raise Invalid(
            InvalidCode.MALFORMED, "agreements and cases are named by 64 hexadecimal digits"
        )
    return found


def _read_window(request: web.Request, newest: int) -> int:
    """Read the number of a window; raises `NotFound` for one that is not there yet."""
    text = request.match_info["window"]
    is_number = text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX
    if not is_number or int(text) > newest:
        raise NotFound("this agreement has no such window yet")
    return int(text)
