"""The pages about identity: the overview, one DID, one type of credentials.

All that they show is on the ledger for everybody; only the keys of an address that is a wallet and
has no document of its own are shown to none but that wallet's readers, as by the API.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from hansa.contracts.identity.status import StatusList
from hansa.identity.encoding.timestamp import read_timestamp
from hansa.kernel.block import decode_header
from hansa.kernel.calendar import format_iso
from hansa.kernel.crypto.address import from_text
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.node.api.handlers.identity.rights import is_pseudonym
from hansa.node.console.identity.finding import find_page, parse_subject
from hansa.node.console.identity.kinds import TYPES_PER_PAGE, list_types, read_type
from hansa.node.console.identity.subjects import Asked, read_subject
from hansa.node.console.pages import Console, get_viewer, go_to, read_number
from hansa.node.service import wall_clock_ms

LISTS_PER_PAGE = 25
QUERY_LETTERS_MAX = 512
DAY_LETTERS = len("2026-11-29")
SECOND_LETTERS = len("2026-11-29T12:00:00")
SECOND_ADDED = "0000-00-00T00:00:00"
"""What completes a day, or a minute, to a second."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """As of when a page is so, and what it can be proved against."""

    height: int
    checkpoint_height: int
    state_root: bytes


async def show_overview(console: Console, request: web.Request) -> web.Response:
    """Show types of credentials, who may issue them, and status lists; or go to what is sought."""
    query = request.query.get("q", "").strip()[:QUERY_LETTERS_MAX]
    target = (
        find_page(console.reader.rows, console.node.chain.network.genesis.network, query)
        if query
        else None
    )
    if target is not None:
        return go_to(target)
    index = await console.registry.read()
    rows = console.reader.rows
    after = request.query.get("after", "")
    lines = list_types(rows, index, after, console.reader.head.time_ms)
    first = min(read_number(request, "lists", 0), len(index.lists))
    numbers = index.lists[first : first + LISTS_PER_PAGE]
    return await console.respond(
        request,
        "identity/overview.html",
        status=404 if query else 200,
        is_current=console.registry.is_current,
        query=query,
        types=lines,
        types_count=len(index.types),
        following=lines[-1].row.name if len(lines) == TYPES_PER_PAGE else "",
        is_first=not after,
        issuers_count=len(index.held),
        lists=[row for each in numbers if (row := rows.get(StatusList, *each)) is not None],
        lists_count=len(index.lists),
        lists_first=first,
        lists_per_page=LISTS_PER_PAGE,
        stamp=_read_stamp(console),
    )


async def show_subject(console: Console, request: web.Request) -> web.Response:
    """Show a DID: document, accreditation, past; now or as it was at a time."""
    network = console.node.chain.network.genesis.network
    text = request.match_info["did"]
    address = parse_subject(text, network)
    now_ms = max(console.reader.head.time_ms, wall_clock_ms())
    at_ms = _read_moment(console, request.query.get("at", "").strip(), now_ms)
    rows = console.reader.rows
    viewer = get_viewer(request)
    is_shown = not is_pseudonym(rows, address) or console.access.may_read_wallet(
        viewer.principal, address
    )
    asked = Asked(address, network, now_ms, at_ms, request.query.get("from", ""), is_shown)
    subject = read_subject(rows, await console.registry.read(), asked)
    return await console.respond(
        request,
        "identity/did.html",
        is_current=console.registry.is_current,
        page=subject,
        at_text=console.reader.get_format().iso(subject.at_ms)[:SECOND_LETTERS],
        at_utc=format_iso(subject.at_ms, 0),
        sees_guardians=viewer.sees_all or viewer.principal.member == address,
        node_url=f"{request.scheme}://{request.host}",
        stamp=_read_stamp(console),
    )


async def show_type(console: Console, request: web.Request) -> web.Response:
    """Show a type of credentials: versions, schema, display data, who may issue it."""
    after = request.query.get("after", "")
    page = read_type(
        console.reader.rows,
        await console.registry.read(),
        request.match_info["name"],
        read_number(request, "version", 0),
        from_text(after) if after else b"",
        console.reader.head.time_ms,
    )
    return await console.respond(
        request,
        "identity/type.html",
        is_current=console.registry.is_current,
        page=page,
        is_first=not after,
        node_url=f"{request.scheme}://{request.host}",
        stamp=_read_stamp(console),
    )


def _read_stamp(console: Console) -> Stamp:
    height = console.reader.head.height
    header = decode_header(console.reader.get_record(height).header)
    return Stamp(height, header.checkpoint_height, header.state_root)


def _read_moment(console: Console, text: str, now_ms: int) -> int | None:
    """Read the moment that is asked for; one without a time zone is in the network's.

    Raises:
      Invalid: it is none, or has not been yet.
    """
    if not text:
        return None
    if DAY_LETTERS <= len(text) <= SECOND_LETTERS:
        zone = console.reader.get_format().iso(0)[SECOND_LETTERS + len(".000") :]
        text += SECOND_ADDED[len(text) :] + zone
    at_ms = read_timestamp(text, "the moment asked for")
    if at_ms < 0:
        raise Invalid(InvalidCode.MALFORMED, "the moment asked for is before 1970")
    if at_ms > now_ms:
        raise Invalid(
            InvalidCode.MALFORMED,
            "the moment asked for has not been yet: what the ledger will say then, nobody knows",
        )
    return at_ms
