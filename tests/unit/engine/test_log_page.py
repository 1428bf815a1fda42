"""docs/reference/log.md suffices: a reader written from it reads what the node writes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from tests.played import play
from tests.vectors import independent_log
from tests.vectors.independent import Bad, Network, pack
from tests.world import make_genesis, open_world

from hansa.engine.storage import FileStorage


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("node") / "log"
    world = open_world(FileStorage(folder), make_genesis())
    play(world)
    world.chain.close()
    return world, folder


def test_every_block_is_read_and_holds_together(world):
    played, folder = world
    network = Network(played.network.genesis.encoded())
    (path,) = folder.glob("blocks-*.log")
    previous, offsets, states = bytes(32), [], set()
    for offset, height, payload in independent_log.iterate_payloads(path.read_bytes()):
        header, previous = independent_log.check_record(network, payload, previous)
        assert header[1] == height
        offsets.append(offset)
        states.add(header[8])
    assert len(offsets) > 10
    assert previous == played.chain.machine.head_hash
    assert len(states) > 1
    assert independent_log.read_confirmed((folder / "confirmed").read_bytes()) == len(offsets) - 1
    assert independent_log.read_index((folder / "blocks.idx").read_bytes()) == (0, offsets)


def test_block_0_has_the_rows_that_the_page_lists(world):
    played, folder = world
    network = Network(played.network.genesis.encoded())
    (path,) = folder.glob("blocks-*.log")
    _, _, payload = next(independent_log.iterate_payloads(path.read_bytes()))
    header, _ = independent_log.check_record(network, payload, bytes(32))
    rows = independent_log.list_rows_of_genesis(network)
    assert network.digest(pack(sorted([key, row] for key, row in rows.items()))) == header[6]
    assert network.state_root(rows) == header[8]


def test_a_changed_byte_is_noticed(world):
    _, folder = world
    (path,) = folder.glob("blocks-*.log")
    raw = path.read_bytes()
    for at in (0, 9, 25, 39, 41, 50, 60, 71, 100):
        changed = bytearray(raw)
        changed[at] ^= 1
        with pytest.raises(Bad):
            list(independent_log.iterate_payloads(bytes(changed)))


def test_it_imports_nothing_of_hansa():
    tree = ast.parse(Path(independent_log.__file__).read_text())
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [name for name in modules if name.startswith("hansa")]
