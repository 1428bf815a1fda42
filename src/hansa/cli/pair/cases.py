"""Words about what becomes of a break: case list, show, open, propose and each answer to that."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import msgspec

from hansa.cli.pair.breaks import Sides, describe_break, name_sides
from hansa.cli.pair.parties import (
    Names,
    add_agreement,
    add_officers,
    get_own,
    list_names,
    name,
    parse_agreement,
)
from hansa.cli.screen import ask, print_json, print_table, say
from hansa.cli.source import add_node, open_client, parse_hash
from hansa.cli.tx import load_keys, send
from hansa.contracts.reconciliation import cases
from hansa.contracts.reconciliation.cases import Kind
from hansa.kernel.calendar import format_iso
from hansa.kernel.contract import Command
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.reconcile.currencies import write_amount
from hansa.reconcile.stream.proposals import WORDS_MAX
from hansa.sdk.reconciliation.pair_answers import CaseDetails, SharedProposal

PAGE = 100
KINDS = tuple(each.name.lower() for each in Kind)
NEXT = {
    "open": "either bank proposes",
    "proposed": "a second officer of the bank that proposes it confirms",
    "offered": "the other bank accepts or declines",
    "accepted": "a second officer of the bank that accepts confirms",
    "disputed": "either bank proposes something else",
    "resolved": "nothing",
    "healed": "nothing",
}
"""What may come next, by state."""
SIGNED = {
    "accept": (cases.Accept, "accept what the other bank proposes"),
    "confirm": (cases.Confirm, "confirm, as a second officer, what one's own bank does"),
}
"""Steps by which officers sign what is proposed."""
PLAIN = {
    "decline": (cases.Decline, "turn down what the other bank proposes"),
    "withdraw": (cases.Withdraw, "take back what one's own bank proposes"),
}


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `pair`."""
    word = words.add_parser("case", help="what becomes of a break, with four eyes of each bank")
    steps = word.add_subparsers(dest="step", required=True, metavar="STEP")
    listing = steps.add_parser("list", help="cases of an agreement, the newest first")
    add_agreement(listing)
    listing.add_argument("--state", metavar="NAME", help="in this state alone, as offered")
    add_node(listing)
    listing.set_defaults(function=_list)
    show = steps.add_parser("show", help="a break with both sides, and what is proposed")
    _add_case(show)
    add_node(show)
    show.set_defaults(function=_show)
    opening = steps.add_parser("open", help="open a case for a break, with nothing proposed yet")
    _add_case(opening)
    add_officers(opening)
    opening.set_defaults(function=_open)
    _add_propose(steps)
    for step, (_, text) in (SIGNED | PLAIN).items():
        command = steps.add_parser(step, help=text)
        _add_case(command)
        if step in SIGNED:
            command.add_argument(
                "--terms",
                metavar="HASH",
                help="sign without asking, if just this is proposed, as show prints it",
            )
        add_officers(command)
        command.set_defaults(function=_sign if step in SIGNED else _step)


