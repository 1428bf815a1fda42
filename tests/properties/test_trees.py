"""The trees against slow, clear models of their formats, and the vectors made by those models.

`python tests/properties/test_trees.py` writes `tests/vectors/{merkle,state_tree}/vectors.json`
anew, from the models alone.
"""

import hashlib
import json
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.conftest import IS_SOAK

from hansa.kernel.crypto.hashing import crypto_profile
from hansa.kernel.errors import Invalid
from hansa.kernel.trees.merkle import compute_path, compute_root, compute_root_from_path
from hansa.kernel.trees.state_tree import StateTree, verify_proof

VECTORS = Path(__file__).parents[1] / "vectors"
HASHES = ("sha256", "sm3")
PROFILE = crypto_profile("sha256")


# The models: what docs/reference/trees.md says, written for reading.


def compute_model_list_root(leaves, digest):
    """RFC 6962 section 2.1, as it stands there."""
    if not leaves:
        return digest(b"")
    if len(leaves) == 1:
        return digest(b"\x00" + leaves[0])
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    left = compute_model_list_root(leaves[:k], digest)
    return digest(b"\x01" + left + compute_model_list_root(leaves[k:], digest))


def compute_model_list_path(leaves, index, digest):
    """RFC 6962 section 2.1.1, as it stands there."""
    if len(leaves) == 1:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    left, right = leaves[:k], leaves[k:]
    if index < k:
        path = compute_model_list_path(left, index, digest)
        return [*path, compute_model_list_root(right, digest)]
    path = compute_model_list_path(right, index - k, digest)
    return [*path, compute_model_list_root(left, digest)]


def compute_model_nodes(entries, digest, path=""):
    """All nodes of the tree over `entries` (key hash to value hash), by hexadecimal path."""
    inside = sorted(key for key in entries if key.hex().startswith(path))
    if not inside:
        return {}
    if len(inside) <= 16:
        return {path: b"\x00" + b"".join(key + entries[key] for key in inside)}
    nodes = {}
    slots = dict.fromkeys("0123456789abcdef", bytes(40))
    for nibble, group in groupby(inside, key=lambda key: key.hex()[len(path)]):
        members = {key: entries[key] for key in group}
        nodes |= compute_model_nodes(members, digest, path + nibble)
        slots[nibble] = digest(nodes[path + nibble]) + len(members).to_bytes(8, "big")
    return nodes | {path: b"\x01" + b"".join(slots.values())}


def compute_model_root(entries, digest):
    nodes = compute_model_nodes(entries, digest)
    return digest(nodes[""]) if nodes else bytes(32)


def compute_model_proof(entries, key, digest):
    nodes = compute_model_nodes(entries, digest)
    return [nodes[path] for path in (key.hex()[:n] for n in range(65)) if path in nodes]


# Properties


class DictStore:
    """A `NodeStore` that also counts what is done to it."""

    def __init__(self):
        self.nodes = {}
        self.puts = []

    def get_node(self, path):
        return self.nodes.get(path)

    def put_node(self, path, blob):
        self.nodes[path] = blob
        self.puts.append(path)

    def delete_node(self, path):
        del self.nodes[path]  # fails if the tree deletes what it never put

    def hexadecimal(self):
        return {path.hex()[1::2]: blob for path, blob in self.nodes.items()}


def make_key_hash(prefix, tail):
    return (prefix + bytes([tail])).ljust(32, b"\x5a")


# Keys crowd under a few long prefixes, so that buckets split deeply and branches collapse.
key_hashes = st.builds(
    make_key_hash,
    st.sampled_from([b"", b"\x12", b"\x12\x34", b"\x12\x34\x56\x78", b"\xff" * 8, b"\0" * 31]),
    st.integers(0, 255),
)
value_hashes = st.one_of(st.binary(min_size=32, max_size=32), key_hashes)
entry_sets = st.dictionaries(key_hashes, value_hashes, max_size=80)
change_sets = st.dictionaries(key_hashes, st.none() | value_hashes, max_size=60)


