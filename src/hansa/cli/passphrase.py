"""Passphrases: from the environment, or asked for at the terminal."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.program import PASSPHRASE_VARIABLE

NEW_PASSPHRASE_VARIABLE = "HANSA_NEW_PASSPHRASE"  # noqa: S105


def ask_passphrase(file: Path | None = None) -> str:
    """Get the passphrase that opens key files, or this one.

    Raises:
      Invalid: it is neither in HANSA_PASSPHRASE nor is there a terminal to ask at.
    """
    found = _find(PASSPHRASE_VARIABLE)
    what = "Passphrase" if file is None else f"Passphrase of {file}"
    return _ask(f"{what}: ") if found is None else found


@contextmanager
def taking_passphrase() -> Iterator[Callable[[], str]]:
    """Give a function that asks as `ask_passphrase`; no process started from then on has it."""
    found = os.environ.get(PASSPHRASE_VARIABLE)

    def take() -> str:
        passphrase = ask_passphrase()
        os.environ.pop(PASSPHRASE_VARIABLE, None)
        return passphrase

    try:
        yield take
    finally:
        if found is not None:
            os.environ[PASSPHRASE_VARIABLE] = found


def ask_new_passphrase(variable: str = PASSPHRASE_VARIABLE) -> str:
    """Get a passphrase for files to be written; at the terminal it is asked for twice.

    Raises:
      Invalid: neither variable nor terminal, an empty one, or two that differ.
    """
    found = _find(variable)
    if found is None:
        found = _ask("New passphrase: ")
        if found != _ask("The same again: "):
            raise Invalid(InvalidCode.MALFORMED, "the two passphrases differ: nothing was done")
    if not found:
        raise Invalid(InvalidCode.MALFORMED, "the passphrase is empty: nothing was done")
    return found


def get_passphrase() -> str | None:
    """Get the passphrase from the environment; asks nobody."""
    return os.environ.get(PASSPHRASE_VARIABLE)


def _find(variable: str) -> str | None:
    found = os.environ.get(variable)
    if found is None and not sys.stdin.isatty():
        raise Invalid(
            InvalidCode.UNAUTHENTICATED,
            f"no passphrase: set {variable}, or run this at a terminal",
        )
    return found


def _ask(prompt: str) -> str:
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise Invalid(InvalidCode.UNAUTHENTICATED, "no passphrase was given") from None
