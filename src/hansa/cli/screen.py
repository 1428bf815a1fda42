"""What commands print: results on standard output, progress on standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping

BAR_CELLS = 30
REFRESH_S = 0.1


def print_json(value: object) -> None:
    """Print one JSON object on standard output."""
    print(json.dumps(value))


def print_table(rows: Mapping[str, object]) -> None:
    """Print names and values, aligned."""
    width = max(map(len, rows), default=0)
    for name, value in rows.items():
        print(f"  {name.ljust(width)}  {value}")


def say(text: str) -> None:
    """Print a line on standard output."""
    print(text)


class ProgressBar:
    """A bar on standard error; silent where that is no terminal."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._next = 0.0

    def show(self, name: str, done: int, total: int) -> None:
        """Show how far a stage is."""
        now = time.monotonic()
        is_end = done >= total
        if not self._is_shown or (now < self._next and not is_end):
            return
        self._next = now + REFRESH_S
        cells = BAR_CELLS * done // max(total, 1)
        bar = "█" * cells + "·" * (BAR_CELLS - cells)
        end = "\n" if is_end else ""
        print(f"\r{bar} {done:>9,} of {total:,}  {name}", end=end, file=sys.stderr, flush=True)
