"""Consents: id consent give, delegate, revoke, show."""

from __future__ import annotations

import argparse
import secrets
import time
from collections.abc import Sequence

from hansa.cli.identity.reading import (
    MOMENT,
    PARTY,
    parse_moment,
    print_proven,
    read_content,
    read_party,
)
from hansa.cli.source import add_node, add_signing, open_client, parse_count, parse_file, parse_hash
from hansa.cli.tx import load_keys, send
from hansa.contracts.identity import consent
from hansa.contracts.identity.consent import DELEGATIONS_MAX, Consent
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.sdk.client import Client
from hansa.sdk.evidence import SALT_BYTES, hash_document
from hansa.sdk.identity.consents import find_state
from hansa.sdk.identity.questions import ConsentQuestion

TERMS_BYTES_MAX = 1 << 20
CONSENT_ID = "consent id"


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the word `consent` to the command `id`."""
    word = words.add_parser("consent", help="what others may do with data, for a time")
    words = word.add_subparsers(dest="consent_word", required=True, metavar="WORD")
    give = words.add_parser("give", help="allow a recipient something, as the holder of the data")
    give.add_argument("key", type=parse_file, help="key file of the holder")
    _add_bounds(give, is_whole=True)
    give.add_argument("--holder", metavar="DID", help=f"{PARTY}, if not the key's address")
    add_signing(give)
    give.set_defaults(function=_give)
    delegate = words.add_parser("delegate", help="hand a consent on, as its recipient")
    delegate.add_argument("key", type=parse_file, help="key file of the recipient")
    delegate.add_argument("parent", help="id of the consent that is handed on")
    _add_bounds(delegate, is_whole=False)
    delegate.add_argument("--giver", metavar="DID", help=f"{PARTY}, if not the key's address")
    add_signing(delegate)
    delegate.set_defaults(function=_delegate)
    revoke = words.add_parser("revoke", help="end a consent and all that hang on it")
    revoke.add_argument("key", type=parse_file, help="key file of who gave it, or of the holder")
    revoke.add_argument("id", help=CONSENT_ID)
    revoke.add_argument("--revoker", metavar="DID", help=f"{PARTY}, if not the key's address")
    add_signing(revoke)
    revoke.set_defaults(function=_revoke)
    show = words.add_parser("show", help="a consent and what it hangs on, to its parties; proved")
    show.add_argument("id", help=CONSENT_ID)
    add_node(show)
    show.set_defaults(function=_show)


def _add_bounds(command: argparse.ArgumentParser, *, is_whole: bool) -> None:
    """Add what bounds a consent; what is not said of one that is handed on is as of its parent."""
    command.add_argument("recipient", help=PARTY)
    command.add_argument("terms", type=parse_file, help="file with what is consented to; not sent")
    begin, uses = (0, 0) if is_whole else (None, None)
    same = "" if is_whole else "; as the parent's if left out"
    rest = "" if is_whole else "; what the parent has left if left out"
    command.add_argument(
        "--from", type=parse_moment, dest="begin", metavar="TIME", default=begin, help=MOMENT + same
    )
    command.add_argument(
        "--until", type=parse_moment, required=is_whole, metavar="TIME", help=MOMENT + same
    )
    command.add_argument(
        "--uses",
        type=parse_count,
        default=uses,
        metavar="N",
        help=f"exchanges at most; 0: any number{rest}",
    )
    command.add_argument(
        "--delegations",
        type=parse_count,
        default=0,
        metavar="N",
        help="how often it may be handed on, one after the other; 0 (default) to 3",
    )


def _give(options: argparse.Namespace) -> int:
    (key,) = load_keys([options.key])
    with open_client(options) as client:
        holder = read_party(client, options.holder) if options.holder else key.address
        recipient, salt, terms = _read_terms(client, options)
        command = consent.Give(
            holder,
            recipient,
            terms,
            options.begin,
            options.until,
            options.uses,
            options.delegations,
        )
        named = consent.compute_id(holder, terms, client.get_network().digest).hex()
        return send(client, options, [key], [command], consent_id=named, salt=salt.hex())


def _delegate(options: argparse.Namespace) -> int:
    parent = parse_hash(options.parent, CONSENT_ID)
    (key,) = load_keys([options.key])
    with open_client(options) as client:
        giver = read_party(client, options.giver) if options.giver else key.address
        recipient, salt, terms = _read_terms(client, options)
        begin, until, uses = _find_bounds(client, parent, options)
        command = consent.Delegate(
            parent, recipient, terms, begin, until, uses, options.delegations
        )
        named = consent.compute_id(giver, terms, client.get_network().digest).hex()
        return send(client, options, [key], [command], consent_id=named, salt=salt.hex())


def _find_bounds(
    client: Client, parent: bytes, options: argparse.Namespace
) -> tuple[int, int, int]:
    """Find the bounds of what is handed on: as said, else those of the consent it hangs on.

    Raises:
      Invalid: of that no use is left.
      NotFound: there is no such consent, as far as it is proved.
    """
    said = (options.begin, options.until, options.uses)
    if None not in said:
        return said
    chain: Sequence[Consent] = ()
    try:
        chain = client.identity.ask(ConsentQuestion(parent)).answer
    except (NotFound, Invalid) as error:  # what is newer cannot be proved; or nobody is known
        if options.until is not None and options.uses is not None:
            return 0, options.until, options.uses
        if isinstance(error, Invalid):
            raise
    if not chain:
        raise NotFound(
            f"there is no consent {parent.hex()} as of the last checkpoint; if it is newer, say "
            "--until and --uses, or do this a second later"
        )
    left = min((link.uses_max - link.uses for link in chain if link.uses_max), default=None)
    if left == 0 and options.uses is None:
        raise Invalid(InvalidCode.ARGUMENTS, f"no use of the consent {parent.hex()} is left")
    usual = (chain[0].from_ms, chain[0].until_ms, left or 0)
    begin, until, uses = (
        mine if mine is not None else theirs for mine, theirs in zip(said, usual, strict=True)
    )
    return begin, until, uses


def _read_terms(client: Client, options: argparse.Namespace) -> tuple[bytes, bytes, bytes]:
    """Read recipient and terms; returns the recipient, a new salt, and the commitment."""
    if options.delegations > DELEGATIONS_MAX:
        raise Invalid(
            InvalidCode.ARGUMENTS, f"--delegations {options.delegations}: at most {DELEGATIONS_MAX}"
        )
    content = read_content(options.terms, TERMS_BYTES_MAX)
    salt = secrets.token_bytes(SALT_BYTES)
    commitment = hash_document(content, salt, client.get_network().digest)
    return read_party(client, options.recipient), salt, commitment


def _revoke(options: argparse.Namespace) -> int:
    named = parse_hash(options.id, CONSENT_ID)
    (key,) = load_keys([options.key])
    with open_client(options) as client:
        revoker = read_party(client, options.revoker) if options.revoker else key.address
        return send(client, options, [key], [consent.Revoke(named, revoker)])


def _show(options: argparse.Namespace) -> int:
    named = parse_hash(options.id, CONSENT_ID)
    with open_client(options) as client:
        found = client.identity.ask(ConsentQuestion(named))
    if not found.answer:
        raise NotFound(f"as of block {found.header.height} there is no consent {named.hex()}")
    told = {
        "state": find_state(found.answer, time.time_ns() // 1_000_000),
        "chain": [_describe(link) for link in found.answer],
    }
    print_proven(told, found.header, is_json=options.json)
    return 0


def _describe(link: Consent) -> dict[str, object]:
    return {
        "id": link.consent_id.hex(),
        "holder": to_text(link.holder),
        "giver": to_text(link.giver),
        "recipient": to_text(link.recipient),
        "terms": link.terms.hex(),
        "from_ms": link.from_ms,
        "until_ms": link.until_ms,
        "uses": link.uses,
        "uses_max": link.uses_max,
        "delegations": link.delegations,
        "revoked_ms": link.revoked_ms,
    }
