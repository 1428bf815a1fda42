"""Finding the process that has a folder, by the lock that it holds, and stopping it."""

from __future__ import annotations

import fcntl
import os
import select
import signal
from pathlib import Path

from hansa.engine.storage import LOCK_NAME
from hansa.kernel.errors import NotFound, Unavailable
from hansa.node.network.folders import name_logs


def find_owner(folder: Path) -> int | None:
    """Find the process that has locked a folder; None if none has, 0 if it is not named."""
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(descriptor)
    return None


def stop_network(folder: Path, within_s: float) -> int:
    """Stop what runs the nodes of a network's folder, in order; returns the process it was.

    Raises:
      NotFound: nothing runs them.
      Unavailable: it may not be stopped, or has not ended in time.
    """
    pid = find_owner(folder)
    if not pid:
        raise NotFound(f"nothing runs the network in {folder}", path=str(folder))
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return pid
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        if not select.select([descriptor], [], [], within_s)[0]:
            raise Unavailable(
                f"process {pid}, which runs the network in {folder}, has not ended in "
                f"{within_s:g} s; its nodes may be stopping still: "
                f"see {name_logs(folder)}",
                pid=pid,
            )
    except PermissionError:
        raise Unavailable(
            f"process {pid} runs the network in {folder}, and this user may not stop it: be its "
            "user",
            pid=pid,
        ) from None
    finally:
        os.close(descriptor)
    return pid
