"""Open a decision: hold its commitment against the ledger, and decide again from its features.

Claims about the ledger are those of `open_commitment`; what follows them only the owner can show:
that the row that was committed to, under the policy and model that it names, gives this verdict
for these reasons.

Source: docs/reference/risk-decisions.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple

from hansa.contracts.risk.in_force import NO_MODEL
from hansa.kernel.errors import HansaError, Invalid, InvalidCode
from hansa.kernel.genesis import Network
from hansa.kernel.rows import Rows
from hansa.kernel.transaction import Body
from hansa.node.risk.clerk.format import KeptAnswer, KeptDecision
from hansa.node.risk.clerk.judging import MAY_ANSWER, hash_rows, replay
from hansa.node.risk.loading import LISTED, SANCTIONS, Loaded, Models, Sources, decode_basis, load
from hansa.node.risk.reading import Intended, find_named
from hansa.risk.catalogue import decode_names
from hansa.risk.decisions.commitment import (
    REASONS_MAX,
    Claim,
    DecisionRecord,
    Executed,
    Fault,
    decode_record,
    open_commitment,
)
from hansa.risk.decisions.deciding import Listed
from hansa.risk.decisions.policy import NEVER_PPM
from hansa.risk.intake.describing import FEATURES, FEATURES_HASH
from hansa.risk.lists.listings import Effect, Subject
from hansa.risk.models.file import Model, read_model
from hansa.risk.packing import unpack
from hansa.risk.verdicts import Verdict

_DECIDE_ALL: Final = frozenset({Claim.ATTESTED, Claim.NETWORK, Claim.COMMITMENT})
"""Where one of these fails, no other is told."""
_OF_MODELS: Final = (Claim.MODEL_KNOWN, Claim.MODEL_NOT_SUSPENDED, Claim.MODEL_IN_FORCE)
_OF_BASIS: Final = (Claim.SCORED, *_OF_MODELS, Claim.POLICY_IN_FORCE)


class Case(NamedTuple):
    """What its owner keeps of a decision, and what it rested on."""

    kept: KeptDecision
    answer: KeptAnswer | None
    """What was answered, if it waited."""
    policy: bytes | None
    """The files of the policy, as `hansa.node.risk.loading` encodes them; None if they are lost."""
    model: bytes | None
    """The model's file; None if it is lost, or no model was asked."""
    features: bytes | None = None
    """The features of its rows, as `hansa.risk.catalogue` encodes them; None if they are lost."""


class Ledger(NamedTuple):
    """What the ledger has."""

    network: Network
    rows: Rows
    executed: Executed | None
    """None if it has no such transaction."""
    body: Body | None = None
    """What was signed; None if it was not shown."""


class Told(NamedTuple):
    """A claim, and whether it holds."""

    claim: str
    holds: bool | None
    """None where it cannot be told, or does not apply."""
    words: str


