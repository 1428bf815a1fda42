"""Tiers under any order of commands: one person never lifts two open wallets at one operator."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.conftest import IS_SOAK
from tests.unit.contracts.harness import Harness, make_address, make_genesis, make_member

from hansa.contracts import members, policy, wallets
from hansa.contracts.identity import tiers
from hansa.contracts.identity.tiers import Code, Lift, Lower, Nullifier, Raise, Reason, Sweep
from hansa.contracts.members import Role
from hansa.contracts.wallets import Category, Wallet

HOUR_MS = 3_600_000
OPERATORS = ("north", "south")
WALLETS = ("a", "b", "c", "d")
KEPT_BY = {"a": "north", "b": "north", "c": "south", "d": "north"}
PEOPLE = (1, 2)

wallet_names = st.sampled_from(WALLETS)
categories = st.sampled_from((Category.I, Category.II, Category.III))


def name_nullifier(operator, person, category) -> bytes:
    """As of a credential that names each person to each operator in another way."""
    return bytes([OPERATORS.index(operator), person, category]) + bytes(29)


class TiersMachine(RuleBasedStateMachine):
    """Two people with credentials, four wallets, two operators; a model that knows who is who."""

    @initialize()
    def begin(self) -> None:
        people = [make_member("bank", Role.CENTRAL_BANK, Role.VALIDATOR, weight=1)]
        people += [make_member(name, Role.OPERATOR) for name in OPERATORS]
        self.harness = Harness(make_genesis(people), members.install, policy.install)
        self.given: dict[str, Category] = {}
        self.closed: set[str] = set()
        self.lifts: dict[str, tuple[int, Category, int]] = {}
        """By wallet: person, category, last moment; whether it counts, time says."""
        for name, operator in KEPT_BY.items():
            command = wallets.Open(make_address(name), make_address(operator), Category.IV)
            self.harness.do(wallets.open_wallet, command, operator)
            self.given[name] = Category.IV

    def find(self, name) -> tuple[int, Category, int] | None:
        lift = self.lifts.get(name)
        is_over = lift is None or self.harness.time_ms > lift[2] or name in self.closed
        return None if is_over else lift

    def find_category(self, name) -> Category:
        lift = self.find(name)
        return self.given[name] if lift is None else min(self.given[name], lift[1])

    def check(self, function, command, signer, expected) -> bool:
        found = self.harness.attempt(function, command, signer)
        assert found == expected, (command, found, expected)
        return not found

    @rule(
        name=wallet_names,
        person=st.sampled_from(PEOPLE),
        category=categories,
        hours=st.integers(0, 12),
    )
    def lift(self, name, person, category, hours) -> None:
        operator, now_ms = KEPT_BY[name], self.harness.time_ms
        until_ms = now_ms + hours * HOUR_MS
        command = Raise(
            make_address(name),
            make_address(operator),
            category,
            name_nullifier(operator, person, category),
            bytes(32),
            now_ms,
            until_ms,
        )
        others = [
            other
            for other in WALLETS
            if other != name
            and KEPT_BY[other] == operator
            and (lift := self.find(other))
            and lift[:2] == (person, category)
        ]
        expected = ""
        if name in self.closed:
            expected = wallets.Code.CLOSED
        elif hours == 0:
            expected = Code.WRONG_TIME
        elif category >= self.given[name] or category > self.find_category(name):
            expected = Code.NOT_BETTER
        elif others:
            expected = Code.NULLIFIER_USED
        if self.check(tiers.raise_wallet, command, operator, expected):
            self.lifts[name] = (person, category, until_ms)

    @rule(name=wallet_names, reason=st.sampled_from(list(Reason)))
    def lower(self, name, reason) -> None:
        operator = KEPT_BY[name]
        expected = ""
        if name in self.closed:
            expected = wallets.Code.CLOSED
        elif self.find(name) is None:
            expected = Code.NOT_LIFTED
        command = Lower(make_address(name), make_address(operator), reason)
        if self.check(tiers.lower_wallet, command, operator, expected):
            del self.lifts[name]

    @rule(name=wallet_names)
    def sweep(self, name) -> None:
        expected = ""
        if name not in self.lifts:
            expected = Code.NOT_LIFTED
        elif self.find(name):
            expected = Code.STILL_IN_TIME
        if self.check(tiers.sweep, Sweep(make_address(name)), "anybody", expected):
            del self.lifts[name]

    @rule(name=wallet_names, category=st.sampled_from(list(Category)))
    def give(self, name, category) -> None:
        command = wallets.SetCategory(make_address(name), category)
        expected = wallets.Code.CLOSED if name in self.closed else ""
        if self.check(wallets.set_category, command, KEPT_BY[name], expected):
            self.given[name] = category

    @rule(name=wallet_names, unlikely=st.integers(0, 3))
    def close(self, name, unlikely) -> None:
        if unlikely:
            return
        expected = wallets.Code.CLOSED if name in self.closed else ""
        if self.check(wallets.close, wallets.Close(make_address(name)), name, expected):
            self.closed.add(name)

    @rule(passed=st.integers(1, 6))
    def pass_hours(self, passed) -> None:
        self.harness.pass_time(passed * HOUR_MS)

    @invariant()
    def no_person_lifts_two_wallets(self) -> None:
        now_ms = self.harness.time_ms
        seen: set[tuple[str, bytes]] = set()
        for name, operator in KEPT_BY.items():
            self.harness.view.begin()
            lift = tiers.find_lift(self.harness.view, make_address(name), now_ms)
            known = self.find(name)
            assert (lift is None) is (known is None)
            wallet = self.harness.get(Wallet, make_address(name))
            if name not in self.closed:
                assert wallets.get_category(wallet, now_ms) is self.find_category(name)
            if lift is None:
                continue
            assert (operator, lift.nullifier) not in seen
            seen.add((operator, lift.nullifier))
            used = self.harness.get(Nullifier, make_address(operator), lift.nullifier)
            assert used.wallet == make_address(name)

    @invariant()
    def no_nullifier_is_kept_without_a_lift(self) -> None:
        rows = self.harness.rows
        lifts = sum(key.startswith(Lift.TABLE) for key in rows)
        nullifiers = sum(key.startswith(Nullifier.TABLE) for key in rows)
        assert nullifiers <= lifts == len(self.lifts)


TestTiers = TiersMachine.TestCase
TestTiers.settings = settings(
    max_examples=1_000 if IS_SOAK else 80, stateful_step_count=40, deadline=None
)
