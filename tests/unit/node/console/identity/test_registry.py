"""When the registries' tables are gone through, and a past of many changes."""

from __future__ import annotations

import asyncio

from tests.identified import ISSUER, play_identity
from tests.world import key, make_genesis, open_world

from hansa.contracts.identity import accreditation, did, documents
from hansa.engine.storage import FileStorage
from hansa.kernel.machine.state import Reader
from hansa.node.console.identity.past import CHANGES_PER_PAGE, read_past
from hansa.node.console.identity.registry import REST_FACTOR, Registry
from hansa.node.console.identity.standing import PAST_SHOWN, list_decisions, read_accredited

NORTH = key("north").address


class Clock:
    """A clock that goes on by so much each time that it is read."""

    def __init__(self, step_s: float) -> None:
        self.now_s = 0.0
        self._step_s = step_s

    def __call__(self) -> float:
        self.now_s += self._step_s
        return self.now_s


def open_played(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())
    play_identity(world)
    return world


def go_on(world, number):
    """Have one more block, with a status list, that is a checkpoint."""
    world.time_ms += 5_000
    service = documents.Service(f"n{number}", "LinkedDomains", "https://a.example")
    document = world.chain.machine.state.load(documents.Document, documents.Document.key(ISSUER))
    content = documents.Content(services=(service,))
    assert world.do("issuer", did.Update(ISSUER, document.version, content, ())) == ""


def test_tables_rest_for_many_times_as_long_as_they_took(tmp_path):
    world = open_played(tmp_path)
    clock = Clock(1.0)  # so that each time takes a second

    async def use():
        registry = Registry(world.chain, clock)
        first = await registry.read()
        assert registry.is_current
        assert await registry.read() is first
        go_on(world, 1)
        assert await registry.read() is first
        assert not registry.is_current
        clock.now_s += REST_FACTOR
        second = await registry.read()
        assert second.height > first.height
        assert registry.is_current

    asyncio.run(use())


def test_the_index_finds_rows_by_other_than_their_keys(tmp_path):
    world = open_played(tmp_path)
    index = asyncio.run(Registry(world.chain, Clock(0.0)).read())
    assert index.types == ("resident",)
    assert index.owned == {NORTH: ("resident",)}
    assert set(index.issuers["resident"]) == {NORTH, ISSUER}
    assert index.granted[NORTH] == (("resident", ISSUER),)
    assert index.granted[accreditation.NETWORK] == (("resident", NORTH),)
    assert index.held[ISSUER] == ("resident",)
    assert index.lists == ((ISSUER, 7),)


def test_a_long_past_comes_in_pages(tmp_path):
    """Every change once, newest first; what names no place begins with the newest."""
    world = open_played(tmp_path)
    for number in range(CHANGES_PER_PAGE):
        go_on(world, number)
    rows = Reader(world.chain.machine.state)
    first, following = read_past(rows, ISSUER, "")
    second, end = read_past(rows, ISSUER, following)
    assert (len(first), end) == (CHANGES_PER_PAGE, "")
    changes = [*first, *second]
    times = [change.time_ms for change in changes]
    assert times == sorted(times, reverse=True)
    assert len({(change.what, change.version) for change in changes}) == len(changes)
    assert changes[0].told == (
        f"service n{CHANGES_PER_PAGE - 1} added",
        f"service n{CHANGES_PER_PAGE - 2} removed",
    )
    assert "document begun" in changes[-1].told
    for start in ("x", "1", "-1.2", "1.2.3", "9" * 30 + ".1"):
        assert read_past(rows, ISSUER, start)[0] == first
    assert read_past(rows, key("nobody").address, "") == ((), "")


def test_a_chain_ends_at_its_first_fault(tmp_path):
    world = open_played(tmp_path)
    rows = Reader(world.chain.machine.state)
    good = read_accredited(rows, ISSUER, "resident", world.time_ms)
    assert [link.grant.issuer for link in good.links] == [NORTH, ISSUER]
    assert good.is_rooted
    assert good.grant is not None
    terms = (accreditation.Reason.BREACH, bytes(32))
    for _ in range(PAST_SHOWN):
        for kind in (accreditation.Suspend, accreditation.Reinstate):
            assert world.do("north", kind(NORTH, ISSUER, "resident", *terms)) == ""
    assert world.do("north", accreditation.Revoke(NORTH, ISSUER, "resident", *terms)) == ""
    found = read_accredited(rows, ISSUER, "resident", world.time_ms)
    assert found.standing.fault is accreditation.Fault.REVOKED
    assert [link.fault for link in found.links] == [accreditation.Fault.REVOKED]
    assert not found.is_rooted
    decisions, older = list_decisions(rows, ISSUER, "resident")
    assert decisions[0].state is accreditation.State.REVOKED
    assert (len(decisions), older) == (PAST_SHOWN, 2 * PAST_SHOWN + 2 - PAST_SHOWN)
    assert read_accredited(rows, ISSUER, "resident", 0).links == ()
