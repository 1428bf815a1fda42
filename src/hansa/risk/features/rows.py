"""One payment's row of features, read from what is remembered before the payment itself."""

from __future__ import annotations

from hansa.risk.compiled import compiled_inside
from hansa.risk.features.catalogue import RATIO_BITS, RATIO_MAX
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
    PAYEE,
    PAYER,
    RUN,
    RUN_BEGAN,
    RUN_LEAST,
    SINCE,
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

_HOUR, _DAY, _WEEK, _MONTH = range(WINDOWS)
_NIGHT_ENDS = 7
_THURSDAY = 3  # 1 January 1970


@compiled_inside
def write_row(state: State, event: Whole, zone_offset_ms: int, row: Whole) -> int:
    """Fill a payment's row, in the order of the catalogue.

    Args:
      state: as of the payment's time, and without it.
      event: the payment, shape (`EVENT_COLUMNS`,).
      zone_offset_ms: what local time is ahead of UTC.
      row: shape (n_features,).

    Returns:
      How large the payment is for the payer's habit: to the mean of what is known to be genuine, or
      else of all; -1 where there is none.
    """
    log, payers, payees, relations = state.log, state.payers, state.payees, state.relations
    now_ms, payer, payee = event[TIME], event[PAYER], event[PAYEE]
    local_ms = now_ms + zone_offset_ms
    row[0] = event[AMOUNT]
    row[1] = local_ms // HOUR_MS % 24
    row[2] = (local_ms // DAY_MS + _THURSDAY) % 7
    row[3] = row[1] < _NIGHT_ENDS
    _write_payer(payers, payer, log, row)
    _write_payee(payees, payee, row)
    pair = find_relation(relations, state.slots, (WITH_PAYEE, payer, payee))
    row[26] = 0 if pair < 0 else relations[pair, COUNTS + _DAY]
    row[27] = 0 if pair < 0 else relations[pair, COUNTS + _MONTH]
    row[35] = _compute_age(now_ms, payers[payer, FIRST])
    row[36] = _compute_age(now_ms, payers[payer, LAST])
    row[37] = _compute_age(now_ms, payees[payee, FIRST])
    row[38] = _compute_age(now_ms, payees[payee, LAST])
    row[39] = -1 if pair < 0 else now_ms - relations[pair, SINCE]
    row[40] = -1 if pair < 0 else now_ms - log[relations[pair, UNTIL] & (log.shape[0] - 1), 0]
    row[43] = pair < 0
    amount = min(event[AMOUNT], SUMMED_MAX)
    row[45] = _compute_ratio(amount, payers, payer, _WEEK)
    row[46] = _compute_ratio(amount, payers, payer, _MONTH)
    row[47] = _divide(amount, row[13])
    row[48] = _compute_ratio(amount, payees, payee, _MONTH)
    _write_verdicts(event, payers, payees, row)
    _write_device(state, event, row)
    _write_merchant(state.merchants, event, row)
    genuine = _compute_genuine_mean(payers, payer)
    row[65] = _divide(amount, genuine)
    row[66] = -1 if row[12] < 0 else _divide(row[12], genuine)
    row[67] = payees[payee, RUN_LEAST]
    row[68] = payers[payer, FRAUD_SURPRISE]
    return int(row[46] if row[65] < 0 else row[65])


@compiled_inside
def _compute_genuine_mean(payers: Whole, payer: int) -> int:
    at = _MONTH * IN_LABELS
    count = payers[payer, LABELLED + at] - payers[payer, FRAUDS + at]
    return -1 if count == 0 else int(payers[payer, GENUINE_SUM + at] // count)


@compiled_inside
def _write_payer(payers: Whole, payer: int, log: Whole, row: Whole) -> None:
    for window in range(WINDOWS):
        row[4 + window] = payers[payer, window * IN_WINDOW + COUNT]
        row[8 + window] = payers[payer, window * IN_WINDOW + SUM]
    row[12] = _get_amount(log, payers[payer, TOP + _DAY])
    row[13] = _get_amount(log, payers[payer, TOP + _MONTH])
    row[14] = payers[payer, _DAY * IN_WINDOW + OTHERS]
    row[15] = payers[payer, _MONTH * IN_WINDOW + OTHERS]
    row[16] = payers[payer, DEVICES + _MONTH]
    row[17] = -1 if row[7] == 0 else row[11] // row[7]


@compiled_inside
def _get_amount(log: Whole, number: int) -> int:
    return -1 if number < 0 else int(log[number & (log.shape[0] - 1), 1])


@compiled_inside
def _write_payee(payees: Whole, payee: int, row: Whole) -> None:
    for window in range(WINDOWS):
        row[18 + window] = payees[payee, window * IN_WINDOW + COUNT]
    row[22] = payees[payee, _DAY * IN_WINDOW + SUM]
    row[23] = payees[payee, _MONTH * IN_WINDOW + SUM]
    row[24] = payees[payee, _DAY * IN_WINDOW + OTHERS]
    row[25] = payees[payee, _MONTH * IN_WINDOW + OTHERS]


@compiled_inside
def _write_device(state: State, event: Whole, row: Whole) -> None:
    device = event[DEVICE]
    if device < 0:
        row[28:32] = -1
        row[41] = -1
        row[44] = -1
        return
    devices = state.devices
    row[28] = devices[device, _DAY * IN_WINDOW + COUNT]
    row[29] = devices[device, _MONTH * IN_WINDOW + COUNT]
    row[30] = devices[device, _DAY * IN_WINDOW + OTHERS]
    row[31] = devices[device, _MONTH * IN_WINDOW + OTHERS]
    row[41] = _compute_age(event[TIME], devices[device, FIRST])
    between = (WITH_DEVICE, event[PAYER], device)
    row[44] = find_relation(state.relations, state.slots, between) < 0


@compiled_inside
def _write_merchant(merchants: Whole, event: Whole, row: Whole) -> None:
    merchant = event[MERCHANT]
    if merchant < 0:
        row[32:35] = -1
        row[42] = -1
        row[63:65] = -1
        return
    row[32] = merchants[merchant, _HOUR * IN_WINDOW + COUNT]
    row[33] = merchants[merchant, _DAY * IN_WINDOW + COUNT]
    row[34] = merchants[merchant, _DAY * IN_WINDOW + OTHERS]
    row[42] = _compute_age(event[TIME], merchants[merchant, FIRST])
    row[63] = merchants[merchant, LABELLED + _MONTH * IN_LABELS]
    row[64] = merchants[merchant, FRAUDS + _MONTH * IN_LABELS]


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
        row[49 + place] = payees[payee, LABELLED + (_DAY + place) * IN_LABELS]
        row[52 + place] = payees[payee, FRAUDS + (_DAY + place) * IN_LABELS]
    row[55] = payees[payee, RUN]
    row[56] = _compute_age(now_ms, payees[payee, RUN_BEGAN])
    row[57] = _compute_age(now_ms, payees[payee, FRAUD_LAST])
    row[58] = _compute_age(now_ms, payees[payee, GENUINE_LAST])
    row[59] = payers[payer, LABELLED + _MONTH * IN_LABELS]
    row[60] = payers[payer, FRAUDS + _WEEK * IN_LABELS]
    row[61] = payers[payer, FRAUDS + _MONTH * IN_LABELS]
    row[62] = _compute_age(now_ms, payers[payer, FRAUD_LAST])