def _add_propose(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    propose = steps.add_parser("propose", help="propose how a break is resolved; opens its case")
    _add_case(propose)
    propose.add_argument("--kind", choices=KINDS, required=True, help="what is to become of it")
    propose.add_argument(
        "--words",
        required=True,
        metavar="TEXT",
        help=f"what is done, by whom and until when; at most {WORDS_MAX:,} characters",
    )
    propose.add_argument(
        "--amount",
        type=int,
        default=0,
        metavar="MINOR",
        help="minor units that it is about, by the left bank's books (default 0: no amount)",
    )
    add_officers(propose)
    propose.set_defaults(function=_propose)


def _add_case(command: argparse.ArgumentParser) -> None:
    add_agreement(command)
    command.add_argument("case", help="id of the case, which is that of its break")


def _parse_case(options: argparse.Namespace) -> bytes:
    return parse_hash(options.case, "id of a case")


def _list(options: argparse.Namespace) -> int:
    agreement = parse_agreement(options)
    listed = []
    after: int | None = 0
    with open_client(options) as client:
        while after is not None:
            page = client.pairs.list_cases(agreement, state=options.state, after=after, limit=PAGE)
            listed += page.cases
            after = page.next
    if options.json:
        print_json({"cases": msgspec.to_builtins(listed)})
    elif listed:
        print_table(
            [
                (
                    each.id,
                    f"{each.state} since {format_iso(each.since_ms, 0)}, window {each.window}",
                )
                for each in listed
            ]
        )
    else:
        say("There are no such cases.")
    return 0


def _show(options: argparse.Namespace) -> int:
    agreement, case_id = parse_agreement(options), _parse_case(options)
    with open_client(options) as client:
        found = client.pairs.get_case(agreement, case_id)
        if not options.json:
            print_table(_describe(found, name_sides(client, agreement), list_names(client)))
    if options.json:
        print_json(msgspec.to_builtins(found))
        return 0
    is_resolved = found.case is not None and found.case.state == "resolved"
    current = "Agreed:" if is_resolved else "Proposed now:"
    for each in sorted(found.proposals, key=lambda each: not each.is_current):
        say(current if each.is_current else "Proposed at some time:")
        print_table(_describe_proposal(each, found))
    return 0


def _open(options: argparse.Namespace) -> int:
    agreement, case_id = parse_agreement(options), _parse_case(options)
    keys = load_keys(options.keys)
    with open_client(options) as client:
        own = get_own(client.pairs.get(agreement))
        found = client.pairs.get_case(agreement, case_id)
        return send(client, options, keys, [_build_opening(found, agreement, own)])


def _propose(options: argparse.Namespace) -> int:
    """Share the words first, so that they are there when the other bank's officers look."""
    agreement, case_id = parse_agreement(options), _parse_case(options)
    keys = load_keys(options.keys)
    with open_client(options) as client:
        own = get_own(client.pairs.get(agreement))
        found = client.pairs.get_case(agreement, case_id)
        commands: list[Command] = []
        if found.case is None:
            commands.append(_build_opening(found, agreement, own))
        elif found.case.terms is not None:
            raise Invalid(
                InvalidCode.ARGUMENTS,
                f"something is {found.case.state} already: it has to be declined or withdrawn "
                "before something else is proposed",
            )
        shared = client.pairs.share_proposal(
            agreement, case_id, options.kind, options.words, options.amount
        )
        kind, terms = Kind[options.kind.upper()], bytes.fromhex(shared.terms)
        commands.append(cases.Propose(agreement, own, case_id, kind, terms))
        return send(client, options, keys, commands, terms=shared.terms)


def _sign(options: argparse.Namespace) -> int:
    """Sign what is proposed, once it was shown and somebody agrees."""
    agreement, case_id = parse_agreement(options), _parse_case(options)
    kind, _ = SIGNED[options.step]
    keys = load_keys(options.keys)
    with open_client(options) as client:
        own = get_own(client.pairs.get(agreement))
        found = client.pairs.get_case(agreement, case_id)
        terms = _require_terms(found, options)
        if options.terms is None:
            _ask(found, name_sides(client, agreement), list_names(client))
        return send(client, options, keys, [kind(agreement, own, case_id, terms)])


def _step(options: argparse.Namespace) -> int:
    agreement, case_id = parse_agreement(options), _parse_case(options)
    kind, _ = PLAIN[options.step]
    keys = load_keys(options.keys)
    with open_client(options) as client:
        own = get_own(client.pairs.get(agreement))
        return send(client, options, keys, [kind(agreement, own, case_id)])


def _build_opening(found: CaseDetails, agreement: bytes, own: bytes) -> cases.Open:
    if found.found is None:
        raise NotFound(f"this node keeps no break {found.id}")
    return cases.Open(agreement, own, found.found.window, bytes.fromhex(found.id))


def _require_terms(found: CaseDetails, options: argparse.Namespace) -> bytes:
    """Get the commitment to what is proposed, of which the words are here.

    Raises:
      Invalid: nothing is proposed, or something else than is named; or nobody can be asked.
    """
    current = _find_current(found)
    if found.case is None or found.case.terms is None:
        raise Invalid(InvalidCode.ARGUMENTS, "nothing is proposed for this case")
    if current is None:
        raise Invalid(
            InvalidCode.SIGNERS,
            "nothing was signed: the words of what is proposed have not come to this node; have "
            "the other bank propose it again",
        )
    if options.terms not in (None, current.terms):
        raise Invalid(
            InvalidCode.SIGNERS,
            f"nothing was signed: what is proposed now is {current.terms}",
        )
    if options.terms is None and (options.json or not sys.stdin.isatty()):
        raise Invalid(
            InvalidCode.SIGNERS,
            "nothing was signed: read what is proposed (case show), and name it with --terms, or "
            "agree at a terminal",
        )
    return bytes.fromhex(current.terms)


def _ask(found: CaseDetails, sides: Sides, names: Names) -> None:
    """Show what is proposed, and have somebody agree to it; raises `Invalid` otherwise."""
    print_table(_describe(found, sides, names))
    current = _find_current(found)
    if current is not None:
        print_table(_describe_proposal(current, found))
    if not ask("Sign this? Type yes: "):
        raise Invalid(InvalidCode.SIGNERS, "nothing was signed")


def _find_current(found: CaseDetails) -> SharedProposal | None:
    return next((each for each in found.proposals if each.is_current), None)


def _describe(found: CaseDetails, sides: Sides, names: Names) -> dict[str, Any]:
    """Describe a case and its break, for people."""
    told: dict[str, Any] = {"case": found.id, "state": "not opened"}
    case = found.case
    if case is not None:
        told["state"] = f"{case.state} since {format_iso(case.since_ms, 0)}"
        told["opened by"] = name(names, case.opener)
        if case.proposer is not None:
            told["proposed by"] = name(names, case.proposer)
        told["next"] = NEXT[case.state]
        if case.officers:
            told["signed so far"] = case.officers
    if found.found is not None:
        what, *entries = describe_break(found.found, sides)
        told |= {"window": found.found.window, "break": what, "entries": entries}
    return told


def _describe_proposal(item: SharedProposal, found: CaseDetails) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": item.kind, "words": item.words}
    if int(item.amount_minor):
        entries = [*found.found.left, *found.found.right] if found.found else []
        currency = entries[0].currency if entries else ""
        told["amount"] = write_amount(int(item.amount_minor), currency)
    return {**told, "terms": item.terms}
