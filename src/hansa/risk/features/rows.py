"""One payment's row of features, read from what is remembered before the payment itself."""

from __future__ import annotations

from hansa.risk.catalogue import RATIO_BITS
from hansa.risk.compiled import compiled_inside
from hansa.risk.features.catalogue import COLUMNS, RATIO_MAX
from hansa.risk.features.layout import (
    AMOUNT,
    COUNT,
    COUNTS,
    DAY_MS,
    DEVICE,
    DEVICES,
    FIRST,
    FRAUD_LAST,
    FRAUD_SURPRISE,
    FRAUDS,
    GENUINE_LAST,
    GENUINE_SUM,
    HOUR_MS,
    IN_LABELS,
    IN_WINDOW,
    LABELLED,
    LAST,
    MERCHANT,
    OTHERS,
    PAIR_BACK,
    PAYEE,
    PAYER,
    RUN,
    RUN_BEGAN,
    RUN_LEAST,
    SINCE,
    STARTS,
    SUM,
    SUMMED_MAX,
    TIME,
    TOP,
    UNTIL,
    WINDOWS,
    WITH_DEVICE,
    WITH_PAYEE,
    State,
    Whole,
)
from hansa.risk.features.relations import find_relation

# Columns of the row. Of what is told of several windows in turn, the loops below take the first.
AMOUNT_MINOR = COLUMNS["amount_minor"]
HOUR = COLUMNS["hour"]
WEEKDAY = COLUMNS["weekday"]
IS_NIGHT = COLUMNS["is_night"]
PAYER_COUNT_1H = COLUMNS["payer_count_1h"]
PAYER_DEVICES_1H = COLUMNS["payer_devices_1h"]
PAYER_MAX_1D_MINOR = COLUMNS["payer_max_1d_minor"]
PAYER_MAX_30D_MINOR = COLUMNS["payer_max_30d_minor"]
PAYEE_COUNT_1H = COLUMNS["payee_count_1h"]
PAIR_COUNT_1H = COLUMNS["pair_count_1h"]
DEVICE_COUNT_1H = COLUMNS["device_count_1h"]
MERCHANT_COUNT_1H = COLUMNS["merchant_count_1h"]
PAYER_AGE_MS = COLUMNS["payer_age_ms"]
PAYER_IDLE_MS = COLUMNS["payer_idle_ms"]
PAYEE_AGE_MS = COLUMNS["payee_age_ms"]
PAYEE_IDLE_MS = COLUMNS["payee_idle_ms"]
PAIR_AGE_MS = COLUMNS["pair_age_ms"]
PAIR_IDLE_MS = COLUMNS["pair_idle_ms"]
DEVICE_AGE_MS = COLUMNS["device_age_ms"]
MERCHANT_AGE_MS = COLUMNS["merchant_age_ms"]
IS_FIRST_OF_PAIR = COLUMNS["is_first_of_pair"]
IS_FIRST_OF_DEVICE = COLUMNS["is_first_of_device"]
AMOUNT_TO_PAYER_MEAN_7D = COLUMNS["amount_to_payer_mean_7d"]
AMOUNT_TO_PAYER_MEAN_30D = COLUMNS["amount_to_payer_mean_30d"]
AMOUNT_TO_PAYER_MAX_30D = COLUMNS["amount_to_payer_max_30d"]
AMOUNT_TO_PAYEE_MEAN_30D = COLUMNS["amount_to_payee_mean_30d"]
PAYEE_LABELLED_1D = COLUMNS["payee_labelled_1d"]
PAYEE_FRAUDS_1D = COLUMNS["payee_frauds_1d"]
PAYEE_FRAUD_RUN = COLUMNS["payee_fraud_run"]
PAYEE_FRAUD_RUN_AGE_MS = COLUMNS["payee_fraud_run_age_ms"]
PAYEE_FRAUD_AGE_MS = COLUMNS["payee_fraud_age_ms"]
PAYEE_GENUINE_AGE_MS = COLUMNS["payee_genuine_age_ms"]
PAYER_LABELLED_30D = COLUMNS["payer_labelled_30d"]
PAYER_FRAUDS_7D = COLUMNS["payer_frauds_7d"]
PAYER_FRAUDS_30D = COLUMNS["payer_frauds_30d"]
PAYER_FRAUD_AGE_MS = COLUMNS["payer_fraud_age_ms"]
MERCHANT_LABELLED_30D = COLUMNS["merchant_labelled_30d"]
MERCHANT_FRAUDS_30D = COLUMNS["merchant_frauds_30d"]
AMOUNT_TO_PAYER_GENUINE_30D = COLUMNS["amount_to_payer_genuine_30d"]
PAYER_MAX_1D_TO_GENUINE_30D = COLUMNS["payer_max_1d_to_genuine_30d"]
PAYEE_FRAUD_RUN_SURPRISE = COLUMNS["payee_fraud_run_surprise"]
PAYER_FRAUD_SURPRISE = COLUMNS["payer_fraud_surprise"]
_OF_DEVICE = (
    *(column for name, column in COLUMNS.items() if name.startswith("device_")),
    IS_FIRST_OF_DEVICE,
)
_OF_MERCHANT = tuple(column for name, column in COLUMNS.items() if name.startswith("merchant_"))
"""What is not known of a payment without a device, or without a merchant."""
# Behind a party's count in the shortest window stand those in the others, then as many sums, ...
_SUMS, _MEANS, _MAXES, _OTHERS = WINDOWS, 2 * WINDOWS, 3 * WINDOWS, 4 * WINDOWS
# Windows.
_1D, _7D, _30D = range(1, WINDOWS)
PAIR_MAX = 256
"""So many payments of a pair, the newest, are summed: one that has more costs no more."""
_NIGHT_ENDS = 7
_THURSDAY = 3  # 1 January 1970


