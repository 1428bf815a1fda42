"""The word by which an agreement begins: propose."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hansa.cli.pair.parties import add_officers, get_own, parse_agreement
from hansa.cli.screen import complain
from hansa.cli.source import find_member, open_client, parse_count, parse_file
from hansa.cli.tx import load_keys, send
from hansa.contracts.reconciliation.agreements import KEEP_DAYS_MAX, Propose
from hansa.kernel.crypto.address import from_text
from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.program import name_program
from hansa.sdk.client import Client
from hansa.sdk.files import read_file
from hansa.sdk.keys import KeyPair
from hansa.sdk.reconciliation.pair_answers import PairDetails

if TYPE_CHECKING:
    from hansa.reconcile.rules.book import RuleBook
    from hansa.reconcile.stream.terms import Terms

KEEP_DAYS = 90


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `pair`."""
    propose = words.add_parser("propose", help="propose an agreement to another bank")
    which = propose.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--rules",
        type=parse_file,
        help="rule file with [window], as for reconciling files; rates beside it go with it",
    )
    which.add_argument(
        "--shared",
        dest="agreement",
        metavar="AGREEMENT",
        help="one whose terms are shared already, as list says, and not on the ledger",
    )
    propose.add_argument(
        "--with",
        dest="other",
        metavar="BANK",
        help="the other one, by its name on the ledger or its address",
    )
    propose.add_argument(
        "--side",
        metavar="NAME",
        help="which side of the rules one's own books are (default: the first, which leads)",
    )
    propose.add_argument(
        "--settle",
        action="append",
        default=[],
        metavar="ASSET",
        help="sign net positions in this currency of the central bank, and settle them; repeat",
    )
    propose.add_argument(
        "--keep-days",
        type=parse_count,
        default=KEEP_DAYS,
        metavar="N",
        help=f"how long what is posted stays on the ledger (default {KEEP_DAYS})",
    )
    propose.add_argument(
        "--bank",
        help="one's own, by name or address (default: the member whose address a key has)",
    )
    add_officers(propose)
    propose.set_defaults(function=_propose)


def _propose(options: argparse.Namespace) -> int:
    if (options.rules is None) is not (options.other is None):
        raise Invalid(InvalidCode.ARGUMENTS, "--rules and --with go together")
    keys = load_keys(options.keys)
    with open_client(options) as client:
        if options.rules is None:
            pair = client.pairs.get(parse_agreement(options))
        else:
            pair = _share(client, options, keys)
        code = send(client, options, keys, [_build(pair)], agreement=pair.agreement)
    if code and options.rules is not None and not options.json:
        complain(
            f"The terms are shared with {options.other} all the same, and nothing is agreed. "
            "Keys that may propose them do it with: "
            f"{name_program()} pair propose --shared {pair.agreement} --key KEYFILE"
        )
    return code


def _share(client: Client, options: argparse.Namespace, keys: Sequence[KeyPair]) -> PairDetails:
    """Make terms, and have the node share them with the other bank; raises `Invalid`."""
    with needing_extra():
        from hansa.reconcile.stream.terms import write_terms  # noqa: PLC0415
    own, other = _find_own(client, options, keys), find_member(client, options.other)
    _check_assets(client, options.settle)
    terms = _build_terms(options, own, other)
    return client.pairs.share_terms(write_terms(terms, client.get_network().digest))


def _build(pair: PairDetails) -> Propose:
    """Build the command by which the member of the node proposes what it shares."""
    terms = pair.terms
    left, right = from_text(terms.left), from_text(terms.right)
    days = (terms.from_day, terms.window_days, terms.keep_days)
    return Propose(get_own(pair), left, right, bytes.fromhex(terms.terms), *days)


def _find_own(client: Client, options: argparse.Namespace, keys: Sequence[KeyPair]) -> bytes:
    """Find for which member officers propose; raises `Invalid` if it is not plain."""
    if options.bank is not None:
        return find_member(client, options.bank)
    members = {from_text(each.address) for each in client.list_members()}
    found = [key.address for key in keys if key.address in members]
    if len(found) != 1:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            "no key has the address of just one member: say for which one it is, with --bank",
        )
    return found[0]


def _build_terms(options: argparse.Namespace, own: bytes, other: bytes) -> Terms:
    """Build terms of a rule file; the secret of the pair is drawn here.

    Raises:
      NotFound: rules or rates are not there.
      Invalid: they are unsound, or have no such side.
    """
    from hansa.reconcile.rules.loading import RULES_BYTES_MAX, load_rules  # noqa: PLC0415
    from hansa.reconcile.stream.terms import RATES_MAX, Terms  # noqa: PLC0415

    if not 1 <= options.keep_days <= KEEP_DAYS_MAX:
        raise Invalid(
            InvalidCode.ARGUMENTS, f"--keep-days {options.keep_days}: choose 1 to {KEEP_DAYS_MAX}"
        )
    rules = _read(options.rules, RULES_BYTES_MAX)
    book = load_rules(rules, str(options.rules))
    rates = b""
    if book.rates is not None:
        rates = _read(options.rules.parent / book.rates.file, RATES_MAX)
    left, right = (own, other) if _leads(options, book) else (other, own)
    assets = tuple(options.settle)
    return Terms(1, left, right, options.keep_days, rules, rates, assets, secrets.token_bytes(32))


def _check_assets(client: Client, assets: Sequence[str]) -> None:
    """Refuse to settle in what is no money of the central bank; raises `Invalid`."""
    known = [each.asset for each in client.list_assets() if each.regime == "m0"]
    for each in assets:
        if each not in known:
            raise Invalid(
                InvalidCode.ARGUMENTS,
                f"--settle {each}: the central bank issues no such money; there is "
                + ", ".join(known),
            )


def _leads(options: argparse.Namespace, book: RuleBook) -> bool:
    """Whether one's own side is the first of the rules; raises `Invalid` if it is none."""
    names = [each.name for each in book.sides]
    if options.side not in (None, *names):
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"--side {options.side}: {options.rules} has no such side, but {', '.join(names)}",
        )
    return options.side in (None, names[0])


def _read(path: Path, bytes_max: int) -> bytes:
    content = read_file(path, bytes_max)
    if len(content) > bytes_max:
        raise Invalid(InvalidCode.TOO_LARGE, f"{path} has more than {bytes_max:,} bytes")
    return content


@contextmanager
def needing_extra() -> Iterator[None]:
    """Say which extra is needed, where what is imported here is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"this needs {error.name}, which is not installed: pip install 'hansa[reconcile]'"
        ) from None