class TreeEqualsModel(RuleBasedStateMachine):
    """Any run of batches leaves exactly the nodes of the model over the whole set."""

    def __init__(self):
        super().__init__()
        self.store = DictStore()
        self.tree = StateTree(self.store, PROFILE.digest, cache_nodes=8)
        self.entries = {}

    def apply(self, changes):
        self.store.puts.clear()
        self.tree.update(changes)
        assert len(set(self.store.puts)) == len(self.store.puts), "a node was written twice"
        self.entries |= changes
        self.entries = {key: value for key, value in self.entries.items() if value is not None}

    @rule(changes=change_sets)
    def change(self, changes):
        self.apply(changes)

    @rule(data=st.data())
    def delete_many(self, data):
        keys = sorted(self.entries)
        keep = data.draw(st.integers(0, 20))
        self.apply(dict.fromkeys(keys[keep:]))

    @rule(key=key_hashes, value=value_hashes)
    def put_one(self, key, value):
        self.apply({key: value})

    @rule()
    def repeat(self):
        before = self.tree.root()
        self.apply(dict(self.entries))
        assert self.tree.root() == before
        assert not self.store.puts

    @rule()
    def reopen(self):
        self.tree = StateTree(self.store, PROFILE.digest, cache_nodes=8)

    @rule(key=key_hashes)
    def prove(self, key):
        proof = self.tree.prove(key)
        assert proof == compute_model_proof(self.entries, key, PROFILE.digest)
        value = self.entries.get(key)
        verify_proof(self.tree.root(), key, value, proof, PROFILE.digest)
        with pytest.raises(Invalid):
            verify_proof(
                self.tree.root(), key, None if value else b"\x07" * 32, proof, PROFILE.digest
            )

    @invariant()
    def nodes_are_the_models(self):
        assert self.store.hexadecimal() == compute_model_nodes(self.entries, PROFILE.digest)
        assert self.tree.root() == compute_model_root(self.entries, PROFILE.digest)


TreeEqualsModel.TestCase.settings = settings(
    max_examples=2_000 if IS_SOAK else 60, stateful_step_count=12, deadline=None
)
TestTreeEqualsModel = TreeEqualsModel.TestCase


@settings(max_examples=2_000 if IS_SOAK else 60, deadline=None)
@given(entries=entry_sets, passing=entry_sets, order=st.randoms(use_true_random=False))
def test_history_leaves_no_trace(entries, passing, order):
    straight = StateTree(DictStore(), PROFILE.digest)
    straight.update(entries)
    winding = StateTree(DictStore(), PROFILE.digest, cache_nodes=2)
    winding.update(passing)
    keys = list(entries)
    order.shuffle(keys)
    for key in keys:
        winding.update({key: entries[key]})
    winding.update(dict.fromkeys(passing.keys() - entries.keys()))
    assert winding.root() == straight.root()


@settings(max_examples=1_000 if IS_SOAK else 25, deadline=None)
@given(entries=entry_sets, key=key_hashes, bit=st.integers(0, 7), data=st.data())
def test_every_flipped_byte_of_a_proof_is_refused(entries, key, bit, data):
    tree = StateTree(DictStore(), PROFILE.digest)
    tree.update(entries)
    root, value, proof = tree.root(), entries.get(key), tree.prove(key)
    for position, blob in enumerate(proof):
        for at in range(len(blob)):
            flipped = bytearray(blob)
            flipped[at] ^= 1 << bit
            forged = [*proof[:position], bytes(flipped), *proof[position + 1 :]]
            with pytest.raises(Invalid):
                verify_proof(root, key, value, forged, PROFILE.digest)
    surplus = data.draw(st.sampled_from([b"", b"\x00", b"\x00" * 65, *proof]))
    at = data.draw(st.integers(0, len(proof)))
    for forged in ([*proof[:at], surplus, *proof[at:]], proof[:-1] if proof else [b""]):
        with pytest.raises(Invalid):
            verify_proof(root, key, value, forged, PROFILE.digest)


@given(root=st.binary(max_size=33), proof=st.lists(st.binary(max_size=700), max_size=4))
def test_verifying_noise_raises_nothing_but_invalid(root, proof):
    if proof:
        root = PROFILE.digest(proof[0])
    with pytest.raises(Invalid):
        verify_proof(root, bytes(32), b"\x01" * 32, proof, PROFILE.digest)


@settings(deadline=None)
@given(leaves=st.lists(st.binary(max_size=40), min_size=1, max_size=40), data=st.data())
def test_list_tree_equals_rfc_6962(leaves, data):
    digest = PROFILE.digest
    root = compute_root(leaves, digest)
    assert root == compute_model_list_root(leaves, digest)
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = compute_path(leaves, index, digest)
    assert path == compute_model_list_path(leaves, index, digest)
    assert compute_root_from_path(leaves[index], index, len(leaves), path, digest) == root
    for wrong in ([*path, digest(b"")], path[:-1] if path else [b""]):
        with pytest.raises(Invalid):
            compute_root_from_path(leaves[index], index, len(leaves), wrong, digest)


