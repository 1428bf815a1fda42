"""How payments and labels enter what is remembered, and leave their windows.

Windows are kept for all parties at once: a payment leaves each of them at the moment in which it
grows too old, whether or not its parties pay again. So what a table says is exact at any time.

A function that takes the whole state takes apart what it needs and loops inside: the compiled
program counts references to each array that is handed on, which costs more than the work.
"""

from __future__ import annotations

from hansa.risk.compiled import compiled_inside
from hansa.risk.features.layout import (
    AHEAD,
    BACK,
    COUNT,
    COUNTS,
    DEVICES,
    FIRST,
    FIRST_KEPT,
    FRAUD_LAST,
    FRAUD_SURPRISE,
    FRAUDS,
    GENUINE_LAST,
    GENUINE_SUM,
    IN_LABELS,
    IN_WINDOW,
    KEPT,
    LABEL_FRAUD,
    LABEL_GENUINE_SUM,
    LABEL_MERCHANT,
    LABEL_PAYEE,
    LABEL_PAYER,
    LABEL_STARTS,
    LABEL_TIME,
    LABELLED,
    LABELS,
    LAST,
    LATE,
    LOG_DEVICE,
    LOG_MERCHANT,
    LOG_PAYEE,
    LOG_PAYER,
    LOG_RELATIONS,
    MADE_AHEAD,
    NEWEST,
    NEXT,
    NOW,
    OTHERS,
    PAIR_BACK,
    RUN,
    RUN_BEGAN,
    RUN_LEAST,
    STARTS,
    SUM,
    SURPRISE,
    SURPRISE_MAX,
    TOP,
    UNTIL,
    VERDICT,
    WINDOWS,
    WINDOWS_MS,
    WITH_DEVICE,
    WITH_MERCHANT,
    WITH_PAYEE,
    Small,
    State,
    Whole,
)
from hansa.risk.features.relations import find_or_relate, forget_relation


@compiled_inside
def settle(state: State, now_ms: int) -> None:
    """Let time pass: what has grown too old leaves its windows, and in the end the log."""
    clock, log, parties, relations = state.clock, state.log, state.parties, state.relations
    payers, payees = state.payers, state.payees
    devices, merchants = state.devices, state.merchants
    in_log = log.shape[0] - 1
    clock[NOW] = now_ms
    for window in range(WINDOWS):
        horizon = now_ms - WINDOWS_MS[window]
        others = window * IN_WINDOW + OTHERS
        number = clock[STARTS + window]
        while number < clock[NEXT] and log[number & in_log, 0] <= horizon:
            place = number & in_log
            amount = log[place, 1]
            payer = parties[place, LOG_PAYER]
            if payer < 0:  # an attempt is in no window
                number += 1
                continue
            _leave(payers, payer, window, (number, amount, parties[place, AHEAD + LOG_PAYER]))
            payee = parties[place, LOG_PAYEE]
            _leave(payees, payee, window, (number, amount, parties[place, AHEAD + LOG_PAYEE]))
            is_last = _count_relation(relations, parties[place, LOG_RELATIONS], window)
            payees[payee, others] -= is_last
            payers[payer, others] -= is_last
            device = parties[place, LOG_DEVICE]
            if device >= 0:
                ahead = parties[place, AHEAD + LOG_DEVICE]
                _leave(devices, device, window, (number, amount, ahead))
                is_last = _count_relation(relations, parties[place, LOG_RELATIONS + 1], window)
                devices[device, others] -= is_last
                payers[payer, DEVICES + window] -= is_last
            merchant = parties[place, LOG_MERCHANT]
            if merchant >= 0:
                ahead = parties[place, AHEAD + LOG_MERCHANT]
                _leave(merchants, merchant, window, (number, amount, ahead))
                is_last = _count_relation(relations, parties[place, LOG_RELATIONS + 2], window)
                merchants[merchant, others] -= is_last
            number += 1
        clock[STARTS + window] = number
    _settle_labels(state, now_ms)
    if clock[FIRST_KEPT] < clock[NEXT]:
        _forget(clock, log, parties, relations, state.slots)


