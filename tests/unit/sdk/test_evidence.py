"""Evidence files: a hash of a batch is proved without a node, and nothing else is by its file."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import json
import sys
import tempfile
from functools import cache
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.world import World, key, make_genesis, open_world

from hansa.contracts.identity import evidence
from hansa.contracts.identity.evidence import Notarise, NotariseMany
from hansa.contracts.registry import MODULES, Registry, list_genesis_contracts
from hansa.engine.chain import Chain
from hansa.engine.log import BlockLog
from hansa.engine.record_items import list_envelopes
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import Network
from hansa.kernel.receipt_file import build_receipt_file
from hansa.node.home import KeySealer
from hansa.sdk.evidence import (
    FILE_BYTES_MAX,
    EvidenceBatch,
    build_evidence_file,
    hash_document,
    verify_evidence_file,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "evidence" / "vectors.json"
CASES = json.loads(VECTORS.read_text())
NOTARY, ANN = key("notary").address, key("ann").address
DOCUMENTS = [f"certificate {number}".encode() for number in range(37)]
SALTS = [hashlib.sha256(document).digest()[:16] for document in DOCUMENTS]


@cache
def play():
    """Notarise a batch, many hashes, and one that another notary has already; with receipts."""
    with tempfile.TemporaryDirectory() as folder:
        world = open_world(FileStorage(Path(folder)), make_genesis())
        found = notarise(world)
        world.chain.close()
    return found


def notarise(world):
    digest = world.network.digest
    hashes = [hash_document(*each, digest) for each in zip(DOCUMENTS, SALTS, strict=True)]
    batch = EvidenceBatch.of(hashes, digest)
    commands = {
        "batch": batch.notarise(NOTARY, (ANN,)),
        "many": NotariseMany(NOTARY, tuple(hashes[:3])),
        "one": Notarise(NOTARY, hashes[3], 0, ()),
        "again": Notarise(NOTARY, hashes[3], 0, ()),
        "other": Notarise(ANN, bytes(32), 0, ()),
    }
    receipts = {}
    for name, command in commands.items():
        world.do("ann" if name == "other" else "notary", command)
        (record,) = world.chain.iterate_records(world.chain.head.height)
        receipts[name] = build_receipt_file(world.network, record, list_envelopes(record), 0)
    return world.network, batch, receipts


def change(raw, **changes):
    return json.dumps({**json.loads(raw), **changes}).encode()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_vectors(case):
    raw = case["input"].encode()
    if "post" not in case:
        with pytest.raises(Invalid) as refusal:
            verify_evidence_file(raw)
        assert refusal.value.code.value == case["code"]
        return
    found = verify_evidence_file(raw)
    assert case["post"] == {
        "genesis_hash": found.receipt.genesis_hash.hex(),
        "notary": found.notary.hex(),
        "time_ms": found.time_ms,
        "evidence_hash": found.evidence_hash.hex(),
        "cosigners": [cosigner.hex() for cosigner in found.cosigners],
        "hash": found.hash.hex(),
        "leaves": found.leaves,
        "index": found.index,
        "salt": found.salt.hex(),
    }
    assert found.is_of(b"paper %d" % found.index) is bool(found.salt)


@pytest.mark.parametrize("index", [0, 1, 31, 35, 36])
def test_each_hash_of_a_batch_has_a_file_that_proves_it(index):
    network, batch, receipts = play()
    raw = batch.build_file(index, receipts["batch"], SALTS[index])
    found = verify_evidence_file(raw, network.genesis_hash)
    assert found.receipt.is_genesis_trusted
    assert (found.notary, found.cosigners) == (NOTARY, (ANN,))
    assert (found.evidence_hash, found.hash) == (batch.root, batch.hashes[index])
    assert (found.index, found.leaves) == (index, len(DOCUMENTS))
    assert found.time_ms == found.receipt.header.time_ms
    assert found.is_of(DOCUMENTS[index])
    assert not found.is_of(DOCUMENTS[index - 1])


def test_hashes_that_stand_for_themselves_have_files_without_a_path():
    network, batch, receipts = play()
    for name, index in (("many", 2), ("one", 3)):
        raw = build_evidence_file(batch.hashes[index], receipts[name])
        found = verify_evidence_file(raw, network.genesis_hash)
        assert (found.notary, found.hash, found.leaves) == (NOTARY, batch.hashes[index], 0)
        assert found.hash == found.evidence_hash
        assert not found.is_of(DOCUMENTS[index]), "without a salt nobody can tell"


def test_a_file_proves_nothing_that_its_transaction_did_not_put_on_record():
    _, batch, receipts = play()
    lone = batch.hashes[3]
    refused = [
        build_evidence_file(lone, receipts["again"]),
        build_evidence_file(lone, receipts["other"]),
        build_evidence_file(lone, receipts["many"]),
        build_evidence_file(batch.root, receipts["batch"]),
        batch.build_file(3, receipts["one"]),
        change(batch.build_file(3, receipts["batch"]), index=4),
        change(batch.build_file(3, receipts["batch"]), hash=lone[::-1].hex()),
        change(batch.build_file(3, receipts["batch"]), leaves=38),
    ]
    for raw in refused:
        with pytest.raises(Invalid) as refusal:
            verify_evidence_file(raw)
        assert refusal.value.code is InvalidCode.MALFORMED
        assert "put no such hash on record" in refusal.value.message


def test_a_root_passes_for_no_leaf_and_a_leaf_for_no_root():
    """A batch of one has its own hash at its leaf: 0 leaves and 1 leaf are not the same."""
    network, _, receipts = play()
    single = EvidenceBatch.of([bytes(32)], network.digest)
    assert single.root == network.digest(b"\x00" + bytes(32))
    for raw in (
        single.build_file(0, receipts["other"]),
        build_evidence_file(single.root, receipts["other"]),
    ):
        with pytest.raises(Invalid):
            verify_evidence_file(raw)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "hansa-receipt"},
        {"version": 2},
        {"hash": "00"},
        {"hash": "0" * 64 + "\n"},
        {"hash": "G" * 64},
        {"salt": "00"},
        {"index": -1},
        {"index": 2**70},
        {"leaves": 2**32 + 1},
        {"path": ["00" * 31]},
        {"path": ["00" * 32] * 33},
        {"path": []},
        {"receipt": "*"},
        {"receipt": ""},
        {"more": 1},
    ],
    ids=str,
)
def test_what_is_no_evidence_file_is_refused(changes):
    _, batch, receipts = play()
    with pytest.raises(Invalid):
        verify_evidence_file(change(batch.build_file(0, receipts["batch"]), **changes))


def test_a_hash_for_itself_has_neither_path_nor_place():
    _, batch, receipts = play()
    raw = build_evidence_file(batch.hashes[3], receipts["one"])
    for changes in ({"index": 1}, {"path": ["00" * 32]}):
        with pytest.raises(Invalid, match="neither path nor place"):
            verify_evidence_file(change(raw, **changes))


def test_files_and_batches_are_bounded():
    with pytest.raises(Invalid) as refusal:
        verify_evidence_file(bytes(FILE_BYTES_MAX + 1))
    assert refusal.value.code is InvalidCode.TOO_LARGE
    for hashes in ([], [bytes(32), bytes(31)]):
        with pytest.raises(Invalid):
            EvidenceBatch.of(hashes, hashlib.sha256)
    _, batch, receipts = play()
    with pytest.raises(Invalid):
        batch.build_file(37, receipts["batch"])
    with pytest.raises(Invalid, match="16 random bytes"):
        hash_document(b"", b"short", hashlib.sha256)


def test_another_genesis_is_not_trusted():
    _, batch, receipts = play()
    with pytest.raises(Invalid) as refusal:
        verify_evidence_file(batch.build_file(0, receipts["batch"]), bytes(32))
    assert refusal.value.code is InvalidCode.SIGNATURE


def test_an_event_of_another_form_proves_nothing(tmp_path):
    """As of a later version of the contract, or of a network of somebody's own."""
    text = inspect.getsource(evidence)
    name = "class Notarised(Event, frozen=True, array_like=True):\n"
    at = text.index("    notary: Address", text.index(name))
    path = tmp_path / "later_evidence.py"
    path.write_text(
        f"{text[:at]}    kind: str\n{text[at:]}".replace(
            "[Notarised(NO_MONEY, ", "[Notarised(NO_MONEY, 'deed', "
        )
    )
    spec = importlib.util.spec_from_file_location("later_evidence", path)
    later = sys.modules["later_evidence"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(later)
    modules = (*(each for each in MODULES if each is not evidence), later)
    genesis = msgspec.structs.replace(make_genesis(), contracts=list_genesis_contracts(modules))
    chain = Chain.open(
        BlockLog.open(FileStorage(tmp_path)),
        MemoryStore(),
        Network.of(genesis),
        Registry(genesis, modules),
        KeySealer(key("sealer")),
    )
    world = World(chain)
    command = later.Notarise(NOTARY, bytes(32), 0, ())
    assert world.do("notary", ("evidence", "notarise", command)) == ""
    (record,) = chain.iterate_records(chain.head.height)
    chain.close()
    receipt = build_receipt_file(world.network, record, list_envelopes(record), 0)
    with pytest.raises(Invalid, match="put no such hash on record"):
        verify_evidence_file(build_evidence_file(bytes(32), receipt))


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_rubbish_is_invalid_and_nothing_else(raw):
    with pytest.raises(Invalid):
        verify_evidence_file(raw)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_changed_file_is_refused_or_says_the_same(data):
    """A byte may be changed where JSON or base64 do not care; what is proved then is the same."""
    network, batch, receipts = play()
    raw = bytearray(batch.build_file(5, receipts["batch"]))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = verify_evidence_file(bytes(raw), network.genesis_hash)
    except Invalid:
        return
    assert (found.notary, found.evidence_hash) == (NOTARY, batch.root)
    assert found.hash == batch.hashes[found.index]
