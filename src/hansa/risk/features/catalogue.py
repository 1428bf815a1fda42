"""Every feature of a payment: its name, its unit, and what it says.

Their order is that of a row. A model names the features it was trained on by `CATALOGUE_ID`, so
that it is not asked about others.
"""

from __future__ import annotations

from hansa.risk.catalogue import COUNT, MINOR, MS, RATIO, Feature, find_columns, hash_features

RATIO_MAX = 2**36
"""A larger ratio counts as this."""

_LONG = ("1d", "7d", "30d")
_SPANS = {"1h": "hour", "1d": "day", "7d": "7 days", "30d": "30 days"}


def _over(name: str, unit: str, says: str, *windows: str) -> list[Feature]:
    """List one for each window, from the shortest on."""
    ends = "_minor" if unit == MINOR else ""
    return [
        Feature(f"{name}_{window}{ends}", unit, says.format(f"the last {_SPANS[window]}"))
        for window in windows or _SPANS
    ]


def _of_party(name: str, whose: str, others: tuple[str, str] | None = None) -> list[Feature]:
    """List what is known of a party's payments, and of how many others there were, by windows."""
    return [
        *_over(f"{name}_count", COUNT, f"Payments {whose} in {{}}."),
        *_over(f"{name}_sum", MINOR, f"Sum of payments {whose} in {{}}."),
        *_over(f"{name}_mean", MINOR, f"Mean of payments {whose} in {{}}."),
        *_over(f"{name}_max", MINOR, f"Largest payment {whose} in {{}}."),
        *(_over(f"{name}_{others[0]}", COUNT, f"Different {others[1]} in {{}}.") if others else ()),
    ]


FEATURES = (
    Feature("amount_minor", MINOR, "How much is paid."),
    Feature("hour", "0-23", "The hour of the day in the zone given."),
    Feature("weekday", "0-6", "The day of the week in the zone given, Monday being 0."),
    Feature("is_night", "0 or 1", "Whether it is before 7 o'clock in the zone given."),
    *_of_party("payer", "by the payer", ("payees", "payees of the payer")),
    *_over("payer_devices", COUNT, "Different devices of the payer in {}."),
    *_of_party("payee", "to the payee", ("payers", "payers of the payee")),
    *_of_party("pair", "by this payer to this payee"),
    *_of_party("device", "from the device", ("payers", "payers with the device")),
    *_of_party("merchant", "to the merchant", ("payers", "payers of the merchant")),
    Feature("payer_age_ms", MS, "Since the payer first paid."),
    Feature("payer_idle_ms", MS, "Since the payer last paid."),
    Feature("payee_age_ms", MS, "Since the payee was first paid."),
    Feature("payee_idle_ms", MS, "Since the payee was last paid."),
    Feature("pair_age_ms", MS, "Since this payer first paid this payee, while it is remembered."),
    Feature("pair_idle_ms", MS, "Since this payer last paid this payee."),
    Feature("device_age_ms", MS, "Since the first payment from the device."),
    Feature("merchant_age_ms", MS, "Since the merchant was first paid."),
    Feature("is_first_of_pair", "0 or 1", "Whether no earlier payment of this pair is remembered."),
    Feature(
        "is_first_of_device",
        "0 or 1",
        "Whether no earlier payment by this payer from this device is remembered.",
    ),
    Feature("amount_to_payer_mean_7d", RATIO, "Amount to the payer's mean of the last 7 days."),
    Feature("amount_to_payer_mean_30d", RATIO, "Amount to the payer's mean of the last 30 days."),
    Feature("amount_to_payer_max_30d", RATIO, "Amount to the payer's largest of 30 days."),
    Feature("amount_to_payee_mean_30d", RATIO, "Amount to the payee's mean of the last 30 days."),
    *_over("payee_labelled", COUNT, "Verdicts on the payee, told in {}.", *_LONG),
    *_over("payee_frauds", COUNT, "Frauds to the payee, told in {}.", *_LONG),
    Feature(
        "payee_fraud_run",
        COUNT,
        "Frauds to the payee told since one newer than all known frauds was told to be genuine.",
    ),
    Feature("payee_fraud_run_age_ms", MS, "Since the payment that began that run of frauds."),
    Feature("payee_fraud_age_ms", MS, "Since the newest payment to the payee known as fraud."),
    Feature("payee_genuine_age_ms", MS, "Since the newest payment to the payee known as genuine."),
    *_over("payer_labelled", COUNT, "Verdicts on the payer, told in {}.", "30d"),
    *_over("payer_frauds", COUNT, "Frauds by the payer, told in {}.", "7d", "30d"),
    Feature("payer_fraud_age_ms", MS, "Since the newest payment by the payer known as fraud."),
    *_over("merchant_labelled", COUNT, "Verdicts on the merchant, told in {}.", "30d"),
    *_over("merchant_frauds", COUNT, "Frauds to the merchant, told in {}.", "30d"),
    Feature(
        "amount_to_payer_genuine_30d",
        RATIO,
        "Amount to the mean of the payer's payments told to be genuine in the last 30 days.",
    ),
    Feature(
        "payer_max_1d_to_genuine_30d",
        RATIO,
        "The payer's largest payment of the last day to that mean.",
    ),
    Feature(
        "payee_fraud_run_surprise",
        RATIO,
        "Of that run of frauds the smallest amount to its payer's habit: the mean of what was known"
        " to be genuine then, or else of 30 days; at most 2<sup>31</sup> - 1.",
    ),
    Feature(
        "payer_fraud_surprise",
        RATIO,
        "The same of the payer's fraud that was told last.",
    ),
)
COLUMNS = find_columns(FEATURES)
NAMES = tuple(COLUMNS)
CATALOGUE_ID = hash_features(FEATURES).hex()
"""What names these features, in this order and with these units."""
