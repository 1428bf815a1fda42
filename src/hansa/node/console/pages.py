"""The console's pages: one table of routes, and what each page is filled with.

Every page is a whole document that works without script. `console.js` asks for the same page again
and takes over the parts marked `data-live`; a page's ETag says whether there is anything new.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web

import hansa
from hansa.contracts.members import Member
from hansa.kernel.authority import Purpose
from hansa.kernel.block import compute_position, decode_header
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, NotFound, Unavailable
from hansa.node.console import explain, words
from hansa.node.console.blocks import SLOT_S, Blocks
from hansa.node.console.charts import build_chart
from hansa.node.console.formatting import (
    format_bytes,
    format_duration,
    format_minor,
    format_rate,
    format_round,
    format_share,
    shorten,
    split_middle,
)
from hansa.node.console.governing import describe_time, read_governance, read_policy
from hansa.node.console.guard import HEADERS, Access, find_fault
from hansa.node.console.money import read_assets
from hansa.node.console.reading import RECEIPTS_PER_PAGE, Reader
from hansa.node.console.supply import SupplyWatch
from hansa.node.service import Node

FOLDER = Path(__file__).parent
STATIC_PATH = "/console/static/"
BLOCKS_PER_PAGE = 25
LATEST_BLOCKS = 8
ID_DIGITS = 64
NUMBER_DIGITS_MAX = 18
QUERY_LETTERS_MAX = 200
CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Page = Callable[["Console", web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One page: where it is, what fills it, and its place in the navigation."""

    path: str
    page: Page
    label: str = ""
    """Of its link in the navigation; empty for none."""


