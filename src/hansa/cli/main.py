"""The `hansa` command: parses arguments, runs one command, maps errors to exit codes.

Only the module of the command is loaded, or all of them where help or a complaint lists them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from http import HTTPStatus
from importlib import import_module
from typing import NoReturn

from hansa import __version__
from hansa.cli.screen import Sent, accept_all_text, complain, flush
from hansa.kernel.errors import (
    Corrupt,
    HansaError,
    Invalid,
    InvalidCode,
    NotFound,
    Refused,
    Unavailable,
)
from hansa.program import EXIT_INTERRUPTED, name_program
from hansa.system_errors import ADVICE

EXIT_CODES: tuple[tuple[type[HansaError], int], ...] = (
    (Sent, 6),
    (Invalid, 2),
    (Refused, 3),
    (NotFound, 4),
    (Unavailable, 5),
    (Corrupt, 70),
)
EXIT_FAULT = 70
FORBIDDEN = "api.FORBIDDEN"
"""What a node says to a caller that it knows and that may not; it is loaded with HTTP only."""
TRACEBACK_VARIABLE = "HANSA_TRACEBACK"
MODULES = {
    "setup": ("init", "up"),
    "run": ("demo", "replay", "bench"),
    "reconcile": ("reconcile", "manifest"),
    "pair": ("pair",),
    "keys": ("key",),
    "wallet": ("pay", "wallet"),
    "tx": ("tx",),
    "network": ("network",),
    "message": ("message",),
    "chain": ("audit", "verify", "block", "receipt"),
    "care": ("doctor", "backup", "restore"),
    "snapshot": ("snapshot",),
    "identity": ("id",),
    "risk": ("risk",),
}
"""Modules of this package in the order of their commands, and the commands that each adds."""

MAY_LEAVE_OUT_SHOW = ("tx", "wallet")
"""Commands whose module, of the same name, lists their words."""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are errors like all others, not text of its own."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the words, and where their usage is shown.

        Raises:
          Invalid: always.
        """
        raise Invalid(
            InvalidCode.ARGUMENTS, f"{message} (usage: {self.prog} --help)", usage=self.prog
        )


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Build the parser of all commands, or only of those in the module of `command`."""
    parser = _Parser(prog=name_program(), description="Digital money on one permissioned ledger.")
    parser.add_argument("--version", action="version", version=f"hansa {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    needs_all = command != "--version" and not any(command in words for words in MODULES.values())
    for module, words in MODULES.items():
        if needs_all or command in words:
            import_module(f"hansa.cli.{module}").add_commands(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    accept_all_text()
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = argparse.Namespace(json="--json" in words)  # until they are parsed
    code = 0
    try:
        parsed = _parse(words)
        if parsed is not None:
            options = parsed
            command: Callable[[argparse.Namespace], int] = options.function
            code = command(options)
        flush()
    except HansaError as error:
        return _tell(_hint(error, options), as_json=getattr(options, "json", False))
    except KeyboardInterrupt:
        complain("hansa: stopped")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        where = f"{str(error.filename)[:200]}: " if error.filename else ""
        told = Unavailable(f"{where}{_advise(error)}")
        return _tell(told, as_json=getattr(options, "json", False))
    except Exception as error:
        if TRACEBACK_VARIABLE in os.environ:
            raise
        complain(
            f"hansa: {type(error).__name__}: {error}. This is a fault of the program: please "
            f"report it; {TRACEBACK_VARIABLE}=1 shows where"
        )
        return EXIT_FAULT
    return code


def _parse(words: Sequence[str]) -> argparse.Namespace | None:
    """Parse the words; None once help or the version was shown, which was all."""
    words = _fill_in(words)
    try:
        return build_parser(words[0] if words else None).parse_args(words)
    except SystemExit:
        return None


def _fill_in(words: Sequence[str]) -> list[str]:
    """Fill in `show` where it may be left out: `hansa tx ID`, `hansa wallet ADDRESS`."""
    if len(words) > 1 and words[0] in MAY_LEAVE_OUT_SHOW:
        known = (*import_module(f"hansa.cli.{words[0]}").WORDS, "-h", "--help")
        if words[1] not in known:
            return [words[0], "show", *words[1:]]
    return list(words)


def _advise(error: OSError) -> str:
    """Say what an error of the system is, and what to do about it where that is known."""
    said = str(error.strerror or error)
    if isinstance(error, PermissionError):
        mend = "correct the owner or the permissions, or run this as the user who runs the node"
        return f"{said}; {mend}"
    return ADVICE.get(error.errno or 0, said)


def _hint(error: HansaError, options: argparse.Namespace) -> HansaError:
    """Say how a caller shows who it is, where the node asks for it, and what takes no right."""
    is_asked = error.facts.get("status") == HTTPStatus.UNAUTHORIZED
    if is_asked and hasattr(options, "api_key_file"):
        error.message += " (here: --api-key-file or HANSA_API_KEY, or --certificate)"
    is_denied = isinstance(error, Refused) and str(error.code) == FORBIDDEN
    if (is_asked or is_denied) and hasattr(options, "data") and options.data is None:
        error.message += (
            ". On a node's own machine, --data FOLDER reads its folder and takes no right"
        )
    return error


def _tell(error: HansaError, *, as_json: bool) -> int:
    code = next(code for kind, code in EXIT_CODES if isinstance(error, kind))
    if as_json:
        problem = {"error": type(error).__name__, "message": error.message}
        facts = {
            name: fact.hex() if isinstance(fact, bytes) else fact
            for name, fact in error.facts.items()
        }
        complain(json.dumps({**problem, **facts}))
    else:
        complain(f"hansa: {error.message}")
    return code


if __name__ == "__main__":
    sys.exit(main())
