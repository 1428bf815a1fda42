"""Reads an operator's file of customers, and of hits that an officer found to be somebody else.

Their faults name lines and columns, and repeat nothing: what stands there is about people.

Source: docs/reference/screening.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from hansa.kernel.crypto.address import from_text
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.lists.reading import WHY_MAX, Row, parse_table, read_text, read_until
from hansa.risk.screening.dates import read_iso
from hansa.risk.screening.entries import Days
from hansa.risk.screening.names import NAME_MAX, TOKENS_MAX, split_name

CUSTOMER_COLUMNS: Final = ("wallet", "name")
CUSTOMER_OPTIONAL: Final = ("born", "country")
CLEARING_COLUMNS: Final = ("wallet", "entry", "name", "why")
CLEARING_OPTIONAL: Final = ("until", "by")
ENTRY_MAX = 200
"""Characters of what names an entry."""
BY_MAX = 100
"""Characters of an officer's name."""
_CODE = re.compile(r"[A-Z]{2,3}")


class Customer(NamedTuple):
    """Who has a wallet, as the operator knows them; a wallet may be several people's."""

    wallet: bytes
    name: str
    """Spaces are single ones."""
    born: Days | None
    countries: tuple[str, ...]
    """By their English names."""


class Clearing(NamedTuple):
    """An officer's finding that a customer is not whom an entry names."""

    wallet: bytes
    entry: str
    """Source and id, with a space between."""
    name: str
    """The customer's, as it stood in the file: under another name, they are looked at anew."""
    until_ms: int
    """The first millisecond since 1970 at which it counts no more."""
    why: str
    by: str
    """Who found it; empty if that is not told."""


Cleared = Mapping[tuple[bytes, str, str], Clearing]
"""Clearings by wallet, entry and name."""


def parse_customers(raw: bytes, path: Path) -> list[Customer]:
    """Read a file of customers, in its order.

    Raises:
      Invalid: something is wrong in it: the message names all faults, each with its line.
    """
    return parse_table(raw, path, CUSTOMER_COLUMNS, CUSTOMER_OPTIONAL, _read_customer)


def parse_clearings(raw: bytes, path: Path) -> dict[tuple[bytes, str, str], Clearing]:
    """Read a file of clearings; of several of the same, the last one counts.

    Raises:
      Invalid: something is wrong in it: the message names all faults, each with its line.
    """
    read = parse_table(raw, path, CLEARING_COLUMNS, CLEARING_OPTIONAL, _read_clearing)
    return {(each.wallet, each.entry, each.name): each for each in read}


def _read_customer(_: int, row: Row) -> Customer:
    wallet = _read_wallet(row["wallet"])
    name = _read_name(row["name"])
    born = read_iso(row["born"].strip()) if "born" in row else None
    if "born" in row and born is None:
        raise Invalid(InvalidCode.MALFORMED, "born is no date: 1975-06-14, 1975-06 or 1975")
    countries = tuple(filter(None, (each.strip() for each in row.get("country", "").split(";"))))
    if any(_CODE.fullmatch(each) for each in countries):
        told = "country is a code: write the English name, of several with ; between them"
        raise Invalid(InvalidCode.MALFORMED, told)
    return Customer(wallet, name, born, countries)


def _read_clearing(_: int, row: Row) -> Clearing:
    try:
        until_ms = read_until(row.get("until"))
    except Invalid:
        told = "until is neither a date nor a time with its offset from UTC"
        raise Invalid(InvalidCode.MALFORMED, told) from None
    return Clearing(
        _read_wallet(row["wallet"]),
        " ".join(read_text("entry", row["entry"], ENTRY_MAX).split()),
        _read_name(row["name"]),
        until_ms,
        read_text("why", row["why"], WHY_MAX),
        read_text("by", row["by"], BY_MAX) if "by" in row else "",
    )


def _read_wallet(text: str) -> bytes:
    try:
        return from_text(text.strip())
    except Invalid:
        raise Invalid(InvalidCode.MALFORMED, "wallet is no address") from None


def _read_name(text: str) -> str:
    name = " ".join(text.split())
    if len(name) > NAME_MAX:
        told = f"name has {len(name)} characters; at most {NAME_MAX} are screened"
        raise Invalid(InvalidCode.MALFORMED, told)
    tokens = split_name(name)
    if not tokens:
        raise Invalid(InvalidCode.MALFORMED, "name has no letter that could be screened")
    if len(tokens) > TOKENS_MAX:
        told = f"name has {len(tokens)} parts; at most {TOKENS_MAX} are screened"
        raise Invalid(InvalidCode.MALFORMED, told)
    return name
