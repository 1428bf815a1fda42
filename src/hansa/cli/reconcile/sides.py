"""Sides of `hansa reconcile`, and how they are said: two in a row, or any number by their names."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from hansa.cli.reconcile.ledgers import LedgerFolder, open_sources, parse_source, require_used
from hansa.cli.reconcile.readings import SaidReading, open_reading, parse_currency, parse_encoding
from hansa.cli.source import parse_file
from hansa.kernel.errors import Invalid, InvalidCode

if TYPE_CHECKING:
    from hansa.reconcile.batch.job import SideFiles

T = TypeVar("T")
Sources = tuple[Path | LedgerFolder, ...]
LEFT, RIGHT = "left", "right"
_NAMED = re.compile(r"([a-z][a-z0-9_]{0,31})=(.+)", re.DOTALL)


_READINGS: dict[str, tuple[Callable[[str], object], str, str]] = {
    "map": (parse_file, "FILE", "TOML file that says what the columns of the {}'s tables mean"),
    "encoding": (
        parse_encoding,
        "NAME",
        "of the {}'s MT940 and MT942, if neither UTF-8 nor Windows-1252",
    ),
    "currency": (
        parse_currency,
        "CODE",
        "of accounts whose file tells none, in the {}'s MT940, MT942 and BAI2",
    ),
}
"""Options of a side that tell how its files are read: of what type, and what for."""


class SaidSide(NamedTuple):
    """A side as it was said."""

    sources: Sources
    reading: SaidReading
    """How its files are read, where they do not say it."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the arguments that name sides."""
    command.add_argument(
        "left",
        nargs="?",
        type=parse_source,
        help="file of the first side of the rules, or ledger:DIR",
    )
    command.add_argument(
        "right", nargs="?", type=parse_source, help="file of the second, or ledger:DIR"
    )
    for side in (LEFT, RIGHT):
        command.add_argument(
            f"--more-{side}",
            type=parse_source,
            action="append",
            default=[],
            metavar="FILE",
            help=f"another file of the {side} side; may be said again",
        )
        for name, (parse, metavar, meaning) in _READINGS.items():
            command.add_argument(
                f"--{name}-{side}",
                type=parse,
                metavar=metavar,
                help=meaning.format(f"{side} side"),
            )
    command.add_argument(
        "--side",
        type=_parse_named(parse_source),
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="instead of LEFT and RIGHT: a file of the side of this name, or ledger:DIR; repeat",
    )
    for name, (parse, metavar, meaning) in _READINGS.items():
        command.add_argument(
            f"--{name}",
            type=_parse_named(parse),
            action="append",
            default=[],
            metavar=f"NAME={metavar}",
            help=f"with --side: {meaning.format('side')}; repeat",
        )


def list_sides(options: argparse.Namespace) -> dict[str, SaidSide]:
    """List sides by their names, or as `LEFT` and `RIGHT` where they were said in a row.

    Raises:
      Invalid: there are none, or both kinds.
    """
    in_row = [options.left, options.right, *options.more_left, *options.more_right]
    in_row += [getattr(options, f"{name}_{side}") for name in _READINGS for side in (LEFT, RIGHT)]
    if options.side:
        if any(each is not None for each in in_row):
            raise _wrong("say LEFT and RIGHT, or --side for each: not both")
        return _list_named(options)
    for name in _READINGS:
        if getattr(options, name):
            raise _wrong(f"--{name} is of sides that --side names; of LEFT it is --{name}-left")
    if options.right is None:
        raise _wrong("name the files of two sides, LEFT and RIGHT, or say --side for each")
    return {
        side: SaidSide(
            (getattr(options, side), *getattr(options, f"more_{side}")),
            _make_reading({name: getattr(options, f"{name}_{side}") for name in _READINGS}),
        )
        for side in (LEFT, RIGHT)
    }


def open_sides(
    options: argparse.Namespace, sides: Mapping[str, SaidSide]
) -> Iterator[tuple[str, SideFiles]]:
    """Open sides: ledgers, and what says how files are read; raises as `open_reading` does."""
    from hansa.reconcile.batch.job import SideFiles  # noqa: PLC0415 - an extra

    require_used(options, *(each.sources for each in sides.values()))
    for name, (sources, reading) in sides.items():
        yield name, SideFiles(open_sources(options, sources), open_reading(reading))


def _list_named(options: argparse.Namespace) -> dict[str, SaidSide]:
    sources: dict[str, Sources] = {}
    for name, source in options.side:
        sources[name] = (*sources.get(name, ()), source)
    readings: dict[str, dict[str, object]] = {name: {} for name in sources}
    for option in _READINGS:
        for name, value in getattr(options, option):
            if name not in sources:
                raise _wrong(f"--{option}: there is no --side {name}=FILE")
            if option in readings[name]:
                raise _wrong(f"--{option}: a side is named twice")
            readings[name][option] = value
    return {name: SaidSide(each, _make_reading(readings[name])) for name, each in sources.items()}


def _make_reading(said: Mapping[str, Any]) -> SaidReading:
    """Make of options by their names what they say; what is left out may be None, or not there."""
    return SaidReading(said.get("map"), said.get("encoding"), said.get("currency") or "")


def _parse_named(parse: Callable[[str], T]) -> Callable[[str], tuple[str, T]]:
    def parse_named(text: str) -> tuple[str, T]:
        found = _NAMED.fullmatch(text)
        if found is None:
            raise argparse.ArgumentTypeError(f"{text!r} is not as NAME=FILE, a side's name first")
        return found[1], parse(found[2])

    return parse_named


def _wrong(what: str) -> Invalid:
    return Invalid(InvalidCode.ARGUMENTS, what)
