"""Proofs of many rows at once: the nodes above them, each once, in the order of their paths.

What is at the top of the tree leads to all of them, so a proof of many is far shorter than as many
proofs, and each node is hashed and looked through once.

Source: docs/reference/trees.md, "Proofs of many".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Any

from hansa.kernel.crypto.hashing import HASH_BYTES, ZERO_HASH
from hansa.kernel.errors import Invalid, InvalidCode

Digest = Callable[[bytes], bytes]

_SLOT_BYTES = HASH_BYTES + 8
_ENTRY_BYTES = 2 * HASH_BYTES
_BUCKET_ENTRIES_MAX = 16
_BRANCH_BYTES = 1 + 16 * _SLOT_BYTES
_NIBBLES_MAX = 2 * HASH_BYTES
_unpack_slots = Struct(">" + "32sQ" * 16).unpack_from


def join_proofs(proofs: Mapping[bytes, Sequence[bytes]]) -> list[bytes]:
    """Join proofs under one root, by place, into one of them all."""
    nodes: list[bytes] = []
    above, before = "", 0
    for place in sorted(proofs):
        path, proof = place.hex(), proofs[place]
        shared = 0
        while shared < before and (not shared or path[shared - 1] == above[shared - 1]):
            shared += 1
        nodes += proof[shared:]
        above, before = path, len(proof)
    return nodes


def verify_many(
    root: bytes, claims: Mapping[bytes, bytes | None], nodes: Sequence[bytes], digest: Digest
) -> None:
    """Verify that the map under `root` holds these values for these places, or nothing for None.

    Args:
      root: of the state tree.
      claims: hash of the row by place, both of 32 bytes.
      nodes: of the tree above the places, each before those below it, in the order of the places.
      digest: the network's hash.

    Raises:
      Invalid: they prove something else, or nothing; also for a root that no tree can have.
    """
    if not claims:
        raise _invalid("there is nothing to be proved")
    if set(map(len, claims)) != {HASH_BYTES}:
        raise _invalid("a place has 32 bytes")
    if root == ZERO_HASH:
        if nodes or any(value is not None for value in claims.values()):
            raise _invalid("an empty tree holds nothing")
        return
    walk = _Walk(claims, nodes, digest)
    walk.descend(root, -1, 0, 0, len(claims))
    if walk.used != len(nodes):
        raise _invalid("it has nodes that lead to none of its rows")


class _Walk:
    """Goes down a proof once, taking its nodes in their order."""

    def __init__(
        self, claims: Mapping[bytes, bytes | None], nodes: Sequence[bytes], digest: Digest
    ) -> None:
        self._claims = claims
        self._places = sorted(claims)
        self._nodes = nodes
        self._digest = digest
        self.used = 0

    def descend(self, expected_hash: bytes, entries: int, depth: int, start: int, end: int) -> None:
        """Verify the subtree of these places; `entries` is what stands above it, -1 for a root."""
        if self.used >= len(self._nodes):
            raise _invalid("it ends too early")
        blob = self._nodes[self.used]
        self.used += 1
        if not blob or self._digest(blob) != expected_hash:
            raise _invalid("a node does not have the hash that stands above it")
        if blob[0] == 0:
            self._check_bucket(blob, entries, depth, start, end)
        else:
            self._check_branch(blob, entries, depth, start, end)

    def _check_bucket(self, blob: bytes, entries: int, depth: int, start: int, end: int) -> None:
        count, surplus = divmod(len(blob) - 1, _ENTRY_BYTES)
        if surplus or not 1 <= count <= _BUCKET_ENTRIES_MAX or entries not in (-1, count):
            raise _invalid("a bucket has the wrong length")
        keys = [blob[at : at + HASH_BYTES] for at in range(1, len(blob), _ENTRY_BYTES)]
        if sorted(set(keys)) != keys:
            raise _invalid("a bucket is not in order")
        prefix = self._places[start].hex()[:depth]
        if not (keys[0].hex().startswith(prefix) and keys[-1].hex().startswith(prefix)):
            raise _invalid("a bucket holds entries of another subtree")
        for at in range(start, end):
            place = self._places[at]
            if place in keys:
                value_at = 1 + _ENTRY_BYTES * keys.index(place) + HASH_BYTES
                self._require(place, blob[value_at : value_at + HASH_BYTES])
            else:
                self._require(place, None)

    def _check_branch(self, blob: bytes, entries: int, depth: int, start: int, end: int) -> None:
        if len(blob) != _BRANCH_BYTES or blob[0] != 1 or depth >= _NIBBLES_MAX:
            raise _invalid("not a node of a state tree")
        slots: tuple[Any, ...] = _unpack_slots(blob, 1)
        total = sum(slots[1::2])
        if total <= _BUCKET_ENTRIES_MAX or entries not in (-1, total):
            raise _invalid("a branch has another number of entries than it must have")
        byte, shift = depth >> 1, 0 if depth & 1 else 4
        while start < end:
            nibble = self._places[start][byte] >> shift & 15
            stop = start + 1
            while stop < end and self._places[stop][byte] >> shift & 15 == nibble:
                stop += 1
            child_hash: bytes = slots[2 * nibble]
            child_count: int = slots[2 * nibble + 1]
            if (child_hash == ZERO_HASH) != (child_count == 0):
                raise _invalid("a branch has a child without entries, or entries without a child")
            if child_count:
                self.descend(child_hash, child_count, depth + 1, start, stop)
            else:
                for at in range(start, stop):
                    self._require(self._places[at], None)
            start = stop

    def _require(self, place: bytes, found: bytes | None) -> None:
        if self._claims[place] != found:
            raise _invalid("it shows another value, or none, for a row")


def _invalid(message: str) -> Invalid:
    return Invalid(InvalidCode.MALFORMED, f"proof of many rows: {message}")