@compiled_inside
def _count(table: Whole, party: int, window: int, step: int, amount: int) -> None:
    table[party, window * IN_WINDOW + COUNT] += step
    table[party, window * IN_WINDOW + SUM] += amount


@compiled_inside
def _leave(table: Whole, party: int, window: int, paid: tuple[int, int, int]) -> None:
    """Take a payment out of a window: its number, amount, and how far ahead the next smaller is."""
    number, amount, ahead = paid
    _count(table, party, window, -1, -amount)
    if table[party, TOP + window] == number:
        table[party, TOP + window] = number + ahead if ahead > 0 else -1


@compiled_inside
def _count_relation(relations: Whole, row: int, window: int) -> int:
    """Take one payment out of a relation, and say 1 where it was the window's last."""
    relations[row, COUNTS + window] -= 1
    return int(relations[row, COUNTS + window] == 0)


@compiled_inside
def _settle_labels(state: State, now_ms: int) -> None:
    clock, labels = state.clock, state.labels
    payers, payees, merchants = state.payers, state.payees, state.merchants
    last = labels.shape[0] - 1
    for window in range(WINDOWS):
        horizon = now_ms - WINDOWS_MS[window]
        number = clock[LABEL_STARTS + window]
        while number < clock[LABELS] and labels[number & last, LABEL_TIME] <= horizon:
            place = number & last
            counted = (-1, -labels[place, LABEL_FRAUD], -labels[place, LABEL_GENUINE_SUM])
            _count_label(payers, labels[place, LABEL_PAYER], window, counted)
            _count_label(payees, labels[place, LABEL_PAYEE], window, counted)
            _count_label(merchants, labels[place, LABEL_MERCHANT], window, counted)
            number += 1
        clock[LABEL_STARTS + window] = number


@compiled_inside
def _count_label(table: Whole, party: int, window: int, counted: tuple[int, int, int]) -> None:
    if party >= 0:
        labelled, frauds, genuine_sum = counted
        table[party, window * IN_LABELS + LABELLED] += labelled
        table[party, window * IN_LABELS + FRAUDS] += frauds
        table[party, window * IN_LABELS + GENUINE_SUM] += genuine_sum


@compiled_inside
def _forget(clock: Whole, log: Whole, parties: Small, relations: Whole, slots: Small) -> None:
    horizon = clock[NOW] - clock[KEPT]
    last = log.shape[0] - 1
    number = clock[FIRST_KEPT]
    while number < clock[NEXT] and log[number & last, 0] <= horizon:
        for kind in range(3):
            row = parties[number & last, LOG_RELATIONS + kind]
            if row >= 0 and relations[row, UNTIL] == number:
                forget_relation(clock, relations, slots, row)
        number += 1
    clock[FIRST_KEPT] = number


