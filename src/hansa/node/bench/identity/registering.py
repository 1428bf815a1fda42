"""What `hansa bench identity` puts on the ledger, and what it then reads and verifies from it.

Everything is signed beforehand and goes through the embedded engine as a node runs it; what counts
is confirmed and durable. Resolving and full verification read the node's own rows.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from hansa.contracts.identity import did, evidence
from hansa.contracts.identity.documents import EMPTY, Document, KeyBytes
from hansa.engine.chain import Chain
from hansa.engine.embedded import EmbeddedEngine
from hansa.engine.verification import PoolVerifier
from hansa.engine.workers import start_workers
from hansa.identity.methods.did import read_did
from hansa.identity.methods.hansa import resolve_did_hansa, write_did
from hansa.kernel.block import Status, read_status
from hansa.kernel.contract import Command
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Unavailable
from hansa.kernel.genesis import Network, decode_genesis
from hansa.kernel.machine.state import Reader
from hansa.node.api.handlers.identity.proving import prove_questions
from hansa.node.bench.load import VALIDITY_MS, derive_key, sponsor_batch
from hansa.node.home import Home, open_chain
from hansa.node.service import wall_clock_ms
from hansa.sdk.build import sign_transaction
from hansa.sdk.identity.proofs import verify_rows
from hansa.sdk.identity.questions import QUESTIONS_MAX, DidQuestion

PER_BATCH = 125
IN_FLIGHT = 8


async def measure_registering(home: Home, count: int) -> dict[str, int]:
    """Measure DIDs created and hashes notarised one by one, then DIDs resolved, all a second.

    Resolved from the node's own rows, to documents; and by whoever believes no node, from answers
    with proofs as a node gives them, to what the ledger says.
    """
    chain = open_chain(home, derive_key("node"))
    verifier = PoolVerifier(chain.network, os.cpu_count() or 1)
    engine = EmbeddedEngine(chain, verifier, wall_clock_ms)
    engine.start()
    try:
        created = await _measure(engine, chain.network, sign_documents, count)
        notarised = await _measure(engine, chain.network, sign_evidence, count)
        return {
            "did_create_per_s": created,
            "evidence_per_s": notarised,
            "did_resolve_local_per_s": _measure_resolving(chain, count),
            "did_resolve_per_s": _measure_proving(chain, count),
        }
    finally:
        await engine.stop()
        chain.close()


async def _measure(
    engine: EmbeddedEngine, network: Network, sign: Callable[[bytes, int], bytes], count: int
) -> int:
    """Have signed batches confirmed, some under way at a time; returns how many a second."""
    pool = start_workers(os.cpu_count() or 1)
    try:
        genesis = network.genesis.encoded()
        starts = range(0, count, PER_BATCH)
        batches = await asyncio.to_thread(list, pool.map(partial(sign, genesis), starts))
    finally:
        pool.shutdown()
    waiting = iter(batches)
    confirmed = 0

    async def work() -> None:
        nonlocal confirmed
        for raw in waiting:
            answers = await engine.submit(raw)
            good = _count_good(answers)
            if good != len(answers):
                raise Unavailable("the ledger did not take what the benchmark registers")
            confirmed += good

    begun = time.monotonic()
    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return round(confirmed / (time.monotonic() - begun))


def _count_good(answers: Sequence[Any]) -> int:
    return sum(
        1 for answer in answers if answer.receipt and read_status(answer.receipt) is Status.OK
    )


def sign_documents(genesis: bytes, start: int) -> bytes:
    """Sign the creation of DIDs, each with its key, as one batch."""

    def make(number: int) -> Command:
        key = derive_key(f"did{number}")
        return did.Create(key.address, EMPTY, (KeyBytes(key.suite, key.public_key),))

    return _sign(genesis, start, make)


def sign_evidence(genesis: bytes, start: int) -> bytes:
    """Sign the notarisation of hashes, each on its own, as one batch."""

    def make(number: int) -> Command:
        key = derive_key(f"did{number}")
        return evidence.Notarise(key.address, key.address, 1, ())

    return _sign(genesis, start, make)


def _sign(genesis: bytes, start: int, make: Callable[[int], Command]) -> bytes:
    network = Network.of(decode_genesis(genesis))
    until = wall_clock_ms() + VALIDITY_MS
    envelopes = [
        sign_transaction(network, [derive_key(f"did{number}")], [make(number)], until).envelope
        for number in range(start, start + PER_BATCH)
    ]
    return sponsor_batch(network, envelopes)


def _measure_resolving(chain: Chain, count: int) -> int:
    """Measure how many DIDs are resolved from the node's rows a second, to documents with keys."""
    network = chain.network.genesis.network
    rows = Reader(chain.machine.state)
    addresses = [derive_key(f"did{number}").address for number in range(count)]
    dids = [read_did(write_did(network, each)) for each in addresses]
    begun = time.process_time()
    for each in dids:
        resolve_did_hansa(rows, network, each, wall_clock_ms())
    return round(count / (time.process_time() - begun))


def _measure_proving(chain: Chain, count: int) -> int:
    """Measure how many DIDs are verified and resolved a second, from answers of a node."""
    addresses = [derive_key(f"did{number}").address for number in range(count)]
    questions = [
        DidQuestion(address)
        for address in addresses
        if chain.get_row(Document.key(address)) is not None  # there at the last checkpoint
    ]
    parts = [
        questions[start : start + QUESTIONS_MAX]
        for start in range(0, len(questions), QUESTIONS_MAX)
    ]
    answers = [encode(prove_questions(chain, part)) for part in parts]
    begun = time.process_time()
    for part, answer in zip(parts, answers, strict=True):
        rows = verify_rows(chain.network, answer)
        if any(question.read(rows).resolution is None for question in part):
            raise Unavailable("the ledger does not prove what the benchmark registered")
    return round(len(questions) / (time.process_time() - begun))
