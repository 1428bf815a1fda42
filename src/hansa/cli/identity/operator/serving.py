"""Commands of an operator that lifts wallets: id tier new, up, check."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shlex
from pathlib import Path

from hansa.cli.identity.issuer_ledger import load_service_key
from hansa.cli.identity.operator.opening import add_options, describe, opened
from hansa.cli.identity.reading import tell_address, tell_place, warn
from hansa.cli.passphrase import ask_new_passphrase, ask_passphrase, taking_passphrase
from hansa.cli.screen import complain, print_json, say
from hansa.cli.source import parse_port
from hansa.program import name_program


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's commands."""
    new = verbs.add_parser("new", help="make an operator's folder: settings, key, records")
    new.add_argument("--url", required=True, help="where wallets reach it: https://bank.example")
    new.add_argument("--name", required=True, help="whose it is")
    new.add_argument("--operator", required=True, metavar="ADDRESS", help="on the ledger")
    new.add_argument("--node", required=True, metavar="URL", help="of the ledger")
    new.add_argument("--genesis", required=True, metavar="HASH", help="of the network")
    new.add_argument("--key", required=True, metavar="FILE", help="of a key that may operate")
    up = verbs.add_parser("up", help="answer wallets, lift and watch them, until Ctrl-C")
    up.add_argument("--host", help="instead of that of verifier.toml")
    up.add_argument("--port", type=parse_port, help="instead of that of verifier.toml")
    check = verbs.add_parser("check", help="do once what up does: lift, read statuses, lower")
    for command, function in ((new, _new), (up, _up), (check, _check)):
        add_options(command, function)


def _new(options: argparse.Namespace) -> int:
    from hansa.node.identity.operator import folder  # noqa: PLC0415 - loads a server
    from hansa.node.identity.verifier.settings import load_settings  # noqa: PLC0415

    named = {
        name: getattr(options, name) for name in ("url", "name", "operator", "node", "genesis")
    }
    key = str(Path(options.key).absolute())
    folder.create_operator(
        options.data,
        folder.NewOperator(**named, key=key),
        passphrase=ask_new_passphrase(),
        draw=secrets.token_bytes,
    )
    settings = load_settings(options.data / "verifier.toml")
    if options.json:
        print_json({"data": str(options.data), "url": settings.url})
        return 0
    tell_place(settings.url, settings.place)
    place, hansa = shlex.quote(str(options.data)), name_program()
    say(f"Say in {place}/verifier.toml whom to believe, and in {place}/tiers.toml what lifts to")
    say("which category; then")
    say(f"  {hansa} id tier up --data {place}")
    return 0


def _up(options: argparse.Namespace) -> int:
    from hansa.node.identity.folders import serving_alone  # noqa: PLC0415 - loads a server
    from hansa.node.identity.operator.folder import open_operator  # noqa: PLC0415
    from hansa.node.identity.operator.running import run_operator  # noqa: PLC0415

    with serving_alone(options.data), taking_passphrase() as take_passphrase:
        passphrase = take_passphrase()
        folder = open_operator(options.data, passphrase, secrets.token_bytes)
        key = load_service_key(options.data / folder.settings.ledger.key, passphrase)
        if not folder.verifier.settings.believes_anyone:
            complain(
                "hansa: no credential will lift anything, as "
                f"{shlex.quote(str(options.data))}/verifier.toml says of nobody that it is to be "
                "believed: name issuers there ([[issuers]]) or a node ([node]), and start it anew"
            )
        run_operator(
            folder,
            key,
            tell_address(is_json=options.json),
            warn,
            host=options.host,
            port=options.port,
        )
    return 0


def _check(options: argparse.Namespace) -> int:
    from hansa.node.identity.folders import serving_alone  # noqa: PLC0415 - loads a server
    from hansa.node.identity.operator.running import check_once  # noqa: PLC0415

    with serving_alone(options.data), opened(options) as folder:
        key = load_service_key(options.data / folder.settings.ledger.key, ask_passphrase())
        trouble = asyncio.run(check_once(folder, key))
        desk = folder.desk.cases
        lifting = [case for name in desk.list_lifting() if (case := desk.find(name)) is not None]
        cases = [*lifting, *desk.list_open()]
    if options.json:
        print_json({"cases": [describe(each) for each in cases]})
    else:
        counts = ", ".join(
            f"{sum(each.state == state for each in cases)} {state}"
            for state in ("lifted", "wanted", "ending")
        )
        say(f"Cases that are open: {counts}.")
    if trouble is not None:
        raise trouble
    return 0
