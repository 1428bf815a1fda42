"""Receiving: from an offer to credentials, as a wallet by OpenID4VCI.

Source: OpenID4VCI 1.0, sections 3.4, 3.5, 5.1.2, 6, 7, 8, 9, 11 and 12.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.issuer.metadata import (
    AUTHORIZATION_CODE,
    PRE_AUTHORIZED_CODE,
    locate_metadata,
)
from hansa.identity.issuer.offers import Offer, read_offer
from hansa.identity.issuer.possession import PROOF_TYPE
from hansa.identity.jose.jws import sign_jws
from hansa.identity.keys.jwk import write_jwk
from hansa.identity.keys.signing import Signer
from hansa.identity.oauth.dpop import ProvenRequest, make_dpop
from hansa.identity.oauth.pkce import METHOD, compute_challenge, make_verifier
from hansa.identity.wallet.addresses import read_address, read_parameters
from hansa.identity.wallet.conversation import (
    OK_MAX,
    OK_MIN,
    Conversation,
    get,
    post_form,
    post_json,
    read_answer,
)
from hansa.shapes import tell_shape

ACCEPTED = 202
KEYS_MAX = 32
COPIES = 5
"""Of a credential, where the holder names no other number."""


class Instance(NamedTuple):
    """This wallet, as it is to issuers."""

    dpop: Signer
    """The key to which it binds access tokens."""
    draw: Callable[[int], bytes]
    now_ms: Callable[[], int]
    client_id: str = ""
    redirect_uri: str = ""


class Batches(msgspec.Struct, frozen=True):
    """How many copies of a credential an issuer gives at once."""

    batch_size: int = 1


class IssuerInfo(msgspec.Struct, frozen=True):
    """What a wallet reads of an issuer's metadata."""

    credential_issuer: str
    credential_endpoint: str
    credential_configurations_supported: dict[str, dict[str, Any]]
    nonce_endpoint: str = ""
    deferred_credential_endpoint: str = ""
    notification_endpoint: str = ""
    authorization_servers: tuple[str, ...] = ()
    display: tuple[dict[str, Any], ...] = ()
    batch_credential_issuance: Batches = Batches()


class ServerInfo(msgspec.Struct, frozen=True):
    """What a wallet reads of an authorisation server's metadata."""

    issuer: str
    token_endpoint: str
    authorization_endpoint: str = ""
    pushed_authorization_request_endpoint: str = ""
    dpop_signing_alg_values_supported: tuple[str, ...] = ()


class Source(NamedTuple):
    """Where credentials come from."""

    issuer: IssuerInfo
    server: ServerInfo


class Authorization(NamedTuple):
    """A flow that goes on in the person's browser."""

    url: str
    state: str
    verifier: str


class Access(msgspec.Struct, frozen=True):
    """An access token, and what it is for."""

    access_token: str
    token_type: str
    authorization_details: tuple[dict[str, Any], ...] = ()


class Received(NamedTuple):
    """Credentials that came, one for each key; or the number under which they wait."""

    configuration_id: str
    credentials: tuple[Any, ...] = ()
    notification_id: str = ""
    transaction_id: str = ""
    interval_s: int = 0


def fetch_offer(url: str) -> Conversation[Offer]:
    """Fetch an offer from where its URI leads.

    Raises:
      Unsound: there is none.
    """
    response = yield get(url)
    if not OK_MIN <= response.status <= OK_MAX:
        read_answer(response, "the offer")
    return read_offer(response.body)


