"""What honest people and businesses pay on a day, among it much that looks like crime.

Employers pay hundreds in one morning (fan-out), landlords, sellers and those who collect for
friends are paid by many (fan-in) and pay it on within hours, families forward money along chains
that may close to a cycle, people buy a phone, open a wallet, pay strangers and are awake at night.
Nobody's balance is kept: a wallet that lacks money is topped up from its deposit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hansa.risk.events import NOBODY
from hansa.risk.simulator.calibration import (
    COLLECTION_MEDIAN,
    DAY_MS,
    FAMILY_MEDIAN,
    FORWARD_MEDIAN,
    HOUR_MS,
    HOUR_TABLE,
    MINUTE_MS,
    SELLER_MEDIAN,
    SPREAD_BUSINESS,
    SPREAD_CASH,
    SPREAD_PURCHASE,
    SPREAD_TRANSFER,
    STRANGER_MEDIAN,
    SUPPLY_MEDIAN,
    TRADES,
    TRANSFER_MEDIAN,
    TRANSFER_TABLE,
    Kind,
)
from hansa.risk.simulator.chance import UNIT, Chance, Integers, cumulate
from hansa.risk.simulator.columns import NEVER, Rows, join, make_licit
from hansa.risk.simulator.population import (
    CONTACTS,
    FAVOURITES,
    WEEKLY,
    World,
    business_device,
    compute_rates,
    compute_seller_weights,
    count_purchases,
    find_devices,
    pick_shops,
)

_FAVOURITE = cumulate(np.array([8, 6, 5, 4, 3, 2, 2, 1]))
_CONTACT = cumulate(np.array([5, 4, 3, 2, 1, 1]))
_WHOM = cumulate(np.array([52, 16, 10, 14, 8]))
"""A friend, a seller, a stranger; for more money a friend, a stranger."""
_WHOM_MEDIANS = np.array(
    [TRANSFER_MEDIAN, SELLER_MEDIAN, STRANGER_MEDIAN, FAMILY_MEDIAN, FAMILY_MEDIAN]
)
_OPENS = np.array([TRADES[kind].opens for kind in Kind])
_CLOSES = np.array([TRADES[kind].closes for kind in Kind])
_MEDIANS = np.array([TRADES[kind].median for kind in Kind])
_WORKDAYS = 5


class Day(NamedTuple):
    """A day of which ordinary life is drawn."""

    world: World
    chance: Chance
    """The day's own."""
    day: int
    """From 0."""
    begins_ms: int
    weekday: int
    """From 0, a Monday."""
    month_day: int
    cumulative: Integers
    """Of the rates at which people pay."""
    purchases: int


def begin_day(world: World, chance: Chance, day: int, first_day: int) -> Day:
    """Begin a day of the simulation, whose first is so many days after 1 January 1970."""
    date = np.datetime64(first_day + day, "D")
    month_day = int((date - date.astype("datetime64[M]").astype("datetime64[D]")).astype(int)) + 1
    weekday = (first_day + day + 3) % 7
    rates = compute_rates(world.people, day, weekday, month_day)
    begins_ms = (first_day + day) * DAY_MS
    purchases = count_purchases(rates)
    return Day(world, chance, day, begins_ms, weekday, month_day, cumulate(rates), purchases)


def live(day: Day) -> Rows:
    """Draw all that is paid; refunds and what is passed on may be of a later day."""
    bought = _buy(day)
    parts = [bought, _refund(day, bought), _transfer(day), _pay_salaries(day), _pay_rents(day)]
    parts += [_pay_bills(day), _top_up(day), _cash_out(day), _supply(day), _sweep(day, bought)]
    parts += [_collect(day), _give(day), _forward(day), _draw_profits(day)]
    rows = join(parts)
    opened = np.zeros(len(day.world.business_of), np.int64)
    opened[: len(day.world.people.rate)] = day.world.people.opened_on
    is_open = np.maximum(opened[rows.payer], opened[rows.payee]) <= day.day
    return _dispute(day, rows.take(is_open & (rows.payer != rows.payee)))


def _hours(day: Day, table: Integers, payer: Integers) -> Integers:
    """Draw hours by a table of 4096 places, shifted by the payer's habit."""
    return table[day.chance.below(UNIT, len(payer))] + day.world.people.hour_shift[payer]


def _times(day: Day, hours: Integers) -> Integers:
    """Draw a time within each of some hours."""
    within = day.chance.below(HOUR_MS, len(hours))
    return day.begins_ms + (hours % 24) * HOUR_MS + within


def _people(day: Day, count: int) -> Integers:
    return day.chance.pick(day.cumulative, count)


