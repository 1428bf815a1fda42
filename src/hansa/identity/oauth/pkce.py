"""PKCE: whoever redeems a code shows that it is the one who asked for it.

Source: RFC 7636, sections 4.1, 4.2 and 4.6; RFC 9700, section 2.1.1 (S256 alone).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.oauth.refusals import Declined, OAuthError

METHOD = "S256"
_VERIFIER_LETTERS_MIN, _VERIFIER_LETTERS_MAX = 43, 128
_CHALLENGE_LETTERS = 43
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def make_verifier(draw: Callable[[int], bytes]) -> str:
    """Make a new verifier of 256 random bits."""
    return encode_base64url(draw(32))


def compute_challenge(verifier: str) -> str:
    """Compute the challenge that goes ahead of a verifier."""
    return encode_base64url(hashlib.sha256(verifier.encode()).digest())


def check_challenge(challenge: str, method: str) -> None:
    """Check a challenge when it comes in.

    Raises:
      Declined: `INVALID_REQUEST`.
    """
    if (
        method != METHOD
        or len(challenge) != _CHALLENGE_LETTERS
        or not _LETTERS.issuperset(challenge)
    ):
        raise Declined(
            OAuthError.INVALID_REQUEST,
            f"code_challenge_method must be {METHOD}, and code_challenge a SHA-256 in base64url",
        )


def check_verifier(verifier: str, challenge: str) -> None:
    """Check that a verifier belongs to the challenge that came before.

    Raises:
      Declined: `INVALID_GRANT`.
    """
    is_sound = _VERIFIER_LETTERS_MIN <= len(verifier) <= _VERIFIER_LETTERS_MAX
    if (
        not is_sound
        or not _LETTERS.issuperset(verifier)
        or not hmac.compare_digest(compute_challenge(verifier), challenge)
    ):
        raise Declined(
            OAuthError.INVALID_GRANT, "code_verifier is not that of the code_challenge sent before"
        )