def discover(offer: Offer, *, may_be_near: bool = False) -> Conversation[Source]:
    """Find out about the issuer of an offer, and check that it is the one it says.

    It may be at http on this machine only to try things out.

    Raises:
      Unsound: the answers are not those of this issuer.
    """
    read_address(offer.credential_issuer, "the issuer of the offer", may_be_near=may_be_near)
    place = locate_metadata(offer.credential_issuer, "openid-credential-issuer")
    issuer = _convert((yield get(place)), IssuerInfo, "the issuer's metadata")
    if issuer.credential_issuer != offer.credential_issuer:
        raise Unsound(Fault.ISSUER, f"{place} is the metadata of {issuer.credential_issuer!r}")
    unknown = set(offer.credential_configuration_ids) - set(
        issuer.credential_configurations_supported
    )
    if unknown:
        raise Unsound(Fault.TYPE, f"the issuer does not know its own {min(unknown)!r}")
    _check_endpoints(issuer, may_be_near=may_be_near)
    server_url = (*issuer.authorization_servers, offer.credential_issuer)[0]
    what = "the authorisation server of the issuer"
    read_address(server_url, what, may_be_near=may_be_near)
    place = locate_metadata(server_url, "oauth-authorization-server")
    server = _convert((yield get(place)), ServerInfo, "the authorisation server's metadata")
    if server.issuer != server_url:
        raise Unsound(Fault.ISSUER, f"{place} is the metadata of {server.issuer!r}")
    _check_endpoints(server, may_be_near=may_be_near)
    return Source(issuer, server)


def redeem_offer(
    source: Source, offer: Offer, tx_code: str, instance: Instance
) -> Conversation[Access]:
    """Get an access token for an offer's pre-authorised code.

    Raises:
      Unsound: the offer has none, the transaction code is none of that form (nothing is sent: a
        wrong one would cost a try), or the issuer declines.
    """
    if not offer.pre_authorized_code:
        raise Unsound(Fault.UNSUPPORTED, "the offer has no pre-authorised code")
    form = {"grant_type": PRE_AUTHORIZED_CODE, "pre-authorized_code": offer.pre_authorized_code}
    if offer.tx_code is not None:
        form["tx_code"] = _read_code(offer.tx_code, tx_code)
    if instance.client_id:
        form["client_id"] = instance.client_id
    return (yield from _ask_token(source, form, instance))


def _read_code(described: Mapping[str, Any], typed: str) -> str:
    """Read a code as it was typed; digits may stand in groups."""
    is_number = described.get("input_mode", "numeric") == "numeric"
    code = "".join(typed.split()) if is_number else typed
    length, letters = described.get("length"), "digits" if is_number else "letters"
    is_wrong = type(length) is int and len(code) != length
    if not code or is_wrong or (is_number and not (code.isascii() and code.isdigit())):
        form = f"{length} {letters}" if type(length) is int else f"made of {letters}"
        raise Unsound(Fault.MALFORMED, f"the code is {form}: this one was not sent, type it again")
    return code


def begin_authorization(
    source: Source, offer: Offer, instance: Instance
) -> Conversation[Authorization]:
    """Push an authorisation request for what is offered, and tell where the person goes.

    Raises:
      Unsound: the issuer does not take it.
    """
    supported = source.issuer.credential_configurations_supported
    scopes = [supported[each].get("scope") for each in offer.credential_configuration_ids]
    if not all(isinstance(each, str) for each in scopes):
        raise Unsound(Fault.UNSUPPORTED, "a credential of the offer has no scope")
    verifier, state = make_verifier(instance.draw), encode_base64url(instance.draw(32))
    form = {
        "response_type": "code",
        "client_id": instance.client_id,
        "redirect_uri": instance.redirect_uri,
        "code_challenge": compute_challenge(verifier),
        "code_challenge_method": METHOD,
        "scope": " ".join(map(str, scopes)),
        "state": state,
    }
    form |= _name_resource(source)
    if offer.issuer_state:
        form["issuer_state"] = offer.issuer_state
    url = source.server.pushed_authorization_request_endpoint
    answer = read_answer((yield post_form(url, form, _prove(instance, url))), "the request")
    request_uri = answer.get("request_uri")
    if not isinstance(request_uri, str):
        raise Unsound(Fault.MALFORMED, "the pushed request got no request_uri")
    query = urlencode(
        {"client_id": instance.client_id, "request_uri": request_uri}, quote_via=quote
    )
    return Authorization(f"{source.server.authorization_endpoint}?{query}", state, verifier)


