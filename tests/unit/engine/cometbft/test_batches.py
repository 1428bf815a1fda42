"""Frames, changes of validators, and what is known of batches."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.asked import KEYS
from tests.voted import make_voted_genesis

from hansa.engine.cometbft.application import (
    list_updates,
)
from hansa.engine.cometbft.batches import Verdicts
from hansa.engine.cometbft.protocol import abci_pb2 as abci
from hansa.engine.cometbft.server import frame, read_frame
from hansa.engine.verification import InlineVerifier
from hansa.kernel.errors import Unavailable
from hansa.kernel.genesis import Network


@given(st.binary(max_size=70_000))
def test_frames_come_out_as_they_went_in(data):
    async def run():
        reader = asyncio.StreamReader()
        message = abci.Request(check_tx=abci.RequestCheckTx(tx=data))
        reader.feed_data(frame(message) * 2)
        reader.feed_eof()
        for _ in range(2):
            assert abci.Request.FromString(await read_frame(reader)) == message
        assert await read_frame(reader) is None

    asyncio.run(run())


powers = st.dictionaries(st.binary(min_size=32, max_size=32), st.integers(1, 9), max_size=6)


@given(powers, powers, st.sets(st.integers(0, 5)))
def test_updates_turn_one_set_of_validators_into_another(before, more, kept):
    names = sorted(before)
    after = {**{name: before[name] for n, name in enumerate(names) if n in kept}, **more}
    found = dict(before)
    updates = list_updates(sorted(before.items()), sorted(after.items()))
    assert len(dict(updates)) == len(updates)
    for name, power in updates:
        assert found.get(name, 0) != power
        found[name] = power
    assert {name: power for name, power in found.items() if power} == after


class Flaky:
    """A verifier whose processes die the first so many times."""

    def __init__(self, inner, deaths):
        self._inner, self.deaths, self.calls = inner, deaths, 0

    async def check_batch(self, raw):
        self.calls += 1
        if self.deaths:
            self.deaths -= 1
            raise Unavailable("a verifying process died")
        return await self._inner.check_batch(raw)

    def hurry(self, raw):
        self._inner.hurry(raw)


@pytest.mark.parametrize("deaths", [0, 1, 2])
def test_a_batch_is_verified_once_and_again_only_where_verifying_failed(deaths):
    network = Network.of(make_voted_genesis(KEYS))

    async def run():
        verifier = Flaky(InlineVerifier(network), deaths)
        verdicts = Verdicts(verifier, remembered_max=2)
        if deaths > 1:
            with pytest.raises(Unavailable, match="died"):
                await verdicts.get(b"a", b"rubbish")
            return
        assert (await verdicts.get(b"a", b"rubbish")).rejected is not None
        await verdicts.get(b"a", b"rubbish")
        assert verifier.calls == deaths + 1
        for name in (b"b", b"c"):
            await verdicts.get(name, b"rubbish")
        assert verdicts.find(b"a") is None
        assert verdicts.find(b"c") is not None
        verdicts.forget(b"c")
        assert verdicts.find(b"c") is None

    asyncio.run(run())


class Queue:
    """A verifier in whose queue a batch waits from the first step of its task on."""

    def __init__(self):
        self.waiting = []

    async def check_batch(self, raw):
        self.waiting.append(raw)
        try:
            await asyncio.Event().wait()
        finally:
            self.waiting.remove(raw)

    def hurry(self, raw):
        self.waiting.remove(raw)
        self.waiting.insert(0, raw)


def test_what_a_block_waits_for_goes_before_what_arrived_earlier_and_what_is_sent_later():
    async def run():
        verifier = Queue()
        verdicts = Verdicts(verifier)
        for name in (b"one", b"two"):
            verdicts.begin(name, name)
        verdicts.hurry(b"proposed", b"proposed")  # by another, and not known here before
        sent = asyncio.ensure_future(verdicts.get(b"sent", b"sent"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        verdicts.hurry(b"two", b"two")
        await asyncio.sleep(0)
        assert verifier.waiting == [b"two", b"proposed", b"one", b"sent"]
        sent.cancel()

    asyncio.run(run())


def test_what_comes_no_more_is_not_verified_unless_somebody_waits_for_it():
    async def run():
        verifier = Queue()
        verdicts = Verdicts(verifier)
        for name in (b"dropped", b"asked for"):
            verdicts.begin(name, name)
        sent = asyncio.ensure_future(verdicts.get(b"asked for", b"asked for"))
        await asyncio.sleep(0)
        for name in (b"dropped", b"asked for", b"unknown"):
            verdicts.forget(name)
        await asyncio.sleep(0)
        assert verifier.waiting == [b"asked for"]
        sent.cancel()

    asyncio.run(run())


def test_the_bytes_of_what_waits_are_bounded_and_the_oldest_go_first():
    async def run():
        verifier = Queue()
        verdicts = Verdicts(verifier, bytes_max=10)
        for raw in (b"1234", b"5678", b"90", b"abc"):
            verdicts.begin(raw, raw)
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert verifier.waiting == [b"5678", b"90", b"abc"]
        known = InlineVerifier(Network.of(make_voted_genesis(KEYS)))
        verdicts.remember(b"abc", b"abc", await known.check_batch(b"abc"))
        await asyncio.sleep(0)
        assert verifier.waiting == [b"5678", b"90"]
        verdicts.begin(b"larger", b"larger than all")
        await asyncio.sleep(0)
        assert verifier.waiting == [b"larger than all"]
        assert verdicts.find(b"abc") is None

    asyncio.run(run())
