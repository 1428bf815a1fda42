"""Pages of a wallet: what it holds, one credential, what was shown to whom, and forgetting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import web

from hansa.identity.sd_jwt.paths import show_place
from hansa.identity.wallet.holdings import describe, find_expiry_ms, find_type
from hansa.identity.wallet.requests import read_transaction
from hansa.identity.wallet.telling import (
    Line,
    list_claims,
    list_lines,
    list_transaction,
    name_signer,
    name_verifier,
    write_time,
)
from hansa.kernel.errors import Corrupt, HansaError, NotFound
from hansa.node.identity.desk.frame import Desk
from hansa.node.identity.desk.wallet.naming import find_batch, name_offered, title
from hansa.node.identity.desk.wallet.presenting import PresentingPages
from hansa.node.identity.desk.wallet.receiving import ReceivingPages
from hansa.node.identity.desk.wallet.work import WalletWork
from hansa.node.identity.holder.checking import Checked
from hansa.node.identity.holder.vault import Kept, Shown

HISTORY_PER_PAGE = 50
NUMBER_DIGITS_MAX = 9


class CredentialLine(NamedTuple):
    """A credential, and its copies, as pages list them."""

    id: str
    name: str
    types: str
    issuer: str
    received: str
    expires: str
    is_expired: bool
    copies: int
    shown: int
    """How often something of it was shown."""


class HistoryLine(NamedTuple):
    """What was shown at once."""

    time: str
    verifier: str
    outcome: str
    credentials: tuple[tuple[str, str, tuple[str, ...]], ...]
    """Type, credential as the wallet names it, and which of its fields."""
    transactions: tuple[list[Line], ...]


def add_pages(desk: Desk, work: WalletWork) -> None:
    """Add a wallet's pages to a desk."""
    pages = WalletPages(desk, work)
    desk.add_page("/", pages.show_overview, "Credentials")
    desk.add_page("/credentials/{id}", pages.show_credential)
    desk.add_form("/credentials/{id}/check", pages.check)
    desk.add_page("/credentials/{id}/delete", pages.ask_deletion)
    desk.add_form("/credentials/{id}/delete", pages.delete)
    ReceivingPages(desk, work).add_to(desk)
    PresentingPages(desk, work).add_to(desk)
    desk.add_page("/history", pages.show_history, "History")


