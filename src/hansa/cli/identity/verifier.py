"""Commands of a verifier: id verifier new, up, desk, ask, report."""

from __future__ import annotations

import argparse
import secrets
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hansa.cli.identity.codes import print_code, write_svg
from hansa.cli.identity.reading import DESK_PORT, tell_address, tell_link, tell_place, warn
from hansa.cli.passphrase import ask_new_passphrase, ask_passphrase, taking_passphrase
from hansa.cli.screen import complain, flush, print_found, print_json, print_table, say
from hansa.cli.source import parse_file, parse_folder, parse_port
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.node.service import wall_clock_ms
from hansa.program import name_program

if TYPE_CHECKING:
    from hansa.identity.verifier.findings import Report
    from hansa.node.identity.verifier.folder import VerifierFolder

FOLDER = "hansa-data/verifier"
EXIT_FOUND = 1
"""Of a report that does not accept what was shown."""


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands of verifiers."""
    verifier = words.add_parser("verifier", help="ask wallets for credentials (OpenID4VP 1.0)")
    verbs = verifier.add_subparsers(dest="verb", required=True, metavar="VERB")
    new = verbs.add_parser("new", help="make a verifier's folder: settings, key, records")
    new.add_argument("--url", required=True, help="where wallets reach it: https://shop.example")
    new.add_argument("--name", required=True, help="whose it is")
    up = verbs.add_parser("up", help="answer wallets until Ctrl-C")
    up.add_argument("--host", help="instead of that of verifier.toml")
    up.add_argument("--port", type=parse_port, help="instead of that of verifier.toml")
    up.add_argument("--desk", action="store_true", help="serve the officer's desk, too")
    desk = verbs.add_parser("desk", help="do all this in a browser on this machine")
    desk.add_argument("--port", type=parse_port, help=DESK_PORT)
    ask = verbs.add_parser("ask", help="ask one person a question, as a QR code")
    ask.add_argument("question", help="a question of verifier.toml")
    ask.add_argument("--svg", type=parse_file, metavar="FILE", help="write the QR code there")
    ask.add_argument(
        "--return-to",
        metavar="URL",
        default="",
        help="of a wallet on the person's own device: where it sends their browser afterwards",
    )
    report = verbs.add_parser("report", help="show what came of it, finding by finding")
    report.add_argument("session", help="as `ask` printed it")
    report.add_argument(
        "--response-code", metavar="CODE", default="", help="with which the browser came back"
    )
    for command, function in (
        (new, _new),
        (up, _up),
        (desk, _desk),
        (ask, _ask),
        (report, _report),
    ):
        command.add_argument(
            "--data", type=parse_folder, default=Path(FOLDER), help=f"folder (default {FOLDER})"
        )
        command.add_argument("--json", action="store_true", help="print one JSON object")
        command.set_defaults(function=function)


def _new(options: argparse.Namespace) -> int:
    from hansa.node.identity.verifier.folder import create_folder  # noqa: PLC0415 - loads a server

    settings = create_folder(
        options.data,
        url=options.url,
        name=options.name,
        passphrase=ask_new_passphrase(),
        draw=secrets.token_bytes,
    )
    if options.json:
        print_json({"data": str(options.data), "url": settings.url})
        return 0
    tell_place(settings.url, settings.place)
    folder, hansa = shlex.quote(str(options.data)), name_program()
    say(f"{settings.name} in {folder}: say in {folder}/verifier.toml whom to believe, then")
    say(f"  {hansa} id verifier up --data {folder}")
    return 0


def _up(options: argparse.Namespace) -> int:
    from hansa.node.identity.folders import serving_alone  # noqa: PLC0415 - loads a server
    from hansa.node.identity.verifier.folder import open_verifier  # noqa: PLC0415
    from hansa.node.identity.verifier.running import run_verifier  # noqa: PLC0415

    with serving_alone(options.data), taking_passphrase() as take_passphrase:
        folder = open_verifier(options.data, take_passphrase(), secrets.token_bytes)
        if not folder.settings.believes_anyone:
            complain(
                "hansa: this verifier will refuse every credential, as "
                f"{shlex.quote(str(options.data))}/verifier.toml says of nobody that it is to be "
                "believed: name issuers there ([[issuers]]) or a node ([node]), and start it anew"
            )
        run_verifier(
            folder,
            tell_address(is_json=options.json),
            host=options.host,
            port=options.port,
            warn=warn,
            tell_desk=tell_link(is_json=options.json) if options.desk else None,
        )
    return 0


def _desk(options: argparse.Namespace) -> int:
    from hansa.node.identity.verifier.folder import open_verifier  # noqa: PLC0415 - loads a server
    from hansa.node.identity.verifier.running import run_verifier_desk  # noqa: PLC0415

    with taking_passphrase() as take_passphrase:
        folder = open_verifier(options.data, take_passphrase(), secrets.token_bytes)
        run_verifier_desk(folder, tell_link(is_json=options.json), options.port)
    return 0


def _ask(options: argparse.Namespace) -> int:
    with _opened(options) as folder:
        asking = folder.ask(options.question, wall_clock_ms(), _read_return(options.return_to))
    if options.svg is not None:
        write_svg(asking.uri, options.svg)
    if not options.json:
        flush()
        print_code(asking.uri, sys.stdout)
    print_found({"request": asking.uri, "session": asking.session_id}, is_json=options.json)
    return 0


def _read_return(url: str) -> str:
    """Read where a wallet is to send a browser; raises `Invalid`."""
    from hansa.node.identity.settings import is_safe_url  # noqa: PLC0415 - loads a server

    if url and not is_safe_url(url):
        raise Invalid(
            InvalidCode.ARGUMENTS, "--return-to: must be https; http is for this machine alone"
        )
    return url


def _report(options: argparse.Namespace) -> int:
    with _opened(options) as folder:
        report = folder.get_report(options.session, wall_clock_ms(), options.response_code)
    if report is None:
        print_found({"state": "waiting"}, is_json=options.json)
        return 0
    state = "accepted" if report.is_accepted else "not accepted"
    if options.json:
        print_json({"state": state, "findings": _list_findings(report), "claims": report.claims})
    else:
        _show(report, state)
    return 0 if report.is_accepted else EXIT_FOUND


def _show(report: Report, state: str) -> None:
    """Show a report to whoever stands at the counter."""
    say(state)
    rows = [
        (each.check.value, each.text if each.fault is None else f"NO: {each.text}")
        for each in report.findings
    ]
    print_table(rows)
    for name, shown in report.claims.items():
        for claims in shown:
            say(f"{name}:")
            print_table({key: value for key, value in claims.items() if key not in _TECHNICAL})


_TECHNICAL = frozenset({"iss", "iat", "nbf", "exp", "vct", "cnf", "status"})
"""Claims about the credential, which the findings speak of."""


def _list_findings(report: Report) -> list[dict[str, object]]:
    return [
        {
            "subject": each.subject,
            "check": each.check.value,
            "fault": None if each.fault is None else each.fault.value,
            "text": each.text,
        }
        for each in report.findings
    ]


@contextmanager
def _opened(options: argparse.Namespace) -> Iterator[VerifierFolder]:
    from hansa.node.identity.verifier.folder import open_verifier  # noqa: PLC0415 - loads a server

    folder = open_verifier(options.data, ask_passphrase(), secrets.token_bytes)
    try:
        yield folder
    finally:
        folder.records.close()
