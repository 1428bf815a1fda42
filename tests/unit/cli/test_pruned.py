"""Commands against a node that runs and has pruned its log."""

from __future__ import annotations

import json

import msgspec
import pytest
from aiohttp import web
from tests.pruned import make_pruned_folder, make_voted_pruned_folder
from tests.running import run_fake, run_folder, serve_records
from tests.voted_world import run_voted

from hansa.cli.main import main
from hansa.engine.snapshots.format import compute_sum
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage


def run(capsys, *words, code=0):
    """Run a command; returns its JSON, or its one line of error."""
    assert main([*map(str, words), "--json"]) == code, capsys.readouterr().err
    out, err = capsys.readouterr()
    return json.loads(out or err)


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    """A node that runs and does not keep its first blocks."""
    with run_folder(make_pruned_folder(tmp_path_factory.mktemp("pruned") / "node")) as running:
        yield running


LEFT_OUT = [("audit", "was not audited"), ("verify", "was not executed again")]


@pytest.mark.parametrize(("command", "left_out"), LEFT_OUT)
def test_of_a_pruned_node_is_checked_what_it_keeps(pruned, capsys, command, left_out):
    check_remote(pruned, capsys, command, left_out)


@pytest.mark.parametrize(("command", "left_out"), LEFT_OUT)
def test_where_members_vote_they_vouch_for_the_beginning(voted, capsys, command, left_out):
    remote, told = check_remote(voted, capsys, command, left_out)
    assert remote["voted_height"] == remote["height"]
    assert f"signed block {remote['height']}" in told


def check_remote(running, capsys, command, left_out):
    """Check a node, and its folder alike; returns what was found, and told in words."""
    asked = (command, "--node", running.url, "--api-key-file", running.home.path / "key")
    (running.home.path / "key").write_text(running.token)
    remote = run(capsys, *asked)
    local = run(capsys, command, "--data", running.home.path)
    assert remote[f"{command}_ok"]
    assert local[f"{command}_ok"]
    assert remote["base_height"] > 0
    for name in ("base_height", "base_hash", "height", "blocks"):
        assert remote[name] == local[name]
    assert main([*map(str, asked)]) == 0
    told = capsys.readouterr().out
    assert f"checkpoint of block {remote['base_height']}" in told
    assert remote["base_hash"] in told
    assert f"What the blocks up to {remote['base_height']} did {left_out}" in told
    return remote, told


@pytest.fixture(scope="module")
def voted(tmp_path_factory):
    """One of a network whose members vote."""
    folder = tmp_path_factory.mktemp("voted") / "node"
    with run_voted(make_voted_pruned_folder(folder)) as running:
        yield running


def test_the_beginning_of_a_pruned_node_needs_the_right_to_whole_blocks(pruned, capsys):
    for command in ("audit", "verify"):
        found = run(capsys, command, "--node", pruned.url, code=2)
        assert "HANSA_API_KEY" in found["message"]
        assert "proves nothing" not in found["message"]


def test_no_snapshot_is_put_into_the_folder_that_it_is_of(pruned, capsys):
    inside = pruned.home.path / "sn"
    found = run(capsys, "snapshot", "make", "--data", pruned.home.path, inside, code=2)
    assert "lies inside" in found["message"]
    assert not inside.exists()


def serve_base(network, frames):
    """The routes of a node that begins from what these frames hold."""
    body = b"".join(len(raw).to_bytes(4, "big") + raw for raw in frames)

    async def base(request):
        return web.Response(body=body)

    return (web.get("/v1/base", base), *serve_records(network, [b""]))


@pytest.mark.parametrize("command", ["audit", "verify"])
def test_a_beginning_that_is_forged_is_refused(pruned, capsys, command):
    shelf = Shelf(FileStorage(pruned.home.snapshots_path, read_only=True))
    base = shelf.list()[0]
    chunks = list(shelf.iterate_chunks(base))
    changed = bytes([*chunks[-1][:-1], chunks[-1][-1] ^ 1])
    lying = msgspec.structs.replace(base, chunks=(*base.chunks[:-1], compute_sum(changed)))
    network = pruned.home.load_network()
    for frames, code, said in (
        ([b"rubbish"], 2, "proves nothing"),
        ([base.encoded(), *chunks[:-1], changed], 2, "not the one that its manifest names"),
        ([lying.encoded(), *chunks[:-1], changed], 2, "not the state root"),
        ([base.encoded(), *chunks[:-1]], 5, "chunks: try again"),
    ):
        with run_fake(*serve_base(network, frames)) as url:
            assert said in run(capsys, command, "--node", url, code=code)["message"]


def test_what_was_restored_is_told_what_to_do_with(pruned, voted, capsys, tmp_path):
    for running, said in ((pruned, "never run this node beside"), (voted, "join the network")):
        archive, back = tmp_path / f"{said} kept", tmp_path / f"{said} back"
        made = run(capsys, "backup", "--data", running.home.path, "--keys", archive)
        assert 0 < made["first_height"] < made["height"]
        assert main(["restore", str(archive), "--check"]) == 0
        assert main(["restore", str(archive), "--data", str(back)]) == 0
        assert said in capsys.readouterr().out.lower()
        assert run(capsys, "audit", "--data", back)["audit_ok"]
