"""Sessions of browsers: a random number in a cookie, its digest in memory, and who it stands for.

Scripts cannot read the cookie, and other sites cannot send it.

Source: OWASP Session Management Cheat Sheet; RFC 6265bis (`__Host-` and SameSite).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

IDLE_S: Final = 30 * 60
"""How long a session lasts after the last page that was opened; updates of a page do not count."""
SESSION_S: Final = 8 * 3_600
"""How long it lasts at most."""
UPDATE_HEADER: Final = "X-Hansa-Update"
"""By which a page says that it brings itself up to date."""
SESSIONS_MAX: Final = 1_000
"""The oldest makes room."""
SESSIONS_EACH: Final = 20
"""Of one key; its oldest makes room, so that no key ends others' sessions alone."""
ID_BYTES: Final = 32


@dataclass(slots=True)
class Session:
    """One browser that signed in."""

    key_id: str
    """For whom it stands."""
    form_token: str
    """Stands in every form that changes something, so that no other page can send it."""
    begun_s: float
    seen_s: float


class Sessions:
    """All sessions of one server, in memory.

    Args:
      clock_s: never goes back.
    """

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._by_digest: dict[bytes, Session] = {}

    def begin(self, key_id: str) -> str:
        """Begin a session for a key; returns what the cookie holds."""
        self._drop_old()
        own = [digest for digest, held in self._by_digest.items() if held.key_id == key_id]
        for digest in own[: max(0, len(own) + 1 - SESSIONS_EACH)]:
            del self._by_digest[digest]
        while len(self._by_digest) >= SESSIONS_MAX:
            del self._by_digest[next(iter(self._by_digest))]
        secret = secrets.token_urlsafe(ID_BYTES)
        now = self._clock_s()
        token = secrets.token_urlsafe(ID_BYTES)
        self._by_digest[_digest(secret)] = Session(key_id, token, now, now)
        return secret

    def find(self, secret: str, *, is_visit: bool) -> Session | None:
        """Find a session that has not ended; a visit makes it last on."""
        self._drop_old()
        session = self._by_digest.get(_digest(secret))
        if session is not None and is_visit:
            session.seen_s = self._clock_s()
        return session

    def end(self, secret: str) -> None:
        """End a session."""
        self._by_digest.pop(_digest(secret), None)

    def _drop_old(self) -> None:
        now = self._clock_s()
        for digest, session in list(self._by_digest.items()):
            if now - session.seen_s > IDLE_S or now - session.begun_s > SESSION_S:
                del self._by_digest[digest]


def _digest(secret: str) -> bytes:
    # What a cookie holds may be no text: an unknown session like any other.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def is_visit(request: web.Request) -> bool:
    """Whether somebody opened a page; browsers say themselves what for, but not over plain HTTP."""
    is_update = UPDATE_HEADER in request.headers
    return not is_update and request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"


def name_cookie(request: web.Request, name: str) -> str:
    """Name the cookie: under TLS with the prefix that binds it to this host and to TLS."""
    return f"__Host-{name}" if request.secure else name


def set_cookie(request: web.Request, response: web.Response, name: str, secret: str) -> None:
    """Give the browser its session; it forgets it when it is closed."""
    response.set_cookie(
        name_cookie(request, name),
        secret,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=request.secure,
    )


def clear_cookie(request: web.Request, response: web.Response, name: str) -> None:
    """Take the session from the browser."""
    response.del_cookie(
        name_cookie(request, name),
        path="/",
        httponly=True,
        samesite="Strict",
        secure=request.secure,
    )
