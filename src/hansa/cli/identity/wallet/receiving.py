"""Receiving credentials: id wallet receive."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from hansa.cli.identity.wallet.opening import (
    add_folder,
    add_json,
    add_reach,
    build_carrier,
    describe_holding,
    opened,
)
from hansa.cli.screen import ask, complain, print_json, print_table, say
from hansa.cli.source import parse_count
from hansa.identity.issuer.offers import Offer
from hansa.identity.wallet.receiving import COPIES, Source
from hansa.kernel.errors import HansaError, Invalid, InvalidCode

if TYPE_CHECKING:
    from hansa.node.identity.holder.receiving import Arrival, Receiver
    from hansa.node.identity.holder.vault import Waiting

EXIT_MISSING = 1
"""Something of the offer did not come, or not yet."""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's verb to `id wallet`."""
    receive = verbs.add_parser("receive", help="take what an issuer offers (OpenID4VCI 1.0)")
    which = receive.add_mutually_exclusive_group(required=True)
    which.add_argument("offer", nargs="?", help="what the QR code holds")
    which.add_argument(
        "--waiting", action="store_true", help="ask again for what was not ready, or got lost"
    )
    receive.add_argument("--tx-code", metavar="CODE", help="that the issuer gave you beside it")
    receive.add_argument(
        "--client-id", metavar="ID", help="decide on the issuer's page, which knows you by this"
    )
    receive.add_argument(
        "--redirect-uri", default="", metavar="URI", help="to which that page sends the browser"
    )
    receive.add_argument(
        "--copies",
        type=parse_count,
        default=COPIES,
        metavar="N",
        help=f"of each, so that those it is shown to cannot tell it is one (default {COPIES})",
    )
    receive.add_argument("--yes", action="store_true", help="keep it without asking")
    add_reach(receive)
    add_folder(receive)
    add_json(receive)
    receive.set_defaults(function=_receive)


def _receive(options: argparse.Namespace) -> int:
    from hansa.node.identity.holder.receiving import Receiver  # noqa: PLC0415 - loads a client

    if not options.yes and (options.json or not sys.stdin.isatty()):
        raise Invalid(
            InvalidCode.ARGUMENTS, "nobody can be asked here whether to keep it: say --yes"
        )
    with opened(options) as vault:
        receiver = Receiver(vault, build_carrier(options))
        owed = list(vault.contents.waiting) if options.waiting else _redeem(receiver, options)
        results = [_fetch(receiver, each, options) for each in owed]
    if options.json:
        print_json({"received": results})
    elif not results:
        say("This wallet waits for nothing.")
    return 0 if all(each["state"] in {"kept", "refused"} for each in results) else EXIT_MISSING


def _redeem(receiver: Receiver, options: argparse.Namespace) -> list[Waiting]:
    from hansa.node.identity.holder.receiving import Client  # noqa: PLC0415 - loads a client

    offer, source = receiver.read_offer(options.offer)
    if options.client_id is None:
        return receiver.redeem(offer, source, _get_code(offer, options), options.copies)
    client = Client(options.client_id, options.redirect_uri)
    _tell_offer(offer, source)
    return receiver.authorize(offer, source, client, _open_page, options.copies)


def _tell_offer(offer: Offer, source: Source) -> None:
    complain(f"{source.issuer.credential_issuer} offers:")
    for each in offer.credential_configuration_ids:
        complain(f"  {each}")


def _get_code(offer: Offer, options: argparse.Namespace) -> str:
    if not offer.pre_authorized_code:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            "you decide about this offer on the issuer's page: say --client-id and --redirect-uri",
        )
    if offer.tx_code is None or options.tx_code is not None:
        return str(options.tx_code or "")
    if not sys.stdin.isatty():
        raise Invalid(InvalidCode.ARGUMENTS, "the offer comes with a code: say --tx-code")
    return _ask_line("The code that you were given beside the offer: ")


def _open_page(address: str) -> str:
    complain("Open this in a browser, and decide:")
    complain(f"  {address}")
    return _ask_line("The address to which it sent you then: ")


def _ask_line(question: str) -> str:
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def _fetch(receiver: Receiver, waiting: Waiting, options: argparse.Namespace) -> dict[str, Any]:
    told = {"id": waiting.id, "credential": waiting.configuration_id}
    try:
        arrival = receiver.fetch(waiting)
    except HansaError as error:
        complain(f"hansa: {waiting.configuration_id}: {error.message}")
        complain(f"  Ask again with --waiting, or end it with `delete {waiting.id}`.")
        return {**told, "state": "failed", "why": error.message}
    if not arrival.holdings:
        if not options.json:
            say(f"{waiting.configuration_id} is not ready: ask later, with --waiting")
        return {**told, "state": "waiting"}
    return {**told, **_decide(receiver, arrival, options)}


def _decide(receiver: Receiver, arrival: Arrival, options: argparse.Namespace) -> dict[str, Any]:
    described = describe_holding(arrival.holdings[0])
    told = {"copies": len(arrival.holdings), **described}
    if not options.json:
        claims = described.pop("claims")
        print_table(described)
        say("It says:")
        print_table(claims)
    if not options.yes and not ask("Keep it? Type yes: "):
        receiver.refuse(arrival)
        say("Not kept.")
        return {"state": "refused"}
    receiver.keep(arrival)
    if not options.json:
        say(f"Kept as {arrival.waiting.id}; copies: {len(arrival.holdings)}.")
    return {"state": "kept", **told}
