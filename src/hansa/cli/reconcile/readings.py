"""How a side's files are read that do not say it themselves: options of commands that read them."""

from __future__ import annotations

import argparse
import codecs
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hansa.reconcile.currencies import is_currency
from hansa.sdk.files import read_file

if TYPE_CHECKING:
    from hansa.reconcile.readers.opening import Reading

MAPPING_BYTES_MAX = 1 << 18


class SaidReading(NamedTuple):
    """What a command was told of how files are read."""

    mapping: Path | None = None
    """What a table's columns mean."""
    encoding: str | None = None
    """Of MT940 and MT942."""
    currency: str = ""
    """Of accounts whose file tells none."""


def parse_encoding(text: str) -> str:
    """Parse the name of an encoding, for argparse."""
    try:
        return codecs.lookup(text).name
    except (LookupError, ValueError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no encoding that is known, as cp850"
        ) from None


def parse_currency(text: str) -> str:
    """Parse the code of a currency, for argparse."""
    if not is_currency(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no code of a currency, as EUR")
    return text


def open_reading(said: SaidReading) -> Reading:
    """Open what says how files are read.

    Raises:
      NotFound: there is no file of a mapping by that name.
      Unavailable: it cannot be read.
      Invalid: it is none.
    """
    from hansa.reconcile.readers.opening import Reading, map_tables  # noqa: PLC0415 - an extra

    reading = Reading()
    if said.mapping is not None:
        raw = read_file(said.mapping, MAPPING_BYTES_MAX)
        reading = map_tables(raw, str(said.mapping))
    return reading._replace(encoding=said.encoding, currency=said.currency)
