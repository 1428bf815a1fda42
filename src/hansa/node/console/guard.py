"""What stands between the console and whoever asks. Reading rights: docs/reference/console.md."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from hansa.node.api.access import Access
from hansa.node.api.rights import Role
from hansa.node.console.sessions import Viewer
from hansa.node.limiter import Limiter, name_remote
from hansa.node.settings import Limits


@dataclass(frozen=True, slots=True)
class Gate:
    """What stands between the console and whoever asks."""

    access: Access
    """Who may read what."""
    names: frozenset[str]
    """Hosts, without port, under which the console answers, besides plain network addresses."""
    limiter: Limiter
    """How often one may ask."""
    body_s: float = Limits().body_s
    """Within which a form must have arrived."""
    clock_s: Callable[[], float] = time.monotonic
    """Never goes back; for sessions."""


def charge(request: web.Request, viewer: Viewer, cost: int, limiter: Limiter) -> None:
    """Charge whoever looks, by key or else by network address; raises `TooMany`."""
    principal = viewer.principal
    caller = principal.key_id or name_remote(request.remote)
    limiter.charge(caller, cost, is_known=principal.role is not Role.ANYONE)
