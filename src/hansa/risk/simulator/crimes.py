"""Crimes against people and shops, as seen with digital currency: each draws its case.

Source: press and court reports of crimes with e-CNY wallets (mule wallets, wallets in victims'
names, overpaid goods, collecting merchants, shop cash-out); account takeover and authorised push
payments as in the UK's Payment Systems Regulator's reports.
"""

from __future__ import annotations

from collections.abc import Callable

from hansa.risk.simulator.calibration import DAY_MS, HOUR_MS, MINUTE_MS, Kind
from hansa.risk.simulator.cases import Case
from hansa.risk.simulator.chance import UNIT, find_logarithm
from hansa.risk.simulator.columns import Pattern, Stage

_STOLEN_MEDIAN = find_logarithm(900_00)
_PUNT_MEDIAN = find_logarithm(120_00)
_ROUND_MINOR = 50_00


def _steal(case: Case) -> int:
    """Draw what a victim loses in one payment, often a round sum."""
    amount = case.chance.amount(_STOLEN_MEDIAN, UNIT * 12 // 10) + 20_00
    is_round = amount > _ROUND_MINOR and case.chance.happens(50)
    return amount // _ROUND_MINOR * _ROUND_MINOR if is_round else amount


def _soon(case: Case, time_ms: int, most_ms: int) -> int:
    return time_ms + MINUTE_MS + case.chance.one(most_ms)


def _cash(case: Case, account: int, amount_minor: int, time_ms: int) -> None:
    """Take money out at the account's bank or in a shop, whatever the case otherwise does."""
    if case.chance.happens(50):
        payee = case.bank_wallet(account)
    else:
        payee = case.shop_wallet(case.draw_shop(Kind.VALUABLES))
    case.pay(time_ms, account, payee, case.keep_fee(amount_minor), Stage.INTEGRATION)


def draw_mule_wallet(case: Case) -> None:
    """Victims pay a mule, who within hours passes all on to a second one, who takes it out."""
    mule, *collectors = case.recruit(case.chance.one_of(2, 3))
    time_ms, total, last = case.begins_ms, 0, 0
    for _ in range(case.chance.one_of(1, 5)):
        amount = _steal(case)
        last = case.pay(time_ms, case.draw_victim(), mule, amount, Stage.PLACEMENT)
        total += amount
        time_ms = _soon(case, time_ms, 8 * HOUR_MS)
    shares = case.split(case.keep_fee(total), len(collectors))
    for collector, share in zip(collectors, shares, strict=True):
        last = _soon(case, last, 2 * HOUR_MS)
        case.pay(last, mule, collector, share, Stage.LAYERING)
        _cash(case, collector, case.keep_fee(share), _soon(case, last, 5 * HOUR_MS))


def draw_victims_name(case: Case) -> None:
    """A new wallet is filled from the victim's deposit, and emptied to mules and shops."""
    wallet = case.world.unused.pop() if case.world.unused else case.draw_victim()
    device = case.chance.choose(case.ring.devices)
    mules = case.recruit(3)
    time_ms = case.begins_ms
    for _ in range(case.chance.one_of(1, 4)):
        amount = _steal(case)
        case.pay(time_ms, case.bank_wallet(wallet), wallet, amount, Stage.PLACEMENT)
        out = _soon(case, time_ms, 3 * HOUR_MS)
        if case.chance.happens(40):
            payee = case.shop_wallet(case.draw_shop(Kind.VALUABLES))
            case.pay(out, wallet, payee, case.keep_fee(amount), Stage.INTEGRATION, device)
        else:
            mule = case.chance.choose(mules)
            case.pay(out, wallet, mule, case.keep_fee(amount), Stage.LAYERING, device)
        time_ms = _soon(case, out, 12 * HOUR_MS)


def draw_overpaid_refund(case: Case) -> None:
    """Goods are overpaid with dirty money, and the shop refunds the difference to another mule."""
    payers = case.recruit(case.chance.one_of(2, 5))
    receiver = payers.pop()
    time_ms = case.begins_ms
    for payer in payers:
        shop = case.shop_wallet(case.draw_shop(case.chance.choose([Kind.VALUABLES, Kind.FASHION])))
        paid = _steal(case) + 100_00
        case.pay(time_ms, payer, shop, paid, Stage.PLACEMENT)
        refunded = paid * case.chance.one_of(70, 95) // 100
        later = _soon(case, time_ms, 6 * HOUR_MS)
        case.pay(later, shop, receiver, refunded, Stage.LAYERING)
        time_ms = _soon(case, later, 20 * HOUR_MS)


def draw_collecting_merchant(case: Case) -> None:
    """A shop that sells nothing is paid by many, and pays it on to the ring once a day."""
    shop = case.shop_wallet(case.chance.choose(case.ring.shells))
    collector = case.recruit(1)[0]
    for day in range(case.chance.one_of(1, 3)):
        begins, total, last = case.begins_ms + day * DAY_MS, 0, 0
        for _ in range(case.chance.one_of(4, 9)):
            amount = (case.chance.amount(_PUNT_MEDIAN, UNIT) // 10_00 + 1) * 10_00
            time_ms = _soon(case, begins, 9 * HOUR_MS)
            last = max(last, time_ms)
            case.pay(time_ms, case.draw_victim(), shop, amount, Stage.PLACEMENT)
            total += amount
        last = _soon(case, last, 3 * HOUR_MS)
        case.pay(last, shop, collector, case.keep_fee(total), Stage.LAYERING)


def draw_shop_cash_out(case: Case) -> None:
    """What a victim pays a mule becomes goods in one shop after the other, within two hours."""
    [mule] = case.recruit(1)
    amount = _steal(case) * 3
    time_ms = case.pay(case.begins_ms, case.draw_victim(), mule, amount, Stage.PLACEMENT)
    for share in case.split(case.keep_fee(amount), case.chance.one_of(3, 7)):
        time_ms = _soon(case, time_ms, 20 * MINUTE_MS)
        shop = case.shop_wallet(case.draw_shop(Kind.VALUABLES))
        case.pay(time_ms, mule, shop, share, Stage.INTEGRATION)


def draw_account_takeover(case: Case) -> None:
    """A stranger pays from the victim's wallet: another device, mostly at night, large amounts."""
    victim = case.draw_victim()
    device = case.chance.choose(case.ring.devices)
    mules = case.recruit(2)
    time_ms = case.begins_ms
    if case.chance.happens(60):
        time_ms += DAY_MS - time_ms % DAY_MS + case.chance.one(5 * HOUR_MS)
    for _ in range(case.chance.one_of(1, 5)):
        amount = _steal(case)
        if case.chance.happens(35):
            kind = case.chance.choose([Kind.VALUABLES, Kind.ONLINE])
            payee, stage = case.shop_wallet(case.draw_shop(kind)), Stage.INTEGRATION
        else:
            payee, stage = case.chance.choose(mules), Stage.LAYERING
        case.pay(time_ms, victim, payee, amount, stage, device)
        time_ms = _soon(case, time_ms, 40 * MINUTE_MS)


def draw_push_payment(case: Case) -> None:
    """A deceived victim pays a mule from their own device, ever more."""
    victim = case.draw_victim()
    [mule] = case.recruit(1)
    time_ms, amount = case.begins_ms, _steal(case)
    for _ in range(case.chance.one_of(1, 4)):
        case.pay(time_ms, victim, mule, amount, Stage.PLACEMENT)
        amount = amount * case.chance.one_of(100, 200) // 100
        time_ms = _soon(case, time_ms, 2 * DAY_MS)


CRIMES: dict[Pattern, Callable[[Case], None]] = {
    Pattern.MULE_WALLET: draw_mule_wallet,
    Pattern.VICTIMS_NAME: draw_victims_name,
    Pattern.OVERPAID_REFUND: draw_overpaid_refund,
    Pattern.COLLECTING_MERCHANT: draw_collecting_merchant,
    Pattern.SHOP_CASH_OUT: draw_shop_cash_out,
    Pattern.ACCOUNT_TAKEOVER: draw_account_takeover,
    Pattern.PUSH_PAYMENT: draw_push_payment,
}