def finish_authorization(
    source: Source, begun: Authorization, returned: str, instance: Instance
) -> Conversation[Access]:
    """Get an access token with what the browser brought back to the wallet.

    Raises:
      Unsound: it belongs to another request or server, the person declined, or the server does.
    """
    found = read_parameters(returned, is_strict=False)
    query = {name: values[0] for name, values in found.items() if len(values) == 1}
    if query.get("state") != begun.state or query.get("iss") != source.server.issuer:
        raise Unsound(Fault.NONCE, "this answer belongs to another request, or to another server")
    if "code" not in query:
        raise Unsound(Fault.UNRESOLVED, f"it was declined: {query.get('error', '')[:80]}")
    form = {
        "grant_type": AUTHORIZATION_CODE,
        "client_id": instance.client_id,
        "redirect_uri": instance.redirect_uri,
        "code": query["code"],
        "code_verifier": begun.verifier,
    }
    return (yield from _ask_token(source, form, instance))


def request_credential(
    source: Source,
    access: Access,
    configuration_id: str,
    keys: Sequence[Signer],
    instance: Instance,
) -> Conversation[Received]:
    """Ask for a credential, bound to each of these keys.

    Raises:
      Unsound: the issuer declines, or answers nonsense.
    """
    request: dict[str, Any] = _name_wanted(access, configuration_id)
    configuration = source.issuer.credential_configurations_supported.get(configuration_id)
    if configuration is None:
        raise Unsound(Fault.TYPE, f"the issuer has no credential {configuration_id[:120]!r}")
    if "proof_types_supported" in configuration:
        if not 0 < len(keys) <= KEYS_MAX:
            raise Unsound(Fault.KEY, f"a credential is bound to 1 to {KEYS_MAX} keys")
        nonce = yield from _ask_nonce(source)
        request["proofs"] = {"jwt": [_prove_key(each, source, nonce, instance) for each in keys]}
    url = source.issuer.credential_endpoint
    response = yield post_json(url, request, _authorize(access, instance, url))
    return _read_credentials(
        configuration_id, read_answer(response, "the credential"), response.status
    )


def fetch_deferred(
    source: Source, access: Access, waiting: Received, instance: Instance
) -> Conversation[Received]:
    """Ask once more for a credential that was not ready.

    Raises:
      Unsound: the issuer declines, or answers nonsense.
    """
    url = source.issuer.deferred_credential_endpoint
    sent = {"transaction_id": waiting.transaction_id}
    response = yield post_json(url, sent, _authorize(access, instance, url))
    return _read_credentials(
        waiting.configuration_id, read_answer(response, "the credential"), response.status
    )


def notify(
    source: Source, access: Access, received: Received, event: str, instance: Instance
) -> Conversation[None]:
    """Tell the issuer what became of its credentials, where it wants to know.

    Raises:
      Unsound: the issuer does not take it.
    """
    url = source.issuer.notification_endpoint
    if not url or not received.notification_id:
        return
    sent = {"notification_id": received.notification_id, "event": event}
    response = yield post_json(url, sent, _authorize(access, instance, url))
    if response.body or response.status >= _BAD:
        read_answer(response, "the notification")


_BAD = 400


def _name_resource(source: Source) -> dict[str, str]:
    """Name for whom a token is, where its server serves others, too (RFC 8707).

    Without, an issuer that names another's server would get tokens that count there.
    """
    issuer = source.issuer.credential_issuer
    return {} if source.server.issuer == issuer else {"resource": issuer}


