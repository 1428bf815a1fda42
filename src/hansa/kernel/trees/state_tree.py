"""Authenticated map from key hash to value hash: the state root and its proofs.

A subtree, named by its path of nibbles, is a **bucket** of 1 to 16 sorted entries or, above
that, a **branch** of 16 slots with the hash and the number of entries of each child. What a
subtree is depends on the number of its entries alone, so one set of entries has one root,
whatever the order of the changes that led to it.

Cost: an update reads, hashes and writes each touched node once; figures and the machine they
were taken on: docs/reference/trees.md.

Source: docs/reference/trees.md (format, down to the byte).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Protocol

from hansa.kernel.crypto.hashing import HASH_BYTES, ZERO_HASH
from hansa.kernel.errors import Corrupt, Invalid, InvalidCode

Digest = Callable[[bytes], bytes]
Changes = Mapping[bytes, bytes | None]
Proof = list[bytes]

BUCKET_ENTRIES_MAX = 16
CACHE_NODES = 65_536

_KIND_BRANCH = 1
_BRANCH_PREFIX = b"\x01"
_EMPTY_BUCKET = b"\x00"
_ENTRY_BYTES = 2 * HASH_BYTES
_SLOT_BYTES = HASH_BYTES + 8
_BUCKET_BYTES_MAX = 1 + BUCKET_ENTRIES_MAX * _ENTRY_BYTES
_BRANCH_BYTES = 1 + 16 * _SLOT_BYTES
_ABSENT_SLOT = bytes(_SLOT_BYTES)
_NIBBLES = [bytes([nibble]) for nibble in range(16)]
_NIBBLES_MAX = 2 * HASH_BYTES
_LINEAR_KEYS_MAX = 32


class NodeStore(Protocol):
    """Where nodes are kept: path (one byte, 0 to 15, per nibble; the root is empty) to blob."""

    def get_node(self, path: bytes) -> bytes | None:
        """Get the blob last put at `path`, or None."""

    def put_node(self, path: bytes, blob: bytes) -> None:
        """Keep `blob` at `path`, over whatever was there."""

    def delete_node(self, path: bytes) -> None:
        """Forget what is at `path`."""


class StateTree:
    """The tree over a `NodeStore`, with a bounded cache of its nodes.

    Not for use by several threads at once. After an exception out of `update` the store holds
    half of the changes: discard both what was put and this object.
    """

    def __init__(self, store: NodeStore, digest: Digest, *, cache_nodes: int = CACHE_NODES) -> None:
        """Open the tree that `store` holds; `cache_nodes` bounds the nodes kept in memory."""
        self._store = store
        self._digest = digest
        # Two generations: what is used moves to the young one; when that is full it becomes
        # the old one, and what was not used since the last such turn is dropped.
        self._young: dict[bytes, bytes] = {}
        self._old: dict[bytes, bytes] = {}
        self._generation_nodes = max(1, cache_nodes // 2)
        blob = store.get_node(b"")
        self._root_blob = _EMPTY_BUCKET if blob is None else blob
        self._root_hash = ZERO_HASH if blob is None else digest(blob)
        self._count = _read_count(self._root_blob)

    def root(self) -> bytes:
        """Root hash; 32 zero bytes for the empty tree."""
        return self._root_hash

    def update(self, changes: Changes) -> None:
        """Apply a batch: key hash to value hash, or to None for deletion (absent: no effect).

        Raises:
          Corrupt: a key or value is not a hash, or the store lost or changed a node.
        """
        _require_hashes(changes)
        if not changes:
            return
        keys = sorted(changes)
        old = self._root_blob
        new, count = self._update_node(b"", old, self._count, keys, changes, 0, len(keys))
        if new is old:
            return
        if count:
            self._store.put_node(b"", new)
            self._root_hash = self._digest(new)
        else:
            self._store.delete_node(b"")
            self._root_hash = ZERO_HASH
        self._root_blob = new
        self._count = count

    def prove(self, key_hash: bytes) -> Proof:
        """Prove what the tree holds, or that it holds nothing, for `key_hash`.

        Raises:
          Invalid: `key_hash` is not 32 bytes.
          Corrupt: the store lost or changed a node.
        """
        _require_hash(key_hash, "key")
        if not self._count:
            return []
        blob = self._root_blob
        proof = [blob]
        path = b""
        while blob[0] == _KIND_BRANCH:
            nibble = _compute_nibble(key_hash, len(path))
            child_hash, child_count = _read_slot(blob, nibble)
            if not child_count:
                break
            path += _NIBBLES[nibble]
            blob = self._read(path, child_hash)
            proof.append(blob)
        self._turn_generation()
        return proof

    def _update_node(  # noqa: PLR0913 - one frame a node: an object would cost more
        self,
        path: bytes,
        blob: bytes,
        count: int,
        keys: list[bytes],
        changes: Changes,
        start: int,
        end: int,
    ) -> tuple[bytes, int]:
        """Apply `keys[start:end]` to one node; the caller writes what is returned.

        The same object comes back when nothing changed; an emptied node is `_EMPTY_BUCKET`.
        """
        if count > BUCKET_ENTRIES_MAX:
            return self._update_branch(path, blob, count, keys, changes, start, end)
        new = _update_bucket(blob, keys, changes, start, end)
        if len(new) > _BUCKET_BYTES_MAX:
            entries = _split_entries(new)
            return self._build_branch(path, entries, 0, len(entries)), len(entries)
        return new, len(new) // _ENTRY_BYTES

    def _update_branch(  # noqa: PLR0913 - as above
        self,
        path: bytes,
        blob: bytes,
        count: int,
        keys: list[bytes],
        changes: Changes,
        start: int,
        end: int,
    ) -> tuple[bytes, int]:
        digest = self._digest
        slots = bytearray(blob)
        touched: dict[bytes, bytes] = {}
        byte, shift = len(path) >> 1, 0 if len(path) & 1 else 4
        while start < end:
            nibble = keys[start][byte] >> shift & 15
            stop = start + 1
            if end - start > _LINEAR_KEYS_MAX:
                stop = _find_group_end(keys, start, end, byte, shift)
            else:
                while stop < end and keys[stop][byte] >> shift & 15 == nibble:
                    stop += 1
            child_path = path + _NIBBLES[nibble]
            at = 1 + _SLOT_BYTES * nibble
            hash_end, slot_end = at + HASH_BYTES, at + _SLOT_BYTES
            old_count = int.from_bytes(blob[hash_end:slot_end], "big")
            old = self._read(child_path, blob[at:hash_end]) if old_count else _EMPTY_BUCKET
            new, new_count = self._update_node(
                child_path, old, old_count, keys, changes, start, stop
            )
            start = stop
            if new is not old:
                touched[child_path] = new
                count += new_count - old_count
                slots[at:slot_end] = (
                    digest(new) + new_count.to_bytes(8, "big") if new_count else _ABSENT_SLOT
                )
        if not touched:
            return blob, count
        if count <= BUCKET_ENTRIES_MAX:
            return self._collapse(path, blob, touched), count
        for child_path, new in touched.items():
            self._write(child_path, new)
        self._turn_generation()
        return bytes(slots), count

    def _collapse(self, path: bytes, blob: bytes, touched: dict[bytes, bytes]) -> bytes:
        """Join what a branch's children hold now into one bucket, and delete the children."""
        bodies = [_EMPTY_BUCKET]
        for nibble, suffix in enumerate(_NIBBLES):
            child_path = path + suffix
            old_hash, old_count = _read_slot(blob, nibble)
            child = touched.get(child_path)
            if child is None and old_count:
                child = self._read(child_path, old_hash)
            if child is not None:
                bodies.append(child[1:])
            if old_count:
                self._delete(child_path)
        return b"".join(bodies)

    def _build_branch(self, path: bytes, entries: list[bytes], start: int, end: int) -> bytes:
        """Build a branch over sorted `entries[start:end]`; only its children are written."""
        digest = self._digest
        slots = [_ABSENT_SLOT] * 16
        byte, shift = len(path) >> 1, 0 if len(path) & 1 else 4
        while start < end:
            nibble = entries[start][byte] >> shift & 15
            stop = _find_group_end(entries, start, end, byte, shift)
            child_path = path + _NIBBLES[nibble]
            if stop - start > BUCKET_ENTRIES_MAX:
                child = self._build_branch(child_path, entries, start, stop)
            else:
                child = _EMPTY_BUCKET + b"".join(entries[start:stop])
            self._write(child_path, child)
            slots[nibble] = digest(child) + (stop - start).to_bytes(8, "big")
            start = stop
        self._turn_generation()
        return _BRANCH_PREFIX + b"".join(slots)

    def _read(self, path: bytes, expected_hash: bytes) -> bytes:
        blob = self._young.get(path)
        if blob is None:
            blob = self._old.get(path)
            if blob is None:
                blob = self._store.get_node(path)
                if blob is None or self._digest(blob) != expected_hash:
                    raise Corrupt(
                        "the store lost or changed a node of the state tree: restore a backup",
                        path=path.hex(),
                        found=blob is not None,
                    )
            self._young[path] = blob
        return blob

    def _write(self, path: bytes, blob: bytes) -> None:
        if len(blob) == 1:
            self._delete(path)
        else:
            self._young[path] = blob
            self._store.put_node(path, blob)

    def _delete(self, path: bytes) -> None:
        self._young.pop(path, None)
        self._old.pop(path, None)
        self._store.delete_node(path)

    def _turn_generation(self) -> None:
        if len(self._young) > self._generation_nodes:
            self._old, self._young = self._young, {}


