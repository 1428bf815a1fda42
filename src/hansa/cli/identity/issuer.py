"""Commands of an issuer: new, up, desk, offer, kinds, issued, complete, decline, statuses."""

from __future__ import annotations

import argparse
import secrets
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hansa.cli.identity.codes import print_code, write_svg
from hansa.cli.identity.issuer_ledger import (
    bring_to_ledger,
    load_ledger_key,
    warn_of_standing,
)
from hansa.cli.identity.reading import DESK_PORT, tell_address, tell_link, tell_place, warn
from hansa.cli.passphrase import ask_new_passphrase, ask_passphrase, taking_passphrase
from hansa.cli.screen import flush, print_found, print_json, say
from hansa.cli.source import parse_count, parse_file, parse_folder, parse_port
from hansa.contracts.identity import status
from hansa.contracts.identity.status import Status
from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.keys.multikey import write_multikey
from hansa.kernel.calendar import format_iso
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.node.service import wall_clock_ms
from hansa.program import name_program
from hansa.sdk.files import read_file

if TYPE_CHECKING:
    from hansa.node.identity.issuer.service import IssuerService, Listed

FOLDER = "hansa-data/issuer"
CLAIMS_BYTES_MAX = 1 << 18
LISTED = 50
CHANGES: dict[str, tuple[type[status.Change], str]] = {
    "revoke": (status.Revoke, "revoke a credential for good"),
    "suspend": (status.Suspend, "suspend a credential for now"),
    "reinstate": (status.Reinstate, "end the suspension of a credential"),
}
WORDS = {
    Status.VALID: "reinstatement",
    Status.INVALID: "revocation",
    Status.SUSPENDED: "suspension",
}
STATES = {Status.VALID: "issued", Status.INVALID: "revoked", Status.SUSPENDED: "suspended"}


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands of issuers."""
    issuer = words.add_parser("issuer", help="issue credentials to wallets (OpenID4VCI 1.0)")
    verbs = issuer.add_subparsers(dest="verb", required=True, metavar="VERB")
    new = verbs.add_parser("new", help="make an issuer's folder: settings, keys, records")
    new.add_argument("--url", required=True, help="who it is to wallets: https://issuer.example")
    new.add_argument("--name", required=True, help="as wallets show it")
    up = verbs.add_parser("up", help="answer wallets until Ctrl-C")
    up.add_argument("--host", help="instead of that of issuer.toml")
    up.add_argument("--port", type=parse_port, help="instead of that of issuer.toml")
    up.add_argument("--desk", action="store_true", help="serve the officer's desk, too")
    desk = verbs.add_parser("desk", help="do all this in a browser on this machine")
    desk.add_argument("--port", type=parse_port, help=DESK_PORT)
    offer = _add_offer(verbs)
    kinds = verbs.add_parser("kinds", help="list what it can issue, and who signs it")
    issued = verbs.add_parser("issued", help="list what was issued, oldest first")
    issued.add_argument("--after", type=parse_count, default=0, help="number behind which to begin")
    complete = verbs.add_parser("complete", help="say what a credential says that a wallet awaits")
    complete.add_argument("--claims", type=parse_file, required=True, metavar="FILE", help="JSON")
    decline = verbs.add_parser("decline", help="say that there will be no such credential")
    decline.add_argument("--why", default="", help="told to the wallet")
    for each in (complete, decline):
        each.add_argument("dataset", help="as `offer` named it")
    changes = [verbs.add_parser(name, help=text) for name, (_, text) in CHANGES.items()]
    for each in changes:
        each.add_argument("number", type=parse_count, help="as `issued` lists it")
    functions = (
        (new, _new),
        (up, _up),
        (desk, _desk),
        (offer, _offer),
        (kinds, _kinds),
        (issued, _issued),
        (complete, _complete),
        (decline, _decline),
        *((each, _change) for each in changes),
    )
    for command, function in functions:
        command.add_argument(
            "--data", type=parse_folder, default=Path(FOLDER), help=f"folder (default {FOLDER})"
        )
        command.add_argument("--json", action="store_true", help="print one JSON object")
        command.set_defaults(function=function)


def _add_offer(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    offer = verbs.add_parser("offer", help="offer credentials to one person, as a QR code")
    offer.add_argument(
        "--credential",
        action="append",
        required=True,
        metavar="ID",
        help="a credential of issuer.toml; once for each",
    )
    offer.add_argument(
        "--claims",
        action="append",
        type=_parse_claims,
        default=[],
        metavar="FILE",
        help="JSON of what it says, in the order of --credential; - leaves it for `complete`",
    )
    offer.add_argument("--no-code", action="store_true", help="ask for no transaction code")
    offer.add_argument("--svg", type=parse_file, metavar="FILE", help="write the QR code there")
    return offer


def _new(options: argparse.Namespace) -> int:
    from hansa.node.identity.issuer.folder import create_folder  # noqa: PLC0415 - loads a server

    passphrase = ask_new_passphrase()
    made = create_folder(
        options.data,
        url=options.url,
        name=options.name,
        passphrase=passphrase,
        draw=secrets.token_bytes,
    )
    folder, hansa = shlex.quote(str(options.data)), name_program()
    if options.json:
        url = made.settings.url
        print_json({"data": str(options.data), "url": url, "did": made.did, "key": made.key})
        return 0
    say("Verifiers know it, unless issuer.toml says otherwise, as")
    say(f"  {made.did}")
    say(f"Its key, for a DID on the ledger: {made.key}")
    tell_place(made.settings.url, made.settings.place)
    say(f"{made.settings.name} in {folder}: correct {folder}/issuer.toml, then")
    say(f"  {hansa} id issuer up --data {folder}")
    return 0


def _up(options: argparse.Namespace) -> int:
    from hansa.node.identity.folders import serving_alone  # noqa: PLC0415 - loads a server
    from hansa.node.identity.issuer.folder import open_issuer  # noqa: PLC0415
    from hansa.node.identity.issuer.running import LedgerSide, run_issuer  # noqa: PLC0415

    with serving_alone(options.data), taking_passphrase() as take_passphrase:
        passphrase = take_passphrase()
        service = open_issuer(options.data, passphrase, secrets.token_bytes)
        key = load_ledger_key(options.data, service, passphrase)
        run_issuer(
            service,
            tell_address(is_json=options.json),
            host=options.host,
            port=options.port,
            ledger=None if key is None else LedgerSide(options.data, key, warn),
            warn=warn,
            tell_desk=tell_link(is_json=options.json) if options.desk else None,
        )
    return 0


def _desk(options: argparse.Namespace) -> int:
    from hansa.node.identity.issuer.folder import open_issuer  # noqa: PLC0415 - loads a server
    from hansa.node.identity.issuer.running import run_issuer_desk  # noqa: PLC0415

    with taking_passphrase() as take_passphrase:
        service = open_issuer(options.data, take_passphrase(), secrets.token_bytes)
        run_issuer_desk(service, tell_link(is_json=options.json), options.port)
    return 0


def _offer(options: argparse.Namespace) -> int:
    claims = [None if path is None else _read_claims(path) for path in options.claims]
    if len(claims) > len(options.credential):
        raise Invalid(
            InvalidCode.ARGUMENTS, "--claims stands more often than --credential: one for each"
        )
    claims += [None] * (len(options.credential) - len(claims))
    wanted = list(zip(options.credential, claims, strict=True))
    with _opened(options) as (service, _):
        warn_of_standing(options.data, service)
        made = service.offer(wanted, wall_clock_ms(), needs_tx_code=not options.no_code)
    if options.svg is not None:
        write_svg(made.uri, options.svg)
    told = {
        "offer": made.uri,
        "code": made.tx_code,
        "until": format_iso(made.expires_ms, 0),
        "datasets": list(made.datasets),
    }
    if options.json:
        print_json(told)
        return 0
    flush()
    print_code(made.uri, sys.stdout)
    print_found(told, is_json=False)
    if made.tx_code:
        say("Give the code to the person by another way than the offer.")
    return 0


def _kinds(options: argparse.Namespace) -> int:
    with _opened(options) as (service, _):
        signed = [(each, service.writer.find_signer(each)) for each in service.settings.credentials]
    found = [
        {
            "id": kind.id,
            "format": kind.format.value,
            "type": kind.type,
            "issuer": who.issuer or "a certificate",
            "key": write_multikey(who.key),
        }
        for kind, who in signed
    ]
    if options.json:
        print_json({"credentials": found})
        return 0
    for each in found:
        print_found(each, is_json=False)
    return 0


def _issued(options: argparse.Namespace) -> int:
    with _opened(options) as (service, _):
        found = service.list_issued(options.after, LISTED)
    if options.json:
        print_json({"issued": [_describe(each) for each in found]})
        return 0
    for each in found:
        issued, when = each.issued, format_iso(each.issued.issued_s * 1_000, 0)
        state, ledger = STATES[issued.status], _describe_ledger(each)
        line = f"{each.number}  {when}  {state:9}  {issued.credential}  {issued.dataset}"
        say("  ".join([line, *(f"{name}: {text}" for name, text in ledger.items() if text)]))
    if not found:
        say("Nothing was issued.")
    return 0


def _complete(options: argparse.Namespace) -> int:
    claims = _read_claims(options.claims)
    with _opened(options) as (service, _):
        service.complete(options.dataset, claims, wall_clock_ms())
    print_found({"dataset": options.dataset, "state": "complete"}, is_json=options.json)
    return 0


def _decline(options: argparse.Namespace) -> int:
    with _opened(options) as (service, _):
        service.decline(options.dataset, options.why, wall_clock_ms())
    print_found({"dataset": options.dataset, "state": "declined"}, is_json=options.json)
    return 0


def _change(options: argparse.Namespace) -> int:
    with _opened(options) as (service, passphrase):
        change, _ = CHANGES[options.verb]
        decided = service.decide(options.number, change, wall_clock_ms())
        copies = [each.number for each in decided]
        if any(each.is_on_its_way for each in decided):
            decided = bring_to_ledger(options.data, service, copies, passphrase)
    # The one that the ledger keeps waiting speaks for all.
    named = next((each for each in decided if each.is_on_its_way), decided[0])
    told = _describe(decided[0]) | _describe_ledger(named)
    print_found(told | {"copies": sorted(copies)}, is_json=options.json)
    return 0


@contextmanager
def _opened(options: argparse.Namespace) -> Iterator[tuple[IssuerService, str]]:
    """Open the issuer's folder; gives the passphrase, too."""
    from hansa.node.identity.issuer.folder import open_issuer  # noqa: PLC0415 - loads a server

    passphrase = ask_passphrase()
    service = open_issuer(options.data, passphrase, secrets.token_bytes)
    try:
        yield service, passphrase
    finally:
        service.close()


