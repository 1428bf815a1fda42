"""Accreditation: id accredit grant, suspend, reinstate, revoke; id standing."""

from __future__ import annotations

import argparse
import time
from typing import Any

from hansa.cli.identity.reading import (
    MOMENT,
    PARTY,
    check_past,
    parse_moment,
    print_proven,
    read_content,
    read_party,
)
from hansa.cli.source import add_node, add_signing, open_client, parse_count, parse_file
from hansa.cli.tx import load_keys, send
from hansa.contracts.identity import accreditation
from hansa.contracts.identity.accreditation import LEVELS_MAX, NETWORK, Grant, Reason
from hansa.kernel.crypto.address import to_text
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.sdk.evidence import hash_document
from hansa.sdk.identity.questions import StandingQuestion

JUDGEMENTS = {
    "suspend": (accreditation.Suspend, "take a grant's effect away for now"),
    "reinstate": (accreditation.Reinstate, "end the suspension of a grant"),
    "revoke": (accreditation.Revoke, "end a grant"),
}
REASONS = tuple(each.value for each in Reason)
DECISION_BYTES_MAX = 1 << 20
SALT_DIGITS = 32
EXIT_FINDINGS = 1


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `id`."""
    word = words.add_parser("accredit", help="let others issue credentials, as one who may")
    accredit = word.add_subparsers(dest="accredit_word", required=True, metavar="WORD")
    grant = accredit.add_parser("grant", help="let an issuer issue a type, or change until when")
    _add_grant(grant)
    grant.add_argument("--from", type=parse_moment, dest="begin", metavar="TIME", default=0)
    grant.add_argument("--until", type=parse_moment, required=True, metavar="TIME", help=MOMENT)
    grant.add_argument(
        "--levels",
        type=parse_count,
        default=0,
        metavar="N",
        help="how deep it may let others accredit, 0 (default) to 3",
    )
    add_signing(grant)
    grant.set_defaults(function=_grant)
    for name, (_, text) in JUDGEMENTS.items():
        command = accredit.add_parser(name, help=text)
        _add_grant(command)
        command.add_argument("--reason", choices=REASONS, default=REASONS[0])
        command.add_argument(
            "--decision",
            nargs=2,
            metavar=("FILE", "SALT"),
            help="its text, which stays with you, and 32 random hexadecimal digits",
        )
        add_signing(command)
        command.set_defaults(function=_judge)
    standing = words.add_parser("standing", help="whether an issuer was accredited; proved")
    standing.add_argument("issuer", help=PARTY)
    standing.add_argument("type", help="name of a type of credentials")
    standing.add_argument("--at", type=parse_moment, metavar="TIME", help=f"{MOMENT}; default: now")
    add_node(standing)
    standing.set_defaults(function=_show)


def _add_grant(command: argparse.ArgumentParser) -> None:
    command.add_argument("key", type=parse_file, help="key file of who accredits")
    command.add_argument("issuer", help=PARTY)
    command.add_argument("type", help="name of a type of credentials")
    command.add_argument("--granter", metavar="DID", help=f"{PARTY}, if not the key's address")


def _grant(options: argparse.Namespace) -> int:
    if options.levels > LEVELS_MAX:
        raise Invalid(InvalidCode.ARGUMENTS, f"--levels {options.levels}: at most {LEVELS_MAX}")
    (key,) = load_keys([options.key])
    with open_client(options) as client:
        granter = read_party(client, options.granter) if options.granter else key.address
        terms = (options.levels, options.begin, options.until)
        issuer = read_party(client, options.issuer)
        command = accreditation.Accredit(granter, issuer, options.type, *terms)
        return send(client, options, [key], [command])


def _judge(options: argparse.Namespace) -> int:
    (key,) = load_keys([options.key])
    with open_client(options) as client:
        granter = read_party(client, options.granter) if options.granter else key.address
        kind = JUDGEMENTS[options.accredit_word][0]
        text_hash = ZERO_HASH
        if options.decision is not None:
            file, salt = options.decision
            text = read_content(parse_file(file), DECISION_BYTES_MAX)
            text_hash = hash_document(text, _read_salt(salt), client.get_network().digest)
        issuer = read_party(client, options.issuer)
        command = kind(granter, issuer, options.type, Reason(options.reason), text_hash)
        return send(client, options, [key], [command])


def _read_salt(text: str) -> bytes:
    try:
        salt = bytes.fromhex(text)
    except ValueError:
        salt = b""
    if len(text) != SALT_DIGITS or not salt:
        raise Invalid(InvalidCode.ARGUMENTS, f"--decision: the salt has {SALT_DIGITS} digits")
    return salt


def _show(options: argparse.Namespace) -> int:
    now_ms = time.time_ns() // 1_000_000
    time_ms = now_ms if options.at is None else options.at
    with open_client(options) as client:
        issuer = read_party(client, options.issuer)
        found = client.identity.ask(StandingQuestion(issuer, options.type, time_ms))
    check_past(time_ms, max(now_ms, found.header.time_ms))
    standing = found.answer
    told: dict[str, Any] = {
        "issuer": to_text(issuer),
        "type": options.type,
        "asked_ms": time_ms,
        "is_accredited": standing.fault is None,
        "fault": standing.fault.value if standing.fault else None,
        "at": _name(standing.at),
        "since_ms": standing.since_ms,
        "chain": [_describe(grant) for grant in standing.chain],
        "suspended_since_ms": standing.suspended_since_ms,
    }
    print_proven(told, found.header, is_json=options.json)
    return EXIT_FINDINGS if standing.fault else 0


def _describe(grant: Grant) -> dict[str, Any]:
    return {
        "issuer": to_text(grant.issuer),
        "granter": _name(grant.granter),
        "may_accredit": grant.may_accredit,
        "from_ms": grant.from_ms,
        "until_ms": grant.until_ms,
        "version": grant.version,
        "since_ms": grant.since_ms,
    }


def _name(address: bytes) -> str:
    return "network" if address == NETWORK else to_text(address)
