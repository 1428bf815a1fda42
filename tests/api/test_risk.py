"""What a node tells of operators' models, and proves to whoever opens a decision."""

from __future__ import annotations

import pytest
from tests.mixed_risk import add_officer
from tests.world import key

from hansa.contracts.risk import risk
from hansa.contracts.risk.in_force import Basis
from hansa.contracts.risk.risk import State
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import NotFound
from hansa.sdk.async_client import AsyncClient
from hansa.sdk.risk.questions import BasisQuestion

NORTH, SOUTH = (key(name).address for name in ("north", "south"))
MODEL, RULES = bytes([1]) * 32, bytes([2]) * 32
LAST = 2**62


@pytest.fixture
def stopped(own_town):
    """A model of `north` that was in force and is stopped; returns the position of its start."""
    world = own_town.world
    for name, command in (
        ("north", add_officer("north")),
        ("north", risk.Propose(NORTH, MODEL)),
        ("north officer", risk.Approve(NORTH, MODEL)),
        (("north", "north officer"), risk.Declare(NORTH, (Basis(MODEL, RULES),))),
        ("north officer", risk.Suspend(NORTH, MODEL)),
    ):
        assert world.do(name, command) == "", command
    start = world.chain.head.height - 1 << 20
    for _ in range(2):
        world.time_ms += 2_000
        assert world.do("north", risk.Propose(SOUTH, MODEL)) != ""  # a checkpoint
    return start


def test_anyone_reads_what_an_operator_decides_by_and_has_it_proved(own_town, stopped):
    async def use(server, _):
        async with AsyncClient(str(server.make_url("/")).rstrip("/")) as client:
            north = await client.risk.get_operator(NORTH)
            assert (north.version, north.bases) == (2, [])
            (model,) = north.models
            assert (model.model, model.state) == (MODEL.hex(), "suspended")
            assert model.suspended_ms == model.since_ms
            assert model.officers == [to_text(NORTH), to_text(key("north officer").address)]
            (policy,) = north.policies
            assert (policy.policy, policy.state) == (RULES.hex(), "approved")
            assert policy.officers == model.officers
            south = await client.risk.get_operator(SOUTH)
            assert (south.version, south.since_ms) == (0, None)
            assert south.models == south.policies == []
            with pytest.raises(NotFound):
                await client.risk.get_operator(RULES)
            questions = [
                BasisQuestion(NORTH, MODEL, position) for position in (stopped - 1, stopped, LAST)
            ]
            found = [each.answer for each in await client.risk.ask_many(questions)]
            assert [each.bases for each in found] == [(), (Basis(MODEL, RULES),), ()]
            assert {each.model.state for each in found} == {State.SUSPENDED}
            nobody = await client.risk.ask(BasisQuestion(SOUTH, MODEL, LAST))
            assert nobody.answer == (None, ())

    own_town.serve(use)
