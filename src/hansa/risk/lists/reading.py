"""Reads an operator's lists from one file, TOML or CSV; what is wrong in it is told with its line.

A list of blocks that is read in part lets through what it should stop, so a file with a fault is
refused whole, with all of its faults.
"""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.lists.listings import FOREVER_MS, Effect, Listing, Lists, Subject

NAME_MAX = 200
"""Characters of a name."""
WHY_MAX = 500
"""Characters of a reason."""
FAULTS_MAX = 20
"""Faults that are told of one file."""
COLUMNS = ("subject", "name", "list", "until", "why")
"""Of a CSV file, in its first line, in any order."""
M = TypeVar("M", Subject, Effect)
T = TypeVar("T")
Row = Mapping[str, str]
"""Of a CSV file: texts that are not empty, by column."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_lists(path: Path, check_address: Callable[[str], object]) -> Lists:
    """Read a file.

    Args:
      path: ends with `.toml` or `.csv`.
      check_address: raises `Invalid` for what is not a wallet's address.

    Raises:
      Invalid: the file cannot be read, or something is wrong in it: the message names all faults.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _refuse(path, f"cannot be read: {error.strerror}") from None
    return parse_lists(raw, path, check_address)


def parse_lists(raw: bytes, path: Path, check_address: Callable[[str], object]) -> Lists:
    """Read what stands, or stood, in a file; `path` names it and says its kind.

    Raises:
      Invalid: something is wrong in it: the message names all faults.
    """
    text = _decode(raw, path)
    rows = _read_toml(path, text) if path.suffix == ".toml" else _read_csv(path, text, COLUMNS)
    listings = _read_all(path, rows, lambda line, row: _read_row(line, row, check_address))
    try:
        return Lists(listings)
    except Invalid as error:
        raise _refuse(path, error.message) from None


def parse_table(
    raw: bytes,
    path: Path,
    columns: Sequence[str],
    optional: Sequence[str],
    read_row: Callable[[int, Row], T],
) -> list[T]:
    """Read a CSV file with one thing a line, as spreadsheets write it.

    Args:
      raw: what stands in it.
      path: names it in errors.
      columns: that must be there, in any order; in each row they have a text.
      optional: columns that may be there.
      read_row: reads a row with the number of its line; it has no column without a text. Raises
        `Invalid` for what is wrong.

    Raises:
      Invalid: something is wrong in it: the message names all faults, and repeats no text of it.
    """
    rows = _read_csv(path, _decode(raw, path), columns, optional)

    def read(line: int, row: Mapping[str, Any]) -> T:
        _check_columns(row, (*columns, *optional), columns)
        return read_row(line, row)

    return _read_all(path, rows, read)


