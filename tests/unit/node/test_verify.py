"""Verification executes the chain again and finds whatever was changed, even under right seals."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from tests.played import Forger, make_folder, open_folder
from tests.world import key, open_world, pay

from hansa.engine.log import BlockLog
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.kernel.block import BlockRecord, Drop, decode_header
from hansa.kernel.errors import Corrupt
from hansa.kernel.frame import decode_batch
from hansa.kernel.genesis import Network
from hansa.node.home import Home
from hansa.node.records import iterate_records, open_log
from hansa.node.verify import VerifyReport, verify, verify_folder


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    return make_folder(tmp_path_factory.mktemp("verify") / "node")


@pytest.fixture(scope="module")
def records(home) -> tuple[BlockRecord, ...]:
    reader = open_log(home.log_path)
    try:
        return tuple(iterate_records(reader))
    finally:
        reader.close()


@pytest.fixture
def forger(home, records) -> Forger:
    return Forger(home.load_network(), list(records))


def look(forger: Forger, *, signatures: bool = True) -> VerifyReport:
    return verify(forger.records, forger.network, MemoryStore(), signatures=signatures, processes=1)


def find_busy(forger: Forger) -> int:
    """Find the height of the block with the most transactions."""
    return max(range(len(forger.records)), key=lambda at: len(forger.records[at].receipts))


def test_an_honest_folder_passes_on_all_cores(home, records):
    heights = []
    report = verify_folder(home.log_path, home.load_network(), heights.append)
    assert report.findings == []
    assert report.verify_ok
    assert report.differs_at is None
    assert heights == list(range(len(records)))
    head = decode_header(records[-1].header)
    assert (report.height, report.state_root) == (head.height, head.state_root.hex())
    assert report.blocks == len(records)
    assert json.loads(json.dumps(report.to_json()))["verify_ok"] is True


def test_without_signatures_it_says_so(forger):
    report = look(forger, signatures=False)
    assert report.verify_ok
    assert report.to_json()["signatures_checked"] is False


def test_a_running_node_is_verified_beside_it(tmp_path):
    home = make_folder(tmp_path / "node")
    with open_folder(home.path) as world:
        world.time_ms += 700
        assert world.do("ada", pay("ada", "shop", 1, "live")) == ""
        report = verify_folder(home.log_path, world.network, signatures=False)
        assert report.findings == []
        assert report.height == world.chain.head.height


def test_no_block_is_not_verified(forger):
    forger.records = []
    assert look(forger).findings == ["there is no block"]


# --- what was changed ---------------------------------------------------------------------------


def test_a_flipped_byte_of_a_receipt_is_found(forger):
    at = find_busy(forger)
    record = forger.records[at]
    raw = bytearray(record.receipts[3])
    raw[-1] ^= 1
    receipts = (*record.receipts[:3], bytes(raw), *record.receipts[4:])
    forger.records[at] = msgspec.structs.replace(record, receipts=receipts)
    report = look(forger)
    assert report.differs_at == at == report.height + 1
    assert report.findings == [
        f"block {at} executes to 1 other receipts than were logged, the first at 3"
    ]


def test_a_receipt_changed_under_right_seals_is_found(forger):
    height = forger.change_receipt(lambda fields: not fields.__setitem__(3, fields[3] + 1))
    report = look(forger)
    assert report.differs_at == height
    assert any("another receipt_root" in finding for finding in report.findings)


@pytest.mark.parametrize("name", ["state_root", "write_set_hash", "tx_root", "checkpoint_height"])
def test_a_changed_header_is_found_and_the_field_named(forger, name):
    before = getattr(decode_header(forger.records[6].header), name)
    other = before + 1 if isinstance(before, int) else bytes(32)
    forger.change_header(6, **{name: other})
    report = look(forger)
    assert report.differs_at == 6
    assert report.findings == [f"block 6 executes to another {name}"]


def test_a_changed_batch_is_found(forger):
    """One payment is taken out of a batch, whose signature then fails."""
    at = find_busy(forger)
    record = forger.records[at]
    batch, body = decode_batch(record.batches[0])
    shorter = msgspec.msgpack.encode(msgspec.structs.replace(body, items=body.items[1:]))
    raw = msgspec.msgpack.encode(msgspec.structs.replace(batch, body=shorter))
    forger.change(at, batches=(raw,))
    report = look(forger)
    assert report.differs_at == at
    assert "signature" in report.findings[0]
    assert look(forger, signatures=False).differs_at == at


def test_a_forged_signature_is_found_only_by_checking(forger):
    """The sponsor signs a batch in which a payer's signature is damaged."""
    at = find_busy(forger)
    batch, body = decode_batch(forger.records[at].batches[0])
    first = bytearray(body.items[0].envelope)
    first[-1] ^= 1
    items = ((bytes(first), None), *((item.envelope, None) for item in body.items[1:]))
    changed = msgspec.msgpack.encode((body.version, body.sponsor, items))
    signature = key("north server").sign(forger.network.batch_prefix + changed)
    forger.change(
        at,
        batches=(msgspec.msgpack.encode((changed, batch.suite, batch.public_key, signature)),),
    )
    report = look(forger)
    assert report.differs_at == at
    assert any("drops other items" in finding for finding in report.findings)


