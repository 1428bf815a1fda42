"""Refusals of an authorisation or credential endpoint, by the codes that wallets know.

Source: RFC 6749, sections 4.1.2.1 and 5.2; RFC 6750, section 3.1; RFC 9126; RFC 9449, section 5;
OpenID4VCI 1.0, sections 6.3, 8.3.1, 9.3 and 11.3; attestation-based client authentication.
"""

from __future__ import annotations

from enum import StrEnum

from hansa.identity.faults import make_showable
from hansa.kernel.errors import Fact, Invalid, InvalidCode

BAD_REQUEST = 400
UNAUTHORIZED = 401
FORBIDDEN = 403


class OAuthError(StrEnum):
    """The `error` of a refusal."""

    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    INVALID_SCOPE = "invalid_scope"
    ACCESS_DENIED = "access_denied"
    INVALID_TOKEN = "invalid_token"  # noqa: S105 - the name of an error
    INSUFFICIENT_SCOPE = "insufficient_scope"
    INVALID_DPOP_PROOF = "invalid_dpop_proof"
    USE_DPOP_NONCE = "use_dpop_nonce"
    INVALID_CLIENT_ATTESTATION = "invalid_client_attestation"
    INVALID_PROOF = "invalid_proof"
    INVALID_NONCE = "invalid_nonce"
    INVALID_CREDENTIAL_REQUEST = "invalid_credential_request"
    UNKNOWN_CONFIGURATION = "unknown_credential_configuration"
    UNKNOWN_IDENTIFIER = "unknown_credential_identifier"
    INVALID_ENCRYPTION = "invalid_encryption_parameters"
    REQUEST_DENIED = "credential_request_denied"
    INVALID_TRANSACTION = "invalid_transaction_id"
    INVALID_NOTIFICATION_ID = "invalid_notification_id"
    INVALID_NOTIFICATION = "invalid_notification_request"


class Declined(Invalid):
    """An endpoint does not do what a client asks; `error` says why in OAuth's words."""

    def __init__(self, error: OAuthError, message: str, /, **facts: Fact) -> None:
        super().__init__(InvalidCode.MALFORMED, make_showable(message), **facts)
        self.error = error

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.error, self.message, self.facts))

    @property
    def status(self) -> int:
        """The HTTP status that goes with it."""
        return _STATUS.get(self.error, BAD_REQUEST)


def _rebuild(error: OAuthError, message: str, facts: dict[str, Fact]) -> Declined:
    return Declined(error, message, **facts)


_STATUS = {
    OAuthError.INVALID_CLIENT: UNAUTHORIZED,
    OAuthError.INVALID_CLIENT_ATTESTATION: UNAUTHORIZED,
    OAuthError.INVALID_TOKEN: UNAUTHORIZED,
    OAuthError.INSUFFICIENT_SCOPE: FORBIDDEN,
}
