"""What is this machine's fault never becomes a receipt: another node would write another one."""

from __future__ import annotations

import pytest
from tests.simulation.disk import SimulatedDisk
from tests.world import key, make_genesis, open_world, pay

from hansa.contracts.activations import Activation, Activations
from hansa.contracts.wallets import SelfFreeze, Wallet
from hansa.engine.chain import ROW_SPACE
from hansa.engine.store import MemoryStore
from hansa.kernel.block import Status
from hansa.kernel.errors import Unavailable
from hansa.kernel.machine.execution import Block


class FaultyStore(MemoryStore):
    """A store whose next reading of a wallet fails."""

    fault: Exception | None = None

    def get(self, key):
        if self.fault is not None and key.startswith(ROW_SPACE + Wallet.TABLE):
            raise self.fault
        return super().get(key)


@pytest.mark.parametrize(
    "fault", [Unavailable("too many open files"), MemoryError(), RecursionError()]
)
def test_a_store_that_fails_within_a_contract_stops_the_node_and_refuses_nobody(fault):
    disk, store = SimulatedDisk(1), MemoryStore()
    world = open_world(disk, make_genesis(), store)
    world.fund("ann", "shop")
    world.time_ms += 2_000  # the next block is a checkpoint
    assert world.do("ann", pay("ann", "shop", 1, "first")) == ""
    world.chain.close()
    reopened = FaultyStore(dict(store.iterate_prefix(b"")), store.height)
    world = open_world(disk, make_genesis(), reopened)
    world.time_ms, world.nonces = world.chain.head.time_ms + 2_000, 1_000
    height = world.chain.log.height_max
    reopened.fault = fault
    envelope = world.sign([key("ann")], SelfFreeze(key("ann").address))
    with pytest.raises(type(fault)):
        world.send(envelope)
    assert world.chain.log.height_max == height
    reopened.fault = None
    world.chain.close(is_failed=True)
    again = open_world(disk, make_genesis(), reopened.reopened())
    again.time_ms = world.time_ms
    assert again.send(envelope)[0].status is Status.OK


def test_a_node_that_lacks_code_does_not_go_on_with_the_old_one():
    world = open_world(SimulatedDisk(1), make_genesis())
    machine = world.chain.machine
    machine.view.begin()
    known = machine.view.get(Activations).entries
    height = machine.head.height + 2
    coming = Activation("payments", 2, bytes(32), height)
    machine.view.put(Activations(tuple(sorted((*known, coming), key=lambda it: it.contract))))
    machine.view.commit()
    machine.apply_block(Block(height - 1, world.time_ms, ()))
    for _ in range(2):
        with pytest.raises(Unavailable, match="payments version 2"):
            machine.apply_block(Block(height, world.time_ms, ()))
