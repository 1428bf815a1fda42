"""Money at the ends of 64 bits: whatever is done, it is refused by rule or kept as written.

No arithmetic may take a field out of the bounds that its type declares: such a row would live on
in a running node's memory, and stop every node that reads it from its bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.unit.contracts.harness import Harness, make_address, make_genesis, make_member

from hansa.contracts import currency, members, payments, policy, wallets
from hansa.contracts.balances import Balance
from hansa.contracts.currency import Asset, Vault
from hansa.contracts.members import Role
from hansa.contracts.records import Payment
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Refused
from hansa.kernel.genesis import GenesisAsset
from hansa.kernel.values import INT64_MAX

PLACES = ("bank", "north", "south")
PEOPLE = ("ann", "bob")
ASSETS = {"MOP": "bank", "MOP.north": "north"}
REFS = ("1", "2")
WORDS = ("issue", "move", "redeem", "destroy", "cash_in", "cash_out", "pay", "hold", "settle")
SIGNERS = (*PLACES, *PEOPLE)


def make_town() -> Harness:
    people = [
        make_member("bank", Role.CENTRAL_BANK, Role.OPERATOR, Role.VALIDATOR, weight=1),
        *(make_member(name, Role.OPERATOR) for name in PLACES[1:]),
    ]
    assets = [
        GenesisAsset(asset, "MOP", make_address(issuer), "m0" if issuer == "bank" else "deposit")
        for asset, issuer in ASSETS.items()
    ]
    genesis = make_genesis(people, assets=assets)
    harness = Harness(genesis, members.install, policy.install, currency.install)
    for place in PLACES:
        for asset in ASSETS:
            quota = currency.SetQuota(make_address(place), asset, INT64_MAX)
            harness.do(currency.set_quota, quota, "bank")
    for name in PEOPLE:
        opening = wallets.Open(make_address(name), make_address("north"), wallets.Category.I)
        harness.do(wallets.open_wallet, opening, "north")
    return harness


@dataclass(frozen=True)
class Deed:
    """Something tried, with all of a stock, half of it, or one minor unit."""

    word: str
    place: str
    other: str
    person: str
    asset: str
    ref: str
    share: int


def deeds(words, assets, shares):
    return st.builds(
        Deed,
        st.sampled_from(words),
        st.sampled_from(PLACES),
        st.sampled_from(PLACES),
        st.sampled_from(PEOPLE),
        st.sampled_from(assets),
        st.sampled_from(REFS),
        st.sampled_from(shares),
    )


all_deeds = deeds(WORDS, tuple(ASSETS), (0, 0, 1, 2))
vault_deeds = deeds(WORDS[:4], ("MOP",), (0, 0, 0, 2))


def take(stock: int, share: int) -> int:
    return max(1, (stock, stock // 2, 1)[share])


def try_deed(harness: Harness, deed: Deed) -> None:
    """Execute a deed; anything else than success or a refusal is raised."""
    for function, command in list_calls(harness, deed):
        harness.view.begin()
        try:
            function(harness.view, harness.context(*SIGNERS), command)
        except Refused as refusal:
            encode(list(refusal.facts.values()))
            continue
        harness.do(function, command, *SIGNERS)


def list_calls(harness: Harness, deed: Deed):
    place, other, person = map(make_address, (deed.place, deed.other, deed.person))
    payee = make_address(PEOPLE[deed.person == PEOPLE[0]])
    asset, ref = deed.asset, deed.ref
    vault = harness.get(Vault, place, asset) or Vault(place, asset)
    purse = harness.get(Balance, person, asset) or Balance(person, asset)
    issued = harness.get(Asset, asset).issued_minor
    room = take(INT64_MAX - max(issued, vault.issued_minor), deed.share)
    stock, free = take(vault.balance_minor, deed.share), take(purse.available_minor, deed.share)
    until_ms = harness.time_ms + 1_000
    calls = {
        "issue": [(currency.issue, currency.Issue(place, asset, room))],
        "move": [(currency.move_vault, currency.MoveVault(place, other, asset, stock))],
        "redeem": [(currency.redeem, currency.Redeem(place, asset, stock))],
        "destroy": [(currency.destroy, currency.Destroy(asset, stock))],
        "cash_in": [(payments.cash_in, payments.CashIn(place, person, asset, stock, ref))],
        "cash_out": [(payments.cash_out, payments.CashOut(person, asset, free, ref))],
        "pay": [(payments.transfer, payments.Transfer(person, payee, asset, free, ref))],
        "hold": [(payments.hold, payments.Hold(person, payee, asset, free, ref, until_ms))],
    }
    if deed.word in calls:
        return calls[deed.word]
    payment = harness.get(Payment, person, ref)
    amount = take(payment.amount_minor - payment.refunded_minor if payment else 1, deed.share)
    step = (
        (payments.post, payments.Post(person, ref, amount)),
        (payments.void, payments.Void(person, ref)),
        (payments.refund, payments.Refund(person, ref, amount, f"back {harness.height}")),
    )
    harness.pass_time(366 * 24 * 3_600_000 * (deed.place == "bank"))
    return [step[PLACES.index(deed.place)], (payments.sweep, payments.Sweep(person, ref))]


@settings(max_examples=60, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.lists(st.one_of(all_deeds, vault_deeds), min_size=20, max_size=80))
def test_money_stays_within_64_bits_or_is_refused(tried):
    """The harness decodes each row that is written, so one out of bounds fails at once."""
    harness = make_town()
    for deed in tried:
        try_deed(harness, deed)


@pytest.mark.parametrize("word", ["redeem", "destroy"])
def test_a_vault_that_ends_others_money_does_so_up_to_64_bits(word):
    """What it redeemed above what was issued to it is counted below zero, down to -(2**63 - 1)."""
    harness = make_town()
    bank, north = make_address("bank"), make_address("north")
    ends = {
        "redeem": lambda amount: (currency.redeem, currency.Redeem(bank, "MOP", amount)),
        "destroy": lambda amount: (currency.destroy, currency.Destroy("MOP", amount)),
    }

    def bring(amount):
        harness.do(currency.issue, currency.Issue(north, "MOP", amount), "bank")
        harness.do(currency.move_vault, currency.MoveVault(north, bank, "MOP", amount), "north")

    bring(INT64_MAX)
    harness.do(*ends[word](INT64_MAX), "bank")
    assert harness.get(Vault, bank, "MOP").issued_minor == -INT64_MAX
    south = make_address("south")
    harness.do(currency.issue, currency.Issue(south, "MOP", 1), "bank")
    harness.do(currency.move_vault, currency.MoveVault(south, bank, "MOP", 1), "south")
    assert harness.refuse(*ends[word](1), "bank") == currency.Code.OVERFLOW
    more = ends[word](2)
    assert harness.refuse(*more, "bank") == currency.Code.INSUFFICIENT_VAULT
