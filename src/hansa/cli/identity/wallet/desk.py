"""A wallet in a browser: id wallet desk."""

from __future__ import annotations

import argparse
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hansa.cli.identity.reading import DESK_PORT, tell_link
from hansa.cli.identity.wallet.opening import (
    add_folder,
    add_reach,
    build_carrier,
    opened,
)
from hansa.cli.identity.wallet.presenting import add_trust, build_checker, build_presenter
from hansa.cli.source import add_node, parse_port

if TYPE_CHECKING:
    from hansa.node.identity.desk.frame import Desk


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's verb to `id wallet`."""
    desk = verbs.add_parser("desk", help="do all this in a browser on this machine")
    desk.add_argument("--port", type=parse_port, help=DESK_PORT)
    add_trust(desk)
    add_reach(desk)
    add_folder(desk)
    add_node(desk)
    desk.set_defaults(function=_desk)


def _desk(options: argparse.Namespace) -> int:
    from hansa.node.identity.desk.frame import Desk  # noqa: PLC0415 - loads a server
    from hansa.node.identity.desk.running import run_desk  # noqa: PLC0415
    from hansa.node.identity.desk.wallet.pages import add_pages  # noqa: PLC0415
    from hansa.node.identity.desk.wallet.work import WalletWork  # noqa: PLC0415

    with opened(options) as vault:
        carrier = build_carrier(options)
        presenter = build_presenter(vault, carrier, options)
        checker = build_checker(carrier, options)

        @asynccontextmanager
        async def open_desk() -> AsyncIterator[Desk]:
            desk = Desk("Wallet", str(options.data), carrier.draw, time.monotonic)
            add_pages(desk, WalletWork(vault, carrier, presenter, checker))
            yield desk

        run_desk(open_desk, tell_link(is_json=options.json), options.port)
    return 0
