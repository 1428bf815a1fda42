"""What stands around every page: headers, who may ask, and errors in words.

A page runs no script and loads nothing but this console's own files. Requests must name one of
this console's hosts, so that no foreign name can be pointed at it (DNS rebinding), and must not
come from another site's page. Reading rights: docs/reference/console.md.

Source: W3C Content Security Policy Level 3; RFC 6454 (Origin); OWASP Secure Headers Project.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from hansa.node.api.access import Access
from hansa.node.api.hosts import is_foreign, is_own
from hansa.node.api.rights import Role
from hansa.node.console.sessions import Viewer
from hansa.node.limiter import Limiter, name_remote
from hansa.node.settings import Limits

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


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


def find_fault(request: web.Request, names: frozenset[str]) -> str | None:
    """Find why a request may not be answered; None if it may.

    What changes something must say that it comes from one of this console's own pages.

    Args:
      request: the request.
      names: under which this console answers.
    """
    if not is_own(request.host, names):
        return (
            f"This console does not answer to the name {request.host[:80]!r}. "
            "Open it under the address that the node printed, or name this one in "
            "listen.public_names of its settings."
        )
    origin = request.headers.get("Origin")
    if is_foreign(origin, request.host) or (origin is None and request.method == "POST"):
        return "A page of another site asked for this one. Open it from its own address."
    return None