class Console:
    """Fills pages from one node."""

    def __init__(self, node: Node, access: Access) -> None:
        self.node = node
        self.access = access
        self.blocks = Blocks(node.chain)
        self.reader = Reader(node.chain, self.blocks)
        self.supply = SupplyWatch(node.chain)
        self._token = secrets.token_hex(4)
        self._files = _load_files()
        self._templates = _build_environment(self._name_file)
        for note in (self.blocks.note, self.reader.note, self.supply.history.note):
            node.engine.listen(note)

    async def overview(self, request: web.Request) -> web.Response:
        """Show what the network does right now."""
        proof = await self.supply.read()
        rate = self.blocks.rate()
        return self._respond(
            request,
            "overview.html",
            proof=proof,
            assets=read_assets(self.reader, self.supply, proof),
            rate=rate,
            chart=build_chart(rate),
            slot_s=SLOT_S,
            refusals=self.supply.history.get_refusals(self.reader.head.time_ms),
            latest_blocks=self.blocks.list_down(self.reader.head.height, LATEST_BLOCKS),
            latest=self.reader.list_latest(),
            members=self._list_members(),
        )

    async def show_supply(self, request: web.Request) -> web.Response:
        """Show how much money there is, where, over time, and how to check it oneself."""
        proof = await self.supply.read()
        return self._respond(
            request,
            "supply.html",
            proof=proof,
            assets=read_assets(self.reader, self.supply, proof),
            history=self.supply.history,
        )

    async def list_blocks(self, request: web.Request) -> web.Response:
        """Show blocks, newest first."""
        top = self.reader.head.height
        height = min(top, _read_number(request, "from", top))
        return self._respond(
            request,
            "blocks.html",
            blocks=self.blocks.list_down(height, BLOCKS_PER_PAGE),
            first=height,
            per_page=BLOCKS_PER_PAGE,
        )

    async def show_block(self, request: web.Request) -> web.Response:
        """Show a block and its transactions."""
        height = _parse_height(request.match_info["height"])
        first = _read_number(request, "from", 0)
        page = self.reader.read_block(height, first)
        return self._respond(
            request,
            "block.html",
            page=page,
            header=decode_header(page.record.header),
            per_page=RECEIPTS_PER_PAGE,
        )

    async def show_transaction(self, request: web.Request) -> web.Response:
        """Show a transaction, its receipt explained."""
        tx_id = _parse_id(request.match_info["tx_id"])
        page = self.reader.read_transaction(tx_id)
        code = page.receipt.code
        return self._respond(
            request,
            "transaction.html",
            page=page,
            refusal=explain.describe_refusal(code) if code else "",
            position=compute_position(page.line.height, page.line.index),
            file_name=_name_receipt(tx_id),
        )

    async def send_receipt(self, request: web.Request) -> web.Response:
        """Send a transaction's receipt file."""
        tx_id = _parse_id(request.match_info["tx_id"])
        headers = {
            **HEADERS,
            "Content-Disposition": f'attachment; filename="{_name_receipt(tx_id)}"',
        }
        body = self.reader.build_receipt(tx_id)
        return web.Response(body=body, content_type="application/octet-stream", headers=headers)

    async def show_wallet(self, request: web.Request) -> web.Response:
        """Show a wallet: balances, limits, history."""
        address = _parse_address(request.match_info["address"])
        if self.reader.load(Member, address) is not None:
            return _go_to(f"/members/{to_text(address)}")
        before = _read_number(request, "before", 0)
        page = self.reader.read_wallet(address, request.query.get("asset", ""), before)
        return self._respond(request, "wallet.html", page=page, is_newest=before == 0)

    async def list_members(self, request: web.Request) -> web.Response:
        """Show all institutions."""
        return self._respond(request, "members.html", members=self._list_members())

    async def show_member(self, request: web.Request) -> web.Response:
        """Show an institution."""
        address = _parse_address(request.match_info["address"])
        page = self.reader.read_member(address)
        return self._respond(request, "member.html", page=page, purposes=list(Purpose))

    async def show_governance(self, request: web.Request) -> web.Response:
        """Show who decides what, and what was decided."""
        page = read_governance(self.reader)
        return self._respond(request, "governance.html", page=page, describe_time=describe_time)

    async def show_policy(self, request: web.Request) -> web.Response:
        """Show the values that the rules go by, and those that are scheduled."""
        page = read_policy(self.reader)
        return self._respond(request, "policy.html", page=page, describe_time=describe_time)

    async def search(self, request: web.Request) -> web.Response:
        """Go to what was searched for, or say that it was not found."""
        query = request.query.get("q", "").strip()[:QUERY_LETTERS_MAX]
        target = self._find(query) if query else None
        if target is not None:
            return _go_to(target)
        return self._respond(request, "search.html", status=404 if query else 200, query=query)

    async def send_file(self, request: web.Request) -> web.Response:
        """Send a style sheet, script or picture."""
        found = self._files.get(request.match_info["name"])
        if found is None:
            raise NotFound("the console has no such file")
        body, _, content_type = found
        headers = {**HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)

    def say(self, request: web.Request, status: int, heading: str, text: str) -> web.Response:
        """Respond with an error in words."""
        return self._respond(request, "message.html", status=status, heading=heading, text=text)

    def _respond(
        self,
        request: web.Request,
        template: str,
        *,
        status: int = 200,
        **context: Any,  # noqa: ANN401 - what a template is filled with
    ) -> web.Response:
        """Render a page, unless the browser already has it as of this block."""
        head = self.reader.head
        proof = context.get("proof")
        version = (head.height, proof.height if proof else 0, self.supply.history.version)
        tag = f'"{self._token}-{"-".join(map(str, version))}"'
        headers = {**HEADERS, "Cache-Control": "no-cache", "Vary": "Accept"}
        if status == 200:  # noqa: PLR2004 - OK
            headers["ETag"] = tag
            if request.headers.get("If-None-Match") == tag:
                return web.Response(status=304, headers=headers)
        text = self._templates.get_template(template).render(
            f=self.reader.get_format(),
            head=head,
            names=self.reader.name_parties(),
            network=self.node.chain.network,
            path=request.path,
            query_text=request.query.get("q", "") if request.path == "/search" else "",
            failure=self.node.engine.failure,
            **context,
        )
        return web.Response(text=text, status=status, content_type="text/html", headers=headers)

    def _list_members(self) -> list[Member]:
        """List institutions: the central bank first, then by name."""
        members = self.reader.load_all(Member)
        return sorted(members, key=lambda row: ("central_bank" not in row.roles, row.name))

    def _find(self, query: str) -> str | None:
        """Find the page of a transaction id, an address, a height or a member's name."""
        text = query.replace(",", "").removeprefix("#")
        if text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX:
            is_there = int(text) <= self.reader.head.height
            return f"/blocks/{int(text)}" if is_there else None
        try:
            if len(text) == ID_DIGITS and not text.lower().startswith("hansa1"):
                self.reader.read_transaction(_parse_id(text))
                return f"/transactions/{text.lower()}"
            if text.lower().startswith("hansa1"):
                address = from_text(text)
                return self._find_address(address)
        except (Invalid, NotFound):
            return None
        wanted = query.casefold()
        named = [row for row in self._list_members() if wanted in row.name.casefold()]
        return f"/members/{to_text(named[0].address)}" if named else None

    def _find_address(self, address: bytes) -> str:
        known = self.reader.name_parties().get(address)
        if known is not None:
            return f"/members/{to_text(known[1])}"
        self.reader.read_wallet(address, "", 0)
        return f"/wallets/{to_text(address)}"

    def _name_file(self, name: str) -> str:
        """Name a file of the console by its content, so that browsers keep it for good."""
        return f"{STATIC_PATH}{name}?v={self._files[name][1]}"


