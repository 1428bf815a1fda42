"""Results of a run by windows: one set of files, in which each match tells its window.

Breaks are those of the last window. The manifest lists every window with its counts and the hash of
what was found in it; the hash of the result binds all of these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import ibis
import pyarrow.parquet as pq

from hansa.reconcile.batch.ageing import Ageing
from hansa.reconcile.batch.engines import Engine
from hansa.reconcile.batch.results import (
    MATCHES,
    PAIRS,
    WINDOW,
    WINDOWS,
    Origin,
    bind_windows,
    lay_out_matches,
    list_groups,
    tell_found,
    tell_origin,
    write_breaks,
)
from hansa.reconcile.batch.windows.carrying import WindowFound
from hansa.reconcile.rules.book import Window
from hansa.reconcile.rules.windows import get_days


def write_windows(
    engine: Engine,
    found: Iterable[WindowFound],
    rules: tuple[Window, Ageing],
    origin: Origin,
    folder: Path,
    scratch: Path,
) -> dict[str, Any]:
    """Write all files of a result into a folder, window by window; returns what its manifest tells.

    Args:
      engine: that the windows are of.
      found: windows, at least one, in their order.
      rules: how long windows are, and how old breaks.
      origin: what the result is of.
      folder: for the files.
      scratch: a folder for pairs until they are put together.
    """
    window, ageing = rules
    names = origin.left.name, origin.right.name
    told: list[dict[str, Any]] = []
    passes: Counter[str] = Counter()
    with ExitStack() as stack:
        writer = None
        for each in found:
            last = each.found
            number = ibis.literal(each.number, type="int32")
            path = scratch / f"{each.number}.parquet"
            pairs = engine.write(last.pairs.mutate(**{WINDOW: number}), path)
            groups = list_groups(last)
            counted = tell_found(last, groups, pairs)
            first = sum(passes[one.name] for one in last.passes)
            matches = lay_out_matches(last.rest, groups, names, first=first, window=each.number)
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(folder / MATCHES, matches.schema))
            writer.write_table(matches)
            passes.update(counted["passes"])
            told.append(_tell_window(window, each, counted))
    engine.write(engine.read(scratch), folder / PAIRS)
    write_breaks(last.rest, groups, names, ageing, folder)
    overall = {
        "passes": {name: passes[name] for name in told[-1]["passes"]},
        "breaks": told[-1]["breaks"],
        "unmatched": told[-1]["unmatched"],
        WINDOWS: told,
        "result_sha256": bind_windows((each["number"], each["result_sha256"]) for each in told),
    }
    return tell_origin(origin) | overall


def _tell_window(window: Window, each: WindowFound, counted: dict[str, Any]) -> dict[str, Any]:
    first, last = get_days(window, each.number)[0], get_days(window, each.through)[1]
    return {
        "number": each.number,
        "through": each.through,
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
        "new": list(each.new),
        "carried": list(each.carried),
        **counted,
    }
