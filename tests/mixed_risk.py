"""Commands of the contract of risk, chosen at random; some of each kind must be refused.

Each operator gets a second officer first, since one alone approves no model and no policy; both
sign every second declaration. Models, and policies that are named alike, come anew after every few
dozen commands, as what is retired is so for good.
"""

from __future__ import annotations

from tests.world import key

from hansa.contracts import accounts
from hansa.contracts.risk import risk
from hansa.contracts.risk.in_force import Basis
from hansa.kernel.authority import ALL_PURPOSES, AccountKey, Purpose

OPERATORS = ("north", "south")
ROUND = 60
"""Commands about the same few models."""
MODELS = 4


def make_model(number):
    """Make the hash of a manifest; of the first one, what stands for none."""
    return number.to_bytes(32, "big")


def add_officer(name):
    """Make the command that gives an operator of `world` a second officer."""
    keys = (
        AccountKey(key(name).address, int(ALL_PURPOSES & ~Purpose.SPONSOR)),
        AccountKey(key(f"{name} officer").address, int(Purpose.OPERATE)),
        AccountKey(key(f"{name} server").address, int(Purpose.SPONSOR)),
    )
    return accounts.SetKeys(key(name).address, keys, 1)


class MixedRisk:
    """Chooses commands, and who signs them."""

    def __init__(self, random):
        self._random = random
        self._count = 0

    def choose(self, _):
        """Choose a command; returns the names of its signers and the command."""
        number = self._count
        self._count += 1
        if number < len(OPERATORS):
            return [OPERATORS[number]], add_officer(OPERATORS[number])
        name = self._random.choice(OPERATORS)
        named = key(name).address, self._choose_model()
        kinds = (risk.Propose, risk.Approve, risk.Declare, risk.Suspend, risk.Withdraw, risk.Retire)
        kind = self._random.choices(kinds, (6, 8, 6, 2, 1, 1))[0]
        officers = [name, f"{name} officer"]
        signer = self._random.choice(officers)
        if kind is not risk.Declare:
            return [signer], kind(*named)
        models = {self._choose_model() for _ in range(self._random.randrange(3))}
        bases = tuple(Basis(each, each) for each in sorted(models))
        signers = officers if self._random.randrange(2) else [signer]
        return signers, risk.Declare(named[0], bases)

    def _choose_model(self):
        return make_model(MODELS * (self._count // ROUND) + self._random.randrange(MODELS))
