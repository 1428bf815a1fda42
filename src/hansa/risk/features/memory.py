"""Features kept by an operator: events in, rows out, and bytes to start from again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.risk.arrays import double, lengthen, read_arrays, write_arrays
from hansa.risk.events import Label, Payment
from hansa.risk.features.catalogue import CATALOGUE_ID, NAMES
from hansa.risk.features.layout import (
    AMOUNT_MAX,
    ATTEMPT,
    DAY_MS,
    DEVICE,
    EVENT_COLUMNS,
    FIRST_KEPT,
    KEPT,
    KEPT_MS,
    KIND,
    LABEL,
    LABEL_STARTS,
    LABELS,
    LATE,
    LOG_MAX,
    MERCHANT,
    NEXT,
    NOW,
    NUMBER,
    PARTY_MAX,
    PAYEE,
    PAYER,
    PAYMENT,
    RELATION_COLUMNS,
    RELATIONS,
    RINGS_MIN,
    TICK,
    TIME,
    TRIED,
    VERSION,
    WINDOWS,
    Small,
    State,
    Whole,
    make_parties,
    make_state,
)
from hansa.risk.features.loop import Finding, run
from hansa.risk.features.relations import place_relations

N = TypeVar("N", np.int32, np.int64)

_STAMP = f"parties {VERSION} {CATALOGUE_ID}"

_AGAINST = {
    Finding.CLOCK_WENT_BACK: "is older than the event before it: the clock went back",
    Finding.PAYMENT_AGAIN: "is a payment that was taken in before",
    Finding.PAYMENT_MISSING: "is a payment whose number is not the next",
    Finding.LABEL_BEFORE_PAYMENT: "is a label of a payment that was not yet taken in",
    Finding.OUT_OF_RANGE: (
        f"holds a number out of range: parties up to {PARTY_MAX}, amounts up to {AMOUNT_MAX}"
    ),
}


class Features:
    """What a node remembers of payments, and the one loop that describes them.

    A payment is described before it is remembered, as of its own time: windows hold what is
    younger than they are long, to the millisecond, and labels what was told before it in the order
    of events. Of labels a window holds those that were *told* in it, whenever their payment was.
    """

    def __init__(self, *, zone_offset_ms: int = 0, kept_ms: int = KEPT_MS) -> None:
        """Remember nothing yet.

        Args:
          zone_offset_ms: what local time is ahead of UTC: for hour, weekday and night.
          kept_ms: how long a payment may wait for its label, 30 days or more.
        """
        self.zone_offset_ms = zone_offset_ms
        self.state = make_state(kept_ms)

    @property
    def next_number(self) -> int:
        """The number that the next payment has to have."""
        return int(self.state.clock[NEXT])

    @property
    def now_ms(self) -> int:
        """The time of the last event."""
        return int(self.state.clock[NOW])

    @property
    def labels_too_late(self) -> int:
        """How many labels came after their payment was forgotten, and so changed nothing."""
        return int(self.state.clock[LATE])

    @property
    def size_bytes(self) -> int:
        """How much memory is taken."""
        return sum(array.nbytes for array in self.state)

    def take(self, events: Whole) -> Whole:
        """Describe and remember events in their recorded order: all of them, or none.

        Args:
          events: shape (n, `EVENT_COLUMNS`), as `write_events` lays them out.

        Returns:
          Of each payment, remembered or not, its row, shape (n_payments, n_features), in the order
          of the catalogue.

        Raises:
          Invalid: an event is older than the one before it, there twice, not the next, or a label
            before its payment; nothing was remembered.
          Unavailable: more payments than a node can remember.
        """
        rows = np.empty((len(events), len(NAMES)), np.int64)
        finding, place = run(tuple(self.state), events, self.zone_offset_ms, rows)
        if finding == Finding.NO_ROOM:
            run(tuple(self.state), write_passing(events), self.zone_offset_ms, rows)
            self.make_room(events)
            finding, place = run(tuple(self.state), events, self.zone_offset_ms, rows)
        if finding != Finding.NOTHING:
            raise build_refusal(events, finding, place)
        return rows[:place]

    def make_room(self, events: Whole) -> None:
        """Make room for events, of which time has come to the first.

        Raises:
          Unavailable: more payments than a node can remember.
        """
        self.state = grow(self.state, events)

    def save(self) -> bytes:
        """Write what is remembered as bytes: the same, in whatever blocks events were taken in."""
        state = shrink(self.state)
        return write_arrays(_STAMP, zone_offset_ms=self.zone_offset_ms, **state._asdict())


def load(kept: bytes) -> Features:
    """Read back what `Features.save` wrote: it goes on as if it had never stopped.

    Raises:
      Corrupt: these are not its bytes, or those of another version.
    """
    arrays = read_arrays(kept, _STAMP, "the parties of payments")
    features = Features(zone_offset_ms=int(arrays.pop("zone_offset_ms")))
    features.state = State(**arrays)
    return features


def build_refusal(events: Whole, finding: int, place: int) -> Invalid:
    """Build the error that says what stands against the event at a place."""
    event = events[place]
    return Invalid(
        InvalidCode.ARGUMENTS,
        f"event {place}, of payment {event[NUMBER]} at {event[TIME]} ms,"
        f" {_AGAINST[Finding(finding)]}",
        finding=Finding(finding).name,
        place=place,
    )


def write_passing(events: Whole) -> Whole:
    """Write that time comes to the first of these: what grows too old by then makes room."""
    return write_events([int(events[0, TIME])])


def write_events(events: Sequence[Payment | Label | int]) -> Whole:
    """Lay events out as rows, in their order; a number stands for time that passed, in ms."""
    rows = [_lay_out(event) for event in events]
    return np.array(rows, np.int64).reshape(-1, EVENT_COLUMNS)


def _lay_out(event: Payment | Label | int) -> tuple[int, ...]:
    if isinstance(event, Payment):
        *paid, is_attempt = event
        return (ATTEMPT if is_attempt else PAYMENT), *paid, -1, -1
    if isinstance(event, Label):
        return LABEL, event.number, event.time_ms, event.is_fraud, -1, -1, -1, -1, -1, -1, -1
    return TICK, -1, event, -1, -1, -1, -1, -1, -1, -1, -1


def grow(state: State, events: Whole) -> State:
    """Make room for events, by doubling what is too small.

    Args:
      state: is not changed, and shares with the result what did not grow.
      events: shape (n, `EVENT_COLUMNS`).

    Raises:
      Unavailable: the log would hold more than 2**29 payments.
    """
    clock = state.clock
    kinds = events[:, KIND]
    payments = events[(kinds != LABEL) & (kinds != TICK)]
    log = int(clock[NEXT] - clock[FIRST_KEPT]) + len(payments)
    if log > LOG_MAX:
        raise Unavailable(
            f"features remember at most {LOG_MAX} payments of the last"
            f" {clock[KEPT] // DAY_MS} days: divide the wallets among several operators' nodes"
        )
    told = int((kinds == LABEL).sum() + (payments[:, TRIED] >= 0).sum())
    labels = int(clock[LABELS] - clock[LABEL_STARTS + WINDOWS - 1]) + told
    relations = int(clock[RELATIONS]) + 3 * len(payments)
    grown = state._replace(
        log=_grow_ring(state.log, log, clock[NEXT]),
        parties=_grow_ring(state.parties, log, clock[NEXT]),
        labels=_grow_ring(state.labels, labels, clock[LABELS]),
        payers=_grow_parties(state.payers, payments[:, PAYER]),
        payees=_grow_parties(state.payees, payments[:, PAYEE]),
        devices=_grow_parties(state.devices, payments[:, DEVICE]),
        merchants=_grow_parties(state.merchants, payments[:, MERCHANT]),
    )
    if relations > len(state.relations):
        more = lengthen(
            state.relations, relations, lambda rows: np.zeros((rows, RELATION_COLUMNS), np.int64)
        )
        grown = grown._replace(relations=more, slots=_place(more, int(clock[RELATIONS])))
    return grown


def shrink(state: State) -> State:
    """Give up the room for events that came together, and what stands in it of others long gone."""
    clock = state.clock
    begin, end = int(clock[FIRST_KEPT]), int(clock[NEXT])
    first_label, labels = int(clock[LABEL_STARTS + WINDOWS - 1]), int(clock[LABELS])
    count = int(clock[RELATIONS])
    relations = np.zeros((double(RINGS_MIN, count), RELATION_COLUMNS), np.int64)
    relations[:count] = state.relations[:count]
    return state._replace(
        log=_copy_ring(state.log, begin, end, RINGS_MIN),
        parties=_copy_ring(state.parties, begin, end, RINGS_MIN),
        labels=_copy_ring(state.labels, first_label, labels, RINGS_MIN),
        relations=relations,
        slots=_place(relations, count),
    )


def _place(relations: Whole, count: int) -> Small:
    """Find places for relations by their keys; a quarter of them at most are taken."""
    slots = np.full(4 * len(relations), -1, np.int32)
    place_relations(relations, count, slots)
    return slots


def _grow_ring(ring: npt.NDArray[N], needed: int, end: int) -> npt.NDArray[N]:
    if needed <= len(ring):
        return ring
    return _copy_ring(ring, max(0, end - len(ring)), end, double(len(ring), needed))


def _copy_ring(ring: npt.NDArray[N], begin: int, end: int, least: int) -> npt.NDArray[N]:
    """Copy a range of a ring into one of a length of its own, which is no less than that."""
    copy = np.zeros((double(least, end - begin), ring.shape[1]), ring.dtype)
    numbers = np.arange(begin, end)
    copy[numbers % len(copy)] = ring[numbers % len(ring)]
    return copy


def _grow_parties(table: Whole, numbers: Whole) -> Whole:
    needed = int(numbers.max(initial=-1)) + 1
    return lengthen(table, needed, lambda rows: make_parties(rows, table.shape[1]))
