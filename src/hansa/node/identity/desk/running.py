"""A desk as a process: on this machine alone, on a port of its own, until it is told to stop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import uvloop

from hansa.kernel.errors import Unavailable
from hansa.node.identity.desk.frame import Desk
from hansa.node.identity.serving import listening, wait_until_stopped

HOST = "127.0.0.1"
PORT = 8475
"""Where desks listen; the next free one if it is taken, so that several stand beside each other."""
PORTS = 20


@asynccontextmanager
async def served_desk(
    desk: Desk, tell: Callable[[str], None], port: int | None = None
) -> AsyncIterator[str]:
    """Serve a desk for as long as this lasts; gives its address.

    Args:
      desk: what is served.
      tell: gets each link that opens it, whole.
      port: where to listen; the first free one from `PORT` if None.

    Raises:
      Unavailable: the port is taken, or all of them are.
    """
    ports = range(PORT, PORT + PORTS) if port is None else (port,)
    async with AsyncExitStack() as stack:
        for each in ports:
            try:
                address = await stack.enter_async_context(listening(desk.app, HOST, each))
                break
            except Unavailable:
                if each == ports[-1]:
                    raise
        desk.tell_link = lambda path: tell(address + path)
        desk.make_link()
        yield address


def run_desk(
    open_desk: Callable[[], AbstractAsyncContextManager[Desk]],
    tell: Callable[[str], None],
    port: int | None = None,
) -> None:
    """Serve a desk until Ctrl-C or SIGTERM.

    Args:
      open_desk: opens the desk where an event loop runs, and closes it.
      tell: gets each link that opens it.
      port: where to listen; the first free one from `PORT` if None.

    Raises:
      Unavailable: the port is taken.
      Corrupt: the records are damaged.
    """

    async def run() -> None:
        async with open_desk() as desk, served_desk(desk, tell, port):
            await wait_until_stopped(desk.failed)

    uvloop.run(run())
