"""Examination of a presentation: each step a finding, and what is left for judgement.

What a presentation must be its format says: `formats` holds one module for each.

Source: OpenID4VP 1.0, sections 8.6, 14.1 and appendix B.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

from hansa.identity.data_integrity.contexts import Contexts, load_pinned
from hansa.identity.faults import Unsound
from hansa.identity.sd_jwt.verification import Challenge
from hansa.identity.verifier.findings import Check, Finding
from hansa.identity.verifier.judgement import Judged
from hansa.identity.verifier.registry import IssuerKey, Registry

T = TypeVar("T")


class Asked(NamedTuple):
    """What a presentation must answer."""

    subject: str
    """The id of the query."""
    challenge: Challenge
    needs_binding: bool
    transactions: tuple[str, ...]
    """Transaction data that this credential must authorise, as they stood in the request."""
    transcript: bytes
    """The session transcript that a mobile document's device signs."""
    meta: Mapping[str, Any] = MappingProxyType({})
    """What the query says of the credential, in the words of its format."""
    load_contexts: Callable[[], Contexts] = load_pinned
    """Gives the contexts that credentials in JSON-LD may name."""


class Examined(NamedTuple):
    """What was found of one presentation; without `judged` there is nothing to go on with."""

    findings: list[Finding]
    judged: Judged | None


class Examine(Protocol):
    """Examines presentations of one format."""

    async def __call__(
        self, presented: object, asked: Asked, registry: Registry, now_ms: int
    ) -> Examined:
        """Examine one presentation; raises `Unavailable` where the registry does not answer."""


class Steps:
    """Takes steps, and notes for each whether it holds."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.findings: list[Finding] = []

    def take(self, check: Check, text: str, step: Callable[[], T]) -> T | None:
        """Take a step and note its fault, or that it holds, in these words."""
        try:
            result = step()
        except Unsound as error:
            self.findings.append(Finding.of(self.subject, check, error))
            return None
        self.findings.append(Finding(self.subject, check, None, text))
        return result

    def refuse(self, check: Check, error: Unsound) -> None:
        """Note what does not hold."""
        self.findings.append(Finding.of(self.subject, check, error))

    async def find_issuer(
        self, registry: Registry, issuer: str | None, header: Mapping[str, Any], time_ms: int
    ) -> IssuerKey | None:
        """Ask whose key it is; only that nobody knows it is a finding.

        What an issuer dates back to before all records is looked for at their beginning.
        """
        try:
            return await registry.find_issuer_key(issuer, header, max(time_ms, 0))
        except Unsound as error:
            self.refuse(Check.ISSUER, error)
            return None
