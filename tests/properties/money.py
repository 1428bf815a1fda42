"""What money must do, written from its invariants and from nothing else.

A model to hold the ledger against: plain dictionaries, sums over everything that ever happened,
dates from the standard library. It shares no line with the contracts. `Money.carry_out` says
whether a whole transaction must be accepted, and takes it in if so. The numbers in comments are
those of the invariants in `test_invariants.py`.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone

ZONE = timezone(timedelta(minutes=480))
DAY_MS = 86_400_000
RECORD_MS = 365 * DAY_MS
HOLD_MS_MAX = 30 * DAY_MS
ATTEST_FROM = 300
M0, DEPOSIT = "MOP", "MOP.north"
ISSUERS = {M0: "bank", DEPOSIT: "north"}
OPERATORS = ("north", "south")
OFFICERS = {"officer0", "officer1", "officer2"}
OFFICERS_NEEDED = 2
Limits = tuple[int, int, int, int]
"""Balance, single, day and year in minor units; 0 for none."""


@dataclass(frozen=True)
class Act:
    """One thing that somebody tries: `a` does it, with or to `b`."""

    word: str
    a: str = ""
    b: str = ""
    asset: str = M0
    amount: int = 0
    ref: str = ""
    until_ms: int = 0


@dataclass(frozen=True)
class Attempt:
    """A transaction: acts that succeed or fail together, and who stands behind them."""

    acts: tuple[Act, ...]
    signers: tuple[str, ...]
    sponsor: str
    attested: bool
    time_ms: int


class No(Exception):  # noqa: N818 - it is an answer, not an error
    """The invariants forbid it."""


@dataclass
class Paid:
    """A payment on record."""

    payee: str
    asset: str
    amount: int
    kind: str
    """`held`, `paid`, or `done`: nothing may follow."""
    until_ms: int
    refunded: int = 0


def local_date(time_ms: int) -> date:
    """Return the zone's date."""
    return datetime.fromtimestamp(time_ms / 1000, ZONE).date()


def need(condition: object) -> None:
    """Forbid what does not meet a condition."""
    if not condition:
        raise No


