"""The way to the pages about risk control: only for keys of the node's own institution.

What they show is what that institution thinks of its customers' payments. What fills them needs an
extra, so it is loaded with the first page, on a node that decides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from hansa.kernel.crypto.address import to_text
from hansa.node.api.rights import Right
from hansa.node.console.pages import Console, get_viewer

ROOT = "/risk"


def lead_to(word: str) -> Callable[[Console, web.Request], Awaitable[web.Response]]:
    """Build what leads to one of the pages of `showing.PAGES`."""

    async def show(console: Console, request: web.Request) -> web.Response:
        if console.risk is None:
            return await console.respond(request, "risk/absent.html")
        viewer = get_viewer(request)
        if not viewer.acts_for(console.risk.operator, Right.RISK):
            whose = to_text(console.risk.operator)
            raise console.access.deny(
                viewer.principal,
                f"what {whose} decides on its customers' payments: its own keys do",
            )
        from hansa.node.console.risk.showing import PAGES  # noqa: PLC0415 - an extra

        await console.risk.look()
        return await PAGES[word](console, request, console.risk)

    return show
