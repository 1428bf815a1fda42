"""The state tree: vectors, forged proofs with right hashes, the cache's bound, a bad store."""

import json
from pathlib import Path

import pytest

from hansa.kernel.crypto.hashing import ZERO_HASH, crypto_profile
from hansa.kernel.errors import Corrupt, Invalid
from hansa.kernel.trees.state_tree import StateTree, verify_proof

SHA256 = crypto_profile("sha256").digest
CASES = json.loads(
    (Path(__file__).parents[3] / "vectors" / "state_tree" / "vectors.json").read_text()
)


class DictStore:
    """A `NodeStore` in memory that counts reads."""

    def __init__(self):
        self.nodes = {}
        self.reads = 0

    def get_node(self, path):
        self.reads += 1
        return self.nodes.get(path)

    def put_node(self, path, blob):
        self.nodes[path] = blob

    def delete_node(self, path):
        del self.nodes[path]


def make_entries(count):
    keys = [SHA256(b"key %d" % i) for i in range(count)]
    return {key: SHA256(key) for key in keys}


def make_tree(entries, **settings):
    tree = StateTree(DictStore(), SHA256, **settings)
    tree.update(entries)
    return tree


def from_hexadecimal(entries):
    return {
        bytes.fromhex(key): None if value is None else bytes.fromhex(value)
        for key, value in entries.items()
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['hash']}-{case['name']}")
def test_vectors(case):
    digest = crypto_profile(case["hash"]).digest
    tree = StateTree(DictStore(), digest)
    tree.update(from_hexadecimal(case["pre"]["entries"]))
    assert tree.root().hex() == case["pre"]["root"]
    tree.update(from_hexadecimal(case["input"]))
    assert tree.root().hex() == case["post"]["root"]
    for item in case["post"]["proofs"]:
        key = bytes.fromhex(item["key_hash"])
        value = None if item["value_hash"] is None else bytes.fromhex(item["value_hash"])
        proof = tree.prove(key)
        assert [blob.hex() for blob in proof] == item["proof"]
        verify_proof(tree.root(), key, value, proof, digest)


# Shape


def test_the_empty_tree_has_a_root_of_zeros_and_an_empty_proof():
    tree = StateTree(DictStore(), SHA256)
    assert tree.root() == ZERO_HASH
    assert tree.prove(bytes(32)) == []
    verify_proof(ZERO_HASH, bytes(32), None, [], SHA256)
    with pytest.raises(Invalid):
        verify_proof(ZERO_HASH, bytes(32), SHA256(b""), [], SHA256)
    with pytest.raises(Invalid):
        verify_proof(SHA256(b"root"), bytes(32), None, [], SHA256)


def test_keys_that_differ_in_the_last_nibbles_only():
    entries = {bytes(31) + bytes([i]): SHA256(bytes([i])) for i in range(256)}
    tree = make_tree(entries)
    key = bytes(32)
    proof = tree.prove(key)
    assert len(proof) == 64  # a branch at each depth from 0 to 62, then a bucket of 16
    verify_proof(tree.root(), key, entries[key], proof, SHA256)
    store = DictStore()
    same = StateTree(store, SHA256)
    for key, value in entries.items():
        same.update({key: value})
    assert same.root() == tree.root()
    same.update(dict.fromkeys(list(entries)[16:]))
    assert list(store.nodes) == [b""]
    same.update(dict.fromkeys(entries))
    assert store.nodes == {}
    assert same.root() == ZERO_HASH


def test_a_value_that_equals_a_key_is_not_taken_for_it():
    low, high = b"\x01" * 32, b"\x02" * 32
    tree = make_tree({low: high})
    verify_proof(tree.root(), high, None, tree.prove(high), SHA256)
    tree.update({high: low})
    assert tree.root() == make_tree({high: low, low: high}).root()
    tree.update({low: None})
    assert tree.root() == make_tree({high: low}).root()


def test_a_key_across_two_entries_is_not_taken_for_it():
    tree = make_tree(
        {b"\x01" * 32: b"\x05" * 16 + b"\x07" * 16, b"\x07" * 16 + b"\x05" * 16: ZERO_HASH}
    )
    across = b"\x07" * 32
    verify_proof(tree.root(), across, None, tree.prove(across), SHA256)
    before = tree.root()
    tree.update({across: None})
    assert tree.root() == before


# Cache and store


def test_a_tree_larger_than_its_cache_reads_from_the_store():
    entries = make_entries(3_000)
    store = DictStore()
    StateTree(store, SHA256).update(entries)
    tree = StateTree(store, SHA256, cache_nodes=20)
    keys = list(entries)
    changes = {key: SHA256(entries[key]) for key in keys[:1_000]} | dict.fromkeys(keys[2_000:])
    tree.update(changes)
    for key in keys[:200]:
        verify_proof(tree.root(), key, changes[key], tree.prove(key), SHA256)
    reopened = StateTree(store, SHA256)
    assert reopened.root() == tree.root()
    remaining = {key: value for key, value in (entries | changes).items() if value is not None}
    assert reopened.root() == make_tree(remaining).root()


def test_hot_nodes_are_not_read_again():
    entries = make_entries(2_000)
    store = DictStore()
    StateTree(store, SHA256).update(entries)
    tree = StateTree(store, SHA256)
    key = next(iter(entries))
    tree.prove(key)
    reads = store.reads
    tree.prove(key)
    tree.update({key: ZERO_HASH})
    tree.prove(key)
    assert store.reads == reads


def test_cold_nodes_leave_the_cache():
    entries = make_entries(2_000)
    store = DictStore()
    StateTree(store, SHA256).update(entries)
    tree = StateTree(store, SHA256, cache_nodes=20)
    first, *others = entries
    tree.prove(first)
    for key in others[:200]:
        tree.prove(key)
    reads = store.reads
    tree.prove(first)
    assert store.reads > reads


