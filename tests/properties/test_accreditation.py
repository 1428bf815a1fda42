"""Accreditation under any order of commands: at any time what a plain list of decisions says."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.conftest import IS_SOAK
from tests.unit.contracts.harness import START_MS, Harness, make_address, make_genesis, make_member

from hansa.contracts import members
from hansa.contracts.identity import accreditation, schemas
from hansa.contracts.identity.accreditation import (
    NETWORK,
    Accredit,
    Code,
    Fault,
    Reason,
    Reinstate,
    Revoke,
    Suspend,
)

HOUR_MS = 3_600_000
TYPE = "diploma"
ISSUERS = ("ann", "ben", "cay", "dan", "eve")
GRANTERS = ("network", *ISSUERS)
ADDRESSES = {"network": NETWORK, **{name: make_address(name) for name in ISSUERS}}
WORDS = {"suspend": Suspend, "reinstate": Reinstate, "revoke": Revoke}
NEXT = {
    ("granted", "suspend"): "suspended",
    ("suspended", "reinstate"): "granted",
    ("granted", "revoke"): "revoked",
    ("suspended", "revoke"): "revoked",
}

granters = st.sampled_from((*GRANTERS, "network"))
issuers = st.sampled_from(ISSUERS)
strangers = st.sampled_from((None, None, None, None, None, "mallory"))


@dataclass
class Decision:
    """What was said of an issuer, at a time."""

    time_ms: int
    granter: str
    state: str
    levels: int
    from_ms: int
    until_ms: int


class AccreditationMachine(RuleBasedStateMachine):
    """Five issuers and the network, all of one type of credentials."""

    @initialize()
    def begin(self) -> None:
        people = [make_member("ann", "central_bank", "validator", weight=1)]
        self.harness = Harness(make_genesis(people), members.install)
        publish = schemas.Publish(ADDRESSES["ann"], TYPE, 1, "{}", "[]")
        self.harness.do(schemas.publish, publish, "ann")
        self.said: dict[str, list[Decision]] = {name: [] for name in ISSUERS}
        self.accredit("network", "ann", 2, (0, 99), None)
        self.accredit("ann", "ben", 1, (0, 50), None)
        self.accredit("ben", "cay", 0, (0, 20), None)

    # --- the model -------------------------------------------------------------------------------

    def recall(self, issuer: str, time_ms: int) -> Decision | None:
        said = [each for each in self.said[issuer] if each.time_ms <= time_ms]
        return said[-1] if said else None

    def judge_standing(self, issuer: str, time_ms: int) -> tuple[Fault | None, str, int]:
        """Find the first fault, whose it is, and how many levels the issuer has."""
        found = self.recall(issuer, time_ms)
        if found is None:
            return (Fault.NOT_YET if self.said[issuer] else Fault.NEVER), issuer, 0
        if found.state != "granted":
            return Fault(found.state), issuer, found.levels
        if time_ms < found.from_ms:
            return Fault.NOT_YET, issuer, found.levels
        if time_ms > found.until_ms:
            return Fault.EXPIRED, issuer, found.levels
        if found.granter != "network":
            above = self.recall(found.granter, time_ms)
            fault, at, levels = self.judge_standing(found.granter, time_ms)
            is_own = fault is None or fault is Fault.NOT_ENTITLED or at != found.granter
            if is_own and above is not None and levels <= found.levels:
                return Fault.NOT_ENTITLED, found.granter, found.levels
            return fault, at if fault else issuer, found.levels
        return None, issuer, found.levels

    # --- what is tried ---------------------------------------------------------------------------

    def check(self, function, command, signer, granter, expected, *others) -> bool:
        if granter != "network" and signer:
            expected = "kernel.NOT_AUTHORIZED"
        found = self.harness.attempt(function, command, signer or granter, *others)
        assert found == expected, (command, found, expected)
        return not found

    @rule(
        granter=granters,
        issuer=issuers,
        levels=st.integers(0, 3),
        hours=st.tuples(st.sampled_from((-1, 0, 0, 0, 2)), st.sampled_from((0, 1, 5, 40))),
        stranger=strangers,
        joins=st.booleans(),
    )
    def accredit(self, granter, issuer, levels, hours, stranger, joins=False) -> None:
        now_ms = self.harness.time_ms
        times = tuple(now_ms + hour * HOUR_MS for hour in hours)
        expected = self.find_grant_fault(granter, issuer, levels, times, joins)
        command = Accredit(ADDRESSES[granter], ADDRESSES[issuer], TYPE, levels, *times)
        approved = granter == "network"
        function = accreditation.accredit_approved if approved else accreditation.accredit
        others = (issuer,) if joins and issuer != granter else ()
        if self.check(function, command, stranger, granter, expected, *others):
            self.said[issuer].append(Decision(now_ms, granter, "granted", levels, *times))

    def find_grant_fault(self, granter, issuer, levels, times, joins) -> str:
        now_ms = self.harness.time_ms
        if times[1] <= now_ms or times[0] >= times[1]:
            return Code.WRONG_TIME
        if granter != "network":
            fault, _, own = self.judge_standing(granter, now_ms)
            if fault or own <= levels:
                return Code.NOT_ENTITLED
        latest = self.recall(issuer, now_ms)
        if latest is None:
            return ""
        fault = self.judge_standing(issuer, now_ms)[0]
        is_free = latest.state == "granted" and fault in {
            Fault.EXPIRED,
            Fault.REVOKED,
            Fault.NOT_ENTITLED,
        }
        if granter not in {"network", latest.granter}:
            if not is_free:
                return Code.NOT_GRANTER
            if not joins and granter != issuer:
                return "kernel.NOT_AUTHORIZED"
        is_taken = granter == "network" != latest.granter
        return Code.WRONG_STATE if latest.state == "suspended" and not is_taken else ""

    @rule(granter=granters, issuer=issuers, word=st.sampled_from([*WORDS]), stranger=strangers)
    def judge(self, granter, issuer, word, stranger) -> None:
        latest = self.recall(issuer, self.harness.time_ms)
        if latest and stranger is None and granter != "network":
            granter = latest.granter  # rather than one of many who may not
        expected = ""
        if latest is None:
            expected = Code.UNKNOWN_GRANT
        elif granter not in {"network", latest.granter}:
            expected = Code.NOT_GRANTER
        elif (latest.state, word) not in NEXT:
            expected = Code.WRONG_STATE
        command = WORDS[word](
            ADDRESSES[granter], ADDRESSES[issuer], TYPE, Reason.REQUESTED, bytes(32)
        )
        approved = granter == "network"
        function = accreditation.judge_approved if approved else accreditation.judge
        if self.check(function, command, stranger, granter, expected):
            terms = (latest.levels, latest.from_ms, latest.until_ms)
            state = NEXT[latest.state, word]
            self.said[issuer].append(Decision(self.harness.time_ms, granter, state, *terms))

    @rule(hours=st.integers(1, 9))
    def pass_hours(self, hours) -> None:
        self.harness.pass_time(hours * HOUR_MS)

    @invariant()
    def standing_at_any_time_is_what_was_said_by_then(self) -> None:
        view = self.harness.view
        moments = {said.time_ms for each in self.said.values() for said in each}
        moments |= {said.until_ms for each in self.said.values() for said in each}
        around = {moment + step for moment in moments for step in (-1, 0, 1)}
        for time_ms in sorted(around | {START_MS - HOUR_MS, self.harness.time_ms}):
            for issuer in ISSUERS:
                view.begin()
                standing = accreditation.find_standing(view, ADDRESSES[issuer], TYPE, time_ms)
                fault, at, _ = self.judge_standing(issuer, time_ms)
                assert standing.fault == fault
                assert standing.at == ADDRESSES[at]
                assert len(standing.chain) <= 4
                if fault is None:
                    assert standing.chain[-1].granter == NETWORK


TestAccreditation = AccreditationMachine.TestCase
TestAccreditation.settings = settings(
    max_examples=500 if IS_SOAK else 40, stateful_step_count=30, deadline=None
)
