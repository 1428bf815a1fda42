"""What a node counts, and its figures for Prometheus.

Source: Prometheus text exposition format 0.0.4; docs/reference/http-api.md.
"""

from __future__ import annotations

import os
import resource
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hansa.kernel.machine.execution import BlockResult
from hansa.node.channel.service import MessageChannel
from hansa.node.service import Node
from hansa.sdk.consensus import Consensus

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency histogram, in seconds."""
STATM = Path("/proc/self/statm")


class Meters:
    """Counts what happens since the node started."""

    def __init__(self) -> None:
        self.confirmed = 0
        """Transactions that are `ok`."""
        self.refused = 0
        self.failed = 0
        self.blocks = 0
        self.requests: Counter[tuple[str, int]] = Counter()
        """By method and status."""
        self._latencies = [0] * (len(BOUNDS_S) + 1)
        self._latency_sum_s = 0.0

    def note_block(self, result: BlockResult) -> None:
        """Count a confirmed block."""
        refused, failed = len(result.facts), len(result.failures)
        self.blocks += 1
        self.refused += refused
        self.failed += failed
        self.confirmed += len(result.receipts) - refused - failed

    def note_submission(self, seconds: float) -> None:
        """Note how long a request with transactions took."""
        self._latencies[bisect_left(BOUNDS_S, seconds)] += 1
        self._latency_sum_s += seconds

    def list_latencies(self) -> list[str]:
        """List the histogram's lines."""
        name, total, lines = "hansa_submission_seconds", 0, []
        for bound, count in zip((*BOUNDS_S, "+Inf"), self._latencies, strict=True):
            total += count
            lines.append(f'{name}_bucket{{le="{bound}"}} {total}')
        return [*lines, f"{name}_sum {self._latency_sum_s:.6f}", f"{name}_count {total}"]


async def list_figures(
    node: Node, meters: Meters, streams: int, channel: MessageChannel | None
) -> list[str]:
    """List all figures in Prometheus' text format, in lines."""
    lines = _list_figures(node, meters, streams)
    lines += _list_consensus(await node.watch.read())
    if channel is not None:
        lines += await _list_messages(channel)
    return lines


Figures = Sequence[tuple[str, str, str, float]]
"""(name, kind, help, value)."""


def _list_consensus(found: Consensus) -> list[str]:
    """List what there is to say of validators; nothing where one node seals."""
    if found.state == "sealed":
        return []
    missing = sum(not each.is_connected for each in found.validators)
    figures: Figures = (
        ("consensus_well", "gauge", "1 while blocks come and this node has them.", found.is_well),
        ("catching_up", "gauge", "1 while it catches up.", found.state == "catching_up"),
        ("stalled", "gauge", "1 while no block comes.", found.state == "stalled"),
        ("peers", "gauge", "Nodes it is connected to.", len(found.peers)),
        ("validators", "gauge", "Those who vote.", len(found.validators)),
        ("validators_missing", "gauge", "Those of them it is not connected to.", missing),
        ("validators_silent", "gauge", "Those of them whose vote has not come.", len(found.silent)),
        ("power", "gauge", "Votes of all validators.", found.power),
        ("power_present", "gauge", "Votes of those it is connected to.", found.present_power),
    )
    if found.consensus_height is not None and found.round is not None:
        block_s = (found.block_ms or 0) / 1_000
        figures = (
            *figures,
            ("consensus_height", "gauge", "Newest block voted on.", found.consensus_height),
            ("consensus_round", "gauge", "Round of the vote at work.", found.round),
            ("consensus_block_seconds", "gauge", "When that block came.", block_s),
        )
    return _write_figures(figures)


async def _list_messages(channel: MessageChannel) -> list[str]:
    leaving, leaving_bytes = await channel.outbox.count_waiting()
    waiting, waiting_bytes = await channel.inbox.count_waiting()
    return _write_figures(
        (
            ("messages_sending", "gauge", "Messages not acknowledged yet.", leaving),
            ("messages_sending_bytes", "gauge", "Bytes of their content.", leaving_bytes),
            ("messages_waiting", "gauge", "Messages that nobody has taken.", waiting),
            ("messages_waiting_bytes", "gauge", "Bytes of their content.", waiting_bytes),
        )
    )


def _write_figures(figures: Figures) -> list[str]:
    lines = []
    for name, kind, text, value in figures:
        lines += [
            f"# HELP hansa_{name} {text}",
            f"# TYPE hansa_{name} {kind}",
            f"hansa_{name} {float(value):.15g}",
        ]
    return lines


def _list_figures(node: Node, meters: Meters, streams: int) -> list[str]:
    head = node.chain.confirmed_height
    figures: Figures = (
        ("height", "gauge", "Newest confirmed block.", head),
        ("ledger_time_seconds", "gauge", "Its time.", node.get_header(head).time_ms / 1000),
        ("confirmed_total", "counter", "Transactions confirmed ok.", meters.confirmed),
        ("refused_total", "counter", "Transactions that a rule refused.", meters.refused),
        ("failed_total", "counter", "Transactions whose contract raised.", meters.failed),
        ("blocks_total", "counter", "Blocks confirmed.", meters.blocks),
        ("queue", "gauge", "Transactions that wait.", node.engine.queued),
        ("streams", "gauge", "Open streams.", streams),
        ("memory_bytes", "gauge", "Resident memory of the node's process.", read_memory()),
        ("engine_up", "gauge", "1 while the engine works.", node.engine.failure is None),
    )
    lines = _write_figures(figures)
    lines += ["# HELP hansa_requests_total Requests.", "# TYPE hansa_requests_total counter"]
    for (method, status), count in sorted(meters.requests.items()):
        lines.append(f'hansa_requests_total{{method="{method}",status="{status}"}} {count}')
    lines += [
        "# HELP hansa_submission_seconds Time from a submission to its answer.",
        "# TYPE hansa_submission_seconds histogram",
    ]
    return lines + meters.list_latencies()


def read_memory() -> int:
    """Read this process' resident memory, in bytes; where there is no /proc, the peak of it."""
    try:
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
