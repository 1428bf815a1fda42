"""What the commands of an operator share: its folder, its node, how a case is told."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hansa.cli.identity.reading import write_moment
from hansa.cli.passphrase import ask_passphrase
from hansa.cli.source import parse_folder
from hansa.sdk.client import Client
from hansa.sdk.files import read_api_key_file

if TYPE_CHECKING:
    from hansa.node.identity.operator.cases import Case
    from hansa.node.identity.operator.folder import OperatorFolder

FOLDER = "hansa-data/operator"


def add_options(
    command: argparse.ArgumentParser, function: Callable[[argparse.Namespace], int]
) -> None:
    """Add what all commands of operators take."""
    command.add_argument(
        "--data", type=parse_folder, default=Path(FOLDER), help=f"folder (default {FOLDER})"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(function=function)


@contextmanager
def opened(options: argparse.Namespace) -> Iterator[OperatorFolder]:
    """Open an operator's folder."""
    from hansa.node.identity.operator.folder import open_operator  # noqa: PLC0415 - loads a server

    folder = open_operator(options.data, ask_passphrase(), secrets.token_bytes)
    try:
        yield folder
    finally:
        folder.close()


def connect(folder: OperatorFolder) -> Client:
    """Make a client of the node that the settings name."""
    access = folder.settings.ledger
    api_key = read_api_key_file(folder.path / access.api_key_file) if access.api_key_file else None
    return Client(access.node, access.genesis, api_key=api_key)


def describe(case: Case) -> dict[str, object]:
    """Describe a case, without what was shown."""
    told: dict[str, object] = {
        "session": case.session_id,
        "state": case.state.value,
        "wallet": case.wallet,
        "category": case.category.name,
        "asked": write_moment(case.asked_ms),
    }
    more = {
        "until": write_moment(case.until_ms) if case.until_ms else "",
        "checked": write_moment(case.checked_ms) if case.checked_ms else "",
        "lifted by": case.raised_tx_id,
        "why": case.why,
    }
    return told | {name: value for name, value in more.items() if value}
