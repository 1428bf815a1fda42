"""Auditing an operator: is what it kept what the ledger says that it was shown?"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from hansa.contracts.identity import tiers
from hansa.identity.tiers import Recorded, check_presentation
from hansa.kernel.block import Status
from hansa.kernel.crypto.hashing import crypto_profile
from hansa.kernel.receipt_file import VerifiedReceipt
from hansa.node.identity.operator.asking import read_wallet
from hansa.node.identity.operator.cases import Case
from hansa.node.identity.operator.settings import Settings


class Audited(NamedTuple):
    """What was found of one lift; no findings if all holds."""

    case: Case
    findings: list[str]


def audit(
    cases: list[Case], settings: Settings, get_receipt: Callable[[bytes], VerifiedReceipt]
) -> list[Audited]:
    """Audit each lift against the receipt of its transaction, which proves itself.

    Raises:
      Invalid: the node proves something else.
      NotFound: it does not have a transaction any more.
      Unavailable: it does not answer.
    """
    found = []
    for case in cases:
        if not case.raised_tx_id:
            continue
        receipt = get_receipt(bytes.fromhex(case.raised_tx_id))
        found.append(Audited(case, _check(case, settings, receipt)))
    return found


def _check(case: Case, settings: Settings, receipt: VerifiedReceipt) -> list[str]:
    wallet = read_wallet(case)
    for call in receipt.body.calls:
        if (call.contract, call.command) != (tiers.NAME, "raise"):
            continue
        command = msgspec.msgpack.decode(call.arguments, type=tiers.Raise)
        if command.wallet != wallet:
            continue
        if receipt.receipt.status is not Status.OK:
            return ["the ledger refused the transaction that was to lift the wallet"]
        recorded = Recorded(
            command.wallet,
            command.operator,
            command.category,
            command.nullifier,
            command.presentation_hash,
            command.presented_until_ms,
        )
        genesis_hash = bytes.fromhex(settings.ledger.genesis)
        digest = crypto_profile(case.hash).digest
        return check_presentation(case.presentation, recorded, genesis_hash, digest)
    return ["its transaction lifts another wallet"]
