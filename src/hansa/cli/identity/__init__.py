"""Commands about identity: DIDs and more on the ledger; issuers, verifiers and holders."""

from __future__ import annotations

import argparse

from hansa.cli.identity import (
    accreditation,
    consents,
    dids,
    evidence,
    foreign,
    issuer,
    operator,
    schemas,
    status,
    verifier,
    wallet,
)


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `id` with all its words to the parser."""
    identity = commands.add_parser(
        "id",
        help="DIDs, evidence, status, accreditation, consent; issue, hold and verify credentials",
    )
    words = identity.add_subparsers(dest="word", required=True, metavar="WORD")
    dids.add_words(words)
    foreign.add_words(words)
    schemas.add_words(words)
    evidence.add_words(words)
    status.add_words(words)
    accreditation.add_words(words)
    consents.add_words(words)
    issuer.add_words(words)
    verifier.add_words(words)
    operator.add_words(words)
    wallet.add_words(words)
