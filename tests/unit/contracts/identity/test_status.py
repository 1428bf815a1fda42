"""Status lists: which change is refused, how entries are packed, and what the root is of."""

from __future__ import annotations

import hashlib

import pytest
from tests.unit.contracts.harness import MINUTE_MS, START_MS, Harness, make_address, make_key

from hansa.contracts import accounts
from hansa.contracts.identity import status
from hansa.contracts.identity.status import (
    Bits,
    Code,
    CreateList,
    ListCreated,
    Reinstate,
    Revoke,
    Status,
    StatusChunk,
    StatusList,
    StatusSet,
    Suspend,
)
from hansa.kernel.authority import ALL_PURPOSES, Purpose
from hansa.kernel.contract import NO_MONEY
from hansa.kernel.crypto.hashing import crypto_profile

OFFICE = make_address("office")
DIGEST = crypto_profile("sha256").digest
NOT_AUTHORIZED = "kernel.NOT_AUTHORIZED"


def make_list(bits=Bits.TWO, length=100) -> Harness:
    harness = Harness()
    harness.do(status.create_list, CreateList(OFFICE, 1, bits, length), "office")
    harness.pass_time(MINUTE_MS)
    return harness


def get_list(harness) -> StatusList:
    found = status.get_list(harness.view, OFFICE, 1)
    assert found is not None
    return found


def read_bytes(harness) -> bytes:
    harness.view.begin()
    return b"".join(status.list_chunks(harness.view, OFFICE, 1))


def read(harness, *indices) -> list[Status | None]:
    harness.view.begin()
    return [status.get_status(harness.view, OFFICE, 1, index) for index in indices]


def hash_tree(chunks) -> bytes:
    """Compute the root as docs/reference/contracts.md says, by hand."""

    def digest(data):
        return hashlib.sha256(data).digest()

    def climb(nodes):
        if len(nodes) == 1:
            return nodes[0]
        half = 1 << (len(nodes) - 1).bit_length() - 1
        return digest(b"\x01" + climb(nodes[:half]) + climb(nodes[half:]))

    return climb([digest(b"\x00" + digest(chunk)) for chunk in chunks])


def test_a_new_list_is_all_valid_and_keeps_no_chunks():
    harness = make_list(length=20_000)
    root = hash_tree([bytes(2_048), bytes(2_048), bytes(904)])
    assert harness.events == [ListCreated(NO_MONEY, OFFICE, 1, Bits.TWO, 20_000, root)]
    found = get_list(harness)
    assert (found.version, found.updated_ms, found.root) == (1, START_MS, root)
    assert read_bytes(harness) == bytes(5_000)
    assert harness.get(StatusChunk, OFFICE, 1, 0) is None
    assert read(harness, 0, 19_999, 20_000) == [Status.VALID, Status.VALID, None]


