"""Status lists under any order of commands: packed and hashed as a plain list of numbers says."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.conftest import IS_SOAK
from tests.unit.contracts.harness import Harness, make_address

from hansa.contracts.identity import status
from hansa.contracts.identity.status import Bits, Code, CreateList, Reinstate, Revoke, Suspend
from hansa.kernel.crypto.hashing import crypto_profile

DIGEST = crypto_profile("sha256").digest
OFFICES = ("office", "school")
FOLLOWS = {
    Suspend: {0: 2},
    Revoke: {0: 1, 2: 1},
    Reinstate: {2: 0},
}
"""What becomes of an entry; what is not here is refused."""
LENGTHS = st.one_of(st.integers(1, 20), st.integers(8_188, 8_196), st.just(2**20))
places = st.sampled_from((0, 1, 2, 3, 4, 8, 8_191, 8_192, 2**17 - 1, 2**20 - 1))
offices = st.sampled_from(OFFICES)
numbers = st.sampled_from((0, 0, 0, 1))


class StatusMachine(RuleBasedStateMachine):
    """Two offices with two lists each; signers are right or wrong."""

    @initialize(bits=st.sampled_from(Bits), length=LENGTHS)
    def begin(self, bits, length) -> None:
        self.harness = Harness()
        self.lists: dict[tuple[str, int], tuple[int, int, dict[int, int]]] = {}
        """Bits, length, and the entries that are not 0."""
        self.create("office", 0, bits, 2**17, "office")
        self.create("school", 0, Bits.TWO, length, "school")

    def check(self, function, command, signer, office, expected) -> bool:
        if signer != office:
            expected = "kernel.NOT_AUTHORIZED"
        found = self.harness.attempt(function, command, signer)
        assert found == expected, (command, found, expected)
        return not found

    @rule(office=offices, number=st.just(1), bits=st.sampled_from(Bits), length=LENGTHS, by=offices)
    def create(self, office, number, bits, length, by) -> None:
        expected = ""
        if (office, number) in self.lists:
            expected = Code.LIST_EXISTS
        elif bits * length > 8 * 2**18:
            expected = Code.TOO_LARGE
        command = CreateList(make_address(office), number, bits, length)
        if self.check(status.create_list, command, by, office, expected):
            self.lists[office, number] = (bits, length, {})

    @rule(
        office=offices,
        number=numbers,
        kind=st.sampled_from((Suspend, Revoke, Reinstate)),
        chosen=st.lists(places, min_size=1, max_size=4),
        is_sorted=st.sampled_from((True, True, True, False)),
        by=st.sampled_from((*OFFICES, "", "")),
    )
    def change(self, office, number, kind, chosen, *, is_sorted, by) -> None:
        indices = tuple(sorted(set(chosen)) if is_sorted else chosen)
        command = kind(make_address(office), number, indices)
        expected = self.find_fault(office, number, kind, indices)
        if self.check(status.change, command, by or office, office, expected):
            entries = self.lists[office, number][2]
            for index in indices:
                entries[index] = FOLLOWS[kind][entries.get(index, 0)]

    def find_fault(self, office, number, kind, indices) -> str:
        if (office, number) not in self.lists:
            return Code.UNKNOWN_LIST
        bits, length, entries = self.lists[office, number]
        if kind is Suspend and bits == 1:
            return Code.CANNOT_SUSPEND
        if list(indices) != sorted(set(indices)):
            return Code.NOT_ASCENDING
        if max(indices) >= length:
            return Code.OUT_OF_RANGE
        is_following = all(entries.get(index, 0) in FOLLOWS[kind] for index in indices)
        return "" if is_following else Code.WRONG_STATE

    @invariant()
    def bytes_and_roots_are_of_the_entries(self) -> None:
        view = self.harness.view
        for (office, number), (bits, length, entries) in self.lists.items():
            view.begin()
            chunks = status.list_chunks(view, make_address(office), number)
            packed = sum(entry << bits * index for index, entry in entries.items())
            assert b"".join(chunks) == packed.to_bytes((bits * length + 7) // 8, "little")
            found = status.get_list(view, make_address(office), number)
            assert found.root == status.compute_root(chunks, DIGEST)
            for index in entries:
                at = status.get_status(view, make_address(office), number, index)
                assert at == entries[index]


TestStatus = StatusMachine.TestCase
TestStatus.settings = settings(
    max_examples=300 if IS_SOAK else 30, stateful_step_count=25, deadline=None
)