def _ask_token(source: Source, form: dict[str, str], instance: Instance) -> Conversation[Access]:
    form = form | _name_resource(source)
    url = source.server.token_endpoint
    proof = _prove(instance, url) if source.server.dpop_signing_alg_values_supported else {}
    response = yield post_form(url, form, proof)
    access: Access = _convert(response, Access, "the access token")
    if not all("!" <= letter <= "~" for letter in access.access_token + access.token_type):
        raise Unsound(Fault.MALFORMED, "the access token has letters that do not belong into one")
    return access


def _ask_nonce(source: Source) -> Conversation[str]:
    if not source.issuer.nonce_endpoint:
        return ""
    answer = read_answer((yield post_form(source.issuer.nonce_endpoint, {})), "the nonce")
    nonce = answer.get("c_nonce")
    if not isinstance(nonce, str):
        raise Unsound(Fault.MALFORMED, "the issuer gave no nonce")
    return nonce


def _check_endpoints(found: IssuerInfo | ServerInfo, *, may_be_near: bool) -> None:
    """Refuse metadata that would send the wallet, or a browser, anywhere but by https."""
    for name in found.__struct_fields__:
        url = getattr(found, name)
        if name.endswith("_endpoint") and url:
            read_address(url, f"{name} of the metadata", may_be_near=may_be_near)


def _name_wanted(access: Access, configuration_id: str) -> dict[str, Any]:
    """Name a credential by identifier where the token came with those, else by configuration."""
    for each in access.authorization_details:
        identifiers = each.get("credential_identifiers")
        is_meant = each.get("credential_configuration_id") == configuration_id
        if is_meant and isinstance(identifiers, list) and identifiers:
            return {"credential_identifier": identifiers[0]}
    return {"credential_configuration_id": configuration_id}


def _prove_key(key: Signer, source: Source, nonce: str, instance: Instance) -> str:
    claims: dict[str, Any] = {
        "aud": source.issuer.credential_issuer,
        "iat": instance.now_ms() // 1_000,
    }
    if nonce:
        claims["nonce"] = nonce
    if instance.client_id:
        claims["iss"] = instance.client_id
    header = {"typ": PROOF_TYPE, "jwk": write_jwk(key.public_key)}
    return sign_jws(key, header, msgspec.json.encode(claims))


def _prove(instance: Instance, url: str, access_token: str = "") -> dict[str, str]:
    jti = encode_base64url(instance.draw(16))
    request = ProvenRequest("POST", url, access_token)
    return {"dpop": make_dpop(instance.dpop, request, jti, instance.now_ms())}


def _authorize(access: Access, instance: Instance, url: str) -> dict[str, str]:
    bearer = {"authorization": f"{access.token_type} {access.access_token}"}
    if access.token_type.casefold() != "dpop":
        return bearer
    return bearer | _prove(instance, url, access.access_token)


def _read_credentials(configuration_id: str, answer: dict[str, Any], status: int) -> Received:
    transaction_id, interval = answer.get("transaction_id"), answer.get("interval", 5)
    if status == ACCEPTED and isinstance(transaction_id, str) and isinstance(interval, int):
        return Received(configuration_id, transaction_id=transaction_id, interval_s=interval)
    found = answer.get("credentials")
    if not isinstance(found, list) or not found or not all(isinstance(x, dict) for x in found):
        raise Unsound(Fault.MALFORMED, "the issuer sent no credentials")
    credentials = tuple(each.get("credential") for each in found)
    if not all(isinstance(each, str | dict) for each in credentials):
        raise Unsound(Fault.MALFORMED, "the issuer sent no credentials")
    notification_id = answer.get("notification_id")
    return Received(
        configuration_id,
        credentials,
        notification_id if isinstance(notification_id, str) else "",
    )


def _convert(response: Any, kind: type[Any], what: str) -> Any:  # noqa: ANN401 - one of three answers
    try:
        return msgspec.convert(read_answer(response, what), kind)
    except msgspec.ValidationError as error:
        raise Unsound(Fault.MALFORMED, f"{what}: {tell_shape(error)}") from None
