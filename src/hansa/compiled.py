"""The compiled state machine: used where it was made from the very sources that lie here.

`scripts/compile.py` makes extension modules of the packages where a node spends its time, and puts
them into `hansa_compiled` among the installed packages. Imports find them there before the
sources, if no source of the kernel has changed since and no byte of them; otherwise all runs from
source, which does the same, more slowly. HANSA_COMPILED=0 asks for that.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

SWITCH = "HANSA_COMPILED"
SOURCE = Path(__file__).parent / "kernel"
FOLDER = Path(sysconfig.get_path("platlib")) / "hansa_compiled"
MANIFEST = "manifest.json"


class Manifest(NamedTuple):
    """What was compiled, of what."""

    sources: str
    """`hash_sources` of the kernel."""
    made_by: str
    """Of the tools; whether to compile again is asked by them alone."""
    modules: Mapping[str, str]
    """File by name of the module, in the folder."""
    hashes: Mapping[str, str]
    """SHA-256 by file, in hexadecimal."""


class _Finder(MetaPathFinder):
    """Finds the modules that were compiled, by name."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self._folder = folder
        self._files = files

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the protocol's
        target: ModuleType | None = None,  # noqa: ARG002 - the protocol's
    ) -> ModuleSpec | None:
        """Find where a module was compiled to; None leaves it to the finders behind."""
        file = self._files.get(fullname)
        return None if file is None else spec_from_file_location(fullname, self._folder / file)


def hash_sources(kernel: Path = SOURCE) -> str:
    """Hash all sources of the kernel, names and contents, in hexadecimal."""
    total = hashlib.sha256()
    for path in sorted(kernel.rglob("*.py")):
        content = path.read_bytes()
        total.update(f"{path.relative_to(kernel)} {len(content)}\n".encode() + content)
    return total.hexdigest()


def hash_file(path: Path) -> str:
    """Hash a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_manifest(folder: Path = FOLDER) -> Manifest | None:
    """Read what was compiled; None if nothing was, or it is not whole."""
    try:
        made = Manifest(**json.loads((folder / MANIFEST).read_bytes()))
        is_whole = all(hash_file(folder / file) == made.hashes[file] for file in made.hashes)
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return made if is_whole else None


def use_compiled() -> None:
    """Have imports find the compiled modules, if they are there, whole, and fit the sources."""
    if is_switched_off():
        return
    made = read_manifest()
    if made is not None and made.sources == hash_sources():
        sys.meta_path.insert(0, _Finder(FOLDER, made.modules))


def is_switched_off() -> bool:
    """Tell whether this process was asked to run from source."""
    return os.environ.get(SWITCH) == "0"


def is_in_use() -> bool:
    """Tell whether the state machine of this process is the compiled one."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)
