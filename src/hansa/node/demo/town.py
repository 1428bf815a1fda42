"""A town from a seed: who lives there, and what they do on one day.

Everything is drawn from one seeded generator in one order, so the same seed gives the same
people, payments and final balances. What is refused is refused by the contracts, not here.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial
from heapq import merge
from operator import attrgetter

from hansa.contracts import currency, payments, wallets
from hansa.contracts.proposals import DAY_MS, HOUR_MS
from hansa.kernel.contract import Command
from hansa.kernel.genesis import Genesis
from hansa.node.founding import DEFAULT_POLICY, MemberSpec, build_genesis
from hansa.sdk.keys import KeyPair

ASSET = "MOP"
OPERATOR_NAMES = ("Harbour Bank", "River Bank", "Island Bank")
OTHER_NAMES = ("Financial Regulator", "Identity Office", "Training Centre", "Meadow Bank")
BANK, HARBOUR, RIVER, ISLAND, REGULATOR, OFFICE, CENTRE, MEADOW = range(8)
"""Places of the institutions in the town."""
OPERATORS = (HARBOUR, RIVER, ISLAND)
"""Who keep wallets; Meadow Bank may have a vault, and lends."""
LENDERS = (*OPERATORS, MEADOW)
OFFICERS_NEEDED = 2
ISSUE_MINOR = (400_000_000, 350_000_000, 250_000_000)
"""10,000,000.00 to three operators."""

CALLS_PER_ENVELOPE = 16

VISITOR = 1
"""Whose key whoever tries the demo may use: the place among the people."""
PASSPHRASE = "demo"  # noqa: S105 - the demo's keys come from a public seed

ISSUED_MS = 2 * DAY_MS
"""How long before the town's day its money is issued."""
OPENING_MS = 7 * HOUR_MS
CLOSING_MS = 23 * HOUR_MS
"""Between these times of its day the town pays."""
OPENED_MS = 20 * HOUR_MS
"""How long before that day wallets are opened, and get money."""


@dataclass(frozen=True, slots=True)
class Act:
    """One transaction to be signed: by whom, what, and which operator brings it in."""

    keys: tuple[KeyPair, ...]
    commands: tuple[Command, ...]
    sponsor: int
    """Index of the sponsoring institution: 0 is the central bank, then the operators."""
    at_ms: int = 0
    """Time of the town's day, in ms since its midnight; 0 where it does not matter."""
    device: str = ""
    """That it was signed on."""
    crime: str = ""
    """What crime it is part of; nobody in the town knows."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Acts that do not wait for one another; all are confirmed before the next stage begins."""

    name: str
    acts: list[Act] = field(default_factory=list)
    before_ms: int = 0
    """How long before the town's day it happens, by ledger time."""
    prepare: Callable[[], Awaitable[list[Act]]] | None = None
    """Finds the acts when their time has come, where they rest on what the ledger then says."""


class End(IntEnum):
    """What becomes of the money held for a stay; each fourth stay ends alike."""

    TAKEN = 0
    GIVEN_BACK = 1
    REFUNDED = 2
    """Taken, and a part of it refunded."""
    OPEN = 3
    """It is still held when the day is over."""


@dataclass(frozen=True, slots=True)
class Stay:
    """A guest's night in a hotel, for which money is held."""

    guest: KeyPair
    hotel: KeyPair
    reference: str
    end: End


@dataclass(frozen=True, slots=True)
class Town:
    """Keys of everybody in the demo."""

    officers: tuple[KeyPair, ...]
    institutions: tuple[KeyPair, ...]
    """First officer of the central bank, then the others: their accounts, by their places."""
    seconds: dict[int, KeyPair]
    """Second officers of the banks that lend, by their places."""
    servers: tuple[KeyPair, ...]
    people: tuple[KeyPair, ...]
    merchants: tuple[KeyPair, ...]
    newcomer: KeyPair
    """Of an institution that may become a member."""
    sealer: KeyPair
    seed: int


def derive_seed(seed: int, *names: object) -> bytes:
    """Derive the secret of somebody's key: 32 bytes, public as the town's seed is."""
    text = "\x00".join(("demo", str(seed), *map(str, names)))
    return hashlib.sha256(text.encode()).digest()


def derive_key(seed: int, *names: object) -> KeyPair:
    """Derive somebody's key that signs transactions."""
    return KeyPair.from_seed(derive_seed(seed, *names))


