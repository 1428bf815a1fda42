"""Decisions on described payments, and on the transaction that makes them; nothing is kept here.

The same functions decide when a payment comes in and when its decision is replayed years later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.kernel.encoding import encode
from hansa.node.risk.clerk.format import KeptDecision, KeptPayment
from hansa.node.risk.loading import Loaded
from hansa.node.risk.reading import Intended
from hansa.risk.decisions.commitment import REASONS_MAX
from hansa.risk.decisions.deciding import Decider, Decision, Listed
from hansa.risk.packing import unpack
from hansa.risk.verdicts import Verdict

NOT_DESCRIBED: Final = "not_described"
"""The reason of a payment that could not be described, and that its amount decided."""
UNKNOWN_PPM: Final = -1
"""The probability of what no model was asked of."""


class Answering(StrEnum):
    """What is answered for a transaction that waits."""

    CONFIRMED = "confirmed"
    """Its customer confirmed it by another way."""
    RELEASED = "released"
    """An officer lets it through."""
    REFUSED = "refused"
    """An officer, or its customer, does not."""


MAY_ANSWER: Final[Mapping[Verdict, frozenset[Answering]]] = {
    Verdict.STEP_UP: frozenset(Answering),
    Verdict.REVIEW: frozenset({Answering.RELEASED, Answering.REFUSED}),
}
"""What may be answered after which verdict; after any other, nothing."""

Whole = npt.NDArray[np.int64]


class Described(NamedTuple):
    """A payment with its row, or None, and what lists say."""

    intended: Intended
    number: int
    is_remembered: bool
    row: Whole | None
    packed: bytes
    """The row, as `hansa.risk.packing` packs it; empty for None."""
    listed: Listed | None


def hash_rows(payments: Sequence[KeptPayment]) -> bytes:
    """Hash the rows from which a decision is replayed, in the order of its payments."""
    return hashlib.sha256(encode([each.row for each in payments])).digest()


def replay(kept: KeptDecision, loaded: Loaded, *, is_scored: bool) -> tuple[Verdict, list[str]]:
    """Decide again on what was kept, from its features.

    Args:
      kept: the decision.
      loaded: what it rested on: the policy and model of that time.
      is_scored: whether the model was asked.

    Returns:
      The verdict and the reasons, as they came out then.
    """
    described = [
        Described(
            Intended(each.payer, each.payee, each.asset, each.amount_minor),
            each.number,
            each.is_remembered,
            unpack(each.row) if each.row else None,
            each.row,
            None if each.listed is None else Listed(Verdict(each.listed[0]), each.listed[1]),
        )
        for each in kept.payments
    ]
    verdict, reasons, _ = combine(ask(loaded.scoring if is_scored else loaded.unscored, described))
    return verdict, list(reasons)


def combine(decisions: Sequence[Decision]) -> tuple[Verdict, tuple[str, ...], tuple[str, ...]]:
    """Combine decisions on the payments of one transaction.

    Returns:
      The highest verdict; reasons, those of the highest verdicts first, each once; rules on trial.
    """
    if len(decisions) == 1:
        only = decisions[0]
        return only.verdict, only.reasons[:REASONS_MAX], only.trials
    ordered = sorted(decisions, key=lambda each: -each.verdict)
    reasons = dict.fromkeys(reason for each in ordered for reason in each.reasons)
    trials = dict.fromkeys(trial for each in ordered for trial in each.trials)
    return ordered[0].verdict, tuple(reasons)[:REASONS_MAX], tuple(trials)


def ask(decider: Decider, described: Sequence[Described]) -> list[Decision]:
    """Ask a decider of each payment; of what could not be described its amount decides."""
    places = [place for place, each in enumerate(described) if each.row is not None]
    rows = [each.row for each in described if each.row is not None]
    found = [described[place].listed for place in places]
    listed = {at: each for at, each in enumerate(found) if each is not None}
    decided: dict[int, Decision] = {}
    if rows:
        decided = dict(zip(places, decider.decide_all(np.stack(rows), listed), strict=True))
    from_minor = decider.policy.unscored.review_from_minor
    return [
        decided.get(place) or decide_undescribed(each, from_minor)
        for place, each in enumerate(described)
    ]


def decide_undescribed(described: Described, from_minor: int) -> Decision:
    """Decide by its amount on a payment that could not be described."""
    verdict = Verdict.REVIEW if described.intended.amount_minor >= from_minor else Verdict.ALLOW
    reasons = [NOT_DESCRIBED]
    if described.listed is not None:
        verdict = max(verdict, described.listed.verdict)
        reasons.insert(0, f"list.{described.listed.reason}")
    return Decision(verdict, tuple(reasons), None, None)


def find_highest(decisions: Sequence[Decision]) -> int:
    """Find the highest probability of fraud, in millionths; -1 if no model was asked."""
    return max((each.ppm for each in decisions if each.ppm is not None), default=UNKNOWN_PPM)
