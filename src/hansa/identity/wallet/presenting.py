"""Presenting: what would answer a request, and, once the holder agrees, the answer itself.

What a presentation is its format says: `formats` holds one module for each.

Source: OpenID4VP 1.0, sections 6.4, 8.1 to 8.5 and appendix B.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from hansa.identity.dcql.matching import Match, match, select
from hansa.identity.dcql.queries import CredentialQuery
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jwe import encrypt_jwe
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.keys.signing import Signer
from hansa.identity.wallet.conversation import Conversation, post_form, read_answer
from hansa.identity.wallet.formats.holding import Showing
from hansa.identity.wallet.formats.table import find_format
from hansa.identity.wallet.holdings import Disclosure, Holding, describe, show_claims
from hansa.identity.wallet.requests import PresentationRequest, read_transaction
from hansa.identity.wallet.telling import list_claims

FindSigner = Callable[[PublicKey], Signer]
"""Finds the private half of a key to which a holding is bound."""


class Proposal(NamedTuple):
    """What a wallet would present, for the holder to see before it does."""

    request: PresentationRequest
    matches: Mapping[str, Match]
    """By query; the paths are all that is shown beside what cannot be kept."""
    missing: tuple[str, ...]
    """What is asked for and not there, in words; then nothing is presented."""


class Answered(NamedTuple):
    """What became of a presentation."""

    redirect_uri: str
    """Where the browser goes on; empty for nowhere."""
    disclosures: tuple[Disclosure, ...]


def propose(request: PresentationRequest, holdings: Sequence[Holding]) -> Proposal:
    """Find the least of these holdings that answers a request."""
    candidates = [describe(each) for each in holdings]
    held = {each.id: each for each in holdings}

    def weigh(made: Match) -> int:
        holding = held[made.candidate.id]
        return _count(list_claims(show_claims(holding, _widen(made, holding).paths)))

    selection = select(request.query, candidates, weigh)
    matches = {
        query_id: _widen(made, held[made.candidate.id])
        for query_id, made in selection.matches.items()
    }
    return Proposal(request, matches, selection.missing)


def present(
    proposal: Proposal,
    holdings: Sequence[Holding],
    find_signer: FindSigner,
    time_ms: int,
    draw: Callable[[int], bytes],
) -> Conversation[Answered]:
    """Answer a request as proposed; the holder has agreed.

    Raises:
      Unsound: something is missing, or the verifier does not take the answer.
    """
    if proposal.missing:
        raise Unsound(Fault.UNRESOLVED, "; ".join(proposal.missing))
    held = {each.id: each for each in holdings}
    request = proposal.request
    token: dict[str, list[str | dict[str, Any]]] = {}
    for query_id, made in proposal.matches.items():
        holding = held[made.candidate.id]
        transactions = _list_transactions(request, query_id)
        query = request.query.find(query_id)
        is_asked = query is None or query.require_cryptographic_holder_binding
        is_bound = holding.key is not None and (is_asked or bool(transactions))
        signer = find_signer(holding.key) if is_bound and holding.key is not None else None
        showing = Showing(request, made.paths, signer, transactions, time_ms, draw)
        token[query_id] = [find_format(holding.format).present(holding.credential, showing)]
    answer = yield post_form(request.response_uri, write_answer(request, token))
    told = read_answer(answer, "the presentation")
    redirect_uri = told.get("redirect_uri")
    place = redirect_uri if isinstance(redirect_uri, str) else ""
    return Answered(place, list_disclosures(proposal, time_ms))


def list_disclosures(proposal: Proposal, time_ms: int) -> tuple[Disclosure, ...]:
    """List what is shown if a request is answered as proposed."""
    request = proposal.request
    return tuple(
        Disclosure(
            time_ms,
            request.client_id,
            made.candidate.id,
            made.paths,
            _list_transactions(request, query_id),
        )
        for query_id, made in proposal.matches.items()
    )


def decline(request: PresentationRequest, why: str) -> Conversation[None]:
    """Tell a verifier that the holder does not agree.

    Raises:
      Unsound: the verifier does not take the answer.
    """
    form = {"error": "access_denied", "error_description": why, "state": request.state}
    read_answer((yield post_form(request.response_uri, form)), "the refusal")


def find_match(query: CredentialQuery, holding: Holding) -> Match | None:
    """Find how a holding answers a query: with all that its format then shows; or that it does not.

    Raises:
      Unsound: it is damaged.
    """
    made = match(query, describe(holding))
    return None if made is None else _widen(made, holding)


def _widen(made: Match, holding: Holding) -> Match:
    paths = find_format(holding.format).widen(holding.credential, made.paths)
    return made._replace(paths=paths)


def _count(value: object) -> int:
    """Count the single values in what is shown."""
    if not isinstance(value, dict | list):
        return 1
    return sum(map(_count, value.values() if isinstance(value, dict) else value))


def _list_transactions(request: PresentationRequest, query_id: str) -> tuple[str, ...]:
    return tuple(
        each
        for each in request.transactions
        if query_id in read_transaction(each).get("credential_ids", ())
    )


def write_answer(request: PresentationRequest, token: Mapping[str, Any]) -> dict[str, str]:
    """Write the form that carries presentations, by query, to the verifier."""
    if request.encryption_key is None:
        return {"vp_token": msgspec.json.encode(token).decode(), "state": request.state}
    raw = msgspec.json.encode({"vp_token": token, "state": request.state})
    header = {"kid": request.encryption_kid} if request.encryption_kid else {}
    return {"response": encrypt_jwe(raw, request.encryption_key, header, request.encryption)}
