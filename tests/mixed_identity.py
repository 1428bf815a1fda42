"""Commands of the contracts of identity, chosen at random; some of each kind must be refused."""

from __future__ import annotations

import hashlib

from tests.faulted import PEOPLE
from tests.world import key

from hansa.contracts.identity import evidence, status

PAPERS = 40


def hash_paper(number):
    """Hash the paper of this number."""
    return hashlib.sha256(b"paper" + number.to_bytes(4, "big")).digest()


class MixedIdentity:
    """Chooses commands, and who signs them."""

    def __init__(self, random):
        self._random = random

    def choose(self):
        """Choose a command; returns the names of its signers and the command."""
        return self._random.choice((self._notarise, self._vouch, self._list, self._take_back))()

    def _choose_people(self, count):
        names = [f"p{number}" for number in self._random.sample(range(PEOPLE), count)]
        return names, [key(name).address for name in names]

    def _choose_paper(self):
        return hash_paper(self._random.randrange(PAPERS))

    def _notarise(self):
        (notary, _), addresses = self._choose_people(2)
        if self._random.random() < 0.5:
            paper = self._choose_paper()
            command = evidence.Notarise(addresses[0], paper, 0, tuple(addresses[1:]))
            return [notary], command
        numbers = [self._random.randrange(2**32) for _ in range(20)]
        return [notary], evidence.NotariseMany(addresses[0], tuple(map(hash_paper, numbers)))

    def _vouch(self):
        (notary, other), (first, second) = self._choose_people(2)
        paper = self._choose_paper()
        kind = self._random.randrange(3)
        if kind == 0:
            return [other], evidence.Cosign(first, paper, second)
        if kind == 1:
            return [notary], evidence.AddNote(first, paper, first, paper)
        return [notary], evidence.Revoke(first, paper)

    def _list(self):
        """Begin one of the lists of three issuers; most are there already."""
        issuer, number = self._choose_list()
        bits = self._random.choice((status.Bits.ONE, status.Bits.TWO))
        return [issuer], status.CreateList(key(issuer).address, number, bits, 20_000)

    def _take_back(self):
        issuer, number = self._choose_list()
        kind = self._random.choice((status.Suspend, status.Suspend, status.Reinstate))
        if self._random.random() < 0.2:
            kind = status.Revoke
        indices = sorted(self._random.sample(range(20_010), 2))
        return [issuer], kind(key(issuer).address, number, tuple(indices))

    def _choose_list(self):
        return f"p{self._random.randrange(3)}", self._random.randrange(2)
