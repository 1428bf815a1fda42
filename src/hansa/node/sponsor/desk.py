"""The sponsor desk: single envelopes of customers, checked, decided on, and brought in in batches.

client -> API -> check signatures -> risk control decides -> sign one batch -> engine -> answers

What is gathered for 3 ms is one batch. Several are under way at once, and none overtakes another.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from hansa.engine.ordering import Answer, Engine
from hansa.kernel.crypto.address import to_text
from hansa.kernel.crypto.hashing import HASH_BYTES
from hansa.kernel.errors import Corrupt, HansaError, Invalid, InvalidCode, Unavailable
from hansa.kernel.frame import read_end
from hansa.kernel.machine.execution import BlockResult
from hansa.kernel.transaction import ID_BYTES, Verdict
from hansa.node.sponsor.customers import Customers
from hansa.sdk.build import sign_batch
from hansa.sdk.keys import KeyPair

GATHER_S = 0.003
GATHER_ENVELOPES = 512
BATCH_BYTES_BESIDE = 256
"""What a batch needs beside its items, at most: sponsor, key, signature, headers."""
ITEM_BYTES_BESIDE = 64
"""What an item needs beside its envelope, at most: the attestation and headers."""
BROUGHT_MAX = 4
"""Batches under way to be ordered: one that is decided on, one that waits for that, so that whoever
decides waits for nobody, and two whose signatures are checked."""
ASKED_MAX = 20_000
"""Envelopes that may wait for their check; bounds memory and latency."""


class Unsponsored(Unavailable):
    """This node's key may sign no batches any more: its operator must act, not who sends."""


class Ruling(NamedTuple):
    """What risk control says of an envelope."""

    attestation: bytes | None = None
    """The commitment to its decision; None where it needs none."""
    is_held: bool = False
    """It is not brought in now, and answered later."""
    error: HansaError | None = None
    """It could not be decided on."""


class Asked(NamedTuple):
    """A sound envelope on which risk control is to decide."""

    envelope: bytes
    tx_id: bytes
    device: str
    done: asyncio.Future[Answer]
    """Where to answer, if it is held."""


class RiskControl(Protocol):
    """Decides on the payments of the node's customers: `hansa.node.risk.desk`, of an extra."""

    async def start(self, bring: Callable[[bytes], Awaitable[Answer]]) -> None:
        """Begin; `bring` takes an envelope that was let through to the desk once more."""

    async def decide(self, asked: Sequence[Asked]) -> list[Ruling]:
        """Decide on each; the same envelope gets the same decision again."""

    def note(self, result: BlockResult) -> None:
        """Take note of a confirmed block."""

    async def stop(self) -> None:
        """End, and close what is kept."""


class _Asked(NamedTuple):
    envelope: bytes
    attestation: bytes | None
    is_strangers: bool
    device: str
    done: asyncio.Future[Answer]

    def answer(self, answer: Answer) -> None:
        """Answer whoever waits, if anybody still does."""
        if not self.done.done():
            self.done.set_result(answer)


class _Turn:
    """How far a batch is, so that the next does not overtake it."""

    def __init__(self) -> None:
        self.is_ruled = asyncio.Event()
        """Risk control was asked of it, if there is any."""
        self.is_over = asyncio.Event()
        """It was ordered, or will not be."""

    def end(self) -> None:
        """Let the next one pass."""
        self.is_ruled.set()
        self.is_over.set()


