"""The demo's council: what the town's institutions propose, vote on, veto and carry out.

The weights are 3 of the central bank and 2 of each other member, 11 together; 8 carry a change of
policy or of members. Time locks are those of every new network, a day: so the council meets two
days before the town's day, carries out what passed a day later, and meets again on the day itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hansa.contracts import governance
from hansa.contracts.actions import Action, AdmitMember, SetPolicy
from hansa.contracts.identity import accreditation
from hansa.contracts.members import Role
from hansa.contracts.proposals import DAY_MS, HOUR_MS
from hansa.kernel.contract import Command
from hansa.node.demo.papers import CERTIFICATE, LICENCE, RESIDENT
from hansa.node.demo.town import (
    BANK,
    HARBOUR,
    ISLAND,
    OFFICE,
    OFFICERS_NEEDED,
    REGULATOR,
    RIVER,
    Act,
    Stage,
    Town,
)

FIRST_MEETING_MS = 2 * DAY_MS
"""How long before the day the council first meets."""
CARRIED_OUT_MS = FIRST_MEETING_MS - DAY_MS - HOUR_MS
"""How long before the day its decision is carried out: an hour after the lock."""
ACCREDITED_MS = 3 * 365 * DAY_MS
"""How long after the day an accreditation ends."""
IN_FORCE_MS = CARRIED_OUT_MS // 2
"""How long before the day that decision takes effect."""


@dataclass(frozen=True, slots=True)
class Motion:
    """One proposal, and who votes on it how; the proposer approves it by making it."""

    number: int
    """As the ledger gives it: a meeting's motions stand in the order of their proposers."""
    proposer: int
    action: Action
    approving: tuple[int, ...] = ()
    rejecting: tuple[int, ...] = ()
    is_carried_out: bool = False


class Council:
    """The institutions of a town, as they govern it."""

    def __init__(self, town: Town, day_ms: int) -> None:
        self._town = town
        self._day_ms = day_ms
        """Wall clock at the beginning of the town's day."""

    def stages(self) -> Iterator[Stage]:
        """Yield the stages, earliest first."""
        first, second = self._list_first(), self._list_second()
        before = FIRST_MEETING_MS
        yield Stage("two days before: members propose changes", self._propose(first), before)
        yield Stage("members vote: some pass, one fails", self._vote(first), before)
        veto = governance.Veto(3, self._town.institutions[BANK].address)
        yield Stage("the central bank vetoes a third", [self._act(BANK, veto)], before)
        executed = [
            self._act(motion.proposer, governance.Execute(motion.number))
            for motion in first
            if motion.is_carried_out
        ]
        yield Stage("a day later: what passed is carried out", executed, CARRIED_OUT_MS)
        yield Stage("today: members propose two more", self._propose(second))
        yield Stage("members vote on them", self._vote(second))

    def _list_first(self) -> tuple[Motion, ...]:
        day_ms = self._day_ms
        year_doubled = (1_000_000, 200_000, 500_000, 10_000_000)
        in_force_ms = day_ms - IN_FORCE_MS
        return (
            Motion(
                1,
                BANK,
                _set_policy("wallet.limits.4", in_force_ms, *year_doubled),
                approving=(HARBOUR, RIVER, ISLAND),
                is_carried_out=True,
            ),
            Motion(
                2,
                HARBOUR,
                _set_policy("payments.hold_days_max", day_ms + 7 * DAY_MS, 90),
                rejecting=(BANK, RIVER),
            ),
            Motion(
                3,
                RIVER,
                _set_policy("payments.refund_days", day_ms + 7 * DAY_MS, 30),
                approving=(HARBOUR, ISLAND, REGULATOR),
            ),
            self._accredit(4, RESIDENT, 0),
            self._accredit(5, LICENCE, 0),
            self._accredit(6, CERTIFICATE, 1),
        )

    def _list_second(self) -> tuple[Motion, ...]:
        guild = self._town.newcomer.address
        admit = AdmitMember(guild, "Merchants’ Guild", (Role.ACQUIRER,), 0, (), 1)
        return (
            Motion(7, BANK, Action.of("admit_member", admit), approving=(HARBOUR, RIVER, ISLAND)),
            Motion(
                8,
                REGULATOR,
                _set_policy("payments.attestation_from_minor", self._day_ms + 30 * DAY_MS, 500_000),
                approving=(BANK,),
                rejecting=(RIVER,),
            ),
        )

    def _accredit(self, number: int, credential_type: str, may_accredit: int) -> Motion:
        """Let the identity office issue a type of credentials, and let others, so deep."""
        accredit = accreditation.Accredit(
            accreditation.NETWORK,
            self._town.institutions[OFFICE].address,
            credential_type,
            may_accredit,
            0,
            self._day_ms + ACCREDITED_MS,
        )
        return Motion(
            number,
            ISLAND,
            Action.of("accredit", accredit),
            approving=(BANK, HARBOUR, REGULATOR),
            is_carried_out=True,
        )

    def _propose(self, motions: tuple[Motion, ...]) -> list[Act]:
        institutions = self._town.institutions
        return [
            self._act(
                motion.proposer,
                governance.Propose(institutions[motion.proposer].address, motion.action),
            )
            for motion in motions
        ]

    def _vote(self, motions: tuple[Motion, ...]) -> list[Act]:
        return [
            self._act(
                voter,
                governance.Vote(
                    motion.number,
                    self._town.institutions[voter].address,
                    approve=voter in motion.approving,
                ),
            )
            for motion in motions
            for voter in (*motion.approving, *motion.rejecting)
        ]

    def _act(self, member: int, command: Command) -> Act:
        """Have a member do something, brought in by its own server."""
        is_bank = member == BANK
        officers = self._town.officers[:OFFICERS_NEEDED]
        keys = officers if is_bank else (self._town.institutions[member],)
        return Act(keys, (command,), member)


def _set_policy(key: str, effective_ms: int, *values: int) -> Action:
    return Action.of("set_policy", SetPolicy(key, effective_ms, values))
