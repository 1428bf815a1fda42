"""`hansa reconcile --notarise`: the manifest of a run goes on record, once the result is there.

Whatever becomes of that, the result stays: it is told how to notarise it later, by the command that
notarises any document.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from hansa.cli.screen import Sent
from hansa.cli.source import add_signing, open_client, parse_file
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, Refused
from hansa.program import name_program

if TYPE_CHECKING:
    from hansa.cli.identity.evidence import Notarised
    from hansa.sdk.keys import KeyPair

_OF_NODES = ("node", "api_key_file", "ca", "certificate", "certificate_key")
_VALUED = ("notary", *_OF_NODES, "genesis")
"""Options of notarising that have a value, as the namespace names them."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of notarising, and `--genesis` and `--json` with them."""
    command.add_argument(
        "--notarise",
        type=parse_file,
        metavar="KEYFILE",
        help="put the manifest on record at a node, signed by this key",
    )
    command.add_argument(
        "--notary", metavar="DID", help="whose evidence it becomes, if not the key's address"
    )
    add_signing(command)


def load_notary(options: argparse.Namespace) -> KeyPair | None:
    """Load the key that notarises, before anything is reconciled; None if nobody does.

    Raises:
      NotFound: there is no such file.
      Invalid: it does not open, or there are options of notarising without it.
    """
    if options.notarise is not None:
        from hansa.cli.tx import load_keys  # noqa: PLC0415 - loads HTTP

        return load_keys([options.notarise])[0]
    said = [name for name in ("notary", *_OF_NODES, "node_clock") if getattr(options, name)]
    if said:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"{_spell(said[0])} is of notarising: say --notarise KEYFILE, too",
        )
    return None


def notarise_result(options: argparse.Namespace, key: KeyPair, manifest: Path) -> dict[str, object]:
    """Put the manifest of a result on record, and its evidence file beside it; describes both.

    Raises:
      Refused: a rule of the ledger says no.
      HansaError: as `hansa.cli.identity.evidence.notarise`; says how to go on.
    """
    try:
        found = _notarise(options, key, manifest)
    except HansaError as error:
        later = _write_later(options, manifest)
        does = "goes on with it" if isinstance(error, Sent) else "notarises it later"
        error.message += f". The result is kept in {manifest.parent}, and this {does}: {later}"
        error.facts["later"] = later
        raise
    from hansa.cli.identity.evidence import describe_notarised  # noqa: PLC0415 - loads HTTP

    return describe_notarised(found, is_json=options.json)


def _notarise(options: argparse.Namespace, key: KeyPair, manifest: Path) -> Notarised:
    from hansa.cli.identity.evidence import Notarised, Request, notarise  # noqa: PLC0415 - HTTP
    from hansa.cli.identity.reading import read_party  # noqa: PLC0415
    from hansa.node.api.codes import describe_refusal  # noqa: PLC0415
    from hansa.sdk.problems import find_code  # noqa: PLC0415

    with open_client(options) as client:
        notary = read_party(client, options.notary) if options.notary else key.address
        found = notarise(client, options, key, Request([manifest], notary))
    if isinstance(found, Notarised):
        return found
    refused = Refused(find_code(found.code), tx_id=found.tx_id)
    refused.message = f"it was not notarised: {describe_refusal(found.code)} ({found.code})"
    raise refused


def _write_later(options: argparse.Namespace, manifest: Path) -> str:
    """Write the command that notarises a result that is there."""
    words = [name_program(), "id", "evidence", "notarise", str(options.notarise), str(manifest)]
    for name in _VALUED:
        if value := getattr(options, name):
            words += [_spell(name), str(value)]
    if options.node_clock:
        words.append(_spell("node_clock"))
    return shlex.join(words)


def _spell(name: str) -> str:
    return f"--{name.replace('_', '-')}"
