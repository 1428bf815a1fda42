"""What a node refused it refuses again after a restart: its state is a function of the blocks."""

from __future__ import annotations

import pytest
from tests.world import START_MS, key, make_genesis, open_world, pay

from hansa.engine.storage import FileStorage
from hansa.kernel.block import Repeated


@pytest.fixture
def folder(tmp_path):
    return FileStorage(tmp_path)


def reopen(world, folder):
    """Open the chain of `world` anew, its store flushed, at the time where it stood."""
    store = world.chain.store
    world.chain.flush()
    world.chain.log.close()
    again = open_world(folder, make_genesis(), store.reopened())
    again.time_ms, again.nonces = world.time_ms, world.nonces
    return again


@pytest.mark.parametrize("rubbish", [b"", b"\xc1", b"\x92\x01\x02", bytes(20_000)], ids=len)
def test_rubbish_from_a_stranger_does_not_keep_the_chain_from_opening(folder, rubbish):
    world = open_world(folder, make_genesis())
    good = world.sign([key("ann")], pay("ann", "shop", 5, "1"))
    batch = world.batch(rubbish, good, sponsor="stranger", key_name="stranger")
    outcomes = world.apply(batch).outcomes[0]
    assert outcomes[1].code == "UNKNOWN_SPONSOR"
    assert outcomes[0].code in {"MALFORMED", "TOO_LARGE"}, "what is found first stands first"
    head = world.chain.head
    again = reopen(world, folder)
    assert again.chain.head == head
    again.chain.close()


@pytest.mark.parametrize(
    ("until", "now"),
    [(500, 1_000), (999, 1_000), (1_000, 1_001), (999, 1_001), (500, 1_999), (1_500, 2_001)],
)
def test_a_nonce_is_free_again_at_the_same_instant_on_a_node_that_was_restarted(
    tmp_path, until, now
):
    """The pair's validity ends mid-second; all nodes must agree from when on it counts no more."""
    answers = []
    for name in ("restarted", "running"):
        folder = FileStorage(tmp_path / name)
        world = open_world(folder, make_genesis())
        world.time_ms = START_MS + 500
        world.send(world.sign([key("ann")], pay("ann", "shop", 5, "1"), until_ms=START_MS + until))
        world.time_ms = START_MS + now
        world.apply()  # a checkpoint: the reopened node executes nothing again
        if name == "restarted":
            world = reopen(world, folder)
        world.nonces = 0
        result = world.apply(world.batch(world.sign([key("ann")], pay("ann", "shop", 5, "2"))))
        answers.append((isinstance(result.outcomes[0][0], Repeated), result.header))
        world.chain.close()
    assert answers[0] == answers[1]
    assert answers[1][0] == (now <= (until // 1_000 + 1) * 1_000), "as docs/reference/wire.md says"
