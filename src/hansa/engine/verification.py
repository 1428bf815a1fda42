"""Stateless checks on all cores: batches go out as bytes, small verdicts come back.

The library that verifies holds the interpreter's lock, so the work runs in processes. A batch is
checked whole by one process; several batches run side by side, and what waits while all processes
are at work goes to the next one that is free together, since signatures cost less by the hundred.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from hansa.engine.batch_verifier import find_library, load_verify_many
from hansa.engine.workers import start_workers
from hansa.kernel.crypto.signatures import VerifyMany, bad_signature, verify_many
from hansa.kernel.errors import Invalid, Unavailable
from hansa.kernel.genesis import Network, decode_genesis
from hansa.kernel.transaction import Verdict, check_batch, check_batches, check_envelope

ENVELOPES_PER_JOB = 256
JOB_BYTES = 2**18
"""Of batches that go to a process together: a thousand transfers' bytes. More saves little."""

A = TypeVar("A")
R = TypeVar("R")


class Verifier(Protocol):
    """Checks batches and single envelopes without state."""

    async def check_batch(self, raw: bytes) -> Verdict:
        """Check a batch with its envelopes."""

    def hurry(self, raw: bytes) -> None:
        """Take a batch that waits before all others: a block waits for it."""

    async def check_envelopes(self, raws: Sequence[bytes]) -> list[bytes | Invalid]:
        """Check envelopes on their own; 64 bytes of ids each, or why it is invalid."""

    def close(self) -> None:
        """Stop."""


class InlineVerifier:
    """Checks in the calling thread: for tests, simulation and small tools."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def check_batch(self, raw: bytes) -> Verdict:
        """Check a batch with its envelopes."""
        return check_batch(raw, self._network, verify_many)

    def hurry(self, raw: bytes) -> None:
        """Nothing waits here."""

    async def check_envelopes(self, raws: Sequence[bytes]) -> list[bytes | Invalid]:
        """Check envelopes on their own."""
        return check_many_envelopes(raws, self._network, verify_many)

    def close(self) -> None:
        """Nothing to stop."""


class PoolVerifier:
    """Checks in worker processes, as many as there are cores; new ones if one of them dies."""

    def __init__(self, network: Network, processes: int) -> None:
        genesis = network.genesis.encoded()
        self._start = partial(start_workers, processes, _begin_worker, genesis, find_library())
        self._pool = self._start()
        self._is_closed = False
        self._jobs_max = processes + 1  # one more than are at work, so that none waits for its next
        self._jobs: set[asyncio.Task[list[Verdict]]] = set()
        self._waiting: OrderedDict[bytes, asyncio.Future[Verdict]] = OrderedDict()
        self._asking: Counter[asyncio.Future[Verdict]] = Counter()

    async def check_batch(self, raw: bytes) -> Verdict:
        """Check a batch with its envelopes; not at all if all give up who ask, before its turn."""
        found = self._waiting.get(raw)
        if found is None:
            found = self._waiting[raw] = asyncio.get_running_loop().create_future()
            self._begin_jobs()
        self._asking[found] += 1
        try:
            return await asyncio.shield(found)
        finally:
            self._asking[found] -= 1
            if not self._asking[found]:
                del self._asking[found]
                if self._waiting.get(raw) is found:  # nobody wants it any more
                    del self._waiting[raw]

    def hurry(self, raw: bytes) -> None:
        """Take a batch that waits before all others: a block waits for it."""
        if raw in self._waiting:
            self._waiting.move_to_end(raw, last=False)

    async def check_envelopes(self, raws: Sequence[bytes]) -> list[bytes | Invalid]:
        """Check envelopes on their own, several jobs side by side."""
        jobs = [
            self._run(_check_envelopes, list(raws[at : at + ENVELOPES_PER_JOB]))
            for at in range(0, len(raws), ENVELOPES_PER_JOB)
        ]
        return [verdict for part in await asyncio.gather(*jobs) for verdict in part]

    def close(self) -> None:
        """Stop the processes; what waits is given up, and no more is taken."""
        self._is_closed = True
        for found in self._waiting.values():
            found.cancel()
        self._waiting.clear()
        self._pool.shutdown(cancel_futures=True)

    def _begin_jobs(self) -> None:
        """Hand over what waits, as long as a process is free."""
        while self._waiting and len(self._jobs) < self._jobs_max:
            taken: dict[bytes, asyncio.Future[Verdict]] = {}
            room = JOB_BYTES
            while self._waiting and room > 0:
                raw, found = self._waiting.popitem(last=False)
                taken[raw] = found
                room -= len(raw)
            job = asyncio.get_running_loop().create_task(self._run(_check_batches, list(taken)))
            self._jobs.add(job)
            job.add_done_callback(partial(self._end_job, list(taken.values())))

    def _end_job(
        self, asked: Sequence[asyncio.Future[Verdict]], job: asyncio.Task[list[Verdict]]
    ) -> None:
        self._jobs.discard(job)
        error = None if job.cancelled() else job.exception()
        for index, found in enumerate(asked):
            if job.cancelled() or found not in self._asking:
                found.cancel()
            elif error is not None:
                found.set_exception(error)
            else:
                found.set_result(job.result()[index])
        self._begin_jobs()

    async def _run(self, function: Callable[[A], R], argument: A) -> R:
        """Call a function in a process.

        Raises:
          Unavailable: this was closed, or a process died or cannot be started.
        """
        if self._is_closed:
            raise Unavailable("the node is stopping: send again when it is back")
        pool = self._pool
        try:
            return await pool.run(function, argument)
        except BrokenProcessPool:
            if pool is self._pool and not self._is_closed:  # the first to notice
                pool.shutdown(wait=False)
                self._pool = self._start()
            raise Unavailable(
                "a verifying process died, and what it had in hand was not taken: send it again"
            ) from None
        except OSError as error:
            raise Unavailable(
                f"no verifying process can be started: {error.strerror}; send again in a moment"
            ) from None


def check_many_envelopes(
    raws: Sequence[bytes], network: Network, verify_many: VerifyMany
) -> list[bytes | Invalid]:
    """Check envelopes with their signatures, all signatures in one go."""
    found: list[bytes | Invalid] = []
    checks = []
    owners = []
    for index, raw in enumerate(raws):
        try:
            ids, needed = check_envelope(raw, network)
        except Invalid as error:
            found.append(error)
            continue
        found.append(ids)
        checks += needed
        owners += [index] * len(needed)
    for owner, is_good in zip(owners, verify_many(checks), strict=True):
        if not is_good:
            found[owner] = bad_signature("a signature of the transaction")
    return found


_worker: tuple[Network, VerifyMany] | None = None


def _begin_worker(genesis: bytes, library: Path | None) -> None:
    global _worker  # noqa: PLW0603 - one network for the life of a worker process
    _worker = Network.of(decode_genesis(genesis)), load_verify_many(library)


def _check_batches(raws: Sequence[bytes]) -> list[Verdict]:
    assert _worker is not None  # noqa: S101 - set by the initializer
    return check_batches(raws, *_worker)


def _check_envelopes(raws: Sequence[bytes]) -> list[bytes | Invalid]:
    assert _worker is not None  # noqa: S101 - set by the initializer
    return check_many_envelopes(raws, *_worker)
