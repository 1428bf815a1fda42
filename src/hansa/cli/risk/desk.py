"""Words at the risk desk of one's own node: standing, waiting, held, answer, decision and so on."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from hansa.cli.risk.amounts import Decimals, fetch_decimals, tell_amount
from hansa.cli.screen import print_found, print_json, print_table, say
from hansa.cli.source import add_node, open_client, parse_count, parse_hash
from hansa.kernel.calendar import format_iso
from hansa.sdk.risk.desk_answers import AnswerName, HeldPayment, HeldTransaction, RiskDecision

if TYPE_CHECKING:
    from hansa.sdk.client import Client
    from hansa.sdk.risk.desk_answers import HeldPage, RiskStanding

Function = Callable[[argparse.Namespace], int]

PAGE = 100
LAST = 20
MILLION = 1_000_000


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `risk`."""
    _add(words, "standing", _show_standing, "by what one's own node decides, and what is in force")
    _add(words, "waiting", _list_waiting, "what waits and may be answered now, the oldest first")
    held = _add(words, "held", _list_held, "what was not allowed at once, and what became of it")
    held.add_argument(
        "--last",
        type=_parse_some,
        default=LAST,
        metavar="N",
        help=f"how many, the newest first (default {LAST})",
    )
    answer = _add(words, "answer", _answer, "answer for a transaction that waits")
    add_tx_id(answer)
    answer.add_argument(
        "answer",
        choices=get_args(AnswerName),
        help="confirmed by its customer, released or refused by an officer",
    )
    answer.add_argument("--by", metavar="NAME", help="who; kept behind name and id of the API key")
    decision = _add(words, "decision", _show_decision, "what was decided on a transaction, and why")
    add_tx_id(decision)
    label = _add(words, "label", _label, "tell what a transaction turned out to be")
    add_tx_id(label)
    label.add_argument("label", choices=("fraud", "sound"), help="what it was")
    _add(words, "reload", _reload, "decide by policy, rules and lists as the files are now")


def add_tx_id(command: argparse.ArgumentParser) -> None:
    """Add the id of a transaction as an argument."""
    command.add_argument("tx_id", metavar="TX", help="id of the transaction")


def parse_tx_id(options: argparse.Namespace) -> bytes:
    """Parse the id of a transaction; raises `Invalid`."""
    return parse_hash(options.tx_id, "id of a transaction")


def _add(
    words: argparse._SubParsersAction[argparse.ArgumentParser],
    word: str,
    function: Function,
    text: str,
) -> argparse.ArgumentParser:
    command = words.add_parser(word, help=text, description=text)
    add_node(command)
    command.set_defaults(function=function)
    return command


def _show_standing(options: argparse.Namespace) -> int:
    with open_client(options) as client:
        found = client.risk.get_standing()
    return _print_standing(found, options)


def _reload(options: argparse.Namespace) -> int:
    with open_client(options) as client:
        found = client.risk.reload()
    return _print_standing(found, options)


def _print_standing(found: RiskStanding, options: argparse.Namespace) -> int:
    told: dict[str, Any] = msgspec.to_builtins(found)
    if options.json:
        print_json(told)
        return 0
    del told["obstacle"]
    if found.screening is not None:
        told["screening"]["lists_of"] = format_iso(told["screening"].pop("lists_ms"), 0)
    if found.obstacle is not None:
        node = options.node if found.obstacle.is_sent else None
        told["why"] = found.obstacle.words
        told["next"] = found.obstacle.command + (f" --node {shlex.quote(node)}" if node else "")
    print_table(told)
    return 0


def _list_waiting(options: argparse.Namespace) -> int:
    found: list[HeldTransaction] = []
    after: int | None = 0
    with open_client(options) as client:
        while after is not None:
            page = client.risk.list_waiting(after, PAGE)
            found += page.transactions
            after = page.next
        return _print_held(client, found, "Nothing waits.", is_json=options.json)


def _parse_some(text: str) -> int:
    """Parse how many, for argparse: at least one."""
    count = parse_count(text)
    if count == 0:
        raise argparse.ArgumentTypeError("none of them is nothing to show: name 1 or more")
    return count


