"""What may stand in a block: no more than its record can list, however it came together."""

from __future__ import annotations

import pytest
from tests.world import key, make_genesis, open_world, pay

from hansa.engine.storage import FileStorage
from hansa.kernel.block import ENTRIES_MAX, Status, read_status
from hansa.kernel.crypto.signatures import verify_many
from hansa.kernel.errors import Corrupt
from hansa.kernel.genesis import BLOCK_ITEMS_MAX
from hansa.kernel.transaction import build_checked, check_batch


@pytest.fixture
def world(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())
    world.fund("ann", "shop")
    yield world
    world.chain.close()


def test_a_block_of_more_items_than_one_may_hold_changes_nothing(world):
    before = world.chain.machine.head_hash
    raw = world.batch(world.sign([key("ann")], pay("ann", "shop", 5, "1")))
    checked = build_checked(raw, check_batch(raw, world.network, verify_many), world.network)
    many = [checked] * (BLOCK_ITEMS_MAX + 1)
    with pytest.raises(Corrupt, match="65537 items: at most 65536"):
        next(world.chain.execute_stepwise(world.time_ms, many))
    assert world.chain.machine.head_hash == before
    assert read_status(world.apply(raw).receipts[0]) is Status.OK


def test_a_record_that_nobody_could_read_is_not_written(world):
    raw = world.batch(world.sign([key("ann")], pay("ann", "shop", 5, "1")))
    checked = build_checked(raw, check_batch(raw, world.network, verify_many), world.network)
    *_, result = world.chain.execute_stepwise(world.time_ms, [checked])
    head = world.chain.log.height_max
    many = result._replace(facts=[(0, ())] * (ENTRIES_MAX + 1))
    with pytest.raises(Corrupt, match="1048577 facts: a record holds at most 1048576"):
        world.chain.append(many, [checked])
    assert world.chain.log.height_max == head
    world.chain.append(result, [checked])
    assert world.chain.get_header(head + 1) == result.header
