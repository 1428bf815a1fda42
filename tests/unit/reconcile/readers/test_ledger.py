"""The ledger as a side: what transactions moved on an account, and what they did not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tabled import gather
from tests.world import ASSET, MINUTE_MS, key, make_genesis, open_world, pay

from hansa.contracts import currency, payments
from hansa.contracts.currency import Regime
from hansa.engine.storage import FileStorage
from hansa.kernel.block import Receipt, Status
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid
from hansa.reconcile.entries import Fault, Kind
from hansa.reconcile.readers.ledger import (
    Confirmed,
    Owner,
    decode_block,
    name_owner,
    parse_owner,
    read_ledger,
)

ANN, SHOP, NORTH = (key(name).address for name in ("ann", "shop", "north"))


@pytest.fixture
def world(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())
    world.fund("ann", "shop")
    yield world
    world.chain.close()


def read(world, *owners, from_height=1):
    blocks = map(decode_block, world.chain.iterate_records(from_height))
    return gather(read_ledger(blocks, list(map(Owner, owners))))


def test_a_transfer_is_an_entry_on_both_sides(world):
    first = world.chain.head.height + 1
    assert world.do("ann", pay("ann", "shop", 250, "rent")) == ""
    entries, (statement, other), findings = read(world, ANN, SHOP, from_height=first)
    assert findings == []
    spent, earned = entries
    assert (spent.account, spent.currency, spent.amount_minor) == (to_text(ANN), "MOP", -250)
    assert (earned.account, earned.amount_minor) == (to_text(SHOP), 250)
    assert spent.counterparty_account == earned.account
    assert {spent.reference, earned.reference} == {"rent"}
    assert spent.code == "payments.Transferred"
    assert spent.line == first
    assert spent.transaction_id == earned.transaction_id
    assert spent.booking_date == spent.value_date == world.time_ms // 86_400_000
    assert (statement.kind, statement.entries, statement.booked_minor) == (Kind.LIST, 1, -250)
    assert (statement.opening_minor, statement.closing_minor) == (100_000, 99_750)
    assert other.closing_minor == 100_250


def test_refused_payments_and_others_accounts_are_none(world):
    first = world.chain.head.height + 1
    assert world.do("ann", pay("ann", "shop", 10**9, "much")) != ""
    assert world.do("ann", pay("ann", "shop", 5, "little")) == ""
    assert read(world, key("bob").address, from_height=first) == ([], [], [])
    assert len(read(world, ANN, from_height=first)[0]) == 1


def test_a_hold_moves_nothing_until_it_is_taken(world):
    first = world.chain.head.height + 1
    until = world.time_ms + 10 * MINUTE_MS
    for name in ("taken", "given back"):
        assert world.do("ann", payments.Hold(ANN, SHOP, ASSET, 100, name, until)) == ""
    assert read(world, ANN, from_height=first)[0] == []
    assert world.do("shop", payments.Post(ANN, "taken", 70)) == ""
    assert world.do("shop", payments.Void(ANN, "given back")) == ""
    (entry,), (statement,), _ = read(world, ANN, from_height=first)
    assert (entry.amount_minor, entry.reference) == (-70, "taken")
    assert (statement.opening_minor, statement.closing_minor) == (100_000, 99_930)


def test_a_refund_is_a_payment_with_the_first_in_its_text(world):
    first = world.chain.head.height + 1
    assert world.do("ann", pay("ann", "shop", 100, "p")) == ""
    assert world.do("shop", payments.Refund(ANN, "p", 40, "r")) == ""
    entries, _, _ = read(world, ANN, from_height=first)
    assert [(each.amount_minor, each.reference, each.text) for each in entries] == [
        (-100, "p", ""),
        (40, "r", "p"),
    ]


def test_a_vault_is_an_account_of_its_operator(world):
    blocks = map(decode_block, world.chain.iterate_records(1))
    entries, statements, _ = gather(read_ledger(blocks, [Owner(NORTH, is_vault=True)]))
    assert read(world, NORTH) == ([], [], []), "it has no wallet"
    assert [each.amount_minor for each in entries] == [200_000, -100_000, -100_000]
    assert entries[0].account == f"vault:{to_text(NORTH)}"
    assert entries[1].counterparty_account == to_text(ANN)
    assert entries[0].code == "currency.Issued"
    assert entries[0].counterparty_account == ""
    (statement,) = statements
    assert (statement.opening_minor, statement.closing_minor) == (0, 0)


def test_deposits_are_accounts_of_their_own(world):
    deposit = "MOP.north"
    define = currency.Define(deposit, "MOP", NORTH, Regime.DEPOSIT, 2)
    assert world.do(("officer0", "officer1"), define) == ""
    quota = currency.SetQuota(NORTH, deposit, 1_000)
    assert world.do(("officer0", "officer1"), quota) == ""
    issue = currency.Issue(NORTH, deposit, 300)
    cash_in = payments.CashIn(NORTH, ANN, deposit, 300, "deposit")
    assert world.do("north", issue, cash_in) == ""
    entries, _, _ = read(world, ANN)
    assert [(each.account, each.currency) for each in entries] == [
        (to_text(ANN), "MOP"),
        (f"{to_text(ANN)}/{deposit}", "MOP"),
    ]


def make_block(amount, asset, height=3):
    deltas = [["wallet", ANN, asset, amount, max(amount, 0), 0]]
    receipt = Receipt(
        b"t" * 32, Status.OK, "", 0, [("payments", "Transferred", [deltas, "e", b""])]
    )
    return Confirmed(height, 0, (receipt,))


@pytest.mark.parametrize(
    ("amount", "exponent", "minor"),
    [(150, 2, 150), (15, 1, 150), (15_000, 4, 150), (15_001, 4, None), (2**62, 0, None)],
)
def test_amounts_are_minor_units_of_the_currency(amount, exponent, minor):
    parts = read_ledger([make_block(amount, "MOP")], [Owner(ANN)], exponents={"MOP": exponent})
    entries, _, findings = gather(parts)
    assert [entry.amount_minor for entry in entries] == ([] if minor is None else [minor])
    assert [(each.fault, each.line) for each in findings] == (
        [(Fault.FIELD, 3)] if minor is None else []
    )


def test_days_are_those_of_the_ledgers_zone():
    block = make_block(5, "MOP")._replace(time_ms=86_400_000 - 1)
    for offset, day in ((0, 0), (60, 1)):
        ((entry,), _, _) = gather(read_ledger([block], [Owner(ANN)], offset_minutes=offset))
        assert entry.booking_date == day
        assert entry.booked_at_s == 86_399 + offset * 60
        assert entry.booked_offset_minutes == offset


@given(st.lists(st.tuples(st.sampled_from(["wallet", "held"]), st.integers(-50, 50)), max_size=12))
def test_opening_and_entries_come_to_the_closing(changes):
    balances, blocks = {"wallet": 1_000, "held": 1_000}, []
    for height, (ledger, amount) in enumerate(changes):
        balances[ledger] += amount
        delta = [ledger, ANN, "MOP", amount, balances[ledger], 0]
        event = ("payments", "Transferred", [[delta], "e", b""])
        receipt = Receipt(b"t" * 32, Status.OK, "", 0, [event])
        blocks.append(Confirmed(height, 0, (receipt,)))
    entries, statements, _ = gather(read_ledger(blocks, [Owner(ANN)]))
    assert sum(entry.amount_minor for entry in entries) == sum(each for _, each in changes)
    for statement in statements:
        assert statement.opening_minor + statement.booked_minor == statement.closing_minor


@pytest.mark.parametrize("owner", [Owner(ANN), Owner(NORTH, is_vault=True)])
def test_an_owner_is_read_as_it_is_named(owner):
    assert parse_owner(name_owner(owner)) == owner


@pytest.mark.parametrize("text", ["", "vault:", "ann", f"vault:vault:{to_text(ANN)}"])
def test_what_names_no_owner_is_refused(text):
    with pytest.raises(Invalid):
        parse_owner(text)
