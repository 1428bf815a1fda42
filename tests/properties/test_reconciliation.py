"""Two banks post, advance, bracket and agree in any order; a simple model says what must stand.

What matches of a tag is the smaller of what both posted, what is open is the rest; nothing hangs
on the order in which entries came; a refusal writes nothing (the harness holds that); and in the
end everything can be swept to the last row.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.conftest import IS_SOAK
from tests.unit.contracts.reconciliation.pair import (
    BANKS,
    DIGEST,
    LEFT,
    PAIR,
    agree_on,
    found,
    make_bracketed,
    make_post,
    make_statement,
    make_tag,
    pass_keep_time,
)

from hansa.contracts.reconciliation import agreements, cases, reconciliation, windows
from hansa.contracts.reconciliation.reconciliation import Advance, Bracket, Sweep
from hansa.contracts.reconciliation.windows import BucketCount, TagCount, Window, compute_chain
from hansa.kernel.crypto.hashing import ZERO_HASH

NAMES = st.sampled_from(["left", "right"])
WINDOWS = st.integers(0, 2)
NUMBERS = st.lists(st.integers(1, 4), min_size=1, max_size=4)


class Pair(RuleBasedStateMachine):
    """Two banks under an agreement."""

    @initialize()
    def begin(self) -> None:
        self.harness = agree_on(found())
        self.posted: dict[tuple[str, int], list[int]] = {}
        self.marks = {"left": 0, "right": 0}
        self.agreed = 0
        self.cases: dict[bytes, int] = {}
        self.healed: Counter[int] = Counter()

    @rule(name=NAMES, window=WINDOWS, numbers=NUMBERS)
    def post(self, name: str, window: int, numbers: list[int]) -> None:
        command = make_post(name, window, *numbers)
        code = self.harness.attempt(reconciliation.post, command, name)
        assert (code == "") is (window >= self.agreed)
        if not code:
            before = self.count_matched(window)
            self.posted.setdefault((name, window), []).extend(numbers)
            if window < min(self.marks.values()):
                self.healed[window] += self.count_matched(window) - before

    @rule(name=NAMES, window=st.integers(0, 3))
    def advance(self, name: str, window: int) -> None:
        command = Advance(PAIR, BANKS[name], window)
        code = self.harness.attempt(reconciliation.advance, command, name)
        assert (code == "") is (window > self.marks[name])
        self.marks[name] = max(window, self.marks[name])

    @rule(name=NAMES, window=WINDOWS, number=st.integers(1, 4), bucket=st.integers(1, 3))
    def bracket(self, name: str, window: int, number: int, bucket: int) -> None:
        row = self.harness.get(TagCount, PAIR, window, make_tag(number))
        command = Bracket(PAIR, BANKS[name], window, (make_bracketed(number, bucket),))
        code = self.harness.attempt(reconciliation.bracket, command, name)
        own = self.count(name, window)[number]
        other = self.count("right" if name == "left" else "left", window)[number]
        is_new = row is not None and not (row.left if name == "left" else row.right).is_bracketed
        is_time = self.agreed <= window < min(self.marks.values())
        assert (code == "") is (is_time and own > other and is_new)

    @rule(name=NAMES, window=WINDOWS, number=st.integers(0, 5))
    def open_case(self, name: str, window: int, number: int) -> None:
        case_id = bytes([window, number]) * 16
        command = cases.Open(PAIR, BANKS[name], window, case_id)
        code = self.harness.attempt(cases.open_case, command, f"{name}1")
        if not code:
            assert window < min(self.marks.values())
            assert case_id not in self.cases
            self.cases[case_id] = window

    @rule(window=WINDOWS, is_same=st.booleans())
    def agree(self, window: int, is_same: bool) -> None:
        is_time = window == self.agreed < min(self.marks.values())
        for name in BANKS:
            command = make_statement(self.harness, name, window, *sorted(self.cases)[:2])
            if not is_same:
                command = reconciliation.Agree(*list_fields(command)[:5], BANKS[name], ())
            code = self.harness.attempt(reconciliation.agree, command, name)
            assert (code == "") is is_time
        self.agreed += is_time and is_same

    def count(self, name: str, window: int) -> Counter[int]:
        return Counter(self.posted.get((name, window), []))

    def count_matched(self, window: int) -> int:
        return (self.count("left", window) & self.count("right", window)).total()

    @invariant()
    def figures_are_those_of_the_entries(self) -> None:
        for window in range(3):
            left, right = self.count("left", window), self.count("right", window)
            row = self.harness.get(Window, PAIR, window)
            matched = (left & right).total()
            if row is None:
                assert not left
                assert not right
                continue
            assert (row.matched, row.healed) == (matched, self.healed[window])
            assert row.left.entries == left.total()
            assert row.right.entries == right.total()
            assert row.left.open == left.total() - matched == (left - right).total()
            assert row.right.open == (right - left).total()
            breaks = row.left.open + row.right.open + row.healed
            assert max(row.left.cases, row.right.cases) <= breaks
            for number in left | right:
                self.check_tag(window, number, left[number], right[number])

    def check_tag(self, window: int, number: int, left: int, right: int) -> None:
        row = self.harness.get(TagCount, PAIR, window, make_tag(number))
        assert row is not None
        for tally, entries in ((row.left, left), (row.right, right)):
            chain = ZERO_HASH
            for _ in range(entries):
                chain = compute_chain(chain, DIGEST(bytes([number])), DIGEST)
            assert (tally.entries, tally.chain) == (entries, chain)

    def teardown(self) -> None:
        """End it all, and sweep to the last row."""
        harness = self.harness
        harness.do(agreements.end, agreements.End(PAIR, LEFT), "left1")
        pass_keep_time(harness)
        for case_id in self.cases:
            harness.do(cases.sweep, cases.Sweep(PAIR, case_id), "eve")
        for window in range(3):
            if harness.get(Window, PAIR, window) is None:
                continue
            tags = [make_tag(number) for number in range(1, 5)]
            buckets = [make_tag(1_000 + bucket) for bucket in range(1, 4)]
            tags = [tag for tag in tags if harness.get(TagCount, PAIR, window, tag)]
            buckets = [each for each in buckets if harness.get(BucketCount, PAIR, window, each)]
            harness.do(
                reconciliation.sweep, Sweep(PAIR, window, tuple(tags), tuple(buckets)), "eve"
            )
        harness.do(agreements.sweep, agreements.Sweep(PAIR), "eve")
        tables = {b"ra", b"rp", b"rw", b"rt", b"rb", b"bk", b"rn"}
        assert not [key for key in harness.rows if key[:2] in tables]
        assert windows.find_progress(harness.view, PAIR) is None


def list_fields(command: reconciliation.Agree) -> list[object]:
    return [getattr(command, name) for name in command.__struct_fields__]


TestReconciliation = Pair.TestCase
TestReconciliation.settings = settings(
    max_examples=1_000 if IS_SOAK else 40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
