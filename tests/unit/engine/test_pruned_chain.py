"""A chain whose log begins later than genesis."""

from __future__ import annotations

import pytest
from tests.world import MINUTE_MS, World, key, make_genesis, open_world, pay

from hansa.contracts.registry import Registry
from hansa.engine.backup import GENESIS_NAME, LOG_NAME, backup
from hansa.engine.chain import Chain
from hansa.engine.log import BlockLog
from hansa.engine.log.window import find_window
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.kernel.block import Repeated
from hansa.kernel.errors import Corrupt, NotFound
from hansa.node.home import KeySealer


def open_pruned(world, folder, first):
    """Open what is left of a chain when its log begins with a later block."""
    log = BlockLog.open(FileStorage(folder))
    for height, record in world.chain.log.iterate(first):
        log.append(height, record)
    world.chain.flush()
    again = MemoryStore(dict(world.chain.store.iterate_prefix(b"")), world.chain.store.height)
    world.chain.close()
    registry = Registry(world.network.genesis)
    return World(
        Chain.open(log, again, world.network, registry, KeySealer(key("sealer"))), world.time_ms
    )


def test_a_log_without_its_beginning_is_opened_if_the_store_has_what_was_before(tmp_path):
    world = open_world(FileStorage(tmp_path / "whole"), make_genesis())
    world.fund("ann", "shop")
    early = world.sign([key("ann")], pay("ann", "shop", 1, "early"))
    world.send(early)
    world.time_ms += 16 * MINUTE_MS
    world.do("ann", pay("ann", "shop", 5, "1"))
    late = world.sign([key("ann")], pay("ann", "shop", 7, "late"))
    world.send(late)
    world.time_ms += MINUTE_MS
    world.do("ann", pay("ann", "shop", 9, "2"))
    pruned = open_pruned(
        world, tmp_path / "rest", first=find_window(world.chain.log, world.chain.head) - 1
    )
    assert pruned.chain.log.height_min > 2
    assert isinstance(pruned.send(late)[0], Repeated)
    assert pruned.do("ann", pay("ann", "shop", 5, "3")) == ""
    with pytest.raises(NotFound, match="not kept here"):
        pruned.chain.get_record(1)
    pruned.chain.close()


def test_a_log_that_begins_within_the_replay_window_is_not_opened(tmp_path):
    world = open_world(FileStorage(tmp_path / "whole"), make_genesis())
    world.fund("ann", "shop")
    for number in range(3):
        world.time_ms += MINUTE_MS
        world.do("ann", pay("ann", "shop", 5, str(number)))
    with pytest.raises(Corrupt, match="later than the nonces that still count"):
        open_pruned(world, tmp_path / "rest", first=3)


def test_a_late_log_without_a_snapshot_is_not_backed_up_as_nothing_could_be_opened(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    world = open_world(FileStorage(home / "whole"), make_genesis())
    (home / GENESIS_NAME).write_bytes(world.network.genesis.encoded())
    world.fund("ann", "shop")
    log = BlockLog.open(FileStorage(home / LOG_NAME))
    for height, record in world.chain.log.iterate(2):
        log.append(height, record)
    log.sync()
    log.close()
    world.chain.close()
    with pytest.raises(Corrupt, match="begins with block 2, and no snapshot is kept"):
        backup(home, tmp_path / "archive")
    assert not (tmp_path / "archive").exists()
