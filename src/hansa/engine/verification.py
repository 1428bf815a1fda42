"""Stateless checks on all cores: batches go out as bytes, small verdicts come back.

The library that verifies holds the interpreter's lock, so the work runs in processes. A batch is
checked whole by one process; several batches run side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Protocol, TypeVar

from hansa.engine.workers import start_workers
from hansa.kernel.crypto.signatures import verify_many
from hansa.kernel.errors import Invalid, Unavailable
from hansa.kernel.genesis import Network, decode_genesis
from hansa.kernel.transaction import Verdict, bad_signature, check_batch, check_envelope

ENVELOPES_PER_JOB = 256

A = TypeVar("A")
R = TypeVar("R")


class Verifier(Protocol):
    """Checks batches and single envelopes without state."""

    async def check_batch(self, raw: bytes) -> Verdict:
        """Check a batch with its envelopes."""

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

    async def check_envelopes(self, raws: Sequence[bytes]) -> list[bytes | Invalid]:
        """Check envelopes on their own."""
        return check_many_envelopes(raws, self._network)

    def close(self) -> None:
        """Nothing to stop."""


class PoolVerifier:
    """Checks in worker processes, as many as there are cores; new ones if one of them dies."""

    def __init__(self, network: Network, processes: int) -> None:
        genesis = network.genesis.encoded()
        self._start = partial(start_workers, processes, _begin_worker, genesis)
        self._pool = self._start()

    async def check_batch(self, raw: bytes) -> Verdict:
        """Check a batch with its envelopes."""
        return await self._run(_check_batch, raw)

    async def check_envelopes(self, raws: Sequence[bytes]) -> list[bytes | Invalid]:
        """Check envelopes on their own, several jobs side by side."""
        jobs = [
            self._run(_check_envelopes, list(raws[at : at + ENVELOPES_PER_JOB]))
            for at in range(0, len(raws), ENVELOPES_PER_JOB)
        ]
        return [verdict for part in await asyncio.gather(*jobs) for verdict in part]

    def close(self) -> None:
        """Stop the processes."""
        self._pool.shutdown(cancel_futures=True)

    async def _run(self, function: Callable[[A], R], argument: A) -> R:
        pool = self._pool
        try:
            return await pool.run(function, argument)
        except BrokenProcessPool:
            if pool is self._pool:  # the first to notice
                pool.shutdown(wait=False)
                self._pool = self._start()
            raise Unavailable(
                "a verifying process died, and what it had in hand was not taken: send it again"
            ) from None


def check_many_envelopes(raws: Sequence[bytes], network: Network) -> list[bytes | Invalid]:
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


_worker_network: Network | None = None


def _begin_worker(genesis: bytes) -> None:
    global _worker_network  # noqa: PLW0603 - one network for the life of a worker process
    _worker_network = Network.of(decode_genesis(genesis))


def _check_batch(raw: bytes) -> Verdict:
    assert _worker_network is not None  # noqa: S101 - set by the initializer
    return check_batch(raw, _worker_network, verify_many)


def _check_envelopes(raws: Sequence[bytes]) -> list[bytes | Invalid]:
    assert _worker_network is not None  # noqa: S101 - set by the initializer
    return check_many_envelopes(raws, _worker_network)