def test_changes_without_effect_write_nothing():
    entries = make_entries(40)
    keys = list(entries)
    store = DictStore()
    tree = StateTree(store, SHA256)
    tree.update({key: entries[key] for key in keys[:10]})
    store.put_node = None  # any write would now raise
    before = tree.root()
    tree.update({})
    tree.update(dict.fromkeys(keys[10:12]))
    tree.update(dict.fromkeys(keys[10:]))  # more than a bucket's worth: the other algorithm
    tree.update({keys[0]: entries[keys[0]]})
    assert tree.root() == before


@pytest.mark.parametrize("bad", ["lost", "changed"])
def test_a_node_that_the_store_lost_or_changed_is_corrupt(bad):
    entries = make_entries(100)
    store = DictStore()
    StateTree(store, SHA256).update(entries)
    tree = StateTree(store, SHA256)
    key = next(iter(entries))
    path = bytes([key[0] >> 4])
    blob = store.nodes.pop(path)
    if bad == "changed":
        store.nodes[path] = blob[:-1] + bytes([blob[-1] ^ 1])
    with pytest.raises(Corrupt):
        tree.prove(key)
    with pytest.raises(Corrupt):
        tree.update({key: ZERO_HASH})


@pytest.mark.parametrize(
    "changes", [{b"": ZERO_HASH}, {bytes(31): None}, {bytes(32): b""}, {bytes(32): bytes(33)}]
)
def test_what_is_not_a_hash_never_gets_in(changes):
    tree = make_tree(make_entries(20))
    before = tree.root()
    with pytest.raises(Corrupt):
        tree.update(changes)
    assert tree.root() == before


# Forged proofs whose hashes are right: only the shape gives them away.


def make_slot(blob, count):
    return SHA256(blob) + count.to_bytes(8, "big")


def make_bucket(*keys):
    return b"\x00" + b"".join(key + ZERO_HASH for key in keys)


def make_branch(slots):
    return b"\x01" + b"".join(slots.get(nibble, bytes(40)) for nibble in range(16))


KEY = bytes(32)
KEYS = [bytes(31) + bytes([i]) for i in range(18)]
FULL = make_bucket(*KEYS[:16])
REST = (1, make_slot(b"", 16))


def refuse(proof, value=ZERO_HASH, key=KEY):
    with pytest.raises(Invalid):
        verify_proof(SHA256(proof[0]), key, value, proof, SHA256)


def test_the_forgeries_start_from_proofs_that_hold():
    bucket = [make_bucket(KEYS[0], KEYS[1])]
    verify_proof(SHA256(bucket[0]), KEY, ZERO_HASH, bucket, SHA256)
    branch = [make_branch({0: make_slot(FULL, 16), 1: make_slot(b"", 16)}), FULL]
    verify_proof(SHA256(branch[0]), KEY, ZERO_HASH, branch, SHA256)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\x00",
        b"\x02" + bytes(640),
        make_bucket(*KEYS[:17]),
        make_bucket(KEYS[1], KEYS[0]),
        make_bucket(KEYS[0], KEYS[0]),
        make_bucket(KEYS[0]) + b"\x01" * 32,
        make_bucket(KEYS[0])[:-1],
    ],
    ids=["nothing", "empty", "kind", "17", "unsorted", "twice", "longer", "shorter"],
)
def test_malformed_buckets_are_invalid(blob):
    refuse([blob])
    refuse([blob], value=None)


def test_counts_must_agree():
    refuse([make_branch({0: make_slot(FULL, 17), 1: make_slot(b"", 16)}), FULL])
    refuse([make_branch({0: make_slot(FULL, 16)}), FULL])  # 16 entries: must be a bucket
    refuse([make_branch({0: SHA256(FULL) + bytes(8), 1: make_slot(b"", 17)})], value=None)
    refuse([make_branch({0: ZERO_HASH + bytes(7) + b"\x01", 1: make_slot(b"", 17)})], value=None)
    inner = make_branch({0: make_slot(FULL, 16), 1: make_slot(b"", 16)})
    refuse([make_branch({0: make_slot(inner, 33)}), inner, FULL])


def test_a_bucket_must_stand_under_its_prefix():
    key = b"\x10" + bytes(31)
    for stray in (make_bucket(KEY, key), make_bucket(key, b"\x20" + bytes(31))):
        refuse([make_branch({1: make_slot(stray, 2), 2: make_slot(b"", 16)}), stray], key=key)


def test_a_branch_has_641_bytes():
    branch = make_branch({1: make_slot(b"", 17)})
    verify_proof(SHA256(branch), KEY, None, [branch], SHA256)
    refuse([branch + b"\x00"], value=None)
    refuse([branch[:-1]], value=None)


def test_nothing_stands_below_depth_64():
    proof, count = [make_bucket(KEY)], 1
    for _ in range(65):
        proof.insert(0, make_branch({0: make_slot(proof[0], count), 1: make_slot(b"", 16)}))
        count += 16
    verify_proof(SHA256(proof[1]), KEY, ZERO_HASH, proof[1:], SHA256)
    refuse(proof)


def test_hashes_of_another_length_are_invalid():
    tree = make_tree(make_entries(3))
    with pytest.raises(Invalid):
        tree.prove(bytes(31))
    for root, key, value in [
        (bytes(31), KEY, None),
        (ZERO_HASH, bytes(33), None),
        (ZERO_HASH, KEY, b""),
    ]:
        with pytest.raises(Invalid):
            verify_proof(root, key, value, [], SHA256)
