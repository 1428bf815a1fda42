"""Consent under any order of commands: nobody is allowed what the holder did not allow."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.conftest import IS_SOAK
from tests.unit.contracts.harness import START_MS, Harness, make_address

from hansa.contracts.identity import consent
from hansa.contracts.identity.consent import (
    Code,
    Delegate,
    Give,
    RecordExchange,
    Revoke,
    Sweep,
    compute_id,
)
from hansa.kernel.crypto.hashing import crypto_profile

PEOPLE = ("ann", "bank", "agent", "taxes")
TERMS = tuple(bytes([number]) * 32 for number in (1, 2))
DIGEST = crypto_profile("sha256").digest
IDS = {
    (name, terms): compute_id(make_address(name), terms, DIGEST)
    for name in PEOPLE
    for terms in TERMS
}
NAMES = tuple(IDS)
HOUR_MS = 3_600_000

people = st.sampled_from(PEOPLE)
terms_ = st.sampled_from(TERMS)
picks = st.integers(0, 15)
"""Most pick a consent on record, whatever their number."""
strangers = st.sampled_from((None, None, None, None, *PEOPLE))
"""Who signs instead of the right one, if anybody."""
limits = st.tuples(
    st.sampled_from((-1, 0, 0, 2)),
    st.sampled_from((0, 3, 20, 20, 40)),
    st.sampled_from((0, 1, 2, 3)),
    st.sampled_from((0, 1, 2, 3, 3)),
)
"""From and until, in hours from now; uses; delegations."""


@dataclass
class Permission:
    """What the model knows of one consent."""

    holder: str
    recipient: str
    from_ms: int
    until_ms: int
    uses_max: int
    delegations: int
    parent: tuple[str, bytes] | None = None
    uses: int = 0
    revoked: bool = False


class ConsentMachine(RuleBasedStateMachine):
    """Four people who allow one another things; signers are right or wrong."""

    @initialize()
    def begin(self) -> None:
        self.harness = Harness()
        self.known: dict[tuple[str, bytes], Permission] = {}
        """Those on record, over or not."""
        self.give("ann", "bank", TERMS[0], (0, 40, 0, 3), None)
        self.give("taxes", "bank", TERMS[0], (-1, 20, 1, 2), None)
        self.delegate(0, "agent", TERMS[0], (0, 40, 2, 1), 0)

    def check(self, function, command, signers, expected) -> bool:
        found = self.harness.attempt(function, command, *signers)
        assert found == expected, (command, found, expected)
        return not found

    def pick(self, number) -> tuple[str, bytes]:
        known = [*self.known]
        return known[number % len(known)] if known and number < 12 else NAMES[number % len(NAMES)]

    def find(self, name) -> Permission | None:
        found = self.known.get(name)
        return found if found and self.harness.time_ms <= found.until_ms else None

    def climb(self, name) -> list[Permission]:
        chain = []
        while name is not None:
            chain.append(self.known[name])
            name = chain[-1].parent
        return chain

    def find_bounds_fault(self, giver, recipient, from_ms, until_ms) -> str:
        if giver == recipient:
            return Code.SAME_PARTY
        is_sound = until_ms > self.harness.time_ms and from_ms <= until_ms
        return "" if is_sound else Code.WRONG_TIME

    def times(self, limits) -> tuple[int, int]:
        return tuple(self.harness.time_ms + hour * HOUR_MS for hour in limits[:2])

    @rule(holder=people, recipient=people, terms=terms_, limits=limits, stranger=strangers)
    def give(self, holder, recipient, terms, limits, stranger) -> None:
        signers = (stranger or holder,)
        times = self.times(limits)
        expected = self.find_bounds_fault(holder, recipient, *times)
        if holder not in signers:
            expected = "kernel.NOT_AUTHORIZED"
        elif not expected and self.find((holder, terms)):
            expected = Code.CONSENT_EXISTS
        parties = (make_address(holder), make_address(recipient))
        command = Give(*parties, terms, *times, *limits[2:])
        if self.check(consent.give, command, signers, expected):
            self.known[holder, terms] = Permission(holder, recipient, *times, *limits[2:])

    @rule(pick=picks, recipient=people, terms=terms_, limits=limits, knows=picks)
    def delegate(self, pick, recipient, terms, limits, knows) -> None:
        name = self.pick(pick)
        parent = self.find(name)
        times = self.times(limits)
        if parent and knows:  # most look at what they hand on
            times = (max(parent.from_ms, times[0]), min(parent.until_ms, times[1]))
            uses = min(limits[2] or parent.uses_max, parent.uses_max or limits[2])
            limits = (0, 0, uses, min(limits[3], max(parent.delegations - 1, 0)))
        giver = parent.recipient if parent else "ann"
        expected = self.find_delegation_fault(name, giver, recipient, terms, times, limits)
        command = Delegate(IDS[name], make_address(recipient), terms, *times, *limits[2:])
        if self.check(consent.delegate, command, (giver,), expected):
            self.known[giver, terms] = Permission(
                parent.holder, recipient, *times, *limits[2:], name
            )

    def find_delegation_fault(self, name, giver, recipient, terms, times, limits) -> str:
        parent = self.find(name)
        if parent is None:
            return Code.UNKNOWN_CONSENT
        if any(link.revoked for link in self.climb(name)):
            return Code.REVOKED
        if parent.delegations == 0:
            return Code.MAY_NOT_DELEGATE
        fault = self.find_bounds_fault(giver, recipient, *times)
        if fault:
            return fault
        is_within = (
            parent.from_ms <= times[0]
            and times[1] <= parent.until_ms
            and limits[3] < parent.delegations
            and (not parent.uses_max or 1 <= limits[2] <= parent.uses_max)
        )
        if not is_within:
            return Code.TOO_WIDE
        return Code.CONSENT_EXISTS if self.find((giver, terms)) else ""

    @rule(pick=picks, provider=people, stranger=strangers)
    def exchange(self, pick, provider, stranger) -> None:
        name = self.pick(pick)
        found = self.find(name)
        recipient = found.recipient if found else "bank"
        signers = (stranger,) if stranger else (provider, recipient)
        expected = self.find_exchange_fault(name, provider, recipient, signers)
        command = RecordExchange(IDS[name], make_address(provider), bytes(32))
        if self.check(consent.record_exchange, command, signers, expected):
            for link in self.climb(name):
                link.uses += 1

    def find_exchange_fault(self, name, provider, recipient, signers) -> str:
        if provider not in signers:
            return "kernel.NOT_AUTHORIZED"
        if self.find(name) is None:
            return Code.UNKNOWN_CONSENT
        chain = self.climb(name)
        if any(link.revoked for link in chain):
            return Code.REVOKED
        if recipient not in signers:
            return "kernel.NOT_AUTHORIZED"
        if any(self.harness.time_ms < link.from_ms for link in chain):
            return Code.NOT_YET
        if any(link.uses_max and link.uses == link.uses_max for link in chain):
            return Code.NO_USES_LEFT
        return Code.SAME_PARTY if provider == recipient else ""

    @rule(pick=picks, revoker=people, stranger=strangers)
    def revoke(self, pick, revoker, stranger) -> None:
        name, signers = self.pick(pick), (stranger or revoker,)
        found = self.find(name)
        expected = ""
        if revoker not in signers:
            expected = "kernel.NOT_AUTHORIZED"
        elif found is None:
            expected = Code.UNKNOWN_CONSENT
        elif revoker not in (name[0], found.holder):
            expected = Code.NOT_A_PARTY
        elif found.revoked:
            expected = Code.REVOKED
        if self.check(consent.revoke, Revoke(IDS[name], make_address(revoker)), signers, expected):
            found.revoked = True

    @rule(pick=picks)
    def sweep(self, pick) -> None:
        name = self.pick(pick)
        expected = ""
        if name not in self.known:
            expected = Code.UNKNOWN_CONSENT
        elif self.find(name):
            expected = Code.STILL_IN_TIME
        if self.check(consent.sweep, Sweep(IDS[name]), ("anybody",), expected):
            del self.known[name]

    @rule(passed=st.integers(1, 6))
    def pass_hours(self, passed) -> None:
        self.harness.pass_time(passed * HOUR_MS)

    @invariant()
    def what_is_allowed_is_allowed_by_the_holder(self) -> None:
        view = self.harness.view
        view.begin()
        for name in NAMES:
            row = consent.find_consent(view, IDS[name], self.harness.time_ms)
            found = self.find(name)
            assert (row is None) is (found is None)
            if found is None:
                continue
            assert (row.uses, bool(row.revoked_ms)) == (found.uses, found.revoked)
            assert (row.from_ms, row.until_ms) == (found.from_ms, found.until_ms)
            assert (row.uses_max, row.delegations) == (found.uses_max, found.delegations)
            for below, above in pairwise(self.climb(name)):
                assert above.from_ms <= below.from_ms
                assert below.until_ms <= above.until_ms
                assert below.delegations < above.delegations
                assert not above.uses_max or 0 < below.uses_max <= above.uses_max
                assert below.uses <= above.uses
            first = self.climb(name)[-1]
            assert first.parent is None
            assert first.holder == found.holder
            assert found.until_ms <= first.until_ms
            assert not first.uses_max or found.uses <= first.uses <= first.uses_max
            assert found.until_ms > START_MS


TestConsent = ConsentMachine.TestCase
TestConsent.settings = settings(
    max_examples=1_000 if IS_SOAK else 80, stateful_step_count=40, deadline=None
)
