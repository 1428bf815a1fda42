"""Reads a folder of sanctions lists, each under the name that it is published by.

`sdn.csv` with `alt.csv` and `add.csv`, `cons_prim.csv` with `cons_alt.csv` and `cons_add.csv` of
OFAC, in small letters or capitals, and one XML file, the UN's. Another table or XML file is
refused: a list that nobody reads would be missed by nobody.

Source: docs/reference/screening.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.risk.screening.entries import Entry, Finding, SanctionsList, build_list
from hansa.risk.screening.ofac import read_ofac
from hansa.risk.screening.un import read_un

LISTS_FOLDER: Final = "sanctions"
"""The folder, within an operator's."""


class _Table(NamedTuple):
    """A list of OFAC: its source, and its files by the names that they are published by."""

    source: str
    primary: str
    aliases: str
    addresses: str


_TABLES: Final = (
    _Table("OFAC-SDN", "sdn.csv", "alt.csv", "add.csv"),
    _Table("OFAC-CONS", "cons_prim.csv", "cons_alt.csv", "cons_add.csv"),
)
_PASSED: Final = frozenset({"sdn_comments.csv", "cons_comments.csv"})
"""Published beside them; only remarks too long for the primary file stand in them."""
_KINDS: Final = (".csv", ".xml")
_MEANT: Final = (".csv.txt", ".xml.txt", ".tsv", ".xlsx", ".zip", ".gz")
"""Of a list as it may come, and is not read; the first two are what Windows makes of a name."""


class Published(NamedTuple):
    """What a folder of lists was found to contain, and what in it was found wrong."""

    listed: SanctionsList
    findings: tuple[Finding, ...]


def find_lists(folder: Path) -> tuple[Path, ...]:
    """Find the files of a folder that are read, in the order of their names.

    Raises:
      Invalid: there is none; one that is not known, or is one twice; or aliases or addresses lack
        what they belong to.
      Unavailable: the folder cannot be read.
    """
    try:
        there = sorted(path for path in folder.iterdir() if path.is_file())
    except FileNotFoundError:
        there = []
    except OSError as error:
        raise Unavailable(f"{folder} cannot be read: {error.strerror}", path=str(folder)) from None
    known = {name for table in _TABLES for name in table[1:]}
    found: dict[str, Path] = {}
    for path in there:
        name = path.name.lower()
        if name.endswith(_MEANT) and not name.startswith("."):
            raise _refuse(path, "it is not read: unpack it, and name it as it is published")
        if name.startswith(".") or not name.endswith(_KINDS) or name in _PASSED:
            continue
        if name.endswith(".csv") and name not in known:
            raise _refuse(path, f"no list is published by that name: {', '.join(sorted(known))}")
        other = found.setdefault("xml" if name.endswith(".xml") else name, path)
        if other is not path:
            raise _refuse(path, f"{other.name} is such a list, too: keep one of them")
    for table in _TABLES:
        for name in table[2:]:
            if name in found and table.primary not in found:
                raise _refuse(found[name], f"it goes with {table.primary}, which is not there")
    if not found:
        told = "no sanctions list is in it: put sdn.csv and alt.csv of OFAC there, or the UN's "
        raise _refuse(folder, f"{told}consolidated list as XML")
    return tuple(found[name] for name in sorted(found))


def hash_lists(paths: Sequence[Path]) -> bytes:
    """Hash files of lists by name and content; raises `Unavailable`. 32 bytes."""
    whole = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").digest()
        except OSError as error:
            raise Unavailable(f"{path} cannot be read: {error.strerror}", path=str(path)) from None
        whole.update(hashlib.sha256(path.name.lower().encode()).digest() + content)
    return whole.digest()


def read_lists(paths: Sequence[Path]) -> Published:
    """Read the lists of a folder.

    Args:
      paths: as `find_lists` found them.

    Raises:
      Invalid: one is no such list, or not well-formed.
    """
    by_name = {path.name.lower(): path for path in paths}
    entries: list[Entry] = []
    findings: list[Finding] = []
    for table in _TABLES:
        if table.primary not in by_name:
            continue
        aliases, addresses = by_name.get(table.aliases), by_name.get(table.addresses)
        reading = read_ofac(table.source, by_name[table.primary], aliases, addresses)
        entries += reading.entries
        findings += reading.findings
        if aliases is None:
            told = f"{table.aliases} is not beside it: only aliases in its remarks are screened"
            findings.append(Finding(table.primary, 1, told, is_left_out=True))
    for name, path in by_name.items():
        if name.endswith(".xml"):
            reading = read_un(path)
            entries += reading.entries
            findings += reading.findings
    return Published(build_list(entries), tuple(findings))


def _refuse(path: Path, why: str) -> Invalid:
    return Invalid(InvalidCode.MALFORMED, f"{path}: {why}", path=str(path))
