"""Credential offers: what a desk shows as a QR code, and a wallet reads.

Source: OpenID4VCI 1.0, section 4.1.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.faults import Fault, Unsound
from hansa.identity.issuer.metadata import AUTHORIZATION_CODE, PRE_AUTHORIZED_CODE
from hansa.shapes import tell_shape

SCHEME = "openid-credential-offer"
REQUEST_BEGINS = "openid4vp:"
OFFER_BYTES_MAX = 16_384
TX_CODE_DIGITS = 6


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What an issuer offers, and how a wallet may get it."""

    credential_issuer: str
    credential_configuration_ids: tuple[str, ...]
    grants: dict[str, dict[str, Any]] = {}

    @property
    def pre_authorized_code(self) -> str:
        """The code for the flow without an authorisation page; empty if that is not offered."""
        return str(self.grants.get(PRE_AUTHORIZED_CODE, {}).get("pre-authorized_code", ""))

    @property
    def tx_code(self) -> dict[str, Any] | None:
        """What the transaction code is like that must come with it, or None."""
        found = self.grants.get(PRE_AUTHORIZED_CODE, {}).get("tx_code")
        return found if isinstance(found, dict) else None

    @property
    def issuer_state(self) -> str:
        """What an authorisation request repeats, so that the issuer knows the offer."""
        return str(self.grants.get(AUTHORIZATION_CODE, {}).get("issuer_state", ""))


def build_offer(
    issuer: str,
    configuration_ids: tuple[str, ...],
    code: str,
    *,
    needs_tx_code: bool,
    has_page: bool = False,
) -> Offer:
    """Build an offer; the code is the pre-authorised one and, with a page, the issuer's state."""
    pre_authorized: dict[str, Any] = {"pre-authorized_code": code}
    if needs_tx_code:
        pre_authorized["tx_code"] = {
            "input_mode": "numeric",
            "length": TX_CODE_DIGITS,
            "description": "The code that the issuer gave you beside this offer",
        }
    grants = {PRE_AUTHORIZED_CODE: pre_authorized}
    if has_page:
        grants[AUTHORIZATION_CODE] = {"issuer_state": code}
    return Offer(
        credential_issuer=issuer,
        credential_configuration_ids=configuration_ids,
        grants=grants,
    )


def write_offer(offer: Offer) -> dict[str, Any]:
    """Write an offer as the JSON object that wallets read."""
    found: dict[str, Any] = msgspec.to_builtins(offer)
    return found


def write_offer_uri(offer: Offer) -> str:
    """Write an offer as the URI that opens a wallet, with the offer in it."""
    text = msgspec.json.encode(write_offer(offer)).decode()
    return f"{SCHEME}://?credential_offer={quote(text, safe='')}"


def write_reference_uri(url: str) -> str:
    """Write the URI that opens a wallet and leads to an offer: short enough for a QR code."""
    return f"{SCHEME}://?credential_offer_uri={quote(url, safe='')}"


def read_offer_uri(uri: str) -> Offer | str:
    """Read what a QR code holds: the offer itself, or the https address at which it lies.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED` or `DUPLICATE`.
    """
    if len(uri) > OFFER_BYTES_MAX:
        raise Unsound(Fault.TOO_LARGE, f"the offer has {len(uri)} letters, over {OFFER_BYTES_MAX}")
    if uri.startswith(REQUEST_BEGINS):
        raise Unsound(
            Fault.MALFORMED, "this is no offer but a verifier's request: present something to it"
        )
    try:
        query = parse_qs(urlsplit(uri).query, strict_parsing=True)
    except ValueError:
        raise _no_offer() from None
    offers = query.get("credential_offer", []) + query.get("credential_offer_uri", [])
    if len(offers) != 1:
        raise _no_offer()
    return read_offer(offers[0]) if "credential_offer" in query else offers[0]


def read_offer(raw: bytes | str) -> Offer:
    """Read an offer's JSON.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED` or `DUPLICATE`.
    """
    value = decode_object(raw, "the offer", OFFER_BYTES_MAX)
    try:
        offer = msgspec.convert(value, Offer)
    except msgspec.ValidationError as error:
        raise Unsound(
            Fault.MALFORMED, f"the offer is no credential offer: {tell_shape(error)}"
        ) from None
    ids = offer.credential_configuration_ids
    if not ids or len(set(ids)) < len(ids):
        raise Unsound(Fault.MALFORMED, "the offer must name credentials, each once")
    return offer


def _no_offer() -> Unsound:
    return Unsound(
        Fault.MALFORMED,
        "this is no offer: it has one of credential_offer and credential_offer_uri, once",
    )
