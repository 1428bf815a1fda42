"""The registry on a whole machine: versions by height, contracts that meet in one transaction."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.contracts.examples import licences, licences_2
from tests.world import ASSET, World, key, make_genesis, pay

from hansa.contracts import accounts, activations, governance, payments, records, wallets
from hansa.contracts.actions import Action, ActivateContract
from hansa.contracts.identity import accreditation, documents, evidence, status
from hansa.contracts.reconciliation import windows
from hansa.contracts.registry import MODULES, Registry, hash_source, list_genesis_contracts
from hansa.contracts.risk import in_force
from hansa.engine.chain import Chain
from hansa.engine.embedded import EmbeddedEngine
from hansa.engine.log import BlockLog
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.engine.verification import InlineVerifier
from hansa.kernel.block import decode_header
from hansa.kernel.errors import Unavailable
from hansa.kernel.genesis import Genesis, GenesisMember, Network
from hansa.kernel.machine.rules import RULES, VERSIONS, hash_rules
from hansa.node.home import KeySealer
from hansa.node.network.rules import describe_rules

HALL = key("hall").address
DAY_MS = 86_400_000
NEXT_RULES = {**VERSIONS, 2: "release 0.2: nothing that anybody sees"}
BOTH = (*MODULES, licences, licences_2)


def make_town(*contracts) -> Genesis:
    """Make a network with a town hall, on which these contracts are in force from the start."""
    base = make_genesis()
    hall = GenesisMember(HALL, "Hall", ("department",), 0, (), 1)
    return Genesis(
        **{name: getattr(base, name) for name in base.__struct_fields__}
        | {
            "members": (*base.members, hall),
            "contracts": list_genesis_contracts((*MODULES, *contracts)),
        }
    )


def open_town(folder, genesis, modules=BOTH, rules=VERSIONS) -> World:
    chain = Chain.open(
        BlockLog.open(FileStorage(folder)),
        MemoryStore(),
        Network.of(genesis),
        Registry(genesis, modules, rules),
        KeySealer(key("sealer")),
    )
    return World(chain)


@pytest.fixture
def town(tmp_path):
    world = open_town(tmp_path / "town", make_town(licences))
    world.fund("ann")
    opening = wallets.Open(HALL, key("north").address, wallets.Category.I)
    assert world.do("north", opening) == ""
    yield world
    world.chain.close()


def grant(number="L-1", holder="ann"):
    command = licences.Grant(HALL, number, key(holder).address, ASSET)
    return (licences.NAME, "grant", command)


def test_a_contract_demands_what_an_earlier_call_did(town):
    both = ("ann", "hall")
    fee = pay("ann", "hall", 500, "L-1")
    assert town.do("hall", grant()) == "licences.FEE_NOT_PAID"
    assert town.do(both, grant(), fee) == "licences.FEE_NOT_PAID"
    assert town.do(both, pay("ann", "hall", 499, "L-1"), grant()) == "licences.FEE_NOT_PAID"
    assert town.do(both, pay("ann", "hall", 500, "L-2"), grant()) == "licences.FEE_NOT_PAID"
    assert town.do("ann", fee, grant()) == "kernel.NOT_AUTHORIZED"
    assert town.balance("ann") == (100_000, 0)
    assert town.do(both, fee, grant(), grant("L-2")) == "licences.FEE_NOT_PAID"
    assert town.do(both, fee, grant(), grant()) == "licences.ALREADY_GRANTED"
    assert town.do(both, fee, grant()) == ""
    assert town.balance("ann") == (99_500, 0)


def test_what_an_earlier_transaction_did_counts_for_nothing(town):
    assert town.do("ann", pay("ann", "hall", 500, "L-1")) == ""
    assert town.do("hall", grant()) == "licences.FEE_NOT_PAID"


def test_only_transfers_of_that_payer_payee_and_asset_are_summed(town):
    hold = payments.Hold(key("ann").address, HALL, ASSET, 500, "L-1", town.time_ms + 1_000)
    assert town.do(("ann", "hall"), hold, grant()) == "licences.FEE_NOT_PAID"
    fee = pay("ann", "hall", 500, "L-1")
    assert town.do(("ann", "hall"), fee, grant(holder="hall")) == "licences.FEE_NOT_PAID"


def activate_version_2(world, name=licences.NAME, source=None) -> int:
    """Let the one validator report and vote for version 2; returns the height it starts at."""
    bank = key("officer0").address
    officers = ("officer0", "officer1")
    source = source or hash_source(licences_2)
    start = world.chain.head.height + 6
    report = activations.ReportCode(bank, name, 2, source)
    action = ActivateContract(name, 2, source, start)
    propose = governance.Propose(bank, Action.of("activate_contract", action))
    assert world.do(officers, report, propose) == ""
    world.time_ms += DAY_MS
    assert world.do("ann", governance.Execute(1)) == ""
    return start


def test_an_older_version_stays_for_replay(town, tmp_path):
    """Before its height version 1 decides, from its height on version 2; replay needs both."""
    start = activate_version_2(town)
    both = ("ann", "hall")
    number = 0
    while town.chain.head.height + 1 < start:
        number += 1
        assert town.do(both, pay("ann", "hall", 500, f"L-{number}"), grant(f"L-{number}")) == ""
    assert number > 0
    assert town.do(both, pay("ann", "hall", 500, "N"), grant("N")) == "licences.FEE_NOT_PAID"
    assert town.do(both, pay("ann", "hall", 800, "N"), grant("N")) == ""
    copy = open_town(tmp_path / "copy", town.network.genesis)
    for record in town.chain.iterate_records(1):
        copy.time_ms = decode_header(record.header).time_ms
        copy.apply(*record.batches)
    assert list(copy.chain.iterate_records(0)) == list(town.chain.iterate_records(0))
    copy.chain.close()


def test_a_node_without_the_version_stops_before_its_height(tmp_path):
    with_one = (*MODULES, licences)
    world = open_town(tmp_path / "town", make_town(licences), with_one)
    world.fund("ann")
    start = activate_version_2(world)
    while world.chain.head.height + 1 < start:
        assert world.do("north", pay("ann", "hall", 1, "x")) == "kernel.NOT_AUTHORIZED"
    with pytest.raises(Unavailable, match=f"licences version 2 is in force from height {start}"):
        world.do("ann", pay("ann", "hall", 1, "x"))
    assert world.chain.head.height == start - 1
    world.chain.close()


async def run_alone(world, batch):
    """Run the engine of one node until it stops; whoever waits is told why."""
    engine = EmbeddedEngine(world.chain, InlineVerifier(world.network), lambda: world.time_ms)
    engine.start()
    with pytest.raises(Unavailable, match="the engine has stopped: the kernel's rules"):
        await engine.submit(batch)
    await engine.stop()


def test_what_names_a_version_of_the_rules_stays_as_it_is():
    """It stands in the genesis of every network that was begun with it."""
    assert hash_rules(VERSIONS[1]).hex() == (
        "4714879dc1c655fba1035400c284a75ccc88e77bbf5a205bedb67af03a95931c"
    )


def test_the_rules_of_the_kernel_change_at_one_height_and_a_node_without_them_stops(tmp_path):
    genesis = make_town()
    old = open_town(tmp_path / "old", genesis)
    new = open_town(tmp_path / "new", genesis, rules=NEXT_RULES)
    assert [each.name for each in genesis.contracts].count(RULES) == 1
    for world in (old, new):
        world.fund("ann", "bob")
        start = activate_version_2(world, RULES, hash_rules(NEXT_RULES[2]))
        row = world.chain.machine.state.load(activations.Activations, b"al")
        found = describe_rules(row.entries, world.chain.head.height)
        assert found.text == (
            "Version 1 of the rules is in force; this program knows up to 1. Version 2 comes into "
            f"force with block {start}, which this program lacks: install the release that has it "
            "before."
        )
        assert not found.is_known
        found = describe_rules(row.entries, start - 1, NEXT_RULES)
        assert (found.in_force, found.scheduled, found.is_known) == (2, [], True)
        while world.chain.head.height + 1 < start:
            assert world.do("ann", pay("ann", "bob", 1, str(world.nonces))) == ""
    said = (
        f"kernel's rules, of which version 2 is in force from height {start}, but this program "
        r"knows up to 1 \(release 0.1.*install the release that the network activated"
    )
    with pytest.raises(Unavailable, match=said):
        old.chain.machine.check_rules()
    with pytest.raises(Unavailable, match=said):
        old.do("ann", pay("ann", "bob", 1, "x"))
    batch = old.batch(old.sign([key("ann")], pay("ann", "bob", 1, "x")))
    with pytest.raises(Unavailable, match=said):
        asyncio.run(run_alone(old, batch))
    assert old.chain.head.height == start - 1
    new.chain.machine.check_rules()
    assert new.do("ann", pay("ann", "bob", 1, "x")) == ""
    assert new.chain.head.height == start
    assert new.do("ann", (RULES, "x", pay("ann", "bob", 1, "y"))) == "kernel.UNKNOWN_COMMAND"
    for world in (old, new):
        world.chain.close()


def test_rows_written_once_are_those_of_its_own_modules_and_their_parts():
    genesis = make_town()
    rows = (
        accounts.PastAccount,
        documents.PastDocument,
        accreditation.PastGrant,
        evidence.Evidence,
        evidence.Note,
        in_force.PastInForce,
        records.Payment,
        status.StatusChunk,
        windows.BucketCount,
        windows.TagCount,
    )
    assert Registry(genesis, BOTH).written_once() == sorted(row.TABLE for row in rows)
    assert Registry(genesis, (wallets,)).written_once() == []
