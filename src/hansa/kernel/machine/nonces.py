"""The replay window: which (first signer, nonce) pairs are still within their validity.

Fifteen minutes at 15,000 transactions a second are 13.5 million pairs, so a pair is kept as 12
bytes: 8 of its hash and its expiry in seconds. The first two bytes of the hash choose one of
65,536 shards, each a byte string searched by `bytes.find`; a shard drops what has expired when
it has doubled. The window is a function of the blocks alone and is rebuilt from them; a pair
counts up to the end of the second in which its validity ends.

Two pairs are taken for one only if 80 bits of their hashes agree.
"""

from __future__ import annotations

from collections.abc import Callable

ENTRY_BYTES = 12
FINGERPRINT_BYTES = 8
SECOND_MS = 1_000
LAST_MS = (2**32 - 2) * SECOND_MS
"""The last ledger time up to which a pair can count: its second stands in four bytes."""
_SHARD_MIN = 32 * ENTRY_BYTES


def compute_counts_until_ms(valid_until_ms: int) -> int:
    """Compute the last ledger time at which a pair counts: the end of its validity's second."""
    return (valid_until_ms // SECOND_MS + 1) * SECOND_MS


class ReplayWindow:
    """A set of pairs with expiry; look-up and insertion take about a microsecond."""

    __slots__ = ("_bounds", "_digest", "_shards")

    def __init__(self, digest: Callable[[bytes], bytes]) -> None:
        self._digest = digest
        self._shards: dict[int, bytearray] = {}
        self._bounds: dict[int, int] = {}

    def add(self, signer: bytes, nonce: bytes, valid_until_ms: int, time_ms: int) -> bool:
        """Add a pair; returns False, changing nothing, if it is there and still valid.

        Args:
          signer: address of the first signer.
          nonce: 16 bytes.
          valid_until_ms: ledger time up to which the pair counts.
          time_ms: ledger time now.
        """
        found = self._digest(signer + nonce)
        number = (found[0] << 8) | found[1]
        fingerprint = found[2 : 2 + FINGERPRINT_BYTES]
        expiry = (compute_counts_until_ms(valid_until_ms) // SECOND_MS).to_bytes(4, "big")
        shard = self._shards.get(number)
        if shard is None:
            self._shards[number] = bytearray(fingerprint + expiry)
            return True
        at = shard.find(fingerprint)
        while at >= 0:
            if at % ENTRY_BYTES == 0 and self._is_live(shard, at, time_ms):
                return False
            at = shard.find(fingerprint, at + 1)
        shard += fingerprint + expiry
        if len(shard) > self._bounds.get(number, _SHARD_MIN):
            self._sweep(number, shard, time_ms)
        return True

    def __len__(self) -> int:
        """Count entries kept, expired ones not yet dropped among them."""
        return sum(map(len, self._shards.values())) // ENTRY_BYTES

    @staticmethod
    def _is_live(shard: bytearray, at: int, time_ms: int) -> bool:
        expiry = int.from_bytes(shard[at + FINGERPRINT_BYTES : at + ENTRY_BYTES], "big")
        return expiry * SECOND_MS >= time_ms

    def _sweep(self, number: int, shard: bytearray, time_ms: int) -> None:
        """Drop expired entries, and let the shard double before the next sweep."""
        kept = bytearray()
        for at in range(0, len(shard), ENTRY_BYTES):
            if self._is_live(shard, at, time_ms):
                kept += shard[at : at + ENTRY_BYTES]
        self._shards[number] = kept
        self._bounds[number] = max(_SHARD_MIN, 2 * len(kept))
