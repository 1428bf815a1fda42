"""The demo's run: plays the town's day through the engine, and checks what came of it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from operator import attrgetter
from typing import Any, Protocol

from hansa.engine.ordering import Answer, Engine
from hansa.kernel.block import decode_receipt
from hansa.kernel.genesis import Network
from hansa.node.audit import audit
from hansa.node.demo.council import Council
from hansa.node.demo.offices import NO_METHODS, IdentityReport, Methods, Offices
from hansa.node.demo.town import Act, Day, Stage, Town
from hansa.node.demo.training import Training
from hansa.sdk.build import SignedTransaction, sign_batch, sign_transaction

BATCH_ACTS = 400
GUARDED_ACTS = 80
"""Where operators decide: all of a part happens at one time of the town's day, for features."""
VALIDITY_MS = 600_000

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class LendingReport:
    """What reconciling the loans of several banks came to; of none, if nobody lends."""

    loans: int = 0
    pairs: int = 0
    """Of banks."""
    entries: int = 0
    matched: int = 0
    """Pairs of entries, and entries with their parts."""
    breaks: Counter[str] = field(default_factory=Counter)
    """Found as planted, by class."""
    planted: int = 0
    found: int = 0
    """In its class, with its entries, on its day."""
    wrong: int = 0
    """Breaks that are none, or of which something is wrong, each day."""
    healed: int = 0
    settled_minor: int = 0
    case: str = ""
    """How the case of one break ended."""

    @property
    def is_right(self) -> bool:
        """Whether all that was planted was found, and nothing else."""
        return self.found == self.planted and not self.wrong

    def to_json(self) -> dict[str, Any]:
        """Build the object that `--json` prints."""
        return {
            "loans": self.loans,
            "pairs": self.pairs,
            "entries": self.entries,
            "matched": self.matched,
            "breaks": dict(sorted(self.breaks.items())),
            "planted": self.planted,
            "found": self.found,
            "wrong": self.wrong,
            "healed": self.healed,
            "settled_minor": str(self.settled_minor),
            "case": self.case,
        }


@dataclass(slots=True)
class RiskReport:
    """What risk control came to; of nothing, if no operator decides."""

    verdicts: dict[str, int] = field(default_factory=dict)
    """Transactions by what was decided on them."""
    planted: dict[str, int] = field(default_factory=dict)
    """Payments that are part of a crime, by its kind."""
    stopped: dict[str, int] = field(default_factory=dict)
    """Of these, those that were not paid."""
    sound_asked: int = 0
    """Sound payments of which a customer or an officer was asked, and that were paid then."""
    sound_stopped: int = 0
    """Sound payments that were not paid."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Weightiest reasons for which crimes were held, the most frequent ones."""
    example_tx: str = ""
    """One that was stopped by the operator whose node is served."""
    example_reasons: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Build the object that `--json` prints."""
        return {
            "decided": sum(self.verdicts.values()),
            "verdicts": dict(sorted(self.verdicts.items())),
            "planted": dict(sorted(self.planted.items())),
            "stopped": dict(sorted(self.stopped.items())),
            "sound_asked": self.sound_asked,
            "sound_stopped": self.sound_stopped,
            "reasons": self.reasons,
            "example_tx": self.example_tx,
            "example_reasons": self.example_reasons,
        }


@dataclass(frozen=True, slots=True)
class Sent:
    """What somebody of the town sends."""

    act: Act
    signed: SignedTransaction


Item = tuple[bytes, bytes | None]
"""An envelope and its attestation, as a batch takes them."""


class Guarding(Protocol):
    """Operators that decide on payments: `hansa.node.demo.guarding`, which loads slowly."""

    @property
    def crimes(self) -> Sequence[Act]:
        """What they are to find among the payments of the day."""

    def stages(self) -> Iterator[Stage]:
        """Yield the stages by which they begin."""

    async def attest(self, sponsor: int, sent: Sequence[Sent]) -> list[Item]:
        """Have an operator decide; returns what it brings in."""

    async def finish(self) -> RiskReport:
        """Tell what came of it, once the stages are over."""


class Lending(Protocol):
    """Banks that lend together, and reconcile: `hansa.node.demo.lending`, which loads slowly."""

    def stages(self, day_ms: int) -> Iterator[Stage]:
        """Yield the stages, all of the town's day."""

    def report(self) -> LendingReport:
        """Tell what came of it, once the stages are over."""


