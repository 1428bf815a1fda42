"""The pages of an issuer's officer: types of credentials, offers, what waits, what was issued."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple, TypeVar

from aiohttp import web

from hansa.contracts.identity import status
from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Unsound
from hansa.kernel.errors import NotFound
from hansa.node.identity.desk.claim_forms import Filled, build_fields, read_claims
from hansa.node.identity.desk.drawing import draw_code
from hansa.node.identity.desk.frame import BAD_REQUEST, OK, Desk
from hansa.node.identity.http import Worker
from hansa.node.identity.issuer.service import IssuerService, Listed, MadeOffer
from hansa.node.identity.issuer.settings import CredentialKind
from hansa.node.service import wall_clock_ms
from hansa.node.web.sessions import UPDATE_HEADER
from hansa.program import name_program

T = TypeVar("T")

PAGE: Final = 25
OFFERS_MAX: Final = 200
"""Offers that this desk remembers to show; the oldest makes room."""
KEY_BYTES: Final = 9
DIGITS_MAX: Final = 15
CHANGES: Final[dict[str, type[status.Change]]] = {
    "revoke": status.Revoke,
    "suspend": status.Suspend,
    "reinstate": status.Reinstate,
}


class _Offer:
    """An offer that was made here; its transaction code is shown once."""

    def __init__(self, kind: CredentialKind, made: MadeOffer) -> None:
        self.kind = kind
        self.made = made
        self._code = made.tx_code

    def take_code(self) -> str:
        """Take the code; nothing the second time."""
        code, self._code = self._code, ""
        return code


class _State(NamedTuple):
    """What became of an offer."""

    word: str
    """One of `issuer/offer.html`."""
    events: tuple[str, ...] = ()


@asynccontextmanager
async def opened_issuer_desk(
    service: IssuerService,
    draw: Callable[[int], bytes],
    clock_s: Callable[[], float],
    worker: Worker | None = None,
) -> AsyncIterator[Desk]:
    """Open the desk of an issuer.

    Args:
      service: whose desk it is; close it afterwards.
      draw: draws random bytes.
      clock_s: never goes back.
      worker: does the work in turn with an issuer that is served in this process.
    """
    own = Worker(service.records) if worker is None else worker
    try:
        desk = Desk("Issuer desk", service.settings.name, draw, clock_s, own.failed)
        add_issuer_pages(desk, service, own, draw)
        yield desk
    finally:
        if worker is None:
            own.close()


def add_issuer_pages(
    desk: Desk,
    service: IssuerService,
    worker: Worker,
    draw: Callable[[int], bytes],
    clock_ms: Callable[[], int] = wall_clock_ms,
) -> None:
    """Add the pages of an issuer to a desk."""
    pages = _Pages(desk, service, worker, draw, clock_ms)
    desk.add_page("/", pages.list_kinds, "Credentials")
    desk.add_page("/offer", pages.ask_claims)
    desk.add_form("/offers", pages.offer)
    desk.add_page("/offers/{key}", pages.show_offer)
    desk.add_page("/waiting", pages.list_waiting, "Waiting")
    desk.add_page("/waiting/{dataset}", pages.show_waiting)
    desk.add_form("/waiting/{dataset}/complete", pages.complete)
    desk.add_form("/waiting/{dataset}/decline", pages.decline)
    desk.add_page("/issued", pages.list_issued, "Issued")
    desk.add_page("/issued/{number}", pages.show_issued)
    desk.add_page("/issued/{number}/{change}", pages.confirm)
    desk.add_form("/issued/{number}/{change}", pages.change)


class _Pages:
    """Fills the pages."""

    def __init__(
        self,
        desk: Desk,
        service: IssuerService,
        worker: Worker,
        draw: Callable[[int], bytes],
        clock_ms: Callable[[], int],
    ) -> None:
        self._desk = desk
        self._service = service
        self._worker = worker
        self._draw = draw
        self._clock_ms = clock_ms
        self._offers: dict[str, _Offer] = {}
        self._fields = {
            kind.id: build_fields(service.schemas.get(kind.id))
            for kind in service.settings.credentials
        }

    async def list_kinds(self, request: web.Request) -> web.Response:
        """Show which credentials can be issued, and what they say."""
        count = await self._run(lambda _: self._service.records.count_issued())
        return self._desk.show(
            request,
            "issuer/kinds.html",
            settings=self._service.settings,
            fields=self._fields,
            count=count,
        )

    async def ask_claims(self, request: web.Request) -> web.Response:
        """Show the form of an offer."""
        kind = self._find_kind(request.query.get("credential", ""))
        return self._ask(request, kind, {}, Filled({}, {}))

    async def offer(self, request: web.Request, form: Mapping[str, str]) -> web.Response:
        """Make an offer, or show the form again with what is wrong."""
        kind = self._find_kind(form.get("credential", ""))
        is_later = form.get("when") == "later"
        filled = Filled({}, {}) if is_later else self._read(kind, form)
        if filled.faults:
            return self._ask(request, kind, form, filled)
        wanted = [(kind.id, None if is_later else filled.claims)]
        needs_tx_code = form.get("tx_code") == "on"
        try:
            made = await self._run(
                lambda now: self._service.offer(wanted, now, needs_tx_code=needs_tx_code)
            )
        except Unsound as error:
            return self._ask(request, kind, form, Filled({}, {"": error.message}))
        key = encode_base64url(self._draw(KEY_BYTES))
        while len(self._offers) >= OFFERS_MAX:
            del self._offers[next(iter(self._offers))]
        self._offers[key] = _Offer(kind, made)
        return self._desk.go_to(f"/offers/{key}")

    async def show_offer(self, request: web.Request) -> web.Response:
        """Show an offer as a QR code, and what became of it."""
        found = self._offers.get(request.match_info["key"])
        if found is None:
            raise NotFound("this desk remembers no such offer: make a new one")
        made = found.made
        state = await self._run(lambda now: self._find_state(made, now))
        code = "" if UPDATE_HEADER in request.headers else found.take_code()
        return self._desk.show(
            request,
            "issuer/offer.html",
            is_live=True,
            reloads=not code,
            kind=found.kind,
            made=made,
            tx_code=code,
            drawn=draw_code(made.uri, "The offer, for a wallet to scan"),
            state=state,
        )

    async def list_waiting(self, request: web.Request) -> web.Response:
        """Show what waits for a decision."""
        waiting = await self._run(self._service.list_waiting)
        kinds = {kind.id: kind for kind in self._service.settings.credentials}
        done = request.query.get("done", "")
        return self._desk.show(
            request, "issuer/waiting.html", waiting=waiting, kinds=kinds, done=done
        )

    async def show_waiting(self, request: web.Request) -> web.Response:
        """Show the forms by which what waits is completed or declined."""
        return await self._decide(request, {}, Filled({}, {}))

    async def complete(self, request: web.Request, form: Mapping[str, str]) -> web.Response:
        """Complete what waits, or show the form again with what is wrong."""
        dataset = request.match_info["dataset"]
        found = await self._run(lambda now: self._service.get_dataset(dataset, now))
        filled = self._read(self._find_kind(found.configuration_id), form)
        if not filled.faults:
            try:
                await self._run(lambda now: self._service.complete(dataset, filled.claims, now))
                return self._desk.go_to("/waiting?done=complete")
            except Unsound as error:
                filled = Filled({}, {"": error.message})
        return await self._decide(request, form, filled)

    async def decline(self, request: web.Request, form: Mapping[str, str]) -> web.Response:
        """Decline what waits."""
        dataset, why = request.match_info["dataset"], form.get("why", "").strip()
        await self._run(lambda now: self._service.decline(dataset, why, now))
        return self._desk.go_to("/waiting?done=declined")

    async def list_issued(self, request: web.Request) -> web.Response:
        """Show what was issued, newest first."""
        before = _read_number(request.query.get("before", ""))
        listed = await self._run(lambda _: self._service.list_newest_issued(before, PAGE + 1))
        return self._desk.show(
            request,
            "issuer/issued.html",
            listed=listed[:PAGE],
            older=listed[PAGE - 1].number if len(listed) > PAGE else None,
            is_newest=before is None,
            now_s=self._clock_ms() // 1_000,
        )

    async def show_issued(self, request: web.Request) -> web.Response:
        """Show one credential: what is kept of it."""
        listed = await self._get(request)
        return self._desk.show(
            request,
            "issuer/credential.html",
            listed=listed,
            kind=self._service.settings.find(listed.issued.credential),
            now_s=self._clock_ms() // 1_000,
            bits=self._service.settings.status_bits,
            is_live=True,
            ledger_word=self._tell_ledger(listed),
        )

    async def confirm(self, request: web.Request) -> web.Response:
        """Ask whether a credential is to be revoked, suspended or reinstated."""
        change = request.match_info["change"]
        if change not in CHANGES:
            raise web.HTTPNotFound
        listed = await self._get(request)
        dataset = listed.issued.dataset
        copies = await self._run(lambda _: self._service.list_copies(dataset))
        return self._desk.show(
            request, "issuer/confirm.html", listed=listed, copies=copies, change=change
        )

    async def change(self, request: web.Request, _: Mapping[str, str]) -> web.Response:
        """Revoke, suspend or reinstate a credential with all its copies."""
        change = request.match_info["change"]
        if change not in CHANGES:
            raise web.HTTPNotFound
        number = (await self._get(request)).number
        await self._run(lambda now: self._service.decide(number, CHANGES[change], now))
        return self._desk.go_to(f"/issued/{number}")

    def _ask(
        self, request: web.Request, kind: CredentialKind, form: Mapping[str, str], filled: Filled
    ) -> web.Response:
        return self._desk.show(
            request,
            "issuer/ask.html",
            status=BAD_REQUEST if filled.faults else OK,
            kind=kind,
            fields=self._fields[kind.id],
            values=form,
            faults=filled.faults,
            has_code=not form or form.get("tx_code") == "on",
        )

    async def _decide(
        self, request: web.Request, form: Mapping[str, str], filled: Filled
    ) -> web.Response:
        dataset = request.match_info["dataset"]
        found = await self._run(lambda now: self._service.get_dataset(dataset, now))
        if not found.is_waiting:
            raise NotFound("this credential does not wait for a decision any more")
        return self._desk.show(
            request,
            "issuer/decide.html",
            status=BAD_REQUEST if filled.faults else OK,
            dataset=dataset,
            kind=self._find_kind(found.configuration_id),
            fields=self._fields[found.configuration_id],
            values=form,
            faults=filled.faults,
        )

    def _read(self, kind: CredentialKind, form: Mapping[str, str]) -> Filled:
        return read_claims(self._fields[kind.id], form, self._service.schemas.get(kind.id))

    def _find_kind(self, credential_id: str) -> CredentialKind:
        kind = self._service.settings.find(credential_id)
        if kind is None:
            raise NotFound(f"this issuer has no credential {credential_id[:80]!r}")
        return kind

    def _find_state(self, made: MadeOffer, now_ms: int) -> _State:
        (dataset,) = made.datasets
        try:
            issuance = self._service.desk.get(dataset.rpartition(".")[0], now_ms)
        except NotFound:
            return _State("over")
        (found,) = issuance.datasets
        if found.issued:
            return _State("fetched", issuance.events)
        if found.declined:
            return _State("declined")
        if found.is_waiting:
            return _State("waiting")
        return _State("over" if now_ms >= made.expires_ms else "open")

    def _tell_ledger(self, listed: Listed) -> str:
        """Tell the command by which a change counts where the status lists lie on the ledger."""
        settings = self._service.settings
        if listed.status is None or settings.ledger is not None or not settings.status.url:
            return ""
        number = listed.status.uri.rpartition("/")[2]
        index = listed.status.index
        word = "suspend" if listed.issued.suspended_s else "revoke"
        return f"{name_program()} id status {word} KEYFILE {number} {index}"

    async def _get(self, request: web.Request) -> Listed:
        number = _read_number(request.match_info["number"])
        if number is None:
            raise web.HTTPNotFound
        return await self._run(lambda _: self._service.get_issued(number))

    async def _run(self, work: Callable[[int], T]) -> T:
        now_ms = self._clock_ms()
        return await self._worker.run(lambda: work(now_ms))


def _read_number(text: str) -> int | None:
    is_number = text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX
    return int(text) if is_number else None
