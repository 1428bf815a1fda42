"""The loop over events: one online, or many in replay, to the bit alike."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from hansa.risk.compiled import compiled, compiled_inside
from hansa.risk.features.layout import (
    AMOUNT,
    AMOUNT_MAX,
    ATTEMPT,
    DEVICE,
    FIRST_KEPT,
    IS_FRAUD,
    KIND,
    LABEL,
    LABEL_STARTS,
    LABELS,
    MERCHANT,
    NEXT,
    NOW,
    NUMBER,
    PARTY_MAX,
    PAYEE,
    PAYER,
    PAYMENT,
    RELATIONS,
    SUMMED_MAX,
    TICK,
    TIME,
    TIME_MAX_MS,
    TRIED,
    WINDOWS,
    State,
    Whole,
)
from hansa.risk.features.rows import read_surprise, write_row
from hansa.risk.features.windows import become, enter, learn, pass_over, settle


class Finding(IntEnum):
    """What stands against a block of events: the first that does."""

    NOTHING = 0
    NO_ROOM = 1
    CLOCK_WENT_BACK = 2
    PAYMENT_AGAIN = 3
    PAYMENT_MISSING = 4
    LABEL_BEFORE_PAYMENT = 5
    OUT_OF_RANGE = 6


_NOTHING, _NO_ROOM, _BACK, _AGAIN, _MISSING, _EARLY, _RANGE = (int(found) for found in Finding)


@compiled
def run(
    parties: tuple[Any, ...], events: Whole, zone_offset_ms: int, rows: Whole
) -> tuple[int, int]:
    """Describe and remember events in their order, or none of them.

    Args:
      parties: a `State` as a plain tuple; its parts are changed, unless something stands against
        the events.
      events: shape (n, `EVENT_COLUMNS`).
      zone_offset_ms: what local time is ahead of UTC.
      rows: shape (n, n_features); filled from the first on, each before its payment is remembered,
        if it is.

    Returns:
      What stands against them, as in `Finding`, and the place of that event; if nothing does, how
      many rows were filled.
    """
    state = State(*parties)
    finding, place = check(state, events, ATTEMPT)
    if finding != _NOTHING:
        return finding, place
    described = 0
    for place in range(events.shape[0]):
        event = events[place]
        if begin_event(state, event):
            row = rows[described]
            described += 1
            write_row(state, event, zone_offset_ms, row)
            remember(state, event, row)
    return _NOTHING, described


@compiled_inside
def begin_event(state: State, event: Whole) -> bool:
    """Let time come to an event, learn what it tells, and say whether it is a payment."""
    settle(state, event[TIME])
    if event[KIND] == LABEL:
        learn(state, event[NUMBER], event[IS_FRAUD])
    return is_payment(event[KIND])


@compiled_inside
def is_payment(kind: int) -> bool:
    """Whether an event of this kind gets a number and a row."""
    return kind != LABEL and kind != TICK  # noqa: PLR1714 - a set is slow where it is compiled


@compiled_inside
def remember(state: State, event: Whole, row: Whole) -> None:
    """Remember a payment that was described, if it is made, or its number, if it is an attempt."""
    if event[KIND] == PAYMENT:
        who = (event[PAYER], event[PAYEE], event[DEVICE], event[MERCHANT])
        enter(state, event[TIME], who, (min(event[AMOUNT], SUMMED_MAX), read_surprise(row)))
        become(state, event[TRIED])
    else:
        pass_over(state.clock, state.log, state.parties)


@compiled_inside
def check(state: State, events: Whole, kind_last: int) -> tuple[int, int]:
    """Find what stands against events, as `run` tells it; of kinds up to one."""
    now_ms, number = state.clock[NOW], state.clock[NEXT]
    has_room, told = True, 0
    for place in range(events.shape[0]):
        event = events[place]
        finding = _check_event(event, now_ms, number, kind_last)
        if finding != _NOTHING:
            return finding, place
        now_ms = event[TIME]
        told += event[KIND] == LABEL or (event[KIND] != TICK and event[TRIED] >= 0)
        if is_payment(event[KIND]):
            number += 1
            has_room = has_room and (
                event[PAYER] < state.payers.shape[0]
                and event[PAYEE] < state.payees.shape[0]
                and event[DEVICE] < state.devices.shape[0]
                and event[MERCHANT] < state.merchants.shape[0]
            )
    clock = state.clock
    payments = number - clock[NEXT]
    has_room = has_room and (
        number - clock[FIRST_KEPT] <= state.log.shape[0]
        and clock[RELATIONS] + 3 * payments <= state.relations.shape[0]
        and clock[LABELS] - clock[LABEL_STARTS + WINDOWS - 1] + told <= state.labels.shape[0]
    )
    return (_NOTHING if has_room else _NO_ROOM), 0


@compiled_inside
def _check_event(event: Whole, now_ms: int, number: int, kind_last: int) -> int:
    kind = event[KIND]
    if event[TIME] < now_ms:
        return _BACK
    if event[TIME] > TIME_MAX_MS or kind < PAYMENT or kind > kind_last:
        return _RANGE
    if kind == LABEL:
        if event[NUMBER] >= number:
            return _EARLY
        is_verdict = event[IS_FRAUD] == 0 or event[IS_FRAUD] == 1
        return _NOTHING if is_verdict and event[NUMBER] >= 0 else _RANGE
    if kind == TICK:
        return _NOTHING
    if event[NUMBER] != number:
        return _AGAIN if event[NUMBER] < number else _MISSING
    is_known = event[PAYER] >= 0 and event[PAYEE] >= 0 and event[DEVICE] >= -1
    is_known = is_known and event[MERCHANT] >= -1 and 0 <= event[AMOUNT] <= AMOUNT_MAX
    is_known = is_known and -1 <= event[TRIED] < number
    for party in (event[PAYER], event[PAYEE], event[DEVICE], event[MERCHANT]):
        is_known = is_known and party <= PARTY_MAX
    return _NOTHING if is_known else _RANGE
