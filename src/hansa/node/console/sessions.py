"""Who looks at a page: signing in with an API key, sessions, and what may be shown to whom.

A session is a random number in a cookie that scripts cannot read and other sites cannot send. The
node keeps its digest and the key's id in memory, never the key; every request asks anew whether
the key still counts. Rights are those of the API (`hansa.node.api.rights`).

Source: OWASP Session Management Cheat Sheet; RFC 6265bis (`__Host-` and SameSite).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from hansa.kernel.errors import Invalid
from hansa.node.api.access import Access
from hansa.node.api.rights import Principal, Right, Role
from hansa.node.console.reading import TransactionLine
from hansa.node.console.text.explain import Party

IDLE_S: Final = 30 * 60
"""How long a session lasts after the last page that was opened; updates of a page do not count."""
SESSION_S: Final = 8 * 3_600
"""How long it lasts at most."""
UPDATE_HEADER: Final = "X-Hansa-Update"
"""By which a page of the console says that it brings itself up to date."""
SESSIONS_MAX: Final = 1_000
"""The oldest makes room."""
SESSIONS_EACH: Final = 20
"""Of one API key; its oldest makes room, so that no key ends others' sessions alone."""
ID_BYTES: Final = 32


@dataclass(slots=True)
class Session:
    """One browser that signed in."""

    key_id: str
    form_token: str
    """Stands in every form that changes something, so that no other page can send it."""
    begun_s: float
    seen_s: float


class Sessions:
    """All sessions of one node, in memory.

    Args:
      clock_s: never goes back.
    """

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._by_digest: dict[bytes, Session] = {}

    def begin(self, key_id: str) -> str:
        """Begin a session for an API key; returns what the cookie holds."""
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


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at a page."""

    principal: Principal
    access: Access
    session: Session | None = None

    @property
    def sees_all(self) -> bool:
        """Whether everything on the ledger may be shown."""
        return self.principal.may(Right.LEDGER)

    @property
    def sees_some(self) -> bool:
        """Whether transactions of some wallets may be shown."""
        return self.sees_all or self.principal.role is not Role.ANYONE

    @property
    def sees_figures(self) -> bool:
        """Whether it may be shown how the node is doing."""
        return self.principal.may(Right.METRICS)

    def sees_vault(self, member: bytes) -> bool:
        """Whether an institution's vaults may be shown."""
        return self.access.may_read_vault(self.principal, member)

    def sees_line(self, line: TransactionLine) -> bool:
        """Whether a transaction may be listed: one of its wallets may be read."""
        if self.sees_all:
            return True
        named = {part.address for part in line.sentence if isinstance(part, Party)}
        parties: Iterable[bytes] = named | line.owners
        return any(
            party == self.principal.member or self.access.may_read_wallet(self.principal, party)
            for party in parties
        )


def find_viewer(request: web.Request, access: Access, sessions: Sessions) -> Viewer:
    """Find out who looks: by session, else as the API does.

    Raises:
      Invalid: `UNAUTHENTICATED`: an API key or certificate was shown that does not count.
      Unavailable: the keys cannot be read.
    """
    secret = request.cookies.get(name_cookie(request))
    if secret is not None:
        session = sessions.find(secret, is_visit=_is_visit(request))
        if session is not None:
            try:
                return Viewer(access.identify_key(session.key_id), access, session)
            except Invalid:
                sessions.end(secret)
    return Viewer(access.identify(request), access)


def _is_visit(request: web.Request) -> bool:
    """Whether somebody opened a page; browsers say themselves what for, but not over plain HTTP."""
    is_update = UPDATE_HEADER in request.headers
    return not is_update and request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"


def name_cookie(request: web.Request) -> str:
    """Name the cookie: under TLS with the prefix that binds it to this host and to TLS."""
    return "__Host-hansa-session" if request.secure else "hansa-session"


def set_cookie(request: web.Request, response: web.Response, secret: str) -> None:
    """Give the browser its session; it forgets it when it is closed."""
    response.set_cookie(
        name_cookie(request),
        secret,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=request.secure,
    )


def clear_cookie(request: web.Request, response: web.Response) -> None:
    """Take the session from the browser."""
    response.del_cookie(
        name_cookie(request),
        path="/",
        httponly=True,
        samesite="Strict",
        secure=request.secure,
    )


def is_own_path(path: str) -> bool:
    """Whether to go on to a path after signing in stays on this console."""
    is_plain = path.isascii() and path.isprintable() and "\\" not in path
    return is_plain and path.startswith("/") and not path.startswith("//")
