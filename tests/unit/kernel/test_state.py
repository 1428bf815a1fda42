"""The state's layers, read at every moment of a checkpoint."""

from __future__ import annotations

import random

import pytest

from hansa.contracts.balances import Balance
from hansa.contracts.payments import Payment, Status
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Refused
from hansa.kernel.machine.state import Reader, State, View
from hansa.kernel.rows import StateCode

WALLET = bytes(32)


def put(state, amount):
    view = View(state, 100, 100)
    view.begin()
    view.put(Balance(WALLET, "MOP", amount))
    view.commit()
    state.end_block(state.list_writes())


def test_a_row_handed_over_is_read_before_it_is_committed():
    store = {}
    state = State(store, rows_max=0)
    put(state, 1)
    store.update(state.end_checkpoint())
    put(state, 2)
    handed = state.end_checkpoint()
    key = Balance.key(WALLET, "MOP")
    assert state.load(Balance, key).available_minor == 2
    assert state.rows[Balance, WALLET, "MOP"].available_minor == 2
    store.update(handed)
    assert state.load(Balance, key).available_minor == 2


class Rows(dict):
    """Committed rows that count how often they are asked."""

    asked = 0

    def get_many(self, keys):
        self.asked += 1
        return [self.get(key) for key in keys]


def test_a_reader_sees_the_last_executed_block_and_leaves_no_row_in_memory():
    state = State({})
    reader = Reader(state)
    assert reader.get(Balance, WALLET, "MOP") is None
    put(state, 7)
    view = View(state, 100, 100)
    view.put(Balance(WALLET, "MOP", 8))
    assert reader.get(Balance, WALLET, "MOP") == Balance(WALLET, "MOP", 7)
    assert (Balance, WALLET, "USD") not in state.rows
    assert reader.get(Balance, WALLET, "USD") is None
    assert (Balance, WALLET, "USD") not in state.rows


def test_rows_that_are_going_to_be_read_come_together_and_count_as_no_read():
    names = [f"r{number}" for number in range(5)]
    rows = Rows()
    state = State(rows)
    for name in names:
        payment = Payment(WALLET, name, WALLET, "MOP", 5, Status.PAID, 1, 1, WALLET)
        rows[payment.row_key()] = encode(payment)
    view = View(state, reads_max=1, writes_max=1)
    view.begin()
    view.fetch_many([(Payment, WALLET, name) for name in (*names, *names, "absent")])
    assert rows.asked == 1
    assert [state.rows[Payment, WALLET, name].end_to_end_id for name in names] == names
    assert state.rows[Payment, WALLET, "absent"] is None
    assert view.get(Payment, WALLET, "absent") is None
    state.end_checkpoint()
    assert state.rows == {}


def test_a_row_written_and_not_yet_committed_is_fetched_as_written():
    state = State(Rows(), rows_max=0)
    put(state, 1)
    state.end_checkpoint()
    put(state, 2)
    state.rows.clear()
    state.fetch_many([(Balance, WALLET, "MOP")])
    assert state.rows[Balance, WALLET, "MOP"].available_minor == 2


def test_an_unchanging_row_counts_as_no_read():
    state = State(Rows())
    put(state, 1)
    view = View(state, reads_max=1, writes_max=1)
    view.begin()
    assert view.get_unchanging(Balance, WALLET, "MOP").available_minor == 1
    assert view.get_unchanging(Balance, WALLET, "MOP").available_minor == 1
    assert view.reads == 0


def test_a_key_that_is_too_long_is_refused_where_it_is_written():
    """Keys are packed late; what cannot be packed must not wait for the end of the block."""
    view = View(State({}), 100, 100)
    for name, is_good in (("é" * 127, True), ("é" * 127 + "x", True), ("é" * 128, False)):
        view.begin()
        if is_good:
            view.put(Balance(WALLET, name, 5))
            assert view.count_new_rows(WALLET) == (1, [])
            continue
        with pytest.raises(Refused) as refused:
            view.put(Balance(WALLET, name, 5))
        assert refused.value.code == StateCode.KEY_TOO_LONG


