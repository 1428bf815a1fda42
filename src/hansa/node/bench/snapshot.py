"""`hansa bench snapshot`: makes and restores snapshots of a large state, and of a tenth of it.

Each step runs in a process of its own, whose peak of resident memory is then what it took: where a
state that is ten times larger takes hardly more, memory is bounded.

    rows of wallets -> store -> make -> chunks -> restore -> log and store
                                          copy: the same bytes, file by file, each synced

Source: docs/performance.md, docs/reference/snapshots.md.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hansa.engine.chain import ROW_SPACE
from hansa.engine.log import BlockLog, BlockReader
from hansa.engine.snapshots.building import FILL_BYTES, PLACE_SPACE, build_tree
from hansa.engine.snapshots.making import make_snapshot
from hansa.engine.snapshots.restoring import Restorer
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage
from hansa.engine.store import StateStore
from hansa.kernel.block import HEADER_VERSION, BlockRecord, Header
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.genesis import Network
from hansa.kernel.trees.commitment import compute_place
from hansa.kernel.trees.merkle import compute_root
from hansa.node.bench.apart import measure_apart
from hansa.node.bench.load import create_bench_home, derive_key
from hansa.node.bench.machine import describe_machine
from hansa.node.home import Home, KeySealer

TABLE = b"wb"
ASSET = b"\x03MOP"
VALUE_BYTES = 96
"""About what a wallet's row of one asset has."""
SMALLER = 10
"""By how many times fewer rows are measured first."""


@dataclass(frozen=True, slots=True)
class SnapshotSettings:
    """What is measured."""

    rows: int = 1_000_000


def run_snapshot_bench(settings: SnapshotSettings) -> dict[str, Any]:
    """Run the benchmark; returns the object that `--json` prints."""
    idle = measure_apart(_rest, Path())
    smaller = _run(max(1, settings.rows // SMALLER))
    larger = _run(settings.rows)
    return {
        "name": "snapshot",
        "machine": describe_machine(),
        **larger,
        "idle_peak_bytes": idle.peak_bytes,
        "smaller": smaller,
    }


def _run(rows: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="hansa-bench-") as name:
        folder = Path(name)
        measure_apart(_fill, folder, rows)
        make = measure_apart(_make, folder)
        copy = measure_apart(_copy, folder)
        restore = measure_apart(_restore, folder)
        size = sum(path.stat().st_size for path in (folder / "made").iterdir())
        return {
            "rows": rows,
            "bytes": size,
            "make_s": round(make.seconds, 3),
            "restore_s": round(restore.seconds, 3),
            "copy_s": round(copy.seconds, 3),
            "make_ratio_to_copy": round(make.seconds / max(copy.seconds, 1e-6), 1),
            "restore_ratio_to_copy": round(restore.seconds / max(copy.seconds, 1e-6), 1),
            "make_peak_bytes": make.peak_bytes,
            "restore_peak_bytes": restore.peak_bytes,
        }


def _rest(_: Path) -> None:
    """Take what the program takes by itself."""


def _fill(folder: Path, rows: int) -> None:
    """Fill a store with rows, and a log with the one block that is said to have written them."""
    home = create_bench_home(folder / "node")
    network = home.load_network()
    store = StateStore.open(home.store_path)
    puts: dict[bytes, bytes | None] = {}
    size = 0
    for number in range(rows):
        owner = hashlib.sha256(b"%d" % number).digest()
        key = TABLE + owner + ASSET
        value = (owner * 3)[:VALUE_BYTES]
        puts[ROW_SPACE + key] = value
        puts[PLACE_SPACE + compute_place(key, network.digest)] = network.digest(value)
        size += 2 * len(key) + VALUE_BYTES + len(owner)
        if size >= FILL_BYTES:
            store.fill(puts)
            puts, size = {}, 0
    store.fill(puts)
    header = _build_header(network, build_tree(store, network.digest))
    store.write({}, 0)
    store.flush()
    store.close()
    seals = KeySealer(derive_key("node")).seal(network.header_prefix + header)
    log = BlockLog.open(FileStorage(home.log_path))
    log.append(0, BlockRecord(header, seals, (), (), (), ()).encoded())
    log.sync()
    log.close()


def _build_header(network: Network, state_root: bytes) -> bytes:
    nothing = compute_root((), network.digest)
    return Header(
        version=HEADER_VERSION,
        height=0,
        time_ms=network.genesis.time_ms,
        previous_hash=ZERO_HASH,
        tx_root=nothing,
        receipt_root=nothing,
        write_set_hash=nothing,
        checkpoint_height=0,
        state_root=state_root,
        tx_count=0,
        batch_root=nothing,
    ).encoded()


def _make(folder: Path) -> None:
    home = Home(folder / "node")
    store = StateStore.open_read_only(home.store_path)
    log = BlockReader.open(FileStorage(home.log_path, read_only=True))
    rows = ((key[len(ROW_SPACE) :], value) for key, value in store.iterate_prefix(ROW_SPACE))
    make_snapshot(Shelf(FileStorage(folder / "made")), log, 0, rows)
    log.close()
    store.close()


def _copy(folder: Path) -> None:
    """Copy the chunks, each durable before the next, as a snapshot is made and taken in."""
    target = folder / "copied"
    target.mkdir()
    for path in sorted((folder / "made").iterdir()):
        with path.open("rb") as source, (target / path.name).open("wb") as copied:
            shutil.copyfileobj(source, copied)
            copied.flush()
            os.fsync(copied.fileno())


def _restore(folder: Path) -> None:
    network = Home(folder / "node").load_network()
    other = folder / "other"

    def open_empty() -> tuple[BlockLog, StateStore]:
        return BlockLog.open(FileStorage(other / "log")), StateStore.open(other / "store")

    made = Shelf(FileStorage(folder / "made", read_only=True))
    (manifest,) = made.list()
    restorer = Restorer(Shelf(FileStorage(other / "snapshots")), network, open_empty)
    restorer.offer(manifest.encoded())
    for number, chunk in enumerate(made.iterate_chunks(manifest)):
        restorer.apply(number, chunk)
    log, store = restorer.finish()
    log.close()
    store.close()
