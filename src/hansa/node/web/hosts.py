"""Under which names a server answers, and whose pages may ask: for interfaces and pages alike.

A request must name one of the server's own hosts, so that no foreign name can be pointed at it (DNS
rebinding), and must not come from another site's page.

Source: RFC 9110 section 7.2 (Host); RFC 6454 (Origin).
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::[0-9]{1,5})?")
"""A Host header: name or address, and perhaps a port."""


def is_foreign(origin: str | None, host: str) -> bool:
    """Whether an Origin header names another site than the Host header; so does one that is none.

    Args:
      origin: the header; None where the browser sent none.
      host: the Host header, with its port.
    """
    try:
        return origin is not None and urlsplit(origin).netloc != host
    except ValueError:
        return True


@lru_cache(maxsize=1_024)
def is_own(host: str, names: frozenset[str]) -> bool:
    """Whether a Host header, without its port, names this server.

    A plain network address is nobody's name, so it cannot have been pointed here.

    Args:
      host: the header.
      names: under which the server answers, in lower case.
    """
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    name = found[1].strip("[]").lower()
    if name in names:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def find_fault(request: web.Request, names: frozenset[str], advice: str) -> str | None:
    """Find why a page may not be answered; None if it may.

    What changes something must say that it comes from one of the server's own pages.

    Args:
      request: the request.
      names: under which the server answers, in lower case.
      advice: what to do about a name that is none of them.
    """
    if not is_own(request.host, names):
        return f"These pages do not answer to the name {request.host[:80]!r}. {advice}"
    origin = request.headers.get("Origin")
    if is_foreign(origin, request.host) or (origin is None and request.method == "POST"):
        return "A page of another site asked for this one. Open it from its own address."
    return None
