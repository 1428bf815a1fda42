"""The run of a replay: rows in file order, signed, verified, executed, durable.

    file -> jobs (10,000 rows of one day) -> sign (processes) -> verify (processes)
         -> execute -> append -> sync (thread)

Every payment's nonce carries its row number, so the chain itself says where to go on after a
crash: the block with the highest row was whole or was not there.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from hansa.contracts import payments
from hansa.engine.chain import Chain
from hansa.engine.collector import tune_collector
from hansa.engine.ordering import execute_with_pauses
from hansa.engine.record_items import group_dropped
from hansa.engine.verification import PoolVerifier
from hansa.engine.workers import Workers, start_workers
from hansa.kernel.block import BlockRecord, Status, decode_receipt, read_status
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.frame import decode_batch
from hansa.kernel.machine.execution import BlockResult
from hansa.kernel.transaction import Body, CheckedBatch, build_checked, decode_envelope
from hansa.node.home import Home, create_home, open_chain
from hansa.node.replay.cast import (
    Plan,
    choose_category,
    make_cast,
    make_genesis,
    make_plan,
)
from hansa.node.replay.signing import Job, NewWallet, sign_job
from hansa.node.replay.source import Payments, PaymentsFile, count_days

ROWS_PER_BLOCK = 10_000
JOBS_AHEAD = 4
PASSPHRASE = "replay"  # noqa: S105 - keys of a replay come from a public seed

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class ReplayReport:
    """What a replay did, from the first payment of the chain on."""

    confirmed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Payments that were not made, by code."""
    seconds: float = 0.0
    processed: int = 0
    """Rows of this run, without those of an earlier one that it resumed."""
    peak_mb: int = 0
    height: int = 0
    state_root: str = ""
    resumed_at: int = 0

    def to_json(self) -> dict[str, Any]:
        """Build the object that `--json` prints."""
        return {
            "confirmed": self.confirmed,
            "refused": dict(sorted(self.refused.items())),
            "seconds": round(self.seconds, 2),
            "per_s": round(self.processed / self.seconds) if self.seconds else 0,
            "peak_mb": self.peak_mb,
            "height": self.height,
            "state_root": self.state_root,
            "resumed_at": self.resumed_at,
        }


def replay(
    source: PaymentsFile,
    folder: Path,
    limit: int | None,
    progress: Progress,
    *,
    rebuild: bool = False,
) -> ReplayReport:
    """Replay a file into the chain of a data folder, begun or gone on with.

    Args:
      source: the file; it is read once as a whole before anything is written.
      folder: the data folder.
      limit: only so many rows, from the first on; None for all.
      progress: told (rows done, rows to do).
      rebuild: throw the state store away first and make it anew from the log.

    Raises:
      Invalid: a row cannot be read, or the folder holds another file's replay.
      Corrupt: log or store are damaged; a damaged store can be rebuilt.
      Unavailable: the disk refuses, or another process has the folder.
    """
    begun = time.monotonic()
    plan = make_plan(source.iterate())
    cast = make_cast()
    home = Home(folder)
    genesis = make_genesis(cast, source.columns, plan.first_ms)
    if not home.exists():
        create_home(folder, genesis, {"node": cast.sealer}, PASSPHRASE)
    elif home.read_genesis() != genesis.encoded():
        raise _other_file(folder)
    chain = open_chain(home, cast.sealer, rebuild=rebuild)
    try:
        run = _Run(chain, source, plan, folder, progress)
        tune_collector()
        asyncio.run(run.go(plan.rows if limit is None else min(limit, plan.rows)))
        report = run.report
    finally:
        chain.close()
    report.seconds = time.monotonic() - begun
    report.height = chain.head.height
    report.state_root = chain.head.state_root.hex()
    return report


