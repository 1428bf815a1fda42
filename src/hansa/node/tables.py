"""Small tables, read whole: members, assets, policy.

To scan the store costs a copy of what waits to be flushed, so keys are listed once in a while
and rows are loaded by key: their values are always those of now.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from hansa.engine.chain import Chain
from hansa.kernel.rows import Row, decode_row

R = TypeVar("R", bound=Row)

RESCAN_S = 3.0
"""How long a row that was added may be missing."""


class _Known(NamedTuple):
    height: int
    seen_s: float
    keys: list[bytes]


class Tables:
    """Reads small tables of one chain.

    Args:
      chain: whose rows.
      clock_s: a clock that never goes back.
    """

    def __init__(self, chain: Chain, clock_s: Callable[[], float]) -> None:
        self._chain = chain
        self._clock_s = clock_s
        self._known: dict[type[Row], _Known] = {}

    def load_all(self, row_type: type[R]) -> list[R]:
        """Load all rows of a table, in the order of their keys."""
        state = self._chain.machine.state
        found = [state.load(row_type, key) for key in self._list_keys(row_type)]
        return [row for row in found if row is not None]

    def _list_keys(self, row_type: type[Row]) -> list[bytes]:
        height, now = self._chain.store.pending_height, self._clock_s()
        known = self._known.get(row_type)
        if known is None or (known.height != height and now - known.seen_s >= RESCAN_S):
            rows = self._chain.iterate_rows(row_type.TABLE)
            keys = [decode_row(row_type, raw).row_key() for _, raw in rows]
            known = self._known[row_type] = _Known(height, now, keys)
        return known.keys
