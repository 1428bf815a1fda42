"""Two banks and an agreement between them, for the tests of this folder."""

from __future__ import annotations

from tests.unit.contracts.harness import (
    DAY_MS,
    Harness,
    make_address,
    make_genesis,
    make_key,
    make_member,
)

from hansa.contracts import currency, members
from hansa.contracts.reconciliation import agreements, reconciliation, windows
from hansa.contracts.reconciliation.agreements import Accept, Propose
from hansa.contracts.reconciliation.reconciliation import Advance, Agree, Bracketed, Item, Post
from hansa.kernel.authority import Purpose
from hansa.kernel.crypto.hashing import crypto_profile
from hansa.kernel.genesis import GenesisAsset

LEFT, RIGHT, THIRD, CENTRAL = (make_address(name) for name in ("left", "right", "third", "central"))
ASSET = "MOP"
TERMS, RESULT, OTHER = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32
KEEP_DAYS = 30
PROPOSE = Propose(LEFT, LEFT, RIGHT, TERMS, 20_000, 1, KEEP_DAYS)
DIGEST = crypto_profile("sha256").digest
PAIR = agreements.compute_id(PROPOSE, DIGEST)
MACHINE = int(Purpose.ASSERT)
OFFICER = int(Purpose.OPERATE | Purpose.MANAGE)
BANKS = {"left": LEFT, "right": RIGHT}


def make_bank(name: str):
    """Make a bank: a machine, which asserts, and three officers."""
    officers = [make_key(f"{name}{number}", OFFICER) for number in (1, 2, 3)]
    return make_member(name, "operator", keys=[make_key(name, MACHINE), *officers])


def found() -> Harness:
    """Found a network with three banks."""
    bank = make_member("central", "central_bank", "validator", weight=1)
    people = [bank, *(make_bank(name) for name in ("left", "right", "third"))]
    genesis = make_genesis(people, assets=[GenesisAsset(ASSET, ASSET, CENTRAL, "m0", 2)])
    return Harness(genesis, members.install, currency.install)


def agree_on(harness: Harness) -> Harness:
    """Bring the agreement in force."""
    harness.do(agreements.propose, PROPOSE, "left1")
    harness.do(agreements.accept, Accept(PAIR, RIGHT), "right1")
    return harness


def make_tag(number: int) -> bytes:
    """Make the tag of the movement of this number."""
    return number.to_bytes(16, "big")


def make_post(name: str, window: int, *numbers: int) -> Post:
    """Make a command that posts these movements, copies as often as they are named."""
    items = tuple(Item(make_tag(number), DIGEST(bytes([number % 256]))) for number in numbers)
    return Post(PAIR, BANKS[name], window, items)


def post(harness: Harness, name: str, window: int, *numbers: int):
    """Post movements; returns the event."""
    return harness.do(reconciliation.post, make_post(name, window, *numbers), name)[0]


def advance(harness: Harness, window: int, *names: str):
    """Advance the watermarks of both parties, or those that are named; returns the events."""
    return [
        harness.do(reconciliation.advance, Advance(PAIR, BANKS[name], window), name)[0]
        for name in names or ("left", "right")
    ]


def get_window(harness: Harness, window: int) -> windows.Window:
    """Get a window that is there."""
    row = harness.get(windows.Window, PAIR, window)
    assert row is not None
    return row


def make_statement(harness: Harness, name: str, window: int, *healed: bytes) -> Agree:
    """Make a party's statement about a window, as it stands."""
    row = harness.get(windows.Window, PAIR, window)
    counts = (row.left.entries, row.right.entries) if row else (0, 0)
    return Agree(PAIR, BANKS[name], window, *counts, RESULT, healed)


def state(harness: Harness, window: int, *healed: bytes, names=("left", "right")):
    """State the same result for both parties, or those that are named; returns the events."""
    return [
        harness.do(reconciliation.agree, make_statement(harness, name, window, *healed), name)
        for name in names
    ]


def make_bracketed(number: int, *buckets: int) -> Bracketed:
    """Make the buckets of a movement."""
    return Bracketed(make_tag(number), tuple(make_tag(1_000 + bucket) for bucket in buckets))


def pass_keep_time(harness: Harness) -> None:
    """Let the time on record go by."""
    harness.pass_time(KEEP_DAYS * DAY_MS + 1)
