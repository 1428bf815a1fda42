"""Who looks at a page: signing in with an API key, sessions, and what may be shown to whom.

The node keeps the key's id with a session, never the key; every request asks anew whether the key
still counts. Rights are those of the API (`hansa.node.api.rights`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from hansa.kernel.errors import Invalid
from hansa.node.api.access import Access
from hansa.node.api.rights import THIS_MACHINE, Principal, Right, Role
from hansa.node.console.reading import TransactionLine
from hansa.node.console.text.explain import Party
from hansa.node.web.sessions import Session, Sessions, is_visit, name_cookie

COOKIE: Final = "hansa-session"


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

    def acts_for(self, member: bytes, right: Right) -> bool:
        """Whether what only an institution itself knows may be shown, as to its own keys.

        The node's own machine counts as its institution, where that may read everything.
        """
        is_own = self.principal.member == member and self.principal.may(right)
        return is_own or self.principal == THIS_MACHINE

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
    secret = request.cookies.get(name_cookie(request, COOKIE))
    if secret is not None:
        session = sessions.find(secret, is_visit=is_visit(request))
        if session is not None:
            try:
                return Viewer(access.identify_key(session.key_id), access, session)
            except Invalid:
                sessions.end(secret)
    return Viewer(access.identify(request), access)


def is_own_path(path: str) -> bool:
    """Whether to go on to a path after signing in stays on this console."""
    is_plain = path.isascii() and path.isprintable() and "\\" not in path
    return is_plain and path.startswith("/") and not path.startswith("//")
