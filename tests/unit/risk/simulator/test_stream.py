"""A simulated stream is in order, the same for a seed, and has the crimes that it says."""

from hashlib import sha256
from itertools import groupby, pairwise

import numpy as np
import pytest

from hansa.kernel.errors import Invalid
from hansa.risk.events import NOBODY, Label, Payment
from hansa.risk.simulator.columns import LAUNDERING, Pattern, Stage
from hansa.risk.simulator.stream import Settings, simulate

SETTINGS = Settings(seed=4, days=16, persons=1_000, illicit_per_million=60_000)
SMALL = Settings(seed=3, days=3, persons=500, illicit_per_million=5_000)
SMALL_HASH = "c2b34edc1100192feeb508b230fc28df945397917e6fdd40b8c416e9e2c55c0f"
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def simulation():
    return simulate(SETTINGS)


@pytest.fixture(scope="module")
def cases(simulation):
    """Of each pattern its complete cases: stage, time, payer, payee, amount of each payment."""
    payments, truth = simulation.payments, simulation.truth
    found = {pattern: [] for pattern in Pattern}
    for case, size in enumerate(simulation.case_sizes):
        at = np.flatnonzero(truth.case == case)
        if len(at) < size:
            continue
        [pattern] = set(truth.pattern[at].tolist())
        columns = (truth.stage, payments.time_ms, payments.payer, payments.payee)
        columns += (payments.amount_minor,)
        found[pattern].append(list(zip(*(column[at].tolist() for column in columns), strict=True)))
    return found


def hash_columns(*groups):
    digest = sha256()
    for column in [column for group in groups for column in group]:
        digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def test_a_seed_gives_the_same_bytes_on_every_machine():
    made = simulate(SMALL)
    assert hash_columns(made.payments, made.truth, made.labels) == SMALL_HASH
    other = simulate(SMALL._replace(seed=5))
    assert hash_columns(other.payments) != hash_columns(made.payments)


def test_a_longer_run_begins_as_a_shorter_one_and_honest_people_live_as_without_crime():
    short, long = simulate(SMALL._replace(days=2)), simulate(SMALL)
    count = len(short.payments.time_ms)
    for few, many in zip(short.payments + short.truth, long.payments + long.truth, strict=True):
        assert (few == many[:count]).all()
    safe = simulate(SMALL._replace(illicit_per_million=0))
    is_licit = long.truth.pattern == Pattern.LICIT
    for without, among in zip(safe.payments, long.payments, strict=True):
        assert (without == among[is_licit]).all()


def test_payments_are_in_order_and_within_their_bounds(simulation):
    payments = simulation.payments
    begins = SETTINGS.first_day * DAY_MS
    assert payments.time_ms[0] >= begins
    assert payments.time_ms[-1] < begins + SETTINGS.days * DAY_MS
    assert (np.diff(payments.time_ms) >= 0).all()
    assert (payments.payer != payments.payee).all()
    assert payments.amount_minor.min() > 0
    assert payments.amount_minor.max() < 1 << 40
    for column in (payments.payer, payments.payee, payments.device):
        assert column.min() >= 0
        assert column.max() < 10 * SETTINGS.persons
    assert 0.3 < (payments.merchant != NOBODY).mean() < 0.9
    assert isinstance(payments.get(7), Payment)
    assert payments.get(7).time_ms == payments.time_ms[7]


def test_so_many_payments_are_illicit_as_was_asked(simulation):
    is_illicit = simulation.truth.pattern != Pattern.LICIT
    later = len(is_illicit) // 2
    assert 0.05 < is_illicit[later:].mean() < 0.07
    assert ((simulation.truth.case != NOBODY) == is_illicit).all()
    assert ((simulation.truth.stage != Stage.NONE) == is_illicit).all()


def test_labels_come_after_their_payment_and_tell_the_truth(simulation):
    labels, pattern = simulation.labels, simulation.truth.pattern
    assert (np.diff(labels.time_ms) >= 0).all()
    assert (labels.time_ms > simulation.payments.time_ms[labels.number]).all()
    assert (labels.is_fraud == (pattern[labels.number] != Pattern.LICIT)).all()
    assert len(np.unique(labels.number)) == len(labels.number)
    assert isinstance(labels.get(0), Label)
    delays = labels.time_ms - simulation.payments.time_ms[labels.number]
    of = pattern[labels.number]
    laundering, theft = np.isin(of, list(LAUNDERING)), of == Pattern.ACCOUNT_TAKEOVER
    assert delays[laundering].min() >= 14 * DAY_MS
    assert np.median(delays[theft]) < 7 * DAY_MS
    known = np.isin(labels.number, np.flatnonzero(np.isin(pattern, list(LAUNDERING)))).sum()
    assert 0.3 < known / np.isin(pattern, list(LAUNDERING)).sum() < 0.7


