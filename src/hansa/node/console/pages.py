"""The console's pages, and what each is filled with; those about identity have a room of their own.

Every page is a whole document that works without script. `console.js` asks for the same page again
and takes over the parts marked `data-live`; a page's ETag says whether there is anything new.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from hansa.contracts.members import Member
from hansa.kernel.authority import Purpose
from hansa.kernel.block import compute_position, decode_header
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.node.api.codes import API, CODES, FAILURES, INVALID, group_codes
from hansa.node.api.problems import API_PAGE, CODES_PAGE, name_type
from hansa.node.api.refusals import REFUSALS
from hansa.node.api.rights import Right
from hansa.node.console.blocks import SLOT_S, Blocks, BlockSummary
from hansa.node.console.charts import build_chart
from hansa.node.console.files import FOLDER, build_environment
from hansa.node.console.governing import describe_time, read_governance, read_policy
from hansa.node.console.guard import Gate
from hansa.node.console.identity.finding import find_page, find_type
from hansa.node.console.identity.registry import Registry
from hansa.node.console.money import read_assets, read_wallet
from hansa.node.console.reading import RECEIPTS_PER_PAGE, Pace, Reader
from hansa.node.console.reconciliation.runs.reading import Runs
from hansa.node.console.reconciliation.steps import Steps
from hansa.node.console.sessions import COOKIE, Viewer, is_own_path
from hansa.node.console.supply import SupplyWatch
from hansa.node.service import Node
from hansa.node.web.files import load_files
from hansa.node.web.forms import read_form, require_token
from hansa.node.web.headers import OWN_FILES_HEADERS
from hansa.node.web.sessions import Sessions, clear_cookie, name_cookie, set_cookie

if TYPE_CHECKING:  # of extras, which a node that does neither need not have
    from hansa.node.reconcile.service import PairService
    from hansa.node.risk.desk import RiskDesk
    from hansa.node.risk.trying import Trier

STATIC_PATH = "/console/static/"
FILE_PATH = STATIC_PATH + "{name}"
BLOCKS_PER_PAGE = 25
LATEST_BLOCKS = 8
ID_DIGITS = 64
NUMBER_DIGITS_MAX = 18
QUERY_LETTERS_MAX = 200

VIEWER: Final = web.RequestKey("viewer", Viewer)
TAG: Final = web.RequestKey("tag", str)
"""What the pages showed when the request came; what is read later is no older."""
FORM_BYTES_MAX: Final = 4_096
FORM_FIELDS_MAX: Final = 16


class Console:
    """Fills pages from one node.

    Args:
      node: whose chain is shown.
      gate: who is let in to what.
      navigation: (path, label) of the pages that every page links to.
      pairs: what its member reconciles; None if it does not.
      results: folder with what it reconciled of files; None if that is not shown.
      risk: what decides on its customers' payments; None if nothing does.
    """

    def __init__(
        self,
        node: Node,
        gate: Gate,
        navigation: list[tuple[str, str]],
        pairs: PairService | None = None,
        results: Path | None = None,
        risk: RiskDesk | None = None,
    ) -> None:
        self.node = node
        self.pairs = pairs
        self.risk = risk
        self.trier: Trier | None = None
        """Of its rules; made with the first page that shows them."""
        self.steps = None if pairs is None else Steps(node.chain, pairs.bank)
        genesis_hash = node.chain.network.genesis_hash
        self.runs = None if results is None else Runs(results, genesis_hash)
        self.gate = gate
        self.access = gate.access
        self.sessions = Sessions(gate.clock_s)
        self.blocks = Blocks(node.chain)
        self.reader = Reader(node.chain, self.blocks)
        self.registry = Registry(node.chain, gate.clock_s)
        self.supply = SupplyWatch(node.chain, clock_s=gate.clock_s, stop=node.engine.fail)
        self._token = secrets.token_hex(4)
        self._files = load_files(FOLDER / "static")
        self._templates = build_environment(self._name_file, navigation)
        for note in (self.blocks.note, self.reader.note, self.supply.history.note):
            node.engine.listen(note)
        if self.steps is not None:
            node.engine.listen(self.steps.note)

    async def overview(self, request: web.Request) -> web.Response:
        """Show what the network does right now."""
        proof = await self.supply.read()
        rate = self.blocks.rate()
        viewer = get_viewer(request)
        return await self.respond(
            request,
            "overview.html",
            proof=proof,
            assets=await read_assets(self.reader, self.supply, proof, viewer),
            rate=rate,
            chart=build_chart(rate),
            slot_s=SLOT_S,
            refusals=self.supply.history.get_refusals(self.reader.head.time_ms),
            latest_blocks=await self._list_blocks(self.reader.head.height, LATEST_BLOCKS),
            latest=await self.reader.list_latest(viewer.sees_line) if viewer.sees_some else None,
            members=self._list_members(),
        )

    async def show_supply(self, request: web.Request) -> web.Response:
        """Show how much money there is, where, over time, and how to check it oneself."""
        proof = await self.supply.read()
        return await self.respond(
            request,
            "supply.html",
            proof=proof,
            assets=await read_assets(self.reader, self.supply, proof, get_viewer(request)),
            history=self.supply.history,
            node_url=f"{request.scheme}://{request.host}",
        )

    async def list_blocks(self, request: web.Request) -> web.Response:
        """Show blocks, newest first."""
        top = self.reader.head.height
        height = min(top, max(read_number(request, "from", top), self.reader.kept_from))
        return await self.respond(
            request,
            "blocks.html",
            blocks=await self._list_blocks(height, BLOCKS_PER_PAGE),
            first=height,
            per_page=BLOCKS_PER_PAGE,
        )

    async def show_block(self, request: web.Request) -> web.Response:
        """Show a block and its transactions."""
        height = _parse_height(request.match_info["height"])
        first = read_number(request, "from", 0)
        page = self.reader.read_block(height, first)
        viewer = get_viewer(request)
        return await self.respond(
            request,
            "block.html",
            page=page,
            lines=[line for line in page.lines if viewer.sees_line(line)],
            header=decode_header(page.record.header),
            per_page=RECEIPTS_PER_PAGE,
        )

    async def show_transaction(self, request: web.Request) -> web.Response:
        """Show a transaction, its receipt explained."""
        tx_id = _parse_id(request.match_info["tx_id"])
        self.access.require(get_viewer(request).principal, Right.BY_ID)
        page = self.reader.read_transaction(tx_id)
        code = page.receipt.code
        return await self.respond(
            request,
            "transaction.html",
            page=page,
            refusal=page.refusal,
            explanation=CODES.get(code),
            position=compute_position(page.line.height, page.line.index),
            file_name=_name_receipt(tx_id),
            is_decided=await self._is_decided(request, tx_id),
        )

    async def _is_decided(self, request: web.Request, tx_id: bytes) -> bool:
        """Find whether this node decided on a transaction, for who may know that."""
        desk = self.risk
        if desk is None or not get_viewer(request).acts_for(desk.operator, Right.RISK):
            return False
        try:
            await desk.get_decision(tx_id)
        except NotFound:
            return False
        return True

    async def send_receipt(self, request: web.Request) -> web.Response:
        """Send a transaction's receipt file."""
        tx_id = _parse_id(request.match_info["tx_id"])
        self.access.require(get_viewer(request).principal, Right.BY_ID)
        headers = {
            **OWN_FILES_HEADERS,
            "Content-Disposition": f'attachment; filename="{_name_receipt(tx_id)}"',
        }
        body = await self.reader.build_receipt(tx_id, self.node.engine.fetch_votes)
        return web.Response(body=body, content_type="application/octet-stream", headers=headers)

    async def show_wallet(self, request: web.Request) -> web.Response:
        """Show a wallet: balances, limits, history."""
        address = from_text(request.match_info["address"])
        if self.reader.load(Member, address) is not None:
            return go_to(f"/members/{to_text(address)}")
        self.access.require_wallet(get_viewer(request).principal, address)
        before = read_number(request, "before", 0)
        page = await read_wallet(self.reader, address, request.query.get("asset", ""), before)
        return await self.respond(request, "wallet.html", page=page, is_newest=before == 0)

    async def list_members(self, request: web.Request) -> web.Response:
        """Show all institutions."""
        return await self.respond(request, "members.html", members=self._list_members())

    async def show_member(self, request: web.Request) -> web.Response:
        """Show an institution."""
        address = from_text(request.match_info["address"])
        page = self.reader.read_member(address)
        return await self.respond(request, "member.html", page=page, purposes=list(Purpose))

    async def show_governance(self, request: web.Request) -> web.Response:
        """Show who decides what, and what was decided."""
        page = read_governance(self.reader)
        return await self.respond(
            request, "governance.html", page=page, describe_time=describe_time
        )

    async def show_validators(self, request: web.Request) -> web.Response:
        """Show who votes on blocks, and whether they come."""
        return await self.respond(request, "validators.html")

    async def show_policy(self, request: web.Request) -> web.Response:
        """Show the values that the rules go by, and those that are scheduled."""
        page = read_policy(self.reader)
        return await self.respond(request, "policy.html", page=page, describe_time=describe_time)

    async def explain_codes(self, request: web.Request) -> web.Response:
        """Show what codes mean, who must act and what to do: what problem documents lead to."""
        groups = CODE_PAGES[request.path]
        return await self.respond(request, "codes.html", groups=groups)

    async def search(self, request: web.Request) -> web.Response:
        """Go to what was searched for, or say that it was not found."""
        query = request.query.get("q", "").strip()[:QUERY_LETTERS_MAX]
        target = self._find(query) if query else None
        if target is not None:
            return go_to(target)
        return await self.respond(request, "search.html", status=404 if query else 200, query=query)

    async def show_sign_in(self, request: web.Request) -> web.Response:
        """Show the form for an API key."""
        return await self._ask_key(request, _read_next(request.query.get("next", "/")))

    async def sign_in(self, request: web.Request) -> web.Response:
        """Begin a session for an API key."""
        form = await _read_form(request, self.gate.body_s)
        target = _read_next(form.get("next", "/"))
        try:
            principal = self.access.identify_token(form.get("key", "").strip())
        except Invalid as error:
            return await self._ask_key(
                request, target, error.message[:1].upper() + error.message[1:]
            )
        response = go_to(target)
        set_cookie(request, response, COOKIE, self.sessions.begin(principal.key_id))
        return response

    async def sign_out(self, request: web.Request) -> web.Response:
        """End a session."""
        form = await _read_form(request, self.gate.body_s)
        session = get_viewer(request).session
        if session is not None:
            require_token(form, session.form_token)
            self.sessions.end(request.cookies[name_cookie(request, COOKIE)])
        response = go_to("/")
        clear_cookie(request, response, COOKIE)
        return response

    async def _ask_key(self, request: web.Request, target: str, fault: str = "") -> web.Response:
        status = 401 if fault else 200
        return await self.respond(
            request, "sign_in.html", status=status, target=target, fault=fault
        )

    async def send_file(self, request: web.Request) -> web.Response:
        """Send a style sheet, script or picture."""
        found = self._files.get(request.match_info["name"])
        if found is None:
            raise NotFound("the console has no such file")
        return found.send(OWN_FILES_HEADERS)

    async def say(self, request: web.Request, status: int, heading: str, text: str) -> web.Response:
        """Respond with an error in words."""
        return await self.respond(
            request, "message.html", status=status, heading=heading, text=text
        )

    async def respond(
        self,
        request: web.Request,
        template: str,
        *,
        status: int = 200,
        is_current: bool = True,
        **context: Any,  # noqa: ANN401 - what a template is filled with
    ) -> web.Response:
        """Render a page; what is not current may be another one as of the same block."""
        viewer = get_viewer(request)
        keeping = "no-cache" if viewer.session is None else "no-store"
        headers = {**OWN_FILES_HEADERS, "Cache-Control": keeping, "Vary": "Accept, Cookie"}
        if status == 200 and is_current:  # noqa: PLR2004 - OK
            headers["ETag"] = request[TAG]
        pace = Pace()
        parts = []
        for part in self._templates.get_template(template).generate(
            f=self.reader.get_format(),
            head=self.reader.head,
            kept_from=self.reader.kept_from,
            names=self.reader.name_parties(),
            network=self.node.chain.network,
            path=request.path,
            query_text=request.query.get("q", "") if request.path == "/search" else "",
            failure=self.node.engine.failure,
            consensus=await self.node.watch.read(),
            viewer=viewer,
            status=status,
            **context,
        ):
            parts.append(part)
            await pace.rest()
        body = "".join(parts)
        return web.Response(text=body, status=status, content_type="text/html", headers=headers)

    async def name_state(self, viewer: Viewer) -> str:
        """Name what pages show now: it changes with the block, the proof, votes and who looks."""
        votes = (await self.node.watch.read()).mark
        session = viewer.session.form_token if viewer.session else ""
        known = f"{viewer.principal.role} {viewer.principal.key_id} {session}"
        who = hashlib.sha256(known.encode()).hexdigest()[:8]
        supply = self.supply
        heights = f"{self.reader.head.height}-{supply.proof_height}-{supply.history.version}"
        return f'"{self._token}-{who}-{heights}-{votes}"'

    async def _list_blocks(self, height: int, count: int) -> list[BlockSummary]:
        """List blocks from `height` downwards."""
        pace = Pace()
        found = []
        for at in self.reader.chain.descend(height, count):
            found.append(self.blocks.get(at))
            await pace.rest()
        return found

    def _list_members(self) -> list[Member]:
        """List institutions: the central bank first, then by name."""
        members = self.reader.load_all(Member)
        return sorted(members, key=lambda row: ("central_bank" not in row.roles, row.name))

    def _find(self, query: str) -> str | None:
        """Find the page of an id, address, DID, height, code, or name of a member or type."""
        if query in CODES:
            return name_type(query)
        if query.startswith("did:"):
            network = self.node.chain.network.genesis.network
            return find_page(self.reader.rows, network, query)
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
        meant = [row for row in named if row.name.casefold() == wanted] or named
        if len(meant) > 1:
            return "/members"
        if meant:
            return f"/members/{to_text(meant[0].address)}"
        return find_type(self.reader.rows, query)

    def _find_address(self, address: bytes) -> str:
        known = self.reader.name_parties().get(address)
        if known is not None:
            return f"/members/{to_text(known[1])}"
        # Whether there is such a wallet is told on its page, to whom may read it.
        return f"/wallets/{to_text(address)}"

    def _name_file(self, name: str) -> str:
        """Name a file of the console by its content, so that browsers keep it for good."""
        return f"{STATIC_PATH}{name}?v={self._files[name].version}"


