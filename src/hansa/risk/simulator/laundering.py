"""The eight shapes in which money is laundered: each draws its case.

Whoever passes money on keeps a fee, so what leaves a wallet within a case never exceeds what came
in, and never leaves before all of it is there.

Source: Suzumura & Kanezashi, AMLSim (2018); Altman et al., Realistic synthetic financial
transactions for anti-money laundering models (2023), figure 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hansa.risk.simulator.cases import Case
from hansa.risk.simulator.columns import Pattern

Purse = tuple[int, int, int]
"""An account, the time from which it has money to pass on, and how much."""


def _enter(case: Case, accounts: Sequence[int]) -> list[Purse]:
    """Bring a sum to some accounts."""
    shares = case.split(case.draw_sum(len(accounts)), len(accounts))
    return [
        (account, *case.enter(account, share))
        for account, share in zip(accounts, shares, strict=True)
    ]


def _gather(case: Case, purses: Sequence[Purse], account: int) -> Purse:
    """Have all pay one account."""
    last, total = 0, 0
    for payer, time_ms, amount in purses:
        last = max(last, case.send(time_ms, payer, account, amount))
        total += amount
    return account, case.wait(last), case.keep_fee(total)


def _scatter(case: Case, purse: Purse, accounts: Sequence[int]) -> list[Purse]:
    """Have one account pay all."""
    payer, time_ms, amount = purse
    purses = []
    for account, share in zip(accounts, case.split(amount, len(accounts)), strict=True):
        paid = case.send(time_ms, payer, account, share)
        purses.append((account, case.wait(paid), case.keep_fee(share)))
        time_ms = min(case.wait(time_ms), time_ms + 10 * 3_600_000)
    return purses


def _layer(case: Case, purses: Sequence[Purse], accounts: Sequence[int]) -> list[Purse]:
    """Have each account of one layer pay all of the next."""
    last = dict.fromkeys(accounts, 0)
    total = dict.fromkeys(accounts, 0)
    for payer, time_ms, amount in purses:
        when = time_ms
        for account, share in zip(accounts, case.split(amount, len(accounts)), strict=True):
            last[account] = max(last[account], case.send(when, payer, account, share))
            total[account] += share
            when = min(case.wait(when), when + 10 * 3_600_000)
    return [
        (account, case.wait(last[account]), case.keep_fee(total[account])) for account in accounts
    ]


def _leave(case: Case, purses: Sequence[Purse]) -> None:
    for account, time_ms, amount in purses:
        case.leave(account, amount, time_ms)


def _walk(case: Case, purse: Purse, accounts: Sequence[int]) -> Purse:
    """Pass money on from account to account."""
    for account in accounts:
        payer, time_ms, amount = purse
        paid = case.send(time_ms, payer, account, amount)
        purse = (account, case.wait(paid), case.keep_fee(amount))
    return purse


def draw_fan_in(case: Case) -> None:
    """Many pay one."""
    hub, *sources = case.recruit(case.chance.one_of(4, 13))
    _leave(case, [_gather(case, _enter(case, sources), hub)])


def draw_fan_out(case: Case) -> None:
    """One pays many."""
    hub, *sinks = case.recruit(case.chance.one_of(4, 13))
    [purse] = _enter(case, [hub])
    _leave(case, _scatter(case, purse, sinks))


def draw_cycle(case: Case) -> None:
    """Money comes back to where it began."""
    first, *others = case.recruit(case.chance.one_of(3, 7))
    [purse] = _enter(case, [first])
    _leave(case, [_walk(case, purse, [*others, first])])


def draw_bipartite(case: Case) -> None:
    """Each of some pays each of others."""
    count = case.chance.one_of(2, 4)
    accounts = case.recruit(count + case.chance.one_of(2, 4))
    _leave(case, _layer(case, _enter(case, accounts[:count]), accounts[count:]))


def draw_stack(case: Case) -> None:
    """Each of some pays each of others, who do the same again."""
    first, second = case.chance.one_of(2, 3), case.chance.one_of(2, 3)
    accounts = case.recruit(first + second + case.chance.one_of(2, 3))
    middle = accounts[first : first + second]
    purses = _layer(case, _enter(case, accounts[:first]), middle)
    _leave(case, _layer(case, purses, accounts[first + second :]))


def draw_random(case: Case) -> None:
    """Money wanders among accounts, may meet one again, and does not end where it began."""
    first, *others = case.recruit(case.chance.one_of(4, 8))
    walk: list[int] = []
    for _ in range(case.chance.one_of(4, 9)):
        at = walk[-1] if walk else first
        walk.append(case.chance.choose([account for account in others if account != at]))
    [purse] = _enter(case, [first])
    _leave(case, [_walk(case, purse, walk)])


def draw_scatter_gather(case: Case) -> None:
    """One pays many, who all pay another one."""
    source, sink, *middle = case.recruit(case.chance.one_of(5, 10))
    [purse] = _enter(case, [source])
    _leave(case, [_gather(case, _scatter(case, purse, middle), sink)])


def draw_gather_scatter(case: Case) -> None:
    """Many pay one, who pays many others."""
    count = case.chance.one_of(3, 7)
    hub, *others = case.recruit(1 + count + case.chance.one_of(3, 7))
    purse = _gather(case, _enter(case, others[:count]), hub)
    _leave(case, _scatter(case, purse, others[count:]))


SHAPES: dict[Pattern, Callable[[Case], None]] = {
    Pattern.FAN_IN: draw_fan_in,
    Pattern.FAN_OUT: draw_fan_out,
    Pattern.CYCLE: draw_cycle,
    Pattern.BIPARTITE: draw_bipartite,
    Pattern.STACK: draw_stack,
    Pattern.RANDOM: draw_random,
    Pattern.SCATTER_GATHER: draw_scatter_gather,
    Pattern.GATHER_SCATTER: draw_gather_scatter,
}
