"""Signs transactions of every kind, many of which must be refused."""

from __future__ import annotations

from random import Random

from tests.faulted import PEOPLE
from tests.integration.test_cometbft_engine import flip
from tests.mixed_identity import MixedIdentity
from tests.mixed_reconciliation import MixedReconciliation
from tests.mixed_risk import MixedRisk
from tests.voted import open_signer, wall_clock_ms
from tests.world import ASSET, MINUTE_MS, key, pay

from hansa.contracts import governance, payments, wallets
from hansa.contracts.actions import Action, SetPolicy
from hansa.kernel.calendar import DAY_MS
from hansa.sdk.build import sign_batch

BATCH_ITEMS = 200
MEMBERS = ("officer0", "north", "south", "department0")


class Mixture:
    """Signs transactions of every kind, chosen by a seed; many of them must be refused."""

    def __init__(self, chain, seed):
        self._world = open_signer(chain)
        self._world.nonces = 10**9
        self._random = Random(seed)
        self._identity = MixedIdentity(self._random)
        self._reconciliation = MixedReconciliation(self._random)
        self._risk = MixedRisk(self._random)
        self._count = 0

    def sign_batch(self):
        """Sign a batch by one of its sponsors."""
        self._world.time_ms = wall_clock_ms()
        items = [(self._sign(), self._draw_attestation()) for _ in range(BATCH_ITEMS)]
        sponsor = self._random.choice(("north", "south"))
        signer = key(f"{sponsor} server")
        return sign_batch(self._world.network, key(sponsor).address, signer, items)

    def _draw_attestation(self):
        """Attest to some: what nobody opens may be anything."""
        return self._random.randbytes(32) if self._random.random() < 0.3 else None

    def _sign(self):
        self._count += 1
        kinds = [self._pay, self._pay_much, self._hold, self._end, self._open, self._govern]
        others = (self._identify, self._reconcile, self._control, self._take_back, self._keep)
        sign = self._random.choices((*kinds, *others), (60, 10, 10, 10, 20, 14, 25, 16, 8, 6, 6))[0]
        names, command = sign(f"m-{self._count}")
        signers = [names] if isinstance(names, str) else names
        envelope = self._world.sign([key(name) for name in signers], command)
        return flip(envelope) if self._random.random() < 0.02 else envelope

    def _choose_two(self):
        payer, payee = self._random.sample(range(PEOPLE), 2)
        return f"p{payer}", f"p{payee}"

    def _pay(self, reference):
        payer, payee = self._choose_two()
        return payer, pay(payer, payee, self._random.randrange(1, 100), reference)

    def _pay_much(self, reference):
        """Pay what nobody has: more than there is, or out of a wallet that is new, or never was."""
        payer, payee = self._choose_two()
        if self._random.random() < 0.5:
            return payer, pay(payer, payee, 10**9, reference)
        payer = f"new-m-{self._random.randrange(1, self._count + 1)}"
        return payer, pay(payer, payee, 5, reference)

    def _hold(self, _):
        payer, payee = self._choose_two()
        until = self._world.time_ms + 10 * MINUTE_MS
        addresses = (key(payer).address, key(payee).address)
        name = f"hold-{self._random.randrange(50)}"
        return payer, payments.Hold(*addresses, ASSET, 50, name, until)

    def _end(self, _):
        payer, payee = self._choose_two()
        name = f"hold-{self._random.randrange(50)}"
        if self._random.random() < 0.5:
            return payee, payments.Post(key(payer).address, name, 20)
        return payee, payments.Void(key(payer).address, name)

    def _open(self, reference):
        wallet = key(f"new-{reference}").address
        return "north", wallets.Open(wallet, key("north").address, wallets.Category(1))

    def _take_back(self, reference):
        """Refund something, or turn money of a wallet back into a deposit."""
        payer, payee = self._choose_two()
        if self._random.random() < 0.5:
            return payer, payments.CashOut(key(payer).address, ASSET, 1, reference)
        name = f"hold-{self._random.randrange(50)}"
        return payee, payments.Refund(key(payer).address, name, 1, reference)

    def _keep(self, _):
        """Have an operator or the owner do something with a wallet that was opened, or never."""
        owner = f"new-m-{self._random.randrange(1, self._count + 1)}"
        wallet = key(owner).address
        kind = self._random.randrange(4)
        if kind == 0:
            category = wallets.Category(self._random.randrange(1, 5))
            return "north", wallets.SetCategory(wallet, category)
        kinds = (wallets.SelfFreeze, wallets.SelfUnfreeze, wallets.Close)
        return ("north" if kind == 3 else owner), kinds[kind - 1](wallet)

    def _identify(self, _):
        return self._identity.choose(self._world.time_ms)

    def _reconcile(self, _):
        return self._reconciliation.choose(self._world.time_ms)

    def _control(self, _):
        return self._risk.choose(self._world.time_ms)

    def _govern(self, _):
        """Propose, vote for or carry out one of a few proposals, so that some pass."""
        member = self._random.choice(MEMBERS)
        address = key(member).address
        chance = self._random.random()
        if chance < 0.2:
            return member, governance.Propose(address, self._choose_action())
        number = self._random.randrange(1, 5)
        if chance < 0.5:
            return member, governance.Execute(number)
        return member, governance.Vote(number, address, self._random.random() < 0.9)

    def _choose_action(self):
        if self._random.random() < 0.7:
            terms = self._identity.let_accredit(self._world.time_ms)
            return Action.of("accredit", terms)
        days = (self._random.randrange(1, 180),)
        policy = SetPolicy("payments.refund_days", self._world.time_ms + 30 * DAY_MS, days)
        return Action.of("set_policy", policy)