class _Run:
    """One run over one chain."""

    def __init__(
        self, chain: Chain, source: PaymentsFile, plan: Plan, folder: Path, progress: Progress
    ) -> None:
        self._chain = chain
        self._source = source
        self._plan = plan
        self._folder = folder
        self._progress = progress
        self._fingerprint = source.fingerprint
        self._genesis = chain.network.genesis.encoded()
        self._time_ms = chain.head.time_ms
        self._seen: dict[str, set[str]] = {"payer": set(), "payee": set()}
        self.report = ReplayReport()

    async def go(self, end: int) -> None:
        """Replay the rows that the chain lacks, up to row `end`."""
        start = self._resume()
        self.report.resumed_at = start
        cores = os.cpu_count() or 1
        verifier = PoolVerifier(self._chain.network, cores)
        signers = start_workers(cores)
        try:
            await self._pump(start, end, signers, verifier)
            self.report.peak_mb = _measure_peak_mb()
        finally:
            signers.shutdown(cancel_futures=True)
            verifier.close()

    async def _pump(self, start: int, end: int, signers: Workers, verifier: PoolVerifier) -> None:
        jobs = self._iterate_jobs(start, end)
        ahead: asyncio.Queue[tuple[Job, asyncio.Task[Any]] | None] = asyncio.Queue(JOBS_AHEAD)

        async def prepare(job: Job) -> tuple[list[CheckedBatch], list[bool]]:
            signed = await signers.run(sign_job, self._genesis, job)
            verdicts = await asyncio.gather(*(verifier.check_batch(raw) for raw, _ in signed))
            batches = [
                build_checked(raw, verdict, self._chain.network)
                for (raw, _), verdict in zip(signed, verdicts, strict=True)
            ]
            return batches, [is_rows for _, is_rows in signed]

        async def feed() -> None:
            for job in jobs:
                await ahead.put((job, asyncio.create_task(prepare(job))))
            await ahead.put(None)

        feeding = asyncio.create_task(feed())
        syncing: asyncio.Future[None] | None = None
        while (item := await ahead.get()) is not None:
            job, task = item
            batches, are_rows = await task
            result = await execute_with_pauses(self._chain, job.time_ms, batches)
            if syncing is not None:
                await syncing
            self._chain.append(result, batches)
            syncing = asyncio.get_running_loop().run_in_executor(None, self._chain.sync)
            self._count(result, are_rows)
            self.report.processed += job.rows.columns.num_rows
            self._progress(start + self.report.processed, end)
        await feeding
        if syncing is not None:
            await syncing

    def _iterate_jobs(self, start: int, end: int) -> Iterator[Job]:
        """Cut the rows into blocks: at most 10,000 rows, never two days in one."""
        is_first = start == 0
        for part in self._source.iterate(start):
            if part.first >= end:
                break
            for rows in cut_blocks(part.cut(0, min(part.columns.num_rows, end - part.first))):
                yield self._build_job(rows, is_first=is_first)
                is_first = False

    def _build_job(self, rows: Payments, *, is_first: bool) -> Job:
        issue_minor = self._plan.total_minor if is_first else 0
        currency = self._source.columns.currency
        latest_ms = pc.max(rows.columns.column("time_ms")).as_py()
        self._time_ms = max(self._time_ms, latest_ms)  # a file may go back within a day
        opened = self._meet(rows)
        return Job(self._time_ms, currency, self._fingerprint, issue_minor, opened, rows.copied())

    def _meet(self, rows: Payments) -> list[NewWallet]:
        """Name the wallets that appear in these rows for the first time."""
        new = []
        for side, usages in (("payer", self._plan.payers), ("payee", self._plan.payees)):
            seen = self._seen[side]
            for name in rows.columns.column(side).unique().to_pylist():
                if name not in seen:
                    seen.add(name)
                    usage = usages[name]
                    new.append(NewWallet(side, name, int(choose_category(usage)), usage.spent))
        return new

    def _count(self, result: BlockResult, are_rows: list[bool]) -> None:
        """Count what became of the file's rows; what makes them possible must not fail."""
        for outcomes, is_rows in zip(result.outcomes, are_rows, strict=True):
            for outcome in outcomes:
                code = _read_code(outcome, result)
                if is_rows:
                    self._tally(code)
                elif code:
                    raise Invalid(
                        InvalidCode.ARGUMENTS,
                        f"opening or funding wallets failed with {code} in block "
                        f"{result.header.height}",
                    )

    def _tally(self, code: str) -> None:
        if code:
            self.report.refused[code] += 1
        else:
            self.report.confirmed += 1

    def _resume(self) -> int:
        """Count what the chain holds already; returns the first row that it lacks."""
        lowest = self._chain.log.height_min
        if lowest > 0:
            raise Invalid(
                InvalidCode.MALFORMED,
                f"{self._folder} keeps no block before {lowest}: a replay that goes on counts the "
                "payments of all; choose another --data, and begin anew",
                height_min=lowest,
            )
        start = 0
        for record in self._chain.iterate_records(1):
            start = max(start, self._recount(record))
        for part in self._source.iterate():
            if part.first >= start:
                break
            self._meet(part.cut(0, min(part.columns.num_rows, start - part.first)))
        return start

    def _recount(self, record: BlockRecord) -> int:
        end = index = 0
        for raw, dropped in zip(record.batches, group_dropped(record), strict=True):
            for number, item in enumerate(decode_batch(raw)[1].items):
                _, body = decode_envelope(item.envelope)
                code = dropped[number].code.value if number in dropped else ""
                if number not in dropped:
                    code = decode_receipt(record.receipts[index]).code
                    index += 1
                if is_row(body):
                    if body.nonce[8:] != self._fingerprint:
                        raise _other_file(self._folder)
                    self._tally(code)
                    end = max(end, int.from_bytes(body.nonce[:8], "big") + 1)
        return end