def verify_proof(
    root: bytes, key_hash: bytes, value_hash: bytes | None, proof: Sequence[bytes], digest: Digest
) -> None:
    """Verify that the map under `root` holds `value_hash` for `key_hash`, or nothing for None.

    Raises:
      Invalid: it proves something else, or nothing; also for a root that no tree can have.
    """
    _require_hash(root, "root")
    _require_hash(key_hash, "key")
    if value_hash is not None:
        _require_hash(value_hash, "value")
    expected_hash = root
    expected_count: int | None = None
    for depth, blob in enumerate(proof):
        if digest(blob) != expected_hash:
            raise _invalid("a node does not have the hash that stands above it", depth)
        is_bucket = blob[:1] == _EMPTY_BUCKET
        count = _verify_bucket(blob, key_hash, depth) if is_bucket else _verify_branch(blob, depth)
        if expected_count is not None and count != expected_count:
            raise _invalid("a node does not have the number of entries that stands above it", depth)
        if is_bucket:
            _require_end(proof, depth)
            _require_value(_find_value(blob, key_hash), value_hash)
            return
        expected_hash, expected_count = _read_slot(blob, _compute_nibble(key_hash, depth))
        if not expected_count:
            _require_end(proof, depth)
            _require_value(None, value_hash)
            return
    if root != ZERO_HASH:
        raise _invalid("the proof ends too early", len(proof))
    _require_value(None, value_hash)


