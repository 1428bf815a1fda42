"""Commands of the contracts of reconciliation, chosen at random; some of each kind must be refused.

Two banks agree anew after every few dozen commands: what one of them posts and the ledger does not
take, as others are in between, puts their counts out for the rest of an agreement.
"""

from __future__ import annotations

from collections import Counter

from tests.world import ASSET, key

from hansa.contracts.reconciliation import agreements, cases, positions, reconciliation
from hansa.contracts.reconciliation.reconciliation import Bracketed, Item
from hansa.kernel.crypto.hashing import crypto_profile

BANKS = ("north", "south")
STRETCH = 30
"""Commands about one window, by and large in the order in which they can follow."""
ROUND = 2 * STRETCH
"""Commands of one agreement."""
TAGS = 6


def make_tag(number):
    return number.to_bytes(16, "big")


def make_hash(number):
    return number.to_bytes(32, "big")


class MixedReconciliation:
    """Chooses commands, and who signs them."""

    def __init__(self, random):
        self._random = random
        self._digest = crypto_profile("sha256").digest
        self._count = 0
        self._posted = Counter()

    def choose(self, _):
        """Choose a command; returns the names of its signers and the command."""
        number, place = divmod(self._count, ROUND)
        self._count += 1
        left, right = (key(name).address for name in BANKS)
        proposal = agreements.Propose(left, left, right, make_hash(number), 20_000, 1, 1)
        self._agreement = agreements.compute_id(proposal, self._digest)
        if place == 0:
            self._posted.clear()
            return [BANKS[0]], proposal
        if place == 1:
            return [BANKS[1]], agreements.Accept(self._agreement, right)
        if place == ROUND - 1:
            return [BANKS[0]], agreements.End(self._agreement, left)
        self._window, phase = divmod(place, STRETCH)
        self._name = BANKS[place % 2]
        self._bank = key(self._name).address
        kinds = (self._post, self._advance, self._bracket, self._case, self._state, self._owe)
        chosen = kinds[phase * len(kinds) // STRETCH]
        return [self._name], self._random.choice((*[chosen] * 12, *kinds))()

    def _post(self):
        window = self._window
        numbers = [self._random.randrange(TAGS) for _ in range(self._random.randrange(1, 9))]
        self._posted[self._name, window] += len(numbers)
        items = tuple(Item(make_tag(number), make_hash(number)) for number in numbers)
        return reconciliation.Post(self._agreement, self._bank, window, items)

    def _advance(self):
        return reconciliation.Advance(self._agreement, self._bank, self._window + 1)

    def _bracket(self):
        """Post buckets of a tag that may be open."""
        tag = make_tag(self._random.randrange(TAGS))
        items = (Bracketed(tag, (make_tag(self._random.randrange(4)),)),)
        return reconciliation.Bracket(self._agreement, self._bank, self._window, items)

    def _state(self):
        """State a result about the last window, which seldom differs."""
        window = self._window
        counts = (self._posted[name, window] for name in BANKS)
        result = make_hash(self._random.choice((1, 1, 1, 2)))
        return reconciliation.Agree(self._agreement, self._bank, window, *counts, result, ())

    def _case(self):
        """Open one of two cases, or bring it on."""
        case_id, terms = make_hash(self._random.randrange(2)), make_hash(7)
        named = self._agreement, self._bank
        chance = self._random.randrange(5)
        if chance == 0:
            return cases.Open(*named, self._window, case_id)
        if chance == 1:
            return cases.Propose(*named, case_id, self._random.choice(list(cases.Kind)), terms)
        if chance == 2:
            return cases.Accept(*named, case_id, terms)
        if chance == 3:
            return cases.Decline(*named, case_id)
        return cases.Withdraw(*named, case_id)

    def _owe(self):
        """Sign a net position of nothing, or settle it."""
        opening = positions.Settle(
            self._agreement, self._window, ASSET, key(BANKS[0]).address, 0, make_hash(8)
        )
        if self._name == BANKS[0] and self._random.random() < 0.5:
            return opening
        commitment = positions.compute_commitment(opening, self._digest)
        return positions.Sign(self._agreement, self._bank, self._window, ASSET, commitment)
