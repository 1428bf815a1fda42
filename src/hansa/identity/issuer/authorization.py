"""The authorisation server of an issuer: from an offer or a person's consent to an access token.

Two flows end at the token endpoint: the pre-authorised code of an offer, with a transaction code
that the person got another way, and the authorisation code of RFC 6749, always by a pushed request
(RFC 9126) and with PKCE. Codes are good once; a token may be bound to the wallet's key (DPoP).

Source: OpenID4VCI 1.0, sections 5 and 6; RFC 6749; RFC 9126; RFC 9207; RFC 9449; RFC 9700.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec

from hansa.identity.encoding.strict_json import decode_json
from hansa.identity.faults import Unsound
from hansa.identity.issuer.bounds import Bound
from hansa.identity.issuer.configurations import IssuerSettings
from hansa.identity.issuer.issuances import Issuance, IssuanceDesk, PreAuthorized
from hansa.identity.issuer.metadata import AUTHORIZATION_CODE, PRE_AUTHORIZED_CODE
from hansa.identity.oauth.attestation import Attested, FindMaker, verify_client
from hansa.identity.oauth.dpop import AGE_MS_MAX, ProvenRequest, verify_dpop
from hansa.identity.oauth.pkce import check_challenge, check_verifier
from hansa.identity.oauth.refusals import Declined, OAuthError
from hansa.identity.store import Kind, Store, decode, hash_key
from hansa.kernel.errors import NotFound
from hansa.shapes import tell_shape

DETAILS_TYPE = "openid_credential"
REQUEST_URI_PREFIX = "urn:ietf:params:oauth:request_uri:"
REQUEST_MS = 300_000
CODE_MS = 60_000
PARAMETER_LETTERS_MAX = 16_384
PUSHED_BYTES_MAX = 4_096
PUSHED_MAX = 50_000
"""Pushed requests that are kept at a time: some 200 MB, if each is as large as it may be."""
SEEN_MAX = 200_000
"""Proofs of wallets that are remembered at a time, some 25 MB: anybody can make one."""
BEARER, DPOP = "Bearer", "DPoP"


class ClientProof(NamedTuple):
    """What came in a request's headers about who sends it; empty where a header is missing."""

    dpop: str = ""
    attestation: str = ""
    attestation_pop: str = ""


class PushedRequest(msgspec.Struct, frozen=True):
    """An authorisation request that a wallet has pushed."""

    client_id: str
    redirect_uri: str
    challenge: str
    configuration_ids: tuple[str, ...]
    uses_details: bool
    state: str
    issuer_state: str
    thumbprint: str
    """Of the key to which the code is bound; empty for none."""


class Grant(msgspec.Struct, frozen=True):
    """What an access token gives: credentials of one issuance."""

    issuance_id: str
    identifiers: tuple[str, ...]
    uses_details: bool
    """Whether credentials are asked for by identifier, or by their configuration."""
    client_id: str
    thumbprint: str


class _Code(msgspec.Struct, frozen=True):
    grant: Grant
    challenge: str
    redirect_uri: str


