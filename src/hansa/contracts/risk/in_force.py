"""What an operator decides by, from which moment to which, and which payments must be attested.

Part of the contract `risk`, kept apart for reading and for `payments`; it has no commands of its
own. An attestation hides what was decided, and by which model. So what can be held against the
ledger when a payment executes is that its payer's operator attests to it, and that this operator
has anything in force to decide by. Which of these it was is held against the past when the
attestation is opened. Amounts are minor units of one asset; times are ms of ledger time.

Source: docs/reference/contracts.md, risk; docs/decisions/0019-risk-attestations.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from hansa.contracts import policy
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.errors import Corrupt, Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row, Rows, find_version
from hansa.kernel.values import INT64_MAX, Address, Hash, NonNegative, Positive, TimeMs

BASES_MAX = 8
"""So many may an operator have in force at once: its champion, one that it leaves, a few trials."""

NO_MODEL = ZERO_HASH
"""In the place of a model: what a policy decides by itself, as while no model can be asked."""

_NEVER = INT64_MAX + 1
_MEMO = "risk.thresholds "


class Code(StrEnum):
    """Refusals, in order of precedence."""

    UNKNOWN_MODEL = "risk.UNKNOWN_MODEL"
    WRONG_STATE = "risk.WRONG_STATE"
    STILL_IN_FORCE = "risk.STILL_IN_FORCE"
    SAME_OFFICER = "risk.SAME_OFFICER"
    POLICY_NOT_APPROVED = "risk.POLICY_NOT_APPROVED"
    ATTESTATION_REQUIRED = "risk.ATTESTATION_REQUIRED"
    NO_MODEL_IN_FORCE = "risk.NO_MODEL_IN_FORCE"


class Basis(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What decisions rest on."""

    model: Hash
    """Hash of the model's manifest, or `NO_MODEL`."""
    policy: Hash
    """Hash of the operator's own policy: its rules, lists and thresholds."""


Bases = Annotated[tuple[Basis, ...], Meta(max_length=BASES_MAX)]
"""Sorted, each once, so that those without a model come first; none where nothing decides."""


class InForce(Row, frozen=True, array_like=True):
    """What an operator decides by now."""

    TABLE: ClassVar[bytes] = b"rf"
    KEY: ClassVar[tuple[str, ...]] = ("operator",)

    operator: Address
    bases: Bases
    version: Positive
    """One more with each change of this row."""
    from_position: NonNegative
    """Position of the transaction since which it counts."""
    since_ms: TimeMs


class PastInForce(Row, frozen=True, array_like=True):
    """What an operator decided by before a change; never changed, and never removed."""

    TABLE: ClassVar[bytes] = b"rg"
    KEY: ClassVar[tuple[str, ...]] = ("operator", "version")
    CACHED: ClassVar[bool] = False

    operator: Address
    version: Positive
    bases: Bases
    from_position: NonNegative
    until_position: NonNegative
    """Position of the transaction since which the next one counts."""
    since_ms: TimeMs


def require_attested(
    view: View, context: Context, operator: bytes, asset: str, amount_minor: int
) -> None:
    """Refuse a payment whose operator must attest to a risk decision and does not, or cannot.

    For `payments`. Costs one look-up where policy asks for nothing, one row more where it asks
    for a model in force.

    Raises:
      Refused: `ATTESTATION_REQUIRED` or `NO_MODEL_IN_FORCE`.
    """
    thresholds = context.memo.get(_MEMO + asset) or _read_thresholds(view, context, asset)
    attested_from, model_from = thresholds
    if amount_minor < attested_from:
        return
    if context.attestation is None or context.sponsor != operator:
        raise Refused(Code.ATTESTATION_REQUIRED, from_minor=attested_from, operator=operator)
    if amount_minor < model_from:
        return
    found = view.get(InForce, operator)
    if found is None or not found.bases or found.bases[-1].model == NO_MODEL:
        raise Refused(Code.NO_MODEL_IN_FORCE, from_minor=model_from, operator=operator)


def find_in_force(rows: Rows, operator: bytes, position: int) -> tuple[Basis, ...]:
    """Find what an operator decided by when the transaction at a position executed.

    A change counts for the whole of its own transaction. Costs O(log changes) rows.
    """
    current = rows.get(InForce, operator)
    if current is None:
        return ()
    version = find_version(
        current.version, lambda each: _get_past(rows, operator, each).until_position, position
    )
    found = current if version == current.version else _get_past(rows, operator, version)
    return found.bases if position >= found.from_position else ()


def is_model_needed(rows: Rows, asset: str, amount_minor: int, time_ms: int) -> bool:
    """Whether a payment of that amount took a model at that time; for who opens its decision."""
    for key in (f"{policy.MODEL_FROM}.{asset}", policy.MODEL_FROM):
        values = policy.get_policy(rows, key, time_ms)
        if values is not None:
            return 0 < values[0] <= amount_minor
    return False


def replace(view: View, context: Context, operator: bytes, bases: tuple[Basis, ...]) -> InForce:
    """Put this in force from now on, in order, and on record what was before."""
    ordered = sorted({(basis.model, basis.policy) for basis in bases})
    bases = tuple(Basis(*each) for each in ordered)
    before = view.get(InForce, operator)
    version = 1
    if before is not None:
        view.put(
            PastInForce(
                operator,
                before.version,
                before.bases,
                before.from_position,
                context.position,
                before.since_ms,
            )
        )
        version = before.version + 1
    current = InForce(operator, bases, version, context.position, context.time_ms)
    view.put(current)
    return current


def _read_thresholds(view: View, context: Context, asset: str) -> tuple[int, int]:
    """Read from which amounts of an asset policy asks for what, remembered for the block."""
    attested_from, model_from = (
        _read_amount(view, context, key, asset)
        for key in (policy.ATTESTATION_FROM, policy.MODEL_FROM)
    )
    thresholds = min(attested_from, model_from), model_from
    context.memo[_MEMO + asset] = thresholds
    return thresholds


def _read_amount(view: View, context: Context, key: str, asset: str) -> int:
    """Read the amount of this asset where policy has one, else that of all; 0 is never."""
    values = policy.get_in_force(view, context, f"{key}.{asset}")
    if values is None:
        values = policy.get_in_force(view, context, key)
    return values[0] if values and values[0] else _NEVER


def _get_past(rows: Rows, operator: bytes, version: int) -> PastInForce:
    past = rows.get(PastInForce, operator, version)
    if past is None:
        raise Corrupt(f"version {version} of what {operator.hex()} decided by is not on record")
    return past
