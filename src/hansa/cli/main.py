"""The `hansa` command: parses arguments, runs one command, maps errors to exit codes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence

from hansa import __version__
from hansa.cli import care, chain, keys, pay, run, setup
from hansa.kernel.errors import Corrupt, HansaError, Invalid, NotFound, Refused, Unavailable

EXIT_CODES: tuple[tuple[type[HansaError], int], ...] = (
    (Invalid, 2),
    (Refused, 3),
    (NotFound, 4),
    (Unavailable, 5),
    (Corrupt, 70),
)
EXIT_INTERRUPTED = 130


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="hansa", description="Digital money on one permissioned ledger."
    )
    parser.add_argument("--version", action="version", version=f"hansa {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (setup, run, keys, pay, chain, care):
        module.add_commands(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = build_parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.function
    try:
        return command(options)
    except HansaError as error:
        return _tell(error, as_json=getattr(options, "json", False))
    except KeyboardInterrupt:
        print("hansa: stopped", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def _tell(error: HansaError, *, as_json: bool) -> int:
    code = next(code for kind, code in EXIT_CODES if isinstance(error, kind))
    if as_json:
        problem = {"error": type(error).__name__, "message": error.message}
        facts = {
            name: fact.hex() if isinstance(fact, bytes) else fact
            for name, fact in error.facts.items()
        }
        print(json.dumps({**problem, **facts}), file=sys.stderr)
    else:
        print(f"hansa: {error.message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
