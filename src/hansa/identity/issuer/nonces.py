"""Nonces that nobody has to keep: each says until when it is good, under a code of this issuer.

Anybody may ask for them, so that giving one costs no record; one that was used is kept until its
time is over. The key lives as long as the process: after a restart wallets ask anew, as they do
where their nonce is over.

Source: OpenID4VCI 1.0, section 7; RFC 2104 (HMAC).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.faults import Unsound
from hansa.identity.store import Kind, Store, hash_key

NONCE_MS = 300_000
KEY_BYTES = 32
_TIME_BYTES, _CHANCE_BYTES, _CODE_BYTES = 8, 16, 16
_LETTERS = 54
"""Of 40 bytes in Base64url."""


class Nonces:
    """Gives nonces, and takes each once."""

    def __init__(self, store: Store, draw: Callable[[int], bytes]) -> None:
        self._store = store
        self._draw = draw
        self._key = draw(KEY_BYTES)

    def give(self, time_ms: int) -> str:
        """Make a nonce that is good for five minutes."""
        head = (time_ms + NONCE_MS).to_bytes(_TIME_BYTES, "big") + self._draw(_CHANCE_BYTES)
        return encode_base64url(head + self._compute_code(head))

    def use(self, nonce: str, time_ms: int) -> bool:
        """Use a nonce up; False if it is none of ours, over, or was used before."""
        if len(nonce) != _LETTERS:
            return False
        try:
            raw = decode_base64url(nonce, "the nonce")
        except Unsound:
            return False
        head, code = raw[:-_CODE_BYTES], raw[-_CODE_BYTES:]
        expires_ms = int.from_bytes(head[:_TIME_BYTES], "big")
        if not hmac.compare_digest(code, self._compute_code(head)) or expires_ms <= time_ms:
            return False
        return self._store.add(Kind.NONCE, hash_key(nonce), expires_ms, time_ms)

    def _compute_code(self, head: bytes) -> bytes:
        return hmac.digest(self._key, head, "sha256")[:_CODE_BYTES]
