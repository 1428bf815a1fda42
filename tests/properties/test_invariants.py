"""Invariants of money under random days: whatever is tried, in whatever order.

The numbers are those of the list that every part of Hansa holds to: 1 supply equation at every
prefix, 3 no overdraft, 5 one answer per id, 7 refunds never exceed, 10 replay is byte-equal,
14 no money from rounding (there is none: amounts are whole).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.world import ASSET, key, make_genesis, open_world, pay

from hansa.contracts import payments, wallets
from hansa.contracts.balances import Balance
from hansa.contracts.currency import Vault
from hansa.engine.storage import FileStorage
from hansa.kernel.block import decode_header
from hansa.kernel.state import decode_row
from hansa.node.audit import audit

NAMES = ("ann", "bob", "shop")
HOUR_MS = 3_600_000

names = st.sampled_from(NAMES)
amounts = st.integers(1, 60_000)
references = st.sampled_from(["1", "2", "3", "4"])

acts = st.one_of(
    st.tuples(st.just("pay"), names, names, amounts, references),
    st.tuples(st.just("hold"), names, names, amounts, references),
    st.tuples(st.just("post"), names, names, amounts, references),
    st.tuples(st.just("void"), names, names, amounts, references),
    st.tuples(st.just("refund"), names, names, amounts, references),
    st.tuples(st.just("out"), names, names, amounts, references),
    st.tuples(st.just("freeze"), names, names, amounts, references),
    st.tuples(st.just("wait"), names, names, amounts, references),
)


def build(world, act):
    """Build the signer and command of a drawn act; the payee signs what is a payee's to do."""
    word, first, second, amount, reference = act
    payer, payee = key(first).address, key(second).address
    commands = {
        "pay": (first, pay(first, second, amount, reference)),
        "hold": (
            first,
            payments.Hold(payer, payee, ASSET, amount, reference, world.time_ms + HOUR_MS),
        ),
        "post": (second, payments.Post(payer, reference, amount)),
        "void": (second, payments.Void(payer, reference)),
        "refund": (second, payments.Refund(payer, reference, amount, f"r{world.nonces}")),
        "out": (first, payments.CashOut(payer, ASSET, amount, f"o{reference}")),
        "freeze": (first, wallets.SelfFreeze(payer)),
    }
    return commands[word]


def play(world, day):
    """Send the acts, each in a block of its own; returns their codes."""
    codes = []
    for act in day:
        world.time_ms += 2 * HOUR_MS if act[0] == "wait" else 1000
        if act[0] != "wait":
            codes.append(world.do(*build(world, act)))
    world.time_ms += 1000
    world.do("ann", wallets.SelfUnfreeze(key("ann").address))
    return codes


def in_circulation(world):
    rows = [decode_row(Balance, raw) for _, raw in world.chain.iterate_rows(b"wb")]
    vaults = [decode_row(Vault, raw) for _, raw in world.chain.iterate_rows(b"cv")]
    assert all(row.available_minor >= 0 and row.held_minor >= 0 for row in rows)
    return sum(row.available_minor + row.held_minor for row in rows) + sum(
        vault.balance_minor for vault in vaults
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(acts, max_size=25))
def test_1_3_14_issued_is_what_is_in_circulation_whatever_is_tried(day):
    with tempfile.TemporaryDirectory() as folder:
        world = open_world(FileStorage(Path(folder)), make_genesis())
        world.fund(*NAMES)
        play(world, day)
        assert in_circulation(world) == 300_000
        report = audit(world.chain.iterate_records(0), world.network, world.chain.iterate_rows)
        assert report.findings == []
        assert report.supply_ok
        world.chain.log.close()


@settings(max_examples=20, deadline=None)
@given(st.lists(acts, max_size=20))
def test_5_7_10_the_recorded_stream_executes_to_the_same_bytes(day):
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        world = open_world(FileStorage(Path(first)), make_genesis())
        world.fund(*NAMES)
        play(world, day)
        copy = open_world(FileStorage(Path(second)), world.network.genesis)
        for record in world.chain.iterate_records(1):
            copy.time_ms = decode_header(record.header).time_ms
            copy.apply(*record.batches)
        ours = list(world.chain.iterate_records(0))
        assert list(copy.chain.iterate_records(0)) == ours
        for row in (
            decode_row(payments.Payment, raw) for _, raw in world.chain.iterate_rows(b"py")
        ):
            assert row.refunded_minor <= row.amount_minor
        world.chain.log.close()
        copy.chain.log.close()


@settings(max_examples=20, deadline=None)
@given(st.lists(acts, min_size=1, max_size=20))
def test_9_a_frozen_wallet_loses_nothing(day):
    with tempfile.TemporaryDirectory() as folder:
        world = open_world(FileStorage(Path(folder)), make_genesis())
        world.fund(*NAMES)
        ann, regulator = key("ann").address, key("regulator").address
        play(world, day)
        assert world.do("regulator", wallets.Freeze(ann, regulator, bytes(32))) == ""
        before = sum(world.balance("ann"))
        play(world, day)
        assert sum(world.balance("ann")) >= before
        world.chain.log.close()
