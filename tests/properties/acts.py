"""What can be tried in the town: its people, and acts drawn at random and built as commands."""

from __future__ import annotations

from hypothesis import strategies as st
from tests.properties.money import DAY_MS, DEPOSIT, HOLD_MS_MAX, M0, Act
from tests.world import MINUTE_MS, key

from hansa.contracts import currency, payments, wallets
from hansa.kernel.contract import Command

PEOPLE = {"ann": ("north", 4), "bob": ("south", 3), "shop": ("north", 1)}
LIMITS = {4: (1_500, 400, 900, 2_500), 3: (4_000, 700, 1_500, 6_000), 1: (0, 0, 0, 0)}
MARK = bytes([9]) * 32
HOUR_MS = 3_600_000
OFFICERS = ("officer0", "officer1")
REFS = tuple("123456")
BORDERS = ("day", "before day", "year", "before year")
NAMES = (*PEOPLE, "north", "south", "regulator", "officer0", "officer1", "officer2")
ADDRESSES = {key(name).address: name for name in NAMES} | {key("officer0").address: "bank"}


def address(name: str) -> bytes:
    """Find the address of who is called so; the central bank's is that of its first officer."""
    return key("officer0" if name == "bank" else name).address


def build(act: Act) -> Command:
    """Build the command of an act."""
    a, b = (address(name) if name in (*NAMES, "bank") else b"" for name in (act.a, act.b))
    asset, amount, ref = act.asset, act.amount, act.ref
    regulator = address("regulator")
    return {
        "pay": lambda: payments.Transfer(a, b, asset, amount, ref),
        "hold": lambda: payments.Hold(a, b, asset, amount, ref, act.until_ms),
        "post": lambda: payments.Post(a, ref, amount),
        "void": lambda: payments.Void(a, ref),
        "refund": lambda: payments.Refund(a, act.b, amount, ref),
        "cash_in": lambda: payments.CashIn(a, b, asset, amount, ref),
        "cash_out": lambda: payments.CashOut(a, asset, amount, ref),
        "sweep": lambda: payments.Sweep(a, ref),
        "freeze": lambda: wallets.Freeze(a, regulator, MARK),
        "unfreeze": lambda: wallets.Unfreeze(a, regulator),
        "self_freeze": lambda: wallets.SelfFreeze(a),
        "self_unfreeze": lambda: wallets.SelfUnfreeze(a),
        "close": lambda: wallets.Close(a),
        "issue": lambda: currency.Issue(a, asset, amount),
        "redeem": lambda: currency.Redeem(a, asset, amount),
        "destroy": lambda: currency.Destroy(asset, amount),
        "set_quota": lambda: currency.SetQuota(a, asset, amount),
        "move": lambda: currency.MoveVault(a, b, asset, amount),
    }[act.word]()


# --- what is tried ------------------------------------------------------------------------------

people = st.sampled_from(tuple(PEOPLE))
operators = st.sampled_from(("north", "south"))
vault_owners = st.sampled_from(("north", "north", "south", "bank"))
assets = st.sampled_from((M0, M0, DEPOSIT))
refs = st.sampled_from(REFS)
amounts = st.one_of(st.integers(1, 500), st.sampled_from((1, 299, 300, 400, 700, 900, 5_000)))
ends = st.sampled_from((1, MINUTE_MS, HOUR_MS, 20 * DAY_MS, HOLD_MS_MAX, HOLD_MS_MAX + 1))
officers = st.sampled_from(
    (("officer0", "officer1"), ("officer1", "officer2"), ("officer2", "officer0"), ("officer1",))
)


def of_payments(word: str) -> st.SearchStrategy[Act]:
    return st.builds(Act, st.just(word), people, people, assets, amounts, refs)


def of_vaults(*words: str) -> st.SearchStrategy[Act]:
    return st.builds(Act, st.sampled_from(words), vault_owners, vault_owners, assets, amounts)


holds = st.builds(Act, st.just("hold"), people, people, assets, amounts, refs, ends)
refunds = st.builds(Act, st.just("refund"), people, refs, assets, amounts, refs)
cash_ins = st.builds(Act, st.just("cash_in"), operators, people, assets, amounts, refs)
spending = st.one_of(of_payments("pay"), of_payments("pay"), holds)
settling = st.one_of(of_payments("post"), of_payments("void"), refunds, refunds)
converting = st.one_of(cash_ins, of_payments("cash_out"))
rare = st.one_of(
    of_payments("sweep"),
    of_vaults("issue", "redeem"),
    of_vaults("destroy", "set_quota", "move"),
    st.builds(Act, st.sampled_from(("freeze", "self_freeze", "close")), people),
    st.builds(Act, st.sampled_from(("unfreeze", "self_unfreeze")), people),
)
acts = st.one_of(spending, spending, settling, converting, rare)
passes = st.sampled_from((0, 1, 1_000))
