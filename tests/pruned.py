"""A data folder whose node has pruned its log: an hour played, the last minutes kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.played import PASSPHRASE, open_folder
from tests.voted_world import make_voted_folder, save_votes, vote
from tests.world import MINUTE_MS, World, key, pay

from hansa.engine.snapshots.keeping import Keeper, Retention
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage
from hansa.node.home import Home, open_chain
from hansa.node.records import open_log
from hansa.sdk.keys import load_key

SEGMENT_BYTES = 3_000


def make_pruned_folder(path: Path) -> Home:
    """Make the data folder of a stopped node that has pruned."""
    with open_folder(path) as world:
        world.fund("ann", "shop")
    return _prune_first(Home(path))


def make_voted_pruned_folder(path: Path) -> Home:
    """Make the same where members vote, with the votes on its last block."""
    home = make_voted_folder(path)
    with open_again(home) as world:
        world.fund("ann")
    _prune_first(home)
    with open_again(home) as world:
        head = world.chain.head
        save_votes(home, vote(world.network, head.encoded(), head.height))
    return home


def _prune_first(home: Home) -> Home:
    prune(home)
    reader = open_log(home.log_path)
    assert reader.height_min > 0
    reader.close()
    return home


@contextmanager
def open_again(home: Home) -> Iterator[World]:
    """Open the chain of a folder, and go on with it."""
    is_voted = home.load_network().genesis.is_voted
    chain = open_chain(
        home,
        None if is_voted else load_key(home.key_path("node"), PASSPHRASE),
        segment_bytes=SEGMENT_BYTES,
    )
    try:
        yield World(chain, chain.head.time_ms + 1_000, nonces=chain.head.height * 100)
    finally:
        chain.close()


def prune(home: Home) -> int:
    """Live for an hour on a node that prunes; returns its newest height."""
    with open_again(home) as world:
        _live(home, world)
        return world.chain.head.height


def _live(home: Home, world: World) -> None:
    chain = world.chain
    keeper = Keeper(
        chain,
        Shelf(FileStorage(home.snapshots_path)),
        lambda: open_log(home.log_path),
        Retention(snapshot_every=10, snapshots=2, blocks=10),
        0,
    )
    for _ in range(60):
        world.time_ms += MINUTE_MS
        world.send(world.sign([key("ann")], pay("ann", "shop", 1, f"p{world.nonces}")))
        keeper.note(world.results[-1])
        keeper.finish()
        chain.flush()
    keeper.close()
