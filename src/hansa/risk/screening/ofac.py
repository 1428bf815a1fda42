"""Reads the lists of the US Treasury's OFAC in their comma-separated form.

A primary file (`sdn.csv`, or `cons_prim.csv` of the consolidated list without the SDN) has twelve
columns and no headings; aliases (`alt.csv`) and addresses (`add.csv`) stand in files of their own
and name an entry by its number. Dates of birth, nationalities and weak aliases are in the remarks.

Source: OFAC, Specification of the SDN list's data formats (dat_spec.txt).
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.screening.dates import read_born
from hansa.risk.screening.entries import (
    CUT_OFF,
    FINDING_TEXT_MAX,
    Alias,
    Entry,
    Finding,
    Kind,
    Reading,
)

PRIMARY_COLUMNS = 12
ALIAS_COLUMNS = 5
ADDRESS_COLUMNS = 6
_NOTHING = {"-0-", ""}
_END = "\x1a"
"""Ends the files, as it did under CP/M."""
_KINDS = {
    "individual": Kind.PERSON,
    "vessel": Kind.VESSEL,
    "aircraft": Kind.AIRCRAFT,
    "": Kind.ENTITY,
}
_WEAK = re.compile(r"(?:a|f|n)\.k\.a\. '([^']{2,})'")
_BORN = re.compile(r"(?:^|; )(?:alt\. )?DOB ([^;.]+)")
_COUNTRY = re.compile(r"(?:^|; )(?:alt\. )?(?:nationality|citizen) ([^;.]+)")


class _Row(NamedTuple):
    line: int
    fields: list[str]


def read_ofac(
    source: str, primary: Path, aliases: Path | None = None, addresses: Path | None = None
) -> Reading:
    """Read a primary file with what belongs to it.

    A row that cannot be read is left out and reported. Aliases of an entry that the primary file
    does not have are screened all the same, as an entry of unknown kind; that the names of such
    entries are missing is reported in one finding, as a file that was cut off has thousands.

    Args:
      source: what the entries are said to come from, as `OFAC-SDN`.
      primary: `sdn.csv` or `cons_prim.csv`.
      aliases: `alt.csv`.
      addresses: `add.csv`.

    Raises:
      Invalid: a file is not there, is no such file, or has no row that could be read.
    """
    findings: list[Finding] = []
    other_names = _read_aliases(aliases, findings)
    countries = _read_countries(addresses, findings)
    entries: dict[str, Entry] = {}
    for row in _read_rows(primary, PRIMARY_COLUMNS, findings):
        entry = _read_entry(source, primary.name, row, findings)
        if entry is None:
            continue
        if entry.id in entries:
            findings.append(
                Finding(primary.name, row.line, f"entry {entry.id} again", is_left_out=True)
            )
            continue
        more = [alias for _, alias in other_names.pop(entry.id, [])]
        entries[entry.id] = entry._replace(
            aliases=(*more, *entry.aliases),
            countries=tuple(sorted({*entry.countries, *countries.get(entry.id, ())})),
        )
    if aliases and other_names:
        findings.append(_find_missing(primary, aliases, other_names))
    for number, left in other_names.items():
        (_, first), *rest = left
        known = tuple(sorted(countries.get(number, ())))
        others = tuple(alias for _, alias in rest)
        entries[number] = Entry(source, number, Kind.UNKNOWN, first.name, others, (), known)
    return Reading(list(entries.values()), findings)


def _find_missing(
    primary: Path, aliases: Path, other_names: dict[str, list[tuple[int, Alias]]]
) -> Finding:
    """Report entries of which there are aliases alone."""
    number, [(line, _), *_] = next(iter(other_names.items()))
    which = f"entry {number}" if len(other_names) == 1 else f"{len(other_names):,} entries"
    text = f"aliases of {which} that {primary.name} does not have: that is older, or cut off"
    return Finding(aliases.name, line, text, is_left_out=True)


def _read_aliases(path: Path | None, findings: list[Finding]) -> dict[str, list[tuple[int, Alias]]]:
    """Read aliases with their lines, by number of entry."""
    aliases: dict[str, list[tuple[int, Alias]]] = defaultdict(list)
    for row in _read_rows(path, ALIAS_COLUMNS, findings) if path else ():
        if name := row.fields[3]:
            aliases[row.fields[0]].append((row.line, Alias(name)))
        else:
            text = "an alias without a name"
            findings.append(Finding(path.name if path else "", row.line, text, is_left_out=True))
    return aliases


def _read_countries(path: Path | None, findings: list[Finding]) -> dict[str, set[str]]:
    """Read the countries of addresses, by number of entry."""
    countries: dict[str, set[str]] = defaultdict(set)
    for row in _read_rows(path, ADDRESS_COLUMNS, findings) if path else ():
        if row.fields[4]:
            countries[row.fields[0]].add(row.fields[4])
    return countries


def _read_entry(source: str, file: str, row: _Row, findings: list[Finding]) -> Entry | None:
    number, name, kind_text, programmes, *_, flag, _, remarks = row.fields
    kind = _KINDS.get(kind_text.lower())
    if not name or kind is None:
        text = "an entry without a name" if not name else f"an entry of kind {kind_text[:40]!r}"
        findings.append(Finding(file, row.line, text, is_left_out=not name))
        if not name:
            return None
    born = []
    for found in _BORN.finditer(remarks):
        days = read_born(found[1])
        if days is None:
            text = f"a date of birth that cannot be read: {found[1][:40]!r}"
            findings.append(Finding(file, row.line, text, is_left_out=False))
        else:
            born.append(days)
    countries = {found[1] for found in _COUNTRY.finditer(remarks)} | {flag} - {""}
    return Entry(
        source,
        number,
        kind or Kind.UNKNOWN,
        name,
        tuple(Alias(found[1], is_weak=True) for found in _WEAK.finditer(remarks)),
        tuple(born),
        tuple(sorted(countries)),
        tuple(programmes.split("] [")) if programmes else (),
    )


def _read_rows(path: Path, columns: int, findings: list[Finding]) -> Iterator[_Row]:
    """Read rows whose first field is a number, blank and `-0-` fields as empty texts.

    Raises:
      Invalid: as `read_ofac` says.
    """
    found = 0
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            reader = csv.reader(file, strict=True)
            for fields in reader:
                line = reader.line_num
                if not fields or fields == [_END]:
                    continue
                bare = [field.strip() for field in fields]
                if len(fields) != columns or not bare[0].isdecimal():
                    what = (
                        f"{len(fields)} columns, not {columns}"
                        if len(fields) != columns
                        else "no number of an entry"
                    )
                    raw = ",".join(fields)[:FINDING_TEXT_MAX]
                    findings.append(Finding(path.name, line, f"{what}: {raw!r}", is_left_out=True))
                    continue
                if any("\ufffd" in field for field in fields):
                    text = "bytes that are not UTF-8"
                    findings.append(Finding(path.name, line, text, is_left_out=False))
                found += 1
                yield _Row(line, ["" if field in _NOTHING else field for field in bare])
    except OSError as error:
        raise Invalid(
            InvalidCode.MALFORMED, f"{path} cannot be read: {error.strerror}", file=str(path)
        ) from None
    except csv.Error as error:
        line = reader.line_num
        raise Invalid(
            InvalidCode.MALFORMED, f"{path}:{line}: {error}: {CUT_OFF}", file=str(path), line=line
        ) from None
    if not found:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{path} has no row of {columns} columns: {CUT_OFF}",
            file=str(path),
        )
