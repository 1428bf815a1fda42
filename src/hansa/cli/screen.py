"""What commands print: results on standard output, errors and progress on standard error.

All text for people passes through `escape`: much of it was written by others (names, references,
messages of a node), and a control character in it could hide or forge what a terminal shows. What
is printed as JSON is ASCII with escapes of its own.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TextIO

from hansa.kernel.errors import HansaError, Unavailable

BAR_CELLS = 30
REFRESH_S = 0.1


class Sent(HansaError):  # noqa: N818 - beside the names of `hansa.kernel.errors`
    """A transaction was sent, and whoever sent it could not be told what became of it.

    They must ask for it: the same command again would be another transaction.
    """


def accept_all_text() -> None:
    """Let both outputs take any text: what their encoding lacks is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush() -> None:
    """Bring what was printed to where it goes, now: later nobody could say that it did not.

    Raises:
      Unavailable: it cannot be written.
      BrokenPipeError: whoever read it has gone.
    """
    if sys.stdout is not None:
        _write("")


def _write(text: str) -> None:
    try:
        print(text, end="", flush=not text)
    except OSError as error:
        _drop(sys.stdout)
        if isinstance(error, BrokenPipeError):
            raise
        raise Unavailable(f"cannot print on standard output: {error.strerror}") from None


def _drop(stream: TextIO) -> None:
    """Give up what could not be printed; the interpreter would try it again at its end."""
    with suppress(OSError):
        target = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, target)
        os.close(nowhere)


def print_json(value: object) -> None:
    """Print one JSON object on standard output."""
    _write(f"{json.dumps(value)}\n")


def escape(text: str) -> str:
    r"""Write what a terminal does not show as itself as an escape: controls, line ends, bidi.

    >>> escape("a\x1b[2J\nb")
    'a\\x1b[2J\\nb'
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def print_table(rows: Mapping[str, object] | Sequence[tuple[str, object]]) -> None:
    """Print names and values, aligned; in a sequence a name may stand twice."""
    pairs = rows.items() if isinstance(rows, Mapping) else rows
    labels = [escape(name) for name, _ in pairs]
    width = max(map(len, labels), default=0)
    for name, (_, value) in zip(labels, pairs, strict=True):
        label = name.ljust(width)
        for line in _describe(value):
            _write(f"  {label}  {escape(line)}".rstrip() + "\n")
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
        return ", ".join(f"{name} {_join_within(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_join_within, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _join_within(value: object) -> str:
    """Describe a value that stands beside others; a text with a comma could pass for two."""
    text = _join(value)
    if isinstance(value, str) and ("," in value or '"' in value):
        return json.dumps(text, ensure_ascii=False)
    return text


def print_found(found: Mapping[str, object], *, is_json: bool) -> None:
    """Print what a command found, as one JSON object or as a table for people."""
    if is_json:
        print_json(found)
    else:
        print_table(found)


def say(text: str) -> None:
    """Print a line on standard output."""
    _write(f"{escape(text)}\n")


def complain(text: str) -> None:
    """Print a line on standard error; where that is full, too, the exit code alone tells."""
    try:
        print(escape(text), file=sys.stderr, flush=True)
    except OSError:
        _drop(sys.stderr)


def ask(question: str) -> bool:
    """Ask on standard error; whether the answer is yes, in full."""
    print(escape(question), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() == "yes"


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
