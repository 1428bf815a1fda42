"""Findings: what a verification looked at, and what came out, in words for people.

A report never stops at the first fault: whoever stands at a counter wants to know all that is
wrong. It accepts only what has no fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from hansa.identity.faults import Fault, Unsound


class Check(StrEnum):
    """What is looked at, in the order in which people read it."""

    FORMAT = "format"
    ISSUER = "issuer"
    SIGNATURE = "signature"
    VALIDITY = "validity"
    ACCREDITATION = "accreditation"
    STATUS = "status"
    BINDING = "binding"
    TRANSACTION = "transaction"
    REQUEST = "request"


class Finding(NamedTuple):
    """One thing that was looked at."""

    subject: str
    """Which credential of the request; empty for the answer as a whole."""
    check: Check
    fault: Fault | None
    """None if it holds."""
    text: str

    @classmethod
    def of(cls, subject: str, check: Check, error: Unsound) -> Finding:
        """Make the finding of something that does not hold."""
        return cls(subject, check, error.fault, error.message)


class Report(NamedTuple):
    """What a verification found."""

    findings: tuple[Finding, ...]
    claims: dict[str, list[dict[str, Any]]]
    """What was disclosed, by the id of the credential's query; empty unless it is accepted."""

    @property
    def is_accepted(self) -> bool:
        """Whether everything that was looked at holds; a report of nothing accepts nothing."""
        return bool(self.findings) and all(each.fault is None for each in self.findings)


def list_faults(findings: Sequence[Finding]) -> list[str]:
    """List in words what does not hold."""
    return [
        f"{each.subject}: {each.text}" if each.subject else each.text
        for each in findings
        if each.fault is not None
    ]