class AuthorizationServer:
    """Answers the endpoints of OAuth."""

    def __init__(
        self,
        settings: IssuerSettings,
        store: Store,
        desk: IssuanceDesk,
        find_maker: FindMaker = lambda _issuer, _header: None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._desk = desk
        self._find_maker = find_maker
        self._pushed = Bound(PUSHED_MAX, "pushed requests wait for a decision")
        self._seen = Bound(SEEN_MAX, "proofs of wallets were used")

    def push(
        self, parameters: Mapping[str, str], proof: ClientProof, time_ms: int
    ) -> dict[str, Any]:
        """Take a pushed authorisation request, and answer where it is kept (HTTP 201).

        Raises:
          Declined: with the first error that applies.
          Unavailable: too many wait for a decision.
        """
        client_id = self._identify(parameters, proof, time_ms, must_be_known=True)
        redirect_uri = parameters.get("redirect_uri", "")
        if redirect_uri not in self._settings.clients.get(client_id, ()):
            raise _invalid("redirect_uri is not one that this client has registered")
        if parameters.get("response_type") != "code" or "request_uri" in parameters:
            raise _invalid("response_type must be code, and request_uri cannot be pushed")
        challenge = parameters.get("code_challenge", "")
        check_challenge(challenge, parameters.get("code_challenge_method", ""))
        ids, uses_details = self._read_wanted(parameters)
        thumbprint = self._prove(proof, f"{self._settings.url}/par", time_ms)
        named = parameters.get("dpop_jkt", "")
        if thumbprint and named not in ("", thumbprint):
            raise Declined(OAuthError.INVALID_DPOP_PROOF, "dpop_jkt names another key (RFC 9449)")
        pushed = PushedRequest(
            client_id,
            redirect_uri,
            challenge,
            ids,
            uses_details,
            parameters.get("state", ""),
            parameters.get("issuer_state", ""),
            thumbprint or named,
        )
        secret = self._desk.draw_secret()
        raw = msgspec.json.encode(pushed)
        if len(raw) > PUSHED_BYTES_MAX:
            raise _invalid(f"the request has over {PUSHED_BYTES_MAX} bytes: send a shorter state")
        self._pushed.count(time_ms + REQUEST_MS, time_ms)
        self._store.put(Kind.PUSHED, hash_key(secret), raw, time_ms + REQUEST_MS)
        return {"request_uri": REQUEST_URI_PREFIX + secret, "expires_in": REQUEST_MS // 1_000}

    def find_pushed(self, request_uri: str, client_id: str, time_ms: int) -> PushedRequest:
        """Find the request that a person is to decide on.

        Raises:
          Declined: `INVALID_REQUEST`: there is none, or its time is over. Nobody is redirected.
        """
        key = hash_key(request_uri.removeprefix(REQUEST_URI_PREFIX))
        pushed = decode(self._store.get(Kind.PUSHED, key, time_ms), PushedRequest)
        if pushed is None or pushed.client_id != client_id:
            raise _invalid("there is no such request, or its time is over: begin in the wallet")
        return pushed

    def approve(self, request_uri: str, client_id: str, issuance: Issuance, time_ms: int) -> str:
        """Give the wallet what a person, whom the caller has identified, agreed to.

        Returns the address to which the person's browser goes on.

        Raises:
          Declined: `INVALID_REQUEST`: there is no such request any more; `INVALID_SCOPE`: it asks
            for what the issuance does not hold.
        """
        pushed = self.find_pushed(request_uri, client_id, time_ms)
        identifiers = _select(issuance, pushed.configuration_ids)
        key = hash_key(request_uri.removeprefix(REQUEST_URI_PREFIX))
        if self._store.take(Kind.PUSHED, key, time_ms) is None:
            raise _invalid("this request was answered already")
        grant = Grant(issuance.id, identifiers, pushed.uses_details, client_id, pushed.thumbprint)
        code = self._desk.draw_secret()
        raw = msgspec.json.encode(_Code(grant, pushed.challenge, pushed.redirect_uri))
        self._store.put(Kind.CODE, hash_key(code), raw, time_ms + CODE_MS)
        return self._redirect(pushed, {"code": code})

    def approve_offer(self, request_uri: str, client_id: str, tx_code: str, time_ms: int) -> str:
        """Give the wallet what the offer that its request names holds, to whom has its code.

        Returns the address to which the person's browser goes on.

        Raises:
          Declined: as `approve`; `INVALID_GRANT`: the offer is unknown, used or over, or the
            transaction code is wrong.
        """
        pushed = self.find_pushed(request_uri, client_id, time_ms)
        authorized, issuance = self._find_offer(pushed.issuer_state, time_ms)
        if not authorized.tx_code_hash:
            raise _no_grant("this offer is not for a page: scan it with the wallet")
        _select(issuance, pushed.configuration_ids)
        self._use_offer(pushed.issuer_state, authorized, tx_code, time_ms)
        return self.approve(request_uri, client_id, issuance, time_ms)

    def refuse(self, request_uri: str, client_id: str, time_ms: int) -> str:
        """Say that a person did not agree; returns where the browser goes on.

        Raises:
          Declined: `INVALID_REQUEST`: there is no such request any more.
        """
        pushed = self.find_pushed(request_uri, client_id, time_ms)
        self._store.take(
            Kind.PUSHED, hash_key(request_uri.removeprefix(REQUEST_URI_PREFIX)), time_ms
        )
        return self._redirect(pushed, {"error": OAuthError.ACCESS_DENIED.value})

    def give_token(
        self, parameters: Mapping[str, str], proof: ClientProof, time_ms: int
    ) -> dict[str, Any]:
        """Answer the token endpoint.

        Raises:
          Declined: with the first error that applies.
        """
        kind = parameters.get("grant_type")
        if kind not in (PRE_AUTHORIZED_CODE, AUTHORIZATION_CODE):
            raise Declined(
                OAuthError.UNSUPPORTED_GRANT_TYPE,
                f"grant_type must be {AUTHORIZATION_CODE} or {PRE_AUTHORIZED_CODE}",
            )
        is_code = kind == AUTHORIZATION_CODE
        client_id = self._identify(parameters, proof, time_ms, must_be_known=is_code)
        thumbprint = self._prove(proof, f"{self._settings.url}/token", time_ms)
        if is_code:
            grant = self._redeem_code(parameters, client_id, thumbprint, time_ms)
        else:
            grant = self._redeem_pre_authorized(parameters, client_id, time_ms)
        grant = msgspec.structs.replace(grant, thumbprint=thumbprint)
        return self._answer_token(grant, time_ms)

    def check_access(self, authorization: str, proof: ClientProof, url: str, time_ms: int) -> Grant:
        """Check the access token of a POST request to `url`, by its Authorization header.

        Raises:
          Declined: `INVALID_TOKEN` or `INVALID_DPOP_PROOF`.
        """
        scheme, _, token = authorization.partition(" ")
        raw = self._store.get(Kind.TOKEN, hash_key(token.strip()), time_ms)
        grant = decode(raw, Grant)
        expected = DPOP if grant is not None and grant.thumbprint else BEARER
        if grant is None or scheme.casefold() != expected.casefold():
            raise Declined(
                OAuthError.INVALID_TOKEN,
                "the access token is missing, unknown, over or of another scheme",
            )
        if grant.thumbprint and self._prove(proof, url, time_ms, token.strip()) != grant.thumbprint:
            raise Declined(OAuthError.INVALID_TOKEN, "the access token belongs to another key")
        return grant

    def _identify(
        self,
        parameters: Mapping[str, str],
        proof: ClientProof,
        time_ms: int,
        *,
        must_be_known: bool,
    ) -> str:
        """Find out which client asks; an anonymous wallet has no name."""
        if any(len(each) > PARAMETER_LETTERS_MAX for each in parameters.values()):
            raise _invalid(f"a parameter has over {PARAMETER_LETTERS_MAX} letters")
        client_id = parameters.get("client_id", "")
        if proof.attestation or self._settings.rules.needs_attested_wallet:
            attested = self._verify_attested(proof, time_ms)
            if client_id and attested.client_id != client_id:
                raise Declined(OAuthError.INVALID_CLIENT, "the attestation is another client's")
            client_id = attested.client_id
        if must_be_known and client_id not in self._settings.clients:
            raise Declined(
                OAuthError.INVALID_CLIENT, f"no client {client_id[:80]!r} is registered here"
            )
        return client_id

    def _verify_attested(self, proof: ClientProof, time_ms: int) -> Attested:
        attested = verify_client(
            proof.attestation,
            proof.attestation_pop,
            self._settings.url,
            time_ms,
            self._find_maker,
        )
        self._require_first(
            OAuthError.INVALID_CLIENT_ATTESTATION, attested.thumbprint, attested.jti, time_ms
        )
        return attested

    def _prove(self, proof: ClientProof, url: str, time_ms: int, access_token: str = "") -> str:
        """Check a DPoP proof, if there is one; returns the key's thumbprint, or nothing."""
        if not proof.dpop:
            if self._settings.rules.needs_dpop or access_token:
                raise Declined(OAuthError.INVALID_DPOP_PROOF, "send a DPoP proof with this request")
            return ""
        found = verify_dpop(proof.dpop, ProvenRequest("POST", url, access_token), time_ms)
        self._require_first(OAuthError.INVALID_DPOP_PROOF, found.thumbprint, found.jti, time_ms)
        return found.thumbprint

    def _require_first(self, error: OAuthError, thumbprint: str, jti: str, time_ms: int) -> None:
        """Decline a proof that came before, for as long as it could come again."""
        key = hash_key(f"{error.value} {thumbprint} {jti}")
        expires_ms = time_ms + 2 * AGE_MS_MAX
        self._seen.count(expires_ms, time_ms)
        if not self._store.add(Kind.SEEN, key, expires_ms, time_ms):
            raise Declined(error, "this proof was used before: make a new one")

    def _redeem_code(
        self, parameters: Mapping[str, str], client_id: str, thumbprint: str, time_ms: int
    ) -> Grant:
        key = hash_key(parameters.get("code", ""))
        code = decode(self._store.take(Kind.CODE, key, time_ms), _Code)
        if code is None or code.grant.client_id != client_id:
            raise _no_grant("the code is unknown, used or over")
        if parameters.get("redirect_uri", code.redirect_uri) != code.redirect_uri:
            raise _no_grant("redirect_uri is not that of the request")
        check_verifier(parameters.get("code_verifier", ""), code.challenge)
        if code.grant.thumbprint not in ("", thumbprint):
            raise _no_grant("the code is bound to another key")
        return code.grant

    def _redeem_pre_authorized(
        self, parameters: Mapping[str, str], client_id: str, time_ms: int
    ) -> Grant:
        code = parameters.get("pre-authorized_code", "")
        authorized, issuance = self._find_offer(code, time_ms)
        ids, uses_details = self._read_wanted(parameters, issuance)
        tx_code = parameters.get("tx_code", "")
        if bool(tx_code) != bool(authorized.tx_code_hash):
            raise _invalid("tx_code must be sent exactly where the offer asks for it")
        self._use_offer(code, authorized, tx_code, time_ms)
        return Grant(issuance.id, _select(issuance, ids), uses_details, client_id, "")

    def _find_offer(self, code: str, time_ms: int) -> tuple[PreAuthorized, Issuance]:
        raw = self._store.get(Kind.PRE_AUTHORIZED, hash_key(code), time_ms)
        authorized = decode(raw, PreAuthorized)
        if authorized is None:
            raise _no_grant("the pre-authorised code is unknown, used or over: ask for a new offer")
        return authorized, self._find_issuance(authorized.issuance_id, time_ms)

    def _use_offer(self, code: str, authorized: PreAuthorized, tx_code: str, time_ms: int) -> None:
        """Use up an offer, if this is its transaction code or it has none."""
        key = hash_key(code)
        if self._store.take(Kind.PRE_AUTHORIZED, key, time_ms) is None:
            raise _no_grant("the pre-authorised code was used")
        if authorized.tx_code_hash and not hmac.compare_digest(
            hash_key(f"{code} {tx_code}"), authorized.tx_code_hash
        ):
            self._count_try(key, authorized)

    def _count_try(self, key: str, authorized: PreAuthorized) -> None:
        """Put a code back after a wrong transaction code, unless that was the last try."""
        left = authorized.tries_left - 1
        if left > 0:
            again = msgspec.structs.replace(authorized, tries_left=left)
            raw = msgspec.json.encode(again)
            self._store.put(Kind.PRE_AUTHORIZED, key, raw, authorized.expires_ms)
        raise _no_grant(
            f"the transaction code is wrong: {left} more {'try' if left == 1 else 'tries'}"
            if left > 0
            else "the transaction code was wrong too often: ask for a new offer"
        )

    def _find_issuance(self, issuance_id: str, time_ms: int) -> Issuance:
        try:
            return self._desk.get(issuance_id, time_ms)
        except NotFound as error:
            raise _no_grant(error.message) from None

    def _read_wanted(
        self, parameters: Mapping[str, str], offered: Issuance | None = None
    ) -> tuple[tuple[str, ...], bool]:
        """Read which credentials a request is for, and whether it says so by details.

        A request that names none is for all that are offered.
        """
        details = parameters.get("authorization_details")
        if details is not None:
            return self._read_details(details), True
        scopes = parameters.get("scope", "").split()
        known = self._settings.configurations
        if not scopes and offered is not None:
            return tuple(dict.fromkeys(each.configuration_id for each in offered.datasets)), False
        unknown = set(scopes) - {each.scope for each in known}
        if unknown or not scopes:
            raise Declined(
                OAuthError.INVALID_SCOPE,
                "scope or authorization_details must name credentials of this issuer",
            )
        within = {each.configuration_id for each in offered.datasets} if offered else None
        return tuple(
            each.id
            for each in known
            if each.scope in scopes and (within is None or each.id in within)
        ), False

    def _read_details(self, text: str) -> tuple[str, ...]:
        try:
            value = decode_json(text, "authorization_details", PARAMETER_LETTERS_MAX)
            details = msgspec.convert(value, tuple[_Detail, ...])
        except (Unsound, msgspec.ValidationError) as error:
            why = error.message if isinstance(error, Unsound) else tell_shape(error)
            raise _invalid(f"authorization_details cannot be read: {why}") from None
        ids = tuple(dict.fromkeys(each.credential_configuration_id for each in details))
        if not ids or any(each.type != DETAILS_TYPE for each in details):
            raise _invalid(f"authorization_details must be objects of type {DETAILS_TYPE}")
        if any(self._settings.find(each) is None for each in ids):
            raise _invalid("authorization_details name a credential that this issuer has not")
        return ids

    def _answer_token(self, grant: Grant, time_ms: int) -> dict[str, Any]:
        issuance = self._find_issuance(grant.issuance_id, time_ms)
        chosen = [each for each in issuance.datasets if each.identifier in grant.identifiers]
        rules = self._settings.rules
        waits = any(each.claims is None for each in chosen)
        lifetime_ms = rules.deferred_ms if waits else rules.token_ms
        token = self._desk.draw_secret()
        raw = msgspec.json.encode(grant)
        self._store.put(Kind.TOKEN, hash_key(token), raw, time_ms + lifetime_ms)
        answer: dict[str, Any] = {
            "access_token": token,
            "token_type": DPOP if grant.thumbprint else BEARER,
            "expires_in": lifetime_ms // 1_000,
        }
        if grant.uses_details:
            by_configuration: dict[str, list[str]] = {}
            for each in chosen:
                by_configuration.setdefault(each.configuration_id, []).append(each.identifier)
            answer["authorization_details"] = [
                {
                    "type": DETAILS_TYPE,
                    "credential_configuration_id": configuration_id,
                    "credential_identifiers": identifiers,
                }
                for configuration_id, identifiers in by_configuration.items()
            ]
        return answer

    def _redirect(self, pushed: PushedRequest, result: dict[str, str]) -> str:
        """Compute where the browser goes on: to the wallet, and `iss` says from whom."""
        told = result | {"iss": self._settings.url}
        if pushed.state:
            told["state"] = pushed.state
        mark = "&" if urlsplit(pushed.redirect_uri).query else "?"
        return f"{pushed.redirect_uri}{mark}{urlencode(told)}"


class _Detail(msgspec.Struct, frozen=True):
    type: str
    credential_configuration_id: str


def _select(issuance: Issuance, ids: tuple[str, ...]) -> tuple[str, ...]:
    """Select the datasets of an issuance that a request is for."""
    found = tuple(each.identifier for each in issuance.datasets if each.configuration_id in ids)
    if {each.configuration_id for each in issuance.datasets}.issuperset(ids) and found:
        return found
    raise Declined(OAuthError.INVALID_SCOPE, "the offer does not hold the credentials asked for")


def _invalid(why: str) -> Declined:
    return Declined(OAuthError.INVALID_REQUEST, why)


def _no_grant(why: str) -> Declined:
    return Declined(OAuthError.INVALID_GRANT, why)
