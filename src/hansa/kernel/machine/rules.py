"""What the kernel asks of the contracts as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hansa.kernel.contract import Contract
from hansa.kernel.machine.state import View
from hansa.kernel.quota import Quota


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