class Examination(NamedTuple):
    """What came of opening a decision."""

    decided: DecisionRecord
    """How it was decided when the transaction came in."""
    attested: DecisionRecord
    """The decision that was attested to: that which let it through, if it waited."""
    claims: tuple[Told, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing fails."""
        return all(each.holds is not False for each in self.claims)


def examine(case: Case, ledger: Ledger) -> Examination:
    """Open a decision, and decide again.

    Raises:
      Invalid: what was kept is no decision.
    """
    decided = decode_record(case.kept.record)
    answer = case.answer
    raw, salt = case.kept.record, case.kept.salt
    if answer is not None and answer.record:
        raw, salt = answer.record, answer.salt
    attested = decode_record(raw)
    claims = [*_open(ledger, raw, salt)]
    if answer is not None and answer.record:
        claims.append(_check_answer(decided, attested, answer))
    claims += [_check_payments(case, ledger), *_replay(case, decided)]
    return Examination(decided, attested, tuple(claims))


def _open(ledger: Ledger, raw: bytes, salt: bytes) -> list[Told]:
    """Tell of each claim about the ledger whether it holds."""
    if ledger.executed is None:
        words = "the ledger has no such transaction: it was never brought in, or expired"
        return [Told(Claim.ATTESTED, None, words)]
    opening = open_commitment(ledger.network, ledger.rows, ledger.executed, raw, salt)
    return [_tell(claim, opening.record, opening.faults) for claim in Claim]


def _tell(claim: Claim, record: DecisionRecord, faults: tuple[Fault, ...]) -> Told:
    found = {fault.claim: fault.words for fault in faults}
    if claim in found:
        return Told(claim, False, found[claim])  # noqa: FBT003 - a field
    order = list(Claim)
    stranger = next((each for each in order if each in _DECIDE_ALL and each in found), None)
    if stranger is not None and order.index(claim) > order.index(stranger):
        return Told(claim, None, "not told, as the one before fails")
    if claim in _OF_MODELS and record.model == NO_MODEL:
        return Told(claim, None, "no model was asked")
    if claim in _OF_BASIS and any(each in found for each in _OF_BASIS):
        return Told(claim, None, "not told beside the one that fails")
    return Told(claim, True, "")  # noqa: FBT003 - a field


def _check_answer(decided: DecisionRecord, attested: DecisionRecord, answer: KeptAnswer) -> Told:
    """Check that what let it through goes on from what was decided first."""
    reasons = (f"answer.{answer.answer}", *decided.reasons)[:REASONS_MAX]
    same = (decided.tx_id, decided.row, decided.operator, reasons)
    if answer.answer not in MAY_ANSWER.get(decided.verdict, ()):
        words = f"after {decided.verdict.name.lower()} nobody may answer {answer.answer}"
        return Told("answer", False, words)  # noqa: FBT003 - a field
    holds = same == (attested.tx_id, attested.row, attested.operator, attested.reasons)
    words = "" if holds else "what let it through does not rest on what was decided first"
    return Told("answer", holds, words)


def _check_payments(case: Case, ledger: Ledger) -> Told:
    """Check that the payments that were decided on are those of the transaction, in its order."""
    for number, payment in enumerate(case.kept.payments):
        if payment.row and unpack(payment.row)[0] != payment.amount_minor:
            words = f"payment {number} has another amount than its features"
            return Told("payments", False, words)  # noqa: FBT003 - a field
    if ledger.body is None:
        return Told("payments", None, "not told, as the transaction itself was not shown")
    all_named = find_named(ledger.body)
    named = iter(all_named)
    for number, payment in enumerate(case.kept.payments):
        intended = Intended(payment.payer, payment.payee, payment.asset, payment.amount_minor)
        if not any(each.may_be(intended) for each in named):  # goes on behind the one before
            words = f"payment {number} that was decided on is none of the transaction"
            return Told("payments", False, words)  # noqa: FBT003 - a field
    left = len(all_named) - len(case.kept.payments)
    words = f"{left} more are said to come out of no wallet of its" if left else ""
    return Told("payments", True, words)  # noqa: FBT003 - a field


def _replay(case: Case, decided: DecisionRecord) -> list[Told]:
    """Decide again by what the decision names, each part checked by its hash."""
    is_row = hash_rows(case.kept.payments) == decided.row
    claims = [Told("row", is_row, "" if is_row else "the features are not those committed to")]
    try:
        names = _find_names(case, decided)
    except Invalid as error:
        return [*claims, Told("features", False, error.message)]  # noqa: FBT003 - a field
    if names is None:
        words = f"it was described by another set of features, {decided.features.hex()}: decide "
        words += "again from its operator's folder, or with the version of this program that had it"
        return [*claims, Told("features", None, words), _not_replayed()]
    claims.append(Told("features", True, ""))  # noqa: FBT003 - a field
    try:
        loaded = _load(case, decided, names)
    except HansaError as error:
        return [*claims, Told("basis", False, error.message)]  # noqa: FBT003 - a field
    if loaded is None:
        words = "policy or model that decided are not kept here any more"
        return [*claims, Told("basis", None, words), _not_replayed()]
    claims += [Told("basis", *_check_basis(loaded, decided)), _check_listed(case, loaded, decided)]
    verdict, reasons = replay(case.kept, loaded, is_scored=decided.model != NO_MODEL)
    holds = (verdict, tuple(reasons)) == (decided.verdict, decided.reasons)
    words = "" if holds else f"decided again: {verdict.name.lower()}, {', '.join(reasons) or '-'}"
    return [*claims, Told("replay", holds, words)]


def _find_names(case: Case, decided: DecisionRecord) -> Sequence[str] | None:
    """Find what a row's numbers are, be it of another release; None if that is lost.

    Raises:
      Invalid: what is kept is not what the decision names.
    """
    if decided.features == FEATURES_HASH:
        return FEATURES
    if case.features is None:
        return None
    if hashlib.sha256(case.features).digest() != decided.features:
        raise Invalid(InvalidCode.MALFORMED, "the features that are kept have another hash")
    return decode_names(case.features)


def _check_listed(case: Case, loaded: Loaded, decided: DecisionRecord) -> Told:
    """Check what lists are said to have said against those of the policy.

    Of which device or merchant a payment was is not told, nor whose names were hits of sanctions
    lists, so what any of these does may be.
    """
    others: set[Listed | None] = {
        LISTED[effect]
        for kind in (Subject.DEVICE, Subject.MERCHANT)
        for effect in loaded.lists.list_effects(kind, decided.decided_ms)
    }
    for number, payment in enumerate(case.kept.payments):
        own = loaded.find_listed(payment.payer, payment.payee, "", decided.decided_ms)
        told = None
        if payment.listed is not None:
            told = Listed(Verdict(payment.listed[0]), payment.listed[1])
        is_over = told == LISTED[Effect.BLOCK]  # a block counts above an allowance
        is_listed = told in others and (own is None or is_over)
        if told != own and not (is_listed or _may_be_hit(told, own, loaded)):
            words = f"lists of this policy do not say of payment {number} what they are said to"
            return Told("listed", False, words)  # noqa: FBT003 - a field
    return Told("listed", True, "")  # noqa: FBT003 - a field


def _may_be_hit(told: Listed | None, own: Listed | None, loaded: Loaded) -> bool:
    """Whether a hit of a sanctions list can have come before what the policy's lists say."""
    thresholds = loaded.policy.screening
    verdicts = {
        Verdict.REVIEW: thresholds.review_score < thresholds.block_score,
        Verdict.BLOCK: thresholds.block_score < NEVER_PPM,
    }
    if told is None or told.reason != SANCTIONS or not verdicts.get(told.verdict, False):
        return False
    return own is None or own.verdict <= told.verdict


def _not_replayed() -> Told:
    return Told("replay", None, "not decided again")


def _load(case: Case, decided: DecisionRecord, features: Sequence[str]) -> Loaded | None:
    """Load what decided; None if a part of it is lost."""
    model: Model | None = None
    if case.policy is None:
        return None
    if decided.model != NO_MODEL:
        if case.model is None:
            return None
        model = read_model(case.model, f"model {decided.model.hex()}", features)
    sources = Sources(decode_basis(case.policy), {}, {})
    return load(sources, Models(model), decided.policy.hex(), features)


def _check_basis(loaded: Loaded, decided: DecisionRecord) -> tuple[bool, str]:
    """Check that policy and model are those that the decision names."""
    if loaded.policy_hash != decided.policy:
        return False, f"the policy has the hash {loaded.policy_hash.hex()}"
    if loaded.model_id != decided.model:
        return False, f"the model has the hash {loaded.model_id.hex()}"
    return True, ""