def test_money_that_came_in_goes_on_less_a_fee(cases):
    """Of who is paid first in a case: they never pay what they have not got by then."""
    for complete in cases.values():
        for rows in complete:
            purses = {}
            for _, _, payer, payee, amount in rows:
                if purses.setdefault(payer, None) is not None:
                    purses[payer] -= amount
                    assert purses[payer] >= 0
                if purses.setdefault(payee, 0) is not None:
                    purses[payee] += amount


def layer(rows):
    """Payments of the layer, those in parts as one, and the edges that they make."""
    steps = [(payer, payee) for stage, _, payer, payee, _ in rows if stage == Stage.LAYERING]
    return [edge for edge, _ in groupby(steps)], set(steps)


def degrees(edges):
    payers, payees = {payer for payer, _ in edges}, {payee for _, payee in edges}
    return payers - payees, payers & payees, payees - payers


def is_fan_in(_, edges):
    sources, middle, sinks = degrees(edges)
    return len(sinks) == 1 and not middle and len(sources) == len(edges) >= 3


def is_fan_out(_, edges):
    return is_fan_in(_, {edge[::-1] for edge in edges})


def is_cycle(_, edges):
    following = dict(edges)
    first = at = next(iter(following))
    for _step in edges:
        at = following[at]
    return at == first and len(following) == len(edges) >= 3 and len({*following.values()}) >= 3


def is_bipartite(_, edges):
    sources, middle, sinks = degrees(edges)
    return not middle and len(edges) == len(sources) * len(sinks) >= 4


def is_stack(_, edges):
    sources, middle, sinks = degrees(edges)
    first = {(payer, payee) for payer in sources for payee in middle}
    return edges == first | {(payer, payee) for payer in middle for payee in sinks}


def is_random(steps, edges):
    follows = all(before[1] == after[0] for before, after in pairwise(steps))
    return follows and steps[0][0] != steps[-1][1] and len(edges) >= 3


def is_scatter_gather(_, edges):
    [source], middle, [sink] = degrees(edges)
    first = {(source, account) for account in middle}
    return edges == first | {(account, sink) for account in middle} and len(middle) >= 3


def is_gather_scatter(_, edges):
    sources, [hub], sinks = degrees(edges)
    first = {(account, hub) for account in sources}
    both = len(sources) >= 3 and len(sinks) >= 3
    return edges == first | {(hub, account) for account in sinks} and both


@pytest.mark.parametrize(
    ("pattern", "has_shape"),
    [
        (Pattern.FAN_IN, is_fan_in),
        (Pattern.FAN_OUT, is_fan_out),
        (Pattern.CYCLE, is_cycle),
        (Pattern.BIPARTITE, is_bipartite),
        (Pattern.STACK, is_stack),
        (Pattern.RANDOM, is_random),
        (Pattern.SCATTER_GATHER, is_scatter_gather),
        (Pattern.GATHER_SCATTER, is_gather_scatter),
    ],
)
def test_each_way_of_laundering_has_its_shape(cases, pattern, has_shape):
    assert len(cases[pattern]) >= 5
    for rows in cases[pattern]:
        assert has_shape(*layer(rows))


def test_each_crime_leaves_its_traces(cases, simulation):
    """A takeover is of one wallet from one strange device; a refund goes to who never paid."""
    for pattern in set(Pattern) - LAUNDERING - {Pattern.LICIT}:
        assert len(cases[pattern]) >= 5
    for rows in cases[Pattern.ACCOUNT_TAKEOVER]:
        [victim] = {payer for _, _, payer, _, _ in rows}
        mine = simulation.payments.payer == victim
        theirs = simulation.truth.pattern == Pattern.ACCOUNT_TAKEOVER
        before = simulation.payments.device[mine & ~theirs]
        at = np.isin(simulation.payments.time_ms, [row[1] for row in rows]) & mine & theirs
        assert not np.isin(simulation.payments.device[at], before).any()
    for rows in cases[Pattern.OVERPAID_REFUND]:
        paid, refunded = ([row for row in rows if row[0] == stage] for stage in (1, 2))
        assert {row[2] for row in refunded} <= {row[3] for row in paid}
        assert not {row[3] for row in refunded} & {row[2] for row in paid}
    for rows in cases[Pattern.SHOP_CASH_OUT]:
        assert len(rows) >= 4
        assert rows[-1][1] - rows[0][1] < 3 * 3_600_000


@pytest.mark.parametrize(
    "wrong", [{"days": 0}, {"persons": 20}, {"illicit_per_million": -1}, {"persons": 10**7}]
)
def test_what_cannot_be_simulated_is_refused(wrong):
    with pytest.raises(Invalid):
        simulate(SMALL._replace(**wrong))
