"""Proofs of many rows: they hold for what a tree holds, and for nothing else."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.errors import Invalid
from hansa.kernel.trees.multiproof import join_proofs, verify_many
from hansa.kernel.trees.state_tree import StateTree


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class Nodes(dict):
    """Nodes in memory."""

    def get_node(self, path):
        return self.get(path)

    def put_node(self, path, blob):
        self[path] = blob

    def delete_node(self, path):
        self.pop(path, None)


def place(number):
    """A place; every fifth stands in one crowded corner of the tree."""
    hashed = digest(b"place %d" % number)
    return bytes(20) + hashed[20:] if number % 5 == 0 else hashed


def make(count):
    tree = StateTree(Nodes(), digest)
    entries = {place(number): digest(b"row %d" % number) for number in range(count)}
    tree.update(entries)
    return tree, entries


def prove(tree, places):
    return join_proofs({each: tree.prove(each) for each in places})


TREE, ENTRIES = make(700)
CLAIMS = {place(number): ENTRIES.get(place(number)) for number in (*range(0, 60, 3), 900, 905, 907)}
NODES = prove(TREE, CLAIMS)


@given(
    count=st.integers(0, 60) | st.just(400),
    asked=st.sets(st.integers(0, 500), min_size=1, max_size=40),
)
def test_what_a_tree_holds_is_proved_whatever_is_asked(count, asked):
    tree, entries = make(count)
    claims = {place(number): entries.get(place(number)) for number in asked}
    nodes = prove(tree, claims)
    verify_many(tree.root(), claims, nodes, digest)
    assert len(nodes) == len(set(nodes)), "each node comes once"


@given(which=st.sampled_from(sorted(CLAIMS)), value=st.none() | st.binary(min_size=32, max_size=32))
def test_another_value_is_refused(which, value):
    if value == CLAIMS[which]:
        return
    with pytest.raises(Invalid, match="another value, or none"):
        verify_many(TREE.root(), {**CLAIMS, which: value}, NODES, digest)


@given(node=st.integers(0, len(NODES) - 1), data=st.data())
def test_a_flipped_bit_is_refused(node, data):
    at = data.draw(st.integers(0, len(NODES[node]) - 1))
    blob = bytearray(NODES[node])
    blob[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Invalid):
        verify_many(TREE.root(), CLAIMS, [*NODES[:node], bytes(blob), *NODES[node + 1 :]], digest)


@pytest.mark.parametrize(
    "nodes",
    [[], NODES[:-1], [*NODES, NODES[-1]], [*NODES, b""], NODES[1:], NODES[::-1], [b""], [b"\x01"]],
    ids=["none", "last missing", "twice", "more", "no root", "turned", "empty", "short"],
)
def test_nodes_that_are_not_the_proof_are_refused(nodes):
    with pytest.raises(Invalid):
        verify_many(TREE.root(), CLAIMS, nodes, digest)


@given(
    root=st.binary(max_size=33),
    claims=st.dictionaries(st.binary(max_size=33), st.none() | st.binary(max_size=33), max_size=4),
    nodes=st.lists(st.binary(max_size=700), max_size=4),
)
def test_noise_raises_nothing_but_invalid(root, claims, nodes):
    nodes = [*nodes, b"\x00" + b"".join(sorted(claims)), b"\x01" + bytes(640)]
    for first in range(len(nodes)):
        for top in (root, digest(nodes[first])):
            try:
                verify_many(top, claims, nodes[first:], digest)
            except Invalid:
                continue
            assert set(claims.values()) == {None}


def test_the_empty_tree_holds_nothing():
    verify_many(ZERO_HASH, {place(1): None}, [], digest)
    for claims, nodes in (({place(1): place(2)}, []), ({place(1): None}, [b""]), ({}, [])):
        with pytest.raises(Invalid):
            verify_many(ZERO_HASH, claims, nodes, digest)


def make_branch(slots):
    blob = bytearray(641)
    blob[0] = 1
    for nibble, (child, count) in slots.items():
        at = 1 + 40 * nibble
        blob[at : at + 40] = child + count.to_bytes(8, "big")
    return bytes(blob)


def make_bucket(*keys):
    return b"\x00" + b"".join(key_ + bytes(32) for key_ in keys)


FAR = b"\xf0" + bytes(31)
NEAR = [bytes(31) + bytes([number]) for number in range(17)]
SIXTEEN = make_bucket(*NEAR[:16])


@pytest.mark.parametrize(
    ("top", "below", "told"),
    [
        (make_branch({0: (digest(SIXTEEN), 16)}), [SIXTEEN], "number of entries"),
        (make_branch({0: (digest(SIXTEEN), 15), 15: (FAR, 9)}), [SIXTEEN], "wrong length"),
        (make_branch({0: (ZERO_HASH, 16), 15: (FAR, 9)}), [], "entries without a child"),
        (make_branch({0: (FAR, 0), 15: (FAR, 99)}), [], "a child without entries"),
        (make_bucket(FAR, NEAR[1]), [], "not in order"),
        (make_bucket(NEAR[1], NEAR[1]), [], "not in order"),
        (make_bucket(*NEAR), [], "wrong length"),
        (b"\x02" + bytes(640), [], "not a node"),
    ],
)
def test_no_tree_has_such_nodes(top, below, told):
    with pytest.raises(Invalid, match=told):
        verify_many(digest(top), {NEAR[0]: None}, [top, *below], digest)


def test_a_bucket_must_stand_under_its_prefix():
    bucket = make_bucket(FAR)
    top = make_branch({0: (digest(bucket), 1), 15: (FAR, 99)})
    with pytest.raises(Invalid, match="another subtree"):
        verify_many(digest(top), {NEAR[0]: None}, [top, bucket], digest)