def test_what_is_written_without_commit_is_put_back():
    """Rows that were there, that were not, and that were removed or written twice."""
    state = State({})
    put(state, 1)
    view = View(state, 100, 100)
    view.begin()
    view.put(Balance(WALLET, "MOP", 2))
    view.put(Balance(WALLET, "MOP", 3))
    view.put(Balance(WALLET, "HKD", 4))
    view.delete(Balance, WALLET, "MOP")
    assert view.get(Balance, WALLET, "MOP") is None
    assert view.writes == {
        (Balance, WALLET, "MOP"): None,
        (Balance, WALLET, "HKD"): Balance(WALLET, "HKD", 4),
    }
    view.begin()
    assert view.writes == {}
    assert view.get(Balance, WALLET, "MOP").available_minor == 1
    assert view.get(Balance, WALLET, "HKD") is None
    view.commit()
    assert state.list_writes() == []


def test_a_block_ends_with_the_rows_that_its_transactions_left():
    """One that commits, one that does not, and one that commits to the same row again."""
    state = State({})
    view = View(state, 100, 100)
    for amount, is_kept in ((1, True), (2, False), (3, True), (4, False)):
        view.begin()
        view.put(Balance(WALLET, "MOP", amount))
        if is_kept:
            view.commit()
    view.begin()
    assert state.list_writes() == [(Balance.key(WALLET, "MOP"), encode(Balance(WALLET, "MOP", 3)))]


class Counted(Rows):
    """Committed rows that remember for which they were asked."""

    def __init__(self):
        super().__init__()
        self.read = []

    def get(self, key, default=None):
        self.read.append(key)
        return super().get(key, default)


def commit(state, store):
    """End a block that is a checkpoint."""
    state.end_block(state.list_writes())
    store.update(state.end_checkpoint())


def test_rows_that_are_asked_for_stay_and_the_others_go_one_by_one():
    """As many as are too many, not all: a payment waits for it."""
    store = Counted()
    state = State(store, rows_max=8)
    view = View(state, 1_000, 1_000)
    wallets = [bytes([number]) * 32 for number in range(64)]
    for wallet in wallets:
        view.begin()
        view.put(Balance(wallet, "MOP", wallet[0]))
        assert view.get(Balance, wallets[0], "MOP").available_minor == 0
        view.commit()
        commit(state, store)
    hot = Balance.key(wallets[0], "MOP")
    assert store.read.count(hot) == 1, "before the first block"
    store.read.clear()
    view.begin()
    found = [view.get(Balance, wallet, "MOP").available_minor for wallet in wallets]
    assert found == list(range(64))
    assert 64 - 8 <= len(store.read) <= 64 - 4, "most of the room is used"


def test_the_rows_asked_for_longest_ago_go_first():
    """Asked again within fewer rows than are kept, a row is never read again."""
    store = Counted()
    wallets = [bytes([number]) * 32 for number in range(200)]
    for wallet in wallets:
        store[Balance.key(wallet, "MOP")] = encode(Balance(wallet, "MOP", 1))
    state = State(store, rows_max=64)
    view = View(state, 1_000, 1_000)
    for number in range(len(wallets)):
        view.begin()
        for wallet in wallets[max(0, number - 20) : number + 1]:
            assert view.get(Balance, wallet, "MOP")
        commit(state, store)
    assert len(store.read) == len(set(store.read)) == len(wallets)


@pytest.mark.parametrize("rows_max", [0, 1, 3, 10])
def test_what_is_kept_in_memory_changes_no_answer(rows_max):
    draw = random.Random(rows_max)
    store = Counted()
    state = State(store, rows_max=rows_max)
    view = View(state, 1_000, 1_000)
    model = {}
    for _ in range(300):
        view.begin()
        written = {}
        for _ in range(draw.randrange(6)):
            wallet = bytes([draw.randrange(20)]) * 32
            if draw.random() < 0.3:
                view.delete(Balance, wallet, "MOP")
                written[wallet] = None
            elif draw.random() < 0.5:
                written[wallet] = draw.randrange(10**6)
                view.put(Balance(wallet, "MOP", written[wallet]))
            row = view.get(Balance, wallet, "MOP")
            assert (row and row.available_minor) == {**model, **written}.get(wallet)
        if draw.random() < 0.7:
            view.commit()
            model |= written
        if draw.random() < 0.4:
            view.begin()
            state.end_block(state.list_writes())
            if draw.random() < 0.5:
                handed = state.end_checkpoint()
                store.update({key: raw for key, raw in handed.items() if raw is not None})
                for key in [key for key, raw in handed.items() if raw is None]:
                    store.pop(key, None)