def make_town(seed: int, people: int, merchants: int) -> Town:
    """Derive everybody's keys."""
    key = partial(derive_key, seed)
    officers = tuple(key("officer", number) for number in range(3))
    names = (*OPERATOR_NAMES, *OTHER_NAMES)
    return Town(
        officers,
        (officers[0], *(key("institution", name) for name in names)),
        {place: key("second officer", place) for place in LENDERS},
        tuple(key("server", name) for name in ("Central Bank", *names)),
        tuple(key("person", number) for number in range(people)),
        tuple(key("merchant", number) for number in range(merchants)),
        key("institution", "Merchants’ Guild"),
        key("node"),
        seed,
    )


def name_phone(owner: KeyPair) -> str:
    """Name somebody's phone, as an operator's own systems would know it."""
    return f"phone of {owner.address_text[-12:]}"


def make_genesis(town: Town, time_ms: int, policy: Mapping[str, tuple[int, ...]]) -> Genesis:
    """Build the town's network: a central bank, operators, a regulator, and who issues papers.

    Args:
      town: whose.
      time_ms: of the ledger's beginning.
      policy: beside that of every new network.
    """
    officers = tuple(key.address for key in town.officers)
    bank = MemberSpec(
        "Central Bank", ("central_bank",), officers, town.servers[0].address, OFFICERS_NEEDED, 3
    )
    kinds = (
        *(("operator", 2),) * 3,
        ("regulator", 2),
        ("department", 0),
        ("department", 0),
        ("operator", 0),
    )
    names = (*OPERATOR_NAMES, *OTHER_NAMES)
    others = [
        MemberSpec(name, (role,), _list_officers(town, at), town.servers[at].address, 1, weight)
        for at, (name, (role, weight)) in enumerate(zip(names, kinds, strict=True), start=1)
    ]
    unproven = {"wallet.unproven_category": (wallets.Category.IV,)}
    policy = {**DEFAULT_POLICY, **unproven, **policy}
    return build_genesis("demo", time_ms, [bank, *others], sealer=town.sealer, policy=policy)


def _list_officers(town: Town, place: int) -> tuple[bytes, ...]:
    second = town.seconds.get(place)
    first = town.institutions[place].address
    return (first,) if second is None else (first, second.address)


def place_operator(wallet: KeyPair) -> int:
    """Tell the place of the operator that keeps a wallet."""
    return OPERATORS[wallet.address[0] % len(OPERATORS)]


