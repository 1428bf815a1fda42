"""Types of credentials as the pages show them: versions, schema, display data, who may issue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hansa.contracts.identity.accreditation import Grant
from hansa.contracts.identity.schemas import CredentialType, Schema
from hansa.kernel.errors import Invalid, NotFound
from hansa.kernel.rows import Rows
from hansa.node.console.identity.finding import get_type
from hansa.node.console.identity.registry import Index
from hansa.node.console.identity.standing import Accredited, list_decisions, read_accredited
from hansa.sdk.arguments import parse_json

VERSIONS_SHOWN = 20
ISSUERS_PER_PAGE = 50
TYPES_PER_PAGE = 25
ISSUERS_IN_LINE = 4
DISPLAY_FIELDS = ("name", "locale", "description", "background_color", "text_color")
FIELD_LETTERS_MAX = 200
_ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class TypeLine:
    """A type in a line of the list."""

    row: CredentialType
    title: str
    """How wallets call it; empty where its display data say nothing readable."""
    is_retired: bool
    """Whether nobody should issue by its newest version."""
    issuers: tuple[Accredited, ...]
    """The first of those that have, or had, a grant."""
    count: int
    """Of all of them."""


@dataclass(frozen=True, slots=True)
class TypePage:
    """One type, and a page of those who have, or had, a grant for it."""

    row: CredentialType
    version: Schema
    """The one that is shown."""
    versions: tuple[Schema, ...]
    """Newest first."""
    older: int
    """Versions that are not listed."""
    title: str
    schema: str
    """Written for people."""
    display: tuple[tuple[tuple[str, str], ...], ...]
    """(field, value) of each language."""
    display_text: str
    issuers: tuple[Accredited, ...]
    decisions: tuple[Grant, ...]
    """About the issuers of this page, before those in force; newest first."""
    count: int
    following: bytes | None
    """The last issuer of this page, where more follow."""


def list_types(rows: Rows, index: Index, after: str, time_ms: int) -> list[TypeLine]:
    """List a page of types, by name."""
    names = [name for name in index.types if name > after][:TYPES_PER_PAGE]
    return [line for name in names if (line := _read_line(rows, index, name, time_ms)) is not None]


def _read_line(rows: Rows, index: Index, name: str, time_ms: int) -> TypeLine | None:
    row = rows.get(CredentialType, name)
    newest = None if row is None else rows.get(Schema, name, row.latest)
    if row is None or newest is None:
        return None
    issuers = index.issuers.get(name, ())
    return TypeLine(
        row,
        find_title(newest.display),
        newest.retired_ms > 0,
        tuple(read_accredited(rows, each, name, time_ms) for each in issuers[:ISSUERS_IN_LINE]),
        len(issuers),
    )


def read_type(
    rows: Rows, index: Index, name: str, version: int, after: bytes, time_ms: int
) -> TypePage:
    """Read a type.

    Args:
      rows: of the ledger.
      index: of the registries.
      name: of the type.
      version: whose schema is shown; 0 for the newest.
      after: the issuer after whom the page of issuers begins; empty for the first.
      time_ms: the moment as of which issuers stand.

    Raises:
      NotFound: there is no such type, or no such version.
    """
    row = get_type(rows, name)
    if row is None:
        raise NotFound(f"there is no type of credentials {name[:80]!r}")
    shown = rows.get(Schema, name, version or row.latest)
    if shown is None:
        raise NotFound(f"the type {name!r} has versions 1 to {row.latest:,}")
    older = max(0, row.latest - VERSIONS_SHOWN)
    versions = (rows.get(Schema, name, number) for number in range(row.latest, older, -1))
    known = index.issuers.get(name, ())
    left = [each for each in known if each > after]
    page = left[:ISSUERS_PER_PAGE]
    decisions = [grant for each in page for grant in list_decisions(rows, each, name)[0][1:]]
    return TypePage(
        row,
        shown,
        tuple(each for each in versions if each is not None),
        older,
        find_title(shown.display),
        write_pretty(shown.schema),
        tuple(_read_fields(each) for each in _list_displays(shown.display)),
        write_pretty(shown.display),
        tuple(read_accredited(rows, each, name, time_ms) for each in page),
        tuple(sorted(decisions, key=lambda grant: -grant.since_ms)),
        len(known),
        page[-1] if len(left) > len(page) else None,
    )


def find_title(display: str) -> str:
    """Find how wallets call a type, in English if it says so; whoever published it chose the text.

    >>> find_title('[{"name": "居民證", "locale": "zh"}, {"name": "Resident", "locale": "en-GB"}]')
    'Resident'
    >>> find_title("[[")
    ''
    """
    found = _list_displays(display)
    english = [each for each in found if str(each.get("locale", "")).startswith(_ENGLISH)]
    names = [each.get("name") for each in (*english, *found)]
    return next((name[:FIELD_LETTERS_MAX] for name in names if isinstance(name, str)), "")


def write_pretty(text: str) -> str:
    """Write JSON with a line a member; what is none stays as it is."""
    try:
        return json.dumps(parse_json(text), indent=2, ensure_ascii=False)
    except (Invalid, RecursionError):
        return text


def _list_displays(text: str) -> Sequence[dict[str, Any]]:
    try:
        found = parse_json(text)
    except Invalid:
        return ()
    items = found if isinstance(found, list) else [found]
    return [each for each in items if isinstance(each, dict)]


def _read_fields(display: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, display[name][:FIELD_LETTERS_MAX])
        for name in DISPLAY_FIELDS
        if isinstance(display.get(name), str)
    )
