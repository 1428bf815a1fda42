"""The compiled state machine: used where it was made from the very sources that lie here.

`scripts/compile.py` makes extension modules of the packages where a node spends its time, and puts
them into `hansa_compiled` among the installed packages. Imports find them there before the
sources, unless a source of the kernel has changed since: then all of it runs from source, which
does the same, more slowly. HANSA_COMPILED=0 asks for that.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

PACKAGE = "hansa_compiled"
SWITCH = "HANSA_COMPILED"
SOURCE = Path(__file__).parent / "kernel"


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


def hash_sources() -> str:
    """Hash all sources of the kernel, names and contents, in hexadecimal."""
    total = hashlib.sha256()
    for path in sorted(SOURCE.rglob("*.py")):
        content = path.read_bytes()
        total.update(f"{path.relative_to(SOURCE)} {len(content)}\n".encode() + content)
    return total.hexdigest()


def use_compiled() -> None:
    """Have imports find the compiled modules, if they are there and fit the sources."""
    if os.environ.get(SWITCH) == "0":
        return
    try:
        made = importlib.import_module(PACKAGE)
    except ModuleNotFoundError:
        return
    if made.sources == hash_sources():
        sys.meta_path.insert(0, _Finder(Path(str(made.__file__)).parent, made.files))


def is_in_use() -> bool:
    """Tell whether the state machine of this process is the compiled one."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)
