"""Compile the state machine: `.venv/bin/python scripts/compile.py`, run by `make setup`.

mypyc makes an extension module of each module in `hansa.kernel.machine` and `hansa.kernel.trees`.
They go beside the installed packages, never beside the sources, with the hash of the sources that
they were made from: `hansa.compiled` uses them only as long as those have not changed. Needs a C
compiler and Python's headers; without them all runs as it is, more slowly.

Source: https://mypyc.readthedocs.io.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

from mypyc.build import mypycify
from setuptools import Distribution

from hansa.compiled import PACKAGE, SOURCE, hash_sources

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("machine", "trees")
LIBRARY = "hansa_kernel"


def main() -> None:
    """Compile what has changed since the last time."""
    folder = Path(sysconfig.get_path("platlib")) / PACKAGE
    wanted = hash_sources()
    init = folder / "__init__.py"
    if init.is_file() and wanted in init.read_text():
        return
    paths = [
        str(path.relative_to(ROOT))
        for part in PARTS
        for path in sorted((SOURCE / part).glob("[a-z]*.py"))
    ]
    os.chdir(ROOT)  # where mypy finds its settings
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        made = Path(name) / PACKAGE
        _build(paths, made, Path(name) / "build")
        files = {_name_module(path, made): str(path.relative_to(made)) for path in _list(made)}
        (made / "__init__.py").write_text(f"sources = {wanted!r}\nfiles = {files!r}\n")
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


def _build(paths: list[str], made: Path, scratch: Path) -> None:
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        extensions = mypycify(
            paths, opt_level="3", debug_level="0", group_name=LIBRARY, target_dir=str(scratch)
        )
        command = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
        command.build_lib, command.build_temp = str(made), str(scratch)
        command.parallel = os.cpu_count()
        command.ensure_finalized()
        command.run()


def _list(made: Path) -> list[Path]:
    return sorted(made.rglob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"))


def _name_module(path: Path, made: Path) -> str:
    return ".".join(path.relative_to(made).with_name(path.name.partition(".")[0]).parts)


if __name__ == "__main__":
    sys.exit(main())