def is_row(body: Body) -> bool:
    """Tell a payment of the file from what makes payments possible."""
    return [(call.contract, call.command) for call in body.calls] == [(payments.NAME, "transfer")]


def _other_file(folder: Path) -> Invalid:
    return Invalid(
        InvalidCode.MALFORMED,
        f"{folder} holds the replay of another file, or of another version of this one or its "
        "map, or another network: choose another --data",
    )


def cut_blocks(rows: Payments) -> Iterator[Payments]:
    """Cut rows into blocks: at most 10,000 rows, never two days in one."""
    count = rows.columns.num_rows
    days = count_days(rows.columns.column("time_ms"))
    changes = pc.indices_nonzero(pc.not_equal(days[1:], days[:-1])).to_pylist()
    start = 0
    for end in [*(change + 1 for change in changes), count]:
        for at in range(start, end, ROWS_PER_BLOCK):
            yield rows.cut(at, min(at + ROWS_PER_BLOCK, end))
        start = end


def _read_code(outcome: object, result: BlockResult) -> str:
    if isinstance(outcome, Invalid):
        return outcome.code.value
    if isinstance(outcome, int):
        receipt = result.receipts[outcome]
        return "" if read_status(receipt) is Status.OK else decode_receipt(receipt).code
    return InvalidCode.NONCE_USED.value


def _measure_peak_mb() -> int:
    """Measure peak memory: this process and those it started, each at its own peak.

    What a worker maps from files, such as libraries, is the same memory as here.
    """
    pids = ["self"]
    for children in Path("/proc/self/task").glob("*/children"):
        pids += children.read_text().split()
    peaks_kb = 0
    for pid in pids:
        status = Path(f"/proc/{pid}/status").read_text()
        peaks_kb += _read_kb(status, "VmHWM:")
        if pid != "self":
            peaks_kb -= _read_kb(status, "RssFile:")
    return peaks_kb // 1024


def _read_kb(status: str, name: str) -> int:
    found = status.partition(name)[2].split(maxsplit=1)
    return int(found[0]) if found else 0  # none of a process that has just ended
