"""Backs a folder up, telling each height and waiting for a line before it goes on.

python tests/integration/backup_process.py FOLDER TARGET
"""

from __future__ import annotations

import sys
from pathlib import Path

from hansa.node.home import Home, backup_home


def wait(done: int, total: int) -> None:
    """Tell how far it is; go on when told to."""
    sys.stdout.write(f"{done} {total}\n")
    sys.stdout.flush()
    sys.stdin.readline()


if __name__ == "__main__":
    backup_home(Home(Path(sys.argv[1])), Path(sys.argv[2]), progress=wait)
