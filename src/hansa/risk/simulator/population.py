"""Who lives in the simulated city: people with their habits, businesses, and rings of criminals.

Wallets, devices and businesses are numbered here so that people come first and popular businesses
before others. What leaves the simulator is renumbered by a drawn order, so that numbers tell
nothing.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from hansa.risk.events import NOBODY
from hansa.risk.simulator.calibration import (
    BANKS,
    RENT_MEDIAN,
    SPREAD_PERSON,
    TRADES,
    UTILITIES,
    Kind,
)
from hansa.risk.simulator.chance import (
    UNIT,
    Chance,
    Integers,
    cumulate,
    find_logarithm,
    rank_weights,
)

Place = TypeVar("Place", int, Integers)

FAVOURITES = 8
CONTACTS = 6
SUPPLIERS = 4
WALLETS_MAX = 12
"""Of one business."""
RATE_UNIT = 256
"""Purchases a day are counted in multiples of 1/256."""
DORMANT_PERCENT = 4
"""Of people: nobody uses their numbers but a wallet opened in another's name."""
MULE_PERCENT = 4
WEEKLY = 100
_FLUSH_DAYS = 4
"""After pay day, on which people spend more."""
RING_PERSONS = 1_500
"""There is one ring of criminals for so many people, and three at least."""


class People(NamedTuple):
    """Shape (n_persons,) unless said otherwise; a person's number is that of their wallet."""

    rate: Integers
    """Purchases a day, in multiples of 1/256; 0 of a number that nobody uses."""
    level: Integers
    """Logarithm by which amounts exceed the median."""
    opened_on: Integers
    """Day of the simulation on which the wallet was opened; below 0 before it began."""
    hour_shift: Integers
    favourites: Integers
    """Businesses; shape (n_persons, 8), the first the most visited."""
    contacts: Integers
    """Friends and family; shape (n_persons, 6)."""
    utilities: Integers
    """Two businesses; shape (n_persons, 2)."""
    bill_day: Integers
    """Day of the month."""
    landlord: Integers
    """Person, or `NOBODY`."""
    rent_minor: Integers
    employer: Integers
    """Business, or `NOBODY`."""
    pay_day: Integers
    """Day of the month from 1; of who is paid weekly `WEEKLY` + day of the week."""
    pay_minor: Integers
    device_two: npt.NDArray[np.bool_]
    """Whether they have a second device."""
    replaced_on: Integers
    """Day on which the first device gives way to another."""
    device_of: Integers
    """Whose first device they use: their own, or that of one they live with."""


class Businesses(NamedTuple):
    """Shape (n_businesses,) unless said otherwise."""

    kind: Integers
    wallets: Integers
    """How many it has."""
    wallet: Integers
    """Its first; the others follow."""
    suppliers: Integers
    """Businesses; shape (n_businesses, 4)."""
    owner: Integers
    """Person."""
    by_kind: tuple[Integers, ...]
    """Businesses of each kind, the most popular first."""
    popularity: tuple[Integers, ...]
    """Of each kind, cumulative weights of Zipf's law."""


class Ring(NamedTuple):
    """Criminals who work together."""

    mules: list[int]
    """Persons, who live like others beside it."""
    devices: list[int]
    shells: list[int]
    """Businesses, with honest customers beside others."""


class World(NamedTuple):
    """All of it."""

    people: People
    businesses: Businesses
    rings: list[Ring]
    sellers: Integers
    """Persons who sell to strangers, the most popular first."""
    unused: list[int]
    """Persons whose numbers a criminal may use, in a drawn order."""
    business_of: Integers
    """Of each wallet, or `NOBODY`; shape (n_wallets,)."""
    device_count: int
    wallet_names: Integers
    """The number under which each wallet leaves the simulator."""
    device_names: Integers
    business_names: Integers


