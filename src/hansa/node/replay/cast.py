"""Who takes part in a replay: institutions and wallets with keys from a seed, and their limits.

The file is read once beforehand, so that every wallet is opened in a category that fits what it
will do, and funded with what it will spend.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from hansa.contracts.wallets import Category
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.genesis import Genesis
from hansa.node.home import DEFAULT_POLICY, MemberSpec, build_genesis
from hansa.node.replay.source import ColumnMap, PaymentRow
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


@dataclass(slots=True)
class Usage:
    """What one wallet does over the whole file, in minor units."""

    spent: int = 0
    received: int = 0
    single_max: int = 0
    day_max: int = 0
    year_max: int = 0
    _day: int = -1
    _day_sum: int = 0

    def spend(self, row: PaymentRow) -> None:
        """Count one payment."""
        day = row.time_ms // DAY_MS
        self._day_sum = row.amount_minor + (self._day_sum if day == self._day else 0)
        self._day = day
        self.spent += row.amount_minor
        self.single_max = max(self.single_max, row.amount_minor)
        self.day_max = max(self.day_max, self._day_sum)


@dataclass(slots=True)
class Plan:
    """How the file's parties use their wallets."""

    payers: dict[str, Usage] = field(default_factory=dict)
    payees: dict[str, Usage] = field(default_factory=dict)
    first_ms: int = 0
    rows: int = 0

    @property
    def total_minor(self) -> int:
        """All that will be spent."""
        return sum(usage.spent for usage in self.payers.values())


def make_plan(rows: Iterable[PaymentRow]) -> Plan:
    """Read the whole file once; memory is bounded by its parties, not its payments."""
    plan = Plan()
    payers, payees = plan.payers, plan.payees
    for row in rows:
        payer = payers.get(row.payer)
        if payer is None:
            payer = payers[row.payer] = Usage()
        payer.spend(row)
        payee = payees.get(row.payee)
        if payee is None:
            payee = payees[row.payee] = Usage()
        payee.received += row.amount_minor
        if plan.rows == 0:
            plan.first_ms = row.time_ms
        plan.rows += 1
    return plan


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
