"""Ports on which processes under test are to listen."""

from __future__ import annotations

import random
import socket


def find_ports(count: int = 1) -> list[int]:
    """Find ports that nobody listens on.

    Below those that the system gives to whoever connects, which would be gone before they are
    used; by chance, as others may look as well.
    """
    found: list[int] = []
    for port in random.sample(range(12_000, 20_000), 200 + count):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no ports are free")