@dataclass
class Money:
    """All there is to know about money, and what may happen to it next."""

    wallets: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Operator and category."""
    issued: Counter[str] = field(default_factory=Counter)
    vaults: Counter[tuple[str, str]] = field(default_factory=Counter)
    free: Counter[tuple[str, str]] = field(default_factory=Counter)
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    quotas: Counter[tuple[str, str]] = field(default_factory=Counter)
    outstanding: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Issued to a vault less redeemed out of it."""
    payments: dict[tuple[str, str], Paid] = field(default_factory=dict)
    spent: list[tuple[str, date, int]] = field(default_factory=list)
    """Wallet, day, amount: everything that ever counted against limits."""
    ordered: set[str] = field(default_factory=set)
    self_frozen: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    suspended: set[str] = field(default_factory=set)
    limits: dict[int, list[tuple[int, Limits]]] = field(default_factory=dict)
    """By category: values with the moment from which they count, in order."""

    def carry_out(self, attempt: Attempt) -> bool:
        """Take a transaction in, whole or not at all (6); returns whether it was."""
        before = copy.deepcopy(self.__dict__)
        try:
            need(attempt.sponsor not in self.suspended)
            for act in attempt.acts:
                getattr(self, f"_{act.word}")(act, attempt)
        except No:
            self.__dict__.update(before)
            return False
        return True

    def total(self, asset: str) -> int:
        """Sum money of an asset wherever it is."""
        places = (self.vaults, self.free, self.held)
        return sum(
            minor for place in places for (_, named), minor in place.items() if named == asset
        )

    def limits_of(self, wallet: str, time_ms: int) -> Limits:
        """Find the limits in force for a wallet."""
        entries = self.limits.get(self.wallets[wallet][1], [])
        return next((v for since, v in reversed(entries) if since <= time_ms), (0, 0, 0, 0))

    # --- payments ----------------------------------------------------------------------------

    def _pay(self, act: Act, attempt: Attempt) -> None:
        need(act.a in attempt.signers and act.a != act.b)
        self._need_new(act.a, act.ref, attempt)
        self._need_usable(act.a, act.b)
        self._need_decision(act.a, act.amount, attempt)
        self._spend(act.a, act.asset, act.amount, attempt)
        self._credit(act.b, act.asset, act.amount, attempt)
        self._record(act.a, act.ref, act.b, act, "paid", attempt)

    def _hold(self, act: Act, attempt: Attempt) -> None:
        need(act.a in attempt.signers and act.a != act.b)
        need(attempt.time_ms < act.until_ms <= attempt.time_ms + HOLD_MS_MAX)
        self._need_new(act.a, act.ref, attempt)
        self._need_usable(act.a, act.b)
        self._need_decision(act.a, act.amount, attempt)
        self._spend(act.a, act.asset, act.amount, attempt)
        self.held[act.a, act.asset] += act.amount
        self.payments[act.a, act.ref] = Paid(act.b, act.asset, act.amount, "held", act.until_ms)

    def _post(self, act: Act, attempt: Attempt) -> None:
        hold = self._need_payment(act.a, act.ref, "held", attempt)
        need(hold.payee in attempt.signers)
        need(attempt.time_ms <= hold.until_ms and act.amount <= hold.amount)
        self._need_usable(act.a, hold.payee)  # 9: also a hold made before the freeze
        self.held[act.a, hold.asset] -= hold.amount
        self.free[act.a, hold.asset] += hold.amount - act.amount
        self._credit(hold.payee, hold.asset, act.amount, attempt)
        hold.kind, hold.amount = "paid", act.amount
        hold.until_ms = attempt.time_ms + RECORD_MS

    def _void(self, act: Act, attempt: Attempt) -> None:
        hold = self._need_payment(act.a, act.ref, "held", attempt)
        need(hold.payee in attempt.signers or attempt.time_ms > hold.until_ms)
        self.held[act.a, hold.asset] -= hold.amount
        self.free[act.a, hold.asset] += hold.amount
        hold.kind, hold.until_ms = "done", attempt.time_ms + RECORD_MS

    def _refund(self, act: Act, attempt: Attempt) -> None:
        """Pay back of what `a` paid under `b`; the reference of the refund names both."""
        paid = self._need_payment(act.a, act.b, "paid", attempt)
        need(paid.payee in attempt.signers)
        need(paid.refunded + act.amount <= paid.amount)  # 7
        self._need_new(paid.payee, act.ref, attempt)
        self._need_usable(act.a, paid.payee)
        self._need_decision(paid.payee, act.amount, attempt)
        need(self.free[paid.payee, paid.asset] >= act.amount)  # 3
        self.free[paid.payee, paid.asset] -= act.amount
        self.free[act.a, paid.asset] += act.amount
        paid.refunded += act.amount
        paid.kind = "done" if paid.refunded == paid.amount else "paid"
        until_ms = attempt.time_ms + RECORD_MS
        done = Paid(act.a, paid.asset, act.amount, "done", until_ms)
        self.payments[paid.payee, act.ref] = done

    def _cash_in(self, act: Act, attempt: Attempt) -> None:
        need(act.a in attempt.signers)
        self._need_operator(act.a)
        self._need_new(act.a, act.ref, attempt)
        self._need_usable(act.b)
        self._take(act.a, act.asset, act.amount)
        self._credit(act.b, act.asset, act.amount, attempt)
        self._record(act.a, act.ref, act.b, act, "done", attempt)

    def _cash_out(self, act: Act, attempt: Attempt) -> None:
        need(act.a in attempt.signers)
        self._need_new(act.a, act.ref, attempt)
        self._need_usable(act.a)
        operator = self.wallets[act.a][0]
        self._need_operator(operator)
        self._need_decision(act.a, act.amount, attempt)
        self._spend(act.a, act.asset, act.amount, attempt)
        self.vaults[operator, act.asset] += act.amount
        self._record(act.a, act.ref, operator, act, "done", attempt)

    def _sweep(self, act: Act, attempt: Attempt) -> None:
        paid = self.payments.get((act.a, act.ref))
        need(paid and paid.kind != "held" and attempt.time_ms > paid.until_ms)
        del self.payments[act.a, act.ref]

    # --- wallets -----------------------------------------------------------------------------

    def _freeze(self, act: Act, attempt: Attempt) -> None:
        need("regulator" in attempt.signers)
        need(act.a not in self.ordered and act.a not in self.closed)
        self.ordered.add(act.a)

    def _unfreeze(self, act: Act, attempt: Attempt) -> None:
        need("regulator" in attempt.signers and act.a in self.ordered)
        self.ordered.remove(act.a)

    def _self_freeze(self, act: Act, attempt: Attempt) -> None:
        need(act.a in attempt.signers)
        need(act.a not in self.self_frozen and act.a not in self.closed)
        self.self_frozen.add(act.a)

    def _self_unfreeze(self, act: Act, attempt: Attempt) -> None:
        need(act.a in attempt.signers and act.a in self.self_frozen)
        self.self_frozen.remove(act.a)

    def _close(self, act: Act, attempt: Attempt) -> None:
        need(act.a in attempt.signers)
        self._need_usable(act.a)
        need(not any(self.free[act.a, asset] + self.held[act.a, asset] for asset in ISSUERS))
        self.closed.add(act.a)

    # --- issue -------------------------------------------------------------------------------

    def _issue(self, act: Act, attempt: Attempt) -> None:
        self._need_issuer(act.asset, attempt)
        self._need_standing(act.asset)
        self._need_vault(act.a, act.asset)
        place = (act.a, act.asset)
        need(self.outstanding[place] + act.amount <= self.quotas[place])  # 2
        self.outstanding[place] += act.amount
        self.vaults[place] += act.amount
        self.issued[act.asset] += act.amount

    def _redeem(self, act: Act, attempt: Attempt) -> None:
        self._need_issuer(act.asset, attempt)
        self._need_keys(act.a, attempt)
        self._end(act.a, act.asset, act.amount)

    def _destroy(self, act: Act, attempt: Attempt) -> None:
        self._need_issuer(act.asset, attempt)
        self._end(ISSUERS[act.asset], act.asset, act.amount)

    def _set_quota(self, act: Act, attempt: Attempt) -> None:
        self._need_issuer(M0, attempt)
        if act.amount >= self.quotas[act.a, act.asset]:
            self._need_vault(act.a, act.asset)
        self.quotas[act.a, act.asset] = act.amount

    def _move(self, act: Act, attempt: Attempt) -> None:
        need(act.a != act.b)
        self._need_keys(act.a, attempt)
        self._need_vault(act.a, act.asset)
        self._need_vault(act.b, act.asset)
        self._take(act.a, act.asset, act.amount)
        self.vaults[act.b, act.asset] += act.amount

    # --- conditions --------------------------------------------------------------------------

    def _need_new(self, payer: str, ref: str, attempt: Attempt) -> None:
        """4, 5: a reference is used once while its payment is on record."""
        paid = self.payments.get((payer, ref))
        need(not paid or (paid.kind != "held" and attempt.time_ms > paid.until_ms))

    def _need_payment(self, payer: str, ref: str, kind: str, attempt: Attempt) -> Paid:
        paid = self.payments.get((payer, ref))
        if paid is None or paid.kind != kind:
            raise No
        need(kind == "held" or attempt.time_ms <= paid.until_ms)
        return paid

    def _need_usable(self, *wallets: str) -> None:
        """9: nothing moves out of, or into, a frozen or closed wallet."""
        for wallet in wallets:
            need(wallet in self.wallets)
            need(wallet not in self.ordered | self.self_frozen | self.closed)

    def _need_decision(self, payer: str, amount: int, attempt: Attempt) -> None:
        """12: the payer's operator stands behind large debits."""
        is_decided = attempt.attested and attempt.sponsor == self.wallets[payer][0]
        need(amount < ATTEST_FROM or is_decided)

    def _need_operator(self, name: str) -> None:
        need(name in OPERATORS and name not in self.suspended)

    def _need_vault(self, name: str, asset: str) -> None:
        if (name, asset) != ("bank", M0):
            self._need_operator(name)

    def _need_standing(self, asset: str) -> None:
        if asset != M0:
            self._need_operator(ISSUERS[asset])

    def _need_issuer(self, asset: str, attempt: Attempt) -> None:
        self._need_keys(ISSUERS[asset], attempt)

    def _need_keys(self, name: str, attempt: Attempt) -> None:
        """2: m of n for the central bank; the one key of an operator."""
        if name == "bank":
            need(len(OFFICERS & set(attempt.signers)) >= OFFICERS_NEEDED)
        else:
            need(name in attempt.signers)

    def _spend(self, wallet: str, asset: str, amount: int, attempt: Attempt) -> None:
        """3 and 8: out of free money, under limits over all money of the currency."""
        need(self.free[wallet, asset] >= amount)
        _, single, day_max, year_max = self.limits_of(wallet, attempt.time_ms)
        today = local_date(attempt.time_ms)
        mine = [(day, minor) for name, day, minor in self.spent if name == wallet]
        day = amount + sum(minor for when, minor in mine if when == today)
        year = amount + sum(minor for when, minor in mine if when.year == today.year)
        need(not single or amount <= single)
        need(not day_max or day <= day_max)
        need(not year_max or year <= year_max)
        self.free[wallet, asset] -= amount
        self.spent.append((wallet, today, amount))

    def _credit(self, wallet: str, asset: str, amount: int, attempt: Attempt) -> None:
        balance_max = self.limits_of(wallet, attempt.time_ms)[0]
        total = sum(self.free[wallet, each] + self.held[wallet, each] for each in ISSUERS)
        need(not balance_max or total + amount <= balance_max)
        self.free[wallet, asset] += amount

    def _take(self, vault: str, asset: str, amount: int) -> None:
        need(self.vaults[vault, asset] >= amount)
        self.vaults[vault, asset] -= amount

    def _end(self, vault: str, asset: str, amount: int) -> None:
        self._need_standing(asset)
        self._take(vault, asset, amount)
        self.outstanding[vault, asset] -= amount
        self.issued[asset] -= amount

    def _record(
        self, payer: str, ref: str, payee: str, act: Act, kind: str, attempt: Attempt
    ) -> None:
        until_ms = attempt.time_ms + RECORD_MS
        self.payments[payer, ref] = Paid(payee, act.asset, act.amount, kind, until_ms)
