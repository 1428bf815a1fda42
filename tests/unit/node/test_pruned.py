"""A pruned folder: opened, made anew, audited and verified from its base."""

from __future__ import annotations

import pytest
from tests.played import PASSPHRASE
from tests.pruned import make_pruned_folder, prune

from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage
from hansa.kernel.errors import Corrupt, NotFound
from hansa.node.audit import audit_folder
from hansa.node.home import open_chain, open_chain_read_only
from hansa.node.verify import verify_folder
from hansa.sdk.keys import load_key


@pytest.fixture
def home(tmp_path):
    return make_pruned_folder(tmp_path / "node")


def hash_header(network, manifest):
    return network.digest(network.header_prefix + manifest.header).hex()


def test_audit_and_verification_begin_from_the_base(home):
    network = home.load_network()
    base = Shelf(FileStorage(home.snapshots_path)).list()[0]
    audited = audit_folder(home.log_path, home.store_path, network)
    assert audited.findings == []
    assert (audited.base_height, audited.base_hash) == (base.height, hash_header(network, base))
    assert audited.rows_height == audited.height > base.height
    assert audited.blocks == audited.height - base.height
    assert audited.assets["MOP"]["issued"] == 200_000
    assert audited.assets["MOP"]["wallet"] == 200_000
    verified = verify_folder(home.log_path, network)
    assert verified.findings == []
    assert (verified.base_height, verified.base_hash) == (base.height, hash_header(network, base))
    assert (verified.height, verified.blocks) == (audited.height, audited.blocks)


def test_a_block_that_was_changed_behind_the_base_is_found(home):
    network = home.load_network()
    segment = max(home.log_path.glob("blocks-*.log"))
    raw = bytearray(segment.read_bytes())
    raw[-40] ^= 1
    segment.write_bytes(raw)
    with pytest.raises(Corrupt):
        verify_folder(home.log_path, network)


def test_a_base_that_is_damaged_or_gone_is_told(home):
    network = home.load_network()
    chunk = min(home.snapshots_path.glob("*.chunk"))
    raw = bytearray(chunk.read_bytes())
    raw[len(raw) // 2] ^= 1
    chunk.write_bytes(raw)
    for look in (
        lambda: audit_folder(home.log_path, home.store_path, network),
        lambda: verify_folder(home.log_path, network),
    ):
        with pytest.raises(Corrupt, match="chunk 0 of the snapshot"):
            look()
    for path in home.snapshots_path.iterdir():
        path.unlink()
    with pytest.raises(Corrupt, match="no snapshot is kept"):
        verify_folder(home.log_path, network)


def test_the_store_is_made_anew_from_the_newest_snapshot(home):
    before = open_chain_read_only(home)
    head, root = before.head, before.machine.commitment.root
    before.close()
    sealer = load_key(home.key_path("node"), PASSPHRASE)
    chain = open_chain(home, sealer, rebuild=True)
    assert (chain.head, chain.machine.commitment.root) == (head, root)
    with pytest.raises(NotFound, match="not kept here"):
        chain.get_record(1)
    chain.close()
    assert prune(home) == head.height + 60


def test_a_store_that_is_gone_with_its_snapshots_is_told(home):
    for path in home.snapshots_path.iterdir():
        path.unlink()
    home.snapshots_path.rmdir()
    sealer = load_key(home.key_path("node"), PASSPHRASE)
    with pytest.raises(Corrupt, match="no snapshot is kept"):
        open_chain(home, sealer, rebuild=True)
