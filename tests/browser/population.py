"""A small town's ledger for the console: every kind of row and receipt that its pages show.

Its last minute ends at the wall clock, so that what a running node confirms next joins on.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from tests.browser.registries import play_registries, propose_accreditation
from tests.world import ASSET, World, key, open_world, pay

from hansa.contracts import currency, governance, payments, wallets
from hansa.contracts.actions import Action, AdmitMember, SetPolicy, SuspendMember
from hansa.contracts.members import Role
from hansa.engine.storage import Storage
from hansa.kernel.block import Status, decode_receipt
from hansa.kernel.genesis import Genesis
from hansa.node.founding import DEFAULT_POLICY, MemberSpec, build_genesis
from hansa.node.service import wall_clock_ms
from hansa.sdk.build import sign_batch

DAY_MS = 86_400_000
OFFICERS = ("officer0", "officer1")
BANKS = ("harbour", "river", "island")
PEOPLE = tuple(f"person{number}" for number in range(9))
SHOPS = ("bakery", "ferry", "books")
SECONDS = 60


@dataclass
class Town:
    """A world, and what in it is worth a page."""

    world: World
    paid: bytes = b""
    opened: bytes = b""
    issued: bytes = b""
    refused: bytes = b""
    unauthorized: bytes = b""
    posted: bytes = b""
    last_height: int = 0
    """Of a block of payments."""


def make_genesis(now_ms: int) -> Genesis:
    """Make a network of a central bank, three operators and a regulator."""
    officers = tuple(key(f"officer{number}").address for number in range(3))
    server = key("bank server").address
    members = [MemberSpec("Monetary Authority", ("central_bank",), officers, server, 2, 4)]
    for name, title in zip(BANKS, ("Harbour Bank", "River Bank", "Island Bank"), strict=True):
        keys = ((key(name).address,), key(f"{name} server").address)
        members.append(MemberSpec(title, ("operator",), *keys, 1, 2))
    regulator = ((key("regulator").address,), key("regulator server").address)
    members.append(MemberSpec("Financial Conduct Office", ("regulator",), *regulator))
    policy = {**DEFAULT_POLICY, "payments.attestation_from_minor": (2_000_000,)}
    return build_genesis("harbour-town", now_ms, members, sealer=key("sealer"), policy=policy)


def make_town(storage: Storage) -> Town:
    """Play a short day, so that its last block is a moment old."""
    now_ms = wall_clock_ms()
    world = open_world(storage, make_genesis(now_ms - 3 * DAY_MS))
    town = Town(world)
    world.time_ms = now_ms - 2 * DAY_MS
    _begin(town)
    proposals = _govern(town)
    play_registries(world, proposals)
    world.time_ms = now_ms - SECONDS * 1_000
    _except(town)
    _pay(town)
    town.last_height = world.chain.head.height
    return town


def _send(world: World, names, *commands, sponsor: str = "harbour", code: str = "") -> bytes:
    """Send one transaction in a block of its own, to end with `code`; returns its id."""
    world.time_ms += 120
    envelope = world.sign([key(name) for name in names], *commands)
    result = world.apply(world.batch(envelope, sponsor=sponsor))
    assert decode_receipt(result.receipts[0]).code == code
    return result.tx_ids[0]


def _begin(town: Town) -> None:
    world = town.world
    orders = []
    for name, amount_minor in zip(BANKS, (400_000_000, 350_000_000, 250_000_000), strict=True):
        operator = key(name).address
        orders += [
            currency.SetQuota(operator, ASSET, amount_minor),
            currency.Issue(operator, ASSET, amount_minor),
        ]
    town.issued = _send(world, OFFICERS, *orders)
    harbour = key("harbour").address
    _send(world, OFFICERS, currency.Define("EUR", "EUR", key("officer0").address, "m0", 2))
    issue = currency.Issue(harbour, "EUR", 5_000_000)
    _send(world, OFFICERS, currency.SetQuota(harbour, "EUR", 9_000_000), issue)
    openings = [
        wallets.Open(key(name).address, harbour, wallets.Category(1 + number % 4))
        for number, name in enumerate((*PEOPLE, *SHOPS))
    ]
    town.opened = _send(world, ["harbour"], *openings)
    for number, name in enumerate((*PEOPLE, *SHOPS)):
        wallet = key(name).address
        _send(world, ["harbour"], payments.CashIn(harbour, wallet, ASSET, 600_000, f"in-{number}"))
    euros = payments.CashIn(harbour, key("person0").address, "EUR", 12_345, "euros")
    _send(world, ["harbour"], euros)
    move = currency.MoveVault(harbour, key("river").address, ASSET, 1_000_000)
    _send(world, ["harbour"], move)


def _govern(town: Town) -> tuple[int, ...]:
    """Play proposals; returns the numbers of those that wait for their time lock alone."""
    world = town.world
    bank, harbour = key("officer0").address, key("harbour").address
    in_a_week = world.time_ms + 7 * DAY_MS

    def propose(kind, action):
        arguments = governance.Propose(bank, Action.of(kind, action))
        _send(world, OFFICERS, arguments, sponsor="harbour")

    def vote(number, name, *, approve):
        command = governance.Vote(number, key(name).address, approve)
        _send(world, [name], command, sponsor=name)

    propose("set_policy", SetPolicy("payments.refund_days", in_a_week, (180,)))
    vote(1, "harbour", approve=True)
    vote(1, "river", approve=True)
    newcomer = AdmitMember(key("guild").address, "Merchants’ Guild", (Role.ACQUIRER,), 0, (), 1)
    propose("admit_member", newcomer)
    vote(2, "harbour", approve=True)
    vote(2, "island", approve=False)
    propose("suspend_member", SuspendMember(harbour))
    for name in BANKS[:2]:
        vote(3, name, approve=False)
    propose("redeem", currency.Redeem(harbour, ASSET, 500_000))
    _send(world, ["harbour"], governance.Execute(4))
    accrediting = propose_accreditation(world, ("harbour", "river"))
    world.time_ms += DAY_MS + 1_000
    _send(world, ["river"], governance.Execute(1), sponsor="river")
    return accrediting


def _except(town: Town) -> None:
    """Play holds, refunds, freezes and refusals."""
    world = town.world
    shop = key("bakery").address
    until = world.time_ms + DAY_MS
    payer = key("person0").address
    _send(world, ["person0"], payments.Hold(payer, shop, ASSET, 5_000, "table", until))
    town.posted = _send(world, ["bakery"], payments.Post(payer, "table", 3_200))
    _send(world, ["bakery"], payments.Refund(payer, "table", 700, "too-much"))
    _send(world, ["ferry"], payments.CashOut(key("ferry").address, ASSET, 25_000, "takings"))
    town.refused = _send(
        world,
        ["person3"],
        pay("person3", "books", 450_000, "a library"),
        code="balances.SINGLE_LIMIT",
    )
    stolen = pay("person1", "person2", 100, "not mine")
    town.unauthorized = _send(world, ["person2"], stolen, code="kernel.NOT_AUTHORIZED")
    _send(
        world, ["person1"], pay("person1", "person1", 100, "to myself"), code="payments.SAME_WALLET"
    )
    _send(world, ["person5"], wallets.SelfFreeze(key("person5").address))
    order = hashlib.sha256(b"order 1").digest()
    freeze = wallets.Freeze(key("person6").address, key("regulator").address, order)
    _send(world, ["regulator"], freeze, sponsor="regulator")
    _send(world, ["person6"], pay("person6", "books", 100, "too late"), code="wallets.FROZEN")
    envelope = world.sign([key("person4")], pay("person4", "books", 2_100_000, "attested"))
    body = [(envelope, hashlib.sha256(b"decision").digest())]
    world.apply(sign_batch(world.network, key("harbour").address, key("harbour server"), body))


def _pay(town: Town) -> None:
    """Pay for a minute, a block every second; one envelope comes twice."""
    world = town.world
    chance = random.Random(7)
    end_ms = world.time_ms + (SECONDS - 4) * 1_000
    number = 0
    while world.time_ms < end_ms:
        world.time_ms += 1_000
        envelopes = []
        for _ in range(chance.randrange(1, 9)):
            number += 1
            payer = chance.choice(PEOPLE[:5])
            payee = chance.choice(SHOPS)
            amount_minor = int(chance.lognormvariate(6, 1)) + 1
            envelopes.append(
                world.sign([key(payer)], pay(payer, payee, amount_minor, f"pay-{number}"))
            )
        result = world.apply(world.batch(*envelopes, envelopes[0], sponsor="harbour"))
        if decode_receipt(result.receipts[0]).status is Status.OK:
            town.paid = result.tx_ids[0]
