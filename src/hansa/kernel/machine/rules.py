"""What the kernel asks of the contracts as a whole, and which versions of its own rules it knows.

The rules of kernel and engine (what a block may hold, what execution counts, what a header names)
are put in force like a contract, under the name `rules`, at one height on all nodes. A change of
them adds a version here, and the code asks `contracts[RULES].version` of the block at hand; what
the versions before did stays, for replay.

Source: docs/reference/governance.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Protocol

from hansa.kernel.contract import Contract
from hansa.kernel.machine.state import View
from hansa.kernel.quota import Quota

RULES = "rules"
"""Under this name; a contract without commands."""

VERSIONS: Mapping[int, str] = {1: "release 0.1: docs/reference/wire.md"}
"""The versions that this program knows, and the release and page that say what each is."""


def hash_rules(text: str) -> bytes:
    """Hash a version's text: what governance activates, and validators report."""
    return hashlib.sha256(text.encode()).digest()


class Rules(Protocol):
    """What the kernel asks of the contracts as a whole; see `hansa.contracts.registry`."""

    def install(self, view: View) -> None:
        """Write the rows that genesis names."""

    def active_contracts(self, view: View, height: int) -> Mapping[str, Contract]:
        """Get the contracts in force at `height`, by name; `Unavailable` if code is missing."""

    def sponsor_quota(self, view: View, sponsor: bytes, time_ms: int) -> Quota | None:
        """Get what `sponsor` may use; None if it is no active member."""

    def validators(self, view: View) -> tuple[tuple[bytes, int], ...]:
        """Get (consensus key, power) of who votes on blocks, sorted by key; none if sealed."""

    def written_once(self) -> list[bytes]:
        """List the tables of rows that are written once, as a rule, and not kept in memory."""
