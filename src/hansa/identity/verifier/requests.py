"""Requests: what a verifier signs and a wallet fetches.

Source: OpenID4VP 1.0, sections 5 and 11; RFC 9101; HAIP 1.0, section 5.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.issuer.metadata import describe_encryption_key
from hansa.identity.jose.jwe import ENCRYPTIONS
from hansa.identity.jose.jws import sign_jws
from hansa.identity.keys.certificates import load_certificate
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.keys.paths import list_names
from hansa.identity.keys.signing import Signer

REQUEST_TYPE = "oauth-authz-req+jwt"
AUDIENCE = "https://self-issued.me/v2"
"""Of a request to a wallet that is not known beforehand: section 5.8."""
SCHEME = "openid4vp"
DIRECT_POST, DIRECT_POST_JWT = "direct_post", "direct_post.jwt"
SIGNATURES = ("ES256", "ES384", "EdDSA", "ES256K")
COSE_SIGNATURES = (-7, -9, -35, -51, -8, -19, -47)
"""ES256, ES384 and EdDSA by their old names and by those of RFC 9864; ES256K."""


class VerifierIdentity(NamedTuple):
    """Who a verifier is to wallets, and with which key it signs requests."""

    client_id: str
    """With its prefix; also the audience of presentations."""
    signer: Signer
    header: dict[str, Any]
    """What leads a wallet to the key: `kid` or `x5c`."""

    @classmethod
    def of_did(cls, did: str, kid: str, signer: Signer) -> VerifierIdentity:
        """A verifier that is known by its DID."""
        return cls(f"decentralized_identifier:{did}", signer, {"kid": kid})

    @classmethod
    def of_certificate(cls, chain: tuple[bytes, ...], signer: Signer) -> VerifierIdentity:
        """A verifier that is known by its certificate (DER, its own first): `x509_hash`."""
        digest = encode_base64url(hashlib.sha256(chain[0]).digest())
        return cls(f"x509_hash:{digest}", signer, _write_chain(chain))

    @classmethod
    def of_host(cls, name: str, chain: tuple[bytes, ...], signer: Signer) -> VerifierIdentity:
        """A verifier that is known by a domain name in its certificate: `x509_san_dns`.

        Raises:
          Unsound: `KEY`: the certificate does not hold that name.
        """
        if name not in list_names(load_certificate(chain[0]))[0]:
            raise Unsound(Fault.KEY, f"the certificate is not for the domain {name!r}")
        return cls(f"x509_san_dns:{name}", signer, _write_chain(chain))


class RequestParts(NamedTuple):
    """What one request asks."""

    response_uri: str
    query: dict[str, Any]
    """DCQL."""
    nonce: str
    state: str
    encryption_key: PublicKey | None
    """To which the answer is to be encrypted; None for an open answer."""
    transaction_data: tuple[str, ...]
    expires_ms: int
    formats: Mapping[str, Any]
    """`vp_formats_supported`."""


def build_request(identity: VerifierIdentity, parts: RequestParts, time_ms: int) -> dict[str, Any]:
    """Build the request object that is signed."""
    metadata: dict[str, Any] = {"vp_formats_supported": parts.formats}
    if parts.encryption_key is not None:
        metadata["jwks"] = {"keys": [describe_encryption_key(parts.encryption_key)]}
        metadata["encrypted_response_enc_values_supported"] = list(ENCRYPTIONS)
    request: dict[str, Any] = {
        "client_id": identity.client_id,
        "aud": AUDIENCE,
        "response_type": "vp_token",
        "response_mode": DIRECT_POST if parts.encryption_key is None else DIRECT_POST_JWT,
        "response_uri": parts.response_uri,
        "dcql_query": parts.query,
        "nonce": parts.nonce,
        "state": parts.state,
        "client_metadata": metadata,
        "iat": time_ms // 1_000,
        "exp": parts.expires_ms // 1_000,
    }
    if parts.transaction_data:
        request["transaction_data"] = list(parts.transaction_data)
    return request


def sign_request(identity: VerifierIdentity, request: dict[str, Any], wallet_nonce: str) -> str:
    """Sign a request, with the nonce of the wallet that fetches it if it sent one."""
    if wallet_nonce:
        request = request | {"wallet_nonce": wallet_nonce}
    header = {"typ": REQUEST_TYPE, **identity.header}
    return sign_jws(identity.signer, header, msgspec.json.encode(request))


def write_request_uri(client_id: str, request_uri: str) -> str:
    """Write the URI that opens a wallet and leads to a request: what the QR code holds."""
    query = {"client_id": client_id, "request_uri": request_uri, "request_uri_method": "post"}
    return f"{SCHEME}://?{urlencode(query, quote_via=quote)}"


def _write_chain(chain: tuple[bytes, ...]) -> dict[str, Any]:
    return {"x5c": [base64.b64encode(each).decode() for each in chain]}