@compiled_inside
def enter(state: State, now_ms: int, who: tuple[int, int, int, int], what: tuple[int, int]) -> None:
    """Remember a payment, of which time has come: all windows are as of now.

    Args:
      state: in which there is room.
      now_ms: of the payment.
      who: payer, payee, device and merchant; -1 is nobody, of the last two.
      what: the amount as it counts in sums, and how large it is for the payer's habit.
    """
    clock, log, parties, relations = state.clock, state.log, state.parties, state.relations
    payers, slots = state.payers, state.slots
    payer, payee, device, merchant = who
    amount, surprise = what
    number = clock[NEXT]
    place = number & (log.shape[0] - 1)
    log[place, 0] = now_ms
    log[place, 1] = amount
    parties[place, LOG_PAYER] = payer
    parties[place, LOG_PAYEE] = payee
    parties[place, LOG_DEVICE] = device
    parties[place, LOG_MERCHANT] = merchant
    for column in range(LOG_RELATIONS + 1, VERDICT + 1):
        parties[place, column] = 0
    parties[place, LOG_RELATIONS + 1] = -1
    parties[place, LOG_RELATIONS + 2] = -1
    parties[place, SURPRISE] = min(surprise, SURPRISE_MAX)
    _meet(payers, payer, now_ms, amount)
    _meet(state.payees, payee, now_ms, amount)
    row = find_or_relate(clock, relations, slots, (WITH_PAYEE, payer, payee))
    parties[place, LOG_RELATIONS] = row
    if relations[row, UNTIL] >= 0:
        parties[place, PAIR_BACK] = number - relations[row, UNTIL]
    _count_others(state.payees, payee, relations, row, number)
    _count_own(payers, payer, relations, row, OTHERS, IN_WINDOW)
    if device >= 0:
        _meet(state.devices, device, now_ms, amount)
        row = find_or_relate(clock, relations, slots, (WITH_DEVICE, payer, device))
        parties[place, LOG_RELATIONS + 1] = row
        _count_others(state.devices, device, relations, row, number)
        _count_own(payers, payer, relations, row, DEVICES, 1)
        _rank(clock, log, parties, state.devices, LOG_DEVICE)
    if merchant >= 0:
        _meet(state.merchants, merchant, now_ms, amount)
        row = find_or_relate(clock, relations, slots, (WITH_MERCHANT, payer, merchant))
        parties[place, LOG_RELATIONS + 2] = row
        _count_others(state.merchants, merchant, relations, row, number)
        _rank(clock, log, parties, state.merchants, LOG_MERCHANT)
    _rank(clock, log, parties, payers, LOG_PAYER)
    _rank(clock, log, parties, state.payees, LOG_PAYEE)
    clock[NEXT] = number + 1


@compiled_inside
def pass_over(clock: Whole, log: Whole, parties: Small) -> None:
    """Give an attempt its number, of which time has come, and remember nothing else of it."""
    place = clock[NEXT] & (log.shape[0] - 1)
    log[place, 0] = clock[NOW]
    log[place, 1] = 0
    for column in range(parties.shape[1]):
        parties[place, column] = 0
    for column in range(LOG_RELATIONS + 3):
        parties[place, column] = -1
    clock[NEXT] += 1


@compiled_inside
def become(state: State, attempt: int) -> None:
    """Have the payment that was just entered answer for an attempt of before: for its label, too.

    Args:
      state: of which the last payment is that one.
      attempt: the number of the attempt; -1 is none.
    """
    clock, parties = state.clock, state.parties
    if attempt < clock[FIRST_KEPT]:
        return
    at = attempt & (parties.shape[0] - 1)
    if parties[at, LOG_PAYER] >= 0:
        return
    parties[at, MADE_AHEAD] = clock[NEXT] - 1 - attempt
    if parties[at, VERDICT] > 0:
        learn(state, clock[NEXT] - 1, parties[at, VERDICT] - 1)


@compiled_inside
def _meet(table: Whole, party: int, now_ms: int, amount: int) -> None:
    for window in range(WINDOWS):
        _count(table, party, window, 1, amount)
    if table[party, FIRST] < 0:
        table[party, FIRST] = now_ms
    table[party, LAST] = now_ms


@compiled_inside
def _count_others(table: Whole, party: int, relations: Whole, row: int, number: int) -> None:
    """Count a payment in its relation, and the payer where it is the window's first."""
    for window in range(WINDOWS):
        relations[row, COUNTS + window] += 1
        table[party, window * IN_WINDOW + OTHERS] += relations[row, COUNTS + window] == 1
    relations[row, UNTIL] = number


@compiled_inside
def _count_own(
    payers: Whole, payer: int, relations: Whole, row: int, column: int, step: int
) -> None:
    """Count a payee or device of the payer, after its relation counted the payment."""
    for window in range(WINDOWS):
        payers[payer, column + window * step] += relations[row, COUNTS + window] == 1


