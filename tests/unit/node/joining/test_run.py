"""Whether a node is to join, and what becomes of a folder that was left half joined."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace
from tests.played import CHEAP
from tests.unit.node.joining.members import NETWORK, Member
from tests.world import START_MS

from hansa.engine.storage import FileStorage
from hansa.kernel.errors import Unavailable
from hansa.kernel.light.votes import begin
from hansa.node.description import NetworkDescription
from hansa.node.home import Home, open_chain
from hansa.node.joining.run import is_to_join, join_from_any
from hansa.node.joining.trust import find_trusts
from hansa.node.network.founding import describe_institutions, found_voted_network
from hansa.node.network.places import choose_places
from hansa.node.settings import load_settings


def make_node(folder):
    description = NetworkDescription(members=describe_institutions(1))
    places = choose_places(1, 26_600, [])
    founded = found_voted_network(folder, description, places, "p", START_MS, cost=CHEAP)
    return founded.nodes[0].home


def name_others(home):
    settings = load_settings(home.settings_path)
    named = replace(settings.cometbft, join_from=("https://a.example:26600",))
    return settings, replace(settings, cometbft=named)


def test_a_node_joins_once_where_its_settings_name_others(tmp_path):
    home = make_node(tmp_path / "net")
    alone, named = name_others(home)
    assert not is_to_join(home, alone)
    assert is_to_join(home, named)
    open_chain(home, None).close()
    assert not is_to_join(home, named)


def list_files(home: Home):
    left_out = {"LOCK", "lock", ".lock"}
    return {
        path.relative_to(home.path).as_posix()
        for path in home.path.rglob("*")
        if path.is_file() and path.name not in left_out
    }


def test_what_was_left_half_joined_is_thrown_away_but_for_keys_and_what_was_signed(tmp_path):
    home = make_node(tmp_path / "net")
    _, named = name_others(home)
    before = list_files(home)
    signed = home.comet.signing_state_path
    signed.write_text('{"height": "7", "round": 0, "step": 3}')
    open_chain(home, None).close()
    for name in ("state.db", "blockstore.db", "cs.wal"):
        (home.comet.path / "data" / name).mkdir()
        (home.comet.path / "data" / name / "000001.log").write_bytes(b"half")
    shelf = FileStorage(home.snapshots_path)
    for name in ("joining", f"{7:020d}-{0:06d}.chunk"):
        shelf.replace(name, b"half")
    FileStorage(home.comet.path).replace(home.comet.joining_path.name, b"")
    assert is_to_join(home, named)
    assert list_files(home) == before
    assert '"7"' in signed.read_text()


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_snapshot_that_no_peer_has_does_not_keep_a_node_from_another(lost):
    tried, cleared, told = [], [], []

    async def join_from(trust):
        tried.append(trust.snapshot_height)
        if len(tried) <= lost:
            raise Unavailable("no peer has it")

    async def run():
        sources = [Member(33).as_source("a"), Member(25).as_source("b")]
        trusts = await find_trusts(sources, NETWORK, begin(NETWORK), told.append)
        await join_from_any(trusts, join_from, lambda: cleared.append(list(tried)), told.append)

    if lost == 2:
        with pytest.raises(Unavailable, match="no peer has it"):
            asyncio.run(run())
    else:
        asyncio.run(run())
    assert tried == [33, 25][: lost + 1]
    assert cleared == [[33]][:lost]
    assert [line.partition(": ")[0] for line in told] == [
        "not joining from the snapshot of block 33"
    ][:lost]
