"""The demo's co-lending: a platform bank and three partners reconcile their loans, and settle.

Each bank has a service of its own, which works as it would on the bank's own node: it has its
books, its journals and a key of its own, and of the others it sees the ledger and what they send.
One node stands for all of theirs, and messages pass in memory.

Of three days, the books of two are closed; a break of the first becomes a case, is resolved, and is
corrected on the second; one pair's net position is paid in the transaction that ends it. The books
of today are still open at the platform.

Source: docs/concepts/reconciliation.md.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Template
from typing import Final, NamedTuple

from hansa.contracts import currency
from hansa.contracts.proposals import DAY_MS
from hansa.contracts.reconciliation import agreements, cases, positions
from hansa.engine.storage import make_folder
from hansa.kernel.contract import Command
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Unavailable
from hansa.node.api.keys import add_key
from hansa.node.api.rights import Role
from hansa.node.channel.direct import DirectExchange
from hansa.node.demo.books import (
    DAYS,
    NAMES,
    PARTNERS,
    TODAY,
    Books,
    Correction,
    Planted,
    judge,
    write_books,
)
from hansa.node.demo.run import LendingReport
from hansa.node.demo.summary import OpenBooks
from hansa.node.demo.town import ASSET, HARBOUR, LENDERS, RIVER, Act, Stage, Town, derive_seed
from hansa.node.home import Home
from hansa.node.reconcile.ledger import Signer
from hansa.node.reconcile.memory import MemoryStore
from hansa.node.reconcile.service import BreakView, PairService
from hansa.node.service import Node, wall_clock_ms
from hansa.reconcile.entries import Entry
from hansa.reconcile.stream.closing import Outcome
from hansa.reconcile.stream.entries import read_entry
from hansa.reconcile.stream.proposals import Proposal
from hansa.reconcile.stream.terms import Place, Terms, write_terms
from hansa.sdk.files import write_file

KEEP_DAYS: Final = 30
LOOK_S: Final = 1.0
"""How often to see whether the node has failed, where no block comes."""
PATIENCE_S: Final = 120.0
"""What closing a day's books may take on a slow machine."""
_EPOCH: Final = dt.date(1970, 1, 1)
_TEMPLATES: Final = Path(__file__).parent / "templates"


