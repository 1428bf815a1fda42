"""Small tables: rows are those of now, their list of keys is taken once in a while."""

from __future__ import annotations

import msgspec
import pytest
from tests.world import make_genesis, open_world

from hansa.contracts.currency import Asset
from hansa.contracts.members import Member
from hansa.engine.storage import FileStorage
from hansa.node.tables import RESCAN_S, Tables


class Clock:
    """Time that passes when a test says so."""

    s = 0.0

    def __call__(self):
        return self.s


@pytest.fixture
def world(tmp_path):
    return open_world(FileStorage(tmp_path), make_genesis())


def test_values_are_those_of_now(world):
    tables = Tables(world.chain, Clock())
    assert [row.issued_minor for row in tables.load_all(Asset)] == [0]
    world.fund("ada")
    assert [row.issued_minor for row in tables.load_all(Asset)] == [100_000]


def test_a_new_row_appears_after_a_while_and_a_quiet_store_is_not_scanned_again(world):
    clock = Clock()
    tables = Tables(world.chain, clock)
    members = tables.load_all(Member)
    assert [row.name for row in members].count("Bank") == 1
    row = msgspec.structs.replace(members[0], address=bytes(32), name="New")
    world.chain.machine.view.put(row)
    world.chain.machine.view.commit()
    world.time_ms += 2_000
    world.apply()  # a checkpoint: the row is in the store
    assert len(tables.load_all(Member)) == len(members)
    clock.s += RESCAN_S
    assert len(tables.load_all(Member)) == len(members) + 1
