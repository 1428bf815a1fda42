"""Commitments to risk decisions: what a payment's attestation hides, and how its owner opens it.

A decision is a canonical document. Its commitment, with a salt of 32 bytes, travels beside the
payment; document and salt stay with the operator. Who opens it holds every claim in it against
what the ledger has of the transaction, and of the models that were in force when it executed.

Source: docs/reference/risk-decisions.md; docs/decisions/0019-risk-attestations.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta

from hansa.contracts.risk import in_force, risk
from hansa.kernel.encoding import Decoder, Document, encode
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import VALIDITY_MAX_MS, Network
from hansa.kernel.rows import Rows
from hansa.kernel.transaction import compute_attestation
from hansa.kernel.values import Address, Hash, TimeMs
from hansa.risk.verdicts import Verdict

DECISION_VERSION = 1
SALT_BYTES = 32
REASONS_MAX = 64
"""The weightiest ones; a decision that has more leaves the others out."""
DECISION_LIFE_MAX_MS = VALIDITY_MAX_MS
"""No decision counts longer than the transaction that it is about can wait."""
CLOCK_AHEAD_MAX_MS = 60_000
"""So far may an operator's clock be ahead of ledger time."""

Reason = Annotated[str, Meta(min_length=1, max_length=64)]


class DecisionRecord(Document, frozen=True, array_like=True):
    """What an operator decided on one transaction, by what, and until when."""

    version: Literal[1]
    genesis_hash: Hash
    tx_id: Hash
    operator: Address
    """Who decided, and sponsors it."""
    model: Hash
    """Hash of the model's manifest; `in_force.NO_MODEL` where none was asked."""
    features: Hash
    """Hash of the feature set: which features a row has, in which order and scale."""
    policy: Hash
    """Hash of the operator's own policy: rules, lists and thresholds, as it is in force."""
    verdict: Verdict
    reasons: Annotated[tuple[Reason, ...], Meta(max_length=REASONS_MAX)]
    """Reason codes, the weightiest first."""
    row: Hash
    """Hash of the row of features, from which the decision is replayed."""
    decided_ms: TimeMs
    """By the operator's clock, and not before the newest block that it had seen."""
    expires_ms: TimeMs
    """Last moment of ledger time at which the transaction may execute."""


class Claim(StrEnum):
    """Claims of an opened decision that can fail, in the order in which they are told."""

    ATTESTED = "attested"
    """The ledger has an attestation of the transaction at all."""
    NETWORK = "network"
    """It was decided for this network."""
    COMMITMENT = "commitment"
    """Document and salt are those that were committed to. Where one of these three fails, nothing
    else that the document says counts."""
    TRANSACTION = "transaction"
    """It is about the transaction beside which it stands."""
    OPERATOR = "operator"
    """Who decided is who sponsored."""
    VERDICT = "verdict"
    """It was allowed: what executes otherwise was never decided so."""
    TERM = "term"
    """It was made before, and for no longer than a decision counts."""
    EXPIRY = "expiry"
    """It had not expired at execution."""
    SCORED = "scored"
    """A model was asked, if policy demanded one of the amount."""
    MODEL_KNOWN = "model_known"
    """Its operator had registered the model."""
    MODEL_NOT_SUSPENDED = "model_not_suspended"
    MODEL_IN_FORCE = "model_in_force"
    POLICY_IN_FORCE = "policy_in_force"
    """The model was in force under this policy, or the policy alone if none was asked."""


@dataclass(frozen=True, slots=True)
class Executed:
    """What the ledger has of a transaction."""

    tx_id: bytes
    sponsor: bytes
    attestation: bytes | None
    position: int
    """height × 2**20 + index in the block."""
    time_ms: int
    """Of its block."""
    is_model_needed: bool = False
    """Whether policy demanded a model: `in_force.is_model_needed` of its payments."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A claim that fails, and what stands against it, in words."""

    claim: Claim
    words: str


@dataclass(frozen=True, slots=True)
class Opening:
    """An opened decision, with all that is wrong about it."""

    record: DecisionRecord
    faults: tuple[Fault, ...]

    @property
    def is_sound(self) -> bool:
        """Whether every claim holds."""
        return not self.faults


_DECODER: Decoder[DecisionRecord] = Decoder(DecisionRecord, "decision")


def decode_record(raw: bytes) -> DecisionRecord:
    """Decode a decision; raises `Invalid`."""
    return _DECODER.decode(raw)


def compute_commitment(network: Network, record: DecisionRecord, salt: bytes) -> bytes:
    """Compute the attestation by which a sponsor commits to a record.

    Args:
      network: whose hash, domain and genesis it is bound to.
      record: its only fact is the document's canonical bytes.
      salt: 32 bytes from a source of chance; a second decision never gets the same.

    Raises:
      Invalid: `MALFORMED`: the salt is none.
    """
    return commit_to(network, record.tx_id, encode(record), salt)


