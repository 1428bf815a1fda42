"""Which payments of a transaction the payer's operator must answer for."""

from __future__ import annotations

import msgspec
from tests.simulation.disk import SimulatedDisk
from tests.world import ASSET, MINUTE_MS, key, make_genesis, open_world, pay

from hansa.contracts.payments import CashOut, Hold, Refund
from hansa.kernel.machine.state import Reader
from hansa.kernel.transaction import Body, build_body, decode_envelope
from hansa.node.risk.reading import Intended, find_named, find_payments

NORTH, SOUTH = key("north").address, key("south").address


def test_each_way_out_of_a_wallet_is_found_and_what_is_no_payment_is_not():
    world = open_world(SimulatedDisk(1), make_genesis())
    world.fund("ann", "shop")
    assert world.do("ann", pay("ann", "shop", 40, "chair")) == ""
    ann, shop = key("ann").address, key("shop").address
    rows = Reader(world.chain.machine.state)
    envelope = world.sign(
        [key("ann"), key("shop")],
        pay("ann", "shop", 5, "bread"),
        Hold(ann, shop, ASSET, 6, "stay", world.time_ms + MINUTE_MS),
        Refund(ann, "chair", 7, "back"),
        Refund(ann, "never paid", 7, "back"),
        CashOut(ann, ASSET, 8, "note"),
        pay("stranger", "ann", 9, "whose wallet is nobody's"),
    )
    _, body = decode_envelope(envelope)
    assert find_payments(body, rows, NORTH) == [
        Intended(ann, shop, ASSET, 5),
        Intended(ann, shop, ASSET, 6),
        Intended(shop, ann, ASSET, 7),
        Intended(ann, NORTH, ASSET, 8),
    ]
    assert find_payments(body, rows, SOUTH) == []
    named = find_named(body)
    assert len(named) == 6
    kept = [each for number, each in enumerate(named) if number not in (3, 5)]
    for each, intended in zip(kept, find_payments(body, rows, NORTH), strict=True):
        assert each.may_be(intended)
        assert not each.may_be(intended._replace(amount_minor=1))
        assert each.may_be(intended._replace(asset="other")) == (each.asset is None)


def test_arguments_that_are_none_are_left_to_the_contract():
    calls = [("payments", "transfer", [1, 2]), ("payments", "nothing", []), ("wallets", "open", [])]
    raw = build_body([key("ann").address], bytes(16), 5, calls)
    world = open_world(SimulatedDisk(1), make_genesis())
    body = msgspec.msgpack.decode(raw, type=Body)
    assert find_payments(body, Reader(world.chain.machine.state), NORTH) == []
