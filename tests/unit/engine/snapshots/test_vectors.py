"""Snapshots against their vectors: those that nodes make are restored, all others refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hansa.engine.chain import ROW_SPACE
from hansa.engine.log import BlockLog
from hansa.engine.snapshots.format import refuse
from hansa.engine.snapshots.restoring import Restorer
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.kernel.errors import Invalid
from hansa.kernel.genesis import Network, decode_genesis

CASES = json.loads(
    (Path(__file__).resolve().parents[3] / "vectors" / "snapshots" / "vectors.json").read_text()
)


def restore(folder, case):
    """Restore as a node that joins does; `Invalid` also for a chunk that is asked for again."""
    network = Network.of(decode_genesis(bytes.fromhex(case["pre"]["genesis"])))
    trusted = case["pre"]["header_hash"]
    restorer = Restorer(
        Shelf(FileStorage(folder / "snapshots")),
        network,
        lambda: (BlockLog.open(FileStorage(folder / "log")), MemoryStore()),
    )
    try:
        manifest = restorer.offer(
            bytes.fromhex(case["input"]["manifest"]), trusted and bytes.fromhex(trusted)
        )
        for number, chunk in enumerate(case["input"]["chunks"]):
            if not restorer.apply(number, bytes.fromhex(chunk)):
                raise refuse("a chunk of it is asked for again")
        return manifest, *restorer.finish()
    finally:
        restorer.close()


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_snapshots(case, tmp_path):
    post = case.get("post")
    if post is None:
        with pytest.raises(Invalid):
            restore(tmp_path, case)
        return
    manifest, log, store = restore(tmp_path, case)
    found = {
        "hash": manifest.hash.hex(),
        "height": manifest.height,
        "first_height": log.height_min,
        "state_root": manifest.head.state_root.hex(),
        "blocks": log.height_max - log.height_min + 1,
        "rows": len(list(store.iterate_prefix(ROW_SPACE))),
    }
    log.close()
    assert found == post
