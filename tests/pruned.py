"""A data folder whose node has pruned its log: an hour played, the last minutes kept."""

from __future__ import annotations

from pathlib import Path

from tests.played import PASSPHRASE, open_folder
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
    home = Home(path)
    prune(home)
    reader = open_log(home.log_path)
    assert reader.height_min > 0
    reader.close()
    return home


def prune(home: Home) -> int:
    """Live for some minutes on a node that prunes; returns its newest height."""
    sealer = load_key(home.key_path("node"), PASSPHRASE)
    chain = open_chain(home, sealer, segment_bytes=SEGMENT_BYTES)
    keeper = Keeper(
        chain,
        Shelf(FileStorage(home.snapshots_path)),
        lambda: open_log(home.log_path),
        Retention(snapshot_every=10, snapshots=2, blocks=10),
        0,
    )
    world = World(chain, chain.head.time_ms + 1_000, nonces=chain.head.height * 100)
    for _ in range(60):
        world.time_ms += MINUTE_MS
        world.send(world.sign([key("ann")], pay("ann", "shop", 1, f"p{world.nonces}")))
        keeper.note(world.results[-1])
        keeper.finish()
        chain.flush()
    keeper.close()
    chain.close()
    return chain.head.height
