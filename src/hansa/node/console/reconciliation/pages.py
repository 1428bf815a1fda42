"""The way to the pages about reconciliation: only for keys of the node's own bank.

What they show is what that bank knows, which is more than what is on the ledger. What fills them
needs an extra, so it is loaded with the first page, on a node that reconciles.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from hansa.kernel.crypto.address import to_text
from hansa.node.api.rights import Right
from hansa.node.console.pages import Console, get_viewer

ROOT = "/reconciliation"


def lead_to(word: str) -> Callable[[Console, web.Request], Awaitable[web.Response]]:
    """Build what leads to one of the pages of `showing.PAGES`."""

    async def show(console: Console, request: web.Request) -> web.Response:
        if console.pairs is None:
            return await console.respond(request, "reconciliation/absent.html")
        viewer = get_viewer(request)
        if not viewer.acts_for(console.pairs.bank, Right.PAIRS):
            whose = to_text(console.pairs.bank)
            raise console.access.deny(viewer.principal, f"what {whose} reconciles: its own keys do")
        from hansa.node.console.reconciliation.showing import PAGES  # noqa: PLC0415 - an extra

        return await PAGES[word](console, request, console.pairs)

    return show
