"""Two banks' nodes: terms, entries, windows and breaks, from the first message to the position."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace
from tests.paired import MemoryStore, Paired, running
from tests.streamed import enter

from hansa.kernel.encoding import Decoder, encode
from hansa.kernel.errors import Invalid
from hansa.node.reconcile.service import TERMS, UNACCEPTED_MAX
from hansa.reconcile.stream.terms import Terms


def test_banks_come_from_terms_to_a_position():
    async def run():
        async with running(Paired()) as paired:
            agreement = await paired.agree()
            north, south = paired.services
            await paired.wait_for(south.list_pairs)
            await north.add(agreement, [enter(100, "A"), enter(40, "B"), enter(7, "C")])
            await south.add(agreement, [enter(-100, "A"), enter(-43, "B")])
            for each in paired.services:
                await each.complete(agreement, 1)
            await paired.wait_for(
                lambda: all(
                    each.get_pair(agreement).progress.agreed == 1 for each in (north, south)
                )
            )
            await paired.wait_for(
                lambda: (
                    (found := north.list_positions(agreement))
                    and found[0][2]
                    and found[0][2].is_agreed
                )
            )
            views = [each.list_breaks(agreement) for each in (north, south)]
            assert views[0] == views[1]
            assert [each.group.label for each in views[0]] == ["missing_right"]
            view = north.get_pair(agreement, windows=2)
            assert view.trouble == ""
            assert view.windows[1].row.matched == 1
            assert [each.label for each in view.windows[1].outcome.matches] == ["near"]
            await paired.wait_for(lambda: north.get_window(agreement, 1).row is not None)
            [(window, net, _position)] = north.list_positions(agreement)
            assert (window, net.net_minor) == (0, 140)

    asyncio.run(run())


def test_a_journal_put_back_from_a_copy_posts_and_takes_nothing():
    async def run():
        async with running(Paired()) as paired:
            agreement = await paired.agree()
            north = paired.services[0]
            await north.add(agreement, [enter(100, "A"), enter(40, "B")])
            await paired.wait_for(
                lambda: (row := north.get_window(agreement, 0).row) and row.left.entries == 2
            )
            await north.stop()
            [first] = paired.stores[0].open_journal(agreement).list_postings(0, 0, 1)
            paired.stores[0] = MemoryStore("north")
            older = paired.stores[0].open_journal(agreement)
            older.add([first.tagged], (TERMS, paired.raw))
            paired.services[0] = north = paired.open(0)
            with pytest.raises(Invalid, match="older copy"):
                await north.add(agreement, [enter(7, "C"), enter(8, "D")])
            north.start()
            await paired.wait_for(lambda: north.get_pair(agreement).trouble)
            assert "lacks what the ledger has of window 0" in north.get_pair(agreement).trouble
            assert (older.count(0), north.get_window(agreement, 0).row.left.entries) == (1, 2)

    asyncio.run(run())


def test_terms_that_came_to_nothing_make_room_for_newer_ones():
    async def run():
        async with running(Paired()) as paired:
            north, south = paired.services
            agreement = await paired.agree()
            await paired.wait_for(lambda: south.get_pair(agreement).row)
            terms = Decoder[Terms](Terms, "terms").decode(paired.raw)
            for number in range(UNACCEPTED_MAX + 1):
                other = replace(terms, secret=bytes([number + 1]) * 32)
                pair = await north.share_terms(encode(other))
                await paired.wait_for(lambda: pair.agreement in list_names(south))  # noqa: B023
            assert agreement in list_names(south)
            assert len(list_names(south)) == UNACCEPTED_MAX + 1
            assert len(list_names(north)) == UNACCEPTED_MAX + 2

    asyncio.run(run())


def list_names(service):
    return {each.agreement for each in service.list_pairs()}
