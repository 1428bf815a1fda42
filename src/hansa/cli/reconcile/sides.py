"""Sides of `hansa reconcile`, and how they are said: two in a row, or any number by their names."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from hansa.cli.reconcile.ledgers import LedgerFolder, open_sources, parse_source, require_used
from hansa.cli.source import parse_file
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.sdk.files import read_file

if TYPE_CHECKING:
    from hansa.reconcile.batch.job import SideFiles

T = TypeVar("T")
Sources = tuple[Path | LedgerFolder, ...]
LEFT, RIGHT = "left", "right"
MAPPING_BYTES_MAX = 1 << 18
_NAMED = re.compile(r"([a-z][a-z0-9_]{0,31})=(.+)", re.DOTALL)


class SaidSide(NamedTuple):
    """A side as it was said."""

    sources: Sources
    mapping: Path | None
    """What its tables' columns mean, where they do not say it."""


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
        command.add_argument(
            f"--map-{side}",
            type=parse_file,
            metavar="FILE",
            help=f"TOML file that says what the columns of the {side} side's tables mean",
        )
    command.add_argument(
        "--side",
        type=_parse_named(parse_source),
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="instead of LEFT and RIGHT: a file of the side of this name, or ledger:DIR; repeat",
    )
    command.add_argument(
        "--map",
        type=_parse_named(parse_file),
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="with --side: what the columns of this side's tables mean; repeat",
    )


def list_sides(options: argparse.Namespace) -> dict[str, SaidSide]:
    """List sides by their names, or as `LEFT` and `RIGHT` where they were said in a row.

    Raises:
      Invalid: there are none, or both kinds.
    """
    in_row = [options.left, options.right, options.map_left, options.map_right]
    in_row += [*options.more_left, *options.more_right]
    if options.side:
        if any(each is not None for each in in_row):
            raise _wrong("say LEFT and RIGHT, or --side for each: not both")
        return _list_named(options)
    if options.map:
        raise _wrong("--map is of sides that --side names; of LEFT it is --map-left")
    if options.right is None:
        raise _wrong("name the files of two sides, LEFT and RIGHT, or say --side for each")
    return {
        side: SaidSide(
            (getattr(options, side), *getattr(options, f"more_{side}")),
            getattr(options, f"map_{side}"),
        )
        for side in (LEFT, RIGHT)
    }


def open_sides(
    options: argparse.Namespace, sides: Mapping[str, SaidSide]
) -> Iterator[tuple[str, SideFiles]]:
    """Open sides: ledgers, and what maps their columns; raises `Invalid`."""
    from hansa.reconcile.batch.job import SideFiles  # noqa: PLC0415 - an extra
    from hansa.reconcile.readers.opening import map_tables  # noqa: PLC0415

    require_used(options, *(each.sources for each in sides.values()))
    for name, (sources, mapped) in sides.items():
        paths = open_sources(options, sources)
        if mapped is None:
            yield name, SideFiles(paths)
        else:
            raw = read_file(mapped, MAPPING_BYTES_MAX)
            yield name, SideFiles(paths, map_tables(raw, str(mapped)))


def _list_named(options: argparse.Namespace) -> dict[str, SaidSide]:
    sources: dict[str, Sources] = {}
    for name, source in options.side:
        sources[name] = (*sources.get(name, ()), source)
    mapped = dict(options.map)
    if len(mapped) < len(options.map):
        raise _wrong("--map: a side is named twice")
    for name in mapped.keys() - sources.keys():
        raise _wrong(f"--map: there is no --side {name}=FILE")
    return {name: SaidSide(each, mapped.get(name)) for name, each in sources.items()}


def _parse_named(parse: Callable[[str], T]) -> Callable[[str], tuple[str, T]]:
    def parse_named(text: str) -> tuple[str, T]:
        found = _NAMED.fullmatch(text)
        if found is None:
            raise argparse.ArgumentTypeError(f"{text!r} is not as NAME=FILE, a side's name first")
        return found[1], parse(found[2])

    return parse_named


def _wrong(what: str) -> Invalid:
    return Invalid(InvalidCode.ARGUMENTS, what)
