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
        label = name.ljust(width)
        for line in _describe(value):
            print(f"  {label}  {line}".rstrip())
            label = " " * width


def _describe(value: object) -> list[str]:
    """Describe a value in lines: items of lists and objects stand under one another."""
    if isinstance(value, Mapping):
        lines = [f"{name}: {_join(item)}" for name, item in value.items()]
    elif isinstance(value, list | tuple):
        lines = [_join(item) for item in value]
    else:
        lines = [_join(value)]
    return lines or ["none"]


def _join(value: object) -> str:
    """Describe a value in one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_join(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_join, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def print_found(found: Mapping[str, object], *, is_json: bool) -> None:
    """Print what a command found, as one JSON object or as a table for people."""
    if is_json:
        print_json(found)
    else:
        print_table(found)


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