@pytest.mark.parametrize("signatures", [True, False])
def test_batches_that_cannot_be_read_are_found(forger, signatures):
    at = find_busy(forger)
    forger.change(at, batches=(b"\x94rubbish",))
    report = look(forger, signatures=signatures)
    assert report.differs_at == at


def test_a_missing_block_is_found(forger):
    del forger.records[5]
    report = look(forger)
    assert report.differs_at == 5
    assert report.findings == ["block 5 is missing: block 6 is in its place"]


def test_a_chain_without_its_beginning_is_found(forger):
    del forger.records[0]
    assert look(forger).differs_at == 0


def test_a_wrong_seal_is_found(forger):
    last = forger.records[-1]
    suite, public_key, signature = last.signatures[0]
    bad = bytes((signature[0] ^ 1,)) + signature[1:]
    forger.records[-1] = msgspec.structs.replace(last, signatures=((suite, public_key, bad),))
    assert "is not sealed" in look(forger).findings[0]


def test_an_item_said_to_be_dropped_is_found(forger):
    at = find_busy(forger)
    dropped = (*forger.records[at].dropped, Drop(0, 0, "EXPIRED", "never"))
    forger.change(at, dropped=dropped)
    assert any("drops other items" in finding for finding in look(forger).findings)


def test_a_header_that_is_none_is_found(forger):
    forger.records[2] = msgspec.structs.replace(forger.records[2], header=b"\x90")
    assert "block 2 cannot be executed: block header" in look(forger).findings[0]


def test_another_genesis_is_found(forger):
    other = msgspec.structs.replace(forger.network.genesis, network="other")
    forger.network = Network.of(other)
    report = look(forger)
    assert report.differs_at == 0
    assert "is not sealed" in " ".join(report.findings)


def test_another_contract_source_is_found(tmp_path, forger):
    """A genesis that names other code than this program has."""
    genesis = forger.network.genesis
    contracts = tuple(
        msgspec.structs.replace(contract, source_hash=bytes(32))
        if contract.name == "payments"
        else contract
        for contract in genesis.contracts
    )
    other = msgspec.structs.replace(genesis, contracts=contracts)
    open_world(FileStorage(tmp_path), other).chain.close()
    reader = open_log(tmp_path)
    empty = msgspec.structs.replace(forger.records[1], batches=(), dropped=())
    forger = Forger(Network.of(other), [*iterate_records(reader), empty])
    reader.close()
    report = look(forger)
    assert report.differs_at == 1
    assert "payments version 1" in report.findings[0]
    assert "has another source of it" in report.findings[0]


# --- damage of the log itself -------------------------------------------------------------------


def test_damage_of_the_log_is_corrupt_and_names_the_block(tmp_path):
    home = make_folder(tmp_path / "node")
    segment = next(Path(home.log_path).glob("blocks-*.log"))
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 2] ^= 1
    segment.write_bytes(raw)
    with pytest.raises(Corrupt) as error:
        verify_folder(home.log_path, home.load_network(), signatures=False)
    assert isinstance(error.value.facts["height"], int)


def test_a_record_that_is_none_is_corrupt(tmp_path):
    log = BlockLog.open(FileStorage(tmp_path))
    log.append(0, b"\x93rubbish")
    log.close()
    reader = open_log(tmp_path)
    with pytest.raises(Corrupt, match="block 0"):
        list(iterate_records(reader))
    reader.close()