ROUTES: tuple[Route, ...] = (
    Route("/", Console.overview, "Overview"),
    Route("/supply", Console.show_supply, "Supply"),
    Route("/blocks", Console.list_blocks, "Blocks"),
    Route("/blocks/{height}", Console.show_block),
    Route("/transactions/{tx_id}", Console.show_transaction),
    Route("/wallets/{address}", Console.show_wallet),
    Route("/members", Console.list_members, "Members"),
    Route("/members/{address}", Console.show_member),
    Route("/governance", Console.show_governance, "Governance"),
    Route("/policy", Console.show_policy, "Policy"),
    Route("/search", Console.search),
)
"""Every page of the console; the tests visit each."""

FILES: tuple[Route, ...] = (
    Route("/transactions/{tx_id}/receipt", Console.send_receipt),
    Route(STATIC_PATH + "{name}", Console.send_file),
)
"""What is served beside the pages."""


def add_console(app: web.Application, node: Node, access: Access | None = None) -> None:
    """Serve the console from an application that has not started yet.

    Args:
      app: also of the API; what is under `/v1` or is no page is left alone.
      node: whose chain is shown.
      access: under which names it answers, and whom; this machine alone where not given.
    """
    console = Console(node, access or Access())
    routes = (*ROUTES, *FILES)
    for route in routes:
        app.router.add_get(route.path, _bind(console, route.page))
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
        fault = find_fault(request, console.access)
        if fault is not None:
            return web.Response(text=fault, status=403, headers=HEADERS)
        try:
            return await handler(request)
        except HansaError as error:
            return _say_error(console, request, error)
        except web.HTTPNotFound:
            return console.say(
                request, 404, "There is no such page", "The address may be mistyped."
            )
        except web.HTTPMethodNotAllowed:
            return console.say(
                request, 405, "This page only shows", "Nothing can be sent to the console."
            )

    return guard


def _say_error(console: Console, request: web.Request, error: HansaError) -> web.Response:
    """Say an error in words, and who must act; what is corrupt goes on to stop the node."""
    text = error.message[:1].upper() + error.message[1:] + "."
    if isinstance(error, NotFound):
        return console.say(request, 404, "Not found on this ledger", text)
    if isinstance(error, Invalid):
        return console.say(request, 400, "This address cannot be read", text)
    if isinstance(error, Unavailable):
        return console.say(request, 503, "Not there just now", text)
    raise error


def _load_files() -> dict[str, tuple[bytes, str, str]]:
    """Load the console's files: name to (bytes, version, content type)."""
    files = {}
    for path in sorted((FOLDER / "static").iterdir()):
        body = path.read_bytes()
        version = hashlib.sha256(body).hexdigest()[:12]
        files[path.name] = (body, version, CONTENT_TYPES[path.suffix])
    return files


def _build_environment(name_file: Callable[[str], str]) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names: Mapping[str, Any] = {
        "static": name_file,
        "words": words,
        "version": hansa.__version__,
        "navigation": [(route.path, route.label) for route in ROUTES if route.label],
        "address_text": to_text,
        "split_middle": split_middle,
        "shorten": shorten,
        "duration": format_duration,
        "size": format_bytes,
        "rate_text": format_rate,
        "share": format_share,
        "round_number": format_round,
        "minor": format_minor,
        "kind": lambda fragment: type(fragment).__name__,
    }
    environment.globals.update(names)
    environment.filters["in_words"] = lambda key, table: table.get(key, key)
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    return environment


def _go_to(path: str) -> web.Response:
    """Send the browser to another page; an answer, so that no middleware takes it for an error."""
    return web.Response(status=303, headers={**HEADERS, "Location": path})


def _parse_height(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > NUMBER_DIGITS_MAX:
        raise Invalid(InvalidCode.MALFORMED, "a block is named by its height, a whole number")
    return int(text)


def _parse_id(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(text) != ID_DIGITS or len(found) != ID_DIGITS // 2:
        raise Invalid(InvalidCode.MALFORMED, "a transaction’s id has 64 hexadecimal digits")
    return found


def _name_receipt(tx_id: bytes) -> str:
    return f"hansa-{tx_id.hex()[:16]}.receipt"


def _parse_address(text: str) -> bytes:
    return from_text(text)


def _read_number(request: web.Request, name: str, default: int) -> int:
    """Read a whole number of the query; whatever is none counts as not given."""
    text = request.query.get(name, "")
    is_number = text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX
    return int(text) if is_number else default