CODE_PAGES = {
    CODES_PAGE: {**group_codes((*REFUSALS, *FAILURES)), "Invalid input": list(INVALID)},
    API_PAGE: {"HTTP API": list(API)},
}
"""The codes that a page explains, by group; its path is that of the page in the docs that does."""


def get_viewer(request: web.Request) -> Viewer:
    """Get who looks, as the guard found out."""
    return request[VIEWER]


async def _read_form(request: web.Request, timeout_s: float) -> Mapping[str, str]:
    return await read_form(request, timeout_s, bytes_max=FORM_BYTES_MAX, fields_max=FORM_FIELDS_MAX)


def _read_next(path: str) -> str:
    """Read where to go on after signing in: a page of this console."""
    return path if is_own_path(path) else "/"


def go_to(path: str) -> web.Response:
    """Send the browser to another page; an answer, so that no middleware takes it for an error."""
    return web.Response(status=303, headers={**OWN_FILES_HEADERS, "Location": path})


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


def read_number(request: web.Request, name: str, default: int) -> int:
    """Read a whole number of the query; whatever is none counts as not given."""
    found = parse_number(request.query.get(name, ""))
    return default if found is None else found


def parse_number(text: str) -> int | None:
    """Parse a whole number from 0 on; None for whatever is none, or too long for any of ours."""
    is_number = text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX
    return int(text) if is_number else None
