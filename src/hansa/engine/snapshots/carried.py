"""Tells a folder that holds a snapshot to be carried from a node's folder.

Source: docs/reference/snapshots.md, "Carried".
"""

from __future__ import annotations

import shlex
from pathlib import Path

from hansa.engine.snapshots.shelf import MANIFEST_SUFFIX
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.program import name_program


def is_carried(folder: Path) -> bool:
    """Whether a snapshot's manifest lies right beside a genesis document: a node's lie deeper."""
    try:
        return (folder / "genesis.bin").is_file() and any(folder.glob(f"*{MANIFEST_SUFFIX}"))
    except OSError:
        return False


def require_not_carried(folder: Path) -> None:
    """Refuse to take a snapshot for a node's folder; raises `Invalid`."""
    if is_carried(folder):
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{folder} is a snapshot to be carried, no node's folder: to make one of it, "
            f"{name_program()} snapshot restore {shlex.quote(str(folder))} --data DIR, with "
            "--genesis HASH or --checkpoint FILE",
            path=str(folder),
        )
