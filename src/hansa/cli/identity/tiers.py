"""Commands of an operator that lifts wallets: id tier new, up, ask, report, list, and so on."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hansa.cli.identity.codes import print_code, write_svg
from hansa.cli.identity.issuer_ledger import load_service_key
from hansa.cli.identity.reading import tell_address, tell_place, write_moment
from hansa.cli.passphrase import ask_new_passphrase, ask_passphrase, taking_passphrase
from hansa.cli.screen import complain, flush, print_found, print_json, say
from hansa.cli.source import parse_file, parse_folder, parse_port
from hansa.contracts.wallets import Category
from hansa.identity.verifier.findings import list_faults
from hansa.kernel.crypto.address import from_text
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.node.service import wall_clock_ms
from hansa.program import name_program
from hansa.sdk.client import Client
from hansa.sdk.files import read_api_key_file

if TYPE_CHECKING:
    from hansa.node.identity.operator.cases import Case
    from hansa.node.identity.operator.folder import OperatorFolder

FOLDER = "hansa-data/operator"
CATEGORIES = ("I", "II", "III")
EXIT_FOUND = 1
"""Of a report that lifts nothing, and of an audit that finds something."""


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands of operators."""
    tier = words.add_parser("tier", help="lift wallets to better categories by credentials")
    verbs = tier.add_subparsers(dest="verb", required=True, metavar="VERB")
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
    ask = verbs.add_parser("ask", help="ask for what lifts a wallet, as a QR code")
    ask.add_argument("wallet", help="address of the wallet")
    ask.add_argument("--category", choices=CATEGORIES, required=True)
    ask.add_argument("--svg", type=parse_file, metavar="FILE", help="write the QR code there")
    report = verbs.add_parser("report", help="show what came of a question")
    report.add_argument("session", help="as `ask` printed it")
    listing = verbs.add_parser("list", help="list all cases, oldest first")
    lower = verbs.add_parser("lower", help="end what lifts a wallet")
    lower.add_argument("wallet", help="address of the wallet")
    lower.add_argument("--reason", choices=("requested", "mistaken"), default="requested")
    check = verbs.add_parser("check", help="do once what up does: lift, read statuses, lower")
    audit = verbs.add_parser("audit", help="compare what was shown with what the ledger says")
    functions = (
        (new, _new),
        (up, _up),
        (ask, _ask),
        (report, _report),
        (listing, _list),
        (lower, _lower),
        (check, _check),
        (audit, _audit),
    )
    for command, function in functions:
        command.add_argument(
            "--data", type=parse_folder, default=Path(FOLDER), help=f"folder (default {FOLDER})"
        )
        command.add_argument("--json", action="store_true", help="print one JSON object")
        command.set_defaults(function=function)


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
            complain,
            host=options.host,
            port=options.port,
        )
    return 0


def _ask(options: argparse.Namespace) -> int:
    from hansa.node.identity.operator.asking import check_wallet  # noqa: PLC0415 - loads a server

    wallet, category = from_text(options.wallet), Category[options.category]
    with _opened(options) as folder:
        with _client(folder) as client:
            network = client.get_network()
            check_wallet(client.get_wallet(wallet), category, folder.settings.operator)
        asking = folder.desk.ask(wallet, category, network, wall_clock_ms())
    if options.svg is not None:
        write_svg(asking.uri, options.svg)
    if not options.json:
        flush()
        print_code(asking.uri, sys.stdout)
    print_found({"request": asking.uri, "session": asking.session_id}, is_json=options.json)
    return 0


def _report(options: argparse.Namespace) -> int:
    with _opened(options) as folder:
        case = folder.desk.cases.get(options.session)
        try:
            found = folder.verifier.get_report(options.session, wall_clock_ms())
        except NotFound:  # it is kept for an hour; the case longer
            found = None
    faults = [] if found is None else list_faults(found.findings)
    told = _describe(case)
    if found is not None and not found.is_accepted:
        told["state"] = "not accepted"
    if options.json:
        print_json(told | {"faults": faults})
    else:
        print_found(told | ({"faults": faults} if faults else {}), is_json=False)
    is_bad = bool(faults) or case.state == "refused"
    return EXIT_FOUND if is_bad else 0


