"""Settling in whole transactions: money and position move together, or neither does."""

from __future__ import annotations

import pytest
from tests.world import ASSET, World, key, make_genesis, open_world

from hansa.contracts import currency
from hansa.contracts.currency import MoveVault
from hansa.contracts.reconciliation import agreements, positions, reconciliation
from hansa.contracts.reconciliation.positions import Position, Settle, Sign, compute_commitment
from hansa.engine.storage import FileStorage
from hansa.sdk.arguments import COMMANDS, describe_command, parse_command

NORTH, SOUTH = key("north").address, key("south").address
PROPOSE = agreements.Propose(NORTH, NORTH, SOUTH, bytes([1]) * 32, 20_000, 1, 30)
SALT, RESULT = bytes([2]) * 32, bytes([3]) * 32


@pytest.fixture
def world(tmp_path):
    """Two operators who have agreed on two windows, and signed a position of 500 for each."""
    world = open_world(FileStorage(tmp_path), make_genesis())
    pair = agreements.compute_id(PROPOSE, world.network.digest)
    issue = (currency.SetQuota(NORTH, ASSET, 10_000), currency.Issue(NORTH, ASSET, 1_000))
    assert world.do(("officer0", "officer1"), *issue) == ""
    assert world.do("north", PROPOSE) == ""
    assert world.do("south", agreements.Accept(pair, SOUTH)) == ""
    for name in ("north", "south"):
        assert world.do(name, reconciliation.Advance(pair, key(name).address, 2)) == ""
    for window in (0, 1):
        commitment = compute_commitment(settle(pair, window), world.network.digest)
        for name in ("north", "south"):
            bank = key(name).address
            stated = reconciliation.Agree(pair, bank, window, 0, 0, RESULT, ())
            assert world.do(name, stated) == ""
        for name in ("north", "south"):
            signed = Sign(pair, key(name).address, window, ASSET, commitment)
            assert world.do(name, signed) == ""
    yield world, pair
    world.chain.close()


def settle(pair, window) -> Settle:
    return Settle(pair, window, ASSET, NORTH, 500, SALT)


def move(amount_minor) -> MoveVault:
    return MoveVault(NORTH, SOUTH, ASSET, amount_minor)


def look(world: World, pair) -> tuple[int, list[bool]]:
    """Look what lies in the payee's vault, and which positions are settled."""
    state = world.chain.machine.state
    vault = state.load(currency.Vault, currency.Vault.key(SOUTH, ASSET))
    rows = [state.load(Position, Position.key(pair, window, ASSET)) for window in (0, 1)]
    return (vault.balance_minor if vault else 0, [row.is_settled for row in rows])


def test_money_and_position_move_together_or_neither(world):
    world, pair = world
    first, second = settle(pair, 0), settle(pair, 1)
    for commands in (
        (first,),
        (first, move(500)),
        (move(499), first),
        (move(500), first, second),
        (move(999), first, second),
        (move(500), first, first),
    ):
        assert world.do("north", *commands).startswith("positions."), commands
        assert look(world, pair) == (0, [False, False])
    assert world.do("north", first, move(2_000)) != ""
    assert world.do("south", move(500), first) == "kernel.NOT_AUTHORIZED"
    assert look(world, pair) == (0, [False, False])
    assert world.do("north", move(500), first) == ""
    assert look(world, pair) == (500, [True, False])
    assert world.do("north", move(500), first) == positions.Code.ALREADY_SETTLED
    assert world.do("north", move(500), second) == ""
    assert look(world, pair) == (1_000, [True, True])


def test_one_movement_pays_for_as_many_positions_as_it_covers(world):
    world, pair = world
    assert world.do("north", move(1_000), settle(pair, 0), settle(pair, 1)) == ""
    assert look(world, pair) == (1_000, [True, True])


HASH, TAG = "ab" * 32, "cd" * 16
ITEMS = {
    "reconciliation.post": [{"tag": TAG, "commitment": HASH}],
    "reconciliation.bracket": [{"tag": TAG, "buckets": [TAG]}],
}
TYPED = {
    **dict.fromkeys(("agreement", "bank", "left", "right", "payer"), HASH),
    **dict.fromkeys(("terms", "case_id", "commitment", "salt", "result"), HASH),
    **dict.fromkeys(("window", "from_day", "window_days", "keep_days", "amount_minor"), "1"),
    **dict.fromkeys(("left_entries", "right_entries"), "2"),
    "kind": "WRITE_OFF",
    "asset": ASSET,
    "healed": [HASH],
    "tags": [TAG],
    "buckets": [TAG],
}
NAMES = ("agreements.", "cases.", "reconciliation.", "positions.")


@pytest.mark.parametrize("name", [each for each in COMMANDS if each.startswith(NAMES)])
def test_every_command_can_be_described_and_typed(name):
    described = describe_command(name)
    assert set(described) == set(COMMANDS[name].__struct_fields__)
    given = {field: ITEMS[name] if field == "items" else TYPED[field] for field in described}
    command = parse_command(name, given)
    assert isinstance(command, COMMANDS[name])
