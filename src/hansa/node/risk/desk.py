"""The risk desk of a node: decides on what its customers send, and keeps what is not allowed.

sponsor desk -> desk -> clerk (in a process of its own) -> attested: into a batch
                                                        -> held: waits for customer or officer

Whoever sent what is held is told what anybody is told whose transaction is not confirmed yet; when
its validity is over, that it expired. Nothing tells whether it waited for a person or never had a
chance.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from heapq import heappop, heappush
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

from hansa.contracts.risk.in_force import NO_MODEL, Basis, InForce
from hansa.contracts.wallets import Wallet
from hansa.engine.chain import Chain
from hansa.engine.ordering import Answer
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, NotFound, Unavailable
from hansa.kernel.frame import read_end
from hansa.kernel.machine.admission import find_stale
from hansa.kernel.machine.execution import BlockResult
from hansa.kernel.machine.state import Reader
from hansa.kernel.transaction import decode_envelope
from hansa.node.risk.clerk.clerk import Clerk, When
from hansa.node.risk.clerk.format import KeptAnswer, KeptDecision, KeptTally
from hansa.node.risk.clerk.journal import Held, Journal, Placed
from hansa.node.risk.clerk.judging import MAY_ANSWER, Answering
from hansa.node.risk.clerk.placing import Place
from hansa.node.risk.clerk.taking import Undecided
from hansa.node.risk.following import Follower
from hansa.node.risk.loading import Loaded, RiskFolder
from hansa.node.risk.reading import find_payments
from hansa.node.risk.registry import Registry
from hansa.node.sponsor.desk import Asked, Ruling
from hansa.risk.decisions.commitment import decode_record

T = TypeVar("T")
P = ParamSpec("P")

WAITS_NO_MORE = "no such transaction waits: it never did, it was answered, or its time is over"
LOOK_MS = 1_000
"""How often it is looked at least whether something has expired: clocks may be put."""
SENDERS_MAX = 16
"""Of one transaction that are answered when it is: others are told as long as they wait that it is
not confirmed yet. Bounds memory, whoever sends it again and again."""
STOP_S = 1.0
"""How long what was let through may take to come into a block once the node is to end."""

_LOG = logging.getLogger("hansa.risk")
_NEEDS_NONE = Ruling()
_HELD = Ruling(is_held=True)


class Standing(NamedTuple):
    """How decisions are made at present."""

    loaded: Loaded
    faults: tuple[str, ...]
    """Why a model that was given a role has none."""
    is_scored: bool
    in_force: tuple[Basis, ...]
    """What the ledger has in force for this operator."""
    waiting: int
    events: int
    """Payments and labels that were taken in."""


class RiskDesk:
    """Decides on transactions; a `hansa.node.service.RiskControl`."""

    def __init__(
        self,
        chain: Chain,
        operator: bytes,
        clerk: Place,
        folder: RiskFolder,
        clock_ms: Callable[[], int],
        taken_ms: Callable[[], int] | None = None,
    ) -> None:
        """Put a desk together; it decides at once.

        Args:
          chain: whose wallets, and what is in force.
          operator: whose customers' payments are decided on.
          clerk: that decides, and keeps the journal; closed with the desk.
          folder: what it decides by, to be told of.
          clock_ms: what the time is.
          taken_ms: what it is for features, where that differs, as where a day takes seconds.
        """
        self._taken_ms = clock_ms if taken_ms is None else taken_ms
        self._rows = Reader(chain.machine.state)
        self._chain = chain
        self.operator = operator
        self._clerk = clerk
        self._folder = folder
        self._clock_ms = clock_ms
        self._follower = Follower(chain, clerk, taken_ms)
        self._following: asyncio.Task[None] | None = None
        self._events = 0
        self._looking = asyncio.Lock()
        self._look: asyncio.Task[None] | None = None
        self._senders: dict[bytes, list[asyncio.Future[Answer]]] = {}
        self._ends: list[tuple[int, bytes]] = []
        self._ending: asyncio.Task[None] | None = None
        self._open: dict[bytes, Held] = {}
        self._bring: Callable[[bytes], Awaitable[Answer]] | None = None
        self._is_told_unscored = False
        self._brought: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def start(self, bring: Callable[[bytes], Awaitable[Answer]]) -> None:
        """Begin: take up what waits.

        Args:
          bring: takes an envelope to the sponsor desk, which asks here again.

        Raises:
          Corrupt: the journal is damaged.
        """
        self._bring = bring
        await self._follower.begin()
        self._following = asyncio.create_task(self._follower.run())
        self._following.add_done_callback(_report)
        self._events = await self._clerk.ask(Clerk.prepare)
        for held in await self._read(Journal.list_open):
            self._wait_for(held, read_end(held.envelope) or 0)
        for held in await self._clerk.ask(Clerk.list_let_through, self._clock_ms()):
            self._go_on(held)

    async def stop(self) -> None:
        """Keep what is remembered, and close the journal; nobody may ask any more.

        What was let through and is not in a block yet is brought in after the next start.
        """
        self._stopping.set()
        self._folder.close()
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        if self._ending is not None:
            self._ending.cancel()
            await asyncio.gather(self._ending, return_exceptions=True)
        if self._look is not None:
            await asyncio.gather(self._look, return_exceptions=True)
        for futures in self._senders.values():
            for future in futures:
                future.cancel()
        if self._brought:
            await asyncio.wait(self._brought, timeout=STOP_S)  # or no block comes
        for task in self._brought:
            task.cancel()
        await asyncio.gather(*self._brought, return_exceptions=True)
        await asyncio.to_thread(self._clerk.close)

    def close(self) -> None:
        """Close what was never started."""
        self._clerk.close()

    def note(self, result: BlockResult) -> None:
        """Take note of a confirmed block."""
        self._follower.note(result)

    async def follow(self) -> None:
        """Take in at once what is confirmed by now, as it is done anyway in a moment.

        Raises:
          Unavailable: the clerk is not there, or the journal cannot be written.
        """
        await self._follower.catch_up()

    async def decide(self, asked: Sequence[Asked]) -> list[Ruling]:
        """Decide on transactions in their order; those that cannot be decided on have an error.

        What is in a block by now needs no decision: it is answered with its receipt.
        """
        undecided: list[Undecided] = []
        places: list[int] = []
        whole: set[bytes] = set()
        for place, each in enumerate(asked):
            _, body = decode_envelope(each.envelope)
            found = find_payments(body, self._rows, self.operator)
            if found and not self._follower.has_passed(each.tx_id):
                places.append(place)
                end_ms = body.valid_until_ms
                nowhere = frozenset(paid.payee for paid in found if not self._is_there(paid.payee))
                undecided.append(
                    Undecided(each.tx_id, each.envelope, end_ms, each.device, tuple(found), nowhere)
                )
                if len(found) == len(body.calls):
                    whole.add(each.tx_id)
        rulings = [_NEEDS_NONE] * len(asked)
        if not undecided:
            return rulings
        try:
            done = await self._clerk.ask(Clerk.decide, undecided, self._read_when())
            self._events = done.events
        except HansaError as error:
            is_ours = not isinstance(error, Unavailable)  # a full disk is nobody's bug
            _LOG.error("payments could not be decided on: %s", error.message, exc_info=is_ours)
            told = Unavailable("the node cannot decide on payments now")
            told.__cause__ = error
            return [Ruling(error=told) if at in places else _NEEDS_NONE for at in range(len(asked))]
        for place, given, one in zip(places, undecided, done.decided, strict=True):
            if one.is_taken and given.tx_id in whole:
                self._follower.leave_out(given.tx_id)
            if one.held is None:
                rulings[place] = Ruling(one.attestation)
            else:
                rulings[place] = _HELD
                self._hold(one.held, given.until_ms, asked[place].done)
        if done.roles != self._folder.registry.roles and self._look is None:
            self._look = asyncio.create_task(self._look_beside())
        return rulings

    async def answer(self, tx_id: bytes, answering: Answering, by: str) -> KeptAnswer:
        """Answer for a transaction that waits; it is brought in if it is let through.

        Args:
          tx_id: of the transaction.
          answering: what.
          by: who, as the node knows them.

        Raises:
          NotFound: no such transaction waits.
          Invalid: it waits for somebody else, or no more.
          Unavailable: the journal cannot be written.
        """
        held = self._open.get(tx_id)
        if held is None:
            raise NotFound(WAITS_NO_MORE)
        now_ms = self._clock_ms()
        kept = await self.get_decision(tx_id)
        verdict = decode_record(kept.record).verdict
        if answering not in MAY_ANSWER.get(verdict, ()):
            raise Invalid(
                InvalidCode.ARGUMENTS,
                f"the decision was {verdict.name.lower()}: it cannot be {answering.value}",
            )
        if now_ms > held.until_ms:
            raise Invalid(InvalidCode.EXPIRED, "its time is over: have the customer send it anew")
        answer = await self._clerk.ask(Clerk.answer, held, answering, by, self._read_when())
        if self._open.pop(tx_id, None) is not None and answer.record:
            self._go_on(held)
        if (answer.answer, answer.by) != (answering.value, by):  # somebody else was first
            raise NotFound(WAITS_NO_MORE)
        return answer

    async def tell(self, tx_id: bytes, *, is_fraud: bool) -> int:
        """Tell what a transaction turned out to be; returns how many payments that labels.

        Raises:
          NotFound: it was not decided on here, or no payment of it was described.
          Unavailable: the journal cannot be written.
        """
        kept = await self.get_decision(tx_id)
        numbers = [each.number for each in kept.payments if each.number >= 0]
        if not numbers:
            raise NotFound("no payment of this transaction was described: there is none to label")
        self._events = await self._clerk.ask(
            Clerk.tell, numbers, self._taken_ms(), is_fraud=is_fraud
        )
        return len(numbers)

    async def get_decision(self, tx_id: bytes) -> KeptDecision:
        """Get what was decided on a transaction; raises `NotFound`."""
        kept = await self._read(Journal.find_decision, tx_id)
        if kept is None:
            raise NotFound("this node decided on no such transaction")
        return kept

    @property
    def registry(self) -> Registry:
        """The models of this node; only to be read."""
        return self._folder.registry

    def read_now_ms(self) -> int:
        """Read the clock by which it decides."""
        return self._clock_ms()

    async def find_answer(self, tx_id: bytes) -> KeptAnswer | None:
        """Find what became of one that waited."""
        return await self._read(Journal.find_answer, tx_id)

    async def find_basis(self, policy_hash: bytes) -> bytes | None:
        """Find the policy that decisions rested on, by its hash."""
        return await self._read(Journal.find_basis, policy_hash)

    async def get_model_file(self, model: bytes) -> bytes:
        """Get a model that is kept, as its file; raises `NotFound`."""
        return await asyncio.to_thread(self._folder.registry.read_file, model.hex())

    async def list_held(self, before: int, limit: int) -> list[Held]:
        """List what waits or waited, the newest first, from before a place on."""
        return await self._read(Journal.list_held, before, limit)

    async def list_waiting(self, after: int, limit: int) -> list[Held]:
        """List what waits and whose time is not over, the oldest first, from behind a place on."""
        return await self._read(Journal.list_waiting, after, limit, self._clock_ms())

    async def read_held(
        self, held: Sequence[Held]
    ) -> list[tuple[Held, KeptDecision, KeptAnswer | None]]:
        """Read the decisions on what was held, and what became of each."""
        return await self._clerk.ask(Clerk.read_held, held)

    def list_open(self) -> list[Held]:
        """List what waits and may still be answered, in the order in which it was held."""
        now_ms = self._clock_ms()
        return [
            held
            for held in self._open.values()
            if held.until_ms >= now_ms and held.verdict in MAY_ANSWER
        ]

    async def list_decisions(self, before: int, limit: int) -> list[Placed]:
        """List decisions, the newest first, from before a place on."""
        return await self._read(Journal.list_decisions, before, limit)

    async def list_tallies(self, first_ms: int, end_ms: int) -> dict[int, KeptTally]:
        """List how decisions came out, by the beginning of each hour of a span that had any."""
        return await self._read(Journal.list_tallies, first_ms, end_ms)

    async def list_labels(self, first: int, end: int) -> dict[int, bool]:
        """List which payments of a range turned out to be fraud or not, by their numbers."""
        return await self._read(Journal.list_labels, first, end)

    async def find_held(self, tx_id: bytes) -> Held | None:
        """Find a transaction that waits, or waited."""
        return await self._read(Journal.find_held, tx_id)

    async def reload(self) -> Standing:
        """Read policy, rules, lists and merchants anew, and decide by them from here on.

        Models need not be told of: whoever has a role now decides from the next payment on.

        Raises:
          HansaError: as `RiskFolder.read`; or the journal cannot be written. What decided before
            decides on.
        """
        loaded = await asyncio.to_thread(self._folder.read)
        await self._clerk.put(loaded.sources)
        self._folder.put(loaded)
        return self.tell_standing()

    async def look(self) -> None:
        """Look whether other models have roles now; the clerk does before each decision."""
        async with self._looking:
            await asyncio.to_thread(self._folder.refresh)

    async def _look_beside(self) -> None:
        """Look while payments go on: reading a model takes as long as deciding on a hundred."""
        try:
            await self.look()
        finally:
            self._look = None

    def tell_standing(self) -> Standing:
        """Tell how decisions are made, as of the last one or the last look."""
        loaded, in_force = self._folder.loaded, self._list_in_force()
        return Standing(
            loaded,
            self._folder.registry.faults,
            loaded.is_scored(in_force),
            in_force,
            len(self.list_open()),
            self._events,
        )

    def _read_when(self) -> When:
        """Read the time, and what the ledger has in force; tells once if that is no model."""
        loaded, in_force = self._folder.loaded, self._list_in_force()
        is_scored = loaded.is_scored(in_force)
        if not is_scored and not self._is_told_unscored:
            _LOG.warning(
                "payments are decided without a model: %s",
                "no champion is set"
                if loaded.model_id == NO_MODEL
                else f"model {loaded.model_id.hex()} under policy {loaded.policy_hash.hex()} is "
                "not in force on the ledger (risk.declare)",
            )
        self._is_told_unscored = not is_scored
        now_ms = max(self._clock_ms(), self._chain.head.time_ms)
        return When(now_ms, self._taken_ms(), in_force)

    def _is_there(self, payee: bytes) -> bool:
        """Whether a payee has a wallet; who converts is paid by the operator itself."""
        return payee == self.operator or self._rows.get(Wallet, payee) is not None

    def _list_in_force(self) -> tuple[Basis, ...]:
        found = self._rows.get(InForce, self.operator)
        return () if found is None else found.bases

    def _is_over(self, held: Held) -> bool:
        return (read_end(held.envelope) or 0) < self._clock_ms()

    def _go_on(self, held: Held) -> None:
        task = asyncio.create_task(self._let_through(held))
        self._brought.add(task)
        task.add_done_callback(self._brought.discard)

    async def _let_through(self, held: Held) -> None:
        """Have it brought in, and give its senders the answer; again while it cannot be."""
        assert self._bring is not None  # noqa: S101 - the desk was started
        while True:
            answer, failure = None, None
            try:
                answer = await self._bring(held.envelope)
            except HansaError as error:
                failure = error
            is_passing = isinstance(failure, Unavailable) and not self._is_over(held)
            if not is_passing or self._stopping.is_set():
                break
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_MS / 1_000):
                    await self._stopping.wait()
        if failure is not None:
            _LOG.warning("what was let through could not be brought in: %s", failure.message)
        for future in self._senders.pop(held.tx_id, ()):
            if future.done():
                continue
            if answer is not None:
                future.set_result(answer)
            elif failure is not None:
                future.set_exception(failure)

    def _hold(self, held: Held, end_ms: int, done: asyncio.Future[Answer]) -> None:
        """Let a sender wait until it is answered, or its validity is over."""
        senders = self._senders.get(held.tx_id)
        if senders is None:
            self._senders[held.tx_id] = [done]
            self._wait_for(held, end_ms)
        elif len(senders) < SENDERS_MAX:
            senders.append(done)

    def _wait_for(self, held: Held, end_ms: int) -> None:
        if held.is_open:
            self._open.setdefault(held.tx_id, held)
        heappush(self._ends, (end_ms, held.tx_id))
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())

    async def _end(self) -> None:
        """Answer those whose validity is over, in the words of any that expired."""
        while self._ends:
            end_ms, tx_id = self._ends[0]
            now_ms = max(self._clock_ms(), self._chain.head.time_ms)
            stale = find_stale(end_ms, now_ms, now_ms)
            if stale is None:
                await asyncio.sleep(min(end_ms + 1 - now_ms, LOOK_MS) / 1_000)
                continue
            heappop(self._ends)
            for future in self._senders.pop(tx_id, ()):
                if not future.done():
                    future.set_result(Answer(b"", 0, 0, stale))
            if self._open.pop(tx_id, None) is not None:
                await self._close(tx_id)
        self._ending = None

    async def _close(self, tx_id: bytes) -> None:
        try:
            await self._read(Journal.close_held, tx_id, None)
        except HansaError as error:  # it is closed at the next start
            _LOG.warning("that a payment expired could not be kept: %s", error.message)

    async def _read(
        self, query: Callable[Concatenate[Journal, P], T], /, *arguments: P.args, **named: P.kwargs
    ) -> T:
        """Ask the journal."""
        return await self._clerk.ask(Clerk.read, query, *arguments, **named)


def _report(following: asyncio.Task[None]) -> None:
    """Report a fault of this program, for which nobody waits."""
    if not following.cancelled() and (error := following.exception()) is not None:
        fault = {"message": "what others pay is taken in no more", "exception": error}
        following.get_loop().call_exception_handler(fault)