def _list(options: argparse.Namespace) -> int:
    with _opened(options) as folder:
        cases = folder.desk.cases.list_all()
    if options.json:
        print_json({"cases": [_describe(each) for each in cases]})
        return 0
    for case in cases:
        line = f"{write_moment(case.asked_ms)}  {case.state:8}  {case.category.name:3}"
        say(f"{line}  {case.wallet}  {case.why}".rstrip())
    if not cases:
        say("No wallet was asked to be lifted.")
    return 0


def _lower(options: argparse.Namespace) -> int:
    from hansa.contracts.identity.tiers import Reason  # noqa: PLC0415 - with the others
    from hansa.node.identity.operator.cases import State  # noqa: PLC0415

    with _opened(options) as folder:
        cases = folder.desk.cases
        found = [
            each
            for each in cases.list_open()
            if each.wallet == options.wallet and each.state is State.LIFTED
        ]
        if not found:
            raise NotFound(f"nothing lifts the wallet {options.wallet}")
        case = cases.change(found[-1], state=State.ENDING, reason=Reason(options.reason))
    if case is None:
        raise Invalid(InvalidCode.ARGUMENTS, "the case has just changed: look at it, and try again")
    print_found(_describe(case), is_json=options.json)
    if not options.json:
        say(f"It is noted; {name_program()} id tier up or check brings it to the ledger.")
    return 0


def _check(options: argparse.Namespace) -> int:
    from hansa.node.identity.folders import serving_alone  # noqa: PLC0415 - loads a server
    from hansa.node.identity.operator.running import check_once  # noqa: PLC0415

    with serving_alone(options.data), _opened(options) as folder:
        key = load_service_key(options.data / folder.settings.ledger.key, ask_passphrase())
        trouble = asyncio.run(check_once(folder, key))
        cases = folder.desk.cases.list_open()
    if options.json:
        print_json({"cases": [_describe(each) for each in cases]})
    else:
        counts = ", ".join(
            f"{sum(each.state == state for each in cases)} {state}"
            for state in ("lifted", "wanted", "ending")
        )
        say(f"Cases that are open: {counts}.")
    if trouble is not None:
        raise trouble
    return 0


def _audit(options: argparse.Namespace) -> int:
    from hansa.node.identity.operator.auditing import audit  # noqa: PLC0415 - loads a server

    with _opened(options) as folder, _client(folder) as client:
        found = audit(folder.desk.cases.list_all(), folder.settings, client.get_receipt)
    if options.json:
        print_json(
            {"lifts": [_describe(each.case) | {"findings": each.findings} for each in found]}
        )
    else:
        for each in found:
            say(f"{each.case.wallet}  {each.case.category.name}  {each.case.raised_tx_id}")
            for text in each.findings or ["what was shown is what the ledger says"]:
                say(f"  {text}")
        say(f"{len(found)} lifts, {sum(bool(each.findings) for each in found)} with findings.")
    return EXIT_FOUND if any(each.findings for each in found) else 0


def _describe(case: Case) -> dict[str, object]:
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


def _client(folder: OperatorFolder) -> Client:
    access = folder.settings.ledger
    api_key = read_api_key_file(folder.path / access.api_key_file) if access.api_key_file else None
    return Client(access.node, access.genesis, api_key=api_key)


@contextmanager
def _opened(options: argparse.Namespace) -> Iterator[OperatorFolder]:
    from hansa.node.identity.operator.folder import open_operator  # noqa: PLC0415 - loads a server

    folder = open_operator(options.data, ask_passphrase(), secrets.token_bytes)
    try:
        yield folder
    finally:
        folder.close()
