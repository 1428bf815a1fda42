"""Pages on which a credential is received: who offers what, the code, what came, keep it or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from aiohttp import web

from hansa.identity.issuer.offers import Offer
from hansa.identity.wallet.holdings import describe, find_expiry_ms
from hansa.identity.wallet.receiving import COPIES, Source
from hansa.identity.wallet.telling import (
    find_name,
    list_claims,
    list_lines,
    name_signer,
    write_time,
)
from hansa.kernel.errors import Corrupt, HansaError, Invalid, InvalidCode, NotFound
from hansa.node.identity.desk.frame import Desk
from hansa.node.identity.desk.wallet.naming import name_offered, title
from hansa.node.identity.desk.wallet.work import Offered, WalletWork
from hansa.node.identity.holder.receiving import Arrival, Client
from hansa.node.identity.holder.vault import Waiting

RETURN_PATH = "/receive/returned"
CODE_LETTERS_MAX = 64


class Outcome(NamedTuple):
    """What came of one credential that was owed."""

    waiting_id: str
    name: str
    arrival: str
    """In hand, to be kept or not; empty if nothing came."""
    fault: str
    """Why nothing came; empty where it is not ready."""


class ReceivingPages:
    """Receives into one wallet."""

    def __init__(self, desk: Desk, work: WalletWork) -> None:
        self._desk = desk
        self._work = work

    def add_to(self, desk: Desk) -> None:
        """Add these pages to a desk."""
        desk.add_page("/receive", self.ask_offer, "Receive")
        desk.add_form("/receive", self.read_offer)
        desk.add_return(RETURN_PATH, self.finish)
        desk.add_page("/receive/{offer}", self.show_offer)
        desk.add_form("/receive/{offer}/redeem", self.redeem)
        desk.add_form("/receive/{offer}/begin", self.begin)
        desk.add_form("/receive/{offer}/finish", self.finish_pasted)
        desk.add_form("/receive/{offer}/drop", self.drop)
        desk.add_form("/waiting/{id}/fetch", self.fetch)
        desk.add_page("/arrived/{arrival}", self.show_arrival)
        desk.add_form("/arrived/{arrival}/keep", self.keep)
        desk.add_form("/arrived/{arrival}/refuse", self.refuse)

    async def ask_offer(self, request: web.Request) -> web.Response:
        """Show where an offer is pasted."""
        return self._ask(request)

    async def read_offer(self, request: web.Request, form: Mapping[str, str]) -> web.Response:
        """Read an offer, and find out about its issuer; nothing is accepted yet."""
        uri = form.get("offer", "").strip()
        try:
            offer, source = await self._work.do(self._work.receiver.read_offer, uri)
        except Corrupt:
            raise
        except HansaError as error:
            return self._ask(request, uri, error.message)
        return self._desk.go_to(f"/receive/{self._work.offers.add(Offered(offer, source))}")

    async def show_offer(self, request: web.Request) -> web.Response:
        """Show who offers what."""
        name = request.match_info["offer"]
        return self._show_offer(request, name, self._work.offers.find(name))

    async def redeem(self, request: web.Request, form: Mapping[str, str]) -> web.Response:
        """Accept an offer with its code, and ask for what is owed."""
        name = request.match_info["offer"]
        offered = self._work.offers.find(name)
        offer, source, _ = offered
        code = form.get("code", "").strip()[:CODE_LETTERS_MAX]
        try:
            owed = await self._work.do(self._work.receiver.redeem, offer, source, code, COPIES)
        except Corrupt:
            raise
        except HansaError as error:
            return self._show_offer(request, name, offered, error.message)
        self._work.offers.pop(name, None)
        return await self._show_outcomes(request, owed)

    async def begin(self, request: web.Request, form: Mapping[str, str]) -> web.Response:
        """Begin what the person decides on the issuer's page, and show the way there."""
        name = request.match_info["offer"]
        offered = self._work.offers.find(name)
        client = Client(form.get("client", "").strip(), form.get("redirect", "").strip())
        try:
            begun = await self._work.do(
                self._work.receiver.begin, offered.offer, offered.source, client
            )
        except Corrupt:
            raise
        except HansaError as error:
            return self._show_offer(request, name, offered, error.message)
        self._work.offers[name] = offered._replace(begun=begun)
        return self._desk.go_to(f"/receive/{name}")

    async def finish(self, request: web.Request) -> web.Response:
        """Go on where the issuer's page has sent the browser back."""
        state = request.query.get("state", "")
        for name, offered in self._work.offers.items():
            if offered.begun is not None and offered.begun.authorization.state == state:
                return await self._finish(request, name, f"http://{request.host}{request.path_qs}")
        raise NotFound("this answer belongs to no offer that is in hand here")

    async def finish_pasted(self, request: web.Request, form: Mapping[str, str]) -> web.Response:
        """Go on with an address that was pasted, where the page could not send the browser here."""
        return await self._finish(
            request, request.match_info["offer"], form.get("returned", "").strip()
        )

    async def drop(self, request: web.Request, _: Mapping[str, str]) -> web.Response:
        """Leave an offer."""
        self._work.offers.pop(request.match_info["offer"], None)
        return self._desk.go_to("/")

    async def fetch(self, request: web.Request, _: Mapping[str, str]) -> web.Response:
        """Ask again for what was not ready, or got lost."""
        name = request.match_info["id"]
        owed = [each for each in self._work.vault.contents.waiting if each.id == name]
        if not owed:
            raise NotFound("the wallet does not wait for this any more")
        return await self._show_outcomes(request, owed)

    async def show_arrival(self, request: web.Request) -> web.Response:
        """Show what came, before it is kept."""
        name = request.match_info["arrival"]
        holding = self._work.arrivals.find(name).holdings[0]
        claims = describe(holding).claims
        return self._desk.show(
            request,
            "wallet/arrived.html",
            arrival=name,
            title=title(holding),
            holding=holding,
            signed_by=name_signer(claims),
            expires=write_time(find_expiry_ms(holding)),
            lines=list_lines(list_claims(claims)),
        )

    async def keep(self, request: web.Request, _: Mapping[str, str]) -> web.Response:
        """Keep what came."""
        arrival = self._take(request)
        await self._work.do(self._work.receiver.keep, arrival)
        return self._desk.go_to(f"/credentials/{arrival.waiting.id}")

    async def refuse(self, request: web.Request, _: Mapping[str, str]) -> web.Response:
        """Do not keep what came, and tell the issuer."""
        await self._work.do(self._work.receiver.refuse, self._take(request))
        return self._desk.go_to("/")

    def _take(self, request: web.Request) -> Arrival:
        """Take what came out of hand, so that it is decided once."""
        name = request.match_info["arrival"]
        arrival = self._work.arrivals.find(name)
        del self._work.arrivals[name]
        return arrival

    async def _finish(self, request: web.Request, name: str, returned: str) -> web.Response:
        offered = self._work.offers.find(name)
        if offered.begun is None:
            raise Invalid(InvalidCode.MALFORMED, "nothing was begun on the issuer’s page yet")
        try:
            owed = await self._work.do(self._work.receiver.finish, offered.begun, returned, COPIES)
        except Corrupt:
            raise
        except HansaError as error:
            return self._show_offer(request, name, offered, error.message)
        self._work.offers.pop(name, None)
        return await self._show_outcomes(request, owed)

    async def _show_outcomes(self, request: web.Request, owed: list[Waiting]) -> web.Response:
        """Ask for what is owed, each by itself; what came is shown before it is kept."""
        outcomes = [await self._fetch(each) for each in owed]
        if len(outcomes) == 1 and outcomes[0].arrival:
            return self._desk.go_to(f"/arrived/{outcomes[0].arrival}")
        return self._desk.show(request, "wallet/outcomes.html", outcomes=outcomes)

    async def _fetch(self, waiting: Waiting) -> Outcome:
        supported = waiting.issuer.credential_configurations_supported
        name = name_offered(supported, waiting.configuration_id)
        try:
            arrival = await self._work.do(self._work.receiver.fetch, waiting)
        except Corrupt:
            raise
        except HansaError as error:
            return Outcome(waiting.id, name, "", error.message)
        if not arrival.holdings:
            return Outcome(waiting.id, name, "", "")
        return Outcome(waiting.id, name, self._work.arrivals.add(arrival), "")

    def _ask(self, request: web.Request, uri: str = "", fault: str = "") -> web.Response:
        status = 400 if fault else 200
        return self._desk.show(request, "wallet/receive.html", status=status, uri=uri, fault=fault)

    def _show_offer(
        self, request: web.Request, name: str, offered: Offered, fault: str = ""
    ) -> web.Response:
        offer, source, begun = offered
        return self._desk.show(
            request,
            "wallet/offer.html",
            status=400 if fault else 200,
            name=name,
            issuer=source.issuer.credential_issuer,
            issuer_name=find_name(source.issuer.display),
            kinds=_list_kinds(offer, source),
            has_code=bool(offer.pre_authorized_code),
            has_page=bool(source.server.pushed_authorization_request_endpoint),
            code=None if offer.tx_code is None else _describe_code(offer.tx_code),
            copies=max(1, min(COPIES, source.issuer.batch_credential_issuance.batch_size)),
            address="" if begun is None else begun.authorization.url,
            redirect=f"{request.scheme}://{request.host}{RETURN_PATH}",
            fault=fault,
        )


def _list_kinds(offer: Offer, source: Source) -> list[tuple[str, str]]:
    """List what is offered: name and identifier."""
    supported = source.issuer.credential_configurations_supported
    return [(name_offered(supported, each), each) for each in offer.credential_configuration_ids]


def _describe_code(tx_code: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the transaction code as the issuer does, as far as it can be read."""
    length, told = tx_code.get("length"), tx_code.get("description")
    return {
        "told": told if isinstance(told, str) else "The code that the issuer gave you beside it",
        "length": length if type(length) is int and 0 < length <= CODE_LETTERS_MAX else 0,
        "is_number": tx_code.get("input_mode", "numeric") == "numeric",
    }
