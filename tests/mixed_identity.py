"""Commands of the contracts of identity, chosen at random; some of each kind must be refused."""

from __future__ import annotations

import hashlib

from tests.faulted import PEOPLE
from tests.world import MINUTE_MS, key

from hansa.contracts import wallets
from hansa.contracts.identity import (
    accreditation,
    consent,
    did,
    documents,
    evidence,
    schemas,
    status,
    tiers,
)
from hansa.contracts.wallets import Category
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.crypto.hashing import crypto_profile

PAPERS = 40
ACCREDITING = "north"


def name_consent(giver, paper):
    return consent.compute_id(key(giver).address, paper, crypto_profile("sha256").digest)


def hash_paper(number):
    """Hash the paper of this number."""
    return hashlib.sha256(b"paper" + number.to_bytes(4, "big")).digest()


class MixedIdentity:
    """Chooses commands, and who signs them."""

    def __init__(self, random):
        self._random = random

    def choose(self, time_ms):
        """Choose a command; returns the names of its signers and the command."""
        kinds = (
            self._notarise,
            self._vouch,
            self._list,
            self._take_back,
            self._allow,
            self._use,
            self._speak,
            self._publish,
            self._accredit,
            self._lift,
        )
        return self._random.choice(kinds)(time_ms)

    def let_accredit(self, time_ms):
        """Let the member that accredits others do so, by a vote of the network."""
        parties = (accreditation.NETWORK, key(ACCREDITING).address, "type-0")
        return accreditation.Accredit(*parties, 1, 0, time_ms + DAY_MS)

    def _choose_people(self, count):
        names = [f"p{number}" for number in self._random.sample(range(PEOPLE), count)]
        return names, [key(name).address for name in names]

    def _choose_paper(self):
        return hash_paper(self._random.randrange(PAPERS))

    def _notarise(self, _):
        (notary, _), addresses = self._choose_people(2)
        if self._random.random() < 0.5:
            paper = self._choose_paper()
            command = evidence.Notarise(addresses[0], paper, 0, tuple(addresses[1:]))
            return [notary], command
        numbers = [self._random.randrange(2**32) for _ in range(20)]
        return [notary], evidence.NotariseMany(addresses[0], tuple(map(hash_paper, numbers)))

    def _vouch(self, _):
        (notary, other), (first, second) = self._choose_people(2)
        paper = self._choose_paper()
        kind = self._random.randrange(3)
        if kind == 0:
            return [other], evidence.Cosign(first, paper, second)
        if kind == 1:
            return [notary], evidence.AddNote(first, paper, first, paper)
        return [notary], evidence.Revoke(first, paper)

    def _lift(self, time_ms):
        """Lift somebody's wallet by one of a few persons' credentials, or end that."""
        wallet = key(f"lifted {self._random.randrange(12)}").address
        operator = self._random.choice(("north", "north", "south"))
        if self._random.random() < 0.3:
            return ["north"], wallets.Open(wallet, key("north").address, Category.IV)
        if self._random.random() < 0.3:
            reason = self._random.choice(list(tiers.Reason))
            return [operator], tiers.Lower(wallet, key(operator).address, reason)
        if self._random.random() < 0.1:
            return ["anybody"], tiers.Sweep(wallet)
        person = hash_paper(self._random.randrange(8))
        category = self._random.choice((Category.I, Category.II, Category.III))
        until_ms = time_ms + MINUTE_MS * self._random.randrange(1, 20)
        shown = (person, self._choose_paper(), time_ms + MINUTE_MS, until_ms)
        return [operator], tiers.Raise(wallet, key(operator).address, category, *shown)

    def _speak(self, time_ms):
        """Change somebody's document: begun, in its first versions, or ended, which is rare."""
        (name, _), (address, friend) = self._choose_people(2)
        site = documents.Service("site", "LinkedDomains", f"https://{name}.example")
        until_ms = self._random.choice((time_ms, time_ms + MINUTE_MS, time_ms + 9 * MINUTE_MS))
        content = documents.Content((), (site,), (documents.Delegate(friend, 3, until_ms),))
        keys = (documents.KeyBytes(1, key(name).public_key),)
        kind = self._random.random()
        if kind < 0.5:
            return [name], did.Create(address, content, keys)
        if kind < 0.9:
            return [name], did.Update(address, self._random.randrange(1, 4), content, ())
        if kind < 0.95:
            return [name], did.PublishKeys((*keys, documents.KeyBytes(1, address)))
        return [name], did.Deactivate(address)

    def _publish(self, _):
        """Publish one of the first versions of three types, or retire it."""
        owner = self._random.choice(("north", "south"))
        name, version = f"type-{self._random.randrange(3)}", self._random.randrange(1, 6)
        if self._random.random() < 0.8:
            return [owner], schemas.Publish(key(owner).address, name, version, "{}", "[]")
        return [owner], schemas.Retire(key(owner).address, name, version)

    def _list(self, _):
        """Begin one of the lists of three issuers; most are there already."""
        issuer, number = self._choose_list()
        bits = self._random.choice((status.Bits.ONE, status.Bits.TWO))
        return [issuer], status.CreateList(key(issuer).address, number, bits, 20_000)

    def _take_back(self, _):
        issuer, number = self._choose_list()
        kind = self._random.choice((status.Suspend, status.Suspend, status.Reinstate))
        if self._random.random() < 0.2:
            kind = status.Revoke
        indices = sorted(self._random.sample(range(20_010), 2))
        return [issuer], kind(key(issuer).address, number, tuple(indices))

    def _choose_list(self):
        return f"p{self._random.randrange(3)}", self._random.randrange(2)

    def _allow(self, time_ms):
        """Allow the next of a ring of people something, or have that one hand it on to the next."""
        at, paper = self._random.randrange(PEOPLE), hash_paper(self._random.randrange(4))
        giver, recipient, other = (self._find(at + step) for step in range(3))
        uses, until_ms = self._random.randrange(3), time_ms + 10 * MINUTE_MS
        if self._random.random() < 0.5:
            addresses = (key(giver).address, key(recipient).address)
            return [giver], consent.Give(*addresses, paper, 0, until_ms, uses, 2)
        parent = name_consent(giver, paper)
        until_ms -= MINUTE_MS * self._random.randrange(9)
        bounds = (0, until_ms, uses, self._random.randrange(3))
        return [recipient], consent.Delegate(parent, key(other).address, paper, *bounds)

    def _use(self, _):
        at, paper = self._random.randrange(PEOPLE), hash_paper(self._random.randrange(4))
        giver, recipient, provider = (self._find(at + step) for step in range(3))
        found = name_consent(giver, paper)
        if self._random.random() < 0.2:
            return [giver], consent.Revoke(found, key(giver).address)
        exchange = consent.RecordExchange(found, key(provider).address, paper)
        return [recipient, provider], exchange

    def _find(self, number):
        return f"p{number % PEOPLE}"

    def _accredit(self, time_ms):
        """Accredit or judge another; only who the network has accredited may."""
        granter, issuer = (ACCREDITING, self._find(self._random.randrange(PEOPLE)))
        parties = (key(granter).address, key(issuer).address, "type-0")
        if self._random.random() < 0.6:
            return [granter], accreditation.Accredit(*parties, 0, time_ms, time_ms + MINUTE_MS)
        kind = self._random.choice(
            (accreditation.Suspend, accreditation.Reinstate, accreditation.Revoke)
        )
        return [granter], kind(*parties, accreditation.Reason.BREACH, bytes(32))
