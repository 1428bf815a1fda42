"""Sides of `hansa reconcile` that are a ledger: `ledger:DIR`, the data folder of a node."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hansa.cli.source import parse_file, parse_folder, read_genesis_hash
from hansa.kernel.errors import Invalid, InvalidCode

if TYPE_CHECKING:
    from hansa.reconcile.readers.feeds import Feed

PREFIX = "ledger:"


class LedgerFolder(NamedTuple):
    """A node's data folder, named as a side."""

    path: Path


def parse_source(text: str) -> Path | LedgerFolder:
    """Parse a file, or a ledger, for argparse; a file of such a name is written `./ledger:…`."""
    if text.startswith(PREFIX):
        return LedgerFolder(parse_folder(text.removeprefix(PREFIX)))
    return parse_file(text)


def add_options(command: argparse.ArgumentParser, parse_date: Callable[[str], dt.date]) -> None:
    """Add the options of sides that are a ledger."""
    group = command.add_argument_group(f"sides that are a ledger, {PREFIX}DIR")
    group.add_argument(
        "--owner",
        action="append",
        default=[],
        metavar="OWNER",
        help="whose money is read: a wallet's address, or vault: and an operator's; repeat",
    )
    group.add_argument(
        "--from", dest="from_day", type=parse_date, metavar="DATE", help="first day (default: all)"
    )
    group.add_argument(
        "--to", dest="to_day", type=parse_date, metavar="DATE", help="last day (default: all)"
    )
    group.add_argument(
        "--checkpoint",
        type=parse_file,
        metavar="FILE",
        help="checkpoint that you kept: validators are followed from there, not from genesis",
    )


def open_sources(
    options: argparse.Namespace, sources: tuple[Path | LedgerFolder, ...]
) -> tuple[Path | Feed, ...]:
    """Open the ledgers among the sources of a side; files stay as they are.

    Raises:
      Invalid: an owner is none, or there is none.
    """
    return tuple(
        _open_ledger(options, each) if isinstance(each, LedgerFolder) else each for each in sources
    )


def require_used(options: argparse.Namespace, *sides: tuple[Path | LedgerFolder, ...]) -> None:
    """Refuse options of ledgers where no side is one; raises `Invalid`."""
    is_one = any(isinstance(each, LedgerFolder) for side in sides for each in side)
    said = (options.owner, options.from_day, options.to_day, options.checkpoint)
    if not is_one and any(said):
        raise Invalid(
            InvalidCode.ARGUMENTS,
            "--owner, --from, --to and --checkpoint are of sides that are a ledger: name one as "
            f"{PREFIX}DIR",
        )


def _open_ledger(options: argparse.Namespace, folder: LedgerFolder) -> Feed:
    from hansa.node.home import Home  # noqa: PLC0415 - loads the machine
    from hansa.node.reconcile.chain_entries import LedgerFeed, Question  # noqa: PLC0415 - an extra
    from hansa.reconcile.readers.ledger import parse_owner  # noqa: PLC0415

    if not options.owner:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            "whose money is to be read of the ledger? Say --owner ADDRESS, or --owner "
            "vault:ADDRESS for an operator's vault",
        )
    owners = tuple(dict.fromkeys(map(parse_owner, options.owner)))
    days = options.from_day, options.to_day
    question = Question(owners, *days, read_genesis_hash(options), options.checkpoint)
    return LedgerFeed(Home(folder.path), question)
