"""Requests as a wallet reads them: who asks, proven by its signature, for what, and how to answer.

Source: OpenID4VP 1.0, sections 5.1 to 5.10 and 8.2; RFC 9101; RFC 7519, section 4.1.3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from cryptography import x509

from hansa.identity.dcql.queries import Query, read_query
from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import decode_jws, verify_jws
from hansa.identity.keys.certificates import load_certificate
from hansa.identity.keys.jwk import read_jwk
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.keys.paths import list_names, list_uses, read_x5c, verify_path
from hansa.identity.verifier.requests import (
    AUDIENCE,
    DIRECT_POST,
    DIRECT_POST_JWT,
    REQUEST_TYPE,
)
from hansa.identity.wallet.addresses import read_address, read_parameters
from hansa.identity.wallet.conversation import (
    OK_MAX,
    OK_MIN,
    Conversation,
    get,
    post_form,
    read_answer,
)
from hansa.shapes import tell_shape

REQUEST_BYTES_MAX = 1 << 18
TRANSACTIONS_MAX = 8
OFFER_BEGINS = "openid-credential-offer:"
VERIFIER_USES = frozenset(
    {
        "2.5.29.37.0",  # anything
        "1.3.6.1.5.5.7.3.1",  # a server on the web
        "1.3.6.1.5.5.7.3.2",  # a client on the web
        "1.0.18013.5.1.6",  # a reader of mobile documents
    }
)
"""What a certificate of a verifier may be for, if it says (extended key usage)."""
_WHAT = "the request"

ResolveKey = Callable[[str], PublicKey]
"""Resolves a DID URL to the key it names; raises `Unsound`."""


class Invitation(NamedTuple):
    """What a QR code or a link of a verifier holds."""

    client_id: str
    request_uri: str
    uses_post: bool


class PresentationRequest(NamedTuple):
    """A request whose signature holds."""

    client_id: str
    query: Query
    nonce: str
    state: str
    response_uri: str
    encryption_key: PublicKey | None
    encryption_kid: str
    encryption: str
    transactions: tuple[str, ...]


class _Request(msgspec.Struct, frozen=True):
    client_id: str
    response_type: str
    response_mode: str
    response_uri: str
    nonce: str
    dcql_query: dict[str, Any]
    state: str = ""
    wallet_nonce: str = ""
    exp: float | None = None
    aud: str | tuple[str, ...] = AUDIENCE
    redirect_uri: str | None = None
    client_metadata: dict[str, Any] = {}
    transaction_data: tuple[str, ...] = ()


def read_invitation(uri: str, *, may_be_near: bool = False) -> Invitation:
    """Read what a QR code holds; it may lead to http on this machine only to try things out.

    Raises:
      Unsound: `TOO_LARGE` or `MALFORMED`.
    """
    if len(uri) > REQUEST_BYTES_MAX:
        raise Unsound(Fault.TOO_LARGE, "the request is too long")
    if uri.startswith(OFFER_BEGINS):
        raise Unsound(Fault.MALFORMED, "this is no request but an issuer's offer: receive it")
    query = read_parameters(uri)
    found = [query.get(name, []) for name in ("client_id", "request_uri")]
    if any(len(each) != 1 for each in found):
        raise Unsound(
            Fault.MALFORMED, "this is no request to a wallet: it has one client_id and request_uri"
        )
    ((client_id,), (request_uri,)) = found
    read_address(request_uri, "the place of the request", may_be_near=may_be_near)
    return Invitation(client_id, request_uri, query.get("request_uri_method") == ["post"])


def fetch_request(invitation: Invitation, wallet_nonce: str) -> Conversation[str]:
    """Fetch the signed request to which an invitation leads; `wallet_nonce` goes with a POST.

    Raises:
      Unsound: the verifier has none, or answers nonsense.
    """
    url, accept = invitation.request_uri, f"application/{REQUEST_TYPE}"
    if invitation.uses_post:
        response = yield post_form(url, {"wallet_nonce": wallet_nonce}, {"accept": accept})
    else:
        response = yield get(url, accept)
    if not OK_MIN <= response.status <= OK_MAX:
        read_answer(response, _WHAT)
    try:
        return response.body.decode("ascii").strip()
    except UnicodeDecodeError:
        raise Unsound(Fault.MALFORMED, f"{_WHAT} is no signed token") from None


def read_request(
    token: str,
    invitation: Invitation,
    wallet_nonce: str,
    find_key: Callable[[str, Mapping[str, Any]], PublicKey],
    time_ms: int,
    *,
    may_be_near: bool = False,
) -> PresentationRequest:
    """Read a signed request.

    Args:
      token: as it was fetched.
      invitation: what led to it.
      wallet_nonce: what was sent with a POST; else empty.
      find_key: finds the verifier's key by client id and header.
      time_ms: now.
      may_be_near: whether the answer may go to http on this machine, to try things out.

    Raises:
      Unsound: with the first fault.
    """
    jws = decode_jws(token, _WHAT, REQUEST_BYTES_MAX)
    if jws.header.get("typ") != REQUEST_TYPE:
        raise Unsound(Fault.TYPE, f"the typ of {_WHAT} is not {REQUEST_TYPE}")
    request = _convert(jws.decode_claims(_WHAT))
    if request.client_id != invitation.client_id:
        raise Unsound(Fault.ISSUER, f"{_WHAT} is by another verifier than the invitation")
    verify_jws(jws, find_key(request.client_id, jws.header), _WHAT)
    if request.wallet_nonce != wallet_nonce:
        raise Unsound(Fault.NONCE, f"{_WHAT} was made for another wallet: its wallet_nonce differs")
    if AUDIENCE not in ((request.aud,) if isinstance(request.aud, str) else request.aud):
        raise Unsound(Fault.AUDIENCE, f"{_WHAT} is for another wallet: its aud is not {AUDIENCE}")
    if request.exp is not None and request.exp * 1_000 <= time_ms:
        raise Unsound(Fault.EXPIRED, f"the time of {_WHAT} is over: ask for a new one")
    _check_manner(request, may_be_near=may_be_near)
    query = read_query(request.dcql_query)
    _check_transactions(request.transaction_data, query)
    key, kid, encryption = _find_encryption(request)
    return PresentationRequest(
        request.client_id,
        query,
        request.nonce,
        request.state,
        request.response_uri,
        key,
        kid,
        encryption,
        request.transaction_data,
    )


def _convert(claims: dict[str, Any]) -> _Request:
    try:
        return msgspec.convert(claims, _Request)
    except msgspec.ValidationError as error:
        raise Unsound(Fault.MALFORMED, f"{_WHAT} cannot be read: {tell_shape(error)}") from None


class KeyFinder:
    """Finds a verifier's key by the prefix of its client id."""

    def __init__(self, resolve: ResolveKey, roots: Iterable[bytes], time_ms: int) -> None:
        """Trust what `resolve` says of DIDs, and certificates that lead to `roots` (DER)."""
        self._resolve = resolve
        self._roots = [x509.load_der_x509_certificate(each) for each in roots]
        self._time_ms = time_ms

    def __call__(self, client_id: str, header: Mapping[str, Any]) -> PublicKey:
        """Find the key that must have signed.

        Raises:
          Unsound: `UNSUPPORTED`: of a prefix that is not known here; `ISSUER` or `KEY`.
        """
        prefix, _, name = client_id.partition(":")
        if prefix == "decentralized_identifier":
            kid = header.get("kid")
            if not isinstance(kid, str) or kid.partition("#")[0] != name:
                raise Unsound(Fault.ISSUER, "the request names a key of another DID")
            return self._resolve(kid)
        if prefix not in ("x509_hash", "x509_san_dns"):
            raise Unsound(Fault.UNSUPPORTED, f"verifiers of the kind {prefix[:40]!r} are not known")
        chain = read_x5c(header, _WHAT)
        first = load_certificate(chain[0])
        if prefix == "x509_hash":
            is_its_own = encode_base64url(hashlib.sha256(chain[0]).digest()) == name
        else:
            is_its_own = name in list_names(first)[0]
        if not is_its_own:
            raise Unsound(Fault.ISSUER, f"the certificate is not that of {client_id[:120]!r}")
        uses = list_uses(first)
        if uses is not None and not uses & VERIFIER_USES:
            raise Unsound(Fault.ISSUER, "the certificate of the verifier is for something else")
        return verify_path(chain, self._roots, self._time_ms, "the verifier")


