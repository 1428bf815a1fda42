"""The list tree: known answers of Certificate Transparency, our vectors, refused paths."""

import json
from pathlib import Path

import pytest

from hansa.kernel.crypto.hashing import crypto_profile
from hansa.kernel.errors import Invalid
from hansa.kernel.trees.merkle import (
    MerkleTree,
    compute_path,
    compute_root,
    compute_root_from_path,
)

SHA256 = crypto_profile("sha256").digest
CASES = json.loads((Path(__file__).parents[3] / "vectors" / "merkle" / "vectors.json").read_text())

# Source: certificate-transparency, merkletree tests (also in its Go and C++ implementations).
CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# (leaf, number of leaves, path), counted from zero.
CT_PATHS = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]


@pytest.mark.parametrize("count", range(9))
def test_certificate_transparency_roots(count):
    assert compute_root(CT_LEAVES[:count], SHA256).hex() == CT_ROOTS[count]


@pytest.mark.parametrize(("index", "count", "path"), CT_PATHS)
def test_certificate_transparency_paths(index, count, path):
    assert [node.hex() for node in compute_path(CT_LEAVES[:count], index, SHA256)] == path


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['hash']}-{len(c['pre']['leaves'])}")
def test_vectors(case):
    digest = crypto_profile(case["hash"]).digest
    leaves = [bytes.fromhex(text) for text in case["pre"]["leaves"]]
    root = compute_root(leaves, digest)
    tree = MerkleTree(leaves, digest)
    assert root.hex() == tree.root.hex() == case["post"]["root"]
    for index, leaf in enumerate(leaves):
        path = compute_path(leaves, index, digest)
        assert [node.hex() for node in path] == case["post"]["paths"][index]
        assert tree.path(index) == path
        assert compute_root_from_path(leaf, index, len(leaves), path, digest) == root


@pytest.mark.parametrize("index", [-1, 3, 2**70])
def test_an_index_outside_the_list_is_invalid(index):
    leaves = CT_LEAVES[:3]
    with pytest.raises(Invalid):
        compute_path(leaves, index, SHA256)
    with pytest.raises(Invalid):
        MerkleTree(leaves, SHA256).path(index)
    with pytest.raises(Invalid):
        compute_root_from_path(leaves[0], index, 3, compute_path(leaves, 0, SHA256), SHA256)


@pytest.mark.parametrize("count", range(1, 9))
def test_paths_of_another_length_are_invalid(count):
    leaves = CT_LEAVES[:count]
    for index, leaf in enumerate(leaves):
        path = compute_path(leaves, index, SHA256)
        wrong_paths = [[*path, SHA256(b"")], [SHA256(b""), *path]]
        wrong_paths += [path[:-1], path[1:]] if path else []
        for wrong in wrong_paths:
            with pytest.raises(Invalid):
                compute_root_from_path(leaf, index, count, wrong, SHA256)


def test_a_path_element_that_is_not_a_hash_is_invalid():
    # 31 bytes of one element and 33 of the next would hash like two others.
    path = compute_path(CT_LEAVES, 0, SHA256)
    with pytest.raises(Invalid):
        compute_root_from_path(CT_LEAVES[0], 0, 8, [path[0] + b"\0", *path[1:]], SHA256)


def test_another_leaf_index_or_sibling_gives_another_root():
    root = compute_root(CT_LEAVES, SHA256)
    path = compute_path(CT_LEAVES, 2, SHA256)
    flipped = [path[0], path[1][:-1] + bytes([path[1][-1] ^ 1]), path[2]]
    assert compute_root_from_path(b"\x11", 2, 8, path, SHA256) != root
    assert compute_root_from_path(CT_LEAVES[2], 3, 8, path, SHA256) != root
    assert compute_root_from_path(CT_LEAVES[2], 2, 8, flipped, SHA256) != root
