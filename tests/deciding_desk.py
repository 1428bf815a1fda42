"""A node that decides on what north's customers pay: a small model, a few rules, a list."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager

import numpy as np
from msgspec.structs import replace
from tests.modelled import TREES, write_small
from tests.simulation.disk import SimulatedDisk
from tests.world import key, make_genesis, open_world

from hansa.contracts.risk.in_force import NO_MODEL, Basis
from hansa.contracts.risk.risk import Declare, Propose
from hansa.engine.verification import InlineVerifier
from hansa.kernel.authority import ALL_PURPOSES, AccountKey, Purpose
from hansa.kernel.crypto.address import to_text
from hansa.node.risk.clerk.clerk import Clerk
from hansa.node.risk.clerk.deciding import Deciding
from hansa.node.risk.clerk.journal import Journal
from hansa.node.risk.clerk.placing import InThread, find_begin
from hansa.node.risk.desk import RiskDesk
from hansa.node.risk.loading import MODELS, RiskFolder
from hansa.node.risk.registry import Registry
from hansa.node.service import Node
from hansa.passphrases import ScryptCost
from hansa.risk.intake.describing import FEATURES

NORTH = key("north").address
OFFICERS = ("north", "north2")
POLICY = b"""version = 1
[thresholds]
review_ppm = 800_000
[unscored]
review_from_minor = 1_000
"""
RULES = b"""name = "few"
[[rules]]
name = "notable"
verdict = "step_up"
all = ["amount_minor >= 400"]
[[rules]]
name = "huge"
verdict = "block"
all = ["amount_minor >= 5000"]
"""
CHEAP = ScryptCost(2, 8, 1)


def make_founded(attested_from_minor=1):
    """Make a network in which north has two officers."""
    officers = tuple(
        AccountKey(key(name).address, int(ALL_PURPOSES & ~Purpose.SPONSOR), 1) for name in OFFICERS
    )
    server = AccountKey(key("north server").address, int(Purpose.SPONSOR), 1)
    genesis = make_genesis({"payments.attestation_from_minor": (attested_from_minor,)})
    members = tuple(
        replace(each, keys=(*officers, server)) if each.address == NORTH else each
        for each in genesis.members
    )
    return replace(genesis, members=members)


class Losing(InThread):
    """A clerk that does what it is asked, and then may end before it tells."""

    def __init__(self, clerk):
        super().__init__(clerk)
        self.lost = {}
        """What is raised in the place of what comes of such work next."""

    async def ask(self, work, /, *arguments, **named):
        done = await super().ask(work, *arguments, **named)
        if work in self.lost:
            raise self.lost.pop(work)
        return done


class Bank:
    """North's node, with a clock that is put by hand."""

    def __init__(
        self,
        folder,
        *,
        attested_from_minor=1,
        models=("champion",),
        is_declared=True,
        world=None,
        rules=RULES,
    ):
        self.path = folder
        self.world = world or open_world(SimulatedDisk(1), make_founded(attested_from_minor))
        (folder / "policy.toml").write_bytes(POLICY)
        (folder / "rules.toml").write_bytes(rules)
        listed = to_text(key("listed").address)
        (folder / "lists.csv").write_text(
            f"subject,name,list,until,why\nwallet,{listed},block,,a court order\n"
        )
        self.registry = Registry(folder / MODELS, FEATURES)
        self.models = {}
        for name in models:
            model = self.registry.add(write_small(FEATURES, name=name, trees=LARGE_ONES), name)
            self.models[name] = model.manifest.model_id
        if models:
            self.registry.promote(self.models[models[0]].hex())
        self.policy_hash = RiskFolder(folder).loaded.policy_hash
        self.approve(*self.models.values())
        if is_declared:
            self.declare(*self.models.values(), NO_MODEL)

    def approve(self, *models):
        for model in models:
            assert self.world.do(OFFICERS, Propose(NORTH, model)) == ""

    def declare(self, *models):
        bases = tuple(Basis(model, self.policy_hash) for model in models)
        assert self.world.do(OFFICERS, Declare(NORTH, bases)) == ""

    def fund(self, *names):
        """Open wallets of customers; cash in is no payment of theirs."""
        self.world.fund(*names)

    late_ms = 0
    """How far its clock is behind ledger time."""
    place = InThread
    """Where the clerk works."""
    recent_max = 1_000
    """Of so many transactions it remembers what was decided."""

    def now_ms(self):
        return self.world.time_ms - self.late_ms

    def open_desk(self):
        """Open the risk desk over what is in the folder."""
        chain, salts = self.world.chain, itertools.count(1)

        def draw(count):
            return next(salts).to_bytes(count, "big")

        journal = Journal.open(self.path / "decisions.db", "secret", cost=CHEAP)
        begun_ms = find_begin(journal, self.now_ms())
        deciding = Deciding(
            chain.network, NORTH, journal, draw, begun_ms, recent_max=self.recent_max
        )
        clerk = self.place(Clerk(deciding, RiskFolder(self.path)))
        return RiskDesk(chain, NORTH, clerk, RiskFolder(self.path), self.now_ms)

    @asynccontextmanager
    async def running(self):
        """Run the node; gives it and its risk desk."""
        desk = self.open_desk()
        verifier = InlineVerifier(self.world.network)
        signer = key("north server")
        node = Node(self.world.chain, verifier, NORTH, signer, clock_ms=self.now_ms, risk=desk)
        await desk.start(node.desk.submit)
        node.engine.start()
        try:
            yield node, desk
        finally:
            await desk.stop()
            await node.engine.stop()

    def sign(self, name, *commands, until_ms=0):
        """Sign as a customer does, with a key and for ten minutes unless told otherwise."""
        until_ms = until_ms or self.now_ms() + 600_000
        return self.world.sign([key(name)], *commands, until_ms=until_ms)


LARGE_ONES = TREES._replace(feature=np.zeros(3, np.uint32))
"""One tree: what is above 500 minor units is fraud."""