class Day:
    """What happens on the town's day, and with its money before, stage by stage."""

    def __init__(
        self, town: Town, payment_count: int, day_ms: int, crimes: Sequence[Act] = ()
    ) -> None:
        """`crimes` happen among the day's payments, in the order of their time."""
        self._town = town
        self._crimes = crimes
        self._random = random.Random(town.seed)  # noqa: S311 - a demo's population, not a secret
        self._payment_count = payment_count
        self._people = list(enumerate(town.people))
        self._hold_until_ms = day_ms + DAY_MS

    def stages(self) -> Iterator[Stage]:
        """Yield the stages, earliest first."""
        issue = "the central bank issues money to three operators"
        yield Stage(issue, self._issue(), ISSUED_MS)
        yield Stage("operators open wallets", self._open(), OPENED_MS)
        yield Stage("residents convert deposits into wallets", self._fund(), OPENED_MS)
        yield Stage("residents pay merchants and one another", self._pay())
        stays = self._choose_stays()
        yield Stage("guests have money held for their hotels", [self._hold(stay) for stay in stays])
        ends = [self._end(stay) for stay in stays if stay.end is not End.OPEN]
        yield Stage("hotels take it, or give it back", ends)
        refunds = [self._refund(stay) for stay in stays if stay.end is End.REFUNDED]
        yield Stage("hotels refund a part, merchants convert back", refunds + self._convert_back())
        yield Stage("a phone is lost, a wallet is frozen by order", self._freeze())
        yield Stage("both try to pay", self._try_frozen())

    def _issue(self) -> list[Act]:
        operators = self._town.institutions[HARBOUR:REGULATOR]
        commands: list[Command] = []
        for operator, amount_minor in zip(operators, ISSUE_MINOR, strict=True):
            commands += [
                currency.SetQuota(operator.address, ASSET, amount_minor),
                currency.Issue(operator.address, ASSET, amount_minor),
            ]
        return [Act(self._town.officers[:OFFICERS_NEEDED], tuple(commands), 0)]

    def _open(self) -> list[Act]:
        groups: dict[int, list[Command]] = {}
        for key in (*self._town.merchants, *self._town.people):
            at = place_operator(key)
            operator = self._town.institutions[at].address
            opening = wallets.Open(key.address, operator, wallets.Category.IV)
            groups.setdefault(at, []).append(opening)
        return self._by_operator(groups)

    def _fund(self) -> list[Act]:
        groups: dict[int, list[Command]] = {}
        for number, key in self._people:
            at = place_operator(key)
            amount_minor = self._random.randrange(20_000, 400_000, 500)
            operator = self._town.institutions[at].address
            groups.setdefault(at, []).append(
                payments.CashIn(operator, key.address, ASSET, amount_minor, f"cash-in-{number}")
            )
        return self._by_operator(groups)

    def _pay(self) -> list[Act]:
        acts = []
        for number in range(self._payment_count):
            payer = self._random.choice(self._town.people)
            is_merchant = self._random.random() < 0.8  # noqa: PLR2004 - four of five in shops
            payees: Sequence[KeyPair] = self._town.merchants if is_merchant else self._town.people
            payee = self._random.choice(payees)
            amount_minor = min(int(self._random.lognormvariate(8.3, 1.1)) + 1, 900_000)
            command = payments.Transfer(
                payer.address, payee.address, ASSET, amount_minor, f"day-{number}"
            )
            at_ms = OPENING_MS + number * (CLOSING_MS - OPENING_MS) // self._payment_count
            phone = name_phone(payer)
            acts.append(Act((payer,), (command,), place_operator(payer), at_ms, phone))
        return list(merge(acts, self._crimes, key=attrgetter("at_ms")))

    def _choose_stays(self) -> list[Stay]:
        guests = self._people[:: max(1, len(self._people) // 40)]
        return [
            Stay(
                key,
                self._random.choice(self._town.merchants),
                f"hotel-{number}",
                End(place % len(End)),
            )
            for place, (number, key) in enumerate(guests)
        ]

    def _hold(self, stay: Stay) -> Act:
        guest, hotel = stay.guest.address, stay.hotel.address
        hold = payments.Hold(guest, hotel, ASSET, 5_000, stay.reference, self._hold_until_ms)
        return Act((stay.guest,), (hold,), place_operator(stay.guest))

    def _end(self, stay: Stay) -> Act:
        end: Command = payments.Post(stay.guest.address, stay.reference, 3_200)
        if stay.end is End.GIVEN_BACK:
            end = payments.Void(stay.guest.address, stay.reference)
        return Act((stay.hotel,), (end,), place_operator(stay.hotel))

    def _refund(self, stay: Stay) -> Act:
        reference = stay.reference
        refund = payments.Refund(stay.guest.address, reference, 1_200, f"refund of {reference}")
        return Act((stay.hotel,), (refund,), place_operator(stay.hotel))

    def _convert_back(self) -> list[Act]:
        acts = []
        for number, key in enumerate(self._town.merchants):
            amount_minor = self._random.randrange(1_000, 20_000)
            out = payments.CashOut(key.address, ASSET, amount_minor, f"cash-out-{number}")
            acts.append(Act((key,), (out,), place_operator(key)))
        return acts

    def _freeze(self) -> list[Act]:
        lost, suspect = self._town.people[0], self._town.people[-1]
        regulator = self._town.institutions[REGULATOR]
        order = hashlib.sha256(b"demo order 1").digest()
        return [
            Act((lost,), (wallets.SelfFreeze(lost.address),), place_operator(lost)),
            Act(
                (regulator,),
                (wallets.Freeze(suspect.address, regulator.address, order),),
                REGULATOR,
            ),
        ]

    def _try_frozen(self) -> list[Act]:
        merchant = self._town.merchants[0].address
        return [
            Act(
                (key,),
                (payments.Transfer(key.address, merchant, ASSET, 100, "too-late"),),
                place_operator(key),
            )
            for key in (self._town.people[0], self._town.people[-1])
        ]

    def _by_operator(self, groups: dict[int, list[Command]]) -> list[Act]:
        return [
            Act(
                (self._town.institutions[at],),
                tuple(commands[start : start + CALLS_PER_ENVELOPE]),
                at,
            )
            for at, commands in sorted(groups.items())
            for start in range(0, len(commands), CALLS_PER_ENVELOPE)
        ]
