"""A wallet at work behind pages: one thing at a time, and what is in hand between two pages.

What carries a wallet's conversations waits for the other side, so it runs in a thread, and one
piece of work at a time has the wallet. What a page has begun (an offer that was read, a request
that was looked at, credentials that came) is kept in memory under a drawn name until it is decided,
and is lost with the desk: what an issuer owes is noted in the wallet itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from hansa.identity.issuer.offers import Offer
from hansa.identity.wallet.receiving import Source
from hansa.kernel.errors import NotFound
from hansa.node.identity.holder.carrying import Carrier
from hansa.node.identity.holder.checking import Checker
from hansa.node.identity.holder.presenting import Asked, Presenter
from hansa.node.identity.holder.receiving import Arrival, Begun, Receiver
from hansa.node.identity.holder.vault import Vault

T = TypeVar("T")
P = TypeVar("P")

IN_HAND_MAX = 32
"""Of each kind; the oldest gives way."""
NAME_BYTES = 8


class Offered(NamedTuple):
    """An offer that was read, and what was begun about it."""

    offer: Offer
    source: Source
    begun: Begun | None = None
    """Once the person was sent to the issuer's page."""


class InHand(dict[str, P]):
    """What pages have begun, by a drawn name; the oldest gives way."""

    def __init__(self, what: str, draw: Callable[[int], bytes]) -> None:
        super().__init__()
        self._what = what
        self._draw = draw

    def add(self, thing: P) -> str:
        """Keep something until it is decided; returns its name."""
        while len(self) >= IN_HAND_MAX:
            del self[next(iter(self))]
        name = self._draw(NAME_BYTES).hex()
        self[name] = thing
        return name

    def find(self, name: str) -> P:
        """Find what is in hand; raises `NotFound`."""
        if name not in self:
            raise NotFound(f"{self._what} is no longer in hand: it was decided, or the desk ended")
        return self[name]


class WalletWork:
    """One open wallet, for the pages of a desk."""

    def __init__(
        self, vault: Vault, carrier: Carrier, presenter: Presenter, checker: Checker
    ) -> None:
        self.vault = vault
        self.carrier = carrier
        self.receiver = Receiver(vault, carrier)
        self.presenter = presenter
        self.checker = checker
        self.offers: InHand[Offered] = InHand("this offer", carrier.draw)
        self.arrivals: InHand[Arrival] = InHand("this credential", carrier.draw)
        self.requests: InHand[Asked] = InHand("this request", carrier.draw)
        self._alone = asyncio.Lock()

    async def do(self, work: Callable[..., T], *arguments: object) -> T:
        """Do a piece of work beside the pages, alone with the wallet; raises what it raises."""
        async with self._alone:
            return await asyncio.to_thread(work, *arguments)
