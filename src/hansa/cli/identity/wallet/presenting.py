"""Showing credentials: id wallet present, decline."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from hansa.cli.identity.wallet.opening import (
    add_folder,
    add_reach,
    build_carrier,
    opened,
)
from hansa.cli.screen import ask, print_found, print_json, print_table, say
from hansa.cli.source import add_node, open_client, parse_file
from hansa.identity.dcql.matching import list_asked
from hansa.identity.sd_jwt.paths import show_place
from hansa.identity.wallet.telling import list_claims, name_holding, tell_verifier
from hansa.kernel.errors import Invalid, InvalidCode, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from hansa.identity.methods.documents import DidDocument
    from hansa.identity.status.reference import StatusReference
    from hansa.identity.verifier.registry import CredentialStatus
    from hansa.node.identity.holder.carrying import Carrier
    from hansa.node.identity.holder.checking import Checker
    from hansa.node.identity.holder.presenting import Asked, Presenter, View
    from hansa.node.identity.holder.vault import Contents, Vault

EXIT_MISSING = 1
"""The wallet does not hold what is asked for."""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's verbs to `id wallet`."""
    present = verbs.add_parser("present", help="show what a verifier asks for (OpenID4VP 1.0)")
    present.add_argument(
        "--with", action="append", dest="ids", metavar="ID", help="only this credential; repeat"
    )
    present.add_argument("--yes", action="store_true", help="show it without asking")
    decline = verbs.add_parser("decline", help="tell a verifier that you show nothing")
    decline.add_argument("--why", default="the holder does not agree", help="told to the verifier")
    for command, function in ((present, _present), (decline, _decline)):
        command.add_argument("request", help="what the QR code holds")
        add_trust(command)
        add_reach(command)
        add_folder(command)
        add_node(command)
        command.set_defaults(function=function)


def add_trust(command: argparse.ArgumentParser) -> None:
    """Add the option that says whose certificates are believed."""
    command.add_argument(
        "--trust",
        action="append",
        type=parse_file,
        default=[],
        metavar="FILE",
        help="PEM: whose certificates of verifiers are believed; repeat",
    )


def _present(options: argparse.Namespace) -> int:
    with opened(options) as vault:
        presenter = build_presenter(vault, build_carrier(options), options)
        asked = presenter.ask(options.request, _list_copies(vault.contents, options.ids))
        if not options.json:
            _show(asked)
        if asked.proposal.missing:
            if options.json:
                print_json({"state": "missing", **_describe(asked)})
            return EXIT_MISSING
        if not options.yes:
            if options.json:
                print_json({"state": "not shown", **_describe(asked)})
                return 0
            _ask_consent()
        answered = presenter.present(asked)
    if options.json:
        told = {"state": "taken", "redirect_uri": answered.redirect_uri}
        print_json({**told, **_describe(asked)})
        return 0
    say("The verifier has taken it.")
    if answered.redirect_uri:
        say(f"Go on at {answered.redirect_uri}")
    return 0


def _decline(options: argparse.Namespace) -> int:
    with opened(options) as vault:
        presenter = build_presenter(vault, build_carrier(options), options)
        asked = presenter.ask(options.request)
        presenter.decline(asked, options.why)
    told = {"verifier": asked.request.client_id, "state": "declined"}
    print_found(told, is_json=options.json)
    return 0


def build_presenter(vault: Vault, carrier: Carrier, options: argparse.Namespace) -> Presenter:
    """Build what presents from a wallet to verifiers that the options let it know."""
    from hansa.node.identity.folders import read_roots  # noqa: PLC0415 - loads a client
    from hansa.node.identity.holder.presenting import Presenter  # noqa: PLC0415

    roots = [root for path in options.trust for root in read_roots(path)]
    return Presenter(vault, carrier, build_resolve(carrier, options), roots)


def build_checker(carrier: Carrier, options: argparse.Namespace) -> Checker:
    """Build what asks for the status of credentials, at their issuers or on the ledger."""
    from hansa.node.identity.holder.checking import (  # noqa: PLC0415 - loads a client
        Checker,
        read_ledger_status,
    )

    def read_ledger(issuer: str, reference: StatusReference) -> CredentialStatus:
        with open_client(options) as client:
            return read_ledger_status(client, issuer, reference)

    return Checker(carrier, build_resolve(carrier, options), read_ledger)


def build_resolve(carrier: Carrier, options: argparse.Namespace) -> Callable[[str], DidDocument]:
    """Build what resolves DIDs, those of a ledger through the node that the options name."""
    from hansa.node.identity.holder.knowing import resolve_verifier  # noqa: PLC0415

    return lambda did: resolve_verifier(did, carrier, lambda: open_client(options))


def _list_copies(contents: Contents, batches: list[str] | None) -> frozenset[str] | None:
    """List the copies of the credentials that are meant; None for any."""
    if batches is None:
        return None
    unknown = set(batches) - {each.batch for each in contents.kept}
    if unknown:
        raise NotFound(f"this wallet holds no credential {min(unknown)!r}: see `list`")
    return frozenset(each.holding.id for each in contents.kept if each.batch in batches)


def _show(asked: Asked) -> None:
    """Show in words who asks, what they would see, and what stays hidden."""
    say(tell_verifier(asked.request.client_id))
    for each in asked.proposal.missing:
        say(f"This wallet cannot answer: {each}.")
    if asked.proposal.missing:
        print_table([("asked for", each) for each in list_asked(asked.request.query)])
    for view in asked.views:
        name = name_holding(view.holding) or view.type
        say(f"{name} ({view.type}), from {view.holding.issuer}:")
        print_table([(f"shown   {key}", value) for key, value in list_claims(view.shown).items()])
        hidden = ", ".join(list_claims(view.hidden)) or "nothing"
        print_table([("hidden", hidden)])
        if view.unasked:
            print_table([("unasked", ", ".join(map(show_place, view.unasked)))])
    for transaction in asked.transactions:
        say("With it you authorise:")
        print_table(transaction)


def _describe(asked: Asked) -> dict[str, Any]:
    return {
        "verifier": asked.request.client_id,
        "missing": list(asked.proposal.missing),
        "credentials": [_describe_view(each) for each in asked.views],
        "transactions": list(asked.transactions),
    }


def _describe_view(view: View) -> dict[str, Any]:
    return {
        "query": view.query_id,
        "id": view.holding.id.partition(".")[0],
        "type": view.type,
        "shown": list_claims(view.shown),
        "hidden": list_claims(view.hidden),
    }


def _ask_consent() -> None:
    if not sys.stdin.isatty():
        raise Invalid(InvalidCode.ARGUMENTS, "nobody can be asked here: say --yes if you agree")
    if not ask("Show this? Type yes: "):
        raise Invalid(
            InvalidCode.ARGUMENTS, "nothing was shown; to tell the verifier so, say `decline`"
        )
