"""The engine of several institutions: CometBFT orders batches, every node executes them.

    submit -> verify (processes) -> CometBFT -> CheckTx at every node
                                       |
           answers <- sync <- Commit <-+- FinalizeBlock at every node

This process listens on a unix socket, starts CometBFT beside it and watches it. Neither does
without the other: whichever ends, the node ends, and is started again whole.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from hansa.engine.chain import Chain
from hansa.engine.cometbft.application import CODE_BUSY, LAG_MS, Application, Executed
from hansa.engine.cometbft.batches import Verdicts
from hansa.engine.cometbft.child.process import CometProcess
from hansa.engine.cometbft.home import CometHome
from hansa.engine.cometbft.peering import Door, PeerRules, await_expelled, keep_dialing
from hansa.engine.cometbft.repeating import NOTED_EVERY, Repeat, Standing
from hansa.engine.cometbft.rpc.client import CometRpc, RpcError
from hansa.engine.cometbft.rpc.light import fetch_base, fetch_light_block
from hansa.engine.cometbft.rpc.status import read_consensus
from hansa.engine.cometbft.server import Server
from hansa.engine.cometbft.trail import Ask, TrailKeeper
from hansa.engine.ordering import Answer, Engine, LightBlock, SeenConsensus, compute_key
from hansa.engine.snapshots.keeping import Keeper
from hansa.engine.verification import Verifier
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, Unavailable
from hansa.kernel.genesis import VALIDITY_MAX_MS
from hansa.kernel.light.votes import Votes, begin
from hansa.kernel.machine.admission import find_stale
from hansa.kernel.transaction import (
    CheckedBatch,
    Verdict,
    build_checked,
)

_LOG = logging.getLogger(__name__)
QUEUE_TRANSACTIONS = 20_000
"""What may wait before `submit` answers `Unavailable`: bounds memory and latency."""
QUEUE_BYTES = 64 << 20
ORDER_S = VALIDITY_MAX_MS // 1_000 + 60
"""After so long no transaction of a batch is valid any more by the clock: whoever waits is told."""
POLL_MS = 50
HEARTBEAT_MS = 30_000
_KNOWN_ALREADY = "tx already exists in cache"
_OVER_CODES = (InvalidCode.EXPIRED, InvalidCode.NONCE_USED)
"""Of batches that are in a block, or that none will hold any more."""


class CometEngine(Engine):
    """Has batches ordered by CometBFT, together with the other validators."""

    order_s: float = ORDER_S
    """How long somebody waits for a block."""
    noted_every = NOTED_EVERY
    """Empty blocks between two notes of how far this node has come."""
    committed_ms = 0
    """When CometBFT last committed a block here, by the clock; 0 for not yet."""
    child_pid: int | None = None
    """Number of CometBFT's process, while it runs."""

    def __init__(  # noqa: PLR0913 - what a node is made of, each given once
        self,
        chain: Chain,
        verifier: Verifier,
        clock_ms: Callable[[], int],
        home: CometHome,
        binary: Path,
        peer_rules: PeerRules,
        keeper: Keeper | None = None,
        ask: Ask | None = None,
        heartbeat_ms: int = HEARTBEAT_MS,
        peers: Sequence[str] = (),
    ) -> None:
        """Prepare to run CometBFT.

        Args:
          chain: of a voted network.
          verifier: of batches and envelopes.
          clock_ms: for what is asked before a batch is ordered; ledger time is CometBFT's.
          home: CometBFT's folder, with keys, genesis and configuration.
          binary: the program.
          peer_rules: which peers may connect, and must be hung up on.
          keeper: of the snapshots that others may start from, and of what is pruned.
          ask: asks other members' nodes how validators changed where no blocks are kept of that.
          heartbeat_ms: how often CometBFT's settings let a block come without transactions.
          peers: `id@host:port` of the nodes to stay connected to.

        Raises:
          Unavailable: CometBFT lacks blocks that were pruned here.
        """
        super().__init__(chain, verifier)
        self._clock_ms = clock_ms
        self._home, self._binary = home, binary
        self._verdicts = Verdicts(verifier)
        repeat = Repeat.begin(chain, home)
        standing = Standing(chain, home.standing_path, self.noted_every)
        parts = (self._confirm, clock_ms, keeper, repeat, self._drop, standing)
        self._peer_rules, self._door = peer_rules, Door(peer_rules)
        self.application = Application(chain, self._verdicts, self._door.let_in, *parts)
        self._heartbeat_ms, self._peers, self._ask = heartbeat_ms, peers, ask
        self._called = frozenset(bytes.fromhex(each.partition("@")[0]) for each in peers)
        self._keeper = keeper
        self._answered_ms = 0
        """Since when CometBFT has answered."""
        self._waiting: dict[bytes, set[asyncio.Future[list[Answer]]]] = {}
        self._queued = self._queued_bytes = 0
        self._ending = asyncio.Event()
        self._rpc: CometRpc | None = None
        self._trail: TrailKeeper | None = None
        self._answers = asyncio.Event()

    @property
    def passed_ms(self) -> int:
        """Ledger time up to which this node has all blocks, also empty ones of CometBFT."""
        return self.application.passed_ms

    @property
    def queued(self) -> int:
        """Transactions that this node brought in and that are in no block yet."""
        return self._queued

    @property
    def rpc(self) -> CometRpc:
        """Asks CometBFT; raises `Unavailable` where it does not run."""
        if self._rpc is None:
            raise Unavailable("CometBFT does not run: the node is starting or stopping")
        return self._rpc

    def start(self) -> None:
        """Start CometBFT, and to answer it."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def ready(self) -> None:
        """Wait until CometBFT answers, or the engine has failed."""
        await self._answers.wait()

    async def submit(self, raw: bytes) -> list[Answer]:
        """Have a batch ordered; returns once it is confirmed, with one answer per item.

        Raises:
          Invalid: the batch as a whole.
          Unavailable: too much is waiting, CometBFT does not answer, or the engine has stopped.
        """
        key = compute_key(raw)
        known = await self._answer_known(key, raw)
        if known is not None:
            return known
        self._check_room(1, len(raw))
        self._admit_frame(key, raw)  # before anything that costs
        return await self._order(key, raw, await self._verdicts.get(key, raw))

    async def submit_checked(self, raw: bytes, verdict: Verdict) -> list[Answer]:
        """Have a batch ordered that was verified before; otherwise as `submit`."""
        return await self._order(compute_key(raw), raw, verdict)

    async def _order(self, key: bytes, raw: bytes, verdict: Verdict) -> list[Answer]:
        """Hand a verified batch to CometBFT; returns once it is confirmed, or over."""
        known = await self._answer_known(key, raw)
        if known is not None:
            return known
        if verdict.rejected is not None:
            raise verdict.rejected
        if not self._admit_frame(key, raw):
            return await self._answer_over(self._build_checked(raw, verdict))
        count = len(verdict.codes)
        self._check_room(count, len(raw))
        self._verdicts.remember(key, raw, verdict)
        done = self._await_answers()
        self._waiting.setdefault(key, set()).add(done)
        self._queued += count
        self._queued_bytes += len(raw)
        try:
            async with asyncio.timeout(self.order_s):
                answers = await done if await self._broadcast(key, raw) else []
                if answers:
                    return answers
            if not self._is_over(key, raw):
                raise Unavailable(
                    "a block held the transactions in which they may not stand, so they were not "
                    "executed, and another may hold them yet: send the same again"
                )
            known = await self._answer_known(key, raw)
            return known or await self._answer_over(self._build_checked(raw, verdict))
        except TimeoutError:
            raise Unavailable(
                "the network has stalled, and the transactions may still be in its next block, "
                "whose time can be that of long ago: send the same again once it goes on, or look "
                "their ids up"
            ) from None
        finally:
            self._queued -= count
            self._queued_bytes -= len(raw)
            self._leave(key, done)

    def _build_checked(self, raw: bytes, verdict: Verdict) -> CheckedBatch:
        return build_checked(raw, verdict, self.chain.network)

    def _admit_frame(self, key: bytes, raw: bytes) -> bool:
        frame = self.application.frames.read(key, raw)
        time_ms = max(self._clock_ms(), self.chain.head.time_ms)
        return self._admit(frame.claim, frame.last_end_ms, time_ms)

    async def _answer_known(self, key: bytes, raw: bytes) -> list[Answer] | None:
        """Answer for a batch that was in a block; None for another, or one of long ago."""
        height = self.application.ordered.find_height(key)
        return None if height is None else await self._answer_ordered(raw, height)

    async def fetch_votes(self, height: int) -> Votes | None:
        """Fetch the signed header of CometBFT that names a block, and the hand-overs to it."""
        if self._trail is None:
            raise Unavailable("CometBFT does not run: the node is starting or stopping")
        record, network = self.chain.get_record(height), self.chain.network
        header_hash = network.digest(network.header_prefix + record.header)
        due = record.consensus_height + 1
        try:
            return await self._trail.fetch_votes(due, header_hash)
        except Unavailable:
            base = await fetch_base(self.rpc)
            if base <= due:
                raise
        if height == self.chain.head.height:  # each header names it until there is another block
            return await self._trail.fetch_votes(base, header_hash)
        raise self._describe_lack(height, base)

    def _describe_lack(self, height: int, base: int) -> Unavailable:
        """Say why the votes on a block are not here, CometBFT having its blocks from a base on."""
        due, standing = self._find_due(height), self.application.consensus_height
        if self._keeper is not None and due < self._keeper.compute_retain_height(standing):
            return Unavailable(
                f"the votes on block {height} are not kept here any more, as nothing happened for "
                "long behind it: ask a node that keeps all blocks",
                height=height,
            )
        later = range(height + 1, self.chain.head.height + 1)
        first = height + 1 + bisect_left(later, base, key=self._find_due)
        return Unavailable(
            f"the votes on block {height} were never here, as this node began with a snapshot: it "
            f"has those from block {first} on; ask one that was there before and keeps all blocks",
            height=height,
        )

    def _find_due(self, height: int) -> int:
        """Find the block of CometBFT whose header names one of ours."""
        return self.chain.get_record(height).consensus_height + 1

    async def fetch_consensus(self) -> SeenConsensus | None:
        """Fetch how validators come to the next block."""
        times_ms = (self._answered_ms, self.committed_ms)
        attendance = self.application.attendance
        found = await read_consensus(
            self.rpc, attendance, self._clock_ms(), times_ms, self._heartbeat_ms
        )
        return replace(found, called=self._called)

    async def fetch_light_block(self, height: int) -> LightBlock | None:
        """Fetch what CometBFT's light client asks for of one of its heights."""
        return await fetch_light_block(self.rpc, height)

    def find_stale(self, valid_until_ms: int) -> Invalid | None:
        """Find why a transaction with this end is not brought in now.

        Ledger time may be behind the clock when the next block is made. So a batch does not wait,
        its whole content with it, for the time at which one in it is not too far ahead.
        """
        passed_ms = self.passed_ms
        return find_stale(valid_until_ms, passed_ms, max(passed_ms, self._clock_ms() - LAG_MS))

    def check_ready(self) -> None:
        """Raise `Unavailable` if a transaction would not be taken now."""
        self._check_room(1, 1)

    def _check_room(self, count: int, size: int) -> None:
        self._require_running()
        if self._queued and (
            self._queued + count > QUEUE_TRANSACTIONS or self._queued_bytes + size > QUEUE_BYTES
        ):
            raise Unavailable(
                f"{self._queued} transactions are waiting already: send again in a moment",
                queued=self._queued,
            )

    async def _broadcast(self, key: bytes, raw: bytes) -> bool:
        """Hand a batch to CometBFT; returns False if it was in a block before, and comes no more.

        Raises:
          Invalid: CheckTx refuses it, as of the newest block.
          Unavailable: the mempool or the sponsor's half of it is full, or CometBFT does not answer.
        """
        try:
            answer = await self.rpc.broadcast(raw)
        except RpcError as error:
            if _KNOWN_ALREADY in error.data:  # sent twice, or another node passed it on first
                return not self._is_over(key, raw)
            raise Unavailable(
                f"the network takes no more for the moment ({error.data}): send again in a moment"
            ) from None
        if answer["code"] and self._is_over(key, raw):  # while it was handed in
            return False
        if answer["code"] == CODE_BUSY:
            raise Unavailable(answer["log"])
        if answer["code"]:
            code = list(InvalidCode)[answer["code"] - 1]
            raise Invalid(code, answer["log"])
        return True

    def _is_over(self, key: bytes, raw: bytes) -> bool:
        frame = self.application.frames.read(key, raw)
        return key in self.application.ordered or frame.last_end_ms < self.passed_ms

    def _leave(self, key: bytes, done: asyncio.Future[list[Answer]]) -> None:
        """Wait no longer for a batch."""
        if not done.cancel() and not done.cancelled():
            done.exception()  # its sender was told otherwise
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.discard(done)
            if not waiting:
                del self._waiting[key]

    async def _run(self) -> None:
        """Run until the end is asked for, or either process fails."""
        with self._failing():
            server = Server(self.application)
            try:
                await server.start(self._home.abci_path)
                while await self._run_child(server):
                    self._give_up()  # what waited in its mempool is gone with it
                    await server.resume()
            finally:
                await server.close()
                self._give_up()

    async def _run_child(self, server: Server) -> bool:
        """Run CometBFT; returns whether it was stopped, at rest, only to be started again."""
        process = await CometProcess.start(self._binary, self._home)
        self.child_pid = process.pid
        self._rpc = rpc = CometRpc(self._home.rpc_path)
        try:
            start = begin(self.chain.network)
            self._trail = TrailKeeper(self._home.path, start, rpc, ask=self._ask)
            return await self._watch(server, process, self._trail)
        finally:
            self._rpc = self._trail = None
            await rpc.close()
            await process.stop()
            self.child_pid = None

    async def _watch(self, server: Server, process: CometProcess, trail: TrailKeeper) -> bool:
        """Wait for the first that ends; a failure here goes before CometBFT's, its effect.

        Returns whether CometBFT is to be started again, and holds its requests then.
        """
        expelling = asyncio.create_task(self._rest_for_expelled(server))
        ending = asyncio.create_task(self._ending.wait())
        serving = asyncio.create_task(server.watch())
        running = asyncio.create_task(process.watch())
        following = asyncio.create_task(trail.run())
        tasks = (serving, running, following, ending, expelling)
        polling = asyncio.create_task(self._poll())
        dialing = asyncio.create_task(self._keep_dialing())
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
            return expelling.done() and not ending.done()
        finally:
            for task in (*tasks, polling, dialing):
                task.cancel()
            await asyncio.gather(*tasks, polling, dialing, return_exceptions=True)
            await trail.close()

    async def _keep_dialing(self) -> None:
        may_connect = self._peer_rules.may_connect
        await keep_dialing(self.rpc, self._peers, may_connect, self._door.note)

    async def _rest_for_expelled(self, server: Server) -> None:
        """Come to rest between two blocks once a peer must be hung up on."""
        own_address = self._home.load_consensus_key().address
        await await_expelled(self.rpc, self._peer_rules.is_expelled, own_address)
        _LOG.warning("a member was suspended: CometBFT is started again to hang up on its node")
        await server.hold(lambda: self.application.is_between_blocks)

    async def _poll(self) -> None:
        """Ask CometBFT until it answers, after it has replayed what the chain lacks."""
        while True:
            try:
                await self.rpc.call("health")
            except Unavailable:
                await asyncio.sleep(POLL_MS / 1_000)
            else:
                self._answered_ms = self._clock_ms()
                self._answers.set()
                return

    def _give_up(self) -> None:
        """Tell whoever waits that the node stops."""
        for waiting in self._waiting.values():
            for done in waiting:
                if not done.done():
                    done.set_exception(
                        Unavailable(
                            "the node is stopping, and the other validators may still confirm the "
                            "transaction: look its id up before you send it again"
                        )
                    )

    def _confirm(self, executed: Executed) -> None:
        """Answer whoever waits for a block's batches."""
        self.committed_ms = self._clock_ms()
        if self._trail is not None:
            self._trail.note(executed.consensus_height)
        for key in executed.left_out:
            for done in self._waiting.get(key, ()):
                if not done.done():
                    done.set_result([])
        result = executed.result
        if result is None:
            return
        ordered = zip(executed.keys, executed.batches, result.outcomes, strict=True)
        for key, batch, outcomes in ordered:
            if (waiting := self._waiting.get(key)) is not None:
                self._answer_all(waiting, batch, outcomes, result)
        self._tell(result)

    def _drop(self, key: bytes, error: HansaError) -> None:
        """Answer whoever waits for a batch that CometBFT drops, or does not take.

        Who handed it in is told by CometBFT, too; who did so at the same time, or after another
        node, was told only that it is known.
        """
        is_over = isinstance(error, Invalid) and error.code in _OVER_CODES
        for done in self._waiting.get(key, ()):
            if done.done():
                continue
            if is_over:
                done.set_result([])
            else:
                done.set_exception(error)

    def _wake(self) -> None:
        self._ending.set()

    def _end_work(self) -> None:
        self._wake()
        self._answers.set()