def _decode(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig")  # spreadsheets write a byte order mark before it
    except UnicodeDecodeError as error:
        raise _refuse(path, f"cannot be read: byte {error.start + 1} is no UTF-8") from None


def _read_all(
    path: Path,
    rows: Iterator[tuple[int, Mapping[str, Any]]],
    read_row: Callable[[int, Mapping[str, Any]], T],
) -> list[T]:
    """Read all rows, or refuse them all with every fault."""
    found: list[T] = []
    faults: list[str] = []
    for line, row in rows:
        try:
            found.append(read_row(line, row))
        except Invalid as error:
            faults.append(f"line {line}: {error.message}")
    if faults:
        more = f"; and {len(faults) - FAULTS_MAX} more" if len(faults) > FAULTS_MAX else ""
        raise _refuse(path, "; ".join(faults[:FAULTS_MAX]) + more)
    return found


def _refuse(path: Path, why: str) -> Invalid:
    return Invalid(InvalidCode.MALFORMED, f"{path}: {why}", file=str(path))


def _read_toml(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Read tables `[[listings]]`, each with the line of its heading."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _refuse(path, str(error)) from None
    except RecursionError:
        raise _refuse(path, "it is nested too deep") from None
    tables = content.pop("listings", [])
    if content or not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        unknown = ", ".join(sorted(content)) or "listings"
        raise _refuse(path, f"only tables [[listings]] stand in it, not {unknown}")
    lines = [
        number
        for number, line in enumerate(text.splitlines(), 1)
        if "".join(line.partition("#")[0].split()) == "[[listings]]"
    ]
    # Tables written in another way, as an array, have no heading: they are numbered instead.
    yield from zip(
        lines if len(lines) == len(tables) else range(1, len(tables) + 1), tables, strict=True
    )


def _read_csv(
    path: Path, text: str, columns: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        named = list(reader.fieldnames or ())
        is_twice = len(named) != len(set(named))
        if is_twice or {*named} - {*optional} != {*columns}:
            more = f", and may name {', '.join(optional)}" if optional else ""
            raise _refuse(path, f"the first line must name the columns {', '.join(columns)}{more}")
        for row in reader:
            yield reader.line_num, {key: value for key, value in row.items() if value}
    except csv.Error as error:
        begun = reader.line_num + 1  # behind the last row that could be read
        raise _refuse(path, f"line {begun}: {error}") from None


def _read_row(line: int, row: Mapping[str, Any], check_address: Callable[[str], object]) -> Listing:
    _check_columns(row, COLUMNS, ("subject", "name", "list", "why"))
    subject = _read_member(Subject, "subject", row["subject"])
    name = read_text("name", row["name"], NAME_MAX)
    if subject is Subject.WALLET:
        check_address(name)
    return Listing(
        subject,
        name,
        _read_member(Effect, "list", row["list"]),
        read_until(row.get("until")),
        read_text("why", row["why"], WHY_MAX),
        line,
    )


def _check_columns(row: Mapping[str, Any], known: Sequence[str], needed: Sequence[str]) -> None:
    if None in row:
        raise Invalid(InvalidCode.MALFORMED, "more fields than the first line has columns")
    unknown = sorted(str(key) for key in row if key not in known)
    missing = [key for key in needed if not row.get(key)]
    if unknown or missing:
        why = f"{', '.join(missing)} missing" if missing else f"{', '.join(unknown)} is unknown"
        raise Invalid(InvalidCode.MALFORMED, why)


def _read_member(kind: type[M], key: str, value: object) -> M:
    for member in kind:
        if member == value:
            return member
    known = ", ".join(member.value for member in kind)
    raise Invalid(InvalidCode.MALFORMED, f"{key} is {value!r}, not one of {known}")


def read_text(key: str, value: object, length_max: int) -> str:
    """Read a text that is not blank; raises `Invalid`."""
    if not isinstance(value, str) or not value.strip() or len(value) > length_max:
        raise Invalid(
            InvalidCode.MALFORMED, f"{key} must be a text of 1 to {length_max} characters"
        )
    return value.strip()


def read_until(value: object) -> int:
    """Read until when: a day counts whole, by UTC; a time needs its offset from UTC.

    Returns:
      The first millisecond since 1970 that is over it; `FOREVER_MS` for None.

    Raises:
      Invalid: it is neither a date nor a time.
    """
    if value is None:
        return FOREVER_MS
    try:
        until = value if isinstance(value, date) else _parse(str(value))
    except ValueError:
        raise Invalid(
            InvalidCode.MALFORMED, f"until is {value!r}, neither a date nor a time"
        ) from None
    is_day = not isinstance(until, datetime)
    if not isinstance(until, datetime):
        until = datetime(until.year, until.month, until.day, tzinfo=UTC)
    if until.tzinfo is None:
        raise Invalid(InvalidCode.MALFORMED, f"until is {value!s}, without its offset from UTC")
    # Behind the last day that Python knows, which many write for no end, there is no next one.
    return (until - _EPOCH + timedelta(days=is_day)) // timedelta(milliseconds=1)


def _parse(text: str) -> date:
    is_day = len(text) <= len("2027-01-31")
    return date.fromisoformat(text) if is_day else datetime.fromisoformat(text)