def test_a_list_is_made_once_and_no_larger_than_its_bound():
    harness = make_list()
    again = CreateList(OFFICE, 1, Bits.EIGHT, status.LENGTH_MAX)
    assert harness.refuse(status.create_list, again, "eve") == NOT_AUTHORIZED
    assert harness.refuse(status.create_list, again, "office") == Code.LIST_EXISTS
    large = CreateList(OFFICE, 2, Bits.FOUR, status.LIST_BYTES_MAX * 2 + 1)
    assert harness.refuse(status.create_list, large, "office") == Code.TOO_LARGE
    largest = CreateList(OFFICE, 2, Bits.TWO, status.LENGTH_MAX)
    harness.do(status.create_list, largest, "office")
    spread = tuple(range(0, status.LENGTH_MAX, status.LENGTH_MAX // status.INDICES_MAX))
    harness.do(status.change, Revoke(OFFICE, 2, spread), "office")
    harness.view.begin()
    assert status.get_status(harness.view, OFFICE, 2, spread[-1]) is Status.INVALID


def test_what_is_suspended_comes_back_and_what_is_revoked_does_not():
    harness = make_list()
    events = harness.do(status.change, Suspend(OFFICE, 1, (3, 99)), "office")
    found = get_list(harness)
    assert events == [StatusSet(NO_MONEY, OFFICE, 1, Status.SUSPENDED, (3, 99), 2, found.root)]
    assert found.updated_ms == START_MS + MINUTE_MS
    assert read(harness, 2, 3, 4, 99) == [0, 2, 0, 2]
    harness.do(status.change, Reinstate(OFFICE, 1, (3,)), "office")
    harness.do(status.change, Revoke(OFFICE, 1, (3, 99)), "office")
    assert read(harness, 2, 3, 4, 99) == [0, 1, 0, 1]
    for command in (Suspend(OFFICE, 1, (3,)), Reinstate(OFFICE, 1, (3,)), Revoke(OFFICE, 1, (3,))):
        assert harness.refuse(status.change, command, "office") == Code.WRONG_STATE
        assert harness.facts == {"index": 3, "status": "INVALID"}
    assert harness.refuse(status.change, Reinstate(OFFICE, 1, (2,)), "office") == Code.WRONG_STATE


def test_a_change_is_refused_whole_by_the_first_rule_that_applies():
    harness = make_list()
    falling = (100, 5, 5)
    assert harness.refuse(status.change, Suspend(OFFICE, 1, falling), "eve") == NOT_AUTHORIZED
    assert harness.refuse(status.change, Suspend(OFFICE, 2, falling), "office") == Code.UNKNOWN_LIST
    for unsorted in (falling, (5, 5)):
        command = Suspend(OFFICE, 1, unsorted)
        assert harness.refuse(status.change, command, "office") == Code.NOT_ASCENDING
    harness.do(status.change, Revoke(OFFICE, 1, (5,)), "office")
    beyond = Suspend(OFFICE, 1, (5, 100))
    assert harness.refuse(status.change, beyond, "office") == Code.OUT_OF_RANGE
    one_wrong = Suspend(OFFICE, 1, (4, 5, 6))
    assert harness.refuse(status.change, one_wrong, "office") == Code.WRONG_STATE
    assert read(harness, 4, 5, 6) == [0, 1, 0]


def test_with_one_bit_nothing_can_be_suspended():
    harness = make_list(Bits.ONE)
    command = Suspend(OFFICE, 1, (7, 3))
    assert harness.refuse(status.change, command, "office") == Code.CANNOT_SUSPEND
    harness.do(status.change, Revoke(OFFICE, 1, (3, 7)), "office")
    assert read(harness, 3, 4, 7) == [1, 0, 1]


def test_the_example_of_the_specification_with_one_bit():
    """Token Status List, section 4.1: sixteen entries become b9 a3."""
    entries = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]
    harness = make_list(Bits.ONE, 16)
    revoked = tuple(index for index, entry in enumerate(entries) if entry)
    harness.do(status.change, Revoke(OFFICE, 1, revoked), "office")
    assert read_bytes(harness).hex() == "b9a3"
    assert read(harness, *range(16)) == entries


def test_the_example_of_the_specification_with_two_bits():
    """Token Status List, section 4.1: c9 44 f9, here with 1 for its application-specific 3."""
    entries = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]
    harness = make_list(Bits.TWO, 12)
    for command, values in ((Suspend, {2}), (Revoke, {1, 3})):
        indices = tuple(index for index, entry in enumerate(entries) if entry in values)
        harness.do(status.change, command(OFFICE, 1, indices), "office")
    packed = int.from_bytes(bytes.fromhex("c944f9"), "little")
    thirds = sum(2 << 2 * index for index, entry in enumerate(entries) if entry == 3)
    assert int.from_bytes(read_bytes(harness), "little") == packed - thirds


@pytest.mark.parametrize("bits", Bits)
def test_the_root_is_of_the_chunks_and_only_touched_ones_are_kept(bits):
    length = 3 * status.CHUNK_BYTES * 8 // bits + 5
    harness = make_list(bits, length)
    harness.do(status.change, Revoke(OFFICE, 1, (0, length - 1)), "office")
    harness.view.begin()
    chunks = status.list_chunks(harness.view, OFFICE, 1)
    assert [len(chunk) for chunk in chunks] == [2_048] * 3 + [(5 * bits + 7) // 8]
    assert get_list(harness).root == hash_tree(chunks) == status.compute_root(chunks, DIGEST)
    kept = [harness.get(StatusChunk, OFFICE, 1, chunk) is not None for chunk in range(4)]
    assert kept == [True, False, False, True]
    assert read(harness, 0, 1, length - 1) == [1, 0, 1]


def test_who_asks_for_no_list_gets_nothing():
    harness = make_list()
    harness.view.begin()
    assert status.get_status(harness.view, OFFICE, 2, 0) is None
    assert status.list_chunks(harness.view, OFFICE, 2) == []
    assert status.get_status(harness.view, OFFICE, 1, -1) is None


def test_only_keys_that_may_assert_keep_lists():
    harness = make_list()
    keys = (make_key("desk", Purpose.ASSERT), make_key("phone", ALL_PURPOSES & ~Purpose.ASSERT))
    harness.do(accounts.create, accounts.Create(OFFICE, keys, 1), "office", "phone")
    calls = [
        (status.create_list, CreateList(OFFICE, 2, Bits.ONE, 1)),
        (status.change, Revoke(OFFICE, 1, (1,))),
    ]
    for function, command in calls:
        assert harness.refuse(function, command, "phone") == NOT_AUTHORIZED
        harness.do(function, command, "desk")
