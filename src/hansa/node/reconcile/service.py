"""The pairs of one bank: takes steps under each agreement, and tells how they stand.

    entries (API) ----------> journal --+
    terms, disclosures,                 +--> PairStream.step --> ledger
    proposals (channel) ----> records --+                   `--> channel -> the other bank

One task takes all steps, one after another, whenever a block, a message or somebody's entries wake
it; so nothing else writes a journal meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from hansa.contracts.reconciliation.agreements import Agreement, State
from hansa.contracts.reconciliation.cases import Case
from hansa.contracts.reconciliation.positions import Position
from hansa.contracts.reconciliation.windows import Progress, Window
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Corrupt, Invalid, InvalidCode, NotFound, Refused, Unavailable
from hansa.kernel.messages import Channel, Received
from hansa.kernel.rows import KeyPart, Row, decode_row
from hansa.node.reconcile.codes import PairCode, refuse
from hansa.node.reconcile.ledger import NodeLedger, Signer
from hansa.node.reconcile.opened import RECEIVED, OpenPair, Store, require_kept
from hansa.node.reconcile.proposing import keep_own, keep_received, list_kept
from hansa.node.service import Node
from hansa.reconcile.entries import Entry
from hansa.reconcile.stream.adding import Added, Origin
from hansa.reconcile.stream.closing import Group, NetAmount, Outcome
from hansa.reconcile.stream.disclosure import Disclosure, decode_disclosure
from hansa.reconcile.stream.journal import Journal
from hansa.reconcile.stream.pair import PairStream, Step
from hansa.reconcile.stream.proposals import Proposal, decode_proposal
from hansa.reconcile.stream.terms import Pair, Place, open_terms

R = TypeVar("R", bound=Row)

TERMS_TOPIC = "reconcile.terms"
SHOWN_TOPIC = "reconcile.shown"
PROPOSAL_TOPIC = "reconcile.proposal"
VALID_FOR_MS = 7 * DAY_MS
PAIRS_MAX = 1_024
UNACCEPTED_MAX = 16
"""Terms of one other bank that wait to be accepted."""
AWAY_S = 5.0
"""How soon what failed is tried again, if nothing wakes it before."""
TERMS = "terms"
"""Name of the record of a pair's terms."""


@dataclass(frozen=True, slots=True)
class WindowView:
    """One window, as its bank sees it."""

    number: int
    row: Window | None
    """Its figures on the ledger; None if nothing is posted."""
    waiting: int
    """Entries of the bank that are not posted yet."""
    outcome: Outcome | None
    """What came out; None while it is open, or the other bank has not shown its part."""


@dataclass(frozen=True, slots=True)
class PairView:
    """One agreement, as its bank sees it."""

    agreement: bytes
    pair: Pair
    place: Place
    row: Agreement | None
    """On the ledger; None if it is not proposed there."""
    progress: Progress
    completed: int
    """Of the windows below this number all entries are added."""
    trouble: str
    windows: tuple[WindowView, ...] = field(default=())
    """The newest first."""


@dataclass(frozen=True, slots=True)
class BreakView:
    """A break, and its case if there is one."""

    window: int
    group: Group
    case: Case | None


