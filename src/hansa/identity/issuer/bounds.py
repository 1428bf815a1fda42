"""How many records strangers may cause to be kept at a time, whatever rate each is let in at."""

from __future__ import annotations

from collections import deque

from hansa.kernel.errors import Unavailable


class Bound:
    """Counts records until they end; all of them are kept for as long as one another."""

    def __init__(self, count_max: int, what: str) -> None:
        """Let there be so many at a time; `what` they are stands in the refusal."""
        self._count_max = count_max
        self._what = what
        self._ends_ms: deque[int] = deque()

    def count(self, expires_ms: int, time_ms: int) -> None:
        """Count one more.

        Raises:
          Unavailable: there are too many now.
        """
        while self._ends_ms and self._ends_ms[0] <= time_ms:
            self._ends_ms.popleft()
        if len(self._ends_ms) >= self._count_max:
            raise Unavailable(f"too many {self._what} at this time: ask again in some minutes")
        self._ends_ms.append(expires_ms)
