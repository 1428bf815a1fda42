"""What stands around every page: headers, who may ask, and errors in words.

A page runs no script and loads nothing but this console's own files. Requests must name one of
this console's hosts, so that no foreign name can be pointed at it (DNS rebinding), and must not
come from another site's page. Reading rights: docs/reference/console.md.

Source: W3C Content Security Policy Level 3; RFC 6454 (Origin); OWASP Secure Headers Project.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

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


def is_loopback(request: web.Request) -> bool:
    """Whether the other end of the connection is this machine."""
    try:
        return ip_address(request.remote or "").is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Access:
    """Who may see the console: by default this machine alone, under its own names."""

    hosts: frozenset[str] = LOOPBACK_HOSTS
    """Names, without port, under which the console may be asked for."""
    may_read: Callable[[web.Request], bool] = is_loopback
    """Whether whoever asks may see every member's and wallet's pages."""


def find_fault(request: web.Request, access: Access) -> str | None:
    """Find why a request may not be answered; None if it may."""
    if _read_host(request.host) not in access.hosts:
        return (
            f"This console does not answer to the name {request.host[:80]!r}. "
            "Open it under the address that the node printed."
        )
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        return "A page of another site asked for this one. Open it from its own address."
    if not access.may_read(request):
        return "The console shows everybody’s accounts; from here you may not see them."
    return None


def _read_host(host: str) -> str:
    """Read a host without its port, of a Host header."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
