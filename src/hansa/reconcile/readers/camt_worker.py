"""A worker of the reader of camt, as a program: reads runs, writes what was in them, both pickled.

It ends when nobody writes to it any more, so that it outlives nobody. Arrow would load numpy and
pandas where they are installed, which takes 60 MB of each worker, for nothing: here they are not,
which is why this stands outside of the package that loads Arrow.
"""

from __future__ import annotations

import gc
import pickle
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder

NOT_LOADED = {"numpy", "pandas"}


class _Without(MetaPathFinder):
    """Finds that what is not to be loaded is not there."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: object = None, /
    ) -> None:
        if name in NOT_LOADED:
            raise ModuleNotFoundError(f"{name} is not loaded here", name=name)


def work() -> None:
    """Read runs until there are no more."""
    sys.meta_path.insert(0, _Without())
    from hansa.reconcile.readers.camt.run import read_runs  # noqa: PLC0415 - loads Arrow

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started this
    gc.freeze()
    gc.set_threshold(200_000)  # what is made for runs has no cycles; looking for them takes a tenth
    results = sys.stdout.buffer
    with suppress(EOFError, BrokenPipeError):
        while True:
            runs = pickle.load(sys.stdin.buffer)  # noqa: S301 - of the process that started this
            pickle.dump(read_runs(runs), results, pickle.HIGHEST_PROTOCOL)
            results.flush()


if __name__ == "__main__":
    work()
