"""Who takes part in a replay: institutions and wallets with keys from a seed, and their limits.

The file is read once beforehand, so that every wallet is opened in a category that fits what it
will do, and funded with what it will spend.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa

from hansa.contracts.wallets import Category
from hansa.kernel.genesis import Genesis
from hansa.node.home import DEFAULT_POLICY, MemberSpec, build_genesis
from hansa.node.replay.source import ColumnMap, Payments
from hansa.sdk.keys import KeyPair

OPERATORS = ("Harbour Bank", "River Bank", "Island Bank")
OFFICERS = 3
OFFICERS_NEEDED = 2
WALLET_KEYS_CACHED = 50_000


def derive_key(*names: str) -> KeyPair:
    """Derive a key of the replay from its names; the same names, the same key."""
    return KeyPair.from_seed(hashlib.sha256("\x00".join(("replay", *names)).encode()).digest())


@lru_cache(maxsize=WALLET_KEYS_CACHED)
def derive_wallet_key(side: str, name: str) -> KeyPair:
    """Derive the key of a payer's or payee's wallet."""
    return derive_key(side, name)


class Usage(NamedTuple):
    """What one wallet does over the whole file, in minor units."""

    spent: int = 0
    received: int = 0
    single_max: int = 0
    day_max: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """How the file's parties use their wallets."""

    payers: dict[str, Usage]
    payees: dict[str, Usage]
    first_ms: int
    rows: int

    @property
    def total_minor(self) -> int:
        """All that will be spent."""
        return sum(usage.spent for usage in self.payers.values())


def make_plan(parts: Iterable[Payments]) -> Plan:
    """Read the whole file once; memory is bounded by its parties' days, not its payments."""
    days, payees = [], []
    first_ms = rows = 0
    for part in parts:
        if rows == 0:
            first_ms = part.columns.column("time_ms")[0].as_py()
        rows += part.columns.num_rows
        table = pa.table(part.columns)
        table = table.append_column("day", count_days(table.column("time_ms")))
        amounts = [("amount_minor", "sum"), ("amount_minor", "max")]
        days.append(table.group_by(["payer", "day"]).aggregate(amounts))
        payees.append(table.group_by("payee").aggregate(amounts[:1]))
    if not rows:
        return Plan({}, {}, 0, 0)
    spent = (
        pa.concat_tables(days)
        .group_by(["payer", "day"])
        .aggregate([("amount_minor_sum", "sum"), ("amount_minor_max", "max")])
        .group_by("payer")
        .aggregate(
            [
                ("amount_minor_sum_sum", "sum"),
                ("amount_minor_sum_sum", "max"),
                ("amount_minor_max_max", "max"),
            ]
        )
    )
    received = pa.concat_tables(payees).group_by("payee").aggregate([("amount_minor_sum", "sum")])
    return Plan(
        {
            name: Usage(spent=total, single_max=single, day_max=day)
            for name, total, day, single in zip(
                *(column.to_pylist() for column in spent.columns), strict=True
            )
        },
        {
            name: Usage(received=total)
            for name, total in zip(
                *(column.to_pylist() for column in received.columns), strict=True
            )
        },
        first_ms,
        rows,
    )


def count_days(times_ms: Any) -> Any:  # noqa: ANN401 - Arrow arrays
    """Count the days since 1970 of an Arrow array of times, in UTC."""
    return times_ms.cast(pa.timestamp("ms")).cast(pa.date32()).cast(pa.int32())


def choose_category(usage: Usage) -> Category:
    """Choose the least identified category whose limits hold what the wallet will do."""
    for category in sorted(Category, reverse=True):
        balance, single, day, year = DEFAULT_POLICY[f"wallet.limits.{category.value}"]
        bounds = (
            (max(usage.spent, usage.received), balance),
            (usage.single_max, single),
            (usage.day_max, day),
            (usage.spent, year),
        )
        if all(not limit or value <= limit for value, limit in bounds):
            return category
    return Category.I


@dataclass(frozen=True, slots=True)
class Cast:
    """The institutions' keys."""

    officers: tuple[KeyPair, ...]
    bank_server: KeyPair
    operators: tuple[KeyPair, ...]
    operator_servers: tuple[KeyPair, ...]
    sealer: KeyPair


def make_cast() -> Cast:
    """Derive all institutions' keys."""
    return Cast(
        tuple(derive_key("officer", str(number)) for number in range(OFFICERS)),
        derive_key("bank server"),
        tuple(derive_key("operator", name) for name in OPERATORS),
        tuple(derive_key("operator server", name) for name in OPERATORS),
        derive_key("node"),
    )


def make_genesis(cast: Cast, columns: ColumnMap, first_ms: int) -> Genesis:
    """Build the replay's network; it begins an hour before the first payment."""
    members = [
        MemberSpec(
            "Central Bank",
            ("central_bank",),
            tuple(key.address for key in cast.officers),
            cast.bank_server.address,
            OFFICERS_NEEDED,
            1,
        )
    ]
    members += [
        MemberSpec(name, ("operator",), (key.address,), server.address)
        for name, key, server in zip(OPERATORS, cast.operators, cast.operator_servers, strict=True)
    ]
    policy = dict(DEFAULT_POLICY)
    policy["zone.offset_minutes"] = (0,)
    return build_genesis(
        "replay",
        max(0, first_ms - 3_600_000),
        members,
        sealer=cast.sealer,
        policy=policy,
        assets=((columns.currency, columns.currency, columns.exponent),),
    )
