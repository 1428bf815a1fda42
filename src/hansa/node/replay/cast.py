"""Who takes part in a replay: institutions and wallets with keys from a seed, and their limits.

The file is read once beforehand, so that every wallet is opened in a category that fits what it
will do, and funded with what it will spend.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from hansa.contracts.wallets import Category
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import Genesis
from hansa.kernel.values import INT64_MAX
from hansa.node.founding import DEFAULT_POLICY, MemberSpec, build_genesis
from hansa.node.replay.source import ColumnMap, Payments, count_days
from hansa.sdk.keys import KeyPair

OPERATORS = ("Harbour Bank", "River Bank", "Island Bank")
OFFICERS = 3
OFFICERS_NEEDED = 2
WALLET_KEYS_CACHED = 50_000
TOTAL_MAX_MINOR = INT64_MAX // len(OPERATORS)
"""Each operator is issued as much as the whole file spends."""


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
    """Read the whole file once; memory is bounded by its parties' days, not its payments.

    Amounts below zero move nothing, as those of zero, and count as zero here.

    Raises:
      Invalid: the file has no payments, or its amounts add up to more than can be issued.
    """
    days = Sums(["payer", "day"], {"spent": "sum", "single": "max"})
    payees = Sums(["payee"], {"received": "sum"})
    first_ms = rows = total = 0
    for part in parts:
        columns = part.columns
        amounts = pc.max_element_wise(columns.column("amount_minor"), 0)
        times_ms = columns.column("time_ms")
        if rows == 0:
            first_ms = times_ms[0].as_py()
        rows += columns.num_rows
        total += int(pc.sum(amounts.cast(pa.decimal128(38))).as_py())
        if total > TOTAL_MAX_MINOR:  # the sums below wrap around
            raise Invalid(
                InvalidCode.AMOUNT,
                f"up to row {part.first + columns.num_rows} the file's amounts add up to {total} "
                f"minor units: at most {TOTAL_MAX_MINOR} can be replayed, leave rows out",
            )
        day = count_days(times_ms)
        payer, payee = columns.column("payer"), columns.column("payee")
        days.add(pa.table({"payer": payer, "day": day, "spent": amounts, "single": amounts}))
        payees.add(pa.table({"payee": payee, "received": amounts}))
    if not rows:
        raise Invalid(InvalidCode.MALFORMED, "the file holds no payments: choose another")
    by_day = days.total()
    by_payer = by_day.group_by("payer").aggregate(
        [("spent", "sum"), ("single", "max"), ("spent", "max")]
    )
    names, *columns_by_payer = (
        by_payer.column(name).to_pylist()
        for name in ("payer", "spent_sum", "single_max", "spent_max")
    )
    payers = {
        name: Usage(spent=spent, single_max=single, day_max=day_spent)
        for name, spent, single, day_spent in zip(names, *columns_by_payer, strict=True)
    }
    received = payees.total()
    sums = zip(
        received.column("payee").to_pylist(), received.column("received").to_pylist(), strict=True
    )
    return Plan(payers, {name: Usage(received=each) for name, each in sums}, first_ms, rows)


class Sums:
    """Sums and maxima by keys, over tables that come one after the other."""

    def __init__(self, keys: list[str], how: dict[str, str]) -> None:
        self._keys, self._how = keys, how
        self._tables: list[pa.Table] = []
        self._condensed_rows = 0

    def add(self, table: pa.Table) -> None:
        """Take a table in; what is kept stays within twice the number of keys."""
        self._tables.append(self._condense([table]))
        if len(self) > 2 * self._condensed_rows:
            self._tables = [self.total()]
            self._condensed_rows = len(self._tables[0])

    def __len__(self) -> int:
        """Count the rows that are kept."""
        return sum(map(len, self._tables))

    def total(self) -> pa.Table:
        """Sum up: one row for each key."""
        return self._condense(self._tables)

    def _condense(self, tables: list[pa.Table]) -> pa.Table:
        grouped = pa.concat_tables(tables).group_by(self._keys).aggregate([*self._how.items()])
        columns = {key: grouped.column(key) for key in self._keys}
        columns |= {name: grouped.column(f"{name}_{how}") for name, how in self._how.items()}
        return pa.table(columns)


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