def _check_manner(request: _Request, *, may_be_near: bool) -> None:
    """Check that the request is for a presentation, to an address of the verifier itself."""
    modes = (DIRECT_POST, DIRECT_POST_JWT)
    if request.response_type != "vp_token" or request.response_mode not in modes:
        raise Unsound(Fault.UNSUPPORTED, f"the answer must go by {' or '.join(modes)}")
    if request.redirect_uri is not None:
        raise Unsound(Fault.MALFORMED, "the request must have a response_uri, and no redirect_uri")
    place = read_address(
        request.response_uri, "the response_uri of the request", may_be_near=may_be_near
    )
    prefix, _, name = request.client_id.partition(":")
    if prefix == "x509_san_dns" and place.hostname != name:
        raise Unsound(Fault.ISSUER, f"the answer would go elsewhere than to {name[:120]!r}")
    if not request.nonce:
        raise Unsound(Fault.NONCE, "the request has no nonce")


def _check_transactions(transactions: tuple[str, ...], query: Query) -> None:
    if len(transactions) > TRANSACTIONS_MAX:
        raise Unsound(Fault.TOO_LARGE, f"the request has over {TRANSACTIONS_MAX} transactions")
    for each in transactions:
        data = read_transaction(each)
        ids = data.get("credential_ids")
        if not isinstance(ids, list) or not any(query.find(str(name)) for name in ids):
            raise Unsound(Fault.MALFORMED, "a transaction is for no credential of the request")


def read_transaction(text: str) -> dict[str, Any]:
    """Read transaction data, to be shown to the holder.

    Raises:
      Unsound: `MALFORMED`, `TOO_LARGE` or `DUPLICATE`.
    """
    what = "the transaction"
    return decode_object(decode_base64url(text, what), what)


def _find_encryption(request: _Request) -> tuple[PublicKey | None, str, str]:
    """Find the key to which the answer goes: the first that this wallet can encrypt to."""
    if request.response_mode == DIRECT_POST:
        return None, "", ""
    keys = request.client_metadata.get("jwks")
    listed = keys.get("keys") if isinstance(keys, dict) else None
    offered = request.client_metadata.get("encrypted_response_enc_values_supported", ["A128GCM"])
    encryption = next(
        (each for each in ("A256GCM", "A128GCM") if isinstance(offered, list) and each in offered),
        "",
    )
    for each in listed if isinstance(listed, list) else ():
        is_meant = isinstance(each, dict) and each.get("use", "enc") == "enc"
        if is_meant and each.get("alg") == "ECDH-ES" and each.get("crv") == "P-256" and encryption:
            kid = each.get("kid")
            return read_jwk(each), kid if isinstance(kid, str) else "", encryption
    raise Unsound(Fault.UNSUPPORTED, "the request names no key to which this wallet can encrypt")