# Vectors


def make_merkle_vectors():
    """Lists of the Certificate Transparency test data, and some longer ones."""
    ct = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    ct.append("606162636465666768696a6b6c6d6e6f")
    lists = [ct[:n] for n in range(9)] + [[f"{i:04x}" for i in range(n)] for n in (13, 16, 33)]
    cases = []
    for name in HASHES:
        digest = crypto_profile(name).digest
        for texts in lists:
            leaves = [bytes.fromhex(text) for text in texts]
            paths = [compute_model_list_path(leaves, i, digest) for i in range(len(leaves))]
            cases.append(
                {
                    "hash": name,
                    "pre": {"leaves": texts},
                    "post": {
                        "root": compute_model_list_root(leaves, digest).hex(),
                        "paths": [[node.hex() for node in path] for path in paths],
                    },
                }
            )
    return cases


def make_scattered(count, start=0):
    """Entries with keys and values that look random, the same on every machine."""
    keys = [hashlib.sha256(b"key %d" % i).digest() for i in range(start, start + count)]
    return {key: hashlib.sha256(b"value " + key).digest() for key in keys}


def make_crowded(count):
    """Entries whose keys share their first three bytes."""
    return {(b"\xab" * 3 + bytes([i])).ljust(32, b"\xcd"): bytes([i]) * 32 for i in range(count)}


def make_state_tree_vectors():
    """Name, entries before, changes, keys to prove after them."""
    few, many, crowded = make_scattered(16), make_scattered(120), make_crowded(17)
    other = make_scattered(3, start=1000)
    new, absent = list(other)[:2]
    first = next(iter(few))
    cases = [
        ("empty", {}, {}, [bytes(32)]),
        ("one entry", {}, {first: few[first]}, [first, absent]),
        ("a full bucket", {}, few, [first, absent]),
        ("a bucket becomes a branch", few, {new: other[new]}, [first, new, absent]),
        ("a branch becomes a bucket", {**few, new: other[new]}, {new: None}, [first, new]),
        ("update in place", few, {first: bytes(32)}, [first]),
        ("a value that equals its key", few, {first: first}, [first]),
        ("deleting what is not there", few, {new: None}, [new]),
        ("deleting everything", many, dict.fromkeys(many), [first]),
        ("a mixed batch", many, {**dict.fromkeys(list(many)[:50]), **other}, [first, new]),
        ("seventeen keys with six common nibbles", {}, crowded, [*list(crowded)[:1], absent]),
        (
            "a chain of branches becomes a bucket",
            crowded,
            dict.fromkeys(list(crowded)[16:]),
            [first],
        ),
    ]
    return [
        make_state_tree_vector(crypto_profile(name), *case) for name in HASHES for case in cases
    ]


def make_state_tree_vector(profile, name, before, changes, proven):
    entries = {key: value for key, value in {**before, **changes}.items() if value is not None}
    proofs = [
        {
            "key_hash": key.hex(),
            "value_hash": entries[key].hex() if key in entries else None,
            "proof": [blob.hex() for blob in compute_model_proof(entries, key, profile.digest)],
        }
        for key in proven
    ]
    return {
        "name": name,
        "hash": profile.name,
        "pre": {
            "entries": {key.hex(): value.hex() for key, value in sorted(before.items())},
            "root": compute_model_root(before, profile.digest).hex(),
        },
        "input": {
            key.hex(): None if value is None else value.hex()
            for key, value in sorted(changes.items())
        },
        "post": {"root": compute_model_root(entries, profile.digest).hex(), "proofs": proofs},
    }


MAKERS = {"merkle": make_merkle_vectors, "state_tree": make_state_tree_vectors}


@pytest.mark.parametrize("family", MAKERS)
def test_vectors_are_what_the_models_compute(family):
    assert json.loads((VECTORS / family / "vectors.json").read_text()) == MAKERS[family]()


if __name__ == "__main__":
    for family, make in MAKERS.items():
        text = json.dumps(make(), indent=1) + "\n"
        (VECTORS / family / "vectors.json").write_text(text)
