"""Commands of an operator that lifts wallets: id tier ask, report, list, lower, audit."""

from __future__ import annotations

import argparse
import sys

from hansa.cli.identity.codes import print_code, write_svg
from hansa.cli.identity.operator.opening import add_options, connect, describe, opened
from hansa.cli.identity.reading import write_moment
from hansa.cli.screen import flush, print_found, print_json, say
from hansa.cli.source import parse_file
from hansa.contracts.wallets import Category
from hansa.identity.verifier.findings import list_faults
from hansa.kernel.crypto.address import from_text
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.node.service import wall_clock_ms
from hansa.program import name_program

CATEGORIES = ("I", "II", "III")
EXIT_FOUND = 1
"""Of a report that lifts nothing, and of an audit that finds something."""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's commands."""
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
    audit = verbs.add_parser("audit", help="compare what was shown with what the ledger says")
    functions = ((ask, _ask), (report, _report), (listing, _list), (lower, _lower), (audit, _audit))
    for command, function in functions:
        add_options(command, function)


def _ask(options: argparse.Namespace) -> int:
    from hansa.node.identity.operator.asking import check_wallet  # noqa: PLC0415 - loads a server

    wallet, category = from_text(options.wallet), Category[options.category]
    with opened(options) as folder:
        with connect(folder) as client:
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
    with opened(options) as folder:
        case = folder.desk.cases.get(options.session)
        try:
            found = folder.verifier.get_report(options.session, wall_clock_ms())
        except NotFound:  # it is kept for an hour; the case longer
            found = None
    faults = [] if found is None else list_faults(found.findings)
    told = describe(case)
    if found is not None and not found.is_accepted:
        told["state"] = "not accepted"
    if options.json:
        print_json(told | {"faults": faults})
    else:
        print_found(told | ({"faults": faults} if faults else {}), is_json=False)
    is_bad = bool(faults) or case.state == "refused"
    return EXIT_FOUND if is_bad else 0


def _list(options: argparse.Namespace) -> int:
    with opened(options) as folder:
        cases = folder.desk.cases.list_all()
    if options.json:
        print_json({"cases": [describe(each) for each in cases]})
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

    with opened(options) as folder:
        cases = folder.desk.cases
        found = cases.find_lifting(options.wallet)
        if found is None:
            raise NotFound(f"nothing lifts the wallet {options.wallet}")
        case = cases.change(found, state=State.ENDING, reason=Reason(options.reason))
    if case is None:
        raise Invalid(InvalidCode.ARGUMENTS, "the case has just changed: look at it, and try again")
    print_found(describe(case), is_json=options.json)
    if not options.json:
        say(f"It is noted; {name_program()} id tier up or check brings it to the ledger.")
    return 0


def _audit(options: argparse.Namespace) -> int:
    from hansa.node.identity.operator.auditing import audit  # noqa: PLC0415 - loads a server

    with opened(options) as folder, connect(folder) as client:
        found = audit(folder.desk.cases.list_all(), folder.settings, client.get_receipt)
    if options.json:
        print_json({"lifts": [describe(each.case) | {"findings": each.findings} for each in found]})
    else:
        for each in found:
            say(f"{each.case.wallet}  {each.case.category.name}  {each.case.raised_tx_id}")
            for text in each.findings or ["what was shown is what the ledger says"]:
                say(f"  {text}")
        say(f"{len(found)} lifts, {sum(bool(each.findings) for each in found)} with findings.")
    return EXIT_FOUND if any(each.findings for each in found) else 0