def build_world(seed: int, persons: int) -> World:
    """Build the city of a seed; it is the same whatever happens in it."""
    chance = Chance(seed, 0)
    businesses = _build_businesses(chance, persons)
    wallets = persons + int(businesses.wallets.sum())
    people = _build_people(chance, persons, businesses)
    used = np.flatnonzero(people.rate)
    unused = np.flatnonzero(people.rate == 0)
    rings = _build_rings(chance, people, businesses)
    device_count = 3 * persons + len(businesses.kind) + sum(len(ring.devices) for ring in rings)
    business_of = np.full(wallets, NOBODY, np.int64)
    business_of[persons:] = np.repeat(np.arange(len(businesses.kind)), businesses.wallets)
    return World(
        people=people,
        businesses=businesses,
        rings=rings,
        sellers=used[chance.shuffle(len(used))[: max(8, persons // 50)]],
        unused=unused[chance.shuffle(len(unused))].tolist(),
        business_of=business_of,
        device_count=device_count,
        wallet_names=chance.shuffle(wallets),
        device_names=chance.shuffle(device_count),
        business_names=chance.shuffle(len(businesses.kind)),
    )


def find_devices(people: People, payer: Integers, day: int, chance: Chance) -> Integers:
    """Find from which device each of some persons pays."""
    first = people.device_of[payer]
    second = people.device_two[payer] & chance.is_true(UNIT // 5, len(payer))
    replaced = people.replaced_on[first] <= day
    return np.where(second, 3 * payer + 1, 3 * first + 2 * replaced)


def business_device(world: World, business: Place) -> Place:
    """Name the device of a business, which has one."""
    return 3 * len(world.people.rate) + business


def _build_businesses(chance: Chance, persons: int) -> Businesses:
    shops = max(100, persons // 20)
    counts = [max(2, shops * TRADES[kind].share // 100) for kind in Kind]
    counts[Kind.UTILITY], counts[Kind.BANK] = UTILITIES, BANKS
    kind = np.repeat(np.arange(len(Kind)), counts)
    by_kind = tuple(np.flatnonzero(kind == one) for one in Kind)
    rank = np.concatenate([np.arange(count) for count in counts])
    # The most popular of a kind has many branches; most have one wallet, some a second one.
    branches = WALLETS_MAX // (rank + 1)
    wallets = np.maximum(branches, 1 + chance.is_true(UNIT // 4, len(kind)))
    order = chance.shuffle(len(kind) - BANKS)
    suppliers = order[chance.pick(_weigh(len(order)), len(kind) * SUPPLIERS)]
    return Businesses(
        kind=kind,
        wallets=wallets,
        wallet=persons + np.cumsum(wallets) - wallets,
        suppliers=suppliers.reshape(-1, SUPPLIERS),
        owner=chance.below(persons, len(kind)),
        by_kind=by_kind,
        popularity=tuple(_weigh(count) for count in counts),
    )


def _weigh(count: int) -> Integers:
    return cumulate(rank_weights(count))


def _pick_businesses(chance: Chance, businesses: Businesses, kinds: Integers) -> Integers:
    """Draw a business of each of some kinds by popularity."""
    picked = np.empty(len(kinds), np.int64)
    for kind in Kind:
        of_kind = np.flatnonzero(kinds == kind)
        ranks = chance.pick(businesses.popularity[kind], len(of_kind))
        picked[of_kind] = businesses.by_kind[kind][ranks]
    return picked


def pick_shops(chance: Chance, businesses: Businesses, count: int) -> Integers:
    """Draw businesses where people buy, by the visits of their kind and their popularity."""
    visits = np.cumsum([TRADES[kind].visits for kind in Kind])
    return _pick_businesses(chance, businesses, chance.pick(visits, count))


def _build_people(chance: Chance, persons: int, businesses: Businesses) -> People:
    each = np.arange(persons)
    dormant = chance.is_true(UNIT * DORMANT_PERCENT // 100, persons)
    rate = np.minimum(chance.amounts(find_logarithm(RATE_UNIT * 17 // 10), UNIT, persons), 5120)
    level = chance.normal(persons) * SPREAD_PERSON >> 12
    is_new = chance.is_true(UNIT // 4, persons)
    opened_on = np.where(is_new, chance.below(360, persons), -1)
    replaced = chance.is_true(UNIT // 2, persons)
    shares = chance.is_true(UNIT * 6 // 100, persons)
    employer, pay_day = _employ(chance, persons, businesses)
    pays_rent = chance.is_true(UNIT // 4, persons)
    landlords = chance.pick(_weigh(max(4, persons // 60)), persons)
    tenants = _pick_used(chance, dormant, max(4, persons // 60))
    return People(
        rate=np.where(dormant, 0, rate),
        level=level,
        opened_on=opened_on,
        hour_shift=chance.between(-2, 2, persons) + chance.between(-1, 1, persons),
        favourites=pick_shops(chance, businesses, persons * FAVOURITES).reshape(persons, -1),
        contacts=_befriend(chance, dormant),
        utilities=_pick_businesses(chance, businesses, np.full(2 * persons, Kind.UTILITY)).reshape(
            persons, 2
        ),
        bill_day=chance.between(1, 28, persons),
        landlord=np.where(pays_rent, tenants[landlords], NOBODY),
        rent_minor=chance.amounts(RENT_MEDIAN + level // 2, UNIT // 2, persons) // 50_00 * 50_00,
        employer=np.where(dormant, NOBODY, employer),
        pay_day=pay_day,
        pay_minor=chance.amounts(
            TRADES[Kind.EMPLOYER].median + level // 2 - 2 * UNIT * (pay_day >= WEEKLY),
            UNIT // 2,
            persons,
        ),
        device_two=chance.is_true(UNIT * 3 // 10, persons),
        replaced_on=np.where(replaced, chance.below(720, persons), 1 << 40),
        device_of=np.where(shares, each // 4 * 4, each),
    )


def _employ(chance: Chance, persons: int, businesses: Businesses) -> tuple[Integers, Integers]:
    """Draw employers, of whom each pays on one day of the month, or weekly."""
    employers = businesses.by_kind[Kind.EMPLOYER]
    days = np.array([25, 28, 1, 15, 10])[chance.below(5, len(employers))]
    weekly = chance.is_true(UNIT // 4, len(employers))
    days = np.where(weekly, WEEKLY + chance.below(7, len(employers)), days)
    rank = chance.pick(businesses.popularity[Kind.EMPLOYER], persons)
    is_employed = chance.is_true(UNIT * 62 // 100, persons)
    return np.where(is_employed, employers[rank], NOBODY), days[rank]


def _pick_used(chance: Chance, dormant: npt.NDArray[np.bool_], count: int) -> Integers:
    used = np.flatnonzero(~dormant)
    return used[chance.below(len(used), count)]


def _befriend(chance: Chance, dormant: npt.NDArray[np.bool_]) -> Integers:
    """Draw contacts: four of six live close by, so that friends of friends are friends."""
    used = np.flatnonzero(~dormant)
    place = np.searchsorted(used, np.arange(len(dormant)))[:, None]
    count = len(dormant) * CONTACTS
    near = place + (chance.between(1, 16, count) * (2 * chance.below(2, count) - 1)).reshape(
        -1, CONTACTS
    )
    far = chance.below(len(used), count).reshape(-1, CONTACTS)
    is_near = np.arange(CONTACTS) < CONTACTS - 2
    contacts: Integers = used[np.where(is_near, near, far) % len(used)]
    return contacts


def _build_rings(chance: Chance, people: People, businesses: Businesses) -> list[Ring]:
    persons = len(people.rate)
    rings = max(3, persons // RING_PERSONS)
    used = np.flatnonzero((people.rate > 0) & (people.opened_on < 0))
    mules = used[chance.shuffle(len(used))[: max(24 * rings, persons * MULE_PERCENT // 100)]]
    online = businesses.by_kind[Kind.ONLINE]
    device = 3 * persons + len(businesses.kind)
    made = []
    for ring in range(rings):
        shells = online[len(online) // 3 :]
        devices = chance.one_of(3, 6)
        made.append(
            Ring(
                mules=mules[ring::rings].tolist(),
                devices=list(range(device, device + devices)),
                shells=[int(shells[chance.one(len(shells))]) for _ in range(2)],
            )
        )
        device += devices
    return made


def compute_seller_weights(world: World) -> Integers:
    """Weigh those who sell to strangers, for `Chance.pick`."""
    return _weigh(len(world.sellers))


def count_purchases(rates: Integers) -> int:
    """Count how many purchases a day's rates make."""
    return int(rates.sum()) // RATE_UNIT


def compute_rates(people: People, day: int, weekday: int, month_day: int) -> Integers:
    """Compute how many purchases each is likely to make on a day, in multiples of 1/256.

    More after pay day and on Friday and Saturday; nothing before the wallet is opened.
    """
    since_pay = (month_day - people.pay_day) % 30
    is_flush = (people.pay_day < WEEKLY) & (since_pay < _FLUSH_DAYS)
    after_pay = np.where(is_flush, 5, 4)
    is_open = people.opened_on <= day
    return np.where(is_open, people.rate * after_pay // 4, 0) * (5 if weekday in {4, 5} else 4) // 4