def _parse_claims(text: str) -> Path | None:
    return None if text == "-" else parse_file(text)


def _read_claims(path: Path) -> dict[str, Any]:
    return decode_object(read_file(path, CLAIMS_BYTES_MAX), str(path), CLAIMS_BYTES_MAX)


def _describe(listed: Listed) -> dict[str, object]:
    issued, place = listed.issued, listed.status
    return {
        "number": listed.number,
        "credential": issued.credential,
        "dataset": issued.dataset,
        "holder_key": issued.holder_key,
        "status_list": "" if place is None else place.uri,
        "index": None if place is None else place.index,
        "issued": format_iso(issued.issued_s * 1_000, 0),
        "expires": format_iso(issued.expires_s * 1_000, 0),
        "state": STATES[issued.status],
        "revoked": format_iso(issued.revoked_s * 1_000, 0) if issued.revoked_s else "",
        "suspended": format_iso(issued.suspended_s * 1_000, 0) if issued.suspended_s else "",
        **_describe_ledger(listed),
    }


def _describe_ledger(listed: Listed) -> dict[str, str]:
    """Describe how far it has come on its way to the ledger; empty where it has not to go there."""
    change = WORDS[listed.issued.status]
    progress, anchor = listed.progress, listed.anchor
    return {
        "ledger": "" if progress is None else progress.describe(change),
        "anchor": "" if anchor is None else anchor.describe("anchor"),
    }
