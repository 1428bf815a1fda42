"""Presenting: what would answer a request, and, once the holder agrees, the answer itself.

Source: OpenID4VP 1.0, sections 6.4, 8.1 to 8.5 and appendixes B.2 and B.3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from hansa.identity.dcql.matching import Match, select
from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jwe import encrypt_jwe
from hansa.identity.keys.jwk import compute_thumbprint
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.keys.signing import Signer
from hansa.identity.mdoc.presenting import Selection, create_device_response
from hansa.identity.mdoc.transcripts import create_redirect_transcript
from hansa.identity.sd_jwt.paths import Path
from hansa.identity.sd_jwt.presentation import bind_sd_jwt, select_disclosures
from hansa.identity.sd_jwt.serialization import SdJwt, decode_sd_jwt
from hansa.identity.sd_jwt.verification import Challenge
from hansa.identity.wallet.conversation import Conversation, post_form, read_answer
from hansa.identity.wallet.holdings import MDOC, Disclosure, Holding, describe
from hansa.identity.wallet.requests import PresentationRequest, read_transaction

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
    selection = select(request.query, candidates)
    return Proposal(request, selection.matches, selection.missing)


def present(
    proposal: Proposal, holdings: Sequence[Holding], find_signer: FindSigner, time_ms: int
) -> Conversation[Answered]:
    """Answer a request as proposed; the holder has agreed.

    Raises:
      Unsound: something is missing, or the verifier does not take the answer.
    """
    if proposal.missing:
        raise Unsound(Fault.UNRESOLVED, "; ".join(proposal.missing))
    held = {each.id: each for each in holdings}
    request = proposal.request
    token: dict[str, list[str]] = {}
    for query_id, match in proposal.matches.items():
        holding = held[match.candidate.id]
        transactions = _list_transactions(request, query_id)
        if holding.format == MDOC:
            shown = _show_document(request, holding, match.paths, transactions, find_signer)
        else:
            query = request.query.find(query_id)
            is_asked = query is None or query.require_cryptographic_holder_binding
            sd_jwt = select_disclosures(decode_sd_jwt(holding.credential), match.paths)
            if holding.key is not None and (is_asked or transactions):
                signer = find_signer(holding.key)
                sd_jwt = _bind(request, sd_jwt, signer, transactions, time_ms)
            shown = sd_jwt.encode()
        token[query_id] = [shown]
    answer = yield post_form(request.response_uri, _write_answer(request, token))
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
            match.candidate.id,
            match.paths,
            _list_transactions(request, query_id),
        )
        for query_id, match in proposal.matches.items()
    )


def decline(request: PresentationRequest, why: str) -> Conversation[None]:
    """Tell a verifier that the holder does not agree.

    Raises:
      Unsound: the verifier does not take the answer.
    """
    form = {"error": "access_denied", "error_description": why, "state": request.state}
    read_answer((yield post_form(request.response_uri, form)), "the refusal")


def _bind(
    request: PresentationRequest,
    shown: SdJwt,
    signer: Signer,
    transactions: tuple[str, ...],
    time_ms: int,
) -> SdJwt:
    """Sign what is shown for this verifier, and the hashes of transactions that it authorises."""
    claims = {}
    if transactions:
        hashes = [hashlib.sha256(each.encode()).digest() for each in transactions]
        claims["transaction_data_hashes"] = [encode_base64url(each) for each in hashes]
    challenge = Challenge(request.client_id, request.nonce)
    return bind_sd_jwt(shown, signer, challenge, time_ms // 1_000, claims)


def _show_document(
    request: PresentationRequest,
    holding: Holding,
    paths: Sequence[Path],
    transactions: tuple[str, ...],
    find_signer: FindSigner,
) -> str:
    """Show elements of a mobile document, signed with its device key for this verifier."""
    if holding.key is None or transactions:
        raise Unsound(Fault.UNSUPPORTED, "a mobile document authorises no transactions here")
    key = request.encryption_key
    transcript = create_redirect_transcript(
        request.client_id,
        request.nonce,
        request.response_uri,
        None if key is None else decode_base64url(compute_thumbprint(key), "the thumbprint"),
    )
    issued = decode_base64url(holding.credential, "the document")
    selection = Selection(issued, _list_names(paths), find_signer(holding.key))
    return encode_base64url(create_device_response([selection], transcript))


def _list_names(paths: Sequence[Path]) -> dict[str, set[str]]:
    """List elements by namespace; OpenID4VP 1.0, section 7.2, has no other paths for them."""
    names: dict[str, set[str]] = {}
    for path in paths:
        match path:
            case (str() as namespace, str() as name):
                names.setdefault(namespace, set()).add(name)
            case _:
                raise Unsound(
                    Fault.MALFORMED, "elements of a document are asked for by namespace and name"
                )
    return names


def _list_transactions(request: PresentationRequest, query_id: str) -> tuple[str, ...]:
    return tuple(
        each
        for each in request.transactions
        if query_id in read_transaction(each).get("credential_ids", ())
    )


def _write_answer(request: PresentationRequest, token: Mapping[str, list[str]]) -> dict[str, str]:
    if request.encryption_key is None:
        return {"vp_token": msgspec.json.encode(token).decode(), "state": request.state}
    raw = msgspec.json.encode({"vp_token": token, "state": request.state})
    header = {"kid": request.encryption_kid} if request.encryption_kid else {}
    return {"response": encrypt_jwe(raw, request.encryption_key, header, request.encryption)}
