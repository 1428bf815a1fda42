"""Rows and histories as the pages read them, while the chain goes on."""

from __future__ import annotations

import asyncio

from tests.world import ASSET, key, make_genesis, open_world, pay

from hansa.contracts import governance, payments, wallets
from hansa.contracts.actions import Action, SetPolicy
from hansa.contracts.identity import tiers
from hansa.contracts.policy import QUOTA_MIN, Policy
from hansa.engine.storage import FileStorage
from hansa.node.console.blocks import Blocks
from hansa.node.console.money import read_wallet
from hansa.node.console.reading import Reader
from hansa.node.founding import DEFAULT_POLICY

DAY_MS = 86_400_000
OFFICERS = ("officer0", "officer1")


def test_a_policy_that_governance_adds_appears_with_the_next_checkpoint(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())
    reader = Reader(world.chain, Blocks(world.chain))
    name = f"sponsor.quota.{key('north').address.hex()}"
    assert name not in {row.name for row in reader.load_all(Policy)}
    action = SetPolicy(name, world.time_ms + 3 * DAY_MS, QUOTA_MIN)
    bank = key("officer0").address
    assert world.do(OFFICERS, governance.Propose(bank, Action.of("set_policy", action))) == ""
    world.time_ms += DAY_MS + 5_000
    assert world.do("north", governance.Execute(1)) == ""
    world.time_ms += 5_000
    world.fund("ada")
    for result in world.results:
        reader.note(result)
    assert name in {row.name for row in reader.load_all(Policy)}


def test_small_tables_are_not_searched_again_for_payments(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())
    world.fund("ada", "ben")
    reader = Reader(world.chain, Blocks(world.chain))
    searched = []
    iterate_rows = world.chain.iterate_rows

    class Counting:
        """The chain, but it tells what is searched."""

        def __getattr__(self, name):
            return getattr(world.chain, name)

        def iterate_rows(self, prefix):
            searched.append(prefix)
            return iterate_rows(prefix)

    reader.chain = Counting()
    reader.load_all(Policy)
    for number in range(3):
        world.time_ms += 5_000
        assert world.do("ada", pay("ada", "ben", 1, f"pay-{number}")) == ""
        reader.note(world.results[-1])
        reader.load_all(Policy)
    assert searched.count(Policy.TABLE) <= 2


def test_a_history_tells_the_part_of_its_own_wallet(tmp_path):
    """One transaction funds two wallets; each history tells its own share."""
    world = open_world(FileStorage(tmp_path), make_genesis())
    world.fund("ada", amount_minor=5_000)
    north = key("north").address
    opening = wallets.Open(key("ben").address, north, wallets.Category.I)
    assert world.do("north", opening) == ""
    assert world.do("ada", payments.CashOut(key("ada").address, ASSET, 5_000, "back")) == ""
    both = [
        payments.CashIn(north, key(name).address, ASSET, amount_minor, f"both-{name}")
        for name, amount_minor in (("ada", 1_000), ("ben", 2_000))
    ]
    assert world.do("north", *both) == ""
    reader = Reader(world.chain, Blocks(world.chain))
    page = asyncio.run(read_wallet(reader, key("ben").address, "", 0))
    (line,) = page.history
    told = [part for part in line.sentence if not isinstance(part, str)]
    assert [part.amount_minor for part in told if hasattr(part, "amount_minor")] == [2_000]
    assert key("ben").address in {getattr(part, "address", b"") for part in told}


def test_a_wallet_has_the_limits_to_which_a_credential_lifts_it_while_it_does(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())
    world.fund("ada", category=4)
    ada, north = key("ada").address, key("north").address
    reader = Reader(world.chain, Blocks(world.chain))
    plain = asyncio.run(read_wallet(reader, ada, "", 0))
    assert (plain.category, plain.lift) == (wallets.Category.IV, None)
    shown = (bytes([1]) * 32, bytes([2]) * 32, world.time_ms, world.time_ms + DAY_MS)
    assert world.do("north", tiers.Raise(ada, north, wallets.Category.II, *shown)) == ""
    lifted = asyncio.run(read_wallet(reader, ada, "", 0))
    assert lifted.category is wallets.Category.II
    assert lifted.lift.presentation_hash == shown[1]
    assert lifted.single_minor == DEFAULT_POLICY["wallet.limits.2"][1] != plain.single_minor
    world.time_ms += DAY_MS + 1
    world.fund("ben")
    over = asyncio.run(read_wallet(reader, ada, "", 0))
    assert (over.category, over.lift, over.meters) == (plain.category, None, plain.meters)
