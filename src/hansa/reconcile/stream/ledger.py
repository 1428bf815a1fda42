"""The ledger, as reconciling as entries arrive needs it, and what it says of cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from hansa.contracts.reconciliation.cases import Case, Kind, State
from hansa.contracts.reconciliation.reconciliation import HEALED_MAX
from hansa.contracts.reconciliation.windows import Window
from hansa.kernel.contract import Command
from hansa.kernel.rows import KeyPart, Row
from hansa.reconcile.stream.closing import Outcome, list_healed
from hansa.reconcile.stream.terms import Pair

R = TypeVar("R", bound=Row)

HEALING_WINDOWS = 16
"""How many windows back a break may be whose case heals: one that became part of another, or that
was one of too many for one statement."""


class Ledger(Protocol):
    """Reads rows, and brings commands to the ledger."""

    async def find(self, row_type: type[R], keys: Sequence[tuple[KeyPart, ...]]) -> list[R | None]:
        """Find rows by their keys, each or None, all as of one height.

        Raises:
          Unavailable: the node does not answer.
        """

    async def find_out(self) -> None:
        """Find out what became of a command that was under way; asked before all else.

        Raises:
          Unavailable: it cannot be told yet.
        """

    async def submit(self, command: Command) -> None:
        """Bring a command to the ledger, and return once it is confirmed.

        Raises:
          Refused: a rule says no.
          Unavailable: it is not known whether it is confirmed.
        """


async def find_healed(
    pair: Pair, ledger: Ledger, before: Sequence[Outcome], outcome: Outcome
) -> tuple[bytes, ...]:
    """Find cases of earlier breaks that are none any more; what is too much is told later."""
    healed = list_healed([each for past in before for each in past.breaks], outcome.breaks)
    found = await ledger.find(Case, [(pair.agreement, each) for each in healed])
    return tuple(case.case_id for case in found if case and case.can_heal)[:HEALED_MAX]


async def find_written_off(pair: Pair, ledger: Ledger, outcome: Outcome) -> set[bytes]:
    """Find breaks of an agreed window that both had written off by then, as its times say.

    What both agree on later is found in the window that follows: so both banks find the same.
    """
    [window] = await ledger.find(Window, [(pair.agreement, outcome.window)])
    until_ms = 0 if window is None else window.agreed_ms
    found = await ledger.find(Case, [(pair.agreement, each.id) for each in outcome.breaks])
    return {
        case.case_id
        for case in found
        if case
        and (case.state, case.kind) == (State.RESOLVED, Kind.WRITE_OFF)
        and case.since_ms <= until_ms
    }
