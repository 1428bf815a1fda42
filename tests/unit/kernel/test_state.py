"""The state's layers, read at every moment of a checkpoint."""

from __future__ import annotations

from hansa.contracts.balances import Balance
from hansa.kernel.state import State, View

WALLET = bytes(32)


def put(state, amount):
    view = View(state, 100, 100)
    view.begin()
    view.put(Balance(WALLET, "MOP", amount))
    view.commit()
    state.end_block()


def test_a_row_handed_over_is_read_before_it_is_committed():
    store = {}
    state = State(store, cache_max=0)
    put(state, 1)
    store.update(state.end_checkpoint())
    put(state, 2)
    handed = state.end_checkpoint()
    key = Balance.key(WALLET, "MOP")
    assert state.load(Balance, key).available_minor == 2
    assert state.exists(key)
    store.update(handed)
    assert state.load(Balance, key).available_minor == 2
