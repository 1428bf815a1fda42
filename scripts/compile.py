"""Compile the state machine: `.venv/bin/python scripts/compile.py`, run by `make setup`.

mypyc makes an extension module of each module in `hansa.kernel.machine` and `hansa.kernel.trees`,
from a copy of the sources, so that what is edited meanwhile is not taken for what was compiled.
They go beside the installed packages, never beside the sources; `hansa.compiled` says when they
are used. Ends at once where they are there, whole, and of these sources and tools; where the C
compiler fails, nodes run from source.

Source: https://mypyc.readthedocs.io.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
import sys
import sysconfig
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path

from hansa.compiled import FOLDER, MANIFEST, Manifest, hash_file, hash_sources, read_manifest

ROOT = Path(__file__).resolve().parent.parent
KERNEL = Path("src/hansa/kernel")
PARTS = ("machine", "trees")
LIBRARY = "hansa_kernel"


def main() -> int:
    """Compile what has changed since the last time; returns the exit code."""
    with FOLDER.with_name(f"{FOLDER.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = read_manifest()
        if made and (made.sources, made.made_by) == (hash_sources(ROOT / KERNEL), _name_tools()):
            return 0
        _say("compiling the state machine, half a minute")
        scratch = FOLDER.with_name(f"{FOLDER.name}.new")
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            return _compile(scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _compile(scratch: Path) -> int:
    shutil.copytree(ROOT / "src", scratch / "src")
    shutil.copy(ROOT / "pyproject.toml", scratch)  # mypy's settings
    os.chdir(scratch)
    made, printed = scratch / "made", io.StringIO()
    try:
        with redirect_stdout(printed):
            _build(made)
    except SystemExit:  # mypyc's way to say that types are wrong
        sys.stderr.write(printed.getvalue())
        _say("the state machine was not compiled: mend its types")
        return 1
    except Exception as error:  # noqa: BLE001 - of many kinds, from the compiler and its tools
        _say(f"going on without compiling: {error}; nodes run from source, more slowly")
        return 0
    _put(made, hash_sources(scratch / KERNEL))
    return 0


def _put(made: Path, sources: str) -> None:
    """Put what was made in its place: the manifest, which says where, is exchanged in one step."""
    tools = _name_tools()
    name = hashlib.sha256(f"{sources} {tools}".encode()).hexdigest()[:16]
    files = {
        path.relative_to(made): f"{name}/{path.relative_to(made)}"
        for path in sorted(made.rglob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"))
    }
    manifest = Manifest(
        sources,
        tools,
        {_name_module(path): file for path, file in files.items()},
        {file: hash_file(made / path) for path, file in files.items()},
    )
    before = read_manifest()
    FOLDER.mkdir(exist_ok=True)
    shutil.rmtree(FOLDER / name, ignore_errors=True)  # not whole, or nothing would be to be done
    made.rename(FOLDER / name)
    written = FOLDER / f"{MANIFEST}.new"
    written.write_text(json.dumps(manifest._asdict(), indent=1))
    written.replace(FOLDER / MANIFEST)
    # What was in use before stays once more: processes that begin just now may load it.
    kept = {name, *(file.partition("/")[0] for file in (before.hashes if before else ()))}
    for path in FOLDER.iterdir():
        if path.is_dir() and path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)


def _build(made: Path) -> None:
    from mypyc.build import mypycify  # noqa: PLC0415 - takes a second, and often is not needed
    from setuptools import Distribution  # noqa: PLC0415 - the same

    paths = [str(path) for part in PARTS for path in sorted((KERNEL / part).glob("[a-z]*.py"))]
    extensions = mypycify(
        paths, opt_level="3", debug_level="0", group_name=LIBRARY, target_dir="build"
    )
    command = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(made), "build"
    command.parallel = os.cpu_count()
    command.ensure_finalized()
    command.run()


def _name_tools() -> str:
    """Name what the result depends on beside the sources."""
    script = hash_file(Path(__file__).resolve())
    return f"Python {sys.version}, mypy {version('mypy')}, {script}"


def _name_module(path: Path) -> str:
    return ".".join(path.with_name(path.name.partition(".")[0]).parts)


def _say(text: str) -> None:
    sys.stdout.write(f"setup: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
