"""What an issuer says of itself to wallets, as credential issuer and as authorisation server.

Source: OpenID4VCI 1.0, sections 12.2 and 12.3; RFC 8414; RFC 9126, section 5; RFC 9449, section
5.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hansa.identity.issuer.configurations import (
    BINDING_ALGORITHMS,
    BINDING_METHODS,
    JWT_VC,
    LDP,
    MDOC,
    SD_JWT,
    Configuration,
    IssuerSettings,
)
from hansa.identity.jose.jwe import AGREEMENT, ENCRYPTIONS
from hansa.identity.jose.jws import sign_jws
from hansa.identity.keys.jwk import compute_thumbprint, write_jwk
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.keys.signing import Signer

AUTHORIZATION_CODE = "authorization_code"
PRE_AUTHORIZED_CODE = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
SIGNED_TYPE = "openidvci-issuer-metadata+jwt"


def locate_metadata(issuer: str, name: str) -> str:
    """Compute where the metadata of an issuer lies: the name goes between host and path."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}/.well-known/{name}{parts.path.rstrip('/')}"


def build_issuer_metadata(
    settings: IssuerSettings, encryption_key: PublicKey | None
) -> dict[str, Any]:
    """Build what `.well-known/openid-credential-issuer` answers.

    With an encryption key (P-256), requests and answers may be encrypted.
    """
    url = settings.url
    metadata: dict[str, Any] = {
        "credential_issuer": url,
        "credential_endpoint": f"{url}/credential",
        "nonce_endpoint": f"{url}/nonce",
        "deferred_credential_endpoint": f"{url}/deferred_credential",
        "notification_endpoint": f"{url}/notification",
        "credential_configurations_supported": {
            each.id: _describe(each) for each in settings.configurations
        },
    }
    if settings.display:
        metadata["display"] = list(settings.display)
    if settings.rules.batch_size > 1:
        metadata["batch_credential_issuance"] = {"batch_size": settings.rules.batch_size}
    if encryption_key is not None:
        required = settings.rules.needs_encryption
        metadata["credential_request_encryption"] = {
            "jwks": {"keys": [describe_encryption_key(encryption_key)]},
            "enc_values_supported": list(ENCRYPTIONS),
            "encryption_required": required,
        }
        metadata["credential_response_encryption"] = {
            "alg_values_supported": [AGREEMENT],
            "enc_values_supported": list(ENCRYPTIONS),
            "encryption_required": required,
        }
    return metadata


def describe_encryption_key(key: PublicKey) -> dict[str, str]:
    """Write a key as those need it who encrypt to it."""
    return {**write_jwk(key), "kid": compute_thumbprint(key), "use": "enc", "alg": AGREEMENT}


def sign_issuer_metadata(
    metadata: dict[str, Any], signer: Signer, header: dict[str, Any], time_ms: int
) -> str:
    """Sign the metadata; `header` says whose key it is (`kid` or `x5c`)."""
    claims = {**metadata, "sub": metadata["credential_issuer"], "iat": time_ms // 1_000}
    return sign_jws(signer, {"typ": SIGNED_TYPE, **header}, msgspec.json.encode(claims))


def build_server_metadata(settings: IssuerSettings) -> dict[str, Any]:
    """Build what `.well-known/oauth-authorization-server` answers."""
    url = settings.url
    attested = settings.rules.needs_attested_wallet
    methods = ["attest_jwt_client_auth"] if attested else ["none", "attest_jwt_client_auth"]
    return {
        "issuer": url,
        "authorization_endpoint": f"{url}/authorize",
        "pushed_authorization_request_endpoint": f"{url}/par",
        "require_pushed_authorization_requests": True,
        "token_endpoint": f"{url}/token",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [AUTHORIZATION_CODE, PRE_AUTHORIZED_CODE],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods,
        "client_attestation_signing_alg_values_supported": list(BINDING_ALGORITHMS),
        "client_attestation_pop_signing_alg_values_supported": list(BINDING_ALGORITHMS),
        "dpop_signing_alg_values_supported": list(BINDING_ALGORITHMS),
        "scopes_supported": sorted({each.scope for each in settings.configurations}),
        "authorization_details_types_supported": ["openid_credential"],
        "authorization_response_iss_parameter_supported": True,
        "pre-authorized_grant_anonymous_access_supported": not attested,
    }


def _describe(configuration: Configuration) -> dict[str, Any]:
    """Describe one credential, as its format asks."""
    found: dict[str, Any] = {
        "format": configuration.format,
        "scope": configuration.scope,
        "credential_signing_alg_values_supported": list(configuration.signing),
    }
    found |= _NAME_TYPE[configuration.format](configuration)
    if configuration.needs_binding:
        is_mdoc = configuration.format == MDOC
        found["cryptographic_binding_methods_supported"] = (
            ["cose_key"] if is_mdoc else list(BINDING_METHODS)
        )
        found["proof_types_supported"] = _describe_proofs(configuration)
    about: dict[str, Any] = {}
    if configuration.display:
        about["display"] = list(configuration.display)
    if configuration.claims:
        about["claims"] = [msgspec.to_builtins(each) for each in configuration.claims]
    return found | ({"credential_metadata": about} if about else {})


def _define(configuration: Configuration) -> dict[str, Any]:
    return {"type": ["VerifiableCredential", configuration.type]}


_NAME_TYPE: dict[str, Callable[[Configuration], dict[str, Any]]] = {
    SD_JWT: lambda each: {"vct": each.type},
    MDOC: lambda each: {"doctype": each.type},
    LDP: lambda each: {"credential_definition": {"@context": list(each.contexts), **_define(each)}},
    JWT_VC: lambda each: {"credential_definition": _define(each)},
}
"""What each format calls the type of a credential."""


def _describe_proofs(configuration: Configuration) -> dict[str, Any]:
    proof: dict[str, Any] = {"proof_signing_alg_values_supported": list(BINDING_ALGORITHMS)}
    if not configuration.needs_attestation:
        return {"jwt": proof}
    return dict.fromkeys(("jwt", "attestation"), proof | {"key_attestations_required": {}})
