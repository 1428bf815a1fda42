"""Presentations: credentials that a holder shows to a verifier, with a proof of its own.

The proof answers the verifier's challenge and names the verifier, so that nobody else can use it.
Whether the holder is whom the credentials speak of is for the verifier's policy.

Source: W3C Verifiable Credentials Data Model 2.0, section 4.13; Securing Verifiable Credentials
using JOSE and COSE, section 3.1.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hansa.identity.data_integrity.contexts import CREDENTIALS_V2, Contexts
from hansa.identity.data_integrity.credentials import (
    Credential,
    read_identity,
    read_types,
    verify_credential,
)
from hansa.identity.data_integrity.enveloped import (
    CREDENTIAL_TOKEN,
    PRESENTATION_TOKEN,
    check_times,
    open_token,
    verify_enveloped_credential,
    verify_token,
)
from hansa.identity.data_integrity.proofs import Expected, FindKey, verify_proofs
from hansa.identity.encoding.canonical_json import canonicalize
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import sign_jws
from hansa.identity.keys.signing import Signer
from hansa.identity.methods.documents import Relationship

PRESENTATION_TYPE = "VerifiablePresentation"
ENVELOPED_TYPE = "EnvelopedVerifiableCredential"
CREDENTIALS_MAX = 32
_ENVELOPE = f"data:application/{CREDENTIAL_TOKEN},"
_WHAT = "the presentation"


class Presentation(NamedTuple):
    """A presentation, verified, and with it all that it shows."""

    document: Mapping[str, Any]
    holder: str
    credentials: tuple[Credential, ...]


def make_presentation(
    credentials: Sequence[Mapping[str, Any] | str], holder: str
) -> dict[str, Any]:
    """Make a presentation without its proof; credentials are documents, or tokens."""
    shown = [wrap_token(each) if isinstance(each, str) else each for each in credentials]
    document: dict[str, Any] = {
        "@context": [CREDENTIALS_V2],
        "type": PRESENTATION_TYPE,
        "holder": holder,
    }
    return document | {"verifiableCredential": shown} if shown else document


def wrap_token(token: str) -> dict[str, Any]:
    """Make a member of a presentation from a credential that is a token."""
    return {"@context": CREDENTIALS_V2, "id": _ENVELOPE + token, "type": ENVELOPED_TYPE}


def verify_presentation(
    document: Any,  # noqa: ANN401 - a decode edge
    contexts: Contexts,
    expected: Expected,
    find_key: FindKey,
) -> Presentation:
    """Verify a presentation that is secured by proofs, and every credential in it.

    Each proof must be the holder's, for authentication, and answer domain and challenge.

    Raises:
      Unsound: as `verify_proofs`, `verify_credential` and `verify_enveloped_credential`; `NONCE`:
        no challenge was asked for; `BINDING`: a proof is not the holder's.
    """
    read_types(document, _WHAT, PRESENTATION_TYPE)
    _require_challenge(expected)
    asked = expected._replace(purpose=Relationship.AUTHENTICATION)
    proofs = verify_proofs(document, contexts, asked, find_key)
    holder = proofs[0].controller
    if "holder" in document:
        holder = read_identity(document, "holder", _WHAT)
    strangers = sorted({each.controller for each in proofs} - {holder})
    if strangers:
        raise Unsound(
            Fault.BINDING, f"the presentation is {holder}'s, but signed by {strangers[0]}"
        )
    credentials = _verify_shown(document, contexts, expected.now_ms, find_key)
    return Presentation(document, holder, credentials)


def sign_presentation(
    document: Mapping[str, Any], signer: Signer, method: str, audience: str, nonce: str
) -> str:
    """Sign a presentation as a token; `method` names the holder's key.

    Raises:
      Unsound: `KEY`, `MALFORMED` or `TYPE`.
    """
    read_types(document, _WHAT, PRESENTATION_TYPE)
    header = {"typ": PRESENTATION_TOKEN, "cty": "vp", "kid": method}
    return sign_jws(signer, header, canonicalize({**document, "aud": audience, "nonce": nonce}))


def verify_enveloped_presentation(
    token: str, contexts: Contexts, expected: Expected, find_key: FindKey
) -> Presentation:
    """Verify a presentation that is a token, and every credential in it.

    Raises:
      Unsound: as `verify_presentation` and `verify_enveloped_credential`.
    """
    _require_challenge(expected)
    jws, document = open_token(token, PRESENTATION_TOKEN)
    read_types(document, _WHAT, PRESENTATION_TYPE)
    holder = read_identity(document, "holder", _WHAT)
    verify_token(jws, document, holder, Relationship.AUTHENTICATION, find_key)
    check_times(document, expected.now_ms)
    if document.get("nonce") != expected.challenge:
        raise Unsound(Fault.NONCE, "the presentation does not answer this nonce")
    if expected.domain and document.get("aud") not in (expected.domain, [expected.domain]):
        raise Unsound(Fault.AUDIENCE, f"the presentation is not for {expected.domain}")
    credentials = _verify_shown(document, contexts, expected.now_ms, find_key)
    return Presentation(document, holder, credentials)


def _require_challenge(expected: Expected) -> None:
    if not expected.challenge:
        raise Unsound(Fault.NONCE, "a presentation without a challenge could be used again")


def _verify_shown(
    document: Mapping[str, Any], contexts: Contexts, now_ms: int, find_key: FindKey
) -> tuple[Credential, ...]:
    verified = []
    for each in list_shown(document):
        if isinstance(each, dict) and each.get("type") in (ENVELOPED_TYPE, [ENVELOPED_TYPE]):
            token = unwrap_token(each)
            verified.append(verify_enveloped_credential(token, now_ms, find_key))
        else:
            verified.append(verify_credential(each, contexts, now_ms, find_key))
    return tuple(verified)


def list_shown(document: Mapping[str, Any]) -> list[Any]:
    """List what a presentation shows, unverified.

    Raises:
      Unsound: `TOO_LARGE`.
    """
    value = document.get("verifiableCredential", [])
    shown = value if isinstance(value, list) else [value]
    if len(shown) > CREDENTIALS_MAX:
        raise Unsound(
            Fault.TOO_LARGE, f"the presentation shows {len(shown)}, over {CREDENTIALS_MAX}"
        )
    return shown


def unwrap_token(value: Any) -> str:  # noqa: ANN401 - a decode edge
    """Take a credential that is a token out of its member of a presentation.

    Raises:
      Unsound: `UNSUPPORTED`.
    """
    url = value.get("id") if isinstance(value, dict) else None
    if not isinstance(url, str) or not url.startswith(_ENVELOPE):
        raise Unsound(Fault.UNSUPPORTED, f"an enveloped credential must begin {_ENVELOPE!r}")
    return url.removeprefix(_ENVELOPE)
