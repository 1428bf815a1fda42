"""The demo's risk control: three operators that decide on what their customers pay.

Each decides as its own node would, by what ships with Hansa; customers and officers answer for what
waits. A customer whose wallet was taken over says no to what its thief would pay, and one that was
deceived says yes; an officer who looks finds out what is a crime.

Loads slowly: of an extra.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from hansa.contracts.risk.in_force import NO_MODEL, Basis
from hansa.contracts.risk.risk import Declare, Propose
from hansa.engine.chain import Chain
from hansa.engine.ordering import Answer
from hansa.kernel.crypto.address import to_text
from hansa.node.api.keys import add_key
from hansa.node.api.rights import Role
from hansa.node.demo.crimes import LISTED, LISTED_PAYEE
from hansa.node.demo.run import Item, RiskReport, Sent
from hansa.node.demo.town import OPENED_MS, OPERATOR_NAMES, OPERATORS, PASSPHRASE, Act, Stage, Town
from hansa.node.home import DECISIONS, Home
from hansa.node.risk.beginning import begin
from hansa.node.risk.clerk.clerk import Clerk
from hansa.node.risk.clerk.deciding import Deciding
from hansa.node.risk.clerk.journal import Journal
from hansa.node.risk.clerk.judging import Answering
from hansa.node.risk.clerk.placing import InThread
from hansa.node.risk.desk import RiskDesk
from hansa.node.risk.loading import RiskFolder
from hansa.node.service import Node, wall_clock_ms
from hansa.node.sponsor.desk import Asked
from hansa.passphrases import ScryptCost
from hansa.risk.decisions.commitment import decode_record
from hansa.risk.verdicts import Verdict

TOWN_DAY_MS = 1_780_329_600_000
"""When the town's day begins by its clocks: 2 June 2026, midnight, eight hours ahead of UTC."""
ZONE_MS = 8 * 3_600_000
COST = ScryptCost(2**14, 8, 1)
"""The demo's passphrase is known to everybody: to guess it need not be made hard."""
REASONS_TOLD = 5
_LIST_REASON = "list.blocked"


class TownHour:
    """The hour of the town's day, for what is remembered of payments: the day passes in seconds.

    Once it is over, it goes on as the wall clock does.
    """

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._at_ms = TOWN_DAY_MS
        self._since_ms: int | None = None

    def __call__(self) -> int:
        """Tell the time, in milliseconds since 1970."""
        passed_ms = 0 if self._since_ms is None else self._wall_ms() - self._since_ms
        return self._at_ms + passed_ms

    def put(self, at_ms: int) -> None:
        """Put it to a time of the town's day, in milliseconds since its midnight."""
        self._at_ms = TOWN_DAY_MS + at_ms

    def go_on(self) -> None:
        """Have it go on by itself from here."""
        self._since_ms = self._wall_ms()


