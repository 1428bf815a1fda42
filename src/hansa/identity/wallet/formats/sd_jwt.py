"""Holding SD-JWT VCs.

Source: RFC 9901, sections 7.2 and 7.3; OpenID4VP 1.0, appendix B.3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.sd_jwt.credential import NEVER_SELECTIVE, read_types
from hansa.identity.sd_jwt.paths import Path, Place
from hansa.identity.sd_jwt.presentation import bind_sd_jwt, open_issued, select_disclosures
from hansa.identity.sd_jwt.serialization import decode_sd_jwt
from hansa.identity.sd_jwt.verification import Challenge, read_holder_key
from hansa.identity.wallet.formats.holding import Read, Showing

_SECONDS_MAX = 1 << 40
_OWN = NEVER_SELECTIVE | {"iat"}
"""What every such credential says of itself."""


class SdJwtHolding:
    """A `HoldingFormat`."""

    def decode(self, credential: object) -> str:
        """Read what an issuer sent."""
        if not isinstance(credential, str):
            raise Unsound(Fault.MALFORMED, "an SD-JWT VC is text")
        if not isinstance(open_issued(decode_sd_jwt(credential)).claims.get("vct"), str):
            raise Unsound(Fault.TYPE, "the credential does not say of what type it is (vct)")
        return credential

    def read(self, credential: str) -> Read:
        """Read what a credential says."""
        claims = open_issued(decode_sd_jwt(credential)).claims
        expires_s = claims.get("exp")
        ends = isinstance(expires_s, int | float) and abs(expires_s) <= _SECONDS_MAX
        types = read_types(claims)
        return Read(
            types[0],
            frozenset(types),
            claims,
            read_holder_key(claims) if "cnf" in claims else None,
            int(expires_s * 1_000) if ends and expires_s is not None else None,
        )

    def widen(self, credential: str, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        """Show these, and what the issuer left open to everybody."""
        opened = open_issued(decode_sd_jwt(credential))
        hidden = {place[:length] for place in opened.disclosed for length in range(len(place) + 1)}
        found = [
            place
            for name, value in opened.claims.items()
            if name not in _OWN
            for place in _list_open((name,), value, opened.disclosed, hidden)
            if not any(place[:length] in paths for length in range(1, len(place)))
        ]
        return tuple(dict.fromkeys([*paths, *found]))

    def show(self, credential: str, paths: Sequence[Path]) -> dict[str, Any]:
        """Compute what is seen: also what cannot be kept back."""
        return open_issued(select_disclosures(decode_sd_jwt(credential), paths)).claims

    def present(self, credential: str, showing: Showing) -> str:
        """Select, and sign for this verifier, with hashes of transactions that it authorises."""
        shown = select_disclosures(decode_sd_jwt(credential), showing.paths)
        if showing.signer is None:
            return shown.encode()
        claims = {}
        if showing.transactions:
            hashes = [hashlib.sha256(each.encode()).digest() for each in showing.transactions]
            claims["transaction_data_hashes"] = [encode_base64url(each) for each in hashes]
        challenge = Challenge(showing.request.client_id, showing.request.nonce)
        now_s = showing.time_ms // 1_000
        return bind_sd_jwt(shown, showing.signer, challenge, now_s, claims).encode()


def _list_open(
    place: Place,
    value: Any,  # noqa: ANN401 - any JSON
    kept: Collection[Place],
    above: Collection[Place],
) -> Iterator[Place]:
    """List what of a value its holder cannot keep; `above` is all that holds what can be."""
    if place in kept:
        return
    if place not in above:
        yield place
        return
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for part, inner in parts:
        yield from _list_open((*place, part), inner, kept, above)