def _verify_bucket(blob: bytes, key_hash: bytes, depth: int) -> int:
    count, surplus = divmod(len(blob) - 1, _ENTRY_BYTES)
    if surplus or not 1 <= count <= BUCKET_ENTRIES_MAX:
        raise _invalid("a bucket has the wrong length", depth)
    keys = [entry[:HASH_BYTES] for entry in _split_entries(blob)]
    if any(first >= second for first, second in pairwise(keys)):
        raise _invalid("a bucket is not in order", depth)
    prefix = key_hash.hex()[:depth]
    if not (keys[0].hex().startswith(prefix) and keys[-1].hex().startswith(prefix)):
        raise _invalid("a bucket holds entries of another subtree", depth)
    return count


def _verify_branch(blob: bytes, depth: int) -> int:
    if len(blob) != _BRANCH_BYTES or blob[:1] != _BRANCH_PREFIX or depth >= _NIBBLES_MAX:
        raise _invalid("not a node of a state tree", depth)
    slots = [_read_slot(blob, nibble) for nibble in range(16)]
    if any((child_hash == ZERO_HASH) != (not count) for child_hash, count in slots):
        raise _invalid("a branch has a child without entries, or entries without a child", depth)
    total = sum(count for _, count in slots)
    if total <= BUCKET_ENTRIES_MAX:
        raise _invalid("a branch has so few entries that it must be a bucket", depth)
    return total


def _require_end(proof: Sequence[bytes], depth: int) -> None:
    if len(proof) != depth + 1:
        raise _invalid("the proof goes on after its end", depth)


def _require_value(proven: bytes | None, claimed: bytes | None) -> None:
    if proven != claimed:
        raise Invalid(InvalidCode.MALFORMED, "the proof shows another value, or none, for this key")