class CoLending:
    """The banks that lend, as they reconcile.

    Args:
      town: whose banks they are.
      node: that stands for theirs.
      loans: how many they give.
    """

    def __init__(self, town: Town, node: Node, loans: int) -> None:
        self._town = town
        self._node = node
        exchange = DirectExchange()
        self._channels = {
            place: exchange.open(town.institutions[place].address) for place in LENDERS
        }
        self._services = {place: self._open(place) for place in LENDERS}
        self._loans = loans
        self._books = Books(0)
        self._planted: list[Planted] = []
        self._first_day = 0
        self._agreements: dict[int, bytes] = {}
        """By partner."""
        self._entries = 0
        self._case: _Case | None = None

    @property
    def platform(self) -> PairService:
        """The service of the bank that lends with all others."""
        return self._services[HARBOUR]

    def open_today(self, home: Home) -> OpenBooks | None:
        """Leave to somebody what the platform has not entered today, with a key to do it.

        Raises:
          Unavailable: the disk refuses.
        """
        entry = self._books.withheld
        if entry is None:
            return None
        folder = home.path / "lending"
        make_folder(folder)
        entries, columns = folder / "today.csv", folder / "columns.toml"
        write_file(entries, _write_table(entry))
        write_file(columns, (_TEMPLATES / columns.name).read_bytes())
        _, token = add_key(
            home.api_keys_path,
            name="Harbour Bank's desk",
            role=Role.OPERATOR,
            now_ms=wall_clock_ms(),
            member=to_text(self.platform.bank),
        )
        agreement = self._agreements[RIVER].hex()
        return OpenBooks(agreement, entries, columns, self._write_day(DAYS), token)

    async def stop(self) -> None:
        """Stop all services."""
        for service in self._services.values():
            await service.stop()
        for channel in self._channels.values():
            await channel.stop()

    def stages(self, day_ms: int) -> Iterator[Stage]:
        """Yield the stages, all of the town's day."""
        self._first_day = day_ms // DAY_MS - TODAY
        self._books, self._planted = write_books(self._town.seed, self._loans, self._first_day)
        terms = "a bank and three partners agree how to reconcile their loans"
        yield Stage(terms, prepare=self._propose)
        yield Stage("the partners accept", prepare=self._accept)
        yield Stage("they close a day's books, and open a case", prepare=self._close_first)
        yield Stage("a second officer confirms what is proposed", prepare=self._confirm)
        yield Stage("an officer of the other bank accepts", prepare=self._take)
        yield Stage("a second one confirms, and it is corrected", prepare=self._confirm_taking)
        yield Stage("they close the next day's, and settle", prepare=self._close_second)

    def report(self) -> LendingReport:
        """Tell what was found of what was planted, once the stages are over."""
        report = judge(self._planted, self._list_outcomes())
        report.loans, report.pairs = self._loans, len(self._agreements)
        report.entries = self._entries
        if RIVER in self._agreements:
            for _, _, position in self.platform.list_positions(self._agreements[RIVER]):
                report.settled_minor += position.settled_minor if position else 0
        if self._case is not None:
            found = self.platform.find_break(self._case.agreement, self._case.case_id)
            if found is not None and found.case is not None:
                report.case = found.case.state.name.lower()
        return report

    # --- stages -----------------------------------------------------------------------------------

    async def _propose(self) -> list[Act]:
        """Share terms with each partner; the agreement itself stands on the ledger."""
        for service in self._services.values():
            service.start()
        acts = []
        for partner in PARTNERS:
            pair = await self.platform.share_terms(self._write_terms(partner))
            self._agreements[partner] = pair.agreement
            acts.append(self._act(HARBOUR, pair.propose(self.platform.bank)))
        return acts

    async def _accept(self) -> list[Act]:
        await self._wait(lambda: all(self._services[each].list_pairs() for each in PARTNERS))
        return [
            self._act(partner, agreements.Accept(agreement, self._services[partner].bank))
            for partner, agreement in self._agreements.items()
        ]

    async def _close_first(self) -> list[Act]:
        """Close the first day, and open a case for what one bank has missed."""
        await self._enter(0)
        await self._complete(1)
        await self._wait(lambda: self._have_agreed(1))
        for correction in self._books.corrections:
            found = self._find_break(correction)
            if found is not None:
                return [await self._open_case(correction, found)]
        return []

    async def _open_case(self, correction: Correction, found: BreakView) -> Act:
        """Open a case as the bank that has the entry, and propose that the other one corrects."""
        agreement = self._agreements[correction.partner]
        entry = correction.entry
        opener, other = self._list_parties(correction)
        proposal = Proposal(
            1,
            agreement,
            found.group.id,
            cases.Kind.CORRECT,
            f"{NAMES[other]} enters {entry.reference} in its books of the next day.",
            abs(entry.amount_minor),
            derive_seed(self._town.seed, "proposal"),
        )
        terms = await self._services[opener].share_proposal(agreement, proposal)
        self._case = _Case(agreement, found.group.id, terms, opener, other)
        bank = self._services[opener].bank
        opening = cases.Open(agreement, bank, found.window, found.group.id)
        proposing = cases.Propose(agreement, bank, found.group.id, proposal.kind, terms)
        return self._act(opener, opening, proposing)

    async def _confirm(self) -> list[Act]:
        return self._move_case(cases.Confirm, is_opener=True, is_second=True)

    async def _take(self) -> list[Act]:
        return self._move_case(cases.Accept, is_opener=False, is_second=False)

    async def _confirm_taking(self) -> list[Act]:
        return self._move_case(cases.Confirm, is_opener=False, is_second=True)

    def _move_case(
        self, step: type[cases.Accept | cases.Confirm], *, is_opener: bool, is_second: bool
    ) -> list[Act]:
        """Move the case on by one officer of one of the banks."""
        case = self._case
        if case is None:
            return []
        place = case.opener if is_opener else case.other
        keys = self._town.seconds if is_second else self._town.institutions
        bank = self._services[place].bank
        command = step(case.agreement, bank, case.case_id, case.terms)
        return [Act((keys[place],), (command,), place)]

    async def _close_second(self) -> list[Act]:
        """Close the second day, enter today's, and pay the first net position with River Bank."""
        for correction in self._books.corrections:
            await self._add(correction.partner, correction.place, [correction.entry])
        for day in range(1, DAYS):
            await self._enter(day)
        await self._complete(TODAY)
        for partner, agreement in self._agreements.items():
            await self._services[partner].complete(agreement, DAYS)
        await self._wait(lambda: self._have_agreed(TODAY) and self._have_signed())
        agreement = self._agreements[RIVER]
        for window, net, _ in reversed(self.platform.list_positions(agreement)):
            if net.net_minor:
                settle = self.platform.get_stream(agreement).open_position(net, window)
                return [self._settle(settle)]
        return []

    def _settle(self, settle: positions.Settle) -> Act:
        """Pay a position, and end it, in one transaction."""
        banks = {self._services[place].bank: place for place in (HARBOUR, RIVER)}
        payer = banks.pop(settle.payer)
        [payee] = banks
        moving = currency.MoveVault(settle.payer, payee, settle.asset, settle.amount_minor)
        return self._act(payer, moving, settle)

    # --- private ----------------------------------------------------------------------------------

    def _open(self, place: int) -> PairService:
        """Open the service of one bank."""
        key = self._town.institutions[place]
        store = MemoryStore(derive_seed(self._town.seed, "journals", place))
        signer = Signer(key, wall_clock_ms)
        return PairService(self._node, key.address, signer, store, self._channels[place])

    def _write_terms(self, partner: int) -> bytes:
        """Write what the platform and a partner agree on: one rule file for all."""
        template = Template((_TEMPLATES / "lending.toml").read_text())
        rules = template.substitute(first_day=self._write_day(0))
        terms = Terms(
            1,
            self.platform.bank,
            self._services[partner].bank,
            KEEP_DAYS,
            rules.encode(),
            b"",
            (ASSET,),
            derive_seed(self._town.seed, "pair", partner),
        )
        return write_terms(terms, self._node.chain.network.digest)

    def _write_day(self, day: int) -> str:
        """Write the date of a day, counted from the first."""
        return (_EPOCH + dt.timedelta(self._first_day + day)).isoformat()

    async def _enter(self, day: int) -> None:
        """Have all banks enter what their books have of a day."""
        for (partner, place, of_day), entries in sorted(self._books.days.items()):
            if of_day == day:
                await self._add(partner, place, entries)

    async def _add(self, partner: int, place: Place, entries: list[Entry]) -> None:
        bank = HARBOUR if place is Place.LEFT else partner
        added = await self._services[bank].add(self._agreements[partner], entries)
        self._entries += added.taken

    async def _complete(self, window: int) -> None:
        """Say for all banks that the days before one are entered."""
        for partner, agreement in self._agreements.items():
            for bank in (HARBOUR, partner):
                await self._services[bank].complete(agreement, window)

    def _find_break(self, correction: Correction) -> BreakView | None:
        """Find the break of what a bank has missed, as the other one sees it."""
        opener, _ = self._list_parties(correction)
        listed = self._services[opener].list_breaks(self._agreements[correction.partner])
        for found in listed:
            entries = map(read_entry, (*found.group.left, *found.group.right))
            if [each.reference for each in entries] == [correction.entry.reference]:
                return found
        return None

    def _list_parties(self, correction: Correction) -> tuple[int, int]:
        """List who has an entry, and who is to correct its books."""
        banks = (HARBOUR, correction.partner)
        return banks[correction.place.other], banks[correction.place]

    def _have_agreed(self, windows: int) -> bool:
        """Whether all pairs have agreed on what came out of so many windows."""
        return all(
            self.platform.get_pair(agreement).progress.agreed >= windows
            for agreement in self._agreements.values()
        )

    def _have_signed(self) -> bool:
        """Whether both banks of all pairs have signed what they owe; nothing waits before that."""
        return all(
            position is not None and position.is_agreed
            for agreement in self._agreements.values()
            for _, _, position in self.platform.list_positions(agreement)
        )

    def _list_outcomes(self) -> dict[tuple[int, int], Outcome]:
        return {
            (partner, window): outcome
            for partner, agreement in self._agreements.items()
            for window in range(TODAY)
            if (outcome := self.platform.get_window(agreement, window).outcome) is not None
        }

    async def _wait(self, condition: Callable[[], bool]) -> None:
        """Wait, from block to block, until something holds.

        Raises:
          HansaError: the node has failed, or it takes too long.
        """
        end_s = asyncio.get_running_loop().time() + PATIENCE_S
        while not condition():
            if self._node.engine.failure is not None:
                raise self._node.engine.failure
            if asyncio.get_running_loop().time() > end_s:
                raise Unavailable(f"the banks did not reconcile in {PATIENCE_S:.0f} s")
            await self._node.wait_for_block(self._node.chain.head.height + 1, LOOK_S)

    def _act(self, place: int, *commands: Command) -> Act:
        return Act((self._town.institutions[place],), commands, place)


class _Case(NamedTuple):
    """A case, and whose turn it is when."""

    agreement: bytes
    case_id: bytes
    terms: bytes
    """Commitment to what is proposed."""
    opener: int
    other: int


def _write_table(entry: Entry) -> bytes:
    """Write an entry as a table of one row, with the columns that `columns.toml` names."""
    day = (_EPOCH + dt.timedelta(entry.booking_date or 0)).isoformat()
    sign = "-" if entry.amount_minor < 0 else ""
    major, minor = divmod(abs(entry.amount_minor), 100)
    row = (entry.account, day, f"{sign}{major}.{minor:02}", entry.reference, entry.text)
    return f"account,day,amount,reference,text\n{','.join(row)}\n".encode()
