"""One of four validators lies or proposes what nobody may: the others go on, and agree."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count

import pytest
from tests.integration.test_cometbft_engine import (
    fund,
    list_records,
    pay_round,
    reach,
    send,
)
from tests.voted import make_network, open_signer

from hansa.engine.cometbft.engine import CometEngine
from hansa.engine.cometbft.protocol import abci_pb2 as abci
from hansa.kernel.errors import HansaError, Unavailable

pytestmark = pytest.mark.integration

WITHIN_S = 60
ROUNDS_MAX = 60


class Faulty:
    """An application that does all that an honest one does, but for what a subclass says."""

    def __init__(self, honest):
        self.honest = honest

    def __getattr__(self, name):
        return getattr(self.honest, name)


class Liar(Faulty):
    """Answers another hash of the state than it has, once there is a state."""

    lies = 0

    async def finalize_block(self, request):
        answer = await self.honest.finalize_block(request)
        if request.txs:
            self.lies += 1
            answer.app_hash = bytes(32)
        return answer


class BadProposer(Faulty):
    """Proposes garbage, batches that are spoilt, one twice, and one that was in a block before."""

    def __init__(self, honest):
        super().__init__(honest)
        self.proposed: list[str] = []
        self._seen: list[bytes] = []

    async def prepare_proposal(self, request):
        answer = await self.honest.prepare_proposal(request)
        if not answer.txs:
            return answer
        good = answer.txs[0]
        tricks = {
            "garbage": [b"\xff" * 40],
            "empty": [b""],
            "cut": [good[:-1]],
            "spoilt": [good[:-1] + bytes([good[-1] ^ 1])],
            "twice": [good, good],
        }
        if self._seen:
            tricks["again"] = [self._seen[0]]
        self._seen.append(good)
        untried = [name for name in tricks if name not in self.proposed]
        if not untried:
            return answer
        self.proposed.append(untried[-1])
        return abci.ResponsePrepareProposal(txs=tricks[untried[-1]])


TRICKS = {"garbage", "empty", "cut", "spoilt", "twice", "again"}


class LyingEngine(CometEngine):
    """A validator that lies."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.application = Liar(self.application)


class BadlyProposingEngine(CometEngine):
    """A validator that proposes badly."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.application = BadProposer(self.application)


@asynccontextmanager
async def running_with(nodes, kind):
    """Run these nodes' engines, the last of them a faulty one, which may fail."""
    engines = [node.build_engine() for node in nodes[:-1]] + [nodes[-1].build_engine(kind)]
    async with AsyncExitStack() as stack:
        for engine in engines:
            engine.start()
            stack.push_async_callback(end, engine, may_fail=engine is engines[-1])
        async with asyncio.timeout(WITHIN_S):
            await asyncio.gather(*(engine.ready() for engine in engines))
        yield engines


def tell(capsys, text):
    """Print a summary, also of a test that passes."""
    with capsys.disabled():
        sys.stdout.write(f"\n  {text}\n")


async def end(engine, *, may_fail):
    try:
        await engine.stop()
    except HansaError:
        assert may_fail
    finally:
        engine.chain.close(is_failed=engine.failure is not None)


async def pay_beside_a_liar(nodes):
    """Pay until the liar has gone, and on; returns what all have, and how often it lied."""
    async with running_with(nodes, LyingEngine) as engines:
        honest, liar = engines[:-1], engines[-1]
        world = open_signer(engines[0].chain)
        for raw in fund(world, 10):
            assert set(await send(engines[0], raw)) == {""}
        for number in range(4):
            assert set(await pay_round(honest[number % 3], world, number)) == {""}
        with pytest.raises(Unavailable, match="CometBFT ended as its consensus failed"):
            async with asyncio.timeout(WITHIN_S):
                await liar.wait()
        assert set(await pay_round(honest[1], world, 9)) == {""}
        for engine in honest:
            await reach(engine, honest[1].chain.confirmed_height)
        return [list_records(engine.chain) for engine in engines], liar.application.lies


def test_a_validator_that_lies_about_its_state_stops_alone(cometbft, tmp_path, capsys):
    logs, lies = asyncio.run(pay_beside_a_liar(make_network(tmp_path)))
    assert lies >= 1
    assert logs[0] == logs[1] == logs[2]
    assert logs[3] == logs[0][: len(logs[3])]  # it lied to others: its own blocks are right
    assert len(logs[0]) > len(logs[3])
    tell(capsys, f"a liar: {lies} false hashes, {len(logs[0])} equal blocks on the three others")


async def pay_beside_a_bad_proposer(nodes):
    """Pay until it has proposed all that it knows; returns what all have."""
    async with running_with(nodes, BadlyProposingEngine) as engines:
        proposer = engines[-1].application
        world = open_signer(engines[0].chain)
        for raw in fund(world, 10):
            assert set(await send(engines[0], raw)) == {""}
        for number in count():
            assert set(await pay_round(engines[number % 4], world, number)) == {""}
            if set(proposer.proposed) == TRICKS:
                break
            assert number < ROUNDS_MAX, proposer.proposed
        height = engines[number % 4].chain.confirmed_height
        for engine in engines:
            await reach(engine, height)
        return [list_records(engine.chain) for engine in engines], number + 1


def test_what_a_bad_proposer_proposes_is_in_no_block(cometbft, tmp_path, capsys):
    logs, rounds = asyncio.run(pay_beside_a_bad_proposer(make_network(tmp_path)))
    assert logs[0] == logs[1] == logs[2] == logs[3]
    batches = [raw for record in logs[0] for raw in record.batches]
    assert len(batches) == len(set(batches)) == 2 + rounds
    tell(
        capsys, f"a bad proposer: {len(TRICKS)} proposals refused, {10 * rounds} payments paid once"
    )