@compiled_inside
def _rank(clock: Whole, log: Whole, parties: Small, table: Whole, kind: int) -> None:
    """Keep a party's payments that no later one of the window exceeds, from large to small.

    Each is linked with the next larger before it and the next smaller after it; whichever is first
    of a window is its largest. Each is taken out once, so that a payment costs two steps at most on
    the average.
    """
    last = log.shape[0] - 1
    number, oldest = clock[NEXT], clock[STARTS + WINDOWS - 1]
    place = number & last
    party, amount = parties[place, kind], log[place, 1]
    before = table[party, NEWEST]
    while before >= oldest and log[before & last, 1] <= amount:
        back = parties[before & last, BACK + kind]
        before = before - back if back > 0 else -1
    if before >= oldest:
        parties[place, BACK + kind] = number - before
        parties[before & last, AHEAD + kind] = number - before
    table[party, NEWEST] = number
    for window in range(WINDOWS):
        top = table[party, TOP + window]
        if top < 0 or log[top & last, 1] <= amount:
            table[party, TOP + window] = number


@compiled_inside
def learn(state: State, number: int, is_fraud: int) -> None:
    """Remember what became of a payment before `NEXT`, as of now.

    What is known already changes nothing. Another verdict than before counts beside the first. That
    of an attempt is of the payment that it became, if it did.
    """
    clock, labels, parties = state.clock, state.labels, state.parties
    payers, payees, merchants = state.payers, state.payees, state.merchants
    if number < clock[FIRST_KEPT]:
        clock[LATE] += 1
        return
    at = number & (parties.shape[0] - 1)
    if parties[at, VERDICT] == 1 + is_fraud:
        return
    parties[at, VERDICT] = 1 + is_fraud
    if parties[at, LOG_PAYER] < 0:
        if parties[at, MADE_AHEAD] == 0:
            return
        at = (number + parties[at, MADE_AHEAD]) & (parties.shape[0] - 1)
        if parties[at, VERDICT] == 1 + is_fraud:
            return
        parties[at, VERDICT] = 1 + is_fraud
    payer, payee = parties[at, LOG_PAYER], parties[at, LOG_PAYEE]
    merchant = parties[at, LOG_MERCHANT]
    place = clock[LABELS] & (labels.shape[0] - 1)
    labels[place, LABEL_TIME] = clock[NOW]
    labels[place, LABEL_PAYER] = payer
    labels[place, LABEL_PAYEE] = payee
    labels[place, LABEL_MERCHANT] = merchant
    labels[place, LABEL_FRAUD] = is_fraud
    labels[place, LABEL_GENUINE_SUM] = 0 if is_fraud else state.log[at, 1]
    counted = (1, is_fraud, labels[place, LABEL_GENUINE_SUM])
    clock[LABELS] += 1
    for window in range(WINDOWS):
        _count_label(payers, payer, window, counted)
        _count_label(payees, payee, window, counted)
        _count_label(merchants, merchant, window, counted)
    paid_ms, surprise = state.log[at, 0], int(parties[at, SURPRISE])
    _note(payers, payer, paid_ms, surprise, is_fraud)
    _note(payees, payee, paid_ms, surprise, is_fraud)
    if merchant >= 0:
        _note(merchants, merchant, paid_ms, surprise, is_fraud)


@compiled_inside
def _note(table: Whole, party: int, paid_ms: int, surprise: int, is_fraud: int) -> None:
    """Note the newest payments of which it is known, and the run of frauds that lasts."""
    if is_fraud:
        if table[party, RUN] == 0:
            table[party, RUN_BEGAN] = paid_ms
            table[party, RUN_LEAST] = surprise
        table[party, RUN] += 1
        table[party, RUN_LEAST] = min(table[party, RUN_LEAST], surprise)
        table[party, FRAUD_SURPRISE] = surprise
        table[party, FRAUD_LAST] = max(table[party, FRAUD_LAST], paid_ms)
    else:
        table[party, GENUINE_LAST] = max(table[party, GENUINE_LAST], paid_ms)
        if paid_ms >= table[party, FRAUD_LAST]:
            table[party, RUN] = 0
            table[party, RUN_BEGAN] = -1
            table[party, RUN_LEAST] = -1