def commit_to(network: Network, tx_id: bytes, raw: bytes, salt: bytes) -> bytes:
    """Compute the same of a record that is encoded already; raises as `compute_commitment`."""
    if len(salt) != SALT_BYTES:
        raise Invalid(InvalidCode.MALFORMED, f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return compute_attestation(network, tx_id, salt, raw)


def open_commitment(
    network: Network, rows: Rows, executed: Executed, raw: bytes, salt: bytes
) -> Opening:
    """Open an attestation: hold a decision against what the ledger has.

    Args:
      network: the ledger's.
      rows: where the operator's models and what it had in force are read, as of now.
      executed: the transaction beside which the attestation stands.
      raw: the decision's document.
      salt: with which it was committed to.

    Raises:
      Invalid: the document is malformed or not canonical, or the salt is none.
    """
    record = decode_record(raw)
    commitment = compute_commitment(network, record, salt)
    stranger = _find_stranger(network, executed, record, commitment)
    if stranger is not None:
        return Opening(record, (stranger,))
    found = (
        *_check_binding(executed, record),
        *_check_times(executed, record),
        *_check_basis(rows, executed, record),
    )
    return Opening(record, found)


def _find_stranger(
    network: Network, executed: Executed, record: DecisionRecord, commitment: bytes
) -> Fault | None:
    """Find whether a decision is not the one that the attestation hides."""
    if executed.attestation is None:
        return Fault(Claim.ATTESTED, "the ledger has no attestation of this transaction")
    if record.genesis_hash != network.genesis_hash:
        return Fault(Claim.NETWORK, "it was decided for another network")
    if commitment != executed.attestation:
        words = "this decision with this salt is not what was committed to: one was changed, or"
        return Fault(Claim.COMMITMENT, f"{words} neither was ever attested to")
    return None


def _check_binding(executed: Executed, record: DecisionRecord) -> list[Fault]:
    """Find what shows that it was meant for something else, or lets nothing through."""
    found = []
    if record.tx_id != executed.tx_id:
        words = f"it is about another transaction, {record.tx_id.hex()}"
        found.append(Fault(Claim.TRANSACTION, words))
    if record.operator != executed.sponsor:
        words = f"it was decided by {record.operator.hex()}, and sponsored by another"
        found.append(Fault(Claim.OPERATOR, words))
    if record.verdict is not Verdict.ALLOW:
        words = f"its verdict was {record.verdict.name.lower()}, and it executed all the same"
        found.append(Fault(Claim.VERDICT, words))
    return found


def _check_times(executed: Executed, record: DecisionRecord) -> list[Fault]:
    found = []
    life_ms = record.expires_ms - record.decided_ms
    ahead_ms = record.decided_ms - executed.time_ms
    if not 0 <= life_ms <= DECISION_LIFE_MAX_MS:
        words = f"it was to count for {life_ms} ms; a decision counts for 0 to"
        found.append(Fault(Claim.TERM, f"{words} {DECISION_LIFE_MAX_MS}"))
    elif ahead_ms > CLOCK_AHEAD_MAX_MS:
        words = f"it says to be decided {ahead_ms} ms after the transaction executed"
        found.append(Fault(Claim.TERM, words))
    if executed.time_ms > record.expires_ms:
        late_ms = executed.time_ms - record.expires_ms
        found.append(Fault(Claim.EXPIRY, f"it had expired {late_ms} ms before execution"))
    return found


def _check_basis(rows: Rows, executed: Executed, record: DecisionRecord) -> list[Fault]:
    """Find what speaks against the model and the policy; the first that applies."""
    bases = in_force.find_in_force(rows, executed.sponsor, executed.position)
    if record.model == in_force.NO_MODEL:
        return _check_unscored(bases, executed, record)
    model = risk.find_model(rows, executed.sponsor, record.model)
    if model is None:
        words = "its operator never registered this model"
        return [Fault(Claim.MODEL_KNOWN, words)]
    if any(basis.model == record.model for basis in bases):
        if in_force.Basis(record.model, record.policy) in bases:
            return []
        words = "the model was in force at execution, though not under this policy"
        return [Fault(Claim.POLICY_IN_FORCE, words)]
    if risk.was_suspended(model, executed.time_ms):
        words = f"the model had been suspended at {model.suspended_ms} ms of ledger time"
        return [Fault(Claim.MODEL_NOT_SUSPENDED, words)]
    return [Fault(Claim.MODEL_IN_FORCE, "the model was not in force at execution")]


def _check_unscored(
    bases: tuple[in_force.Basis, ...], executed: Executed, record: DecisionRecord
) -> list[Fault]:
    """Find what speaks against a decision in which no model had a part."""
    if executed.is_model_needed:
        return [Fault(Claim.SCORED, "policy demanded a model of this amount, and none was asked")]
    if in_force.Basis(record.model, record.policy) in bases:
        return []
    words = "no model was asked, and this policy alone was not in force at execution"
    return [Fault(Claim.POLICY_IN_FORCE, words)]