class PairService:
    """Reconciles for one bank.

    Args:
      node: that one is part of.
      bank: address of the member.
      signer: signs for it what its node states.
      store: of its journals.
      channel: to the other banks; its topics are subscribed to here.
    """

    def __init__(
        self, node: Node, bank: bytes, signer: Signer, store: Store, channel: Channel
    ) -> None:
        self._node = node
        self._bank = bank
        self._signer = signer
        self._store = store
        self._channel = channel
        self._digest = node.chain.network.digest
        self._woken = asyncio.Event()
        self._stepping = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._pairs: dict[bytes, OpenPair] = {}
        self._is_current = False
        for agreement in store.list_agreements():
            self._open(agreement, store.open_journal(agreement))
        channel.subscribe(TERMS_TOPIC, self._take_terms)
        channel.subscribe(SHOWN_TOPIC, self._take_disclosure)
        channel.subscribe(PROPOSAL_TOPIC, self._take_proposal)

    @property
    def bank(self) -> bytes:
        """Address of the member."""
        return self._bank

    def clock_ms(self) -> int:
        """Read the wall clock."""
        return self._signer.clock_ms()

    def start(self) -> None:
        """Begin to take steps."""
        self._node.engine.listen(lambda _: self._woken.set())
        self._woken.set()
        self._task = asyncio.create_task(self._work())
        self._task.add_done_callback(self._report)

    async def stop(self) -> None:
        """Stop between two steps."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # --- what the bank does -----------------------------------------------------------------------

    async def share_terms(self, raw: bytes) -> Pair:
        """Keep terms that the bank proposes, and send them to the other one.

        The agreement itself is proposed on the ledger by an officer.

        Raises:
          Invalid: the terms are unsound, or the bank is no party.
          Refused: the other bank is no member, or takes no messages.
        """
        pair, place = self._read_terms(raw)
        await self._channel.send(pair.get_bank(place.other), TERMS_TOPIC, raw, VALID_FOR_MS)
        self._keep_terms(pair, raw)
        return pair

    async def add(
        self, agreement: bytes, entries: Iterable[Entry], origin: Origin | None = None
    ) -> Added:
        """Add entries of the bank, all or none; those of an origin once.

        Raises:
          NotFound: the bank has no such agreement.
          Refused: it is not in force.
          Invalid: a text of an entry is too long, some of its origin are missing before them, or
            the journal lacks what was posted before.
          Unavailable: the node does not have yet what its network has.
        """
        found = self._get(agreement)
        self._require_in_force(agreement)
        await self._require_current()
        async with self._stepping:
            self._require_kept(agreement, found)
            added = await found.stream.add(entries, origin)
        self._woken.set()
        return added

    async def complete(self, agreement: bytes, window: int) -> None:
        """Say that all entries of the windows below a number are added; raises `NotFound`."""
        found = self._get(agreement)
        async with self._stepping:
            found.stream.complete(window)
        self._woken.set()

    async def share_proposal(self, agreement: bytes, proposal: Proposal) -> bytes:
        """Keep a proposal for a case, and send it to the other bank; returns its commitment.

        Raises:
          NotFound: the bank has no such agreement.
          Invalid: the proposal is of another agreement.
        """
        found = self._get(agreement)
        if proposal.agreement != agreement:
            raise Invalid(InvalidCode.ARGUMENTS, "the proposal is of another agreement")
        await self._channel.send(found.other, PROPOSAL_TOPIC, encode(proposal), VALID_FOR_MS)
        terms = proposal.compute_terms(self._digest)
        keep_own(found.journal, terms, proposal)
        return terms

    # --- how things stand -------------------------------------------------------------------------

    def list_pairs(self) -> list[PairView]:
        """List the bank's agreements, by their names."""
        return [self.get_pair(agreement) for agreement in sorted(self._pairs)]

    def get_pair(self, agreement: bytes, windows: int = 0) -> PairView:
        """Get an agreement with its newest windows; raises `NotFound`."""
        found = self._get(agreement)
        progress = self._get_progress(agreement)
        last = max([*found.journal.list_windows(), found.stream.completed, progress.closed, 0])
        numbers = range(last, max(-1, last - windows), -1)
        return PairView(
            agreement,
            found.pair,
            found.place,
            self._load(Agreement, agreement),
            progress,
            found.stream.completed,
            found.trouble,
            tuple(self.get_window(agreement, number) for number in numbers),
        )

    def get_window(self, agreement: bytes, number: int) -> WindowView:
        """Get one window of an agreement; raises `NotFound`."""
        found = self._get(agreement)
        row = self._load(Window, agreement, number)
        posted = 0 if row is None else (row.left, row.right)[found.place].entries
        waiting = max(0, found.journal.count(number) - posted)
        return WindowView(number, row, waiting, found.stream.find_outcome(number))

    def find_newest(self, agreement: bytes) -> Outcome | None:
        """Find what came out of the last window of which all is known; raises `NotFound`."""
        found = self._get(agreement)
        progress = self._get_progress(agreement)
        for window in (progress.agreed, progress.agreed - 1):
            outcome = found.stream.find_outcome(window) if window >= 0 else None
            if outcome is not None:
                return outcome
        return None

    def list_breaks(self, agreement: bytes) -> list[BreakView]:
        """List what is open as of the last window of which all is known; raises `NotFound`."""
        outcome = self.find_newest(agreement)
        if outcome is None:
            return []
        return [
            BreakView(outcome.window, group, self._load(Case, agreement, group.id))
            for group in outcome.breaks
        ]

    def list_cases(self, agreement: bytes) -> list[Case]:
        """List the cases of an agreement, the newest first; raises `NotFound`.

        A range of rows is as of the last checkpoint: one that was opened since is found by its
        break, if that is still one.
        """
        outcome = self.find_newest(agreement)
        rows = self._node.chain.iterate_rows(Case.key(agreement))
        ids = {decode_row(Case, raw).case_id for _, raw in rows}
        ids |= {group.id for group in (outcome.breaks if outcome else ())}
        found = [self._load(Case, agreement, each) for each in ids]
        cases = [case for case in found if case is not None]
        return sorted(cases, key=lambda case: (-case.since_ms, case.case_id))

    def find_break(self, agreement: bytes, case_id: bytes) -> BreakView | None:
        """Find the break that a case is about, in the last window in which it was one.

        Raises:
          NotFound: the bank has no such agreement.
        """
        found = self._get(agreement)
        case = self._load(Case, agreement, case_id)
        for name in reversed(found.journal.list_names("outcome/")):
            outcome = found.stream.find_outcome(int(name.rpartition("/")[2]))
            for group in outcome.breaks if outcome else ():
                if group.id == case_id:
                    return BreakView(outcome.window if outcome else 0, group, case)
        return None

    def list_proposals(self, agreement: bytes, case_id: bytes) -> list[Proposal]:
        """List all that was proposed for a case, by either bank; raises `NotFound`."""
        return list_kept(self._get(agreement).journal, case_id)

    def list_positions(self, agreement: bytes) -> list[tuple[int, NetAmount, Position | None]]:
        """List net positions by window, the newest first; raises `NotFound`."""
        return list(self.iterate_positions(agreement))

    def iterate_positions(
        self, agreement: bytes
    ) -> Iterator[tuple[int, NetAmount, Position | None]]:
        """Iterate the same: of years of windows a page reads only its own.

        Raises:
          NotFound: at the first, where the bank has no such agreement.
        """
        found = self._get(agreement)
        progress = self._get_progress(agreement)
        for window in range(progress.agreed - 1, -1, -1):
            outcome = found.stream.find_outcome(window)
            for net in outcome.nets if outcome else ():
                yield window, net, self._load(Position, agreement, window, net.currency)

    def get_stream(self, agreement: bytes) -> PairStream:
        """Get what takes the steps under an agreement; raises `NotFound`."""
        return self._get(agreement).stream

    # --- what others send -------------------------------------------------------------------------

    async def _take_terms(self, message: Received) -> None:
        """Keep terms that another bank proposes; what is unsound is dropped."""
        with suppress(Invalid):
            pair, place = self._read_terms(message.content)
            is_theirs = pair.get_bank(place.other) == message.sender
            if is_theirs and pair.agreement not in self._pairs and self._make_room(message.sender):
                self._keep_terms(pair, message.content)
                self._pairs[pair.agreement].journal.put(RECEIVED, b"\1")

    async def _take_disclosure(self, message: Received) -> None:
        """Take what another bank shows; what it may not say is dropped."""
        with suppress(Invalid, NotFound):
            disclosure = decode_disclosure(message.content)
            found = self._get(disclosure.agreement)
            if found.other == message.sender:
                async with self._stepping:
                    await found.stream.receive(disclosure)
                self._woken.set()

    async def _take_proposal(self, message: Received) -> None:
        with suppress(Invalid, NotFound):
            proposal = decode_proposal(message.content)
            found = self._get(proposal.agreement)
            if found.other == message.sender:
                has_case = self._load(Case, proposal.agreement, proposal.case_id) is not None
                terms = proposal.compute_terms(self._digest)
                keep_received(found.journal, terms, proposal, has_case=has_case)

    # --- steps ------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(AWAY_S):
                    await self._woken.wait()
            self._woken.clear()
            if await self._is_brought_up_to_date():
                for agreement in list(self._pairs):
                    await self._bring_on(agreement)

    async def _is_brought_up_to_date(self) -> bool:
        """Whether the node has what its network has; if not, that is the trouble of each pair."""
        try:
            await self._require_current()
        except Unavailable as error:
            for found in self._pairs.values():
                found.trouble = error.message
        return self._is_current

    async def _require_current(self) -> None:
        """Raise `Unavailable` until the node has, after its start, what its network has.

        Where its folder was put back from a copy it does not know before what it has posted.
        """
        if not self._is_current:
            await self._node.watch.require_well()
            self._is_current = True

    def _report(self, task: asyncio.Task[None]) -> None:
        """Stop the node over damaged journals; tell any other fault of this program."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Corrupt):
            self._node.engine.fail(error)
        elif error is not None:
            fault = {"message": "reconciling failed", "exception": error}
            task.get_loop().call_exception_handler(fault)

    async def _bring_on(self, agreement: bytes) -> None:
        """Take a step under one agreement, and see to it that the next one follows."""
        found = self._pairs.get(agreement)
        row = self._load(Agreement, agreement)
        if found is None or row is None or row.state is State.PROPOSED:
            return
        try:
            async with self._stepping:
                self._require_kept(agreement, found)
                if await found.stream.step() is Step.DONE:
                    self._woken.set()
            found.trouble = ""
        except (Invalid, Refused, Unavailable) as error:
            found.trouble = error.message

    # --- private ----------------------------------------------------------------------------------

    def _require_kept(self, agreement: bytes, found: OpenPair) -> None:
        if not found.is_kept:
            progress = self._get_progress(agreement)
            find = partial(self._load, Window, agreement)
            require_kept(found, progress, find)
            found.is_kept = True

    def _read_terms(self, raw: bytes) -> tuple[Pair, Place]:
        pair = open_terms(raw, self._digest)
        place = pair.find_place(self._bank)
        if place is None:
            raise Invalid(InvalidCode.ARGUMENTS, "the bank is no party of these terms")
        return pair, place

    def _keep_terms(self, pair: Pair, raw: bytes) -> None:
        if pair.agreement not in self._pairs:
            if len(self._pairs) >= PAIRS_MAX:
                raise Unavailable(f"there are {PAIRS_MAX} agreements already: end some")
            journal = self._store.open_journal(pair.agreement)
            journal.put(TERMS, raw)
            self._open(pair.agreement, journal)
        self._woken.set()

    def _make_room(self, sender: bytes) -> bool:
        """Make room for another one of a bank's proposals; whether there is some.

        For that goes what is not on the ledger: it was declined, or never came there.
        """
        waiting = {
            agreement: row
            for agreement, found in self._pairs.items()
            if found.other == sender
            and ((row := self._load(Agreement, agreement)) is None or row.state is State.PROPOSED)
        }
        if len(waiting) < UNACCEPTED_MAX and len(self._pairs) < PAIRS_MAX:
            return True
        for agreement, row in waiting.items():
            if row is None and self._is_current and self._pairs[agreement].may_go:
                del self._pairs[agreement]
                self._store.drop_journal(agreement)
                return True
        return False

    def _open(self, agreement: bytes, journal: Journal) -> None:
        raw = journal.get(TERMS)
        if raw is None:
            return
        pair, place = self._read_terms(raw)
        ledger = NodeLedger(self._node, self._signer, journal)
        other = pair.get_bank(place.other)

        async def send(disclosure: Disclosure) -> None:
            await self._channel.send(other, SHOWN_TOPIC, encode(disclosure), VALID_FOR_MS)

        stream = PairStream(pair, place, journal, ledger, send, self._build_salts(agreement))
        self._pairs[agreement] = OpenPair(stream, journal, place)

    def _build_salts(self, agreement: bytes) -> Callable[[int, int], bytes]:
        """Build what draws salts: keyed hashes, so that they need not be kept."""
        secret = self._store.secret

        def draw(window: int, number: int) -> bytes:
            content = encode((agreement, window, number))
            return hashlib.blake2b(
                content, digest_size=32, key=secret, person=b"hansa-salt"
            ).digest()

        return draw

    def _require_in_force(self, agreement: bytes) -> None:
        row = self._load(Agreement, agreement)
        if row is None or row.state is not State.IN_FORCE:
            state = "not on the ledger yet" if row is None else row.state.name.lower()
            raise refuse(
                PairCode.NOT_IN_FORCE,
                f"the agreement is {state}: entries are taken once both banks have signed it, and "
                "until one ends it",
            )

    def _get(self, agreement: bytes) -> OpenPair:
        found = self._pairs.get(agreement)
        if found is None:
            raise NotFound(f"this bank has no agreement {agreement.hex()}")
        return found

    def _get_progress(self, agreement: bytes) -> Progress:
        return self._load(Progress, agreement) or Progress(agreement, b"")

    def _load(self, row_type: type[R], *key: KeyPart) -> R | None:
        return self._node.chain.machine.state.load(row_type, row_type.key(*key))
