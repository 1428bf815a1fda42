"""Ports on which processes under test are to listen."""

from __future__ import annotations

import random
import socket

_given: set[int] = set()


def find_ports(count: int = 1) -> list[int]:
    """Find ports that nobody listens on.

    Below those that the system gives to whoever connects, which would be gone before they are
    used; by chance, as others may look as well. None is found twice: it may not be in use yet.
    """
    found: list[int] = []
    for port in random.sample(range(12_000, 20_000), 2_000 + count):
        if port in _given:
            continue
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        found.append(port)
        _given.add(port)
        if len(found) == count:
            return found
    raise AssertionError("no ports are free")