def _invalid(message: str, depth: int) -> Invalid:
    return Invalid(InvalidCode.MALFORMED, f"state proof: {message}", depth=depth)


def _require_hash(value: bytes, name: str) -> None:
    if len(value) != HASH_BYTES:
        raise Invalid(InvalidCode.MALFORMED, f"a {name} hash has {HASH_BYTES} bytes", name=name)


def _require_hashes(changes: Changes) -> None:
    lengths = set(map(len, changes))
    lengths.update([len(value) for value in changes.values() if value is not None])
    if lengths - {HASH_BYTES}:
        raise Corrupt("the state tree was given something that is not a hash")


def _update_bucket(blob: bytes, keys: list[bytes], changes: Changes, start: int, end: int) -> bytes:
    """Apply `keys[start:end]`; the result may be too long for a bucket, and may be empty."""
    if end - start > BUCKET_ENTRIES_MAX:
        return _merge_bucket(blob, keys, changes, start, end)
    for key in keys[start:end]:
        value = changes[key]
        at = blob.find(key, 1)
        while at & 63 != 1 and at >= 0:  # not an entry's start: a value that equals the key
            at = blob.find(key, at + 1)
        if at < 0:
            if value is not None:
                at = _find_insertion(blob, key)
                blob = blob[:at] + key + value + blob[at:]
            continue
        value_at, entry_end = at + HASH_BYTES, at + _ENTRY_BYTES
        if value is None:
            blob = blob[:at] + blob[entry_end:]
        elif blob[value_at:entry_end] != value:
            blob = blob[:value_at] + value + blob[entry_end:]
    return blob


def _merge_bucket(blob: bytes, keys: list[bytes], changes: Changes, start: int, end: int) -> bytes:
    """Do as `_update_bucket`, in one sort: for many changes to few entries."""
    entries = {entry[:HASH_BYTES]: entry for entry in _split_entries(blob)}
    for key in keys[start:end]:
        value = changes[key]
        if value is None:
            entries.pop(key, None)
        else:
            entries[key] = key + value
    merged = _EMPTY_BUCKET + b"".join([entries[key] for key in sorted(entries)])
    return blob if merged == blob else merged


def _find_insertion(bucket: bytes, key: bytes) -> int:
    """Find the offset of the first entry above `key`, which `bucket` does not hold."""
    low, high = 0, len(bucket) // _ENTRY_BYTES
    while low < high:
        middle = (low + high) >> 1
        at = 1 + _ENTRY_BYTES * middle
        if bucket[at : at + HASH_BYTES] < key:
            low = middle + 1
        else:
            high = middle
    return 1 + _ENTRY_BYTES * low


def _split_entries(bucket: bytes) -> list[bytes]:
    return [bucket[at : at + _ENTRY_BYTES] for at in range(1, len(bucket), _ENTRY_BYTES)]


def _find_value(bucket: bytes, key_hash: bytes) -> bytes | None:
    for entry in _split_entries(bucket):
        if entry[:HASH_BYTES] == key_hash:
            return entry[HASH_BYTES:]
    return None


def _find_group_end(keys: list[bytes], start: int, end: int, byte: int, shift: int) -> int:
    """Find the first of sorted `keys[start:end]` with another nibble than `keys[start]`."""
    first = keys[start]
    last_byte = first[byte] | 15 if shift else first[byte]
    bound = first[:byte] + bytes([last_byte]) + b"\xff" * (_ENTRY_BYTES - byte)
    return bisect_right(keys, bound, start, end)


def _compute_nibble(key_hash: bytes, depth: int) -> int:
    return key_hash[depth >> 1] >> (0 if depth & 1 else 4) & 15


def _read_slot(branch: bytes, nibble: int) -> tuple[bytes, int]:
    at = 1 + _SLOT_BYTES * nibble
    hash_end = at + HASH_BYTES
    return branch[at:hash_end], int.from_bytes(branch[hash_end : at + _SLOT_BYTES], "big")


def _read_count(blob: bytes) -> int:
    if blob[0] == _KIND_BRANCH:
        return sum(_read_slot(blob, nibble)[1] for nibble in range(16))
    return len(blob) // _ENTRY_BYTES
