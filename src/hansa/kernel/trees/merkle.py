"""Binary Merkle tree over a list: the transaction root and the receipt root of a block.

A leaf is `H(0x00 + data)`, a node `H(0x01 + left + right)`, the empty list `H("")`. Trees are
built level by level; a lone last node moves up unchanged, which gives the shape of RFC 6962
(the left subtree of n leaves holds the largest power of two smaller than n).

Cost: `2n - 1` hashes for n leaves; figures: docs/reference/trees.md.

Source: RFC 6962 section 2.1; docs/reference/trees.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hansa.kernel.crypto.hashing import HASH_BYTES
from hansa.kernel.errors import Invalid, InvalidCode

Digest = Callable[[bytes], bytes]

_LEAF = b"\x00"
_NODE = b"\x01"


class MerkleTree:
    """A tree that keeps its nodes, two for each leaf, to give the path of every leaf."""

    __slots__ = ("_levels", "count")

    def __init__(self, leaves: Sequence[bytes], digest: Digest) -> None:
        self.count = len(leaves)
        level = [digest(_LEAF + leaf) for leaf in leaves] or [digest(b"")]
        self._levels = [level]
        while len(level) > 1:
            level = _compute_level_above(level, digest)
            self._levels.append(level)

    @property
    def root(self) -> bytes:
        """The root, as `compute_root` computes it."""
        return self._levels[-1][0]

    def path(self, index: int) -> list[bytes]:
        """List the audit path of one leaf: sibling hashes from the leaf's level upwards.

        Raises:
          Invalid: there is no leaf `index`.
        """
        _require_index(index, self.count)
        path = []
        for level in self._levels:
            sibling = index ^ 1
            if sibling < len(level):
                path.append(level[sibling])
            index >>= 1
        return path


def compute_root(leaves: Sequence[bytes], digest: Digest) -> bytes:
    """Compute the root over the leaves' data (not their hashes), in the order given."""
    if not leaves:
        return digest(b"")
    level = [digest(_LEAF + leaf) for leaf in leaves]
    while len(level) > 1:
        level = _compute_level_above(level, digest)
    return level[0]


def compute_path(leaves: Sequence[bytes], index: int, digest: Digest) -> list[bytes]:
    """Compute the audit path of one leaf: sibling hashes from the leaf's level upwards.

    Raises:
      Invalid: there is no leaf `index`.
    """
    _require_index(index, len(leaves))
    return MerkleTree(leaves, digest).path(index)


def compute_root_from_path(
    leaf: bytes, index: int, count: int, path: Sequence[bytes], digest: Digest
) -> bytes:
    """Compute the root that a list of `count` leaves has if `leaf` stands at `index`.

    The caller compares the result with a root it trusts; `count` must be trusted, too.

    Raises:
      Invalid: no such index, or the path is too short, too long or not made of hashes.
    """
    _require_index(index, count)
    siblings = list(path)
    if any(len(sibling) != HASH_BYTES for sibling in siblings):
        raise Invalid(InvalidCode.MALFORMED, "an element of the Merkle path is not a hash")
    siblings.reverse()
    node = digest(_LEAF + leaf)
    last = count - 1
    while last:
        if index & 1 or index < last:
            if not siblings:
                raise Invalid(InvalidCode.MALFORMED, "the Merkle path is too short", count=count)
            sibling = siblings.pop()
            node = digest(_NODE + sibling + node if index & 1 else _NODE + node + sibling)
        index >>= 1
        last >>= 1
    if siblings:
        raise Invalid(InvalidCode.MALFORMED, "the Merkle path is too long", count=count)
    return node


def _compute_level_above(level: list[bytes], digest: Digest) -> list[bytes]:
    prefix = _NODE
    above = [
        digest(prefix + left + right) for left, right in zip(level[::2], level[1::2], strict=False)
    ]
    if len(level) & 1:
        above.append(level[-1])
    return above


def _require_index(index: int, count: int) -> None:
    if not 0 <= index < count:
        raise Invalid(
            InvalidCode.MALFORMED, f"no leaf {index} in a list of {count}", index=index, count=count
        )