def _list_held(options: argparse.Namespace) -> int:
    found: list[HeldTransaction] = []
    with open_client(options) as client:
        page = _get_page(client, None, options.last)
        while page is not None:
            found += page.transactions
            rest = options.last - len(found)
            page = _get_page(client, page.next, rest) if page.next is not None else None
        return _print_held(client, found, "Nothing was held.", is_json=options.json)


def _get_page(client: Client, before: int | None, rest: int) -> HeldPage | None:
    if rest <= 0:
        return None
    limit = min(rest, PAGE)
    if before is None:
        return client.risk.list_held(limit=limit)
    return client.risk.list_held(before, limit)


def _print_held(
    client: Client, found: list[HeldTransaction], nothing: str, *, is_json: bool
) -> int:
    if is_json:
        print_json({"transactions": msgspec.to_builtins(found)})
    elif found:
        decimals = fetch_decimals(client)
        print_table([(each.tx_id, _describe_held(each, decimals)) for each in found])
    else:
        say(nothing)
    return 0


def _describe_held(each: HeldTransaction, decimals: Decimals) -> list[str]:
    state: str = each.state
    if state == "waiting":
        state += f" until {format_iso(each.until_ms, 0)}"
    elif each.by is not None and each.answered_ms is not None:
        state += f" by {each.by}, {format_iso(each.answered_ms, 0)}"
    return [
        f"{each.verdict} since {format_iso(each.since_ms, 0)}; {state}",
        f"for {', '.join(each.reasons)}{_tell_ppm(each.ppm)}",
        *(_describe_payment(payment, decimals) for payment in each.payments),
    ]


def _describe_payment(payment: HeldPayment, decimals: Decimals) -> str:
    """Describe a payment in a line: amount, parties, and what lists say."""
    listed = payment.listed
    amount = tell_amount(int(payment.amount_minor), payment.asset, decimals)
    words = f"{amount} from {payment.payer} to {payment.payee}"
    return words if listed is None else f"{words}, listed: {listed.reason}"


def _tell_ppm(ppm: int | None) -> str:
    return "" if ppm is None else f"; probability of fraud {ppm / MILLION:.2%}"


def _answer(options: argparse.Namespace) -> int:
    tx_id = parse_tx_id(options)
    with open_client(options) as client:
        found = client.risk.answer(tx_id, options.answer, options.by)
    print_found(msgspec.to_builtins(found), is_json=options.json)
    return 0


def _label(options: argparse.Namespace) -> int:
    tx_id = parse_tx_id(options)
    with open_client(options) as client:
        found = client.risk.label(tx_id, is_fraud=options.label == "fraud")
    print_found(msgspec.to_builtins(found), is_json=options.json)
    return 0


def _show_decision(options: argparse.Namespace) -> int:
    tx_id = parse_tx_id(options)
    with open_client(options) as client:
        found = client.risk.get_decision(tx_id)
        if options.json:
            print_json(msgspec.to_builtins(found))
        else:
            print_table(_describe_decision(found, fetch_decimals(client)))
    return 0


def _describe_decision(found: RiskDecision, decimals: Decimals) -> dict[str, Any]:
    answer = found.answer
    told: dict[str, Any] = {
        "transaction": found.tx_id,
        "verdict": f"{found.verdict}{_tell_ppm(found.ppm)}",
        "reasons": found.reasons,
        "decided": format_iso(found.decided_ms, 0),
        "counts until": format_iso(found.expires_ms, 0),
        "model": found.model or "none was asked",
        "policy": found.policy,
    }
    if answer is not None:
        told["answer"] = f"{answer.answer} by {answer.by}, {format_iso(answer.time_ms, 0)}"
    if found.trials:
        told["rules on trial"] = found.trials
    if found.challenger is not None:
        told["challenger"] = f"{found.challenger}{_tell_ppm(found.challenger_ppm)}"
    for number, payment in enumerate(found.payments):
        features = dict(zip(found.features, payment.row, strict=False))
        told[f"payment {number}"] = [_describe_payment(payment, decimals)]
        told[f"features {number}"] = features or "it could not be described"
    return told
