"""The manifest of a result: what it is of, what was found, and the hash of each file beside it.

What it is of are the files of both sides, how they were read, the rules, and the rates that these
name: whatever decides what matches.

Whoever trusts the manifest, as by its hash on a ledger, need trust nothing else in the folder. The
files are named as they lie: another run over the same inputs may write pairs in another order, and
has the same `result_sha256`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from hansa.kernel.encoding import DECODE_ERRORS
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.normalising import hash_file
from hansa.shapes import tell_unread

MANIFEST = "manifest.json"
BYTES_MAX = 1 << 26
READERS = 2
"""Files that are hashed at the same time."""

HexHash = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class _Manifest(msgspec.Struct, frozen=True):
    """What of it is read again."""

    result_sha256: HexHash
    files: dict[str, HexHash]


_decode = msgspec.json.Decoder(_Manifest).decode


class Checked(NamedTuple):
    """What a folder is, held against its manifest."""

    result_sha256: str
    files: int
    """That the manifest names."""
    findings: list[str]
    """Which of them are gone, or not what they were."""
    others: list[str]
    """Files that are none of the result."""


def write_manifest(told: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write a manifest into a folder, with the hashes of all files in it; returns it."""
    manifest = {**told, "files": _hash_files(folder)}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    return manifest


def check_folder(folder: Path, raw: bytes) -> Checked:
    """Hold the files of a folder against its manifest.

    Args:
      folder: where they lie.
      raw: the manifest as it lies there.

    Raises:
      Invalid: it is none.
    """
    try:
        manifest = _decode(raw)
    except DECODE_ERRORS as error:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{folder / MANIFEST} is no manifest of a result that names its files: "
            f"{tell_unread(error)}",
        ) from None
    there = _hash_files(folder)
    named = manifest.files
    gone = [f"{name} is not there" for name in sorted(named.keys() - there.keys())]
    both = sorted(named.keys() & there.keys())
    changed = [f"{name} was changed" for name in both if named[name] != there[name]]
    others = sorted(there.keys() - named.keys())
    return Checked(manifest.result_sha256, len(named), gone + changed, others)


def _hash_files(folder: Path) -> dict[str, str]:
    """Hash all files in a folder and below it, by their paths in it; not its manifest."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in paths]
    with ThreadPoolExecutor(READERS) as pool:
        hashed = dict(zip(names, (found[0] for found in pool.map(hash_file, paths)), strict=True))
    hashed.pop(MANIFEST, None)
    return hashed