@compiled_inside
def write_row(state: State, event: Whole, zone_offset_ms: int, row: Whole) -> None:
    """Fill a payment's row, in the order of the catalogue.

    Args:
      state: as of the payment's time, and without it.
      event: the payment, shape (`EVENT_COLUMNS`,).
      zone_offset_ms: what local time is ahead of UTC.
      row: shape (n_features,).
    """
    log, payers, payees, relations = state.log, state.payers, state.payees, state.relations
    now_ms, payer, payee = event[TIME], event[PAYER], event[PAYEE]
    local_ms = now_ms + zone_offset_ms
    row[AMOUNT_MINOR] = event[AMOUNT]
    row[HOUR] = local_ms // HOUR_MS % 24
    row[WEEKDAY] = (local_ms // DAY_MS + _THURSDAY) % 7
    row[IS_NIGHT] = row[HOUR] < _NIGHT_ENDS
    _write_party(payers, payer, log, row, PAYER_COUNT_1H)
    for window in range(WINDOWS):
        row[PAYER_DEVICES_1H + window] = payers[payer, DEVICES + window]
    _write_party(payees, payee, log, row, PAYEE_COUNT_1H)
    pair = find_relation(relations, state.slots, (WITH_PAYEE, payer, payee))
    _write_pair(state, pair, row)
    row[PAYER_AGE_MS] = _compute_age(now_ms, payers[payer, FIRST])
    row[PAYER_IDLE_MS] = _compute_age(now_ms, payers[payer, LAST])
    row[PAYEE_AGE_MS] = _compute_age(now_ms, payees[payee, FIRST])
    row[PAYEE_IDLE_MS] = _compute_age(now_ms, payees[payee, LAST])
    row[PAIR_AGE_MS] = -1 if pair < 0 else now_ms - relations[pair, SINCE]
    row[PAIR_IDLE_MS] = -1 if pair < 0 else now_ms - _get_time(log, relations[pair, UNTIL])
    row[IS_FIRST_OF_PAIR] = pair < 0
    amount = min(event[AMOUNT], SUMMED_MAX)
    row[AMOUNT_TO_PAYER_MEAN_7D] = _compute_ratio(amount, payers, payer, _7D)
    row[AMOUNT_TO_PAYER_MEAN_30D] = _compute_ratio(amount, payers, payer, _30D)
    row[AMOUNT_TO_PAYER_MAX_30D] = _divide(amount, row[PAYER_MAX_30D_MINOR])
    row[AMOUNT_TO_PAYEE_MEAN_30D] = _compute_ratio(amount, payees, payee, _30D)
    _write_verdicts(event, payers, payees, row)
    _write_device(state, event, row)
    _write_merchant(state.merchants, event, log, row)
    genuine, largest = _compute_genuine_mean(payers, payer), row[PAYER_MAX_1D_MINOR]
    row[AMOUNT_TO_PAYER_GENUINE_30D] = _divide(amount, genuine)
    row[PAYER_MAX_1D_TO_GENUINE_30D] = -1 if largest < 0 else _divide(largest, genuine)
    row[PAYEE_FRAUD_RUN_SURPRISE] = payees[payee, RUN_LEAST]
    row[PAYER_FRAUD_SURPRISE] = payers[payer, FRAUD_SURPRISE]


@compiled_inside
def read_surprise(row: Whole) -> int:
    """Read how large a payment is for its payer's habit; -1 where there is none.

    That is to the mean of what is known to be genuine, or else of all.
    """
    to_genuine = row[AMOUNT_TO_PAYER_GENUINE_30D]
    return int(row[AMOUNT_TO_PAYER_MEAN_30D] if to_genuine < 0 else to_genuine)


@compiled_inside
def _compute_genuine_mean(payers: Whole, payer: int) -> int:
    at = _30D * IN_LABELS
    count = payers[payer, LABELLED + at] - payers[payer, FRAUDS + at]
    return -1 if count == 0 else int(payers[payer, GENUINE_SUM + at] // count)


@compiled_inside
def _write_party(table: Whole, party: int, log: Whole, row: Whole, at: int) -> None:
    """Fill what a party did in each window, from the column of its first count on."""
    for window in range(WINDOWS):
        count = table[party, window * IN_WINDOW + COUNT]
        summed = table[party, window * IN_WINDOW + SUM]
        row[at + window] = count
        row[at + _SUMS + window] = summed
        row[at + _MEANS + window] = -1 if count == 0 else summed // count
        row[at + _MAXES + window] = _get_amount(log, table[party, TOP + window])
        row[at + _OTHERS + window] = table[party, window * IN_WINDOW + OTHERS]


@compiled_inside
def _write_pair(state: State, pair: int, row: Whole) -> None:
    """Fill what a pair did: its payments are linked, and mostly few."""
    clock, log, parties, relations = state.clock, state.log, state.parties, state.relations
    last, at = log.shape[0] - 1, PAIR_COUNT_1H
    for window in range(WINDOWS):
        row[at + window] = 0 if pair < 0 else relations[pair, COUNTS + window]
        row[at + _SUMS + window] = 0
        row[at + _MEANS + window] = row[at + _MAXES + window] = -1
    if pair < 0:
        return
    number, walked, window = relations[pair, UNTIL], 0, 0
    summed, largest = 0, -1
    while window < WINDOWS:
        is_over = walked == PAIR_MAX or number < clock[STARTS + window]
        if is_over:
            row[at + _SUMS + window] = summed
            row[at + _MAXES + window] = largest
            row[at + _MEANS + window] = -1 if walked == 0 else summed // walked
            window += 1
        else:
            amount = log[number & last, 1]
            summed += amount
            largest = max(largest, amount)
            walked += 1
            back = parties[number & last, PAIR_BACK]
            number = number - back if back > 0 else -1


@compiled_inside
def _get_amount(log: Whole, number: int) -> int:
    return -1 if number < 0 else int(log[number & (log.shape[0] - 1), 1])


@compiled_inside
def _get_time(log: Whole, number: int) -> int:
    return int(log[number & (log.shape[0] - 1), 0])


@compiled_inside
def _write_device(state: State, event: Whole, row: Whole) -> None:
    device = event[DEVICE]
    if device < 0:
        for column in _OF_DEVICE:
            row[column] = -1
        return
    devices = state.devices
    _write_party(devices, device, state.log, row, DEVICE_COUNT_1H)
    row[DEVICE_AGE_MS] = _compute_age(event[TIME], devices[device, FIRST])
    between = (WITH_DEVICE, event[PAYER], device)
    row[IS_FIRST_OF_DEVICE] = find_relation(state.relations, state.slots, between) < 0


@compiled_inside
def _write_merchant(merchants: Whole, event: Whole, log: Whole, row: Whole) -> None:
    merchant = event[MERCHANT]
    if merchant < 0:
        for column in _OF_MERCHANT:
            row[column] = -1
        return
    _write_party(merchants, merchant, log, row, MERCHANT_COUNT_1H)
    row[MERCHANT_AGE_MS] = _compute_age(event[TIME], merchants[merchant, FIRST])
    row[MERCHANT_LABELLED_30D] = merchants[merchant, LABELLED + _30D * IN_LABELS]
    row[MERCHANT_FRAUDS_30D] = merchants[merchant, FRAUDS + _30D * IN_LABELS]


@compiled_inside
def _compute_age(now_ms: int, since_ms: int) -> int:
    return -1 if since_ms < 0 else now_ms - since_ms


@compiled_inside
def _compute_ratio(amount: int, table: Whole, party: int, window: int) -> int:
    """Divide an amount by a mean, which is rounded down."""
    count = table[party, window * IN_WINDOW + COUNT]
    return -1 if count == 0 else _divide(amount, table[party, window * IN_WINDOW + SUM] // count)


@compiled_inside
def _divide(amount: int, by: int) -> int:
    return -1 if by < 0 else min((amount << RATIO_BITS) // max(by, 1), RATIO_MAX)


@compiled_inside
def _write_verdicts(event: Whole, payers: Whole, payees: Whole, row: Whole) -> None:
    now_ms, payer, payee = event[TIME], event[PAYER], event[PAYEE]
    for place in range(3):
        row[PAYEE_LABELLED_1D + place] = payees[payee, LABELLED + (_1D + place) * IN_LABELS]
        row[PAYEE_FRAUDS_1D + place] = payees[payee, FRAUDS + (_1D + place) * IN_LABELS]
    row[PAYEE_FRAUD_RUN] = payees[payee, RUN]
    row[PAYEE_FRAUD_RUN_AGE_MS] = _compute_age(now_ms, payees[payee, RUN_BEGAN])
    row[PAYEE_FRAUD_AGE_MS] = _compute_age(now_ms, payees[payee, FRAUD_LAST])
    row[PAYEE_GENUINE_AGE_MS] = _compute_age(now_ms, payees[payee, GENUINE_LAST])
    row[PAYER_LABELLED_30D] = payers[payer, LABELLED + _30D * IN_LABELS]
    row[PAYER_FRAUDS_7D] = payers[payer, FRAUDS + _7D * IN_LABELS]
    row[PAYER_FRAUDS_30D] = payers[payer, FRAUDS + _30D * IN_LABELS]
    row[PAYER_FRAUD_AGE_MS] = _compute_age(now_ms, payers[payer, FRAUD_LAST])
