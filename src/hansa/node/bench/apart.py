"""Steps of a benchmark in processes of their own, which have nothing of this one's memory."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hansa.kernel.errors import Corrupt


class Took(NamedTuple):
    """What a step took."""

    seconds: float
    peak_bytes: int
    """Of resident memory."""
    result: Any
    """What it returned."""


def measure_apart(step: Callable[..., object], *arguments: object) -> Took:
    """Run a step in a new process.

    Raises:
      Corrupt: it failed, and said on standard error why.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(theirs, step, arguments))
    process.start()
    theirs.close()
    try:
        found: Took = ours.recv()
    except EOFError:
        raise Corrupt(f"the step {step.__name__} of the benchmark failed: see above") from None
    finally:
        process.join()
    return found


def _report(connection: Any, step: Callable[..., object], arguments: tuple[object, ...]) -> None:  # noqa: ANN401 - of multiprocessing
    begun = time.monotonic()
    result = step(*arguments)
    connection.send(Took(time.monotonic() - begun, _read_peak(), result))


def _read_peak() -> int:
    """Read the peak of this process's resident memory, in bytes; proc(5), VmHWM."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise Corrupt("/proc/self/status names no VmHWM")