class SponsorDesk:
    """Brings single envelopes of the node's customers into blocks, under its own sponsor key.

    Signatures are checked here, once; only valid envelopes travel in the batch, so strangers'
    rubbish costs the sponsor no quota. Envelopes keep their order of arrival.
    """

    def __init__(
        self, engine: Engine, sponsor: bytes, key: KeyPair, risk: RiskControl | None = None
    ) -> None:
        self._engine = engine
        self._risk = risk
        self._customers = Customers(engine.chain, sponsor, time.monotonic)
        self._sponsor = sponsor
        self._sponsor_text = to_text(sponsor)
        self._key = key
        self._asked: list[_Asked] = []
        self._flushing: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._last: _Turn | None = None
        self._room = asyncio.Semaphore(BROUGHT_MAX)

    async def submit(self, envelope: bytes, attestation: bytes | None = None) -> Answer:
        """Have one envelope ordered; returns once it is confirmed.

        Who stops waiting does not take it back: it is ordered all the same.

        Raises:
          Unavailable: too much is waiting, or the engine has stopped.
        """
        return await self.enqueue(envelope, attestation)

    def enqueue(
        self,
        envelope: bytes,
        attestation: bytes | None = None,
        *,
        is_strangers: bool = False,
        device: str = "",
    ) -> asyncio.Future[Answer]:
        """Put one envelope in the line, behind those that came before; done when confirmed.

        Args:
          envelope: a signed transaction.
          attestation: the sponsor's commitment to its risk decision, 32 bytes; where this node has
            risk control itself, its own stands in the place of it.
          is_strangers: whoever sent it is not known, so a customer or a member must have signed.
          device: that it was signed on, as whoever sends it names it; empty where unknown.

        Raises:
          Unavailable: too much is waiting, or the engine has stopped; it is not in the line.
        """
        if self._engine.failure is not None:
            raise Unavailable(f"the engine has stopped: {self._engine.failure.message}")
        if len(self._asked) >= ASKED_MAX:
            raise Unavailable("too many transactions are waiting: send again in a moment")
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(envelope, attestation, is_strangers, device, done))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        return done

    async def _flush(self) -> None:
        """Gather for a moment, then check; batches leave in the order in which they came."""
        while self._asked:
            if len(self._asked) < GATHER_ENVELOPES:
                await asyncio.sleep(GATHER_S)
            await self._room.acquire()
            count = self._count_fitting()
            asked, self._asked = self._asked[:count], self._asked[count:]
            before, self._last = self._last, _Turn()
            bringing = asyncio.create_task(self._bring(asked, before, self._last))
            bringing.add_done_callback(partial(self._end_bringing, asked, self._last))
            self._under_way.add(bringing)
        self._flushing = None

    def _end_bringing(self, asked: list[_Asked], turn: _Turn, bringing: asyncio.Task[None]) -> None:
        """Tell those whose transactions were not brought in; report a fault of this program."""
        self._under_way.discard(bringing)
        self._room.release()
        turn.end()  # whatever became of it, the line goes on
        if bringing.cancelled():
            _fail(asked, Unavailable("the node is stopping: send again when it is back"))
            return
        error = bringing.exception()
        if isinstance(error, Corrupt):
            _fail(asked, self._stop(error))
        elif isinstance(error, HansaError):
            _fail(asked, error)
        elif error is not None:
            fault = {"message": "transactions were not brought in", "exception": error}
            bringing.get_loop().call_exception_handler(fault)
            _fail(asked, Unavailable("a fault of this node's program: its log says more"))

    def _count_fitting(self) -> int:
        """Count how many of those in the line fit into one batch of this network."""
        limits = self._engine.chain.network.limits
        count = 0
        room = limits.batch_bytes - BATCH_BYTES_BESIDE
        for item in self._asked[: min(GATHER_ENVELOPES, limits.batch_items)]:
            room -= len(item.envelope) + ITEM_BYTES_BESIDE
            if room < 0:
                break
            count += 1
        return max(count, 1)

    async def _bring(self, asked: list[_Asked], before: _Turn | None, turn: _Turn) -> None:
        """Bring a batch in; where that fails, the next still waits for the one before."""
        try:
            await self._bring_behind(before, asked, turn)
        finally:
            if before is not None:
                await before.is_over.wait()

    async def _bring_behind(self, before: _Turn | None, asked: list[_Asked], turn: _Turn) -> None:
        verdicts = await self._engine.verifier.check_envelopes([item.envelope for item in asked])
        if before is not None:
            await before.is_ruled.wait()
        sound: list[tuple[_Asked, bytes]] = []
        for item, verdict in zip(asked, verdicts, strict=True):
            if not isinstance(verdict, Invalid) and item.is_strangers:
                verdict = self._check_customer(item.envelope) or verdict  # noqa: PLW2901 - asked on
            if isinstance(verdict, Invalid):
                item.answer(Answer(b"", 0, 0, verdict))
                continue
            assert len(verdict) == ID_BYTES  # noqa: S101 - our own verifier
            sound.append((item, verdict))
        first = await self._engine.find_answers(ids[:HASH_BYTES] for _, ids in sound)
        good: list[_Asked] = []
        ids: list[bytes] = []
        for item, verdict in sound:
            answer = first.get(verdict[:HASH_BYTES])
            if answer is None and (stale := self._find_stale(item.envelope)) is not None:
                answer = Answer(b"", 0, 0, stale)
            if answer is None:
                good.append(item)
                ids.append(verdict)
            else:  # a repetition costs no block, and never expires
                item.answer(answer)
        if self._risk is not None and good:
            ruling = asyncio.create_task(self._rule(self._risk, good, ids))
            await asyncio.sleep(0)  # it is asked
            turn.is_ruled.set()
            good, ids = await ruling
        if before is not None:
            await before.is_over.wait()
        if not good:
            return
        items = [(item.envelope, item.attestation) for item in good]
        raw = sign_batch(self._engine.chain.network, self._sponsor, self._key, items)
        waiting = asyncio.create_task(self._order(raw, ids))
        waiting.add_done_callback(lambda task: _settle(good, task))

    async def _rule(
        self, risk: RiskControl, good: list[_Asked], ids: list[bytes]
    ) -> tuple[list[_Asked], list[bytes]]:
        """Have risk control decide; returns what goes on, with attestations, and their ids."""
        asked = [
            Asked(item.envelope, each[:HASH_BYTES], item.device, item.done)
            for item, each in zip(good, ids, strict=True)
        ]
        allowed: list[_Asked] = []
        allowed_ids: list[bytes] = []
        for item, each, ruling in zip(good, ids, await risk.decide(asked), strict=True):
            if ruling.error is not None:
                _fail([item], ruling.error)
            elif not ruling.is_held:
                attestation = ruling.attestation or item.attestation
                allowed.append(item._replace(attestation=attestation))
                allowed_ids.append(each)
        return allowed, allowed_ids

    async def _order(self, raw: bytes, ids: list[bytes]) -> list[Answer | Unsponsored]:
        try:
            answers = await self._engine.submit_checked(raw, Verdict.of_good(ids))
        except Corrupt as error:
            raise self._stop(error) from error
        except Invalid as error:
            if error.code is InvalidCode.UNKNOWN_SPONSOR:
                raise self._tell_unsponsored() from None
            raise
        return [
            self._tell_unsponsored()
            if answer.error is not None and answer.error.code is InvalidCode.UNKNOWN_SPONSOR
            else answer
            for answer in answers
        ]

    def _tell_unsponsored(self) -> Unsponsored:
        """Say who must act where a batch is refused that this node has signed."""
        return Unsponsored(
            "this node can bring nothing in: on the ledger its server key, "
            f"{self._key.address_text}, signs for {self._sponsor_text} no more, or that member is "
            "suspended. Its operator must put the new sponsor.json in place and start it again; "
            "until then send to another node"
        )

    def _stop(self, error: Corrupt) -> Unavailable:
        """Stop the node over damage that was met here; returns what those who wait are told.

        They may be many in one request, or nobody any more: it is not left to who reads their
        answers.
        """
        self._engine.fail(error)
        return Unavailable(f"the engine has stopped: {error.message}")

    def _find_stale(self, envelope: bytes) -> Invalid | None:
        end_ms = read_end(envelope)
        assert end_ms is not None  # noqa: S101 - it is verified
        return self._engine.find_stale(end_ms)

    def _check_customer(self, envelope: bytes) -> Invalid | None:
        if self._customers.have_signed(envelope):
            return None
        return Invalid(
            InvalidCode.UNAUTHENTICATED,
            f"without an API key this node brings in only what customers of {self._sponsor_text}, "
            "or members, have signed: send it to the node of the institution that keeps your "
            "wallet, or show a key as Authorization: Bearer KEY",
        )


def _fail(asked: list[_Asked], error: HansaError) -> None:
    for item in asked:
        if not item.done.done():
            item.done.set_exception(error)


def _settle(good: list[_Asked], task: asyncio.Task[list[Answer | Unsponsored]]) -> None:
    error = None if task.cancelled() else task.exception()
    answers = [] if task.cancelled() or error else task.result()
    for number, item in enumerate(good):
        if item.done.done():
            continue
        answer = answers[number] if answers else error or asyncio.CancelledError()
        if isinstance(answer, Answer):
            item.done.set_result(answer)
        else:
            item.done.set_exception(answer)