@dataclass(slots=True)
class DemoReport:
    """What the day came to."""

    confirmed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    audit_ok: bool = False
    supply_ok: bool = False
    height: int = 0
    state_root: str = ""
    assets: dict[str, dict[str, int]] = field(default_factory=dict)
    example_tx: str = ""
    identity: IdentityReport = field(default_factory=IdentityReport)
    lending: LendingReport = field(default_factory=LendingReport)
    risk: RiskReport = field(default_factory=RiskReport)

    def to_json(self) -> dict[str, Any]:
        """Build the object that `--json` prints."""
        return {
            "confirmed": self.confirmed,
            "refused": dict(sorted(self.refused.items())),
            "per_s": round(self.confirmed / self.seconds) if self.seconds else 0,
            "audit_ok": self.audit_ok,
            "supply_ok": self.supply_ok,
            "height": self.height,
            "state_root": self.state_root,
            "seconds": round(self.seconds, 2),
            "assets": {
                asset: {ledger: str(minor) for ledger, minor in totals.items()}
                for asset, totals in self.assets.items()
            },
            "example_tx": self.example_tx,
            "identity": self.identity.to_json(),
            "reconciliation": self.lending.to_json(),
            "risk": self.risk.to_json(),
        }


class TownClock:
    """The wall clock, put back while the demo plays what happened before the town's day."""

    def __init__(self, wall_ms: Callable[[], int], before_ms: int = 0) -> None:
        self._wall_ms = wall_ms
        self.before_ms = before_ms

    def __call__(self) -> int:
        """Tell the time, in milliseconds since 1970."""
        return self._wall_ms() - self.before_ms


class DemoRun:
    """Plays a day, and what led to it, through a running engine that goes by the same clock."""

    def __init__(
        self,
        engine: Engine,
        town: Town,
        clock_ms: TownClock,
        methods: Methods = NO_METHODS,
        lending: Lending | None = None,
        guard: Guarding | None = None,
    ) -> None:
        """`methods` are further keys in DID documents, by the places of their subjects."""
        self._methods = methods
        self._lending = lending
        self._guard = guard
        self._engine = engine
        self._network: Network = engine.chain.network
        self._town = town
        self._clock_ms = clock_ms
        self._nonces = 0
        self.report = DemoReport()

    async def play(self, payment_count: int, progress: Progress) -> DemoReport:
        """Play all stages, then audit; each stage is confirmed before the next begins."""
        self._clock_ms.before_ms = 0
        day_ms = self._clock_ms()
        begun = time.monotonic()
        crimes = () if self._guard is None else self._guard.crimes
        offices = Offices(self._town, self._engine.chain, self._clock_ms, self._methods)
        self.report.identity = offices.report
        plans = (
            Council(self._town, day_ms),
            Day(self._town, payment_count, day_ms, crimes),
            offices,
            Training(self._town, offices, self._network.digest, self._clock_ms),
        )
        stages = [plan.stages() for plan in plans]
        if self._lending is not None:
            stages.append(self._lending.stages(day_ms))
        if self._guard is not None:
            stages.append(self._guard.stages())
        for stage in merge(*stages, key=attrgetter("before_ms"), reverse=True):
            self._clock_ms.before_ms = stage.before_ms
            acts = stage.acts if stage.prepare is None else await stage.prepare()
            size = BATCH_ACTS if self._guard is None else GUARDED_ACTS
            for start in range(0, len(acts), size):
                part = acts[start : start + size]
                await self._submit(part)
                progress(stage.name, start + len(part), len(acts))
        if self._lending is not None:
            self.report.lending = self._lending.report()
        if self._guard is not None:
            self.report.risk = await self._guard.finish()
        self.report.seconds = time.monotonic() - begun
        self._check()
        return self.report

    async def _submit(self, acts: list[Act]) -> None:
        """Submit acts, one batch per sponsor, in order of the sponsors."""
        until = self._clock_ms() + VALIDITY_MS
        groups: dict[int, list[Sent]] = {}
        for act in acts:
            signed = sign_transaction(self._network, act.keys, act.commands, until)
            groups.setdefault(act.sponsor, []).append(Sent(act, signed))
        raws = []
        for sponsor, sent in sorted(groups.items()):
            items: list[Item] = [(each.signed.envelope, None) for each in sent]
            if self._guard is not None:
                items = await self._guard.attest(sponsor, sent)
            if items:
                institution = self._town.institutions[sponsor].address
                server = self._town.servers[sponsor]
                raws.append(sign_batch(self._network, institution, server, items))
        # Verified side by side, ordered as listed: the same seed ends in the same balances.
        verdicts = await asyncio.gather(*map(self._engine.verifier.check_batch, raws))
        waiting = map(self._engine.submit_checked, raws, verdicts)
        for answers in await asyncio.gather(*waiting):
            for answer in answers:
                self._count(answer)

    def _count(self, answer: Answer) -> None:
        report = self.report
        if answer.error is not None:
            report.refused[answer.error.code.value] += 1
            return
        receipt = decode_receipt(answer.receipt)
        if receipt.code:
            report.refused[receipt.code] += 1
        else:
            report.confirmed += 1
            report.example_tx = receipt.tx_id.hex()

    def _check(self) -> None:
        """Replay the audit over everything the chain holds."""
        chain, report = self._engine.chain, self.report
        found = audit(chain.iterate_records(0), self._network)
        report.audit_ok = found.audit_ok
        report.supply_ok = found.supply_ok
        report.assets = found.assets
        report.height = chain.head.height
        report.state_root = chain.head.state_root.hex()
