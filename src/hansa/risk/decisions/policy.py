"""An operator's policy: from which probability on a payment is stopped, and what if none is told.

Source: docs/reference/risk-policy.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.models.calibration import MILLION
from hansa.risk.screening.entries import THRESHOLD
from hansa.shapes import Unread, read_toml

POLICY_BYTES_MAX = 1 << 14
NEVER_PPM = MILLION + 1
"""As a threshold: no probability reaches it."""

Ppm = Annotated[int, Meta(ge=1, le=NEVER_PPM)]
Score = Annotated[int, Meta(ge=500_000, le=NEVER_PPM)]
"""Of names that are alike, in millionths; below, whoever is asked about would be a hit."""
Minor = Annotated[int, Meta(ge=0, le=2**53)]


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Probabilities of fraud, in millionths, from which on the model's verdict is each of these."""

    step_up_ppm: Ppm = NEVER_PPM
    review_ppm: Ppm = NEVER_PPM
    block_ppm: Ppm = NEVER_PPM


class Unscored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of a payment that no model could score: open below an amount, closed above."""

    review_from_minor: Minor = 0
    """From here on an officer looks at it; below, it passes, with that reason."""


class Screening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of payments from and to customers whose names are hits of sanctions lists."""

    review_score: Score = THRESHOLD
    """From here on an officer looks at them."""
    block_score: Score = NEVER_PPM
    """From here on they are blocked; never by itself, as a name alone proves nothing."""


class Waiting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a payment that was not allowed waits, before it expires."""

    step_up_minutes: Annotated[int, Meta(ge=1, le=24 * 60)] = 10
    review_minutes: Annotated[int, Meta(ge=1, le=30 * 24 * 60)] = 24 * 60


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy file."""

    version: Annotated[int, Meta(ge=1, le=2**31)]
    thresholds: Thresholds = Thresholds()
    unscored: Unscored = Unscored()
    waiting: Waiting = Waiting()
    screening: Screening = Screening()
    reasons_max: Annotated[int, Meta(ge=0, le=10)] = 3
    """Features that a decision names at most."""


def load_policy(raw: bytes, name: str) -> Policy:
    """Load a policy file.

    Args:
      raw: its content, TOML.
      name: what it is called in errors.

    Raises:
      Invalid: it is no TOML, has an unknown key or value, or thresholds that do not rise.
    """
    try:
        return read_toml(raw, Policy, bytes_max=POLICY_BYTES_MAX, find_faults=_find_faults)
    except Unread as error:
        raise Invalid(InvalidCode.MALFORMED, f"{name}: {error}") from None


def _find_faults(policy: Policy) -> Iterator[str]:
    given = [each for each in msgspec.structs.astuple(policy.thresholds) if each != NEVER_PPM]
    if given != sorted(given):
        yield "thresholds: step_up_ppm, review_ppm and block_ppm must not fall, in this order"
    if policy.screening.review_score > policy.screening.block_score:
        yield "screening: block_score must not be below review_score"