class WalletPages:
    """Shows what lies in a wallet."""

    def __init__(self, desk: Desk, work: WalletWork) -> None:
        self._desk = desk
        self._work = work

    async def show_overview(self, request: web.Request) -> web.Response:
        """List credentials, and those that issuers owe."""
        contents, arrivals = self._work.vault.contents, self._work.arrivals
        decided = {each.waiting.id for each in arrivals.values()}
        waiting = [
            {
                "id": each.id,
                "name": name_offered(
                    each.issuer.credential_configurations_supported, each.configuration_id
                ),
                "issuer": each.issuer.credential_issuer,
                "since": write_time(each.since_ms),
                "is_asked": bool(each.transaction_id),
            }
            for each in contents.waiting
            if each.id not in decided
        ]
        arrived = [(name, title(each.holdings[0])) for name, each in arrivals.items()]
        held = [self._sum_up(name, copies) for name, copies in contents.group().items()]
        return self._desk.show(
            request, "wallet/overview.html", held=held[::-1], waiting=waiting, arrived=arrived
        )

    async def show_credential(self, request: web.Request) -> web.Response:
        """Show all that a credential says, and to whom it was shown."""
        return self._show_credential(request, request.match_info["id"])

    async def check(self, request: web.Request, _: Mapping[str, str]) -> web.Response:
        """Ask whether the issuer has taken a credential back."""
        name = request.match_info["id"]
        copies = [each.holding for each in self._find(name)]
        try:
            found = await self._work.do(self._work.checker.check, copies)
        except Corrupt:
            raise
        except HansaError as error:
            return self._show_credential(request, name, fault=error.message)
        return self._show_credential(request, name, checked=found)

    def _show_credential(
        self, request: web.Request, name: str, *, checked: Checked | None = None, fault: str = ""
    ) -> web.Response:
        copies = self._find(name)
        holding = copies[0].holding
        found = describe(holding)
        return self._desk.show(
            request,
            "wallet/credential.html",
            line=self._sum_up(name, copies),
            holding=holding,
            signed_by=name_signer(found.claims),
            lines=list_lines(list_claims(found.claims)),
            has_status=bool({"status", "credentialStatus"} & found.claims.keys()),
            is_bound=holding.key is not None,
            checked=checked,
            as_of="" if checked is None else write_time(checked.as_of_ms),
            fault=fault,
            history=self._list_history(name)[:HISTORY_PER_PAGE],
        )

    async def ask_deletion(self, request: web.Request) -> web.Response:
        """Ask whether a credential, or waiting for one, is to end."""
        name = request.match_info["id"]
        waiting = self._find_waiting(name)
        line = None if waiting else self._sum_up(name, self._find(name))
        return self._desk.show(request, "wallet/delete.html", line=line, waiting=waiting, id=name)

    async def delete(self, request: web.Request, _: Mapping[str, str]) -> web.Response:
        """Forget a credential with its keys, or wait no more."""
        name = request.match_info["id"]
        if not self._find_waiting(name):
            self._find(name)
        await self._work.do(lambda: self._work.vault.save(self._work.vault.contents.drop(name)))
        return self._desk.go_to("/")

    async def show_history(self, request: web.Request) -> web.Response:
        """Show what was shown to whom, newest first."""
        lines = self._list_history()
        text = request.query.get("after", "")
        is_number = text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX
        first = int(text) if is_number else 0
        end = first + HISTORY_PER_PAGE
        return self._desk.show(
            request,
            "wallet/history.html",
            lines=lines[first:end],
            following=end if len(lines) > end else 0,
            first=first,
        )

    def _list_history(self, batch: str = "") -> list[HistoryLine]:
        """List what was shown, of all credentials or of one, by answer, newest first."""
        answers: dict[str, list[Shown]] = {}
        for each in self._work.vault.contents.shown:
            if not batch or find_batch(each.disclosure.holding_id) == batch:
                answers.setdefault(each.answer_id, []).append(each)
        return [_tell_answer(answers[answer]) for answer in reversed(answers)]

    def _sum_up(self, name: str, copies: list[Kept]) -> CredentialLine:
        holding, now_ms = copies[0].holding, self._work.carrier.now_ms()
        expiry_ms = find_expiry_ms(holding)
        shown = {
            each.answer_id
            for each in self._work.vault.contents.shown
            if find_batch(each.disclosure.holding_id) == name
        }
        return CredentialLine(
            name,
            title(holding),
            find_type(holding),
            holding.issuer,
            write_time(holding.received_ms),
            write_time(expiry_ms),
            expiry_ms is not None and expiry_ms <= now_ms,
            len(copies),
            len(shown),
        )

    def _find(self, name: str) -> list[Kept]:
        copies = self._work.vault.contents.group().get(name)
        if copies is None:
            raise NotFound("this wallet holds no such credential")
        return copies

    def _find_waiting(self, name: str) -> str:
        """Find what is waited for under a name; empty if nothing is."""
        for each in self._work.vault.contents.waiting:
            if each.id == name:
                supported = each.issuer.credential_configurations_supported
                return name_offered(supported, each.configuration_id)
        return ""


def _tell_answer(shown: list[Shown]) -> HistoryLine:
    first = shown[0]
    return HistoryLine(
        write_time(first.disclosure.time_ms),
        name_verifier(first.disclosure.verifier),
        first.outcome,
        tuple(
            (
                each.type,
                find_batch(each.disclosure.holding_id),
                tuple(show_place(path) for path in each.disclosure.paths),
            )
            for each in shown
        ),
        tuple(
            list_transaction(read_transaction(text))
            for each in shown
            for text in each.disclosure.transactions
        ),
    )
