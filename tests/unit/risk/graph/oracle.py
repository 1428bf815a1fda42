"""The features of a payment, told slowly from a list of all payments before it.

Nothing here knows of rings, tables or bounds. A payment is (payer, payee, amount, time).
"""

from copy import deepcopy
from fractions import Fraction
from math import floor

from hansa.risk.graph.catalogue import AMOUNT_MAX, RATIO_MAX

WIDE = 2**46


class Receipt:
    """What a wallet received, and what is left of it."""

    def __init__(self, payment, chain, squares):
        _, _, self.amount, self.time_ms = payment
        self.left = self.amount
        self.chain = chain
        self.squares = squares


class Oracle:
    """All payments so far; `tell` gives what the next one's row must say, by name."""

    def __init__(self, reach):
        self.reach = reach
        self.payments = []
        self.receipts = {}

    def tell(self, payment, *, is_made=True):
        receipts = deepcopy(self.receipts)
        payer, payee, amount, time_ms = payment
        start_ms = time_ms - self.reach.long_ms
        past = [one for one in self.payments if one[3] >= start_ms]
        told = self._tell_rings(payment, past) | self._tell_pair(payment, past)
        told |= self._tell_cycles(payment, past) | self._tell_middlemen(payment, past)
        told |= self._tell_squares(payment, past)
        flow, chain = self._draw(payment, past)
        told |= flow
        paid = told["payer_out_minor"] + amount
        received = told["payer_in_minor"]
        told["payer_passed_share"] = share(paid, received) if received else -1
        told["payee_passed_share"] = share(told["payee_out_minor"], told["payee_in_minor"] + amount)
        fan_out = len({one[1] for one in past if one[0] == payer} | {payee})
        told["gathered"] = min(told["payer_in_fan_long"], fan_out)
        told["capped"] = 0
        if not is_made:
            self.receipts = receipts
            return told
        self.payments.append(payment)
        self.receipts.setdefault(payee, []).append(Receipt(payment, chain, told["squares"]))
        return told

    def _tell_rings(self, payment, past):
        payer, payee, amount, time_ms = payment
        told = {}
        for name, wallet, mine, other in (
            ("payer_out", payer, 0, 1),
            ("payer_in", payer, 1, 0),
            ("payee_in", payee, 1, 0),
            ("payee_out", payee, 0, 1),
        ):
            ring = [one for one in past if one[mine] == wallet]
            short = [one for one in ring if one[3] >= time_ms - self.reach.short_ms]
            told[f"{name}_short"] = len(short)
            told[f"{name}_long"] = len(ring)
            told[f"{name}_fan_short"] = len({one[other] for one in short})
            told[f"{name}_fan_long"] = len({one[other] for one in ring})
            told[f"{name}_minor"] = min(sum(one[2] for one in ring), AMOUNT_MAX)
            told[f"{name}_alike"] = sum(abs(one[2] - amount) <= amount / 8 for one in ring)
        return told

    def _tell_pair(self, payment, past):
        payer, payee, amount, time_ms = payment
        forth = [one for one in past if one[:2] == (payer, payee)]
        back = [one for one in past if one[:2] == (payee, payer)]
        return {
            "pair": len(forth),
            "pair_age_ms": time_ms - forth[-1][3] if forth else -1,
            "back": len(back),
            "back_age_ms": time_ms - back[-1][3] if back else -1,
            "back_share": likeness(back[-1][2], amount) if back else -1,
        }

    def _draw(self, payment, past):
        payer, payee, amount, time_ms = payment
        receipts = [
            one
            for one in reversed(self.receipts.get(payer, []))
            if one.time_ms >= time_ms - self.reach.long_ms
        ]
        need, draws = amount, []
        for receipt in receipts:
            drawn = min(need, receipt.left)
            receipt.left -= drawn
            need -= drawn
            draws.append(drawn)
        told = dict.fromkeys(
            ("held_ms", "drawn_share", "since_share", "alike_share", "alike_held_ms"), -1
        )
        told["covered_share"] = share(amount - need, amount)
        told["covered_receipts"] = sum(drawn > 0 for drawn in draws)
        told["unspent_share"] = -1
        told["stacked_squares"] = told["since"] = 0
        chain = (time_ms, amount, payer, 1)
        if receipts:
            left = sum(one.left for one in receipts)
            told["unspent_share"] = share(left, sum(one.amount for one in receipts))
            told["alike_share"] = max(likeness(one.amount, amount) for one in receipts)
            told["alike_held_ms"] = next(
                time_ms - one.time_ms
                for one in receipts
                if likeness(one.amount, amount) == told["alike_share"]
            )
        if any(draws):
            main = receipts[draws.index(max(draws))]
            told["held_ms"] = time_ms - main.time_ms
            told["drawn_share"] = share(max(draws), main.amount)
            since = [one[2] for one in past if one[0] == payer and one[3] >= main.time_ms]
            told["since"] = len(since) + 1
            told["since_share"] = share(sum(since) + amount, main.amount)
            if 2 * (amount - need) >= amount and told["held_ms"] <= self.reach.short_ms:
                chain = (*main.chain[:3], main.chain[3] + 1)
                told["stacked_squares"] = main.squares
        told["chain"] = chain[3]
        told["chain_span_ms"] = time_ms - chain[0]
        told["chain_share"] = share(amount, chain[1])
        told["chain_returns"] = int(chain[2] == payee)
        told["payer_chained"] = sum(one.chain[3] > 1 for one in receipts)
        others = [
            one.amount
            for one in self.receipts.get(payee, [])
            if one.chain[3] > 1 and one.time_ms >= time_ms - self.reach.long_ms
        ]
        told["payee_chained"] = len(others)
        told["payee_chained_minor"] = min(sum(others), AMOUNT_MAX)
        return told, chain

    def _is_alike(self, one, amount):
        return one[2] <= amount * self.reach.factor and amount <= one[2] * self.reach.factor

    def _tell_cycles(self, payment, past):
        payer, payee, amount, time_ms = payment
        alike = [one for one in past if self._is_alike(one, amount)]
        found = []

        def walk(way, wallet, seen):
            for one in alike:
                if one[0] != wallet or (way and one[3] < way[-1][3]):
                    continue
                if one[1] == payer:
                    found.append([*way, one])
                elif one[1] not in seen and len(way) < 3:
                    walk([*way, one], one[1], seen | {one[1]})

        walk([], payee, {payee})
        told = {f"cycles_{length}": 0 for length in range(2, 6)}
        best = (-1, 0, 1, 0)
        for way in found:
            told[f"cycles_{len(way) + 1}"] += 1
            amounts = [amount, *(one[2] for one in way)]
            kept = share(min(amounts), max(amounts))
            best = max(best, (kept, -len(way) - 1, way[0][3] - time_ms, min(amounts)))
        told["cycle_share"], told["cycle_length"] = best[0], -best[1]
        told["cycle_span_ms"], told["cycle_minor"] = -best[2], best[3]
        return told

    def _tell_middlemen(self, payment, past):
        payer, payee, amount, time_ms = payment
        last = {one[0]: one for one in past if one[1] == payee and one[0] != payer}
        best = (0, 0, 1)
        sources = {one[0] for one in past if one[1] == payer and self._is_alike(one, amount)}
        for source in sources - {payee}:
            first = {}
            for one in past:
                if one[0] == source and one[1] in last and one[3] <= last[one[1]][3]:
                    first[one[1]] = one
            through = sum(min(one[2], last[middle][2]) for middle, one in first.items())
            since = min((one[3] for one in first.values()), default=time_ms + 1)
            best = max(best, (len(first), min(through, AMOUNT_MAX), since - time_ms))
        return {
            "middlemen": best[0],
            "middlemen_minor": best[1],
            "middlemen_span_ms": -best[2],
        }

    def _tell_squares(self, payment, past):
        payer, payee, amount, _ = payment
        payees = {one[1] for one in past if one[0] == payer} - {payee}
        payers = {one[0] for one in past if one[1] == payee and self._is_alike(one, amount)}
        shared = [
            len(payees & {one[1] for one in past if one[0] == other}) for other in payers - {payer}
        ]
        return {"co_payers": sum(count > 0 for count in shared), "squares": sum(shared)}


def share(part, whole):
    """A share exactly, but of numbers so large that the last seven bits are let go of."""
    while max(part, whole) >= WIDE:
        part, whole = part // 128, whole // 128
    return min(floor(Fraction(part, max(whole, 1)) * 2**16), RATIO_MAX)


def likeness(one, other):
    return share(min(one, other), max(one, other))
