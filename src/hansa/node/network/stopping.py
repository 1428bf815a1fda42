"""Finding the process that has a folder, by the lock that it holds, and stopping it."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import time
from pathlib import Path

from hansa.engine.storage import LOCK_NAME
from hansa.kernel.errors import NotFound, Unavailable
from hansa.node.network.folders import NodeFolder, name_logs
from hansa.node.network.logs import HELD, read_end
from hansa.program import name_program

POLL_S = 0.1


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


def stop_node(node: NodeFolder, within_s: float) -> None:
    """Have who runs the network stop one node, and not start it again until `start_node`.

    Raises:
      NotFound: nothing runs the network.
      Unavailable: the node has not ended in time.
    """
    folder = node.home.path.parent
    if find_owner(folder) is None:
        raise NotFound(
            f"nothing runs the network in {folder}: stop the node where it was started, by Ctrl-C "
            "or systemctl stop",
            path=str(folder),
        )
    node.held_path.touch()
    until_s = time.monotonic() + within_s
    while (end := read_end(node.end_path)) is None or end.how != HELD:
        if time.monotonic() >= until_s:
            raise Unavailable(
                f"{node.name} has not ended in {within_s:g} s, and may be stopping still: see "
                f"{name_logs(folder)} --node {node.name}"
            )
        time.sleep(POLL_S)


def start_node(node: NodeFolder) -> None:
    """Have a node started that `stop_node` has stopped; raises `NotFound` for another."""
    try:
        node.held_path.unlink()
    except FileNotFoundError:
        raise NotFound(
            f"{node.name} was not stopped by `network stop --node`: see "
            f"{name_program()} network status",
            node=node.name,
        ) from None