class Guard:
    """The risk desks of the town's operators."""

    def __init__(
        self,
        town: Town,
        chain: Chain,
        folders: Sequence[Path],
        crimes: Sequence[Act],
        clock_ms: Callable[[], int],
        wall_ms: Callable[[], int],
    ) -> None:
        """Open the desks, each over a folder of its own; `start` has them decide.

        Args:
          town: whose operators.
          chain: of the town.
          folders: one for each operator, in the order of `OPERATORS`.
          crimes: that happen among the payments of the day.
          clock_ms: by which the ledger goes.
          wall_ms: the wall clock.
        """
        self._town = town
        self.crimes = crimes
        self._hour = TownHour(wall_ms)
        self._desks: dict[int, RiskDesk] = {}
        self._bases: dict[int, tuple[Basis, ...]] = {}
        self.report = RiskReport()
        self._reasons: Counter[str] = Counter()
        self._over = asyncio.Event()
        for place, folder in zip(OPERATORS, folders, strict=True):
            begun = begin(folder)
            _write_lists(folder, town)
            files = RiskFolder(folder)
            policy_hash = files.loaded.policy_hash
            self._bases[place] = (
                Basis(begun.model_id, policy_hash),
                Basis(NO_MODEL, policy_hash),
            )
            operator = town.institutions[place].address
            journal = Journal.open(folder / DECISIONS, PASSPHRASE, cost=COST)
            deciding = Deciding(
                chain.network,
                operator,
                journal,
                os.urandom,
                clock_ms(),
                zone_offset_ms=ZONE_MS,
            )
            clerk = InThread(Clerk(deciding, RiskFolder(folder, files.loaded.sources)))
            self._desks[place] = RiskDesk(chain, operator, clerk, files, clock_ms, self._hour)

    @property
    def served(self) -> RiskDesk:
        """The desk of the operator whose node is served."""
        return self._desks[OPERATORS[0]]

    async def start(self, stack: AsyncExitStack, node: Node) -> None:
        """Have the desks decide; what they let through on that day the demo brings in itself.

        Args:
          stack: stops them at its end.
          node: of the operator that is served; it brings in what that one's desk lets through once
            the day is over.
        """

        async def bring_later(envelope: bytes) -> Answer:
            await self._over.wait()  # until then the demo brings in everything itself
            return await node.desk.submit(envelope)

        for desk in self._desks.values():
            if desk is not self.served:
                node.engine.listen(desk.note)
            stack.push_async_callback(desk.stop)
            await desk.start(bring_later)

    def open_desk(self, home: Home) -> str:
        """Make an API key of the served desk's operator, which it answers for what waits by.

        Raises:
          Unavailable: the disk refuses.
        """
        _, token = add_key(
            home.api_keys_path,
            name="Harbour Bank's risk cases",
            role=Role.OPERATOR,
            now_ms=wall_clock_ms(),
            member=to_text(self.served.operator),
        )
        return token

    def stages(self) -> Iterator[Stage]:
        """Yield the stage in which officers put the model in force."""
        acts = []
        for place, bases in self._bases.items():
            operator = self._town.institutions[place]
            officers = (operator, self._town.seconds[place])
            commands = (
                Propose(operator.address, bases[0].model),
                Declare(operator.address, bases),
            )
            acts.append(Act(officers, commands, place))
        yield Stage("two officers of each operator approve its risk model", acts, OPENED_MS)

    async def attest(self, sponsor: int, sent: Sequence[Sent]) -> list[Item]:
        """Have an operator decide; returns what it brings in."""
        desk = self._desks.get(sponsor)
        if desk is None:
            return [(each.signed.envelope, None) for each in sent]
        await desk.follow()  # the same seed, the same decisions
        times = [each.act.at_ms for each in sent if each.act.at_ms]
        if times:
            self._hour.put(times[0])
        rulings = await desk.decide([_ask(each) for each in sent])
        items: list[Item] = []
        for each, ruling in zip(sent, rulings, strict=True):
            if ruling.is_held:
                items += await self._settle(desk, each)
                continue
            self._count(each, None if ruling.attestation is None else Verdict.ALLOW)
            items.append((each.signed.envelope, ruling.attestation))
        return items

    async def finish(self) -> RiskReport:
        """Say what came of the day; from here on the hour goes on by itself."""
        self._hour.go_on()
        self._over.set()
        self.report.reasons = dict(self._reasons.most_common(REASONS_TOLD))
        return self.report

    async def _settle(self, desk: RiskDesk, sent: Sent) -> list[Item]:
        """Have the customer or an officer answer for what waits; returns it if it goes on."""
        tx_id, crime = sent.signed.tx_id, sent.act.crime
        record = decode_record((await desk.get_decision(tx_id)).record)
        self._count(sent, record.verdict)
        if crime:
            self._reasons.update(record.reasons[:1])
        if record.verdict is Verdict.BLOCK:
            await self._stop(desk, sent, record.reasons)
            return []
        is_customer = record.verdict is Verdict.STEP_UP
        answering = Answering.CONFIRMED if is_customer else Answering.RELEASED
        if crime and (not is_customer or crime == "taken over"):
            answering = Answering.REFUSED
        await desk.answer(tx_id, answering, "the customer" if is_customer else "an officer")
        if answering is Answering.REFUSED:
            await self._stop(desk, sent, record.reasons)
            return []
        (ruling,) = await desk.decide([_ask(sent)])
        return [(sent.signed.envelope, ruling.attestation)]

    async def _stop(self, desk: RiskDesk, sent: Sent, reasons: Sequence[str]) -> None:
        """Note what goes on for nobody, and tell the desk that it was fraud, as it turned out."""
        report, tx_id = self.report, sent.signed.tx_id
        crime = sent.act.crime or (LISTED_PAYEE if reasons[0] == _LIST_REASON else "")
        if not crime:
            report.sound_stopped += 1
            return
        report.stopped[crime] = report.stopped.get(crime, 0) + 1
        if sent.act.crime:
            await desk.tell(tx_id, is_fraud=True)
        else:  # somebody who knew nothing of the court's order
            report.planted[crime] = report.planted.get(crime, 0) + 1
        # Only at the served node can it be shown; and what a list stopped explains the least.
        is_told = report.example_reasons not in ([], [_LIST_REASON])
        if desk is self.served and not is_told:
            report.example_tx = tx_id.hex()
            report.example_reasons = list(reasons)

    def _count(self, sent: Sent, verdict: Verdict | None) -> None:
        if verdict is None:
            return
        report = self.report
        name = verdict.name.lower()
        report.verdicts[name] = report.verdicts.get(name, 0) + 1
        if sent.act.crime:
            report.planted[sent.act.crime] = report.planted.get(sent.act.crime, 0) + 1
        elif verdict in (Verdict.STEP_UP, Verdict.REVIEW):
            report.sound_asked += 1


def _ask(sent: Sent) -> Asked:
    done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    done.cancel()  # nobody waits: the demo asks again
    return Asked(sent.signed.envelope, sent.signed.tx_id, sent.act.device, done)


def _write_lists(folder: Path, town: Town) -> None:
    """Write whom to block, and which wallets are merchants'."""
    listed = to_text(town.people[LISTED].address)
    (folder / "lists.csv").write_text(
        f"subject,name,list,until,why\nwallet,{listed},block,,Order of the district court\n"
    )
    rows = [f"{to_text(key.address)},shop {at}\n" for at, key in enumerate(town.merchants)]
    (folder / "merchants.csv").write_text("".join(["wallet,merchant\n", *rows]))


def name_folders(data: Path, served: Path) -> list[Path]:
    """Name the folders of the operators' risk control; the first is the served node's own."""
    others = (name.lower().replace(" ", "-") for name in OPERATOR_NAMES[1:])
    return [served, *(data / f"risk-of-{name}" for name in others)]
