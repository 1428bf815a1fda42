"""What commands of a wallet share: its folder, whom it may ask, and how a credential is shown."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hansa.cli.passphrase import ask_passphrase
from hansa.cli.source import parse_folder
from hansa.identity.wallet.holdings import Holding, describe, find_expiry_ms, find_type
from hansa.identity.wallet.telling import list_claims, name_holding, name_signer, write_time
from hansa.kernel.calendar import format_iso
from hansa.node.service import wall_clock_ms

if TYPE_CHECKING:
    from hansa.node.identity.holder.carrying import Carrier
    from hansa.node.identity.holder.vault import Vault

FOLDER = "hansa-data/credentials"


def add_folder(command: argparse.ArgumentParser) -> None:
    """Add the option that names the wallet."""
    command.add_argument(
        "--data", type=parse_folder, default=Path(FOLDER), help=f"folder (default {FOLDER})"
    )


def add_json(command: argparse.ArgumentParser) -> None:
    """Add the option of those who read with programs."""
    command.add_argument("--json", action="store_true", help="print one JSON object")


def add_reach(command: argparse.ArgumentParser) -> None:
    """Add the options that say whom it may ask."""
    command.add_argument("--inside", action="store_true", help="ask also addresses inside")
    command.add_argument(
        "--loopback", action="store_true", help="ask also http://127.0.0.1, to try things out"
    )


@contextmanager
def opened(options: argparse.Namespace) -> Iterator[Vault]:
    """Open the wallet that the options name."""
    from hansa.node.identity.holder.vault import open_vault  # noqa: PLC0415 - loads a client

    with open_vault(options.data, ask_passphrase(), secrets.token_bytes) as vault:
        yield vault


def build_carrier(options: argparse.Namespace) -> Carrier:
    """Build what carries conversations, as the options allow."""
    from hansa.node.identity.fetching import FetchRules  # noqa: PLC0415 - loads a client
    from hansa.node.identity.holder.carrying import Carrier  # noqa: PLC0415

    rules = FetchRules(may_ask_inside=options.inside, may_ask_loopback=options.loopback)
    return Carrier(rules, secrets.token_bytes, wall_clock_ms)


def describe_holding(holding: Holding) -> dict[str, Any]:
    """Describe a credential as commands print it."""
    found, expiry_ms = describe(holding), find_expiry_ms(holding)
    return {
        "name": name_holding(holding),
        "type": find_type(holding),
        "format": holding.format,
        "from": holding.issuer,
        "signed_by": name_signer(found.claims),
        "received": format_iso(holding.received_ms, 0),
        "expires": write_time(expiry_ms),
        "claims": list_claims(found.claims),
    }
