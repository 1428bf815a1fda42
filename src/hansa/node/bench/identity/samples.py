"""The credential that is measured, ours and others': ten claims, each of a few words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hansa.identity.data_integrity.contexts import CREDENTIALS_V2
from hansa.identity.sd_jwt.verification import Challenge

Measure = Callable[[Callable[[], object]], int]
"""Measures how often a step is done a second of processor time."""

ROUNDS = 10
"""Of each rate: the best counts."""
ROUND_S = 0.01
"""A round takes so long at least: where there is no time for ten, there are fewer."""
NOW_MS = 1_800_000_000_000
NOW = NOW_MS // 1_000
VALID_S = 1_000
CLAIMS = {f"claim_{number}": f"value of claim {number}" for number in range(10)}
TYPE = "urn:example:bench"
CHALLENGE = Challenge("https://verifier.example", "nonce")
CONTEXT = "https://hansa.example/bench/v1"
TERMS = {name: f"https://hansa.example/bench#{name}" for name in CLAIMS}
METHOD = "did:example:issuer#key"
DOCUMENT: dict[str, Any] = {
    "@context": [CREDENTIALS_V2, CONTEXT],
    "type": ["VerifiableCredential"],
    "issuer": "did:example:issuer",
    "validFrom": "2026-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:subject", **CLAIMS},
}
SHOWN = ["/credentialSubject/claim_1", "/credentialSubject/claim_2"]
"""What is shown where a credential is not shown whole."""


def count_rounds(seconds: float) -> int:
    """Count the rounds of a rate that is measured for so many seconds of processor time."""
    return max(1, min(ROUNDS, int(seconds / ROUND_S)))
