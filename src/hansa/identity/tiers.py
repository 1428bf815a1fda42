"""Tiers off the ledger: what ties a presentation to one wallet, and a person to one lift.

A credential names its holder towards each operator by another name, a pairwise subject, and the
holder shows an operator its own alone: `pairwise_subjects` is an object from the operator's address
to that name, each member selectively disclosable. The issuer makes them by a secret of its own, so
nobody else can tell that two of them are one person's, or find them by trying all persons. Of the
pairwise subject and a category a nullifier is made, which is what the ledger shows. The nonce of a
presentation commits to the network, the wallet, its operator, the category and the presentation's
expiry, so that what was shown for one wallet and category lifts no other and to no other, and
nothing once its time is over.

Source: docs/concepts/identity.md; docs/reference/credentials.md, `Tiers`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, NamedTuple

from hansa.contracts.wallets import Category
from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.claims import read_time_s
from hansa.identity.jose.jws import decode_jws
from hansa.identity.sd_jwt.disclosures import find_hash
from hansa.identity.sd_jwt.opening import open_claims
from hansa.identity.sd_jwt.paths import Path
from hansa.identity.sd_jwt.serialization import SdJwt, decode_sd_jwt
from hansa.identity.sd_jwt.verification import Challenge, read_holder_key, verify_binding
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.crypto.address import to_text
from hansa.kernel.crypto.hashing import Domain, signing_prefix
from hansa.kernel.trees.merkle import Digest

PAIRWISE = "pairwise_subjects"
SUBJECT_BYTES = 32
SECRET_BYTES = 32
END_GRID_MS = 28 * DAY_MS
END_GRIDS_MS = (END_GRID_MS, 7 * DAY_MS, DAY_MS)
"""Of the ends of lifts, coarsest first."""
_PAIRWISE_PREFIX = b"hansa\x00pairwise-subject\x00"
_CREDENTIAL, _BINDING = "the credential", "the key binding"


class Intent(NamedTuple):
    """What a presentation is for: it lifts this wallet, of this operator, to this category."""

    wallet: bytes
    operator: bytes
    category: Category
    expires_ms: int
    """The last moment at which it counts."""


class Recorded(NamedTuple):
    """What the ledger says of a lift; as in `tiers.Lift`, and in the command `tiers.Raise`."""

    wallet: bytes
    operator: bytes
    category: Category
    nullifier: bytes
    presentation_hash: bytes
    presented_until_ms: int


def compute_pairwise_subject(secret: bytes, person_id: str, operator: bytes) -> str:
    """Compute the name of a person towards one operator: 32 bytes in base64url, as if random.

    `secret` is the issuer's, 32 bytes; who has it can link, and so it is kept as a key is.
    """
    if len(secret) != SECRET_BYTES:
        raise Unsound(Fault.KEY, f"the secret of pairwise subjects has {SECRET_BYTES} bytes")
    data = _PAIRWISE_PREFIX + operator + person_id.encode()
    return encode_base64url(hmac.digest(secret, data, hashlib.sha256))


def read_pairwise_subject(claims: Mapping[str, Any], operator: bytes) -> str:
    """Read the name that a credential gives its holder towards an operator.

    Raises:
      Unsound: `MALFORMED`: it was not shown, or is none that an issuer has made by its secret.
    """
    subjects = claims.get(PAIRWISE)
    name = to_text(operator)
    found = subjects.get(name) if type(subjects) is dict else None
    if type(found) is not str:
        raise Unsound(Fault.MALFORMED, f"the credential shows no {PAIRWISE}/{name}")
    raw = decode_base64url(found, f"{PAIRWISE}/{name}")
    if len(raw) != SUBJECT_BYTES:
        raise Unsound(
            Fault.MALFORMED, f"{PAIRWISE}/{name} has {len(raw)} bytes, and not {SUBJECT_BYTES}"
        )
    return found


def list_selective(claims: Mapping[str, Any]) -> tuple[Path, ...]:
    """List what the holder may show or keep: each claim, and each pairwise subject by itself."""
    subjects = claims.get(PAIRWISE)
    inner = tuple((PAIRWISE, name) for name in subjects) if type(subjects) is dict else ()
    return (*((name,) for name in claims), *inner)


def compute_presentation_nonce(genesis_hash: bytes, intent: Intent, digest: Digest) -> str:
    """Compute the nonce for which a credential is presented to lift a wallet; base64url.

    The category is in it: else what was shown for a low one would pass for a high one in an audit.
    """
    prefix = signing_prefix(Domain.PRESENTATION_NONCE, genesis_hash)
    wanted = bytes([intent.category]) + intent.expires_ms.to_bytes(8, "big")
    return encode_base64url(digest(prefix + intent.wallet + intent.operator + wanted))


def compute_presentation_hash(genesis_hash: bytes, presentation: str, digest: Digest) -> bytes:
    """Compute the hash of a presentation, as it was sent: it covers salts that nobody guesses."""
    return digest(signing_prefix(Domain.PRESENTATION, genesis_hash) + presentation.encode())


def compute_nullifier(
    genesis_hash: bytes, pairwise_subject: str, category: Category, digest: Digest
) -> bytes:
    """Compute what one person can use once, towards one operator, for one category."""
    prefix = signing_prefix(Domain.NULLIFIER, genesis_hash)
    return digest(prefix + bytes([category]) + pairwise_subject.encode())


def compute_lift_end(expires_ms: int, time_ms: int, days_max: int) -> int:
    """Compute until when a credential that ends at `expires_ms` lifts a wallet.

    Down to a whole number of four weeks since 1970: two operators that publish the very second at
    which one credential ends would link its wallets. Where that would take away more than it
    leaves, down to one of weeks, and else of days.
    """
    latest_ms = min(expires_ms, time_ms + days_max * DAY_MS)
    ends_ms = [latest_ms // grid_ms * grid_ms for grid_ms in END_GRIDS_MS]
    fair = (end_ms for end_ms in ends_ms if end_ms - time_ms >= latest_ms - end_ms)
    return next(fair, ends_ms[-1])


def check_presentation(
    presentation: str, recorded: Recorded, genesis_hash: bytes, digest: Digest
) -> list[str]:
    """Check a kept presentation against the ledger, as an auditor; returns what does not hold.

    The holder's signature is checked with the key that the credential names. Whether the issuer
    signed that credential, and could, is for a verifier (`verifier.examination`): it needs keys,
    and accreditation as of then.
    """
    found = compute_presentation_hash(genesis_hash, presentation, digest)
    if found != recorded.presentation_hash:
        return ["its hash is not the one on the ledger: it is another presentation"]
    try:
        sd_jwt = decode_sd_jwt(presentation)
        payload = decode_jws(sd_jwt.jwts[0], _CREDENTIAL).decode_claims(_CREDENTIAL)
        claims = open_claims(payload, sd_jwt.disclosures).claims
        subject = read_pairwise_subject(claims, recorded.operator)
    except Unsound as error:
        return [error.message]
    findings: list[str] = []
    if compute_nullifier(genesis_hash, subject, recorded.category, digest) != recorded.nullifier:
        findings.append("the nullifier on the ledger is not that of its person and category")
    until_ms = recorded.presented_until_ms
    intent = Intent(recorded.wallet, recorded.operator, recorded.category, until_ms)
    nonce = compute_presentation_nonce(genesis_hash, intent, digest)
    try:
        _verify_holder(sd_jwt, claims, find_hash(payload), nonce)
    except Unsound as error:
        findings.append(error.message)
    return findings


def _verify_holder(sd_jwt: SdJwt, claims: Mapping[str, Any], algorithm: str, nonce: str) -> None:
    """Verify that the holder signed for this nonce, to whomever and whenever that was."""
    if not sd_jwt.key_binding:
        raise Unsound(Fault.BINDING, "the holder did not sign the presentation: no key binding")
    said = decode_jws(sd_jwt.key_binding, _BINDING).decode_claims(_BINDING)
    challenge = Challenge(str(said.get("aud")), nonce)
    now_s = int(read_time_s(said, "iat", _BINDING) or 0)
    verify_binding(sd_jwt, read_holder_key(claims), algorithm, challenge, now_s)
