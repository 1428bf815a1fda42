"""What one honest validator proposes, all others accept and execute, whatever came to them."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.asked import NOW_MS, SECOND, asking, flip, fund
from tests.conftest import IS_SOAK
from tests.world import World, key, pay

from hansa.engine.cometbft.protocol import abci_pb2 as abci
from hansa.kernel.genesis import VALIDITY_MAX_MS

SPONSORS = ("north", "south", "department0", "ann")
POLICY = {f"sponsor.quota.{key('department0').address.hex()}": (10**6, 4, 4, 100)}
ENDS_MS = (-SECOND, 0, 5 * SECOND, VALIDITY_MAX_MS, VALIDITY_MAX_MS + SECOND)


@dataclass(frozen=True)
class Sketch:
    """A batch that somebody makes: who brings it in, when its envelopes end, what is forged."""

    sponsor: str
    ends_ms: list[int]
    are_forged: bool
    is_forged: bool

    def draw(self, world: World, time_ms: int) -> bytes:
        signed = [
            world.sign(
                [key("ann")], pay("ann", "bob", 1, f"{world.nonces}"), until_ms=time_ms + end
            )
            for end in self.ends_ms
        ]
        signed = [flip(each) for each in signed] if self.are_forged else signed
        raw = world.batch(*signed, sponsor=self.sponsor)
        return flip(raw) if self.is_forged else raw


seldom = st.integers(0, 5).map(lambda number: number == 0)
sketches = st.builds(
    Sketch,
    st.sampled_from(SPONSORS),
    st.lists(st.sampled_from(ENDS_MS), min_size=1, max_size=3),
    seldom,
    seldom,
)
rounds = st.tuples(
    st.lists(sketches, max_size=6),
    st.sets(st.integers(0, 20), max_size=3).map(sorted),
    st.integers(0, 20 * SECOND),
    st.booleans(),
)
"""What is sent, what of earlier rounds is sent again, time that passes, whether liars decide."""


async def propose(asked, txs, time):
    """Have these batches come to a node, and a block proposed of them."""
    for raw in txs:
        await asked.ask(check_tx=abci.RequestCheckTx(tx=raw))
    wanted = abci.RequestPrepareProposal(txs=txs, max_tx_bytes=10**6, height=9, time=time)
    for _ in range(2):  # what was not verified the first time is the second
        proposed = list((await asked.ask(prepare_proposal=wanted)).txs)
    return proposed


async def play(folder, played):
    """Let one node propose, and another, to which nothing came, answer; returns what counted."""
    async with asking(folder / "a", POLICY) as one, asking(folder / "b", POLICY) as other:
        world = World(one.chain)
        for asked in (one, other):
            await asked.block(
                2, fund(world) if asked is one else one.chain.get_record(1).batches[0]
            )
        sent: list[bytes] = []
        time_ms = NOW_MS
        for sketched, again, passing_ms, is_of_liars in played:
            time_ms += passing_ms
            time = {"seconds": time_ms // SECOND, "nanos": time_ms % SECOND * 10**6}
            txs = [sketch.draw(world, time_ms) for sketch in sketched]
            txs += [sent[at] for at in again if at < len(sent)]
            sent += txs
            proposed = await propose(one, txs, time)
            asking_for = abci.RequestProcessProposal(txs=proposed, height=9, time=time)
            for asked in (one, other):
                status = (await asked.ask(process_proposal=asking_for)).status
                assert status == abci.ResponseProcessProposal.ACCEPT
            decided = [b"rubbish", *txs, *txs] if is_of_liars else proposed
            found = [await asked.block(9, *decided, time_ms=time_ms) for asked in (one, other)]
            assert found[0] == found[1]
            codes = [each.code for each in found[0].tx_results]
            executed = {raw for raw, code in zip(decided, codes, strict=True) if not code}
            assert executed == set(proposed), "the block holds more, or less, than is proposed"
        assert one.chain.machine.head_hash == other.chain.machine.head_hash
        records = list(one.chain.iterate_records(0))
        assert records == list(other.chain.iterate_records(0))
        batches = [raw for record in records for raw in record.batches]
        assert len(batches) == len(set(batches)), "a batch was executed twice"


@settings(max_examples=300 if IS_SOAK else 15, deadline=None)
@given(st.lists(rounds, max_size=4))
def test_an_honest_proposal_is_accepted_and_executed_whole_by_all(played):
    with tempfile.TemporaryDirectory() as name:
        for each in "ab":
            (Path(name) / each).mkdir()
        asyncio.run(play(Path(name), played))
