"""Pages on which something is shown to a verifier: who asks, what leaves, what stays, yes or no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import web

from hansa.identity.dcql.matching import list_asked
from hansa.identity.sd_jwt.paths import show_place
from hansa.identity.wallet.holdings import find_expiry_ms
from hansa.identity.wallet.telling import (
    Line,
    list_claims,
    list_lines,
    list_transaction,
    name_verifier,
    tell_verifier,
    write_time,
)
from hansa.kernel.errors import Corrupt, HansaError, Unavailable
from hansa.node.identity.desk.frame import Desk
from hansa.node.identity.desk.wallet.naming import find_batch, title
from hansa.node.identity.desk.wallet.work import WalletWork
from hansa.node.identity.holder.presenting import Asked, View

WHY = "the holder does not agree"
WEB = ("https://", "http://")
VALUES_IN_LABEL, VALUE_LETTERS_MAX = 3, 40


class Ended(NamedTuple):
    """How a request ended."""

    status: int
    outcome: str
    """Taken, refused or unknown; unsent; declined, or untold where the verifier does not hear."""
    why: str = ""


class Choice(NamedTuple):
    """A credential that would answer a query."""

    holding_id: str
    label: str
    is_chosen: bool


class ViewLines(NamedTuple):
    """One credential as the verifier would see it."""

    query_id: str
    title: str
    type: str
    issuer: str
    credential: str
    """As the wallet names it."""
    leaving: list[Line]
    staying: list[Line]
    unasked: str
    """What leaves though the verifier did not ask for it."""
    choices: tuple[Choice, ...]


class PresentingPages:
    """Presents from one wallet."""

    def __init__(self, desk: Desk, work: WalletWork) -> None:
        self._desk = desk
        self._work = work

    def add_to(self, desk: Desk) -> None:
        """Add these pages to a desk."""
        desk.add_page("/present", self.ask_request, "Present")
        desk.add_form("/present", self.read_request)
        desk.add_page("/present/{request}", self.show_request)
        desk.add_form("/present/{request}/choose", self.choose)
        desk.add_form("/present/{request}/approve", self.approve)
        desk.add_form("/present/{request}/decline", self.decline)

    async def ask_request(self, request: web.Request) -> web.Response:
        """Show where a request is pasted."""
        return self._ask(request)

    async def read_request(self, request: web.Request, form: Mapping[str, str]) -> web.Response:
        """Fetch a request, and find what answers it; nothing is shown yet."""
        uri = form.get("request", "").strip()
        try:
            asked = await self._work.do(self._work.presenter.ask, uri)
        except Corrupt:
            raise
        except HansaError as error:
            return self._ask(request, uri, error.message)
        return self._desk.go_to(f"/present/{self._work.requests.add(asked)}")

    async def show_request(self, request: web.Request) -> web.Response:
        """Show who asks, which fields would leave, and which stay."""
        name = request.match_info["request"]
        asked = self._work.requests.find(name)
        choices = await self._work.do(self._work.presenter.list_choices, asked)
        return self._desk.show(
            request,
            "wallet/request.html",
            name=name,
            verifier=tell_verifier(asked.request.client_id),
            place=asked.request.response_uri,
            missing=asked.proposal.missing,
            wanted=list_asked(asked.request.query),
            views=[_tell_view(each, choices[each.query_id]) for each in asked.views],
            transactions=[list_transaction(each) for each in asked.transactions],
            has_choice=any(len(each) > 1 for each in choices.values()),
        )

    async def choose(self, request: web.Request, form: Mapping[str, str]) -> web.Response:
        """Answer with other credentials."""
        name = request.match_info["request"]
        asked = self._work.requests.find(name)
        prefix = "with."
        chosen = {
            field.removeprefix(prefix): value
            for field, value in form.items()
            if field.startswith(prefix)
        }
        self._work.requests[name] = await self._work.do(self._work.presenter.choose, asked, chosen)
        return self._desk.go_to(f"/present/{name}")

    async def approve(self, request: web.Request, _: Mapping[str, str]) -> web.Response:
        """Show what was agreed to, once."""
        asked, presenter = self._take(request), self._work.presenter
        try:
            prepared = await self._work.do(presenter.prepare, asked)
        except Corrupt:
            raise
        except HansaError as error:
            return self._tell(request, asked, Ended(400, "unsent", error.message))
        try:
            answered = await self._work.do(presenter.send, prepared)
        except Corrupt:
            raise
        except Unavailable as error:
            return self._tell(request, asked, Ended(503, "unknown", error.message))
        except HansaError as error:
            return self._tell(request, asked, Ended(400, "refused", error.message))
        place = answered.redirect_uri
        return self._tell(request, asked, Ended(200, "taken"), place)

    async def decline(self, request: web.Request, _: Mapping[str, str]) -> web.Response:
        """Show nothing, and say so."""
        asked = self._take(request)
        try:
            await self._work.do(self._work.presenter.decline, asked, WHY)
        except Corrupt:
            raise
        except HansaError as error:
            return self._tell(request, asked, Ended(200, "untold", error.message))
        return self._tell(request, asked, Ended(200, "declined"))

    def _tell(
        self, request: web.Request, asked: Asked, ended: Ended, place: str = ""
    ) -> web.Response:
        """Tell what became of a request."""
        return self._desk.show(
            request,
            "wallet/presented.html",
            status=ended.status,
            ended=ended,
            verifier=name_verifier(asked.request.client_id),
            place=place if place.startswith(WEB) else "",
        )

    def _take(self, request: web.Request) -> Asked:
        """Take a request out of hand, so that it is answered once."""
        name = request.match_info["request"]
        asked = self._work.requests.find(name)
        del self._work.requests[name]
        return asked

    def _ask(self, request: web.Request, uri: str = "", fault: str = "") -> web.Response:
        status = 400 if fault else 200
        return self._desk.show(request, "wallet/present.html", status=status, uri=uri, fault=fault)


def _tell_view(view: View, choices: tuple[View, ...]) -> ViewLines:
    batch = find_batch(view.holding.id)
    return ViewLines(
        view.query_id,
        title(view.holding),
        view.type,
        view.holding.issuer,
        batch,
        list_lines(list_claims(view.shown)),
        list_lines(list_claims(view.hidden)),
        ", ".join(map(show_place, view.unasked)),
        tuple(
            Choice(each.holding.id, _label(each), find_batch(each.holding.id) == batch)
            for each in choices
        ),
    )


def _label(view: View) -> str:
    """Tell a credential from others by what would leave of it, and when it came."""
    holding = view.holding
    values = [line.value for line in list_lines(list_claims(view.shown)) if line.value]
    shown = ", ".join(value[:VALUE_LETTERS_MAX] for value in values[:VALUES_IN_LABEL])
    expires = write_time(find_expiry_ms(holding))[:10]
    return (
        f"{title(holding)}{f': {shown}' if shown else ''} (from {holding.issuer}, received "
        f"{write_time(holding.received_ms)[:10]}{f', expires {expires}' if expires else ''})"
    )
