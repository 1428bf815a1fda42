"""What an issuer's commands do with the ledger: its key, its standing, what is on its way."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hansa.cli.identity.reading import warn
from hansa.cli.passphrase import ask_passphrase
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, Unavailable
from hansa.program import name_program
from hansa.sdk.keys import load_key

if TYPE_CHECKING:
    from hansa.node.identity.issuer.service import IssuerService, Listed
    from hansa.sdk.keys import KeyPair

PATIENCE_S = 20.0
"""How long a command waits for the ledger."""
CHECK_S = 5.0
POLL_S = 0.2


def load_ledger_key(folder: Path, service: IssuerService, passphrase: str) -> KeyPair | None:
    """Load the key of the account that asserts for an issuer; None if it has no ledger.

    The passphrase of the folder is tried; at a terminal another one is asked for.

    Raises:
      NotFound: there is no such file.
      Invalid: it is no key file, or its passphrase is another.
      Unavailable: it cannot be read.
    """
    access = service.settings.ledger
    return None if access is None else load_service_key(folder / access.key, passphrase)


def load_service_key(path: Path, passphrase: str) -> KeyPair:
    """Load a key with the passphrase of a folder; raises as `load_ledger_key`."""
    try:
        return load_key(path, passphrase)
    except Invalid as error:
        if error.code is not InvalidCode.UNAUTHENTICATED or not sys.stdin.isatty():
            raise
    return load_key(path, ask_passphrase(path))


def warn_of_standing(folder: Path, service: IssuerService) -> None:
    """Warn of what keeps verifiers from believing an issuer; of one without a ledger, nothing.

    Raises:
      Invalid: on the ledger the issuer has another key.
    """
    from hansa.node.identity.issuer.ledger import running  # noqa: PLC0415 - loads a server

    if service.wants is None:
        return

    async def check() -> None:
        async with (
            running.opened_delivery(folder, service, None) as delivery,
            asyncio.timeout(CHECK_S),
        ):
            await running.warn_of_standing(service, delivery, warn)

    try:
        asyncio.run(check())
    except (Unavailable, TimeoutError) as error:
        why = error.message if isinstance(error, Unavailable) else "the node does not answer"
        warn(f"whether verifiers believe this issuer was not checked: {why}")


def bring_to_ledger(
    folder: Path,
    service: IssuerService,
    numbers: Sequence[int],
    passphrase: str,
    patience_s: float = PATIENCE_S,
) -> list[Listed]:
    """Have the status of copies brought to the ledger, by the service if it runs; wait for it.

    Where that takes longer than `patience_s`, or fails, it stays noted, which is told.
    """
    from hansa.node.identity.folders import serving_alone  # noqa: PLC0415 - loads a server

    try:
        with serving_alone(folder):
            is_served = False
            _deliver(folder, service, numbers, passphrase, patience_s)
    except Unavailable:
        is_served = True
        _await(service, numbers, patience_s)
    listed = [service.get_issued(number) for number in numbers]
    if any(each.is_on_its_way for each in listed):
        again = f"{name_program()} id issuer up" if not is_served else "the service"
        warn(f"the ledger has not confirmed it yet; it is noted, and {again} repeats it")
    return listed


def _deliver(
    folder: Path,
    service: IssuerService,
    numbers: Sequence[int],
    passphrase: str,
    patience_s: float,
) -> None:
    from hansa.node.identity.issuer.ledger import running  # noqa: PLC0415 - loads a server

    async def run(key: KeyPair) -> None:
        async with (
            running.opened_delivery(folder, service, key) as delivery,
            asyncio.timeout(patience_s),
        ):
            for number in numbers:
                await running.deliver_status(service, delivery, number)
                if service.get_issued(number).is_on_its_way:
                    return

    try:
        key = load_ledger_key(folder, service, passphrase)
        assert key is not None, "only with a ledger is anything brought there"  # noqa: S101
        asyncio.run(run(key))
    except TimeoutError:
        return
    except HansaError as error:
        warn(error.message)


def _await(service: IssuerService, numbers: Sequence[int], patience_s: float) -> None:
    """Wait until the service has brought it there."""
    end_s = time.monotonic() + patience_s
    while time.monotonic() < end_s:
        if not any(service.get_issued(number).is_on_its_way for number in numbers):
            return
        time.sleep(POLL_S)