def _devices(day: Day, payer: Integers) -> Integers:
    return find_devices(day.world.people, payer, day.day, day.chance)


def _own(day: Day, business: Integers) -> Integers:
    return business_device(day.world, business)


def _round(day: Day, amounts: Integers, percent: int, to: int) -> Integers:
    """Round some percent of amounts up."""
    is_round = day.chance.is_true(UNIT * percent // 100, len(amounts))
    return np.where(is_round, -(-amounts // to) * to, amounts)


def _branch(day: Day, person: Integers, business: Integers) -> Integers:
    """Find at which wallet of a business each person pays: always the same."""
    of = day.world.businesses
    return of.wallet[business] + (person * 7 + business) % of.wallets[business]


def _buy(day: Day) -> Rows:
    people, businesses = day.world.people, day.world.businesses
    payer = _people(day, day.purchases)
    count = len(payer)
    shop = people.favourites[payer, day.chance.pick(_FAVOURITE, count) % FAVOURITES]
    elsewhere = np.flatnonzero(day.chance.is_true(UNIT * 28 // 100, count))
    shop[elsewhere] = pick_shops(day.chance, businesses, len(elsewhere))
    kind = businesses.kind[shop]
    hours = HOUR_TABLE[kind, day.chance.below(UNIT, count)] + people.hour_shift[payer]
    hours = np.clip(hours, _OPENS[kind], _CLOSES[kind] - 1)
    amounts = day.chance.amounts(_MEDIANS[kind] + people.level[payer], SPREAD_PURCHASE, count)
    return make_licit(
        _times(day, hours),
        payer,
        _branch(day, payer, shop),
        _round(day, amounts, 35, 1_00),
        _devices(day, payer),
    )


def _refund(day: Day, bought: Rows) -> Rows:
    """Give some of it back, all or in part, at once or within days; rarely to another wallet."""
    rows = bought.take(day.chance.is_true(UNIT * 15 // 1000, len(bought.payer)))
    count = len(rows.payer)
    part = np.where(day.chance.is_true(UNIT // 2, count), UNIT, day.chance.below(UNIT, count))
    family = day.world.people.contacts[rows.payer, 0]
    receiver = np.where(day.chance.is_true(UNIT * 6 // 100, count), family, rows.payer)
    days_later = day.chance.below(8, count) * day.chance.below(2, count)
    later = MINUTE_MS + day.chance.below(3 * HOUR_MS, count) + days_later * DAY_MS
    shop = day.world.business_of[rows.payee]
    amounts = rows.amount_minor * part >> 12
    return make_licit(rows.time_ms + later, rows.payee, receiver, amounts, _own(day, shop))


def _transfer(day: Day) -> Rows:
    """Pay friends, sellers and strangers."""
    people = day.world.people
    payer = _people(day, day.purchases * 16 // 100)
    count = len(payer)
    friends = people.contacts[payer, day.chance.pick(_CONTACT, count) % CONTACTS]
    sellers = day.world.sellers[day.chance.pick(compute_seller_weights(day.world), count)]
    whom = day.chance.pick(_WHOM, count)
    strangers = _people(day, count)
    payee = np.choose(whom, [friends, sellers, strangers, friends, strangers])
    median = _WHOM_MEDIANS[whom]
    amounts = day.chance.amounts(median + people.level[payer], SPREAD_TRANSFER, count)
    return make_licit(
        _times(day, _hours(day, TRANSFER_TABLE, payer)),
        payer,
        payee,
        _round(day, amounts, 60, 5_00),
        _devices(day, payer),
    )


def _pay_salaries(day: Day) -> Rows:
    people, businesses = day.world.people, day.world.businesses
    is_due = (people.pay_day == day.month_day) | (people.pay_day == WEEKLY + day.weekday)
    paid = np.flatnonzero(is_due & (people.employer != NOBODY) & (people.opened_on <= day.day))
    employer = people.employer[paid]
    morning = 6 * HOUR_MS + employer * 7_919 % (4 * HOUR_MS)
    times = day.begins_ms + morning + day.chance.below(20 * MINUTE_MS, len(paid))
    weekly = people.pay_day[paid] >= WEEKLY
    varied = people.pay_minor[paid] * (UNIT // 2 + day.chance.below(UNIT, len(paid))) >> 12
    amounts = np.where(weekly, varied, people.pay_minor[paid])
    wallet = businesses.wallet[employer]
    return make_licit(times, wallet, paid, amounts, _own(day, employer))


def _pay_rents(day: Day) -> Rows:
    people = day.world.people
    is_due = (people.landlord != NOBODY) & ((people.bill_day + 5) % 28 + 1 == day.month_day)
    payer = np.flatnonzero(is_due & (people.rate > 0) & (people.opened_on <= day.day))
    return make_licit(
        _times(day, _hours(day, TRANSFER_TABLE, payer)),
        payer,
        people.landlord[payer],
        people.rent_minor[payer],
        _devices(day, payer),
    )


def _pay_bills(day: Day) -> Rows:
    people, businesses = day.world.people, day.world.businesses
    is_due = (people.rate > 0) & (people.opened_on <= day.day)
    payers = [
        np.flatnonzero(is_due & ((people.bill_day + 9 * bill) % 28 + 1 == day.month_day))
        for bill in range(2)
    ]
    payer = np.concatenate(payers)
    utility = np.concatenate([people.utilities[who, bill] for bill, who in enumerate(payers)])
    median = TRADES[Kind.UTILITY].median + people.level[payer]
    return make_licit(
        _times(day, _hours(day, HOUR_TABLE[Kind.UTILITY], payer)),
        payer,
        businesses.wallet[utility],
        day.chance.amounts(median, SPREAD_PURCHASE, len(payer)),
        _devices(day, payer),
    )


def _at_banks(day: Day, person: Integers) -> Integers:
    """Find each person's bank: always the same."""
    businesses = day.world.businesses
    banks = businesses.by_kind[Kind.BANK]
    return _branch(day, person, banks[person * 31 % len(banks)])


def _top_up(day: Day) -> Rows:
    """Convert deposit or cash, as all do on the day on which they open their wallet."""
    people = day.world.people
    new = np.flatnonzero((people.opened_on == day.day) & (people.rate > 0))
    person = np.concatenate([_people(day, day.purchases * 9 // 100), np.repeat(new, 2)])
    count = len(person)
    large = day.chance.is_true(UNIT // 8, count)
    median = TRADES[Kind.BANK].median + people.level[person] + 3 * UNIT * large
    times = _times(day, _hours(day, HOUR_TABLE[Kind.BANK], person))
    bank = _at_banks(day, person)
    device = _own(day, day.world.business_of[bank])
    amounts = day.chance.amounts(median, SPREAD_CASH, count)
    return make_licit(times, bank, person, _round(day, amounts, 80, 50_00), device)


def _cash_out(day: Day) -> Rows:
    """Convert into deposit or cash; those who sell do it more often, and more of it."""
    people = day.world.people
    some = _people(day, day.purchases * 4 // 100)
    is_selling = day.chance.is_true(UNIT // 3, len(day.world.sellers))
    payer = np.concatenate([some, day.world.sellers[is_selling]])
    count = len(payer)
    large = day.chance.is_true(UNIT // 3, count)
    median = TRADES[Kind.BANK].median + people.level[payer] + 3 * UNIT * large
    amounts = day.chance.amounts(median, SPREAD_CASH, count)
    return make_licit(
        _times(day, _hours(day, HOUR_TABLE[Kind.BANK], payer)),
        payer,
        _at_banks(day, payer),
        _round(day, amounts, 60, 50_00),
        _devices(day, payer),
    )


def _supply(day: Day) -> Rows:
    """Pay suppliers, on workdays."""
    businesses = day.world.businesses
    share = UNIT // 2 if day.weekday < _WORKDAYS else UNIT // 16
    is_buying = day.chance.is_true(share, len(businesses.kind))
    buyer = np.flatnonzero(is_buying & (businesses.kind != Kind.BANK))
    count = len(buyer)
    supplier = businesses.suppliers[buyer, day.chance.below(4, count)]
    hours = 8 + day.chance.below(10, count)
    return make_licit(
        _times(day, hours),
        businesses.wallet[buyer],
        businesses.wallet[supplier],
        day.chance.amounts(SUPPLY_MEDIAN, SPREAD_BUSINESS, count),
        _own(day, buyer),
    )


def _sweep(day: Day, bought: Rows) -> Rows:
    """Move what branches took in during the day to their business's first wallet."""
    businesses, business_of = day.world.businesses, day.world.business_of
    first = len(day.world.people.rate)
    places = bought.payee - first
    order = np.argsort(places, kind="stable")
    branches, begins = np.unique(places[order], return_index=True)
    takings = np.add.reduceat(bought.amount_minor[order], begins)
    branch = branches + first
    head = businesses.wallet[business_of[branch]]
    moved = (branch != head) & day.chance.is_true(UNIT * 7 // 10, len(branch))
    count = int(moved.sum())
    times = day.begins_ms + DAY_MS - 1 - day.chance.below(40 * MINUTE_MS, count)
    device = _own(day, business_of[branch[moved]])
    return make_licit(times, branch[moved], head[moved], takings[moved], device)


def _draw_profits(day: Day) -> Rows:
    """Pay owners what a business earned, about every second week."""
    businesses = day.world.businesses
    drawn = day.chance.is_true(UNIT // 14, len(businesses.kind))
    business = np.flatnonzero(drawn & (businesses.kind != Kind.BANK))
    count = len(business)
    return make_licit(
        _times(day, 9 + day.chance.below(12, count)),
        businesses.wallet[business],
        businesses.owner[business],
        _round(day, day.chance.amounts(SUPPLY_MEDIAN, UNIT, count), 60, 100_00),
        _own(day, business),
    )


def _groups(day: Day, per_mille: int) -> tuple[Integers, Integers, Integers]:
    """Draw persons and who of their circle joins them: hosts, place of the host, members."""
    people = day.world.people
    host = _people(day, day.purchases * per_mille // 1000 + 1)
    sizes = 3 + day.chance.below(8, len(host))
    place = np.repeat(np.arange(len(host)), sizes)
    friend = people.contacts[host[place], day.chance.below(CONTACTS, len(place))]
    friends_friend = people.contacts[friend, day.chance.below(CONTACTS, len(place))]
    member = np.where(day.chance.is_true(UNIT // 2, len(place)), friend, friends_friend)
    return host, place, member


def _collect(day: Day) -> Rows:
    """Collect from friends, and pay a shop or person with it within a day."""
    host, place, member = _groups(day, 4)
    people, count = day.world.people, len(host)
    larger = 4 * UNIT * day.chance.is_true(UNIT // 4, count)
    median = COLLECTION_MEDIAN + people.level[host] + larger
    share = _round(day, day.chance.amounts(median, UNIT, count), 70, 5_00)
    begins = _times(day, _hours(day, TRANSFER_TABLE, host))
    paid = begins[place] + day.chance.below(10 * HOUR_MS, len(place))
    gifts = make_licit(paid, member, host[place], share[place], _devices(day, member))
    total = share * np.bincount(place, minlength=count)
    shop = _branch(day, host, pick_shops(day.chance, day.world.businesses, count))
    friend = people.contacts[host, 0]
    payee = np.where(day.chance.is_true(UNIT * 6 // 10, count), shop, friend)
    later = 10 * HOUR_MS + day.chance.below(20 * HOUR_MS, count)
    amounts = total * (UNIT - day.chance.below(UNIT // 5, count)) >> 12
    spent = make_licit(begins + later, host, payee, amounts, _devices(day, host))
    return join([gifts, spent])


def _give(day: Day) -> Rows:
    """Give to many of one's circle within an hour: presents, shares of a bill, wages in a home."""
    host, place, member = _groups(day, 2)
    larger = 4 * UNIT * day.chance.is_true(UNIT // 4, len(host))
    median = COLLECTION_MEDIAN + day.world.people.level[host] + larger
    each = _round(day, day.chance.amounts(median, UNIT, len(host)), 70, 5_00)
    begins = _times(day, _hours(day, TRANSFER_TABLE, host))
    times = begins[place] + day.chance.below(HOUR_MS, len(place))
    payer = host[place]
    return make_licit(times, payer, member, each[place], _devices(day, payer))


def _forward(day: Day) -> Rows:
    """Forward money within a circle, two or three payments long; one in four comes back."""
    people = day.world.people
    person = begun = _people(day, day.purchases * 5 // 1000 + 1)
    times = _times(day, _hours(day, TRANSFER_TABLE, person))
    median = FORWARD_MEDIAN + people.level[person]
    amounts = day.chance.amounts(median, SPREAD_TRANSFER, len(person))
    amounts = _round(day, amounts, 40, 10_00)
    parts = []
    for comes_back in (0, 0, UNIT // 4):
        count = len(person)
        payee = people.contacts[person, day.chance.below(CONTACTS, count)]
        payee = np.where(day.chance.is_true(comes_back, count), begun, payee)
        parts.append(make_licit(times, person, payee, amounts, _devices(day, person)))
        goes_on = day.chance.is_true(UNIT * 3 // 4, count)
        left = amounts * (UNIT - day.chance.below(UNIT // 4, count)) >> 12
        times = times + MINUTE_MS + day.chance.below(30 * HOUR_MS, count)
        person, begun = payee[goes_on], begun[goes_on]
        amounts, times = left[goes_on], times[goes_on]
    return join(parts)


def _dispute(day: Day, rows: Rows) -> Rows:
    """Have some payments reported that turn out to be in order, after days."""
    count = len(rows.payer)
    is_reported = day.chance.is_true(2, count)
    delay = DAY_MS + day.chance.below(30 * DAY_MS, count)
    return rows._replace(known_ms=np.where(is_reported, rows.time_ms + delay, NEVER))
