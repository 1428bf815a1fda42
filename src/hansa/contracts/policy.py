"""Policy: effective-dated values under text keys, changed by governance alone.

An entry counts from its effective time; of two entries with one effective time the later
recorded counts, so a correction is a new entry. The past is never changed.

| key                            | values                                                       |
|--------------------------------|--------------------------------------------------------------|
| zone.offset_minutes            | minutes east of UTC                                          |
| wallet.limits.<1 to 4>         | balance, single, day, year, in minor units; 0 for no limit   |
| wallet.unproven_category       | the best category without a credential, 1 to 4; 1 by default |
| tiers.days_max                 | days for which a credential lifts a wallet; 366 by default   |
| payments.attestation_from_minor| smallest amount that needs an attestation; 0 for never       |
| payments.model_from_minor      | smallest that needs one by an operator with a model in force |
| <either of the two>.<asset>    | the same for one asset                                       |
| payments.refund_days           | days                                                         |
| payments.hold_days_max         | days                                                         |
| sponsor.quota                  | bytes, envelopes and refusals a day, rows stored; `QUOTA_MIN`|
| sponsor.quota.<address, hex>   | the same for one sponsor                                     |
| governance.<class>             | numerator, denominator, time lock in ms, voting time in ms   |

Source: PBoC, Progress of Research & Development of E-CNY in China (2021): limits differ by
operator and year, so they are policy, never constants.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from hansa.kernel.contract import NO_MONEY, Command, Event, Function
from hansa.kernel.errors import Invalid, InvalidCode, Refused
from hansa.kernel.genesis import VALIDITY_MAX_MS, Genesis
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row, Rows
from hansa.kernel.values import INT64_MAX, Signed, TimeMs

NAME = "policy"
VERSION = 1

ENTRIES_MAX = 64
"""Entries kept of one key."""
PRUNE_AFTER_MS = VALIDITY_MAX_MS
"""An entry that was in force this recently is never dropped."""
DURATION_MAX_MS = 366 * 24 * 3_600_000
GOVERNANCE_PREFIX = "governance."
ATTESTATION_FROM = "payments.attestation_from_minor"
MODEL_FROM = "payments.model_from_minor"
DENOMINATOR_MAX = 1_000_000
CATEGORIES = 4
"""Of wallets; `wallets.Category` names them."""
QUOTA_MIN = (65_536, 4, 4, 8)
"""What every member keeps: enough to propose, vote for and execute a correction in a day."""

PolicyKey = Annotated[str, Meta(min_length=1, max_length=96)]
"""As in the table above; the longest names a sponsor."""
ASSET_CODE_MAX = 24
"""Characters of an asset's code, as `values.AssetCode` has it."""


class Code(StrEnum):
    """Refusals, in order of precedence."""

    UNKNOWN_KEY = "policy.UNKNOWN_KEY"
    VALUES_OUT_OF_RANGE = "policy.VALUES_OUT_OF_RANGE"
    NOT_IN_FUTURE = "policy.NOT_IN_FUTURE"
    TOO_MANY_ENTRIES = "policy.TOO_MANY_ENTRIES"


class PolicyEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Values in force from a moment of ledger time on."""

    effective_ms: TimeMs
    values: tuple[Signed, ...]


class Policy(Row, frozen=True, array_like=True):
    """All entries of one key, sorted by effective time, then by when they were recorded."""

    TABLE: ClassVar[bytes] = b"po"
    KEY: ClassVar[tuple[str, ...]] = ("name",)

    name: PolicyKey
    entries: tuple[PolicyEntry, ...]


class PolicyScheduled(Event, frozen=True, array_like=True):
    """Values were set that take effect at a moment in the future."""

    name: PolicyKey
    effective_ms: TimeMs
    values: tuple[Signed, ...]


def get_policy(rows: Rows, key: str, time_ms: int) -> tuple[int, ...] | None:
    """Get the values in force at `time_ms`, or None if none are."""
    policy = rows.get(Policy, key)
    return None if policy is None else _find_in_force(policy, time_ms)


def get_in_force(view: View, context: Context, key: str) -> tuple[int, ...] | None:
    """Get the values in force at the block's time, remembered for the block.

    A scheduled value takes effect later than the block that schedules it, so no transaction can
    change what is in force while its block executes.
    """
    memo = context.memo
    if key not in memo:
        policy = view.get_unchanging(Policy, key)
        memo[key] = None if policy is None else _find_in_force(policy, context.time_ms)
    values: tuple[int, ...] | None = memo[key]
    return values


def schedule(
    view: View, context: Context, key: str, effective_ms: int, values: tuple[int, ...]
) -> list[Event]:
    """Set values that take effect later; for governance, which has established the authority.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    fault = find_fault(key, values)
    if fault is not None:
        raise Refused(fault, key=key)
    if effective_ms <= context.time_ms:
        raise Refused(Code.NOT_IN_FUTURE, effective_ms=effective_ms, time_ms=context.time_ms)
    policy = view.get(Policy, key)
    entries = () if policy is None else policy.entries
    place = bisect_right(entries, effective_ms, key=lambda entry: entry.effective_ms)
    entries = (*entries[:place], PolicyEntry(effective_ms, values), *entries[place:])
    entries = _prune(entries, context.time_ms)
    if len(entries) > ENTRIES_MAX:
        raise Refused(Code.TOO_MANY_ENTRIES, key=key, entries_max=ENTRIES_MAX)
    # CHANGE
    view.put(Policy(key, entries))
    # TELL
    return [PolicyScheduled(NO_MONEY, key, effective_ms, values)]


