"""A pruned folder: opened, made anew, audited and verified from its base."""

from __future__ import annotations

import pytest
from tests.played import PASSPHRASE
from tests.pruned import make_pruned_folder, make_voted_pruned_folder, open_again, prune
from tests.world import pay

from hansa.engine.backup import check_backup
from hansa.engine.cometbft.home import SIGNING_STATE_NAME
from hansa.engine.snapshots.beginning import use_base
from hansa.engine.snapshots.copying import copy_base
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage
from hansa.kernel.errors import Corrupt, NotFound, Unavailable
from hansa.node.audit import audit_folder
from hansa.node.home import (
    Home,
    backup_home,
    open_chain,
    open_chain_read_only,
    restore_home,
)
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


# --- backups ------------------------------------------------------------------------------------


@pytest.fixture(params=[make_pruned_folder, make_voted_pruned_folder], ids=["sealed", "voted"])
def either(request, tmp_path):
    return request.param(tmp_path / "node")


def read_rows(world):
    return dict(world.chain.iterate_rows(b""))


def test_a_pruned_node_is_restored_from_its_backup(either, tmp_path):
    network = either.load_network()
    (either.comet.path / "data").mkdir(parents=True)
    (either.comet.path / "data" / SIGNING_STATE_NAME).write_text("{}")
    report = backup_home(either, tmp_path / "archive", with_keys=True)
    check_backup(tmp_path / "archive")
    back = Home(tmp_path / "back")
    assert restore_home(tmp_path / "archive", back.path).manifest == report.manifest
    begins, (base, *_) = report.manifest.first_height, list_snapshots(either)
    assert 0 < begins <= base.first_height
    assert list_snapshots(back) == [base]
    assert not list(back.path.rglob(f"{SIGNING_STATE_NAME}*"))
    assert audit_folder(back.log_path, back.store_path, network).findings == []
    with open_again(back) as world, open_again(either) as original:
        assert world.chain.head == original.chain.head
        assert world.chain.log.height_min == begins
        assert read_rows(world) == read_rows(original)
        assert world.do("ann", pay("ann", "shop", 1, "it goes on")) == ""
    audited = audit_folder(back.log_path, back.store_path, network)
    verified = verify_folder(back.log_path, network)
    assert (audited.findings, verified.findings) == ([], [])
    assert audited.base_height == verified.base_height == base.height
    assert audited.height == report.manifest.height + 1
    assert prune(back) > audited.height


def list_snapshots(home):
    return Shelf(FileStorage(home.snapshots_path)).list()


def test_a_backup_of_a_pruned_node_whose_snapshot_is_damaged_or_gone_is_refused(home, tmp_path):
    archive = tmp_path / "archive"
    backup_home(home, archive)
    chunk = min((archive / "snapshots").glob("*.chunk"))
    raw = chunk.read_bytes()
    chunk.write_bytes(bytes([raw[0] ^ 1]) + raw[1:])
    with pytest.raises(Corrupt, match="chunk of the backup"):
        check_backup(archive)
    chunk.unlink()
    with pytest.raises(Corrupt, match="is missing in the backup") as caught:
        restore_home(archive, tmp_path / "back")
    assert f"{archive}: copy the backup here again" in caught.value.message
    assert not (tmp_path / "back").exists()


class Dropping(Shelf):
    """Of a node that drops its oldest snapshot while it is read."""

    def __init__(self, home, count=1):
        super().__init__(FileStorage(home.snapshots_path))
        self._left = count

    def load_chunk(self, height, number):
        if self._left:
            self._left -= 1
            self.drop(height)
        return super().load_chunk(height, number)


def test_a_snapshot_that_is_dropped_while_it_is_copied_is_not_missed(home, tmp_path):
    _, newest = list_snapshots(home)
    target = tmp_path / "copied"
    assert copy_base(Dropping(home), target, 5) == newest
    copied = Shelf(FileStorage(target))
    assert copied.list() == [newest]
    assert len(list(target.iterdir())) == 1 + len(newest.chunks)


def test_snapshots_that_are_dropped_ever_faster_are_told(home):
    def use(manifest):
        raise NotFound(f"a chunk of the snapshot of block {manifest.height} is gone")

    with pytest.raises(Unavailable, match="faster than they are read"):
        use_base(Shelf(FileStorage(home.snapshots_path)), 5, use)


def test_a_chunk_that_is_missing_is_told_and_not_waited_for(home, tmp_path):
    next(home.snapshots_path.glob("*.chunk")).unlink()
    with pytest.raises(Corrupt, match="damaged or missing"):
        backup_home(home, tmp_path / "archive")
    assert not (tmp_path / "archive").exists()
