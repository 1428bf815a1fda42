"""Presenting: who asks, what they would see, what stays hidden; and, once agreed, the answer.

What is shown is noted before it is sent: a wallet that is ended in between knows that it may have
been.

Source: OpenID4VP 1.0.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from hansa.identity.dcql.matching import Match, match
from hansa.identity.dcql.queries import CredentialQuery
from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.methods.documents import DidDocument, Relationship
from hansa.identity.sd_jwt.paths import Path
from hansa.identity.wallet.conversation import Conversation, HttpRequest
from hansa.identity.wallet.holdings import (
    Holding,
    describe,
    find_expiry_ms,
    find_type,
    show_claims,
)
from hansa.identity.wallet.presenting import (
    Answered,
    Proposal,
    decline,
    find_match,
    list_disclosures,
    present,
    propose,
)
from hansa.identity.wallet.requests import (
    KeyFinder,
    PresentationRequest,
    fetch_request,
    read_invitation,
    read_request,
    read_transaction,
)
from hansa.identity.wallet.telling import W3C_TECHNICAL
from hansa.kernel.errors import HansaError, Unavailable
from hansa.node.identity.holder.carrying import Carrier
from hansa.node.identity.holder.vault import Shown, Vault

NONCE_BYTES = ID_BYTES = 16
TAKEN, DECLINED = "taken", "declined"

ResolveDid = Callable[[str], DidDocument]


class View(NamedTuple):
    """One credential as the verifier would see it, and what it would not see."""

    query_id: str
    holding: Holding
    type: str
    shown: dict[str, Any]
    hidden: dict[str, Any]
    unasked: tuple[Path, ...] = ()
    """What is shown though the verifier did not ask for it: it cannot be kept."""


class Asked(NamedTuple):
    """A request, and what would answer it."""

    proposal: Proposal
    views: tuple[View, ...]
    transactions: tuple[dict[str, Any], ...]

    @property
    def request(self) -> PresentationRequest:
        """Who asks for what."""
        return self.proposal.request


class Prepared(NamedTuple):
    """An answer that is ready to be sent."""

    asked: Asked
    time_ms: int
    request: HttpRequest
    conversation: Conversation[Answered]
    """Which waits for the answer to that."""


class Presenter:
    """Presents from one wallet."""

    def __init__(
        self, vault: Vault, carrier: Carrier, resolve: ResolveDid, roots: Iterable[bytes] = ()
    ) -> None:
        """Know verifiers by DIDs that `resolve` knows, or by certificates under `roots` (DER)."""
        self._vault = vault
        self._carrier = carrier
        self._resolve = resolve
        self._roots = tuple(roots)

    def ask(self, uri: str, holding_ids: frozenset[str] | None = None) -> Asked:
        """Fetch a request and find what answers it, among all credentials or only these.

        Raises:
          Unsound: the request does not hold, or nobody knows who asks.
          Unavailable: the verifier, or who knows it, does not answer.
        """
        is_near = self._carrier.rules.may_ask_loopback
        invitation = read_invitation(uri, may_be_near=is_near)
        drawn = encode_base64url(self._carrier.draw(NONCE_BYTES))
        nonce = drawn if invitation.uses_post else ""
        token = self._carrier.carry(fetch_request(invitation, nonce))
        now_ms = self._carrier.now_ms()
        request = read_request(
            token,
            invitation,
            nonce,
            KeyFinder(self._find_key, self._roots, now_ms),
            now_ms,
            may_be_near=is_near,
        )
        return self._show(propose(request, self._list_usable(now_ms, holding_ids)))

    def list_choices(self, asked: Asked) -> dict[str, tuple[View, ...]]:
        """List what would answer each query that is answered: a copy of each credential."""
        usable = self._list_usable(self._carrier.now_ms())
        found: dict[str, tuple[View, ...]] = {}
        for view in asked.views:
            query = asked.request.query.find(view.query_id)
            batches: dict[str, View] = {view.holding.id.partition(".")[0]: view}
            for holding in usable:
                batch = holding.id.partition(".")[0]
                made = find_match(query, holding) if query and batch not in batches else None
                if query is not None and made is not None:
                    batches[batch] = _view(query, holding, made)
            found[view.query_id] = tuple(batches[name] for name in sorted(batches))
        return found

    def choose(self, asked: Asked, chosen: Mapping[str, str]) -> Asked:
        """Answer queries with other credentials, by the holding's id; the rest as it was.

        Raises:
          NotFound: the wallet does not hold one.
          Unsound: one does not answer its query.
        """
        matches = dict(asked.proposal.matches)
        for query_id, holding_id in chosen.items():
            query = asked.request.query.find(query_id)
            holding = self._vault.contents.find(holding_id).holding
            made = find_match(query, holding) if query and query_id in matches else None
            if made is None:
                raise Unsound(Fault.TYPE, f"this credential does not answer {query_id[:80]!r}")
            matches[query_id] = made
        return self._show(asked.proposal._replace(matches=matches))

    def present(self, asked: Asked) -> Answered:
        """Answer as was shown; the holder has agreed.

        Raises:
          NotFound: a credential was deleted meanwhile.
          Unsound: something is missing, or the verifier does not take it.
          Unavailable: it does not answer: it may have taken it or not.
        """
        return self.send(self.prepare(asked))

    def prepare(self, asked: Asked) -> Prepared:
        """Write and sign the answer; nothing is sent, so nothing is noted.

        Raises:
          NotFound: a credential was deleted meanwhile.
          Unsound: something is missing, or cannot be shown so.
        """
        now_ms, contents = self._carrier.now_ms(), self._vault.contents
        for made in asked.proposal.matches.values():
            contents.find(made.candidate.id)
        conversation = present(
            asked.proposal, contents.holdings, contents.find_signer, now_ms, self._carrier.draw
        )
        return Prepared(asked, now_ms, next(conversation), conversation)

    def send(self, prepared: Prepared) -> Answered:
        """Send an answer, once it is noted.

        Raises:
          Unsound: the verifier does not take it.
          Unavailable: it does not answer: it may have taken it or not.
        """
        asked = prepared.asked
        answer_id = self._carrier.draw(ID_BYTES).hex()
        types = {view.holding.id: view.type for view in asked.views}
        noted = [
            Shown(each, types[each.holding_id], answer_id)
            for each in list_disclosures(asked.proposal, prepared.time_ms)
        ]
        self._vault.change(shown=(*self._vault.contents.shown, *noted))
        try:
            answered = self._carrier.carry(_go_on(prepared.request, prepared.conversation))
        except Unavailable as error:
            self._note_outcome(answer_id, f"unknown: {error.message}")
            raise
        except HansaError as error:
            self._note_outcome(answer_id, f"{DECLINED}: {error.message}")
            raise
        self._note_outcome(answer_id, TAKEN)
        return answered

    def decline(self, asked: Asked, why: str) -> None:
        """Tell the verifier that the holder does not agree.

        Raises:
          Unsound: the verifier does not take it.
          Unavailable: it does not answer.
        """
        self._carrier.carry(decline(asked.request, why))

    def _find_key(self, url: str) -> PublicKey:
        document = self._resolve(url.partition("#")[0])
        return document.find_key(url, Relationship.AUTHENTICATION)

    def _show(self, proposal: Proposal) -> Asked:
        queries = {each.id: each for each in proposal.request.query.credentials}
        views = tuple(
            _view(queries[query_id], self._vault.contents.find(made.candidate.id).holding, made)
            for query_id, made in proposal.matches.items()
        )
        transactions = tuple(read_transaction(each) for each in proposal.request.transactions)
        return Asked(proposal, views, transactions)

    def _list_usable(self, now_ms: int, holding_ids: frozenset[str] | None = None) -> list[Holding]:
        """List what has not expired, and is meant."""
        found = []
        for each in self._vault.contents.holdings:
            expiry_ms = find_expiry_ms(each)
            is_meant = holding_ids is None or each.id in holding_ids
            if is_meant and (expiry_ms is None or expiry_ms > now_ms):
                found.append(each)
        return found

    def _note_outcome(self, answer_id: str, outcome: str) -> None:
        shown = [
            msgspec.structs.replace(each, outcome=outcome) if each.answer_id == answer_id else each
            for each in self._vault.contents.shown
        ]
        self._vault.change(shown=tuple(shown))


def _go_on(request: HttpRequest, conversation: Conversation[Answered]) -> Conversation[Answered]:
    """Go on with a conversation that has said the first thing already."""
    while True:
        try:
            request = conversation.send((yield request))
        except StopIteration as end:
            answered: Answered = end.value
            return answered


def _view(query: CredentialQuery, holding: Holding, made: Match) -> View:
    shown, described = show_claims(holding, made.paths), describe(holding)
    hidden = _subtract(described.claims, shown)
    asked = match(query, described)
    wanted = () if asked is None else asked.paths
    unasked = tuple(
        path
        for path in made.paths
        if path not in wanted
        and path[0] not in W3C_TECHNICAL
        and not _is_covered(path, shown.get(str(path[0])), wanted)
    )
    return View(query.id, holding, find_type(holding), shown, hidden, unasked)


def _is_covered(path: Path, value: object, wanted: Collection[Path]) -> bool:
    """Whether all of an object at the top was asked for, but for whom it is about."""
    return (
        len(path) == 1
        and isinstance(value, dict)
        and all((*path, name) in wanted for name in value if name not in ("id", "type"))
    )


def _subtract(claims: dict[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
    """Find what of some claims is not shown; of an array all of it, where any of it is hidden."""
    hidden: dict[str, Any] = {}
    for name, value in claims.items():
        if name not in shown:
            hidden[name] = value
        elif isinstance(value, dict) and isinstance(shown[name], dict):
            if inner := _subtract(value, shown[name]):
                hidden[name] = inner
        elif value != shown[name]:
            hidden[name] = value
    return hidden