def install(view: View, genesis: Genesis) -> None:
    """Write the policy of genesis, in force from the start.

    Raises:
      Invalid: an unknown key, values out of range, or a key named twice.
    """
    seen: set[str] = set()
    for item in genesis.policy:
        fault = find_fault(item.key, item.values)
        if fault is not None or item.key in seen:
            reason = "named twice" if fault is None else fault.value
            raise Invalid(
                InvalidCode.MALFORMED,
                f"genesis policy {item.key!r}: {reason}; see the table of keys in policy.py",
                key=item.key,
            )
        seen.add(item.key)
        view.put(Policy(item.key, (PolicyEntry(0, item.values),)))


def find_fault(key: str, values: tuple[int, ...]) -> Code | None:
    """Find what is wrong with these values under this key, if anything is."""
    is_valid = _KEYS.get(key) or _find_family(key)
    if is_valid is None:
        return Code.UNKNOWN_KEY
    return None if is_valid(values) else Code.VALUES_OUT_OF_RANGE


Check = Callable[[tuple[int, ...]], bool]


def _amounts(count: int) -> Check:
    return lambda values: len(values) == count and all(0 <= v <= INT64_MAX for v in values)


def _is_offset(values: tuple[int, ...]) -> bool:
    return len(values) == 1 and -12 * 60 <= values[0] <= 14 * 60


def _is_days(values: tuple[int, ...]) -> bool:
    return len(values) == 1 and 0 <= values[0] <= DURATION_MAX_MS // (24 * 3_600_000)


def _is_quota(values: tuple[int, ...]) -> bool:
    return _amounts(4)(values) and all(
        value >= least for value, least in zip(values, QUOTA_MIN, strict=True)
    )


def _is_rule(values: tuple[int, ...]) -> bool:
    """More than half must approve: of two contradicting proposals only one can pass."""
    if len(values) != 4:  # noqa: PLR2004 - those named next
        return False
    numerator, denominator, time_lock_ms, voting_ms = values
    return (
        0 < numerator <= denominator <= DENOMINATOR_MAX
        and 2 * numerator > denominator
        and 0 <= time_lock_ms <= DURATION_MAX_MS
        and 0 < voting_ms <= DURATION_MAX_MS
    )


_KEYS: dict[str, Check] = {
    "zone.offset_minutes": _is_offset,
    "wallet.limits.1": _amounts(4),
    "wallet.limits.2": _amounts(4),
    "wallet.limits.3": _amounts(4),
    "wallet.limits.4": _amounts(4),
    "wallet.unproven_category": lambda values: len(values) == 1 and 1 <= values[0] <= CATEGORIES,
    "tiers.days_max": lambda values: _is_days(values) and values[0] > 0,
    ATTESTATION_FROM: _amounts(1),
    MODEL_FROM: _amounts(1),
    "payments.refund_days": lambda values: _is_days(values) and values[0] > 0,
    "payments.hold_days_max": _is_days,
    "sponsor.quota": _is_quota,
    "governance.membership": _is_rule,
    "governance.policy": _is_rule,
    "governance.activation": _is_rule,
    "governance.constitution": _is_rule,
    "governance.keys": _is_rule,
    "governance.monetary": _is_rule,
}

_SPONSOR_PREFIX = "sponsor.quota."
_ASSET_PREFIXES = (f"{ATTESTATION_FROM}.", f"{MODEL_FROM}.")


def _find_family(key: str) -> Check | None:
    for prefix in _ASSET_PREFIXES:
        if key.startswith(prefix):
            return _amounts(1) if 1 <= len(key) - len(prefix) <= ASSET_CODE_MAX else None
    if not key.startswith(_SPONSOR_PREFIX):
        return None
    digits = key[len(_SPONSOR_PREFIX) :]
    is_address = len(digits) == 64 and all(digit in "0123456789abcdef" for digit in digits)  # noqa: PLR2004
    return _is_quota if is_address else None


def _find_in_force(policy: Policy, time_ms: int) -> tuple[int, ...] | None:
    for entry in reversed(policy.entries):
        if entry.effective_ms <= time_ms:
            return entry.values
    return None


def _prune(entries: tuple[PolicyEntry, ...], time_ms: int) -> tuple[PolicyEntry, ...]:
    """Drop the oldest entries beyond the bound, if they were superseded long ago."""
    first = 0
    while (
        len(entries) - first > ENTRIES_MAX
        and entries[first + 1].effective_ms <= time_ms - PRUNE_AFTER_MS
    ):
        first += 1
    return entries[first:]


COMMANDS: dict[str, tuple[type[Command], Function]] = {}
